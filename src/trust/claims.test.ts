/**
 * Whose a name is: who may claim it, hand it on and give it back, at once or when others agree; and how much anybody may hold.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Digest,
  digestOf,
  type Key,
  limits,
  type NameRecord,
  type NameToken,
  type Operation,
  type SignedName,
} from "../base/index.ts";
import { type Claim, hasRoom, latestOf, tokenNumber } from "./claims.ts";
import { admit, agree, copyOf, found, type Machine, machine, START, signed } from "./membership.fixture.ts";
import type { Membership } from "./membership.ts";
import { claimedSaid, Fences } from "./names.ts";
import { neededFor } from "./proposals.ts";
import { nameHolder } from "./state.ts";

const MACHINES = {
  founder: machine(1, "founder"),
  junior: machine(2, "junior"),
  b: machine(3, "b"),
  b2: machine(4, "b2"),
  c: machine(5, "c"),
  d: machine(6, "d"),
};
type Name = keyof typeof MACHINES;
const ALL = Object.values(MACHINES);
const RELEASE = "release";

/** Every domain has a voice, and all of it is in epochs. */
function worldOf(domains: number, isUnanimous = true): Membership {
  const { founder, junior, b, b2 } = MACHINES;
  const network = found(founder, "home", { hasTrial: true, ...(isUnanimous && { isUnanimous }) });
  admit(network, founder, junior, 1);
  for (const name of (["b", "c", "d"] as const).slice(0, domains - 1)) {
    network.issue(founder.keys, { kind: "domain", name }, START);
    admit(network, founder, MACHINES[name], 10 + name.charCodeAt(0), name);
  }
  if (domains > 1) admit(network, b, b2, 2);
  agree(network, ALL);
  assert.equal(network.decided?.council.speakers.size, domains);
  return network;
}

function keyOf(name: Name): Key {
  return MACHINES[name].keys.publicKey;
}

function claimOf(network: Membership, owner: Name | undefined, name = RELEASE): Operation {
  const after = network.intended && latestOf(network.intended.claims, name);
  return { kind: "claim", name, owner: owner === undefined ? undefined : keyOf(owner), after: after ?? "" };
}

/** @returns the statement's id, or why it is none */
function claims(network: Membership, by: Name, owner: Name | undefined, name = RELEASE): Digest {
  const done = network.issue(MACHINES[by].keys, claimOf(network, owner, name), START);
  return done.kind === "issued" ? done.checked.id : done.why;
}

function holder(network: Membership, name = RELEASE): Name | undefined {
  const key = network.decided && nameHolder(network.decided, name);
  return (Object.keys(MACHINES) as Name[]).find((one) => keyOf(one) === key);
}

function tokenOf(network: Membership): NameToken {
  return network.decided?.claims.get(RELEASE)?.token ?? assert.fail("an epoch has given it");
}

test("a free name is who claims it with the epoch that holds that, and not before; the epoch is its token", () => {
  const network = worldOf(3);
  assert.equal(claims(network, "b", "c"), "not-the-owner", "for oneself alone");
  assert.equal(claims(network, "b", undefined), "not-the-owner");
  claims(network, "b", "b");
  assert.deepEqual([network.state?.claims.size, holder(network)], [0, undefined]);
  assert.equal(claims(network, "c", "c"), "claim-changed", "it waits");
  agree(network, ALL);
  assert.equal(holder(network), "b");
  const { number, id } = network.decided?.epoch ?? assert.fail();
  assert.deepEqual(tokenOf(network), { number, epoch: id });
  assert.equal(claims(network, "c", "c"), "not-the-owner");
  // Who holds it has a newer token when it claims it once more.
  claims(network, "b", "b");
  agree(network, ALL);
  assert.deepEqual([holder(network), tokenOf(network).number], ["b", number + 1]);
  assert.deepEqual(copyOf(network).decided, network.decided);
});

