/**
 * Tunnels between real daemons: what programs see of them, and what they survive.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import type { TestNode } from "./harness.ts";
import { ask, cairn, invitation, listening, machine, PATIENT, three, until, untilConnected } from "./network-world.ts";

async function two(t: TestContext, domain?: string): Promise<[TestNode, TestNode]> {
  const [a, b] = await Promise.all([machine(t, "tun-a"), machine(t, "tun-b")]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a, ...(domain === undefined ? [] : ["--domain", domain])), "--machine", "desktop");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  return [a, b];
}

/** Something that listens on loopback; its port. */
async function listen(t: TestContext, server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.on("connection", (socket: Socket) => socket.on("error", () => undefined)); // Cut connections are what these tests are about.
  t.after(() => {
    if (server instanceof http.Server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Answers each request with its body, after a header that says on which connection it came. */
function mirror(): http.Server {
  const connections: Socket[] = [];
  return http.createServer((request, response) => {
    if (!connections.includes(request.socket)) connections.push(request.socket);
    response.setHeader("connection-number", connections.indexOf(request.socket));
    request.pipe(response);
  });
}

async function post(agent: http.Agent, port: number, body: Buffer): Promise<{ connection: string; same: boolean }> {
  const request = http.request({ agent, port, host: "127.0.0.1", method: "POST" });
  request.end(body);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const same = (await buffer(response)).equals(body);
  return { connection: String(response.headers["connection-number"]), same };
}

/** Forwards a free port of `from` to what `member` exposes. */
async function forwarded(from: TestNode, target: string): Promise<number> {
  const { listen: address, trouble } = await ask(from, "forward", "0", target);
  assert.equal(trouble, null);
  return Number(/:(\d+)$/.exec(String(address))?.[1]);
}

/** Resolves when a connection has ended, however. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.on("error", () => undefined).once("close", () => resolve()));
}

/** How a connection ends that says hello. */
function fate(port: number): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = net.connect(port, "127.0.0.1");
    socket.on("data", (bytes: Buffer) => {
      heard += bytes.toString();
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "")).once("close", () => resolve(heard));
    socket.write("hello");
  });
}

test("HTTP with keep-alive and large bodies both ways, many at once; both sides tell what passed", PATIENT, async (t) => {
  const [a, b] = await two(t);
  assert.equal(listening(b.pid).length, 1, "nobody has asked for the data plane yet");
  const target = await listen(t, mirror());
  await ask(b, "expose", String(target), "--name", "web");
  const port = await forwarded(a, "desktop:web");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  for (const size of [0, 10, 8_000_000, 1]) assert.deepEqual(await post(agent, port, randomBytes(size)), { connection: "0", same: true });
  const many = new http.Agent({ maxSockets: 24 });
  const answers = await Promise.all(Array.from({ length: 60 }, () => post(many, port, randomBytes(100_000))));
  assert.ok(answers.every(({ same }) => same));
  assert.match(
    (await cairn(a, "forward")).stdout,
    new RegExp(`127\\.0\\.0\\.1:${port} +desktop:web +\\d+ +\\d+ connections .*MiB in, .*MiB out +ready`),
  );
  assert.match((await cairn(b, "expose")).stdout, new RegExp(`web +127\\.0\\.0\\.1:${target} +domain home +\\d+ +\\d+ connections`));
});

test("all that a daemon listens on is loopback where its network is", PATIENT, async (t) => {
  const [a, b] = await two(t);
  await ask(a, "ping", "desktop", "--bytes", "100KB");
  await ask(b, "expose", "1");
  await cairn(a, "forward", "0", "desktop:1");
  for (const node of [a, b])
    assert.ok(
      listening(node.pid).every((address) => address.startsWith("0100007F:")),
      String(listening(node.pid)),
    );
});

test("nothing is reachable that is not exposed to who asks; each refusal says why", PATIENT, async (t) => {
  const [a, b] = await two(t, "partner");
  const echo = await listen(
    t,
    net.createServer((socket) => void socket.pipe(socket)),
  );
  const trouble = async (target: string): Promise<string> => {
    const { stdout, stderr } = await cairn(a, "forward", "0", target);
    return stdout + stderr;
  };
  assert.match(await trouble(`desktop:${echo}`), /not yet {2}desktop exposes nothing of that name/);
  await ask(b, "expose", String(echo));
  assert.match(await trouble(`desktop:${echo}`), /not yet {2}desktop exposes that, but not to this machine/);
  await ask(b, "expose", String(echo), "--to", "laptop");
  const port = await forwarded(a, `desktop:${echo}`);
  const socket = net.connect(port, "127.0.0.1");
  const cut = closed(socket);
  socket.write("hello");
  assert.equal(String((await once(socket, "data"))[0]), "hello");
  await ask(b, "expose", "--remove", String(echo));
  await cut;
  assert.equal(await fate(port), "ECONNRESET");
  assert.match((await cairn(a, "forward")).stdout, /desktop exposes nothing of that name/);
  await ask(b, "expose", "1", "--to", "home");
  const dead = await forwarded(a, "desktop:1");
  assert.equal(await fate(dead), "ECONNRESET");
  assert.match((await cairn(a, "forward")).stdout, /127\.0\.0\.1:1 there: connection refused/);
  assert.match(await trouble("nobody:80"), /nobody here is called nobody/);
  assert.match(await trouble("laptop:80"), /leads to another machine/);
  assert.match(
    (await cairn(a, "forward", String(echo), "desktop:1")).stderr,
    new RegExp(`127\\.0\\.0\\.1:${echo} cannot be listened on: something else listens there`),
  );
  assert.match((await cairn(a, "forward", String(port), "desktop:1")).stderr, /is forwarded already\n {2}cairn forward --remove/);
  assert.match((await cairn(b, "expose", "--remove", "x")).stderr, /nothing is exposed as x/);
});

test("what is exposed and forwarded outlives both daemons, wherever the member is afterwards", PATIENT, async (t) => {
  const [a, b] = await two(t);
  const echo = await listen(
    t,
    net.createServer((socket) => void socket.once("data", (bytes) => socket.end(bytes))),
  );
  await ask(b, "expose", String(echo), "--name", "echo");
  const port = await forwarded(a, "desktop:echo");
  const open = net.connect(port, "127.0.0.1");
  const broken = closed(open);
  await once(open, "connect");
  assert.equal(await fate(port), "hello");
  await b.stopDaemon("SIGKILL");
  await broken;
  await untilConnected(t, a);
  assert.equal(await fate(port), "ECONNRESET");
  assert.match((await cairn(a, "forward")).stdout, /desktop is not connected/);
  // Somebody else has its ports now.
  await b.startDaemon({ CAIRN_NETWORK_LISTEN: "127.0.0.2:0" });
  await untilConnected(t, a, "desktop");
  await until(t, async () => (await fate(port)) === "hello");
  await a.stopDaemon("SIGKILL");
  await a.startDaemon();
  await until(t, async () => (await fate(port)) === "hello");
  await ask(a, "forward", "--remove", String(port));
  assert.equal(await fate(port), "ECONNREFUSED");
});

test("a member that is revoked in the middle of a transfer is cut off within a second", PATIENT, async (t) => {
  const [a, b, c] = await three(t);
  const endless = await listen(
    t,
    net.createServer((socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
      };
      socket.on("error", () => undefined).on("drain", more);
      more();
    }),
  );
  await ask(b, "expose", String(endless));
  const port = await forwarded(c, `desktop:${endless}`);
  const socket = net.connect(port, "127.0.0.1").on("error", () => undefined);
  let received = 0;
  socket.on("data", (bytes: Buffer) => {
    received += bytes.length;
  });
  await until(t, () => Promise.resolve(received > 10_000_000));
  const ended = closed(socket).then(() => performance.now());
  await ask(a, "revoke", "ci");
  const revokedAt = performance.now();
  t.diagnostic(`the transfer ended ${Math.round((await ended) - revokedAt)} ms after the revocation was confirmed`);
  // What cut it off may have come before word of why.
  await until(t, async () => (await cairn(c, "ping", "desktop", "--bytes", "1KB")).stderr.includes("this machine was revoked"));
});

