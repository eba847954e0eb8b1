/**
 * A member that listens for QUIC alone: joined, asked, used, and found again, by real daemons; and one that cannot load what speaks it.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { chooseQuic } from "../../src/net/quic-choice.ts";
import type { TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";

const { trouble } = await chooseQuic([["/ip4/127.0.0.1/udp/0/quic-v1"]]);
const OPTIONS = { ...PATIENT, skip: trouble ?? false };

interface Peer {
  readonly name: string;
  readonly address: string;
  readonly path: string;
}

async function peer(node: TestNode): Promise<Peer | undefined> {
  return ((await ask(node, "peers")).peers as Peer[])[0];
}

test("a member that listens for QUIC alone is joined, pinged and used, and dialled again after a kill", OPTIONS, async (t) => {
  const [a, b] = await Promise.all([
    machine(t, "quic-a", { CAIRN_NETWORK_LISTEN: "127.0.0.1:0/quic" }),
    machine(t, "quic-b", { CAIRN_NETWORK_LISTEN: "127.0.0.1:0 127.0.0.1:0/quic" }),
  ]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await untilConnected(t, a, "desktop");
  const laptop = await peer(b);
  assert.match(laptop?.address ?? "", /^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1$/);
  assert.equal(laptop?.path, "direct");
  assert.match((await cairn(b, "peers")).stdout, /laptop .*direct over QUIC/);
  await ask(b, "ping", "laptop");

  const file = join(dirname(a.home), "file");
  writeFileSync(file, Buffer.alloc(100_000, "stone"));
  const { cid } = await ask(a, "put", file);
  const copy = join(dirname(b.home), "copy");
  await ask(b, "get", String(cid), copy);
  assert.ok(readFileSync(file).equals(readFileSync(copy)));

  const server = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket)).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  await ask(a, "expose", String((server.address() as AddressInfo).port), "--name", "mirror");
  const { listen } = await ask(b, "forward", "0", "laptop:mirror");
  const socket = connect(Number(/:(\d+)$/.exec(String(listen))?.[1]), "127.0.0.1");
  socket.end("hello");
  assert.equal((await buffer(socket)).toString(), "hello");

  await Promise.all([a, b].map((node) => node.stopDaemon("SIGKILL")));
  await b.startDaemon();
  await a.startDaemon();
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);

  // One of them cannot load any more what speaks QUIC, and the other one speaks TCP as well.
  await Promise.all([a, b].map((node) => node.stopDaemon("SIGKILL")));
  await a.startDaemon({ CAIRN_NETWORK_LISTEN: "127.0.0.1:0 127.0.0.1:0/quic" });
  await b.startDaemon({ NODE_OPTIONS: "--no-addons" });
  await until(t, async () => /\/tcp\/\d+$/.test((await peer(b))?.address ?? ""));
  const doctor = await cairn(b, "doctor", "--network");
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /QUIC .*cannot be loaded: .*addons/);
});
