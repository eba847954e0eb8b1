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
