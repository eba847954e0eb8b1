import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "@libp2p/interface";
import { silentLog } from "../base/index.ts";
import { codec } from "./network.fixture.ts";
import { Outbound, type OutboundParts } from "./outbound.ts";

/** RFC 8032, section 7.1, test 1: a key that is one. */
const PEER = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const HOST = { peerKey: PEER, addresses: ["/ip4/127.0.0.1/tcp/1"] };

test("a connection on which no hello was answered is not kept: each attempt has one of its own", async () => {
  const made: { status: string }[] = [];
  const connect = (): Connection => {
    const connection = {
      status: "open",
      direction: "outbound",
      streams: [],
      newStream: () => Promise.reject(new Error("not in time")),
      abort: () => (connection.status = "aborted"),
    };
    made.push(connection);
    return connection as unknown as Connection;
  };
  const parts: Partial<OutboundParts> = {
    libp2p: { getConnections: () => made, services: { dialler: { dial: async () => connect() } } } as unknown as OutboundParts["libp2p"],
    gate: { provenBy: () => undefined } as unknown as OutboundParts["gate"],
    roster: { network: PEER, proof: () => [] } as unknown as OutboundParts["roster"],
    codec,
    log: silentLog,
  };
  const outbound = new Outbound(parts as OutboundParts);
  for (let attempt = 1; attempt <= 2; attempt++) {
    await assert.rejects(outbound.dial(HOST), /not in time/);
    assert.deepEqual(
      made.map(({ status }) => status),
      Array.from({ length: attempt }, () => "aborted"),
    );
  }
});

test("while a member is dialled it is not dialled once more at the same addresses", async () => {
  const dialled: string[] = [];
  const answer = Promise.withResolvers<Connection>();
  const dial = (address: { toString(): string }): Promise<Connection> => {
    dialled.push(address.toString().replace(/\/p2p\/.*/, ""));
    return answer.promise;
  };
  const parts = { libp2p: { services: { dialler: { dial } } } } as unknown as OutboundParts;
  const outbound = new Outbound(parts);
  const elsewhere = { peerKey: PEER, addresses: ["/ip4/127.0.0.1/tcp/2"] };
  const dials = [HOST, HOST, elsewhere, elsewhere].map((host) => outbound.dial(host));
  assert.deepEqual(dialled, [...HOST.addresses, ...elsewhere.addresses]);
  answer.reject(new Error("nobody there"));
  for (const { status } of await Promise.allSettled(dials)) assert.equal(status, "rejected");
  await assert.rejects(outbound.dial(HOST));
  assert.equal(dialled.length, 3);
});
