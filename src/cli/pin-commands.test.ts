import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError, homeFrom } from "../base/index.ts";
import type { Context } from "./context.ts";
import { pin } from "./pin-commands.ts";
import { openTerminal } from "./terminal.ts";

const PINNED = { name: "main.c", kind: "file", root: "ab".repeat(32), blobs: 1 };

/** @param status what the daemon answers once everything is pinned @returns the command's code, what it printed, and how often it asked then */
async function pinned(status: () => Promise<unknown>, options = {}): Promise<{ code: number; out: string; notes: string; asked: number }> {
  let [out, notes, asked, isPinned] = ["", "", 0, false];
  const env = { CAIRN_HOME: "/nowhere" };
  const terminal = openTerminal({ write: (text: string) => void (out += text) }, { write: (text: string) => void (notes += text) }, {});
  const control: Context["control"] = {
    get: () => {
      if (!isPinned) return Promise.resolve({ pid: 1, version: "1" });
      asked++;
      return status();
    },
    post: () => Promise.reject(new Error("not asked")),
    follow: () => {
      isPinned = true;
      return Promise.resolve(PINNED);
    },
  };
  const context = { env, home: homeFrom(env, "/nowhere"), terminal, control, root: "/nowhere", cwd: "/", version: "1" };
  const code = await pin(context, ["main.c"], options, new AbortController().signal);
  return { code, out, notes, asked };
}

const inNetwork = () => Promise.resolve({ network: { name: "team" } });
const silent = () => Promise.reject(new CairnError("daemon-absent", { why: "silent" }));

test("who is in a network is told that members keep copies", async () => {
  const { code, out, notes } = await pinned(inNetwork);
  assert.equal(code, 0);
  assert.match(out, /^pinned {2}main\.c {2}file abab/);
  assert.match(notes, /members .* fetch copies/);
  assert.doesNotMatch((await pinned(() => Promise.resolve({}))).notes, /copies/, "no network");
});

test("what was pinned is pinned, whatever becomes of the daemon then; and programs are told nothing beside", async () => {
  const { code, out, notes, asked } = await pinned(silent);
  assert.deepEqual([code, notes, asked], [0, "", 1]);
  assert.match(out, /^pinned {2}main\.c/);
  const forPrograms = await pinned(silent, { json: true });
  assert.deepEqual([forPrograms.code, forPrograms.asked, JSON.parse(forPrograms.out)], [0, 0, { pinned: [PINNED] }]);
});
