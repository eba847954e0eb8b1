import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { multiaddr } from "@multiformats/multiaddr";
import { abortConnection } from "./abort-connection.ts";
import { makeLibp2p } from "./libp2p.ts";
import { seedOf } from "./network.fixture.ts";

test("a connection whose transport takes nothing any more ends without a throw, and is let go of", { timeout: 60_000 }, async (t) => {
  const make = (number: number): ReturnType<typeof makeLibp2p> =>
    makeLibp2p({ refuses: () => false, isFamiliar: () => false }, { seed: seedOf(number), listen: ["/ip4/127.0.0.1/tcp/0"] });
  const [a, b] = [await make(1), await make(2)];
  for (const node of [a, b]) await node.start();
  t.after(() => Promise.all([a.stop(), b.stop()]));
  const [address] = b.getMultiaddrs();
  assert.ok(address !== undefined);
  const connection = await a.dial(multiaddr(address.toString()));
  const { maConn } = connection as unknown as { maConn: { sendData: () => never } };
  maConn.sendData = () => {
    throw new Error("Cannot write to a stream that is closed");
  };
  abortConnection(connection, new Error("too late"));
  while (a.getConnections(b.peerId).length > 0) await sleep(5, undefined, { signal: t.signal });
  assert.notEqual(connection.status, "open");
});
