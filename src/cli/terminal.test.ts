import assert from "node:assert/strict";
import { test } from "node:test";
import type { Environment } from "../base/index.ts";
import { openTerminal } from "./terminal.ts";

/** What comes of a coloured answer and a coloured remark, where these streams are terminals. */
function written(outIsTty: boolean, errIsTty: boolean, env: Environment = {}): string[] {
  const texts: string[] = [];
  const stream = (isTTY: boolean): { isTTY: boolean; write: (text: string) => void } => ({ isTTY, write: (text) => void texts.push(text) });
  const terminal = openTerminal(stream(outIsTty), stream(errIsTty), env);
  terminal.out(terminal.paint.good("a"));
  terminal.note(terminal.paint.bad("b"));
  return texts;
}

test("colours go to terminals alone, and where they are asked for", () => {
  const [green, red] = ["\u001b[32ma\u001b[39m\n", "\u001b[31mb\u001b[39m\n"];
  assert.deepEqual(written(true, true), [green, red]);
  assert.deepEqual(written(true, false), [green, "b\n"], "remarks that go to a file");
  assert.deepEqual(written(false, true), ["a\n", "b\n"]);
  assert.deepEqual(written(true, true, { NO_COLOR: "1" }), ["a\n", "b\n"]);
  assert.deepEqual(written(true, true, { TERM: "dumb" }), ["a\n", "b\n"]);
  assert.deepEqual(written(false, false, { FORCE_COLOR: "1" }), [green, red]);
});
