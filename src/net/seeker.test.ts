import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { limits, silentLog } from "../base/index.ts";
import type { Link } from "./link.ts";
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

test("a member that ends its link with this node soon each time, as one with few links does, is dialled ever more rarely", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const { guestMs, shortMs } = limits.peerSet;
  let [nowMs, dials, linked] = [0, 0, false];
  const link = { key: "b", facts: { direction: "outbound" } } as unknown as Link;
  const parts: Partial<SeekerParts> = {
    roster: { self: "a", standing: () => "active", others: () => ["b"] } as unknown as SeekerParts["roster"],
    book: { host: () => HOST, knows: () => true, sources: () => [] } as unknown as SeekerParts["book"],
    links: { has: () => linked, all: () => [], get: () => undefined, probe: () => undefined } as unknown as SeekerParts["links"],
    reach: () => {
      dials += 1;
      linked = true;
      seeker.linked(link);
      return Promise.resolve();
    },
    domainOf: () => "",
    anchors: { load: () => [], save: () => undefined },
    log: silentLog,
    now: () => nowMs,
    random: () => 0.5,
  };
  using seeker = new Seeker(parts as SeekerParts, { ...limits.peerSet, most: limits.peers });
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    t.mock.timers.tick(ms);
    await turn();
  };
  const end = (why: string): void => {
    linked = false;
    seeker.lost("b", why);
    seeker.dialable("b", true);
  };
  seeker.seek();
  await pass(0);
  for (let passedMs = 0; passedMs < 20 * guestMs; passedMs += guestMs) {
    await pass(guestMs);
    if (linked) end("closed by peer");
  }
  assert.ok(dials <= 10, `${dials} dials while others were of more use`);
  await pass(limits.redialMostMs);
  assert.ok(linked);
  const before = dials;
  await pass(shortMs);
  end("closed by peer");
  await pass(limits.redialSpacingMs);
  assert.equal(dials, before + 1, "a link that has lasted is looked for at once");
});
