/**
 * What both sides of a TLS connection of the data plane are set to, and why.
 */
import type { Socket } from "node:net";
import type { CommonConnectionOptions, SecureContextOptions } from "node:tls";
import { limits } from "../base/index.ts";
import type { TlsIdentity } from "./certificate.ts";

/** Of the TCP connection below. */
export const socketOptions: {
  readonly allowHalfOpen: true;
  readonly noDelay: true;
  readonly keepAlive: true;
  readonly keepAliveInitialDelay: number;
} = {
  allowHalfOpen: true, // Each side ends its own half.
  noDelay: true, // Small requests do not wait for more of their kind.
  keepAlive: true, // A machine that vanished is noticed although nothing is sent to it.
  keepAliveInitialDelay: limits.dataKeepAliveMs,
};

/** rejectUnauthorized is off since no authority vouches for members: the certificate's key is compared instead, by whoever uses this. */
export function tlsOptions(identity: TlsIdentity): CommonConnectionOptions & SecureContextOptions {
  return {
    ...identity,
    minVersion: "TLSv1.3",
    // 128 bits are enough, and a tenth quicker than 256.
    ciphers: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384",
    ALPNProtocols: ["cairn-data/1"],
    rejectUnauthorized: false,
  };
}

/** Of the other side, for people. */
export function addressOf({ remoteFamily, remoteAddress = "", remotePort = 0 }: Socket): string {
  return remoteFamily === "IPv6" ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
