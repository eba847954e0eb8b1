import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "../base/index.ts";
import type { Verified } from "../flows/index.ts";
import { OwnTrustControls, type TrustControlsParts } from "./trust-controls.ts";

type Answer = (source: string, members: readonly string[]) => Pick<Verified, "here" | "members">;

const SAME = { here: { kind: "same" }, members: [] } as const;
const REFUSED = { kind: "not-executed", reason: "busy", detail: "" } as const;
const signal = new AbortController().signal;

/** Challenges a build of `count` sources, with two members, where that is what each leads to. */
async function challenged(count: number, answer: Answer): Promise<Record<string, unknown>> {
  const members = ["quick", "slow"].map((key) => ({ key, name: key, domain: key }));
  const parts = {
    index: {
      history: (source: string) => (source === "/build" ? undefined : { source, body: "{}" }),
      sourcesBelow: () => Array.from({ length: count }, (_, i) => `/build/${i}.c`),
    },
    flow: {
      catchUp: () => Promise.resolve(),
      verify: async ({ source }: { source: string }, asked: readonly string[]) => {
        await Promise.resolve();
        return { action: "a", source, ...answer(source, asked) };
      },
    },
    network: { challengers: () => Promise.resolve(members), voices: () => [] },
  } as unknown as TrustControlsParts;
  const controls = new OwnTrustControls(parts);
  return (await controls.verify({ file: "/build", action: "" }, true, () => undefined, signal)) as Record<string, unknown>;
}

test("what could not be executed is counted apart from what differs, and is told after it", async () => {
  const found = await challenged(1_002, (source) => {
    if (source === "/build/0.c") return SAME;
    return { here: source === "/build/1001.c" ? { kind: "differs", repeatable: true } : REFUSED, members: [] };
  });
  assert.deepEqual([found.confirmed, found.differs, found.notExecuted, found.notTold], [1, 1, 1_000, 501]);
  const [first] = found.told as { source: string }[];
  assert.equal(first?.source, "/build/1001.c");
});

test("what fails of one source leaves what was found of the others", async () => {
  const found = await challenged(9, (source) => {
    if (source === "/build/3.c") throw new Error("the disk is gone");
    if (source === "/build/4.c") throw new CairnError("not-found", { why: "changed", advice: "" });
    return SAME;
  });
  assert.deepEqual([found.confirmed, found.notExecuted, found.unknown], [7, 1, 1]);
  assert.match(JSON.stringify(found.told), /the disk is gone/);
});

test("a member that does not answer is not asked about the rest", async () => {
  for (const silence of [
    { isLate: true, kind: "differs", repeatable: undefined },
    { isLate: false, kind: "not-executed", reason: "lost", detail: "" },
    { isLate: false, kind: "not-executed", reason: "killed", detail: "wallMs" },
  ] as const) {
    let asked = 0;
    const found = await challenged(40, (_, members) => {
      const isAsked = members.includes("slow");
      if (isAsked) asked++;
      assert.ok(members.includes("quick"));
      return { here: { kind: "same" }, members: isAsked ? [{ member: "slow", ...silence }] : [] };
    });
    assert.equal(found.leftOut, 1);
    assert.ok(asked <= 8, `${asked} times`); // As many as are looked at abreast.
  }
});
