import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { limits, silentLog } from "../base/index.ts";
import { Seeker, type SeekerParts } from "./seeker.ts";

const HOST = { peerKey: "b", addresses: ["/ip4/127.0.0.1/tcp/1"] };

test("whom dialling has not linked is dialled again: the connection that was there was the one whose link had ended", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let dials = 0;
  let linked = false;
  const parts: Partial<SeekerParts> = {
    roster: { self: "a", standing: () => "active", others: () => ["b"] } as unknown as SeekerParts["roster"],
    book: { host: () => HOST, knows: () => true, sources: () => [] } as unknown as SeekerParts["book"],
    links: { has: () => linked, all: () => [], get: () => undefined, probe: () => undefined } as unknown as SeekerParts["links"],
    reach: () => {
      dials += 1;
      linked = dials === 3;
      return Promise.resolve();
    },
    domainOf: () => "",
    anchors: { load: () => [], save: () => undefined },
    log: silentLog,
    now: () => 0,
    random: () => 0.5,
  };
  using seeker = new Seeker(parts as SeekerParts, { ...limits.peerSet, most: limits.peers });
  seeker.seek();
  for (let at = 0; at < 10; at++) {
    t.mock.timers.tick(limits.redialMostMs);
    await turn();
  }
  assert.equal(dials, 3);
});

test("where links are chosen, members that are reached and make none do not keep others from being dialled", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { attempts, attemptMs } = limits.peerSet;
  let nowMs = 0;
  const members = Array.from({ length: 4 * attempts }, (_, at) => `m${at}`);
  const reached = new Set<string>();
  const parts: Partial<SeekerParts> = {
    roster: { self: "a", standing: () => "active", others: () => members } as unknown as SeekerParts["roster"],
    book: { host: () => HOST, knows: () => true, sources: () => [] } as unknown as SeekerParts["book"],
    links: { has: () => false, all: () => [], get: () => undefined, probe: () => undefined } as unknown as SeekerParts["links"],
    reach: (key) => {
      reached.add(key);
      return Promise.resolve();
    },
    domainOf: (key) => key,
    anchors: { load: () => [], save: () => undefined },
    log: silentLog,
    now: () => nowMs,
    random: () => 0.5,
  };
  using seeker = new Seeker(parts as SeekerParts, { ...limits.peerSet, most: attempts });
  seeker.begin();
  for (let looks = 0; looks * limits.peerLookMs < 4 * attemptMs; looks++) {
    nowMs += limits.peerLookMs;
    t.mock.timers.tick(limits.peerLookMs);
    await turn();
  }
  assert.equal(reached.size, members.length);
});
