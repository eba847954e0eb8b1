import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { type KnownPeer, PeerSet, type PeerSetOptions } from "./peer-set.ts";

const OPTIONS: PeerSetOptions = { ...limits.peerSet, outbound: 12, attempts: 4 };

function peers(count: number, domains: number): KnownPeer[] {
  return Array.from({ length: count }, (_, at) => ({ key: `p${at}`, domain: `d${at % domains}`, subnet: `s${at % 7}` }));
}

/** Fills the links with whoever is asked for. */
function filled(known: readonly KnownPeer[], options: PeerSetOptions = OPTIONS, anchors: readonly string[] = []): PeerSet {
  const set = new PeerSet({ random: Math.random }, options, 0);
  set.know(known);
  set.return(anchors);
  for (let nowMs = 0; nowMs < 1_000; nowMs += 100) for (const key of set.wanted(nowMs)) set.linked(key, true, nowMs);
  return set;
}

type Step =
  | { readonly do: "answer" | "fail" | "lose"; readonly which: number }
  | { readonly do: "come"; readonly which: number }
  | { readonly do: "wait"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("answer" as const, "fail" as const, "lose" as const), which: fc.nat(100) }),
  fc.record({ do: fc.constant("come" as const), which: fc.nat(99) }),
  fc.record({ do: fc.constant("wait" as const), ms: fc.nat(10_000) }),
);

