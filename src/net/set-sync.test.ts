import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CairnError, LAST_BOUND, limits } from "../base/index.ts";
import { loadNetworkCodec, type SetFrame, type SetRange } from "../wire/index.ts";
import { compare, Reconciliation } from "./reconcile.ts";
import { idOf, MemoryAttestations, made } from "./set.fixture.ts";
import { SetSync } from "./set-sync.ts";
import { SetTalk } from "./set-talk.ts";

const codec = await loadNetworkCodec();
const bounds = limits.attestationSet;

/** Members in memory; frames go through their codec, and between all that have something to say. */
class World {
  nowMs = 0;
  frames: SetFrame[] = [];
  bytes = 0;
  readonly offences: string[] = [];
  readonly sets: MemoryAttestations[];
  readonly syncs: SetSync[];
  readonly #talks = new Map<string, SetTalk>();

  constructor(sets: MemoryAttestations[]) {
    this.sets = sets;
    this.syncs = sets.map((set, i) => new SetSync({ self: String(i), set, now: () => this.nowMs, random: () => 0.5 }));
  }

  link(a: number, b: number): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const offend = (why: string): void => void this.offences.push(`${other} to ${one}: ${why}`);
      const talk = this.syncs[one]?.opened(String(other), { ready: () => undefined, offend });
      if (talk !== undefined) this.#talks.set(`${one} ${other}`, talk);
    }
  }

  talk(one: number, other: number): SetTalk {
    const talk = this.#talks.get(`${one} ${other}`);
    assert.ok(talk !== undefined);
    return talk;
  }

  /** Until nobody has anything to say. */
  settle(): void {
    for (const sync of this.syncs) sync.look();
    for (let said = true; said; ) {
      said = false;
      for (const [way, talk] of this.#talks) {
        const frame = talk.next();
        if (frame === undefined) continue;
        said = true;
        const bytes = codec.encodeSetFrame(frame);
        this.bytes += bytes.length;
        const heard = codec.decodeSetFrame(bytes);
        assert.deepEqual(withBuffers(heard), withBuffers(frame));
        this.frames.push(frame);
        this.#talks.get(way.split(" ").toReversed().join(" "))?.heard(heard);
      }
    }
  }
}

/** Bytes as one type. */
function withBuffers(frame: SetFrame): SetFrame {
  return frame.kind === "attestations" ? { ...frame, attestations: frame.attestations.map((bytes) => Buffer.from(bytes)) } : frame;
}

function filled(...lists: readonly (readonly Uint8Array[])[]): MemoryAttestations {
  const set = new MemoryAttestations();
  for (const list of lists) if (list.length > 0) set.attest(...list);
  return set;
}

function many(signer: string, count: number, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => made(signer, 1_000 + from + i, "x".repeat(200)));
}

test("two copies become equal, whatever they are", () => {
  const one = fc.tuple(fc.constantFrom("a", "b"), fc.nat(60), fc.nat(3)).map(([signer, at, what]) => made(signer, at, String(what)));
  const property = fc.property(
    fc.array(one, { maxLength: 300, size: "max" }),
    fc.array(one, { maxLength: 300, size: "max" }),
    (left, right) => {
      const world = new World([filled(left), filled(right)]);
      const expected = [...new Set([...left, ...right].map(idOf))].toSorted();
      world.link(0, 1);
      world.settle();
      for (const set of world.sets) assert.deepEqual(set.all(), expected);
      assert.deepEqual(world.offences, []);
      assert.deepEqual(
        world.syncs.map(({ comparing }) => comparing),
        [0, 0],
      );
    },
  );
  fc.assert(property, { numRuns: 100 });
});

test("copies that are equal cost two small frames, whatever they hold", () => {
  const all = many("a", 5_000);
  const world = new World([filled(all), filled(all)]);
  world.link(0, 1);
  world.settle();
  assert.equal(world.frames.length, 2);
  assert.ok(world.bytes < 100, `${world.bytes} bytes`);
});

