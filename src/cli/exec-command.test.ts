import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { CairnError, homeFrom } from "../base/index.ts";
import type { Context } from "./context.ts";
import type { Control } from "./control.ts";
import { exec } from "./exec-command.ts";
import { exitCodes } from "./troubles.ts";

type Follow = Control["follow"];

const OURS: ReadonlySet<string> = new Set(["shown", "ALL", "ran here\n", ""]);
const text = Buffer.from("shown").toString("base64");

/** A command that would print `ran here`, as its standard output has it, with a daemon that answers so. */
async function stage(follow: Follow, isTerminal: boolean): Promise<{ code: number | string; written: string; notes: string }> {
  const env = { PATH: process.env.PATH, CAIRN_HOME: "/nowhere" };
  const notes: string[] = [];
  const terminal = { note: (note: string) => void notes.push(note) } as unknown as Context["terminal"];
  const control: Control = {
    get: () => Promise.resolve({ pid: 1, version: "1" }),
    post: () => Promise.reject(new Error("not asked")),
    follow,
  };
  const context = { env, home: homeFrom(env, "/nowhere"), terminal, control, root: "/nowhere", cwd: tmpdir(), version: "1" };
  const written: string[] = [];
  const { isTTY } = process.stdout;
  const write = process.stdout.write.bind(process.stdout);
  // What the test runner says of itself goes on.
  process.stdout.write = (chunk: Uint8Array | string): boolean =>
    OURS.has(String(chunk)) ? written.push(String(chunk)) > 0 : write(chunk);
  process.stdout.isTTY = isTerminal;
  try {
    const code = await exec(context, ["sh", "-c", "echo ran here"], { sandbox: "auto", quiet: true }, new AbortController().signal).catch(
      (error: unknown) => (error instanceof CairnError ? error.code : String(error)),
    );
    return { code, written: written.join(""), notes: notes.join("\n") };
  } finally {
    process.stdout.write = write;
    process.stdout.isTTY = isTTY;
  }
}

function ending(why: string, lines: readonly unknown[]): Follow {
  return (_, __, told) => {
    lines.forEach(told);
    return Promise.reject(new CairnError("daemon-absent", { socket: "s", why, waitedMs: 0 }));
  };
}

const shown = { shown: "stdout", bytes: text };

test("a command is run here after the daemon has ended, where nothing would be written twice", async () => {
  const rows: [what: string, follow: Follow, isTerminal: boolean, code: number | string, written: string][] = [
    ["before anything was written", ending("closed", [{}]), false, 0, "ran here\n"],
    ["a terminal shows it again", ending("closed", [shown]), true, 0, "shownran here\n"],
    ["a file would have it twice", ending("closed", [shown]), false, "daemon-absent", "shown"],
    ["a silent daemon has not ended", ending("silent", []), true, "daemon-absent", ""],
  ];
  for (const [what, follow, isTerminal, code, written] of rows) {
    const told = await stage(follow, isTerminal);
    assert.deepEqual([told.code, told.written], [code, written], `${what}: ${told.notes}`);
  }
});

test("what a command took back is not written twice into a file, and that is no success", async () => {
  const all = Buffer.from("ALL").toString("base64");
  const follow: Follow = (_, __, told) => {
    told(shown);
    return Promise.resolve({ kind: "answered", exitCode: 0, stdout: all, stderr: "", takenBack: ["stdout"], missing: [] });
  };
  const [file, terminal] = [await stage(follow, false), await stage(follow, true)];
  assert.deepEqual([file.code, file.written], [exitCodes.failed, "shown"]);
  assert.match(file.notes, /took back/);
  assert.deepEqual([terminal.code, terminal.written, terminal.notes], [0, "shownALL", ""]);
});
