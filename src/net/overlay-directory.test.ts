/**
 * Who has what by the overlay: what is kept of what members tell, and that what one provides another one finds.
 */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { OverlayDirectory } from "./overlay-directory.ts";
import { idOfMember } from "./overlay-ids.ts";
import { OverlayNode } from "./overlay-node.ts";
import { ProviderRecords } from "./overlay-providers.ts";
import { prefixOf } from "./share-prefixes.ts";

const NETWORK = "ab".repeat(32);
const { provided, providedMs, providedPerMember, providersAtOnce } = limits.overlay;

function manifest(number: number): string {
  return hash("sha256", `manifest ${number}`);
}

function range(from: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, at) => BigInt(from + at));
}

test("records are as many as were told, by whom they were told, until they are not told again", () => {
  const told = fc.array(fc.record({ key: fc.nat(4), prefix: fc.bigInt(0n, 20n), at: fc.nat(3) }), { maxLength: 60 });
  fc.assert(
    fc.property(told, (all) => {
      const records = new ProviderRecords();
      const inOrder = all.toSorted((a, b) => a.at - b.at);
      const until = new Map<string, number>();
      for (const { key, prefix, at } of inOrder) {
        const now = (at * providedMs) / 2;
        records.add(`k${key}`, [prefix], now);
        until.set(`k${key} ${prefix}`, now + providedMs);
      }
      const now = 1.5 * providedMs;
      records.review(() => true, now);
      const left = [...until].filter(([, end]) => end > now).map(([what]) => what);
      assert.equal(records.size, left.length);
      const found = records.providers(range(0, 21), now).flatMap(({ key, manifests }) => manifests.map((prefix) => `${key} ${prefix}`));
      assert.deepEqual(found.toSorted(), left.toSorted());
      records.review((key) => key !== "k1", now);
      assert.ok(!records.providers(range(0, 21), now).some(({ key }) => key === "k1"));
    }),
  );
});

test("nobody fills the records: its own go first, and those of who has most when there are too many of all", () => {
  const records = new ProviderRecords();
  records.add("small", range(0, 10), 0);
  records.add("flood", range(1_000, 2 * providedPerMember), 0);
  assert.equal(records.size, providedPerMember + 10);
  const others = Math.ceil(provided / providedPerMember);
  for (let other = 0; other < others; other++) records.add(`other-${other}`, range(100_000, providedPerMember), 0);
  assert.equal(records.size, provided);
  const [first] = records.providers(range(0, 10), 0);
  assert.deepEqual(first, { key: "small", manifests: range(0, 10) });
  assert.ok(records.providers(range(100_000, 100), 0).length <= providersAtOnce);
});

interface Machine {
  readonly key: string;
  readonly directory: OverlayDirectory<string>;
  readonly called: string[];
  asked: number;
}

/** Machines that know each other as they would after a while, all of one network, with a clock of their own. */
function machines(count: number, now: () => number, manifestsOf: (key: string) => readonly string[]): Machine[] {
  const nodes = new Map<string, { readonly overlay: OverlayNode<string>; readonly records: ProviderRecords; readonly machine: Machine }>();
  for (let at = 0; at < count; at++) {
    const key = `m${at}`;
    const overlay = new OverlayNode<string>({
      self: key,
      idOf: (one) => idOfMember(NETWORK, one),
      domainOf: (one) => `d${Number(one.slice(1)) % 10}`,
      isMember: () => true,
      ask: (contact, { target, wanted, provided: told }, done) => {
        const node = nodes.get(contact.key);
        machine.asked += 1;
        node?.records.add(key, told, now());
        queueMicrotask(() =>
          done(node && { known: node.overlay.answer(key, target, () => true), providers: node.records.providers(wanted, now()) }),
        );
      },
      after: () => undefined,
      random: () => 0.5,
    });
    const called: string[] = [];
    const parts = { node: overlay, network: NETWORK, manifests: () => manifestsOf(key), isLinked: () => false, now };
    const directory = new OverlayDirectory({ ...parts, call: (to) => void called.push(to), log: { event: () => undefined } });
    const machine: Machine = { key, directory, called, asked: 0 };
    nodes.set(key, { overlay, records: new ProviderRecords(), machine });
  }
  for (const { overlay } of nodes.values()) for (const key of nodes.keys()) overlay.heard({ key, addresses: ["somewhere"] });
  return [...nodes.values()].map(({ machine }) => machine);
}

/** Lets everybody tell and ask what waits. */
async function settle(all: readonly Machine[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const { directory } of all) directory.look();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("who misses something is led to the member that has most of it, with few questions; who misses what nobody has to nobody", async () => {
  let now = 0;
  const has = (key: string): string[] =>
    key === "m1" ? Array.from({ length: 300 }, (_, at) => manifest(at)) : key === "m2" ? [manifest(0)] : [];
  const all = machines(60, () => now, has);
  await settle(all, 1);
  now += limits.overlay.provideLingerMs;
  await settle(all, 200);

  const [misses, vain] = [all[7], all[8]];
  assert.ok(misses && vain);
  const before = misses.asked;
  for (let at = 0; at < 20; at++) misses.directory.want(manifest(at));
  for (let at = 1_000; at < 1_020; at++) vain.directory.want(manifest(at));
  await settle([misses, vain], 100);
  assert.equal(misses.called[0], "m1");
  assert.ok(misses.asked - before <= 20 * limits.overlay.lookup.questions && misses.asked > before);
  assert.deepEqual(vain.called, []);

  const asked = vain.asked;
  vain.directory.want(manifest(1_000));
  await settle([vain], 10);
  assert.equal(vain.asked, asked, "not again so soon");
});

test("what is told is for a part of all manifests, which its first bits tell", async () => {
  let now = 0;
  const all = machines(
    20,
    () => now,
    () => [],
  );
  const [one, other] = all;
  assert.ok(one && other);
  one.directory.provide([manifest(1)]);
  now += limits.overlay.provideLingerMs;
  await settle(all, 5);
  const same = Array.from({ length: 5_000 }, (_, at) => manifest(at)).find(
    (each) => each !== manifest(1) && prefixOf(each) >> 58n === prefixOf(manifest(1)) >> 58n,
  );
  assert.ok(same !== undefined);
  other.directory.want(same);
  await settle(all, 5);
  assert.deepEqual(other.called, []);
  other.directory.want(manifest(1));
  await settle(all, 5);
  assert.deepEqual(other.called, ["m0"]);
});