test("what was made on one day is exchanged, and little more", () => {
  const common = many("a", 20_000);
  const [left, right] = [many("b", 1_000, 20_000), many("c", 1_000, 20_000)];
  const world = new World([filled(common, left), filled(common, right)]);
  world.link(0, 1);
  world.settle();
  assert.deepEqual(world.sets[0]?.all(), world.sets[1]?.all());
  assert.equal(world.sets[0]?.ids.size, 22_000);
  const told = world.frames.reduce((sum, frame) => sum + (frame.kind === "attestations" ? frame.attestations.length : 0), 0);
  assert.equal(told, 2_000); // Each once.
  const others = world.frames.filter(({ kind }) => kind !== "attestations");
  const overhead = others.reduce((sum, frame) => sum + codec.encodeSetFrame(frame).length, 0);
  assert.ok(overhead < 2_000 * 50, `${overhead} bytes beside 2,000 attestations`);
});

test("what a node attests is told to all at once, and what is told by many is taken once", () => {
  const world = new World(Array.from({ length: 4 }, () => filled()));
  for (let a = 0; a < 4; a++) for (let b = 0; b < a; b++) world.link(a, b);
  world.settle();
  world.frames = [];
  world.sets[2]?.attest(...many("c", 40));
  world.settle();
  for (const set of world.sets) assert.equal(set.ids.size, 40);
  assert.deepEqual(new Set(world.frames.map(({ kind }) => kind)), new Set(["attestations"]));
});

test("a chain of members becomes equal, and nothing goes twice over a link", () => {
  const sets = Array.from({ length: 5 }, (_, i) => filled(many(`m${i}`, 50)));
  const world = new World(sets);
  for (let i = 1; i < 5; i++) world.link(i - 1, i);
  for (let round = 0; round < 40; round++) {
    world.nowMs += bounds.compareEveryMs;
    world.settle();
  }
  for (const set of sets) assert.equal(set.ids.size, 250);
  const told = world.frames.reduce((sum, frame) => sum + (frame.kind === "attestations" ? frame.attestations.length : 0), 0);
  assert.equal(told, 4 * 250); // Over each link what one side lacks.
});

test("a copy with bounds takes what it keeps, and both become still", () => {
  const small = new MemoryAttestations({ most: 100, perSigner: 60 });
  const world = new World([small, filled(many("a", 300), many("b", 20))]);
  world.link(0, 1);
  world.settle();
  const ids = small.all();
  assert.equal(ids.length, 80);
  world.nowMs += bounds.compareEveryMs;
  world.settle();
  assert.deepEqual(small.all(), ids);
});

/** What becomes of a member that says this to one that has asked it, or not. */
function offence(frames: readonly (SetFrame | (() => SetFrame))[], set: MemoryAttestations = filled(many("a", 100)), asks = false): string {
  const offences: string[] = [];
  const talk = new SetTalk({
    set,
    underWay: new Set(),
    now: () => 0,
    ready: () => undefined,
    offend: (why) => void offences.push(why),
    compared: () => undefined,
  });
  if (asks) talk.compare();
  try {
    for (const frame of frames) {
      while (talk.next() !== undefined);
      talk.heard(typeof frame === "function" ? frame() : frame);
    }
  } catch (error) {
    if (!(error instanceof CairnError)) throw error;
    offences.push(String(error.facts.what));
  }
  return offences.join();
}

const ALL: SetRange = { from: "", to: LAST_BOUND, count: 3, sum: "ab".repeat(16) };
const HALVES: SetRange[] = [
  { ...ALL, to: "80" },
  { ...ALL, from: "80" },
];

