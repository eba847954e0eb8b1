/** Doors over TLS: who shows the right certificate is let in, and what is wrong with a file is said. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { tlsIdentity } from "../data/index.ts";
import { loadRemoteCodec } from "../wire/index.ts";
import { NO_TLS, type OpenDoors, openDoors } from "./doors.fixture.ts";

const [server, client, stranger] = [randomBytes(32), randomBytes(32), randomBytes(32)].map((seed) => tlsIdentity(seed));
assert.ok(server !== undefined && client !== undefined && stranger !== undefined);
/** Certificates of tests are about keys, not about names. */
const TRUST = { ca: server.cert, checkServerIdentity: (): undefined => undefined };

const OFF = { doorsHttpListen: "off", doorsRedisListen: "off", doorsCcacheSocket: "off", doorsGrpcListen: "off" } as const;
const REST = { doorsGrpcExecute: "off", doorsTokenFile: "" } as const;

/** The doors as the test wants them, with files that exist only then. */
async function secured(opened: OpenDoors, files: Readonly<Record<string, string>>, settings: object): Promise<void> {
  const paths = Object.entries(files).map(([name, text]) => [name, join(opened.directory, `${name}.pem`), text] as const);
  for (const [, path, text] of paths) writeFileSync(path, text);
  const named = Object.fromEntries(paths.map(([name, path]) => [name, path]));
  await opened.doors.follow({ ...OFF, ...REST, ...NO_TLS, ...settings, ...named });
}

const MUTUAL = { doorsTlsCertificate: server.cert, doorsTlsKey: server.key, doorsTlsClientCa: client.cert };
const LOCAL = "127.0.0.1";

/** @returns the status, or that there is no answer */
function status(port: number, shown: object): Promise<number | "none"> {
  return new Promise((resolve) => {
    const asked = request({ host: LOCAL, port, path: "/nx/v1/cache/1", agent: false, ...TRUST, ...shown }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", () => resolve("none"));
    asked.end();
  });
}

test("HTTP: with a certificate that is vouched for, and with no other", async () => {
  await using opened = await openDoors(OFF);
  await secured(opened, MUTUAL, { doorsHttpListen: LOCAL });
  assert.equal(await status(opened.port(), client), 404);
  assert.equal(await status(opened.port(), { ...client, headers: { host: "cache.example" } }), 404, "by any name");
  assert.equal(await status(opened.port(), {}), "none");
  assert.equal(await status(opened.port(), stranger), "none");
  assert.deepEqual(opened.counters()["door:nx:miss"], 2);
  assert.equal(opened.counters()["door:http:refused"], 2, "each counts once");
  await secured(opened, { ...MUTUAL, doorsTlsClientCa: stranger.cert }, { doorsHttpListen: LOCAL });
  assert.deepEqual([await status(opened.port(), client), await status(opened.port(), stranger)], ["none", 404], "files are read again");
});

test("Redis speaks TLS, too", async (t) => {
  await using opened = await openDoors(OFF);
  await secured(opened, MUTUAL, { doorsRedisListen: LOCAL });
  const socket = connect({ host: LOCAL, port: opened.port("redis"), ...TRUST, ...client });
  t.after(() => socket.destroy());
  socket.write("*1\r\n$4\r\nPING\r\n");
  assert.equal(String(await new Promise((resolve) => socket.once("data", resolve))), "+PONG\r\n");
});

test("gRPC: with a certificate that is vouched for, and with no other", async () => {
  await using opened = await openDoors(OFF);
  await secured(opened, MUTUAL, { doorsGrpcListen: LOCAL });
  const { path, requestSerialize, responseDeserialize } = (await loadRemoteCodec()).capabilities.GetCapabilities;
  const code = (shown: { readonly key: string; readonly cert: string } | undefined): Promise<number> => {
    const [key, cert] = shown === undefined ? [null, null] : [Buffer.from(shown.key), Buffer.from(shown.cert)];
    const credentials = grpc.credentials.createSsl(Buffer.from(server.cert), key, cert, TRUST);
    const asking = new grpc.Client(`${LOCAL}:${opened.port("grpc")}`, credentials, { "grpc.use_local_subchannel_pool": 1 });
    return new Promise<number>((resolve) => {
      asking.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, (error) => resolve(error?.code ?? grpc.status.OK));
    }).finally(() => asking.close());
  };
  assert.equal(await code(client), grpc.status.OK);
  assert.equal(await code(undefined), grpc.status.UNAVAILABLE);
  assert.equal(opened.counters()["door:bazel:refused"], 1);
  assert.equal(await code(stranger), grpc.status.UNAVAILABLE);
  assert.equal(opened.counters()["door:bazel:refused"], 2);
});

test("what is wrong with a file is said, and the door stays closed", async () => {
  await using opened = await openDoors(OFF);
  const rows: [files: Readonly<Record<string, string>>, why: RegExp][] = [
    [{ doorsTlsKey: server.key }, /doors\.tls\.certificate is to name a file/],
    [{ doorsTlsCertificate: server.cert }, /doors\.tls\.key is to name a file/],
    [{ ...MUTUAL, doorsTlsCertificate: "nothing" }, /doorsTlsCertificate\.pem holds no certificate/],
    [{ ...MUTUAL, doorsTlsClientCa: server.key }, /doorsTlsClientCa\.pem holds no certificate/],
    [{ ...MUTUAL, doorsTlsKey: server.cert }, /doorsTlsKey\.pem holds no private key/],
    [{ ...MUTUAL, doorsTlsKey: stranger.key }, /doorsTlsKey\.pem is not the key of .*doorsTlsCertificate\.pem/],
  ];
  for (const [files, why] of rows) {
    await secured(opened, files, { doorsHttpListen: LOCAL });
    const [door] = opened.doors.status();
    assert.deepEqual([door?.open, why.test(door?.why ?? "")], [false, true], `${door?.why} instead of ${why}`);
  }
  await opened.doors.follow({ ...OFF, ...REST, ...NO_TLS, doorsHttpListen: LOCAL, doorsTlsCertificate: "/nowhere.pem", doorsTlsKey: "/k" });
  assert.match(opened.doors.status()[0]?.why ?? "", /\/nowhere\.pem cannot be read: there is no such file/);
});

test("other machines are let in where clients show certificates, or a token", async () => {
  await using opened = await openDoors(OFF);
  const elsewhere = { doorsHttpListen: "192.0.2.1:0" }; // No address of this machine.
  const { doorsTlsClientCa: _, ...oneSided } = MUTUAL;
  await secured(opened, oneSided, elsewhere);
  assert.match(opened.doors.status()[0]?.why ?? "", /set doors\.tokenFile or doors\.tls\.clientCa first/);
  await secured(opened, MUTUAL, elsewhere);
  assert.equal(opened.doors.status()[0]?.why, "this machine has no such address");
});
