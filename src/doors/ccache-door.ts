/**
 * The door for ccache 4.13 and newer: its own protocol for storage helpers, version 1, over a Unix socket that only its owner may reach
 * (docs/doors.md). `remote_storage = crsh:PATH` needs no helper program in between.
 *
 * Knows: the protocol. Does not know: where artifacts are kept. Keys are those of ccache over HTTP, so that both find the same.
 */

import type { Socket } from "node:net";
import { endianness } from "node:os";
import { CairnError, type Log, limits, reasonOf } from "../base/index.ts";
import type { DoorEntries } from "../contracts/index.ts";
import { ByteReader } from "./byte-reader.ts";
import { Callers } from "./callers.ts";
import type { DoorBook } from "./door-book.ts";
import type { ArtifactStore } from "./http-artifacts.ts";
import { pour, say } from "./pour.ts";

const DOOR = "ccache";
/** Protocol 1; two capabilities: get, put and remove; info. */
const GREETING = Uint8Array.of(1, 2, 0, 1);
const [OK, NOOP, FAILED] = [Uint8Array.of(0), Uint8Array.of(1), 2] as const;
const [GET, PUT, REMOVE, STOP, INFO] = [0, 1, 2, 3, 4] as const;
const OVERWRITE = 1;

export interface CcacheDoorParts {
  readonly store: ArtifactStore;
  readonly entries: DoorEntries;
  readonly book: DoorBook;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface CcacheDoorOptions {
  /** Of the socket; nothing lies there. */
  readonly path: string;
  /** What this is called. */
  readonly identity: string;
}

export class CcacheDoor implements AsyncDisposable {
  readonly #parts: CcacheDoorParts;
  readonly #identity: string;
  readonly #callers: Callers;

  static async open(parts: CcacheDoorParts, { path, identity }: CcacheDoorOptions): Promise<CcacheDoor> {
    const door = new CcacheDoor(parts, identity);
    await new Promise<void>((resolve, reject) => {
      door.#callers.server.once("error", reject);
      door.#callers.server.listen({ path }, resolve);
    });
    parts.log.event("info", "door.opened", { door: DOOR, path });
    return door;
  }

  private constructor(parts: CcacheDoorParts, identity: string) {
    this.#parts = parts;
    this.#identity = identity;
    const refused = (why: string): void => parts.book.refused(DOOR, why);
    this.#callers = new Callers({ serve: (socket, gone) => this.#serve(socket, gone), refused }, { ...limits.doors, tls: undefined });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#callers[Symbol.asyncDispose]();
    this.#parts.log.event("info", "door.closed", { door: DOOR });
  }

  async #serve(socket: Socket, gone: AbortSignal): Promise<void> {
    socket.write(GREETING);
    const reader = new ByteReader(socket);
    try {
      while (!socket.destroyed && (await reader.waits())) if (!(await this.#answer(reader, socket, gone))) break;
      socket.end();
    } catch (error) {
      if (socket.destroyed) return;
      const why = error instanceof CairnError ? String(error.facts.what ?? error.code) : reasonOf(error);
      this.#parts.book.refused(DOOR, why);
      // What else this client sends cannot be told apart any more.
      socket.end(Buffer.concat([Uint8Array.of(FAILED), message(why)]));
    }
  }

  /** @returns whether the client may ask on */
  async #answer(reader: ByteReader, socket: Socket, signal: AbortSignal): Promise<boolean> {
    const [kind] = await reader.take(1);
    switch (kind) {
      case GET:
        await this.#get(await readKey(reader), socket, signal);
        return true;
      case PUT:
        await say(await this.#put(await readKey(reader), reader, signal), socket);
        return true;
      case REMOVE:
        await say(this.#parts.entries.forget(DOOR, await readKey(reader)) ? OK : NOOP, socket);
        return true;
      case INFO:
        await say(Buffer.concat([message(this.#identity), Uint8Array.of(0)]), socket);
        return true;
      case STOP:
        // A helper would end. This daemon serves others, too.
        socket.write(OK);
        return false;
      default:
        throw new CairnError("frame-invalid", { what: "request" });
    }
  }

  async #get(key: string, socket: Socket, signal: AbortSignal): Promise<void> {
    const { store, entries, book } = this.#parts;
    const entry = await entries.find(DOOR, key, signal);
    await using sending = entry === undefined ? undefined : await store.send(entry.blob, undefined, signal);
    book.note(DOOR, sending === undefined ? "miss" : "hit", key, sending?.size, entry?.from);
    if (sending === undefined) return await say(NOOP, socket);
    await say(Buffer.concat([OK, numberOf(sending.size)]), socket);
    await pour(sending.bytes, socket);
  }

  async #put(key: string, reader: ByteReader, signal: AbortSignal): Promise<Uint8Array> {
    const { store, entries, book, now } = this.#parts;
    const [flags = 0] = await reader.take(1);
    const size = readNumber(await reader.take(8));
    if (size > limits.blobBytes) throw new CairnError("frame-invalid", { what: "value" });
    const received = await store.receive(reader.stream(size), { size }, limits.blobBytes, signal);
    if (received.kind !== "kept") return NOOP;
    const kept = entries.keep(DOOR, key, { blob: received.digest, size, meta: {}, at: now() }, (flags & OVERWRITE) !== 0);
    if (kept !== "kept") return NOOP;
    book.note(DOOR, "put", key, size);
    return OK;
  }
}

/** In hexadecimal digits. @throws {CairnError} frame-invalid */
async function readKey(reader: ByteReader): Promise<string> {
  const [length = 0] = await reader.take(1);
  if (length === 0) throw new CairnError("frame-invalid", { what: "key" });
  return (await reader.take(length)).toString("hex");
}

/** A number of 8 bytes in this machine's own order; what is too large is larger than any limit. */
function readNumber(bytes: Buffer): number {
  return Number(endianness() === "LE" ? bytes.readBigUInt64LE() : bytes.readBigUInt64BE());
}

function numberOf(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  if (endianness() === "LE") bytes.writeBigUInt64LE(BigInt(value));
  else bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function message(text: string): Buffer {
  const bytes = Buffer.from(text).subarray(0, 255);
  return Buffer.concat([Uint8Array.of(bytes.length), bytes]);
}
