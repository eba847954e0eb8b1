/**
 * Names that are one member's, among machines that meet or do not: claimed, handed on, published, and read, while members are put out, epochs are
 * decided on both sides of a partition, and whoever was away goes on with what it knew.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, type NameRecord, type NameToken, type SignedName } from "../base/index.ts";
import { latestOf } from "./claims.ts";
import { electorateOf } from "./electorate.ts";
import { admit, agree, copyOf, found, type Machine, machine, START } from "./membership.fixture.ts";
import type { Membership } from "./membership.ts";
import { claimedSaid, type Fence, Fences, isClaimed } from "./names.ts";
import { nameHolder } from "./state.ts";

const NAMES = ["release", "main"] as const;
type Name = (typeof NAMES)[number];

interface Node extends Machine {
  readonly replica: Membership;
  readonly fences: Fences;
  readonly records: Set<SignedName>;
  /** The token of what it has taken last. */
  readonly taken: Map<Name, Fence>;
}

interface World {
  readonly nodes: readonly Node[];
  /** By name and token, whose publication somebody has taken. */
  readonly owners: Map<string, string>;
  /** By machine and epoch before, what it has voted for. */
  readonly votes: Map<string, string>;
  readonly isLarge: boolean;
}

/** What happened at all, so that nothing holds because nothing was tried. */
const seen = { taken: 0, stale: 0, fenced: 0, replaced: 0, handed: 0 };

/** Two domains, of which the first has three admins; or four of one machine each, which agree. */
function worldOf(isLarge: boolean): World {
  const machines = [1, 2, 3, 4].map((number) => machine(number));
  const [founder = machine(1), second = machine(2), third = machine(3), other = machine(4)] = machines;
  const network = found(founder, "home", { hasTrial: true, isUnanimous: true });
  for (const [at, guest] of [second, third, other].entries()) {
    const domain = isLarge || guest === other ? `d${at}` : undefined;
    if (domain !== undefined) network.issue(founder.keys, { kind: "domain", name: domain }, START);
    admit(network, founder, guest, at + 1, domain);
  }
  agree(network, machines);
  assert.equal(network.decided?.council.speakers.size, isLarge ? 4 : 2);
  const nodes = machines.map((one) => ({
    ...one,
    replica: copyOf(network),
    fences: new Fences(),
    records: new Set<SignedName>(),
    taken: new Map<Name, Fence>(),
  }));
  return { nodes, owners: new Map(), votes: new Map(), isLarge };
}

