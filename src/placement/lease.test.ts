import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, type Key, limits, silentLog } from "../base/index.ts";
import { Lease, type Seats } from "./lease.ts";

const { lapseMs, leapOfSeat, termsOfEpoch } = limits.placement.lease;
const KEYS: readonly Key[] = ["a", "b", "c", "d", "e"].map((name) => digestOf(name));

interface Node {
  readonly key: Key;
  readonly lease: Lease;
  seats: Seats;
  half: number;
}

/** Members of which each hears those of its own half only, and has the epochs that it was told of. */
function world() {
  const clock = { nowMs: 0 };
  const told: { readonly key: Key; readonly term: number }[] = [];
  const nodes: Node[] = [];
  const linked = (node: Node): Node[] => nodes.filter((other) => other !== node && other.half === node.half);
  for (const key of KEYS) {
    const of = (): Node => nodes.find((one) => one.key === key) as Node;
    const lease = new Lease(
      {
        self: key,
        isLinked: (member) => linked(of()).some((other) => other.key === member),
        inOrder: (members) => members.toSorted(),
        linked: () => linked(of()).map((other) => other.key),
        seats: () => of().seats,
        tell: (term) => {
          told.push({ key, term });
          for (const other of linked(of())) other.lease.heard(key, term);
        },
        log: silentLog,
        now: () => clock.nowMs,
      },
      { top: 0 },
    );
    nodes.push({ key, lease, seats: { epoch: 4, keys: KEYS }, half: 0 });
  }
  const pass = (ms: number): void => {
    for (const end = clock.nowMs + ms; clock.nowMs < end; clock.nowMs += 250) for (const { lease } of nodes) lease.beat();
  };
  return { nodes, told, pass };
}

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1_000, 6_000, 60_000) }),
    fc.record({ kind: fc.constant("move" as const), at: fc.nat(4), half: fc.nat(1) }),
    fc.record({ kind: fc.constant("epoch" as const), half: fc.nat(1) }),
    fc.record({ kind: fc.constant("lie" as const), at: fc.nat(4), term: fc.integer({ min: 0, max: 6 * termsOfEpoch }) }),
  ),
  { maxLength: 25 },
);

test("no term is held by two members, in whatever halves they are and whatever anybody claims; and each half that has members finds one", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { nodes, told, pass } = world();
      for (const step of all) {
        const node = "at" in step ? nodes[step.at] : undefined;
        if (step.kind === "pass") pass(step.ms);
        else if (step.kind === "move" && node !== undefined) {
          node.half = step.half;
          for (const { lease } of nodes) lease.connected();
        } else if (step.kind === "epoch") {
          const epoch = 1 + Math.max(...nodes.map(({ seats }) => seats.epoch));
          for (const one of nodes.filter(({ half }) => half === step.half)) {
            one.seats = { epoch, keys: KEYS };
            one.lease.seated();
          }
        } else if (step.kind === "lie" && node !== undefined)
          for (const other of nodes) if (other !== node && other.half === node.half) other.lease.heard(node.key, step.term);
        for (const { current } of nodes.map(({ lease }) => lease))
          if (current !== undefined) assert.equal(KEYS[(current.term % termsOfEpoch) % KEYS.length], current.holder);
      }
      const byTerm = Map.groupBy(told, ({ term }) => term);
      for (const [term, by] of byTerm) assert.equal(new Set(by.map(({ key }) => key)).size, 1, `term ${term}`);
      for (const { term, key } of told) assert.equal(KEYS[(term % termsOfEpoch) % KEYS.length], key);
      pass(2 * lapseMs);
      for (const node of nodes) {
        const isAlone = nodes.every((other) => other === node || other.half !== node.half);
        const isTogether = nodes.every((other) => other.half !== node.half || other.seats.epoch === node.seats.epoch);
        if (!isAlone && isTogether) assert.notEqual(node.lease.current, undefined);
      }
    }),
    { numRuns: 200 },
  );
});

