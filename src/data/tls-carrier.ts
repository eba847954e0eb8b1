/**
 * Streams over TLS connections of their own, one connection a stream.
 *
 * Knows: how many handshakes with one member run at once. Does not know: services; see plane.ts.
 */
import { CairnError, type Key, limits } from "../base/index.ts";
import type { DataStream } from "../contracts/index.ts";
import { type Carrier, dataStream } from "./carriers.ts";
import type { TlsIdentity } from "./certificate.ts";
import { connectTls, type DataHosts } from "./tls-client.ts";
import { addressOf } from "./tls-options.ts";

export interface TlsCarrierParts {
  readonly identity: TlsIdentity;
  /** Where a member takes connections. @throws {CairnError} peer-absent */
  readonly whereIs: (key: Key, signal: AbortSignal) => Promise<DataHosts>;
}

export class TlsCarrier implements Carrier {
  readonly path = "tls";
  readonly #parts: TlsCarrierParts;
  /** Handshakes that run, and those that wait for one to end. */
  readonly #turns = new Map<Key, { running: number; readonly waiting: (() => void)[] }>();

  constructor(parts: TlsCarrierParts) {
    this.#parts = parts;
  }

  async connect(key: Key, signal: AbortSignal): Promise<DataStream> {
    const { identity, whereIs } = this.#parts;
    const there = await whereIs(key, signal);
    if (there.hosts.length === 0) throw new CairnError("peer-absent", { why: "no address leads straight to it" });
    await this.#turn(key);
    try {
      const soon = AbortSignal.any([signal, AbortSignal.timeout(limits.dataDialDeadlineMs)]);
      const socket = await connectTls(identity, key, there, soon);
      return dataStream(key, "tls", addressOf(socket), socket);
    } finally {
      this.#done(key);
    }
  }

  /** The other side takes few unproven connections at once; a browser opens many. */
  async #turn(key: Key): Promise<void> {
    const turns = this.#turns.get(key) ?? { running: 0, waiting: [] };
    this.#turns.set(key, turns);
    if (turns.running >= limits.dataHandshakes) await new Promise<void>((resolve) => turns.waiting.push(resolve));
    turns.running += 1;
  }

  #done(key: Key): void {
    const turns = this.#turns.get(key);
    if (turns === undefined) return;
    turns.running -= 1;
    const next = turns.waiting.shift();
    if (next !== undefined) next();
    else if (turns.running === 0) this.#turns.delete(key);
  }
}
