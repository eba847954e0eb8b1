/**
 * A member that listens for WebSockets alone: joined, seen, asked, and found again, by real daemons.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, untilConnected } from "./network-world.ts";

interface Peer {
  readonly name: string;
  readonly address: string;
  readonly path: string;
  readonly direction: string;
}

async function peers(node: TestNode): Promise<Peer[]> {
  return (await ask(node, "peers")).peers as Peer[];
}

test("a member that listens for WebSockets alone is joined, pinged, and dialled again after a kill", PATIENT, async (t) => {
  const [a, b] = await Promise.all([machine(t, "ws-a", { CAIRN_NETWORK_LISTEN: "127.0.0.1:0/ws" }), machine(t, "ws-b")]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await untilConnected(t, a, "desktop");
  const [peer] = await peers(b);
  assert.match(peer?.address ?? "", /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws$/);
  assert.deepEqual([peer?.name, peer?.path, peer?.direction], ["laptop", "direct", "outbound"]);
  assert.match((await cairn(b, "peers")).stdout, /laptop .*\/tcp\/\d+\/ws/);
  await ask(b, "ping", "laptop");

  await Promise.all([a, b].map((node) => node.stopDaemon("SIGKILL")));
  await b.startDaemon({ CAIRN_NETWORK_LISTEN: "127.0.0.1:0 127.0.0.1:0/ws" });
  await a.startDaemon();
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  const { addresses } = (await ask(b, "peers")) as { readonly addresses: string[] };
  assert.deepEqual(
    addresses.map((address) => address.replace(/\d+(\/ws)?$/, "0$1")),
    ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"],
  );
});
