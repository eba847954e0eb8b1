/**
 * What all doors that listen at an address share: how they begin to, and who is let in.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { CairnError, type Log, limits, systemCode } from "../base/index.ts";

/** What a door shows, so that nobody listens in, and who may come in. */
export interface DoorTls {
  /** PEM: a certificate with those that vouch for it, and its key. */
  readonly certificate: string;
  readonly key: string;
  /** PEM: whoever shows a certificate that one of these vouches for may come in, and nobody else; undefined: nobody has to show any. */
  readonly clientCa: string | undefined;
}

export interface OpenAt {
  /** An IP address. */
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  /** What everybody has to show; undefined: nothing. */
  readonly token: string | undefined;
  /** Undefined: what is said can be read on its way. */
  readonly tls: DoorTls | undefined;
}

export function tlsOptions({ certificate, key, clientCa }: DoorTls): TlsOptions {
  const clients = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert: certificate, key, minVersion: "TLSv1.2", handshakeTimeout: limits.doors.headersMs, ...clients };
}

/** In the middle of something, or before it. */
const LEFT: ReadonlySet<string | undefined> = new Set(["ECONNRESET", "EPIPE", "HPE_INVALID_EOF_STATE"]);

/** Whether a connection failed because who was there went away: nobody was refused then. */
export function hasLeft(error: unknown): boolean {
  return LEFT.has(systemCode(error));
}

/** Why somebody got no TLS connection; undefined where that is not what the error is about. */
export function tlsRefusal(error: unknown, socket: object): string | undefined {
  // Node hangs up on who shows a wrong certificate, and says of it what it says of who went away.
  if ("authorizationError" in socket && typeof socket.authorizationError === "string")
    return `a certificate that is not taken: ${socket.authorizationError}`;
  const code = systemCode(error);
  return code !== undefined && /^ERR_(?:SSL|TLS)_/.test(code) ? `no TLS, or no certificate: ${code}` : undefined;
}

/** Counts with whom a server of TLS got to no connection. */
export function countTlsRefusals(server: Server, refused: (why: string) => void): void {
  server.on("tlsClientError", (error: Error, socket: Socket) => {
    const why = tlsRefusal(error, socket) ?? (hasLeft(error) ? undefined : `no TLS: ${systemCode(error) ?? error.message}`);
    if (why !== undefined) refused(why);
    socket.destroy(); // Node would keep who is too slow.
  });
}

/** @throws {CairnError} address-unavailable */
export async function listening(server: Server, door: string, { host, port, token, tls }: OpenAt, log: Log): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void =>
      reject(new CairnError("address-unavailable", { address: host, port, system: systemCode(error) ?? "" }, error));
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      resolve();
    });
  });
  server.on("error", (error) => log.event("error", "door.failed", { door, error: error.message }));
  log.event("info", "door.opened", { door, host, port: portOf(server), token: token !== undefined, tls: tlsOf(tls) });
}

function tlsOf(tls: DoorTls | undefined): string {
  return tls === undefined ? "off" : tls.clientCa === undefined ? "on" : "mutual";
}

export function portOf(server: Server): number {
  const address = server.address() as AddressInfo | null;
  return address?.port ?? 0;
}

/** Whether somebody has shown the token, without saying by the time it takes how much of it was right. */
export class TokenCheck {
  readonly #hash: Buffer | undefined;

  /** @param token undefined: nobody has to show any */
  constructor(token: string | undefined) {
    this.#hash = token === undefined ? undefined : hashOf(token);
  }

  get isNeeded(): boolean {
    return this.#hash !== undefined;
  }

  admits(shown: string): boolean {
    return this.#hash === undefined || timingSafeEqual(hashOf(shown), this.#hash);
  }
}

/** Of one length, so that comparing says nothing about that of the token. */
function hashOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
