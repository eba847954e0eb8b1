import assert from "node:assert/strict";
import { test } from "node:test";
import type { FileState } from "../contracts/index.ts";
import type { Look } from "./look.ts";
import { messageObstacle } from "./remote-messages.ts";
import type { CompileQuestion } from "./request.ts";

const ARCHIVE = "/usr/lib/locale/locale-archive";

/** A machine with such locale files. */
function obstacle(
  message: string,
  {
    environment = {},
    terminal = false,
    files = {},
    sent = true,
  }: {
    environment?: Readonly<Record<string, string>>;
    terminal?: boolean;
    files?: Readonly<Record<string, number>>;
    sent?: boolean;
  } = {},
): string | undefined {
  const state = (path: string): FileState => {
    const size = files[path];
    return size === undefined ? { kind: "absent" } : { kind: "file", digest: "", size, fingerprint: { fp0: 1, fp1: 1 }, changedNs: 0n };
  };
  const look: Pick<Look, "state" | "absent"> = { state, absent: (path) => files[path] === undefined };
  const question: Pick<CompileQuestion, "stderrIsTerminal" | "stdoutIsTerminal" | "environment"> = {
    stderrIsTerminal: terminal,
    stdoutIsTerminal: false,
    environment: new Map(Object.entries(environment)),
  };
  return messageObstacle(question as CompileQuestion, [Buffer.alloc(0), Buffer.from(message)], look as Look, () => sent);
}

test("no message is no obstacle, wherever it would be shown", () => {
  assert.equal(obstacle("", { terminal: true, environment: { LANG: "de_DE.UTF-8" } }), undefined);
});

test("text and colours pass, what acts on a terminal does not", () => {
  for (const text of ["a.c:1: warning: x\n\tint y;\n", "\u001b[01;35m\u001b[Kwarning:\u001b[m\u001b[K x\n", "‘x’ is unused — é\n"])
    assert.equal(obstacle(text), undefined, text);
  for (const text of [
    "\u001b]0;title\u0007",
    "\u001b[2J",
    "\u001b[5A",
    "\u001bc",
    "a\rb",
    "a\bb",
    "\u009b2J",
    "\u0000",
    "\u001b]8;;http://x\u001b\\y",
  ])
    assert.equal(obstacle(text), "control characters", JSON.stringify(text));
});

test("messages that would look otherwise here are made here", () => {
  const large = { [ARCHIVE]: 300_000_000 };
  assert.equal(obstacle("x", { terminal: true }), "at a terminal");
  assert.equal(obstacle("x", { environment: { FORCE_COLOR: "1" } }), "FORCE_COLOR");
  for (const environment of [{ LANG: "de_DE.UTF-8" }, { LC_ALL: "en_US.ISO-8859-1" }, { LANG: "en_US.UTF-8", LANGUAGE: "fr" }])
    assert.equal(obstacle("x", { environment }), "in another language", JSON.stringify(environment));
  assert.equal(obstacle("x", { environment: { LANG: "en_US.UTF-8" }, files: large }), "in another language");
  assert.equal(
    obstacle("x", { environment: { LANG: "en_GB.UTF-8" }, files: { "/usr/share/locale/en_GB/LC_MESSAGES": 0 } }),
    "in another language",
  );
  assert.equal(obstacle("x", { environment: { LANG: "en_US.UTF-8" }, files: { [ARCHIVE]: 1 }, sent: false }), "in another language");
});

test("English, and the locale of C, are the same everywhere with the same files", () => {
  for (const environment of [{}, { LANG: "C" }, { LC_ALL: "POSIX", LANG: "de_DE.UTF-8" }, { LANG: "C.UTF-8" }, { LANG: "en_US.UTF-8" }])
    assert.equal(obstacle("x", { environment, files: { [ARCHIVE]: 1 } }), undefined, JSON.stringify(environment));
});
