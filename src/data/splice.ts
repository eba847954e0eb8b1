/**
 * Joins a local TCP connection with a stream to a member: docs/protocol/tunnel.md.
 *
 * On the stream every piece has its length before it, so that an end that was meant differs from one that happened: the local program sees
 * the same as it would see of a TCP connection of its own, a reset included.
 * Knows: two sockets, pushing back, half-closing. Does not know: who allowed it.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../base/index.ts";

const HEADER_BYTES = 4;
/** Instead of a length: the local side has ended its half; or it broke, or was reset. */
const END = 0;
const BROKEN = 0xff_ff_ff_ff;

/** Joins them until both halves have ended or one of them breaks. Bytes that wait in either are not lost. */
export function splice(local: Socket, remote: Duplex): void {
  new Splice(local, remote).begin();
}

class Splice {
  readonly #local: Socket;
  readonly #remote: Duplex;
  /** The local side has sent all that it had, and the member has. */
  #localDone = false;
  #remoteDone = false;

  constructor(local: Socket, remote: Duplex) {
    this.#local = local;
    this.#remote = remote;
  }

  begin(): void {
    const [local, remote] = [this.#local, this.#remote];
    const pieces = new Pieces({ piece: (bytes) => this.#pass(bytes), end: () => this.#ended() });
    local.setTimeout(limits.tunnelIdleMs, () => local.destroy(new Error("idle")));
    // "close" follows every error.
    local.on("error", () => undefined).once("close", () => this.#localClosed());
    remote.on("error", () => undefined).once("close", () => this.#remoteClosed());
    if (local.destroyed || remote.destroyed) return this.#break();
    local.on("data", (chunk: Buffer) => this.#send(chunk));
    local.on("drain", () => remote.resume()).once("end", () => this.#localEnded());
    remote.on("data", (chunk: Buffer) => {
      if (!pieces.take(chunk)) this.#break();
    });
    remote
      .on("drain", () => local.resume())
      .once("end", () => {
        if (!this.#remoteDone) this.#break();
      });
  }

  #send(chunk: Buffer): void {
    this.#remote.cork();
    this.#remote.write(header(chunk.length));
    const more = this.#remote.write(chunk);
    this.#remote.uncork();
    if (!more) this.#local.pause();
  }

  #pass(bytes: Buffer): void {
    if (!this.#local.write(bytes)) this.#remote.pause();
  }

  #localEnded(): void {
    this.#localDone = true;
    this.#remote.end(header(END));
  }

  #ended(): void {
    this.#remoteDone = true;
    this.#local.end();
  }

  /** What was written to the stream may still be on its way when the local side has closed. */
  #localClosed(): void {
    const remote = this.#remote;
    if ((this.#localDone && this.#remoteDone) || remote.destroyed) return;
    if (remote.writableEnded) remote.destroy();
    else remote.end(header(BROKEN), () => remote.destroy());
  }

  #remoteClosed(): void {
    if (!this.#localDone || !this.#remoteDone) this.#local.resetAndDestroy();
  }

  #break(): void {
    this.#local.resetAndDestroy();
    this.#remote.destroy();
  }
}

function header(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES);
  bytes.writeUInt32BE(length);
  return bytes;
}

/** Takes pieces out of what arrives, wherever it is cut. A piece is passed on as it comes: nothing is kept. */
class Pieces {
  readonly #parts: { readonly piece: (bytes: Buffer) => void; readonly end: () => void };
  /** Of the piece that is arriving. */
  #missing = 0;
  #header: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(parts: { readonly piece: (bytes: Buffer) => void; readonly end: () => void }) {
    this.#parts = parts;
  }

  /** @returns false when the other side's connection broke, or it does not follow the protocol */
  take(chunk: Buffer): boolean {
    for (let rest = chunk; rest.length > 0; ) {
      if (this.#ended) return false;
      if (this.#missing === 0) {
        const wanted = HEADER_BYTES - this.#header.length;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, wanted)]);
        rest = rest.subarray(wanted);
        if (this.#header.length < HEADER_BYTES) break;
        const length = this.#header.readUInt32BE();
        this.#header = Buffer.alloc(0);
        if (length === BROKEN) return false;
        this.#missing = length;
        this.#ended = length === END;
        if (this.#ended) this.#parts.end();
        continue;
      }
      const piece = rest.subarray(0, this.#missing);
      this.#missing -= piece.length;
      rest = rest.subarray(piece.length);
      this.#parts.piece(piece);
    }
    return true;
  }
}