test("who has not heard of an epoch cannot hold the lease where others have, and goes on as soon as it has", () => {
  const { nodes, pass } = world();
  pass(10_000);
  const before = nodes[0]?.lease.current;
  const holder = nodes.find(({ key }) => key === before?.holder);
  assert.ok(before !== undefined && holder !== undefined);
  const other = nodes.find((one) => one !== holder) as Node;
  const others = nodes.filter((one) => one !== holder);
  holder.half = 1; // Cut off, it goes on by its own.
  for (const one of others) {
    one.lease.lost();
    one.seats = { epoch: 5, keys: KEYS.filter((key) => key !== holder.key) };
    one.lease.seated();
  }
  pass(20_000);
  const next = other.lease.current;
  assert.ok(next !== undefined && next.holder !== holder.key && next.term > before.term);
  holder.half = 0;
  for (const one of nodes) one.lease.connected();
  for (const one of others) one.lease.heard(holder.key, before.term + KEYS.length);
  assert.deepEqual(other.lease.current, next, "its terms are of an epoch that is over");
  holder.seats = other.seats;
  holder.lease.seated();
  pass(20_000);
  assert.deepEqual(holder.lease.current?.holder, next.holder);
});

test("a word by an epoch that is still on its way counts when it has come; a late answer by an older term silences nobody", () => {
  const { nodes, pass } = world();
  pass(10_000);
  const [early, late] = nodes as [Node, Node];
  const term = 5 * termsOfEpoch + KEYS.indexOf(early.key);
  late.lease.heard(early.key, term);
  assert.notEqual(late.lease.current?.term, term);
  late.seats = { epoch: 5, keys: KEYS };
  late.lease.seated();
  assert.deepEqual(late.lease.current, { holder: early.key, term });
  late.lease.silent(early.key, term - 1);
  assert.deepEqual(late.lease.current, { holder: early.key, term });
  late.lease.silent(early.key, term);
  assert.notDeepEqual(late.lease.current, { holder: early.key, term });
});

test("whoever tells of the last term of an epoch leaves room for others; who is far behind comes to the holder's term step by step", () => {
  const { nodes, pass } = world();
  const [liar, other] = nodes as [Node, Node];
  const last = 5 * termsOfEpoch - 1;
  const own = last - ((((last % termsOfEpoch) % KEYS.length) - KEYS.indexOf(liar.key) + KEYS.length) % KEYS.length);
  for (const node of nodes) if (node !== liar) for (let at = 0; at < 1_000; at++) node.lease.heard(liar.key, own);
  assert.ok(other.lease.top <= 4 * termsOfEpoch + 1_000 * leapOfSeat * KEYS.length);
  liar.half = 1;
  for (const { lease } of nodes) lease.lost();
  pass(2 * lapseMs);
  const { current } = other.lease;
  assert.ok(current !== undefined && current.holder !== liar.key, "somebody takes it when it is silent");
  const far = nodes.find(({ key }) => key === KEYS[2]) as Node;
  const gap = 10 * leapOfSeat * KEYS.length;
  const term = 4 * termsOfEpoch + 2 + KEYS.length * Math.floor((other.lease.top - 4 * termsOfEpoch + gap) / KEYS.length);
  far.half = 0;
  let words = 0;
  for (; other.lease.current?.term !== term && words < 100; words++) other.lease.heard(far.key, term);
  assert.ok(words > 1 && words <= 11, `${words} words`);
});

test("a greater term of an epoch that is over, or one that has lapsed, does not keep a member's later word from counting", () => {
  const { nodes, pass } = world();
  const [one, other] = nodes as [Node, Node];
  const [old = 0, next = 0] = [4, 5].map((epoch) => epoch * termsOfEpoch + KEYS.indexOf(one.key));
  for (const node of nodes) node.seats = { epoch: 5, keys: KEYS };
  other.lease.heard(one.key, next + KEYS.length);
  other.seats = { epoch: 4, keys: KEYS }; // What was decided before stands after all.
  other.lease.heard(one.key, old);
  assert.equal(other.lease.current?.term, old);
  for (const node of nodes) node.seats = { epoch: 6, keys: [one.key] };
  one.half = 1;
  const later = 6 * termsOfEpoch + 9;
  other.lease.heard(one.key, later);
  pass(2 * lapseMs);
  one.half = 0;
  other.lease.heard(one.key, later - 1);
  assert.equal(other.lease.current?.term, later - 1);
});