/** Loaded into a daemon before all else: its threads end on a signal, as if they had crashed. */
const ENDS_THREADS = `data:text/javascript,${encodeURIComponent(
  'process.on("worker", (worker) => process.on("SIGUSR2", () => void worker.terminate()))',
)}`;

test("a data plane that crashes comes back by itself, with what was forwarded and what was exposed", PATIENT, async (t) => {
  const crashing = { NODE_OPTIONS: `--import=${ENDS_THREADS}` };
  const [a, b] = await Promise.all([machine(t, "tun-a", crashing), machine(t, "tun-b", crashing)]);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  const server = net.createServer((socket) => void socket.once("data", (bytes) => socket.end(bytes)));
  const echo = await listen(t, server);
  await ask(b, "expose", String(echo), "--name", "echo");
  const port = await forwarded(a, "desktop:echo");
  for (const [node, who] of [
    [a, "who forwards"],
    [b, "who exposes"],
  ] as const) {
    assert.equal(await fate(port), "hello", who);
    const through = once(server, "connection");
    const broken = closed(net.connect(port, "127.0.0.1"));
    await through;
    process.kill(node.pid, "SIGUSR2");
    await broken;
    await until(t, async () => (await fate(port)) === "hello");
    assert.ok(node.events("data.thread-started").length > 1, who);
  }
});
