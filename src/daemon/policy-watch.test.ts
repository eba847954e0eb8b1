import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { trustWorld } from "../../test/compliance/trust-world.ts";
import { type Digest, digestOf, silentLog } from "../base/index.ts";
import { PolicyWatch } from "./policy-watch.ts";

const { state } = trustWorld([1], 850);
const MANIFESTS = ["a", "b", "c"].map((name) => digestOf(name)).toSorted();

/** Lets it judge to the end; `failing` requests cannot be judged, and the shelf can be read so many times. */
async function judge({ failing = [], reads = 9 }: { failing?: readonly Digest[]; reads?: number }) {
  const kept = new Map([["judged-under", "speculative 0"]]);
  const judged: Digest[] = [];
  let left = reads;
  using watch = new PolicyWatch(
    {
      members: { state, onChange: () => undefined },
      kept: { setting: (name) => kept.get(name), set: (name, value) => void kept.set(name, value) },
      shelf: {
        manifestsToJudge: (after) => {
          if (left-- === 0) throw new Error("it cannot be read");
          return MANIFESTS.filter((manifest) => manifest > after).slice(0, 1);
        },
      },
      again: (manifest) => {
        if (failing.includes(manifest)) throw new Error("it cannot be judged");
        judged.push(manifest);
      },
      log: silentLog,
    },
    { policy: "team" },
  );
  watch.look();
  for (let turn = 0; turn < 20; turn++) await otherWork();
  return { judged, under: kept.get("judged-under") };
}

test("all that is here is judged again, one after the other, and only then counts as judged", async () => {
  assert.deepEqual(await judge({}), { judged: MANIFESTS, under: "team 0" });
});

test("where a request could not be judged, or the shelf not be read, it is to be done again; the others are judged", async () => {
  assert.deepEqual(await judge({ failing: MANIFESTS.slice(0, 1) }), { judged: MANIFESTS.slice(1), under: "speculative 0" });
  assert.deepEqual(await judge({ reads: 2 }), { judged: MANIFESTS.slice(0, 2), under: "speculative 0" });
});
