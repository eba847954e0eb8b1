import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Digest } from "../base/index.ts";
import { admit, codec, found, HOUR, type Machine, machine, parts, START, secret, signed } from "./membership.fixture.ts";
import { Membership } from "./membership.ts";
import { idOf, readStatement } from "./statements.ts";

/** Step of a history: who does what at which replica. Numbers are taken modulo what there is. */
const step = fc.record({
  replica: fc.nat(2),
  actor: fc.nat(11),
  target: fc.nat(11),
  act: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom("admit" as const, "decide" as const, "sync" as const) },
    { weight: 4, arbitrary: fc.constantFrom("domain" as const, "equivocate" as const, "fork" as const, "forge" as const) },
    { weight: 2, arbitrary: fc.constantFrom("revoke" as const, "leave" as const) },
  ),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const HOSTILE: readonly string[] = ["equivocate", "fork", "forge"];
const MACHINES: readonly Machine[] = Array.from({ length: 12 }, (_, number) => machine(number));
/** In no replica's view is this one ever invited. */
const STRANGER = machine(99);

/** Plays steps at three replicas that talk only where a step says so, and gives every statement that anybody ever signed. */
function play(steps: readonly Step[]): { network: Digest; all: Uint8Array[] } {
  const first = MACHINES[0] ?? STRANGER;
  const replicas = [found(first), found(first), found(first)];
  const network = replicas[0]?.network ?? "";
  // Four members, of which one has a domain of its own, are there from the beginning.
  const [origin] = replicas;
  origin?.issue(first.keys, { kind: "domain", name: "beta" }, START);
  for (const number of [1, 2, 3])
    if (origin !== undefined) admit(origin, first, MACHINES[number] ?? STRANGER, 2_000 + number, number === 3 ? "beta" : undefined);
  origin?.decide(first.keys, START);
  for (const replica of replicas) replica.merge(origin?.statements().map(({ bytes }) => bytes) ?? []);
  const all = new Map<Digest, Uint8Array>();
  const note = (bytes: Uint8Array): void => void all.set(idOf(codec, bytes) ?? "", bytes);
  let invitations = 0;
  for (const { replica, actor, target, act } of steps) {
    const here = replicas[replica];
    const there = replicas[target % 3];
    const members = MACHINES.filter(({ keys }) => here?.state?.members.has(keys.publicKey));
    // Mostly somebody who was a member at some time, or little would happen.
    const who = HOSTILE.includes(act) ? MACHINES[actor] : members[actor % Math.max(1, members.length)];
    const whom = act === "revoke" ? members[target % Math.max(1, members.length)] : MACHINES[target];
    if (here === undefined || there === undefined || who === undefined || whom === undefined) continue;
    invitations += 1;
    if (act === "admit") admit(here, who, whom, invitations, target === 7 ? "beta" : undefined);
    else if (act === "decide") here.decide(who.keys, START);
    else if (act === "sync") here.merge(there.missing(here.have()));
    else if (act === "revoke") here.issue(who.keys, { kind: "revoke", member: whom.keys.publicKey }, START);
    else if (act === "leave") here.issue(who.keys, { kind: "leave" }, START);
    else if (act === "domain") here.issue(who.keys, { kind: "domain", name: "beta" }, START);
    else here.merge(hostile(act, here, who, whom, invitations));
    for (const { bytes } of here.statements()) note(bytes);
    for (const bytes of hostile(act, here, who, whom, invitations)) note(bytes);
  }
  return { network, all: [...all.values()] };
}

/** What somebody who does not keep to the rules signs; by members, revoked ones, and strangers. */
function hostile(act: Step["act"], here: Membership, who: Machine, whom: Machine, number: number): Uint8Array[] {
  const { network } = here;
  const keys = number % 3 === 0 ? STRANGER.keys : who.keys;
  switch (act) {
    case "equivocate":
      return ["x", "y"].map((name) => signed(keys, network, 1, { kind: "domain", name }));
    case "fork": {
      // Beside the newest epoch, with the same predecessor.
      const [, previous] = here.have().epochs;
      const at = here.decided?.epoch.number ?? 0;
      if (previous === undefined) return [];
      const operations = [signed(keys, network, 50, { kind: "revoke", member: whom.keys.publicKey })];
      return [signed(keys, network, 0, { kind: "epoch", number: at, previous, operations })];
    }
    case "forge": {
      const invite = { kind: "invite", key: machine(500 + number).keys.publicKey, domain: "home", expiresAtMs: START + HOUR } as const;
      const bytes = signed(STRANGER.keys, network, number, invite);
      const as = codec.encodeStatement({ network, author: who.keys.publicKey, sequence: number, atMs: START, what: invite });
      return [bytes, codec.encodeSigned({ statement: as, signature: codec.decodeSigned(bytes).signature })];
    }
    default:
      return [];
  }
}

const history = fc.array(step, { minLength: 10, maxLength: 50, size: "max" });
const runs = { numRuns: 30 };