interface Row {
  readonly domains: number;
  readonly by: Name;
  /** Whose word it takes beside that: none, at once; undefined: it may not. */
  readonly needs: readonly Name[] | undefined;
  readonly isUnanimous?: boolean;
}

const ROWS: readonly Row[] = [
  ...[2, 3, 4].flatMap((domains): Row[] => [
    { domains, by: "b", needs: [] },
    { domains, by: "b2", needs: [] },
  ]),
  { domains: 2, by: "founder", needs: [] },
  { domains: 2, by: "junior", needs: ["founder"] },
  { domains: 2, by: "junior", needs: [], isUnanimous: false },
  { domains: 3, by: "founder", needs: ["c"] },
  { domains: 3, by: "junior", needs: ["founder", "c"] },
  { domains: 3, by: "c", needs: undefined },
  { domains: 4, by: "founder", needs: ["c"] },
  { domains: 4, by: "junior", needs: ["c", "d"] },
  { domains: 4, by: "c", needs: undefined },
];

for (const { domains, by, needs, isUnanimous = true } of ROWS)
  test(`${domains} domains${isUnanimous ? "" : ", not together"}: ${by} hands on b's name${needs === undefined ? ": refused" : needs.length === 0 ? "" : ` with the word of ${needs.join(" and ")}`}`, () => {
    const network = worldOf(domains, isUnanimous);
    claims(network, "b", "b");
    agree(network, ALL);
    const before = tokenOf(network);
    const id = claims(network, by, "junior");
    if (needs === undefined) return assert.equal(id, "not-the-owner");
    agree(network, ALL);
    for (const word of needs) {
      assert.equal(holder(network), "b", `not before ${word} agrees`);
      const waiting = network.decided?.proposals.get(id);
      assert.ok(network.decided && waiting);
      assert.equal(neededFor(network.decided, waiting.what), needs.length + (by === "founder" ? 1 : 0));
      assert.equal(network.issue(MACHINES[word].keys, { kind: "accept", statement: id }, START).kind, "issued");
      agree(network, ALL);
    }
    assert.equal(holder(network), "junior");
    assert.ok(tokenOf(network).number > before.number);
    assert.equal(network.decided?.proposals.size, 0);
    assert.deepEqual(copyOf(network).decided, network.decided);
  });

test("what waits for others is over when another domain is given the name, not when its owner's is once more, and when who was to have it goes", () => {
  const network = worldOf(3);
  claims(network, "b", "b");
  agree(network, ALL);
  const kept = claims(network, "founder", "junior");
  agree(network, ALL);
  assert.equal(network.decided?.proposals.size, 1);
  claims(network, "b", "b2");
  agree(network, ALL);
  claims(network, "b2", "b2");
  agree(network, ALL);
  assert.deepEqual([network.decided.proposals.has(kept), holder(network)], [true, "b2"]);
  network.issue(MACHINES.c.keys, { kind: "accept", statement: kept }, START);
  agree(network, ALL);
  assert.deepEqual([network.decided.proposals.size, holder(network)], [0, "junior"], "it has effect upon what it follows by then");
  claims(network, "founder", "b");
  agree(network, ALL);
  claims(network, "founder", "junior");
  agree(network, ALL);
  assert.equal(network.decided.proposals.size, 1);
  claims(network, "b", "c");
  agree(network, ALL);
  assert.deepEqual([network.decided.proposals.size, holder(network)], [0, "c"]);
  claims(network, "c", "b2");
  agree(network, ALL);
  claims(network, "founder", "junior");
  network.issue(MACHINES.founder.keys, { kind: "revoke", member: keyOf("junior") }, START);
  agree(network, ALL);
  assert.deepEqual([network.decided.proposals.size, holder(network)], [0, "b2"]);
});