const step = fc.record({
  act: fc.oneof(
    { weight: 8, arbitrary: fc.constant("meet" as const) },
    { weight: 6, arbitrary: fc.constant("give" as const) },
    { weight: 15, arbitrary: fc.constantFrom("decide" as const, "publish" as const, "read" as const) },
    { weight: 2, arbitrary: fc.constant("accept" as const) },
    { weight: 2, arbitrary: fc.constantFrom("copy" as const, "revoke" as const) },
  ),
  who: fc.nat(3),
  other: fc.nat(3),
  /** Who can reach each other, a bit for each. */
  group: fc.constantFrom(3, 5, 9, 6, 10, 12, 7, 11, 13, 14, 15),
  name: fc.constantFrom(...NAMES),
  /** 4 is nobody. */
  to: fc.nat(4),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function play(world: World, { act, who, other, group, name, to }: Step): void {
  if (act === "meet") meetAll(world, group);
  else if (act === "give") give(world, who, name, to);
  else if (act === "decide") decide(world, who, group);
  else if (act === "publish") publish(world, name);
  else if (act === "read") readAll(world, name);
  else if (act === "accept") acceptAll(world, who);
  else if (act === "copy") copyToken(world, who, other, name);
  else revoke(world, who, other);
}

function at({ nodes }: World, number: number): Node {
  return nodes[number] ?? assert.fail("there is such a node");
}

/** To itself, to another one, or to nobody. */
function give(world: World, who: number, name: Name, to: number): void {
  const { replica, keys } = at(world, who);
  const after = replica.intended && latestOf(replica.intended.claims, name);
  if (after === undefined) return;
  const owner = world.nodes[to]?.keys.publicKey;
  const isHanded = replica.issue(keys, { kind: "claim", name, owner, after }, START).kind === "issued" && owner !== keys.publicKey;
  if (isHanded) seen.handed++;
}

function acceptAll(world: World, who: number): void {
  const { replica, keys } = at(world, who);
  for (const statement of replica.intended?.proposals.keys() ?? []) replica.issue(keys, { kind: "accept", statement }, START);
}

/** In the large network with those of a group that are where this node is; nobody votes for two epochs in one place. */
function decide(world: World, who: number, group: number): void {
  const node = at(world, who);
  const before = node.replica.decided;
  if (before === undefined) return;
  if (!world.isLarge) node.replica.decide(node.keys, START);
  else {
    const epoch = node.replica.propose(node.keys, START);
    const isThere = (one: Node): boolean => one.replica.decided?.epoch.id === before.epoch.id;
    const place = (one: Node): string => `${one.keys.publicKey} ${before.epoch.id}`;
    const isFree = (one: Node): boolean => (world.votes.get(place(one)) ?? epoch?.id) === epoch?.id;
    const voters = world.nodes.filter((one, index) => (one === node || (group >> index) & 1) && isThere(one) && isFree(one));
    const voices = electorateOf(before)?.voices.filter(({ key }) => voters.some(({ keys }) => keys.publicKey === key)).length ?? 0;
    if (epoch === undefined || voices < (electorateOf(before)?.quorum ?? Number.POSITIVE_INFINITY)) return;
    for (const one of voters) world.votes.set(place(one), epoch.id);
    agree(node.replica, voters);
  }
  look(node);
}

function look({ replica, fences }: Node): void {
  if (replica.state !== undefined) fences.look(replica.state);
}

let issued = 0;

function say(node: Node, name: Name, token: NameToken | undefined): void {
  const { replica, keys, records } = node;
  const record: NameRecord = {
    network: replica.network,
    author: keys.publicKey,
    name,
    sequence: ++issued,
    root: digestOf(`${issued}`),
    codec: "",
    ...(token && { token }),
    issuedAtMs: START,
    expiresAtMs: START + 1,
  };
  records.add({ record, signature: new Uint8Array(64) });
}

/** Whoever may, as far as it knows. */
function publish(world: World, name: Name): void {
  for (const node of world.nodes) publishAt(node, name);
}

function publishAt(node: Node, name: Name): void {
  const { state } = node.replica;
  if (state === undefined) return;
  if (!isClaimed(state, name)) return say(node, name, undefined);
  const token = state.claims.get(name)?.token;
  const self = node.keys.publicKey;
  if (nameHolder(state, name) === self && token !== undefined && node.fences.lets(name, token, self)) say(node, name, token);
}

/** It may not: the token is another's, or an old one. */
function copyToken(world: World, who: number, whose: number, name: Name): void {
  const token = at(world, whose).replica.state?.claims.get(name)?.token;
  if (token !== undefined) say(at(world, who), name, token);
}

function meetAll(world: World, group: number): void {
  const there = [0, 1, 2, 3].filter((index) => (group >> index) & 1);
  for (let round = 0; round < 2; round++) for (const other of there.slice(1)) meet(world, there[0] ?? 0, other);
}

function meet(world: World, one: number, other: number): void {
  const [a, b] = [at(world, one), at(world, other)];
  for (const [from, to] of [[a, b] as const, [b, a] as const]) {
    const before = to.replica.decided?.epoch;
    to.replica.merge(from.replica.missing(to.replica.have()));
    const after = to.replica.decided?.epoch;
    if (before !== undefined && to.replica.after(before.id) === undefined && after?.id !== before.id) seen.replaced++;
    look(to);
    for (const record of from.records) to.records.add(record);
  }
}

function revoke(world: World, who: number, target: number): void {
  const { replica, keys } = at(world, who);
  // Somebody has to be left.
  if (target > 0 && who !== target) replica.issue(keys, { kind: "revoke", member: at(world, target).keys.publicKey }, START);
}

function readAll(world: World, name: Name): void {
  for (const node of world.nodes) read(world, node, name);
}

function read(world: World, node: Node, name: Name): void {
  const { state } = node.replica;
  if (state === undefined || !isClaimed(state, name)) return;
  const said = claimedSaid(state, node.fences, name, [...node.records], START);
  if (said.kind === "fenced") seen.fenced++;
  if ([...node.records].some(({ record }) => record.name === name && record.token !== undefined) && said.kind === "nothing") seen.stale++;
  if (said.kind !== "root") return;
  const { author, token } = said.record;
  assert.ok(token !== undefined);
  assert.equal(state.members.get(author)?.standing, "active");
  const last = node.taken.get(name);
  assert.ok(
    last === undefined || token.number > last.number || (token.number === last.number && author === last.owner),
    "never an older token after a newer",
  );
  node.taken.set(name, { ...token, owner: author });
  // Where nothing is ever replaced, the number alone is enough.
  const called = `${name} ${token.number} ${world.isLarge ? "" : token.epoch}`;
  assert.equal(world.owners.get(called) ?? author, author, "never two owners for one token");
  world.owners.set(called, author);
  seen.taken++;
}

for (const isLarge of [false, true])
  test(`never two accepted owners for one token, never an older one after a newer: ${isLarge ? "four domains" : "two domains"}`, () => {
    for (const what of Object.keys(seen) as (keyof typeof seen)[]) seen[what] = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 30, maxLength: 100, size: "max" }), (played) => {
        const world = worldOf(isLarge);
        for (const one of played) play(world, one);
        // In the end all meet, and read once more.
        meetAll(world, 15);
        for (const name of NAMES) readAll(world, name);
      }),
      // Such long plays take minutes to make shorter; the seed is told.
      { numRuns: 150, endOnFailure: true },
    );
    const { taken, stale, handed, fenced, replaced } = seen;
    assert.ok(taken > 50 && stale > 10 && handed > 10, JSON.stringify(seen));
    if (isLarge) assert.deepEqual([fenced, replaced], [0, 0], "what domains have decided stands");
    else assert.ok(fenced > 0 && replaced > 0, JSON.stringify(seen));
  });
