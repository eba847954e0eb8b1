/**
 * The native half of `@chainsafe/libp2p-quic`: quinn, which speaks QUIC in threads of its own, with libp2p's certificates.
 *
 * Its JavaScript half is not used, and not installed: docs/decisions/0059-quic-selectable.md has the reasons. Here are types for what is called,
 * as far as it was seen to work so.
 * Knows: which package is this machine's. Does not know: libp2p.
 */
import { createRequire } from "node:module";
import { reasonOf, systemCode } from "../base/index.ts";

export interface QuicConfig {
  /** As libp2p writes it. */
  readonly privateKeyProto: Uint8Array;
  /** Must be there, and is not looked at. */
  readonly handshakeTimeout: number;
  readonly maxIdleTimeout: number;
  readonly keepAliveInterval: number;
  /** Streams that the other side may have open. */
  readonly maxConcurrentStreamLimit: number;
  readonly maxStreamData: number;
  readonly maxConnectionData: number;
  readonly receiveBufferSize: number;
  readonly sendBufferSize: number;
}

export interface NativeStream {
  id(): string;
  /** What is there, or comes next; null when the other side has finished. @throws when it has reset the stream, or the connection ends */
  read(mostBytes: number): Promise<Uint8Array | null>;
  /** Resolves when all of it has found room in what is sent. @throws when the other side reads no more, or the connection ends */
  write(bytes: Uint8Array): Promise<void>;
  finishWrite(): Promise<void>;
  resetWrite(): Promise<void>;
  /** Waits for a read that is under way. */
  stopRead(): Promise<void>;
}

/** Ends when nothing refers to it any more. */
export interface NativeConnection {
  inboundStream(): Promise<NativeStream>;
  outboundStream(): Promise<NativeStream>;
  /** Ends it at once, and tells the other side. */
  abort(): void;
  closed(): Promise<void>;
  /** Where the other side is, and at the end who: the key that its certificate has proved. */
  remoteMultiaddr(): string;
  /** ms */
  rtt(): number;
}

export interface NativeServer {
  /** The next one whose handshake is done. @throws when it fails, or the server has been aborted */
  inboundConnection(): Promise<NativeConnection>;
  port(): number;
  abort(): Promise<void>;
}

export interface NativeClient {
  outboundConnection(ip: string, port: number): Promise<NativeConnection>;
  abort(): void;
}

export interface NativeQuic {
  readonly QuinnConfig: new (config: QuicConfig) => object;
  readonly Server: new (config: object, ip: string, port: number) => NativeServer;
  /** @param family 0 for IPv4, 1 for IPv6 */
  readonly Client: new (
    config: object,
    family: 0 | 1,
  ) => NativeClient;
}

/** What a machine may need, by `process.platform` and `process.arch`. */
const PACKAGES: ReadonlyMap<string, readonly string[]> = new Map([
  ["darwin arm64", ["darwin-arm64"]],
  ["darwin x64", ["darwin-x64"]],
  ["linux arm64", ["linux-arm64-gnu", "linux-arm64-musl"]],
  ["linux x64", ["linux-x64-gnu", "linux-x64-musl"]],
  ["win32 x64", ["win32-x64-msvc"]],
]);

export type LoadedQuic = { readonly kind: "loaded"; readonly native: NativeQuic } | { readonly kind: "absent"; readonly why: string };

export function loadQuic(): LoadedQuic {
  const packages = PACKAGES.get(`${process.platform} ${process.arch}`)?.map((name) => `@chainsafe/libp2p-quic-${name}`);
  if (packages === undefined) return { kind: "absent", why: `there is no package for ${process.platform} on ${process.arch}` };
  const require = createRequire(import.meta.url);
  let why = `neither of these is installed: ${packages.join(", ")}`;
  for (const name of packages)
    try {
      return { kind: "loaded", native: require(name) as NativeQuic };
    } catch (error) {
      if (systemCode(error) !== "MODULE_NOT_FOUND") why = reasonOf(error);
    }
  return { kind: "absent", why };
}