test("what was refused takes effect at no later time: nobody queues for a name", () => {
  const network = worldOf(3);
  const { c, junior } = MACHINES;
  claims(network, "b", "b");
  network.merge([signed(c.keys, network.network, 90, claimOf(worldOf(3), "c"))]);
  agree(network, ALL);
  assert.equal(holder(network), "b", "the senior's");
  const first = tokenOf(network).epoch;
  claims(network, "b", undefined);
  agree(network, ALL);
  agree(network, ALL);
  assert.deepEqual([holder(network), network.decided?.claims.get(RELEASE)?.isOpen], [undefined, true]);
  // Nor what names the epoch that gave it before, or one that there is not.
  for (const [at, after] of [first, digestOf("epoch")].entries())
    network.merge([signed(junior.keys, network.network, 95 + at, { kind: "claim", name: RELEASE, owner: junior.keys.publicKey, after })]);
  agree(network, ALL);
  assert.equal(holder(network), undefined);
  claims(network, "c", "c");
  agree(network, ALL);
  assert.equal(holder(network), "c");
});

for (const how of ["leaves", "is put out"] as const)
  test(`who has queued for a name does not get it when its owner ${how}, and whoever claims it then does`, () => {
    for (const domains of [3, 4]) {
      const network = worldOf(domains);
      const { b, b2, c } = MACHINES;
      claims(network, "b", "b");
      agree(network, ALL);
      const { last } = network.decided?.claims.get(RELEASE) ?? assert.fail();
      for (const [at, after] of [last, tokenOf(network).epoch].entries())
        network.merge([signed(c.keys, network.network, 90 + at, { kind: "claim", name: RELEASE, owner: keyOf("c"), after: after ?? "" })]);
      if (how === "leaves") network.issue(b.keys, { kind: "leave" }, START);
      else network.issue(b2.keys, { kind: "revoke", member: keyOf("b") }, START);
      assert.equal(claims(network, "c", "c"), "claim-changed", "not before an epoch has it");
      for (let round = 0; round < 3; round++) agree(network, ALL);
      assert.equal(network.decided?.members.get(keyOf("b"))?.standing === "active", false);
      assert.equal(holder(network), undefined);
      claims(network, "b2", "b2");
      agree(network, ALL);
      assert.equal(holder(network), "b2");
      assert.deepEqual(copyOf(network).decided, network.decided);
    }
  });

test("a hand-on holds again where another epoch takes the place of the one that held what it follows upon", () => {
  const network = worldOf(1);
  const { junior, founder } = MACHINES;
  claims(network, "junior", "junior");
  const fork = copyOf(network);
  agree(network, [junior]);
  claims(network, "founder", "founder");
  agree(network, [founder]);
  assert.equal(holder(network), "founder");
  agree(fork, [founder]);
  assert.equal(holder(fork), "junior");
  network.merge(fork.statements().map(({ bytes }) => bytes));
  assert.deepEqual([network.decided?.epoch.id, holder(network)], [fork.decided?.epoch.id, "junior"], "a senior's epoch stands");
  agree(network, [founder]);
  assert.equal(holder(network), "founder");
  assert.deepEqual(copyOf(network).decided, network.decided);
});

test("whose owner goes is nobody's, resolves to nothing, and is for whoever claims it; an old statement does nothing then", () => {
  const network = worldOf(2);
  claims(network, "b2", "b2");
  agree(network, ALL);
  const before = tokenOf(network);
  network.issue(MACHINES.b.keys, { kind: "revoke", member: keyOf("b2") }, START);
  // At once, before an epoch has it.
  assert.deepEqual(network.state && claimedSaid(network.state, new Fences(), RELEASE, [], START), { kind: "vacant", owner: keyOf("b2") });
  agree(network, ALL);
  assert.equal(claims(network, "founder", "junior"), "not-the-owner", "for oneself alone");
  claims(network, "founder", "founder");
  agree(network, ALL);
  assert.equal(holder(network), "founder");
  assert.ok(tokenOf(network).number > before.number);
});

