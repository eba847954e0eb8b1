/**
 * The overlay among real daemons on loopback: who has moved while another one was away is found by what it had told others.
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import type { TestNode } from "./harness.ts";
import { ask, invitation, machine, until } from "./network-world.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g"];
const TWO_MINUTES = { timeout: 120_000 };

interface PeerRow {
  readonly name: string;
  readonly state: string;
  readonly address: string;
  readonly knownFrom?: readonly string[];
}

async function peer(node: TestNode, name: string): Promise<PeerRow | undefined> {
  return ((await ask(node, "peers")).peers as PeerRow[]).find((row) => row.name === name);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === "object" && address !== null);
  return address.port;
}

test("a machine that moved while another was away, and is away itself now, is known there by the overlay alone", TWO_MINUTES, async (t) => {
  const nodes = await Promise.all(NAMES.map((name) => machine(t, `overlay-${name}`)));
  const [first, ...others] = nodes;
  const [moves, away] = others;
  assert.ok(first && moves && away);
  await ask(first, "init", "--machine", "a");
  for (const [at, node] of others.entries()) await ask(node, "join", await invitation(first), "--machine", NAMES[at + 1] ?? "");
  const joined = (node: TestNode): Promise<boolean> => Promise.resolve(node.events("overlay.joined").length > 0);
  for (const node of nodes) await until(t, () => joined(node));
  await until(t, async () => (await peer(away, "b"))?.state === "connected");

  await away.stopDaemon("SIGKILL");
  await moves.stopDaemon("SIGKILL");
  const port = await freePort();
  const moved = { CAIRN_NETWORK_LISTEN: `127.0.0.1:${port}` };
  await moves.startDaemon(moved);
  await until(t, () => joined(moves));
  await moves.stopDaemon("SIGKILL");

  await away.startDaemon();
  await until(t, async () => (await peer(away, "b"))?.knownFrom?.includes("overlay") === true);
  const [found] = away.events("overlay.found");
  assert.ok(Number(found?.questions) >= 1 && Number(found?.hops) >= 1, "others had to be asked");
  assert.ok(
    away.events("peer.address").some(({ source, addresses }) => source === "overlay" && String(addresses).includes(`/tcp/${port}`)),
    "and nobody else had told it",
  );

  await moves.startDaemon(moved);
  await until(t, async () => (await peer(away, "b"))?.state === "connected");
});
