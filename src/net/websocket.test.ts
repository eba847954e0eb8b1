/**
 * WebSocket: members over it, how connections end, and what strangers get.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MultiaddrConnection, Upgrader } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { WebSocket } from "ws";
import { limits } from "../base/index.ts";
import { Doorman } from "./doorman.ts";
import { sayHello } from "./handshake.ts";
import { makeLibp2p } from "./libp2p.ts";
import { codec, dialler, founded, join, seedOf, start, until } from "./network.fixture.ts";
import { Newcomers } from "./newcomers.ts";
import { portOf } from "./ports.ts";
import { openWebSocket, WebSocketConnection } from "./websocket-connection.ts";
import { WebSocketListener } from "./websocket-listener.ts";

const ON_WEBSOCKET = [["/ip4/127.0.0.1/tcp/0/ws"]];
const { logger } = await makeLibp2p({ refuses: () => false, isFamiliar: () => false }, { seed: seedOf(9), listen: [] });
const OPTIONS = { timeout: 60_000 };

test("a node that listens for WebSockets alone is joined, met by a third, and comes back by its saved address", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1), new Map(), ON_WEBSOCKET);
  assert.match(a.network.addresses.join(), /^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws$/);
  const b = await join(t, 2, a);
  const c = await join(t, 3, a, ON_WEBSOCKET);
  await until(t, () => b.network.connected(c.members.self) && c.network.connected(b.members.self));
  const link = b.network.peers().find(({ key }) => key === a.members.self);
  assert.equal(link?.state === "connected" && link.address, a.network.addresses[0]);
  assert.deepEqual(b.saved.get(a.members.self)?.addresses, a.network.addresses);

  a.members.issue({ kind: "revoke", member: c.members.self });
  await until(t, () => !a.network.connected(c.members.self) && !b.network.connected(c.members.self));
  const client = await dialler(t, seedOf(3), a);
  const answer = await sayHello(client, codec, { kind: "member", network: a.members.network, proof: [] });
  assert.deepEqual(answer, { kind: "refused", reason: "revoked" });
  await until(t, () => client.status !== "open");
});

/** A listener whose connections are handed out as they come, and how to connect to it. */
async function listener(t: TestContext, refuses: (ip: string) => boolean = () => false, isFamiliar: (ip: string) => boolean = () => false) {
  const came: MultiaddrConnection[] = [];
  const upgrader = {
    upgradeInbound: (connection: MultiaddrConnection) => {
      came.push(connection);
      return Promise.resolve();
    },
  };
  const listening = new WebSocketListener({
    upgrader: upgrader as unknown as Upgrader,
    logger,
    doorman: new Doorman(refuses),
    newcomers: new Newcomers(isFamiliar),
  });
  await listening.listen(multiaddr("/ip4/127.0.0.1/tcp/0/ws"));
  t.after(() => listening.close());
  const port = portOf(String(listening.getAddrs()[0]))?.port ?? 0;
  const socket = (localAddress?: string): Socket => {
    const made = connect({ port, host: "127.0.0.1", ...(localAddress !== undefined && { localAddress }) });
    made.on("error", () => undefined);
    t.after(() => made.destroy());
    return made;
  };
  const open = async (localAddress?: string): Promise<{ webSocket: WebSocket; socket: Socket }> => {
    const under = socket(localAddress);
    return { webSocket: await openWebSocket(`ws://127.0.0.1:${port}/`, () => under, t.signal), socket: under };
  };
  return { came, port, socket, open };
}

function connectionOf(webSocket: WebSocket): WebSocketConnection {
  const remoteAddr = multiaddr("/ip4/127.0.0.1/tcp/1/ws");
  return new WebSocketConnection(webSocket, { remoteAddr, direction: "outbound", log: logger.forComponent("test") });
}