test("whoever hands names to another domain uses up its own room, and takes none of who was not asked", () => {
  const network = worldOf(3);
  const { perMember, perMemberEver } = limits.names.claims;
  const give = (by: Name, to: Name | undefined, from: number, count: number): void => {
    for (let at = from; at < from + count; at++) assert.match(claims(network, by, to, `n${at}`), /^[0-9a-f]{64}$/);
    agree(network, ALL);
  };
  give("c", "c", 0, perMember);
  give("c", "b", 0, perMember);
  assert.equal(holder(network, "n0"), "b");
  assert.equal(claims(network, "c", "c", "more"), "too-many-names", "they count for who has given them");
  give("b", "b", 20, perMember);
  assert.equal(claims(network, "b", "b", "more"), "too-many-names");
  // A newer token of what it was given is to be had all the same.
  give("b", "b", 0, 1);
  assert.equal(claims(network, "c", "c", "more"), "too-many-names");
  give("b", undefined, 20, 1);
  give("b", "b", 0, 1);
  give("c", "c", 40, 1);
  assert.equal(network.decided?.claims.get("n0")?.payer, keyOf("b"));
  // What was given back counts for who had claimed it, whatever is claimed later.
  const one = worldOf(2);
  for (let at = 0; at < perMemberEver; at++) {
    claims(one, "b", "b", `n${at}`);
    agree(one, ALL);
    claims(one, "b", undefined, `n${at}`);
    agree(one, ALL);
  }
  assert.equal(claims(one, "b", "b", "more"), "too-many-names");
  assert.match(claims(one, "b", "b", "n3"), /^[0-9a-f]{64}$/, "one of those it has");
  assert.match(claims(one, "b2", "b2", "more"), /^[0-9a-f]{64}$/);
  assert.deepEqual(copyOf(one).decided, one.decided);
});

test("a member holds so many names, and a domain; those of who has gone count for it", () => {
  const network = worldOf(2);
  const { perMember, perDomain, most } = limits.names.claims;
  for (let at = 0; at < perMember; at++) claims(network, "b", "b", `n${at}`);
  assert.equal(claims(network, "b", "b", "more"), "too-many-names");
  agree(network, ALL);
  assert.equal(claims(network, "founder", "founder"), network.statements().at(-1)?.id);
  agree(network, ALL);
  claims(network, "b", undefined, "n0");
  agree(network, ALL);
  claims(network, "b", "b", "more");
  agree(network, ALL);
  assert.equal(holder(network, "more"), "b");

  const many = (count: number, owner: (at: number) => Key): Map<string, Claim> =>
    new Map(
      Array.from({ length: count }, (_, at) => [
        `n${at}`,
        { owner: owner(at), payer: owner(at), isOpen: false, token: undefined, last: undefined },
      ]),
    );
  const domainOf = (key: Key): string => key.slice(0, 1);
  assert.ok(
    hasRoom(
      many(perDomain - 1, (at) => `a${at}`),
      "x",
      "a",
      domainOf,
    ),
  );
  assert.ok(
    !hasRoom(
      many(perDomain, (at) => `a${at}`),
      "x",
      "a",
      domainOf,
    ),
  );
  assert.ok(
    hasRoom(
      many(perDomain, (at) => `a${at}`),
      "n0",
      "a",
      domainOf,
    ),
    "it is among them",
  );
  assert.ok(
    !hasRoom(
      many(most, (at) => `${at} `),
      "x",
      "a",
      () => "own",
    ),
  );
});

function said(author: Machine, token: NameToken | undefined, sequence: number): SignedName {
  const record: NameRecord = {
    network: digestOf("n"),
    author: author.keys.publicKey,
    name: RELEASE,
    sequence,
    root: digestOf(`${sequence}`),
    codec: "",
    ...(token && { token }),
    issuedAtMs: START,
    expiresAtMs: START,
  };
  return { record, signature: new Uint8Array(64) };
}

