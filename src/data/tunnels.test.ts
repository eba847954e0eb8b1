import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";
import { limits, silentLog } from "../base/index.ts";
import { tlsPlanes } from "./data.fixture.ts";
import { Exposures } from "./exposures.ts";
import { Forwards } from "./forwards.ts";
import { measure, serveMeasurements } from "./measure.ts";
import { type ForwardState } from "./tunnels.ts";

const MINUTE = { timeout: 60_000 };
const OPTIONS = { host: "127.0.0.1", allowHalfOpen: true };

interface World {
  /** Where the near member's programs connect. */
  readonly port: number;
  readonly near: Forwards;
  readonly far: Exposures;
  readonly target: number;
  readonly cut: () => void;
  readonly keyNear: string;
}

/** A program at the far member, exposed to the near one, which forwards a port to it. */
async function world(t: TestContext, serve: (socket: Socket) => void): Promise<World> {
  const members = new Set<string>();
  const [a, b] = await tlsPlanes(t, members, 1, 2);
  assert.ok(a && b);
  const server = net.createServer({ allowHalfOpen: true }, (socket) => serve(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port: target } = server.address() as AddressInfo;
  const far = new Exposures({ plane: b.plane, log: silentLog, domainOf: (key) => (key === a.key ? "home" : undefined) });
  far.set([{ name: "web", host: "127.0.0.1", port: target, to: [{ kind: "domain", domain: "home" }] }]);
  const near = new Forwards({ plane: a.plane, log: silentLog });
  t.after(() => near[Symbol.dispose]());
  const port = await near.add({ host: "127.0.0.1", port: 0, member: b.key, service: "web" });
  const cut = (): void => {
    members.clear();
    for (const { plane } of [a, b]) plane.cut();
  };
  return { port, near, far, target, cut, keyNear: a.key };
}

async function connect(port: number): Promise<Socket> {
  const socket = net.connect({ ...OPTIONS, port });
  await once(socket, "connect");
  return socket;
}

/** Why a connection ended: "" for a proper end. */
function fate(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message)).once("close", () => resolve(""));
    socket.resume();
  });
}

test("large bodies both ways at once, each side ending its half when it is done", MINUTE, async (t) => {
  const { port, near, far } = await world(t, (socket) => socket.pipe(socket));
  const bodies = [randomBytes(9_000_001), randomBytes(1), Buffer.alloc(0), randomBytes(300_000)];
  await Promise.all(
    bodies.map(async (body) => {
      const socket = await connect(port);
      const back = buffer(socket);
      socket.end(body);
      assert.ok((await back).equals(body));
    }),
  );
  const total = bodies.reduce((sum, { length }) => sum + length, 0);
  const [state] = near.states();
  assert.deepEqual({ ...state?.counts, open: 0 }, { open: 0, total: bodies.length, bytesIn: total, bytesOut: total });
  assert.equal(far.counts().web?.total, bodies.length);
});

test("an answer may come long after the question has ended", MINUTE, async (t) => {
  const { port } = await world(t, (socket) => void text(socket).then((question) => sleep(200).then(() => socket.end(`${question}!`))));
  const socket = await connect(port);
  socket.end("why");
  assert.equal(await text(socket), "why!");
});

