import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { limits } from "../base/index.ts";
import { Pulse } from "./pulse.ts";

interface Case {
  readonly what: string;
  /** The other side answers a ping after so long; undefined: never. */
  readonly answersMs: number | undefined;
  /** Other bytes arrive so often; undefined: none do. */
  readonly bytesEveryMs: number | undefined;
  readonly forMs: number;
  readonly doubts: number;
  readonly isDead: boolean;
}

const HOUR_MS = 3_600_000;
const cases: readonly Case[] = [
  { what: "answers at once, nothing else", answersMs: 20, bytesEveryMs: undefined, forMs: HOUR_MS, doubts: 0, isDead: false },
  { what: "answers late while bytes arrive", answersMs: 9_000, bytesEveryMs: 500, forMs: HOUR_MS, doubts: 0, isDead: false },
  {
    what: "answers later than anybody waits while bytes arrive",
    answersMs: 25_000,
    bytesEveryMs: 1_900,
    forMs: HOUR_MS,
    doubts: 0,
    isDead: false,
  },
  {
    what: "answers a little late, nothing else",
    answersMs: limits.linkDoubtMs + 500,
    bytesEveryMs: undefined,
    forMs: 9_000,
    doubts: 1,
    isDead: false,
  },
  { what: "nothing at all", answersMs: undefined, bytesEveryMs: undefined, forMs: 30_000, doubts: 1, isDead: true },
];

/** A pulse in a time of its own, which `tick` moves in steps of 10 ms. */
function pulseOf(t: TestContext, answersMs: number | undefined, bytesEveryMs: number | undefined) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const seen = { nowMs: 0, doubts: 0, isDead: false, pings: 0 };
  const answer = (nonce: number): void => {
    pulse.arrived();
    pulse.pong(nonce);
  };
  const pulse: Pulse = new Pulse({
    now: () => seen.nowMs,
    send: (nonce) => {
      seen.pings += 1;
      if (answersMs !== undefined) setTimeout(() => answer(nonce), answersMs);
    },
    doubt: () => void (seen.doubts += 1),
    dead: () => {
      seen.isDead = true;
      pulse[Symbol.dispose]();
    },
  });
  t.after(() => pulse[Symbol.dispose]());
  const bytes = bytesEveryMs === undefined ? undefined : setInterval(() => pulse.arrived(), bytesEveryMs);
  const tick = (forMs: number): void => {
    for (const endMs = seen.nowMs + forMs; seen.nowMs < endMs; ) {
      seen.nowMs += 10;
      t.mock.timers.tick(10);
    }
  };
  return { pulse, seen, tick, silence: () => clearInterval(bytes) };
}

for (const { what, answersMs, bytesEveryMs, forMs, doubts, isDead } of cases)
  test(`a way that ${what}: ${isDead ? "dead" : "alive"}, doubted ${doubts} times`, (t) => {
    const { pulse, seen, tick } = pulseOf(t, answersMs, bytesEveryMs);
    pulse.ping();
    tick(forMs);
    assert.deepEqual({ doubts: seen.doubts, isDead: seen.isDead }, { doubts, isDead });
  });

test("a busy way that falls silent is doubted and dies as quickly as any", (t) => {
  const { pulse, seen, tick, silence } = pulseOf(t, undefined, 100);
  pulse.ping();
  tick(60_000);
  assert.equal(seen.doubts, 0);
  silence();
  tick(limits.pingEveryMs + limits.linkDoubtMs + 100);
  assert.equal(seen.doubts, 1);
  tick(limits.linkDoubtMs * (limits.linkDoubts + 1));
  assert.ok(seen.isDead);
});

test("somebody who pings every second does not put off the doubt", (t) => {
  const { pulse, seen, tick } = pulseOf(t, undefined, undefined);
  for (let second = 0; second < 16; second++) {
    pulse.ping();
    tick(1_000);
  }
  assert.deepEqual({ doubts: seen.doubts, isDead: seen.isDead }, { doubts: 1, isDead: true });
});

const probes: readonly { what: string; answersMs: number | undefined; bytesEveryMs: number | undefined; forMs: number; outcome: string }[] =
  [
    { what: "an answer", answersMs: 20, bytesEveryMs: undefined, forMs: 100, outcome: "proven" },
    { what: "a late answer while bytes arrive", answersMs: 12_000, bytesEveryMs: 500, forMs: 12_100, outcome: "proven" },
    { what: "a late answer and nothing else", answersMs: 3_500, bytesEveryMs: undefined, forMs: 3_000, outcome: "silent" },
    { what: "nothing", answersMs: undefined, bytesEveryMs: undefined, forMs: limits.linkProbeMs + 20, outcome: "silent" },
    {
      what: "bytes for ever, and never an answer",
      answersMs: undefined,
      bytesEveryMs: 500,
      forMs: limits.linkProbeMostMs + 20,
      outcome: "silent",
    },
  ];

for (const { what, answersMs, bytesEveryMs, forMs, outcome } of probes)
  test(`asked to prove itself, a way gives ${what}: ${outcome}`, async (t) => {
    const { pulse, tick } = pulseOf(t, answersMs, bytesEveryMs);
    const proven = pulse.proven().then(
      () => "proven",
      () => "silent",
    );
    tick(forMs);
    assert.equal(await Promise.race([proven, new Promise((resolve) => setImmediate(() => resolve("undecided")))]), outcome);
  });