test("of a claimed name its owner's word with the present token counts, and no other, whatever numbers it has", () => {
  const network = worldOf(3);
  claims(network, "b", "b");
  agree(network, ALL);
  const old = tokenOf(network);
  claims(network, "b", "c");
  agree(network, ALL);
  const { b, c } = MACHINES;
  const token = tokenOf(network);
  const others = [
    said(b, old, 90),
    said(b, token, 91),
    said(b, undefined, 92),
    said(c, old, 93),
    said(c, undefined, 94),
    said(c, { ...token, epoch: digestOf("other") }, 95),
    said(c, { number: token.number + 1, epoch: token.epoch }, 96),
  ];
  const { state } = network;
  assert.ok(state);
  assert.deepEqual(claimedSaid(state, new Fences(), RELEASE, others, START), { kind: "nothing" });
  const good = said(c, token, 1);
  assert.deepEqual(claimedSaid(state, new Fences(), RELEASE, [...others, good], START), { kind: "root", record: good.record });
  const fork = { ...good, record: { ...good.record, root: digestOf("else") } };
  assert.equal(claimedSaid(state, new Fences(), RELEASE, [good, fork, ...others], START).kind, "forked");
  // What was seen of it once stays: also in a network whose epochs were replaced.
  const newer = new Fences([[RELEASE, { number: token.number + 1, epoch: digestOf("gone"), owner: keyOf("c") }]]);
  assert.equal(claimedSaid(state, newer, RELEASE, [good], START).kind, "fenced");
  const beside = new Fences([[RELEASE, { number: token.number, epoch: digestOf("gone"), owner: keyOf("b") }]]);
  const same = new Fences([[RELEASE, { number: token.number, epoch: digestOf("gone"), owner: keyOf("c") }]]);
  assert.equal(claimedSaid(state, same, RELEASE, [good], START).kind, "root", "whichever epoch of that number stands, it is c's");
  assert.equal(claimedSaid(state, beside, RELEASE, [good], START).kind, "fenced");
  const again = new Fences();
  assert.ok(again.look(state) && !again.look(state));
  assert.equal(claimedSaid(state, new Fences(again.all), RELEASE, [good], START).kind, "root");
});

test("one claim passes what any number of epochs that were replaced had left behind, and the next is newer still", () => {
  const network = worldOf(2);
  claims(network, "b", "b");
  agree(network, ALL);
  const fork = copyOf(network);
  for (let at = 0; at < 30; at++) {
    fork.issue(MACHINES.b.keys, claimOf(fork, "b"), START);
    agree(fork, ALL);
  }
  const fences = new Fences();
  assert.ok(fork.state && fences.look(fork.state));
  const seen = tokenOf(fork).number;
  const told = (): string => {
    const { state } = network;
    assert.ok(state);
    return claimedSaid(state, fences, RELEASE, [said(MACHINES.b, tokenOf(network), 1)], START).kind;
  };
  const { state } = network;
  assert.ok(state);
  assert.deepEqual(claimedSaid(state, fences, RELEASE, [], START), { kind: "fenced", owner: keyOf("b"), seen });
  network.issue(MACHINES.b.keys, { ...claimOf(network, "b"), floor: seen + 1 } as Operation, START);
  agree(network, ALL);
  assert.deepEqual([tokenOf(network).number, told()], [seen + 1, "root"]);
  // Of who was told by nobody what it has to pass, too.
  claims(network, "b", "b");
  agree(network, ALL);
  assert.deepEqual([tokenOf(network).number, told()], [seen + 2, "root"]);
  assert.deepEqual(copyOf(network).decided, network.decided);
  const { tokenRise, token } = limits.names;
  assert.deepEqual([tokenNumber(9, 3, 0), tokenNumber(9, 9, 4), tokenNumber(9, 3, token)], [9, 10, 9 * tokenRise]);
  assert.ok(2 * tokenRise * limits.epochs <= token + 1);
});