test("who does not keep to the rules is told apart from who is only of no use", () => {
  const attestations = (list: readonly Uint8Array[], news = true): SetFrame => ({
    kind: "attestations",
    attestations: list,
    news,
    complete: !news,
  });
  const compared = (...verdicts: Extract<SetFrame, { kind: "compared" }>["verdicts"]): SetFrame => ({ kind: "compared", verdicts });
  const table: [about: string, frames: SetFrame[], asks: boolean, why: RegExp][] = [
    ["news", [attestations(many("b", 3))], false, /^$/],
    ["forged news", [attestations([made("forger", 1)])], false, /forged/],
    ["news of a stranger", [attestations([made("stranger", 1)])], false, /^$/],
    ["news of many strangers", [attestations(many("stranger", 4_000)), attestations(many("stranger", 1))], false, /strangers|news/],
    ["more news than anybody makes", [attestations(many("b", 4_000)), attestations(many("b", 200, 5_000))], false, /news/],
    ["an answer to nothing", [attestations([made("b", 1)], false)], false, /attestations/],
    ["a verdict on nothing", [compared({ kind: "same" })], false, /compared/],
    ["a verdict too many", [compared({ kind: "same" }, { kind: "same" })], true, /verdicts/],
    ["one part", [compared({ kind: "parts", ranges: [ALL] })], true, /parts/],
    [
      "parts with a hole",
      [
        compared({
          kind: "parts",
          ranges: [
            { ...ALL, to: "10" },
            { ...ALL, from: "20" },
          ],
        }),
      ],
      true,
      /parts/,
    ],
    [
      "an end too early",
      [
        compared({
          kind: "parts",
          ranges: [
            { ...ALL, to: "10" },
            { ...ALL, from: "10", to: "20" },
          ],
        }),
      ],
      true,
      /parts/,
    ],
    ["more than anybody keeps", [compared({ kind: "parts", ranges: HALVES.map((half) => ({ ...half, count: 1e9 })) })], true, /parts/],
    ["good parts", [compared({ kind: "parts", ranges: HALVES })], true, /^$/],
    ["ids", [compared({ kind: "ids", ids: [idOf(made("b", 7))] })], true, /^$/],
    [
      "too many questions",
      Array.from({ length: 65 }, () => ({ kind: "compare", ranges: Array.from({ length: 256 }, () => ALL) }) as const),
      false,
      /compare/,
    ],
  ];
  for (const [about, frames, asks, why] of table) assert.match(offence(frames, undefined, asks), why, about);
});

test("answers that go on for ever end", () => {
  let ranges: readonly SetRange[] = [];
  const own = filled(many("a", 100)).ids;
  const reconciliation = new Reconciliation(own);
  const middle = (from: string, to: string): string => {
    const [low, high] = [from, to === LAST_BOUND ? "" : to].map((bound) =>
      BigInt(`0x${bound.padEnd(44, bound === "" && to === LAST_BOUND ? "f" : "0") || "0"}`),
    );
    return (((low ?? 0n) + (high === 0n ? 2n ** 176n - 1n : (high ?? 0n))) / 2n).toString(16).padStart(44, "0");
  };
  let rounds = 0;
  assert.throws(
    () => {
      for (;;) {
        ranges = reconciliation.next();
        assert.ok(ranges.length > 0);
        rounds++;
        reconciliation.take(
          ranges.map(({ from, to }) => {
            const bound = middle(from, to);
            return {
              kind: "parts",
              ranges: [
                { ...ALL, from, to: bound },
                { ...ALL, from: bound, to },
              ].map((one, at) => ({ ...one, sum: `${at}`.repeat(32) })),
            };
          }),
        );
      }
    },
    { code: "frame-invalid" },
  );
  assert.ok(rounds < 2 * bounds.rangesPerSession);
});

test("every question can be answered within a frame", () => {
  const own = filled(many("a", 20_000)).ids;
  const verdicts = compare(
    own,
    Array.from({ length: bounds.rangesAtOnce }, () => ({ ...ALL, count: 0 })),
  );
  assert.ok(codec.encodeSetCarrier(codec.encodeSetFrame({ kind: "compared", verdicts })).length < limits.shareFrameBytes);
});

test("who offers and does not bring is left alone, and others are asked", () => {
  const world = new World([filled(), filled(many("b", 10))]);
  const offences: string[] = [];
  const liar = world.syncs[0]?.opened("9", { ready: () => undefined, offend: (why) => void offences.push(why) });
  assert.ok(liar !== undefined);
  world.syncs[0]?.look();
  assert.equal(liar.next()?.kind, "compare"); // It is the only one there.
  liar.heard({ kind: "compared", verdicts: [{ kind: "ids", ids: many("b", 10).map(idOf).toSorted() }] });
  assert.equal(liar.next()?.kind, "want");
  world.link(0, 1);
  world.settle();
  assert.equal(world.sets[0]?.ids.size, 0); // Under way.
  world.nowMs += bounds.answerMs + 1;
  world.settle();
  world.nowMs += bounds.compareEveryMs;
  world.settle();
  assert.equal(world.sets[0]?.ids.size, 10);
  assert.deepEqual(offences, []);
});
