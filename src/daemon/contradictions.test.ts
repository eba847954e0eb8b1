import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { executed, sharedBy, trustWorld } from "../../test/compliance/trust-world.ts";
import { digestOf, silentLog } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { Contradictions } from "./contradictions.ts";

const world = trustWorld([1, 1, 1], 800);
const [self, one, other] = world.signers.flat();
assert.ok(self !== undefined && one !== undefined && other !== undefined);

test("what nobody believable vouches for any more is forgotten, once for each action; what was executed here stays", async () => {
  const of = (what: string, signer: typeof self): SharedResult => sharedBy(world.state.network, signer, executed(what, "x"));
  const shelf = [
    of("own", self),
    of("own", one),
    of("believed", one),
    of("believed", other),
    of("doubted", one),
    of("doubted", other),
    of("asked", one),
  ];
  const [forgotten, marked] = [[] as string[], [] as string[]];
  const believed = executed("believed", "x").entry.action;
  using contradictions = new Contradictions({
    shelf: { results: (manifest) => shelf.filter(({ manifest: of, entry }) => of === manifest && !forgotten.includes(entry.action)) },
    recalls: {
      begin: (kind, manifests) => void marked.push(`${kind} begun: ${manifests.length}`),
      takeBack: (action) => void forgotten.push(action),
      end: (kind, manifests) => void marked.push(`${kind} ended: ${manifests.length} after ${forgotten.length}`),
      left: () => [],
    },
    isBelieved: ({ entry, execution }) => entry.action === believed && execution.signer === other.attestationKey,
    isAskedFor: ({ entry }) => entry.action === executed("asked", "x").entry.action,
    self: self.attestationKey,
    log: silentLog,
  });
  const manifests = [...new Set(shelf.map(({ manifest }) => manifest)), digestOf("unknown")];
  contradictions.expect(manifests);
  void contradictions.look(manifests);
  assert.deepEqual(forgotten, [], "nobody waits for it");
  for (let i = 0; i < 10; i++) await otherWork();
  assert.deepEqual(forgotten, [executed("doubted", "x").entry.action]);
  assert.deepEqual(marked, [`request begun: ${manifests.length}`, `request ended: ${manifests.length} after 1`]);
});

/** Requests whose marks are written down, and how often each was looked at. */
function marking(left: readonly string[] = [], shelf: readonly SharedResult[] = []) {
  const [marks, looked] = [new Set(left), [] as string[]];
  const during: { again: (manifest: string) => void } = { again: () => undefined };
  const contradictions = new Contradictions({
    shelf: {
      results: (manifest) => {
        looked.push(manifest);
        during.again(manifest);
        return [...shelf];
      },
    },
    recalls: {
      begin: (_, manifests) => manifests.forEach((one) => void marks.add(one)),
      takeBack: () => undefined,
      end: (_, manifests) => manifests.forEach((one) => void marks.delete(one)),
      left: () => left,
    },
    isBelieved: () => false,
    isAskedFor: () => false,
    self: "",
    log: silentLog,
  });
  return { contradictions, marks, looked, during };
}

test("what comes while a request is looked at keeps its mark until it was looked at again; what was not marked is not ended", async () => {
  const { contradictions, marks, looked, during } = marking();
  using _ = contradictions;
  const marksAtLook: boolean[] = [];
  during.again = (manifest) => {
    marksAtLook.push(marks.has(manifest));
    if (looked.length > 1) return;
    contradictions.expect([manifest]);
    void contradictions.look([manifest]);
  };
  contradictions.expect(["one"]);
  await contradictions.look(["one"]);
  assert.deepEqual([looked, marksAtLook, [...marks]], [["one", "one"], [true, true], []]);
});

test("what could not be forgotten keeps its mark", async () => {
  const shared = sharedBy(world.state.network, one, executed("kept", "x"));
  const { contradictions, marks } = marking([], [shared]);
  using _ = contradictions;
  contradictions.expect([shared.manifest]);
  await contradictions.look([shared.manifest]);
  assert.deepEqual([...marks], [shared.manifest]);
});

test("a daemon that ends looks at what waits, and one that begins at what was left", async () => {
  const ending = marking();
  ending.contradictions.expect(["one"]);
  void ending.contradictions.look(["one", "not marked"]);
  ending.contradictions[Symbol.dispose]();
  assert.deepEqual([ending.looked, [...ending.marks]], [["one"], []]);
  const next = marking(["left"]);
  await next.contradictions.lookAtLeft();
  assert.deepEqual([next.looked, [...next.marks]], [["left"], []]);
});