/** However it ends; `once` would take a reset for a failure. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.resume().once("close", () => resolve()));
}

test("an abort ends both sides at once, also of somebody who has stopped reading", OPTIONS, async (t) => {
  const { came, open } = await listener(t);
  const { webSocket, socket } = await open();
  const client = connectionOf(webSocket);
  client.pause();
  const [server] = came;
  assert.ok(server);
  while (server.send(new Uint8Array(limits.webSocketMessageBytes)));
  server.abort(new Error("over"));
  assert.equal(server.status, "aborted");
  client.resume();
  await closed(socket);
  await until(t, () => client.status !== "open");
});

test("who does not read is not sent more than buffers hold, and misses nothing", OPTIONS, async (t) => {
  const { came, open } = await listener(t);
  const client = connectionOf((await open()).webSocket);
  const [server] = came;
  assert.ok(server);
  let read = 0;
  server.addEventListener("message", ({ data }) => {
    read += data.byteLength;
  });
  server.pause();
  const piece = new Uint8Array(limits.webSocketMessageBytes);
  let sent = 0;
  for (let again = 0; again < 20; again++) {
    while (!client.writableNeedsDrain) {
      client.send(piece);
      sent += piece.length;
      assert.ok(sent < 64 * 1_048_576, "it goes on for ever");
    }
    await sleep(5); // What the system takes at first.
  }
  assert.equal(read, 0);
  server.resume();
  await until(t, () => read === sent);
});

test("a close lets what was sent arrive", OPTIONS, async (t) => {
  const { came, open } = await listener(t);
  const { webSocket } = await open();
  const client = connectionOf(webSocket);
  const [server] = came;
  assert.ok(server);
  const sent = randomBytes(1_000_000);
  const read: Uint8Array[] = [];
  server.addEventListener("message", ({ data }) => read.push(data.subarray()));
  client.send(sent);
  await client.close({ signal: t.signal });
  await until(t, () => server.status === "closed");
  assert.ok(sent.equals(Buffer.concat(read)));
});

test("whom the doorman refuses does not even get an answer", OPTIONS, async (t) => {
  const { open } = await listener(t, () => true);
  await assert.rejects(open());
});

test("what is no request for a WebSocket is answered once, and a web page's is refused", OPTIONS, async (t) => {
  const { port, came } = await listener(t);
  const asked = async (headers: Record<string, string>): Promise<[status: number | undefined, connection: string | undefined]> => {
    const [response] = (await once(request({ port, host: "127.0.0.1", headers, agent: false }).end(), "response")) as [IncomingMessage];
    response.resume();
    return [response.statusCode, response.headers.connection];
  };
  assert.deepEqual(await asked({}), [426, "close"]);
  const upgrade = {
    connection: "upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "A".repeat(22) + "==",
  };
  assert.deepEqual(await asked({ ...upgrade, origin: "https://example.com" }), [403, "close"]);
  assert.deepEqual(await asked({ ...upgrade, "sec-websocket-key": "short" }), [400, "close"]);
  assert.equal(came.length, 0);
});

test("who says nothing is cut off in time, and of them there are only so many", OPTIONS, async (t) => {
  const { socket, open } = await listener(t, undefined, (ip) => ip === "127.0.0.2");
  const silent = Array.from({ length: limits.newcomers }, () => socket());
  await Promise.all(silent.map((one) => once(one, "connect")));
  const more = socket();
  await closed(more);
  await open("127.0.0.2"); // From where members have come, they still do.
  assert.ok(
    silent.every((one) => !one.destroyed),
    "they have their time",
  );
  silent[0]?.write("GET / HTTP/1.1\r\nHost: "); // Half a request is none.
  await Promise.all(silent.map((one) => closed(one)));
  await open();
});

for (const [what, message] of [
  ["a message that is too large", Buffer.alloc(limits.webSocketMessageBytes + 1)],
  ["headers without end", undefined],
] as const)
  test(`${what} ends the connection at once`, OPTIONS, async (t) => {
    const { came, open, socket } = await listener(t);
    if (message === undefined) {
      const one = socket();
      one.write(`GET / HTTP/1.1\r\nA: ${"x".repeat(2 * limits.webSocketHeaderBytes)}`);
      await closed(one);
      return;
    }
    const { webSocket, socket: under } = await open();
    webSocket.send(message);
    await closed(under);
    assert.equal(came[0]?.status, "aborted");
  });

test("who answers something else is an error that says so, and waiting for who does not answer can be ended", OPTIONS, async (t) => {
  const server = createServer((socket) => void socket.once("data", () => socket.write("HTTP/1.1 404 Not Found\r\n\r\n"))).listen(
    0,
    "127.0.0.1",
  );
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const made = (): Socket => connect(port, "127.0.0.1");
  await assert.rejects(openWebSocket("ws://127.0.0.1/", made, t.signal), /404/);

  server.removeAllListeners("connection");
  const given = new AbortController();
  server.once("connection", () => given.abort());
  const socket = made();
  await assert.rejects(openWebSocket("ws://127.0.0.1/", () => socket, given.signal));
  assert.ok(socket.destroyed);
});
