/**
 * Two planes on loopback for tests of this room, each with TLS connections of its own.
 */

import { X509Certificate } from "node:crypto";
import type { TestContext } from "node:test";
import type { Facts, Log } from "../base/index.ts";
import { loadNetworkCodec } from "../wire/index.ts";
import { dataStream } from "./carriers.ts";
import { certifiedKey, type TlsIdentity, tlsIdentity } from "./certificate.ts";
import { Plane } from "./plane.ts";
import { TlsCarrier } from "./tls-carrier.ts";
import { addressOf } from "./tls-options.ts";
import { TlsServer } from "./tls-server.ts";

const codec = await loadNetworkCodec();

export interface TestPlane {
  readonly plane: Plane;
  readonly key: string;
  readonly identity: TlsIdentity;
  readonly port: number;
  readonly events: { name: string; facts: Facts }[];
}

/** Planes with these seeds; each is a member to the others while it is in `members`. */
export async function tlsPlanes(t: TestContext, members: Set<string>, ...seeds: readonly number[]): Promise<TestPlane[]> {
  const planes: TestPlane[] = [];
  for (const seed of seeds) {
    const identity = tlsIdentity(Buffer.alloc(32, seed));
    const key = certifiedKey(new X509Certificate(identity.cert)) ?? "";
    const events: { name: string; facts: Facts }[] = [];
    const log: Log = { event: (_level, name, facts = {}) => void events.push({ name, facts }) };
    const isMember = (one: string): boolean => members.has(one);
    const whereIs = (one: string): Promise<{ port: number; hosts: string[] }> =>
      Promise.resolve({ port: planes.find((other) => other.key === one)?.port ?? 1, hosts: ["127.0.0.1"] });
    const now = (): number => performance.now();
    const plane = new Plane({ codec, log, now, isMember, carriers: [new TlsCarrier({ identity, whereIs })] });
    const server = new TlsServer(
      { log, now, isMember, accept: (from, socket) => plane.admit(dataStream(from, "tls", addressOf(socket), socket)) },
      identity,
    );
    t.after(async () => {
      plane[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    });
    members.add(key);
    planes.push({ plane, key, identity, events, port: await server.listen("127.0.0.1", [0]) });
  }
  return planes;
}
