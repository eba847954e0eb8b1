import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import tls from "node:tls";
import { dataPlaneCompliance } from "../../test/compliance/data-plane.ts";
import { limits } from "../base/index.ts";
import { tlsIdentity } from "./certificate.ts";
import { tlsPlanes } from "./data.fixture.ts";
import { connectTls } from "./tls-client.ts";
import { tlsOptions } from "./tls-options.ts";

dataPlaneCompliance("TLS", async (t) => {
  const members = new Set<string>();
  const [a, b] = await tlsPlanes(t, members, 1, 2);
  assert.ok(a && b);
  const revoke = (): void => {
    members.clear();
    for (const { plane } of [a, b]) plane.cut();
  };
  return { a: a.plane, b: b.plane, keyA: a.key, keyB: b.key, revoke };
});

test("somebody else at a member's address is not taken for it", async (t) => {
  const [a, b] = await tlsPlanes(t, new Set(), 1, 2);
  assert.ok(a && b);
  const impostor = tls.createServer({ ...tlsOptions(tlsIdentity(Buffer.alloc(32, 9))), requestCert: true }, (socket) =>
    socket.on("error", () => undefined),
  );
  await new Promise<void>((resolve) => impostor.listen(0, "127.0.0.1", resolve));
  t.after(() => impostor.close());
  const { port } = impostor.address() as net.AddressInfo;
  await assert.rejects(connectTls(a.identity, b.key, { port, hosts: ["127.0.0.1"] }, t.signal), (error: AggregateError) =>
    /somebody else/.test(String(error.errors)),
  );
});

test("a stranger gets a handshake and nothing else, silence a deadline, and crowds no cryptography", { timeout: 60_000 }, async (t) => {
  const members = new Set<string>();
  const [a] = await tlsPlanes(t, members, 1);
  assert.ok(a);
  let served = 0;
  a.plane.serve("x", async () => {
    served += 1;
    return { kind: "refused", reason: "x" };
  });
  const stranger = tls.connect({ ...tlsOptions(tlsIdentity(Buffer.alloc(32, 9))), port: a.port, host: "127.0.0.1" });
  const heard: Buffer[] = [];
  stranger.on("data", (bytes: Buffer) => heard.push(bytes)).on("error", () => undefined);
  stranger.write(Buffer.from([0, 3, 10, 1, 120])); // A request, right behind the handshake.
  await once(stranger, "close");
  const anonymous = tls.connect({
    minVersion: "TLSv1.3",
    rejectUnauthorized: false,
    ALPNProtocols: ["cairn-data/1"],
    port: a.port,
    host: "127.0.0.1",
  });
  await once(anonymous.on("error", () => undefined).resume(), "close");
  const plain = net.connect(a.port, "127.0.0.1");
  plain
    .on("error", () => undefined)
    .on("data", (bytes) => heard.push(bytes))
    .write("GET / HTTP/1.1\r\n\r\n");
  await once(plain, "close");
  const silent = net.connect(a.port, "127.0.0.1");
  await once(silent.on("error", () => undefined).resume(), "close");
  assert.equal(served, 0);
  // A TLS alert is all that anybody hears.
  assert.ok(
    heard.every((bytes) => bytes[0] === 0x15),
    Buffer.concat(heard).toString("hex"),
  );
  for (let i = 0; i < limits.unprovenPerAddress; i++) {
    const socket = net.connect(a.port, "127.0.0.1");
    await once(
      socket.on("error", () => undefined).once("connect", () => socket.destroy()),
      "close",
    );
  }
  const late = net.connect(a.port, "127.0.0.1");
  await once(late.on("error", () => undefined).resume(), "close");
  while (!a.events.some(({ facts }) => facts.why === "too-many-attempts")) {
    net
      .connect(a.port, "127.0.0.1")
      .on("error", () => undefined)
      .resume();
    await sleep(50, undefined, { signal: t.signal });
  }
});
