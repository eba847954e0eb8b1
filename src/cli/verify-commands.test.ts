import assert from "node:assert/strict";
import { test } from "node:test";
import { homeFrom } from "../base/index.ts";
import type { Context } from "./context.ts";
import type { Paint } from "./terminal.ts";
import { verify } from "./verify-commands.ts";

/** Each kind of text between marks that say what it is. */
const paint = {
  bold: String,
  dim: String,
  good: (text: string) => `good(${text})`,
  bad: (text: string) => `bad(${text})`,
  careful: (text: string) => `careful(${text})`,
} as unknown as Paint;

/** What people are shown when the daemon has found that of a build. */
async function shown(found: object): Promise<{ readonly code: number; readonly text: string }> {
  let text = "";
  const env = { CAIRN_HOME: "/nowhere" };
  const terminal = { paint, passing: () => undefined, out: (some: string) => void (text += some) } as unknown as Context["terminal"];
  const control: Context["control"] = {
    get: () => Promise.resolve({ pid: 1, version: "1" }),
    post: () => Promise.reject(new Error("not asked")),
    follow: () => Promise.resolve({ isOfMany: true, directory: "/build", results: 9, told: [], passed: [], ...found }),
  };
  const context = { env, home: homeFrom(env, "/nowhere"), terminal, control, root: "/nowhere", cwd: "/", version: "1" };
  const code = await verify(context, "/build", {}, new AbortController().signal);
  return { code, text };
}

test("of a build, what could not be executed is not said to be something else, nor to be well", async () => {
  const { code, text } = await shown({ confirmed: 7, differs: 0, notExecuted: 2, unknown: 0 });
  assert.deepEqual([code, text], [1, "/build: 9 results once more: good(7 the same), careful(2 not executed)"]);
  assert.equal((await shown({ confirmed: 9, differs: 0, notExecuted: 0, unknown: 0 })).code, 0);
});

test("of a build, it is said how many are not shown, and who was left out", async () => {
  const passed = Array.from({ length: 8 }, (_, i) => ({ source: String(i), why: `why ${i}` }));
  const { text } = await shown({ confirmed: 0, differs: 501, notExecuted: 0, notTold: 1, unknown: 8, passed, leftOut: 1 });
  assert.match(text, /^… 1 more\nwhy 0\n[^]*why 4\n… 3 more\n1 member did not answer, and was not asked about the rest\n.*bad\(501 not\)/);
});
