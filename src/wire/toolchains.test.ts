/** Questions about toolchains and their answers, as bytes and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError, limits } from "../base/index.ts";
import type { ToolchainOffer } from "../contracts/index.ts";
import { decodeToolchainAnswer, decodeToolchainQuestion, encodeToolchainAnswer, encodeToolchainQuestion } from "./toolchains.ts";

const OFFER: ToolchainOffer = {
  root: "12".repeat(32),
  bytes: 149_386_024,
  family: "clang",
  version: "19.1.7",
  target: "x86_64-pc-linux-gnu",
  platform: "linux-x86_64",
  compiler: "/usr/bin/clang++-19",
};

test("a question and its answer are read as they were written", () => {
  for (const root of [{}, { root: "cd".repeat(32) }]) {
    const question = { digest: "ab".repeat(32), pack: "root" in root, ...root };
    assert.deepEqual(decodeToolchainQuestion(encodeToolchainQuestion(question)), question);
  }
  for (const offer of [OFFER, undefined]) assert.deepEqual(decodeToolchainAnswer(encodeToolchainAnswer(offer)), offer);
});

const strange: readonly { readonly name: string; readonly offer: Partial<Record<keyof ToolchainOffer, unknown>> }[] = [
  { name: "a root that is no digest", offer: { root: "12" } },
  { name: "more bytes than are taken", offer: { bytes: limits.toolchains.bytes + 1 } },
  { name: "another family", offer: { family: "tcc" } },
  { name: "a version that a terminal would obey", offer: { version: "12\u001b[2J" } },
  { name: "a platform without end", offer: { platform: "x".repeat(limits.toolchains.textBytes + 1) } },
  { name: "a driver that is no path", offer: { compiler: "gcc" } },
  { name: "a driver with a line of its own", offer: { compiler: "/usr/bin/gcc\n/etc/passwd" } },
];
for (const { name, offer } of strange) {
  test(`not taken: ${name}`, () => {
    const bytes = encodeToolchainAnswer({ ...OFFER, ...offer } as ToolchainOffer);
    assert.throws(() => decodeToolchainAnswer(bytes), CairnError);
  });
}
