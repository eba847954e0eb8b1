import assert from "node:assert/strict";
import { test } from "node:test";
import { attestationId, digestOf, LAST_BOUND, limits } from "../base/index.ts";
import type { KnownAttestation } from "../contracts/index.ts";
import { KnownAttestations } from "./known-attestations.ts";
import { openStore } from "./store.fixture.ts";

function made(signer: string, atMs: number): KnownAttestation {
  const bytes = Buffer.from(`${signer} ${atMs}`);
  return {
    id: attestationId(atMs, `${signer} ${atMs}`, new Uint8Array(0)),
    signer: digestOf(signer),
    manifest: digestOf(bytes),
    action: digestOf(bytes),
    bytes,
  };
}

function kept(set: KnownAttestations): string[] {
  return set.ids.list("", LAST_BOUND);
}

test("what was kept is there after a restart, in its bounds, and byte for byte", async () => {
  await using opened = openStore();
  const bounds = { most: 30, perSigner: 20 };
  const set = await KnownAttestations.open(opened, bounds);
  const all = ["a", "b", "c"].flatMap((signer) => Array.from({ length: 25 }, (_, i) => made(signer, 1_000 + i)));
  assert.equal(set.add(all), 30);
  assert.equal(set.add(all.filter(({ id }) => set.ids.has(id))), 0);
  const ids = kept(set);
  assert.equal(ids.length, 30);
  await opened.reopen();
  const again = await KnownAttestations.open(opened, bounds);
  assert.deepEqual(kept(again), ids);
  const expected = all.filter(({ id }) => ids.includes(id)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  assert.deepEqual(
    again.bodies(ids).map((bytes) => Buffer.from(bytes)),
    expected.map(({ bytes }) => bytes),
  );
  assert.deepEqual(again.bodies([made("z", 1).id]), []);
});

test("of those who are no members any more nothing stays", async () => {
  await using opened = openStore();
  const set = await KnownAttestations.open(opened);
  set.add(["a", "b"].flatMap((signer) => Array.from({ length: 600 }, (_, i) => made(signer, i))));
  await set.keepOnly(new Set([digestOf("b")]), AbortSignal.timeout(10_000));
  assert.equal(set.ids.size, 600);
  await opened.reopen();
  const again = await KnownAttestations.open(opened);
  assert.equal(again.ids.size, 600);
  assert.ok(again.ids.has(made("b", 5).id) && !again.ids.has(made("a", 5).id));
});

test("what is damaged on the disk is not told to others, and may come again", async () => {
  await using opened = openStore();
  const set = await KnownAttestations.open(opened);
  const [one, other] = [made("a", 1), made("a", 2)];
  set.add([one, other]);
  opened.database.prepare("UPDATE attestation_set SET body = ? WHERE id = ?").run(Buffer.from("b 1"), Buffer.from(one.id, "hex"));
  assert.deepEqual(
    set.bodies([one.id, other.id]).map((bytes) => Buffer.from(bytes)),
    [other.bytes],
  );
  assert.ok(!set.ids.has(one.id));
  assert.equal(set.add([one]), 1);
  assert.equal(set.bodies([one.id]).length, 1);
});

test("of an action, what each signer has attested last can be had, and nothing that is damaged", async () => {
  await using opened = openStore();
  const set = await KnownAttestations.open(opened);
  const action = digestOf("action");
  const many = Array.from({ length: 70 }, (_, i) => ({ ...made("a", 1_000 + i), action }));
  const [first, second] = ["b", "c"].map((signer) => ({ ...made(signer, 1), action }));
  assert.ok(first !== undefined && second !== undefined);
  set.add([...many, first, second, made("a", 5_000)]);
  opened.database.prepare("UPDATE attestation_set SET body = ? WHERE id = ?").run(Buffer.from("z 1"), Buffer.from(second.id, "hex"));
  const texts = set.of(action, (signer) => signer).map((bytes) => Buffer.from(bytes).toString());
  assert.deepEqual(
    texts.toSorted(),
    [...many.slice(-limits.trust.knownPerSigner), first].map(({ bytes }) => Buffer.from(bytes).toString()).toSorted(),
  );
});

test("however many machines speak for one domain, and whatever their keys, the others are heard", async () => {
  await using opened = openStore();
  const set = await KnownAttestations.open(opened);
  const action = digestOf("action");
  const crowd = Array.from({ length: 200 }, (_, i) => `machine ${i}`);
  const loud = crowd.flatMap((signer) => Array.from({ length: 10 }, (_, i) => ({ ...made(signer, 5_000 + i), action })));
  const quiet = ["self", "sister"].map((signer) => ({ ...made(signer, 1), action }));
  set.add([...loud, ...quiet]);
  const inCrowd = new Set(crowd.map((signer) => digestOf(signer)));
  const heard = set.of(action, (signer) => (inCrowd.has(signer) ? "crowd" : signer)).map((bytes) => Buffer.from(bytes).toString());
  assert.ok(heard.includes("self 1") && heard.includes("sister 1"));
  assert.equal(heard.length, limits.trust.knownPerGroup + 2);
  const foreign = set.of(action, (signer) => (inCrowd.has(signer) ? undefined : signer));
  assert.equal(foreign.length, 2, "who has no voice is not heard");
});

test("who has signed results of a request, whatever they are", async () => {
  await using opened = openStore();
  const set = await KnownAttestations.open(opened);
  const manifest = digestOf("request");
  set.add([...["a", "a", "b"].map((signer, at) => ({ ...made(signer, at), manifest })), made("c", 9)]);
  assert.deepEqual(set.signersOf(manifest).toSorted(), [digestOf("a"), digestOf("b")].toSorted());
  assert.deepEqual(set.signersOf(digestOf("another")), []);
});
