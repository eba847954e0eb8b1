/**
 * The overlay's parts by themselves: the order of members, the routing table, the lookup, and what is believed of addresses.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { isSigned, keyPairFromSeed } from "../trust/index.ts";
import { codec, seedOf } from "./network.fixture.ts";
import { AddressWords } from "./overlay-addresses.ts";
import { commonBits, compareDistance, idOfMember, spread } from "./overlay-ids.ts";
import { Lookup } from "./overlay-lookup.ts";
import { type Contact, RoutingTable } from "./overlay-table.ts";
import { placeOf } from "./scopes.ts";

const NETWORK = "ab".repeat(32);
const SELF = idOfMember(NETWORK, "self");

function contact(key: string, domain = "home"): Contact<string> {
  return { key, domain, id: idOfMember(NETWORK, key), addresses: [] };
}

/** Members by name, each in one of a few domains. */
const members = fc.uniqueArray(fc.record({ name: fc.nat(9_999), domain: fc.nat(4) }), { selector: ({ name }) => name, maxLength: 120 });

function contacts(all: readonly { readonly name: number; readonly domain: number }[]): Contact<string>[] {
  return all.map(({ name, domain }) => contact(`m${name}`, `d${domain}`));
}

function bigOf(id: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(id).toString("hex")}`);
}

test("distance is the exclusive or as a number; common bits are the first that are alike", () => {
  const id = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(id, id, id, (target, a, b) => {
      const [x, y] = [bigOf(a) ^ bigOf(target), bigOf(b) ^ bigOf(target)];
      assert.equal(Math.sign(compareDistance(target, a, b)), x < y ? -1 : x > y ? 1 : 0);
      assert.equal(commonBits(a, b), 256 - (bigOf(a) ^ bigOf(b)).toString(2).replace(/^0$/, "").length);
    }),
  );
});

test("the order is that of distance within a domain and where there is one; no domain has two places more than another that has members left", () => {
  fc.assert(
    fc.property(members, fc.nat(50), (all, most) => {
      const given = contacts(all);
      const byDistance = given.toSorted((a, b) => compareDistance(SELF, a.id, b.id));
      const order = spread(SELF, given);
      for (const domain of new Set(given.map((one) => one.domain)))
        assert.deepEqual(
          order.filter((one) => one.domain === domain),
          byDistance.filter((one) => one.domain === domain),
        );
      assert.deepEqual(
        spread(
          SELF,
          given.map((one) => ({ ...one, domain: "" })),
        ).map(({ key }) => key),
        byDistance.map(({ key }) => key),
      );
      const count = (list: readonly Contact<string>[], domain: string): number => list.filter((one) => one.domain === domain).length;
      const first = order.slice(0, most);
      for (const { domain: more } of first)
        for (const { domain: less } of order.slice(most)) assert.ok(count(first, more) <= count(first, less) + 1);
    }),
  );
});

test("a bucket holds no more than it may, who came first stays, and nobody is told of who did not answer", () => {
  fc.assert(
    fc.property(members, fc.array(fc.nat(119)), (all, silent) => {
      const table = new RoutingTable<string>(SELF, { bucket: 4, spares: 2 });
      const given = contacts(all);
      for (const one of given) table.heard(one);
      for (const at of silent) {
        const one = given[at];
        if (one !== undefined) table.failed(one.key);
      }
      const kept = table.nearest(SELF, 1_000);
      const perBucket = Map.groupBy(kept, ({ id }) => commonBits(SELF, id));
      for (const bucket of perBucket.values()) assert.ok(bucket.length <= 4);
      const failed = new Set(silent.map((at) => given[at]?.key));
      if (kept.some(({ key }) => !failed.has(key))) assert.ok(kept.every(({ key }) => !failed.has(key)));
      table.retain((key) => key.endsWith("1"));
      assert.ok(table.nearest(SELF, 1_000).every(({ key }) => key.endsWith("1")));
    }),
  );
});

/** Members whose ids have exactly so many first bits in common with this node's. */
function beside(bits: number, count: number, domain: string): Contact<string>[] {
  const found: Contact<string>[] = [];
  for (let at = 0; found.length < count; at++) {
    const one = contact(`${domain}-${at}`, domain);
    if (commonBits(SELF, one.id) === bits) found.push(one);
  }
  return found;
}

test("one domain does not own a bucket, however many come and whoever was first", () => {
  const table = new RoutingTable<string>(SELF, { bucket: 4, spares: 2 });
  for (const one of [...beside(0, 20, "liars"), ...beside(0, 2, "a"), ...beside(0, 2, "b"), ...beside(0, 20, "more")]) table.heard(one);
  const domains = table.nearest(SELF, 10).map(({ domain }) => domain);
  assert.deepEqual(domains.toSorted(), ["a", "b", "liars", "more"]);
});

test("a contact that fell silent makes room, comes back when it is heard again, and stays while there is nobody else", () => {
  const table = new RoutingTable<string>(SELF, { bucket: 2, spares: 1 });
  const [one, two, three] = beside(0, 3, "home");
  assert.ok(one && two && three);
  const keys = (): string[] => table.nearest(SELF, 10).map(({ key }) => key);
  table.heard(one);
  table.failed(one.key);
  assert.deepEqual(keys(), [one.key], "perhaps it is this node that is cut off");
  table.heard(two);
  assert.deepEqual(keys(), [two.key]);
  table.heard(one);
  assert.deepEqual(keys().toSorted(), [one.key, two.key].toSorted());
  table.heard(three);
  assert.ok(!keys().includes(three.key));
  table.failed(one.key);
  assert.deepEqual(keys().toSorted(), [three.key, two.key].toSorted());
});

const OPTIONS = { replicas: 4, parallel: 2, questions: 30, candidates: 200 };

/** Runs a lookup among members who know some of each other, a few of whom do not answer. */
function look(
  all: readonly Contact<string>[],
  knows: (key: string) => readonly Contact<string>[],
  silent: ReadonlySet<string>,
): Lookup<string> {
  const lookup = new Lookup(SELF, all.slice(0, 2), OPTIONS);
  for (let asked = lookup.next(); asked.length > 0; asked = lookup.next())
    for (const { key } of asked) {
      if (silent.has(key)) lookup.failed(key);
      else lookup.answered(key, knows(key));
    }
  assert.ok(lookup.isOver);
  return lookup;
}

test("a lookup ends, asks nobody twice and no more than it may, and finds the first in order where everybody knows everybody", () => {
  fc.assert(
    fc.property(members, fc.array(fc.nat(119), { maxLength: 10 }), (all, silentAt) => {
      const given = contacts(all);
      const silent = new Set(silentAt.flatMap((at) => (at < 2 ? [] : (given[at]?.key ?? []))));
      const asked: string[] = [];
      const lookup = look(
        given,
        (key) => {
          asked.push(key);
          return spread(SELF, given);
        },
        silent,
      );
      assert.equal(new Set(asked).size, asked.length);
      assert.ok(lookup.questions <= OPTIONS.questions);
      const answering = given.filter(({ key }) => !silent.has(key));
      assert.deepEqual(
        lookup.found().map(({ key }) => key),
        spread(SELF, answering)
          .slice(0, OPTIONS.replicas)
          .map(({ key }) => key),
      );
    }),
  );
});

test("who is late does not keep others from being asked, and still counts when it answers", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((key) => contact(key));
  assert.ok(a && b && c && d);
  const lookup = new Lookup(SELF, [a, b, c], { ...OPTIONS, parallel: 1 });
  const [first] = lookup.next();
  assert.ok(first);
  assert.deepEqual(lookup.next(), []);
  lookup.late(first.key);
  assert.equal(lookup.next().length, 1);
  assert.equal(lookup.isOver, false);
  assert.equal(lookup.answered(first.key, [d]), true);
  assert.equal(lookup.answered(first.key, [d]), false, "once");
  assert.equal(lookup.answered("nobody", [d]), false);
  assert.equal(lookup.hops("d"), 2);
});

const NOW = Date.UTC(2030, 1, 1);
const NEAR = placeOf("/ip4/127.0.0.1/tcp/5000", []);
const FAR = placeOf("/ip4/8.8.8.8/tcp/5000", []);

function words(number: number, listening: () => readonly string[], clock: () => number = () => NOW): AddressWords {
  const keys = keyPairFromSeed(seedOf(number));
  return new AddressWords({
    network: NETWORK,
    self: keys.publicKey,
    codec,
    listening,
    isMember: (key) => key !== keyPairFromSeed(seedOf(9)).publicKey,
    sign: (body) => keys.sign("cairn overlay addresses 1", body),
    isSigned: (key, body, signature) => isSigned(key, "cairn overlay addresses 1", body, signature),
    wallClock: clock,
  });
}

const MIXED = ["/ip4/127.0.0.1/tcp/1", "/ip4/192.168.1.2/tcp/1", "/ip4/10.0.0.2/tcp/1", "/ip4/9.9.9.9/tcp/1", "/dns4/a.example/tcp/1"];

test("a member's addresses go only where they work, and only its own words are believed there", () => {
  const author = words(1, () => MIXED);
  const reader = words(2, () => []);
  const said = author.own();
  assert.deepEqual(
    said.map(({ addresses }) => addresses),
    [MIXED.slice(0, 1), MIXED.slice(1, 2), MIXED.slice(2, 3), MIXED.slice(3)],
  );
  assert.deepEqual(
    author.tellable(said, FAR, false).map(({ addresses }) => addresses),
    [MIXED.slice(3)],
  );
  const all = said.map(({ bytes }) => bytes);
  const read = (bytes: readonly Uint8Array[], place = NEAR): string[] =>
    reader.read(bytes, place).flatMap(({ addresses }) => addresses.flatMap((one) => one.addresses));
  assert.deepEqual(read(all), MIXED);
  assert.deepEqual(read(all, FAR), MIXED.slice(3), "what somebody far away tells of a private address is not believed");
  assert.deepEqual(author.read(all, NEAR), [], "a node learns nothing of itself");
  assert.deepEqual(
    read(
      words(9, () => MIXED)
        .own()
        .map(({ bytes }) => bytes),
    ),
    [],
    "who is no member is nobody",
  );
  const [first] = all;
  assert.ok(first);
  const { body } = codec.decodeSignedAddresses(first);
  assert.deepEqual(read([codec.encodeSignedAddresses({ body, signature: new Uint8Array(64) })]), [], "forged");
  assert.throws(() => read([first.subarray(1)]), /frame-invalid/);
});

test("words hold for a day, clocks an hour wrong included, and are said anew before and when addresses change", () => {
  let now = NOW;
  let listening = MIXED.slice(0, 1);
  const author = words(
    1,
    () => listening,
    () => now,
  );
  const [said] = author.own();
  assert.ok(said);
  const isBelieved = (at: number): boolean =>
    words(
      2,
      () => [],
      () => at,
    ).read([said.bytes], NEAR).length === 1;
  const { recordMs, renewMs } = limits.overlay;
  assert.deepEqual(
    [-limits.clockErrorMs, 1 - limits.clockErrorMs, 0, recordMs, recordMs + limits.clockErrorMs].map((after) => isBelieved(NOW + after)),
    [false, true, true, true, false],
  );
  now += renewMs - 1;
  assert.equal(author.own()[0], said);
  now += 1;
  assert.notEqual(author.own()[0], said);
  listening = MIXED.slice(1, 2);
  assert.deepEqual(author.own()[0]?.addresses, MIXED.slice(1, 2));
});