test("any order, any repetition: the same state", () => {
  fc.assert(
    fc.property(history, fc.infiniteStream(fc.nat()), (steps, numbers) => {
      const { network, all } = play(steps);
      const straight = new Membership(parts, network);
      for (const bytes of all) straight.merge([bytes]);
      const shuffled = all.flatMap((bytes, i) =>
        Array.from({ length: 1 + ((i * 7) % 2) }, () => ({ bytes, at: numbers.next().value as number })),
      );
      const other = new Membership(parts, network);
      for (const { bytes } of shuffled.toSorted((a, b) => a.at - b.at)) other.merge([bytes]);
      const atOnce = new Membership(parts, network);
      atOnce.merge(all.toReversed());
      assert.equal(other.summary, straight.summary);
      assert.equal(atOnce.summary, straight.summary);
      assert.deepEqual(other.state, straight.state);
    }),
    runs,
  );
});

test("two replicas that exchange what is missing become equal, and a third that hears from one of them", () => {
  fc.assert(
    fc.property(history, fc.integer({ min: 1, max: 99 }), (steps, percent) => {
      const { network, all } = play(steps);
      const [a, b, c] = [new Membership(parts, network), new Membership(parts, network), new Membership(parts, network)];
      const cut = Math.ceil((all.length * percent) / 100);
      a.merge([...all.slice(0, 1), ...all.slice(0, cut)]);
      b.merge([...all.slice(0, 1), ...all.slice(cut)]);
      // Each round one can learn of epochs, and then of what they held.
      for (let round = 0; round < 3; round++) {
        a.merge(b.missing(a.have()));
        b.merge(a.missing(b.have()));
      }
      c.merge(a.missing(c.have()));
      assert.equal(b.summary, a.summary);
      assert.equal(c.summary, a.summary);
    }),
    runs,
  );
});

test("every member came by an invitation of a member; a stranger never does; the founder is admin until somebody entitled says otherwise", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const { network, all } = play(steps);
      const membership = new Membership(parts, network);
      membership.merge(all);
      const state = membership.state;
      assert.ok(state);
      assert.equal(state.members.has(STRANGER.keys.publicKey), false);
      for (const member of state.members.values()) {
        if (member.invitedBy === undefined) {
          assert.equal(member.key, MACHINES[0]?.keys.publicKey);
          continue;
        }
        const read = readStatement(codec, member.admission);
        assert.ok(read.kind === "checked" && read.checked.statement.what.kind === "admit");
        const { request } = read.checked.statement.what;
        const invitation = state.invitations.get(request.invitation);
        assert.equal(request.identity.peerKey, member.key);
        assert.equal(invitation?.redeemedBy, member.key);
        const inviter = state.members.get(invitation?.inviter ?? "");
        assert.ok(inviter !== undefined && inviter.rank < member.rank);
        assert.ok(inviter.domain === member.domain || inviter.domain === state.genesisDomain);
      }
    }),
    runs,
  );
});

test("after a revocation is decided, nothing that the revoked one signs changes anything", () => {
  fc.assert(
    fc.property(history, fc.array(fc.nat(3), { minLength: 1, maxLength: 8 }), (steps, acts) => {
      const { network, all } = play(steps);
      const membership = new Membership(parts, network);
      membership.merge(all);
      const victim = [...(membership.state?.members.values() ?? [])].find(({ rank }) => rank > 0)?.key;
      fc.pre(victim !== undefined);
      // Whoever it is, and whoever is left: somebody who may puts it out, or it goes by itself.
      for (const { keys } of MACHINES) {
        membership.issue(keys, keys.publicKey === victim ? { kind: "leave" } : { kind: "revoke", member: victim }, START);
        membership.decide(keys, START);
      }
      const gone = membership.decided?.members.get(victim);
      fc.pre(gone !== undefined && gone.standing !== "active");
      const who = MACHINES.find(({ keys }) => keys.publicKey === gone?.key);
      assert.ok(who);
      const before = membership.state;
      for (const [i, act] of acts.entries()) {
        const sequence = 100 + i;
        if (act === 0)
          membership.merge([signed(who.keys, network, sequence, { kind: "revoke", member: MACHINES[0]?.keys.publicKey ?? "" })]);
        else if (act === 1) membership.merge([signed(who.keys, network, sequence, { kind: "domain", name: `d${i}` })]);
        else if (act === 2) admit(membership, who, STRANGER, 900 + i);
        else membership.decide(who.keys, START);
      }
      assert.deepEqual(membership.state, before);
    }),
    runs,
  );
});

test("bytes that mean nothing harm nothing", () => {
  const membership = found(MACHINES[0] ?? STRANGER);
  admit(membership, MACHINES[0] ?? STRANGER, MACHINES[1] ?? STRANGER, 1);
  const good = membership.statements().map(({ bytes }) => bytes);
  const before = membership.summary;
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(255), fc.uint8Array(), (which, at, value, noise) => {
      const bytes = Uint8Array.from(good[which % good.length] ?? []);
      bytes[at % bytes.length] = value;
      membership.merge([bytes, noise]);
      assert.equal(membership.summary, before);
      assert.equal(idOf(codec, secret(1)), undefined);
    }),
    { numRuns: 300 },
  );
});
