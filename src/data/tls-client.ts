/**
 * A TLS connection to a member at one of its addresses: the first at which the member itself answers.
 *
 * Knows: sockets, and whose key must be at the other end. Does not know: how the addresses were learnt.
 */
import tls, { type TLSSocket } from "node:tls";
import { asError, CairnError, type Key } from "../base/index.ts";
import { certifiedKey, type TlsIdentity } from "./certificate.ts";
import { socketOptions, tlsOptions } from "./tls-options.ts";

/** Where a member may take connections. */
export interface DataHosts {
  /** IP addresses. */
  readonly hosts: readonly string[];
  readonly port: number;
}

/**
 * Tries all hosts at once: they are few, and most of those that are wrong do not answer at all.
 *
 * @throws {AggregateError} when the member is at none of them; or the reason of the signal
 */
export async function connectTls(identity: TlsIdentity, key: Key, { hosts, port }: DataHosts, signal: AbortSignal): Promise<TLSSocket> {
  const enough = new AbortController();
  const either = AbortSignal.any([signal, enough.signal]);
  const attempts = hosts.map((host) => connectOne(identity, key, host, port, either));
  try {
    const socket = await Promise.any(attempts);
    // A second one may have come at the same moment.
    for (const attempt of attempts) attempt.then((other) => other !== socket && other.destroy()).catch(() => undefined);
    return socket;
  } finally {
    enough.abort();
  }
}

function connectOne(identity: TlsIdentity, key: Key, host: string, port: number, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(asError(signal.reason));
    const socket = tls.connect({ ...tlsOptions(identity), ...socketOptions, host, port });
    const fail = (error: unknown): void => {
      socket.destroy();
      reject(asError(error));
    };
    const late = (): void => fail(signal.reason);
    signal.addEventListener("abort", late);
    socket.once("error", fail);
    socket.once("close", () => {
      signal.removeEventListener("abort", late);
      fail(new CairnError("peer-absent", { why: "connection closed" }));
    });
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", late);
      if (certifiedKey(socket.getPeerX509Certificate()) !== key)
        return fail(new CairnError("peer-absent", { why: "somebody else is at its address" }));
      resolve(socket); // Whatever breaks it later, "close" tells, too.
    });
  });
}