test("who reads slowly holds up the sender, not the node", MINUTE, async (t) => {
  let written = 0;
  const chunk = Buffer.alloc(65_536);
  const { port } = await world(t, (socket) => {
    const more = (): void => {
      while (written < 1_000 * chunk.length) {
        written += chunk.length;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on("drain", more);
    more();
  });
  const socket = await connect(port);
  let before = -1;
  while (before !== written) {
    before = written;
    await sleep(300, undefined, { signal: t.signal });
  }
  assert.ok(written < 500 * chunk.length, `${written} bytes were taken from a sender that nobody reads from`);
  assert.equal((await buffer(socket)).length, 1_000 * chunk.length);
});

test("a connection that breaks is not taken for one that has ended", MINUTE, async (t) => {
  const { port, cut } = await world(t, (socket) => {
    socket.write("part of it");
    socket.on("data", (bytes: Buffer) => bytes.toString() === "break" && socket.resetAndDestroy());
  });
  const broken = await connect(port);
  await once(broken, "data");
  broken.write("break");
  assert.equal(await fate(broken), "ECONNRESET");
  const revoked = await connect(port);
  await once(revoked, "data");
  cut();
  assert.equal(await fate(revoked), "ECONNRESET");
});

test("what is not exposed, not to this member, or not there: refused, and why", MINUTE, async (t) => {
  const { port, near, far, target, keyNear } = await world(t, (socket) => socket.end("hello"));
  const trouble = async (): Promise<string> => {
    const end = await fate(await connect(port));
    assert.equal(end, "ECONNRESET");
    return near.states()[0]?.trouble ?? "";
  };
  const exposure = { name: "web", host: "127.0.0.1", port: target, to: [{ kind: "member", key: keyNear }] } as const;
  far.set([]);
  assert.equal(await trouble(), "not-exposed");
  far.set([{ ...exposure, to: [{ kind: "domain", domain: "away" }] }]);
  assert.equal(await trouble(), "not-allowed");
  far.set([{ ...exposure, port: 1 }]);
  assert.match(await trouble(), /127\.0\.0\.1:1 there: connection refused/);
  far.set([exposure]);
  assert.equal(await text(await connect(port)), "hello");
  assert.equal(near.states()[0]?.trouble, "");
});

test("taking back an exposure breaks its connections, and only those", MINUTE, async (t) => {
  const { port, far, target } = await world(t, (socket) => socket.write("hello"));
  const exposure = { name: "web", host: "127.0.0.1", port: target, to: [{ kind: "all" }] } as const;
  const socket = await connect(port);
  await once(socket, "data");
  far.set([exposure, { ...exposure, name: "other" }]);
  socket.write("still there");
  await sleep(100);
  assert.equal(socket.destroyed, false);
  far.set([]);
  assert.equal(await fate(socket), "ECONNRESET");
});

test("an address that is taken is said to be; one that was forwarded before is listened on once it is free", MINUTE, async (t) => {
  const { near } = await world(t, (socket) => socket.end("hello"));
  const [state] = near.states();
  assert.ok(state);
  const other = net.createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const taken = { ...state.forward, port };
  await assert.rejects(near.add(taken), { code: "address-unavailable", facts: { address: `127.0.0.1:${port}`, why: "EADDRINUSE" } });
  const find = (): ForwardState | undefined => near.states().find(({ forward }) => forward.port === port);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  near.restore(taken);
  while (find()?.trouble === "") await immediate();
  assert.deepEqual([find()?.listening, find()?.trouble], [false, "EADDRINUSE"]);
  await new Promise((resolve) => other.close(resolve));
  t.mock.timers.tick(limits.tunnelRetryMs);
  t.mock.timers.reset();
  while (find()?.listening !== true) await immediate();
  assert.equal(await text(await connect(port)), "hello");
});

test("a path is measured both ways, and one measurement does not disturb another", MINUTE, async (t) => {
  const [a, b, c] = await tlsPlanes(t, new Set(), 1, 2, 3);
  assert.ok(a && b && c);
  serveMeasurements(b.plane);
  const { sent, received, path } = await measure(a.plane, b.key, 5_000_001, t.signal);
  assert.deepEqual([sent.bytes, received.bytes, path], [5_000_001, 5_000_001, "tls"]);
  assert.ok(sent.ms > 0 && received.ms > 0);
  const outcomes = await Promise.allSettled([measure(a.plane, b.key, 50_000_000, t.signal), measure(c.plane, b.key, 50_000_000, t.signal)]);
  assert.ok(outcomes.some(({ status }) => status === "fulfilled"));
  await assert.rejects(measure(a.plane, b.key, 9_999_999_999, t.signal), { code: "data-refused", facts: { why: "too-much" } });
});

test("a service that has made ready for a member is told when the member is gone meanwhile", MINUTE, async (t) => {
  const members = new Set<string>();
  const [a, b] = await tlsPlanes(t, members, 1, 2);
  assert.ok(a && b);
  const [asked, ready, begun] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<boolean>()];
  b.plane.serve("slow", async () => {
    asked.resolve();
    await ready.promise;
    return { kind: "ready", begin: ({ bytes }) => begun.resolve(bytes.destroyed) };
  });
  const open = assert.rejects(a.plane.open({ key: b.key, service: "slow", argument: "" }, t.signal), { code: "peer-absent" });
  await asked.promise;
  members.clear();
  b.plane.cut();
  ready.resolve();
  assert.equal(await begun.promise, true);
  await open;
});