test("whatever happens: never more than it may have, never anybody twice, never itself out of choices while there are some", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 300 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (steps, chance) => {
        const known = peers(100, 10);
        const set = new PeerSet({ random: () => Number(chance.next().value) }, OPTIONS, 0);
        set.know(known);
        let nowMs = 0;
        const trying: string[] = [];
        const begunMs = new Map<string, number>();
        const linked: string[] = [];
        const came = new Set<string>();
        for (const { do: what, ...rest } of steps) {
          if ("ms" in rest) nowMs += rest.ms;
          else if (what === "come") {
            const key = `p${rest.which}`;
            if (linked.includes(key) || trying.includes(key)) continue;
            came.add(key);
            set.linked(key, false, nowMs);
          } else if (what === "lose") {
            const [key] = linked.splice(rest.which % (linked.length || 1), 1);
            if (key !== undefined) set.lost(key, nowMs);
          } else {
            const [key] = trying.splice(rest.which % (trying.length || 1), 1);
            if (key === undefined) continue;
            if (what === "fail") set.failed(key, nowMs);
            else {
              linked.push(key);
              const dropped = set.linked(key, true, nowMs);
              if (dropped === undefined) continue;
              assert.ok(linked.includes(dropped));
              linked.splice(linked.indexOf(dropped), 1);
              set.lost(dropped, nowMs);
            }
          }
          const late = trying.filter((key) => nowMs - (begunMs.get(key) ?? nowMs) >= OPTIONS.attemptMs);
          for (const key of late) trying.splice(trying.indexOf(key), 1);
          for (const key of set.wanted(nowMs)) {
            assert.ok(!late.includes(key));
            assert.ok(!trying.includes(key) && !linked.includes(key) && !came.has(key), key);
            trying.push(key);
            begunMs.set(key, nowMs);
          }
          assert.ok(linked.length <= OPTIONS.outbound);
          assert.ok(trying.length <= OPTIONS.attempts);
          assert.ok(set.anchors().every((key) => linked.includes(key)));
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("links are spread: no domain has two while another that answers has none", () => {
  const set = filled([...peers(1_000, 3), ...Array.from({ length: 9 }, (_, at) => ({ key: `r${at}`, domain: `rare${at}`, subnet: "s" }))]);
  const counts = Map.groupBy(set.anchors(), (key) => key);
  assert.equal(counts.size, limits.peerSet.anchors);
  const links = filled([...peers(900, 3), ...Array.from({ length: 9 }, (_, at) => ({ key: `r${at}`, domain: `rare${at}`, subnet: "s" }))], {
    ...OPTIONS,
    anchors: OPTIONS.outbound,
  }).anchors();
  for (let at = 0; at < 9; at++) assert.ok(links.includes(`r${at}`), links.join());
});

test("after a restart it returns to anchors first, and only to those who still belong", () => {
  const set = new PeerSet({ random: Math.random }, OPTIONS, 0);
  set.know(peers(100, 10));
  set.return(["p7", "gone", "p8"]);
  assert.deepEqual(set.wanted(0).slice(0, 2), ["p7", "p8"]);
});

test("who did not answer is not tried again at once; others are, now and then, when all links are chosen", () => {
  const known = peers(100, 10);
  const set = filled(known);
  assert.deepEqual(set.wanted(1_000), []);
  const [feeler = ""] = set.wanted(limits.peerSet.feelerEveryMs);
  assert.notEqual(feeler, "");
  set.failed(feeler, limits.peerSet.feelerEveryMs);
  const tried: string[] = [];
  for (let nowMs = limits.peerSet.feelerEveryMs; nowMs < limits.peerSet.retryMs; nowMs += limits.peerSet.feelerEveryMs)
    for (const key of set.wanted(nowMs)) {
      tried.push(key);
      set.failed(key, nowMs);
    }
  assert.ok(tried.length > 10 && !tried.includes(feeler));
});

test("the alarm: nobody, or few of many domains, for as long as it lasts and no sooner", () => {
  const alarm = limits.peerSet.alarmAfterMs;
  const set = new PeerSet({ random: Math.random }, OPTIONS, 0);
  assert.equal(set.isolation(10 * alarm), undefined, "who knows nobody misses nobody");
  set.know(peers(100, 10));
  assert.equal(set.isolation(10 * alarm + 1_000), undefined);
  assert.equal(set.isolation(11 * alarm), "nobody");
  set.linked("p0", true, 11 * alarm);
  set.linked("p10", true, 11 * alarm);
  assert.equal(set.isolation(12 * alarm), "few-domains");
  for (let at = 1; at < 10; at++) set.linked(`p${at}`, false, 12 * alarm);
  assert.equal(set.isolation(12 * alarm), "few-domains", "whoever came by itself proves nothing");
  for (let at = 11; at < 16; at++) set.linked(`p${at}`, true, 12 * alarm);
  assert.equal(set.isolation(12 * alarm), undefined);
  const home = new PeerSet({ random: Math.random }, OPTIONS, 0);
  home.know(peers(3, 1));
  home.linked("p1", false, 0);
  assert.equal(home.isolation(10 * alarm), undefined, "one person's machines, of which some are off");
});

test("who answers and makes no link takes nobody's place: an attempt of which nothing comes has failed", () => {
  const known = peers(200, 10);
  const set = new PeerSet({ random: Math.random }, OPTIONS, 0);
  set.know(known);
  const silent = set.wanted(0);
  assert.equal(silent.length, OPTIONS.attempts);
  assert.deepEqual(set.wanted(OPTIONS.attemptMs - 1), []);
  const linked = new Set<string>();
  for (let nowMs = OPTIONS.attemptMs; nowMs < OPTIONS.attemptMs + 1_000; nowMs += 100)
    for (const key of set.wanted(nowMs)) {
      linked.add(key);
      set.linked(key, true, nowMs);
    }
  assert.ok(linked.size >= OPTIONS.outbound);
  for (const key of silent) assert.ok(!linked.has(key));
});

test("nor does a feeler that answers and makes no link end the trials", () => {
  const set = filled(peers(200, 10));
  const [first = ""] = set.wanted(OPTIONS.feelerEveryMs);
  assert.notEqual(first, "");
  assert.deepEqual(set.wanted(OPTIONS.feelerEveryMs + OPTIONS.attemptMs - 1), []);
  const [second = ""] = set.wanted(OPTIONS.feelerEveryMs + OPTIONS.attemptMs);
  assert.ok(second !== "" && second !== first);
});
