/**
 * Getting, keeping and forgetting artifacts over HTTP, the same for every dialect: streams, never whole artifacts in memory; nothing kept
 * of what did not come whole.
 *
 * Knows: HTTP bodies, and the contracts of the store. Does not know: which tool asks, beyond its dialect.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { type Digest, limits } from "../base/index.ts";
import type { BlobRead, BlobStreams, DoorEntries, DoorEntry, Range, Received } from "../contracts/index.ts";
import type { DoorBook } from "./door-book.ts";
import type { Dialect, Refusal, Target } from "./http-dialects.ts";
import { contentRange, readRange } from "./http-ranges.ts";
import { PassingBodies } from "./passing.ts";
import { pour } from "./pour.ts";
import { Unpacking } from "./unpacking.ts";

// Compression is loaded when a client wants it.
const zlib = (): typeof import("node:zlib") => process.getBuiltinModule("node:zlib");

export interface ArtifactStore extends BlobStreams {
  isHere(digest: Digest): boolean;
  read(digest: Digest, signal?: AbortSignal): Promise<BlobRead>;
  /** Bytes of a blob that is here; undefined also where that would have to be found out. */
  sizeOf(digest: Digest): number | undefined;
}

export interface HttpArtifactsParts {
  readonly store: ArtifactStore;
  readonly entries: DoorEntries;
  readonly book: DoorBook;
  /** Whether all that an entry of a door speaks of can be had; without it, all can. */
  readonly isComplete?: (door: string, entry: DoorEntry, signal: AbortSignal) => Promise<boolean>;
  /** ms since the epoch */
  readonly now: () => number;
}

/** What is asked of an artifact. */
export interface Asked {
  readonly dialect: Dialect;
  readonly target: Exclude<Target, { kind: "question" }>;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
}

/** `refused`: nothing was answered yet. */
export type Served = { readonly kind: "answered" } | { readonly kind: "refused"; readonly why: Refusal };

const ANSWERED: Served = { kind: "answered" };
const EMPTY: Digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/** Less is not worth compressing for a transfer. */
const ZSTD_FROM_BYTES = 1_024;

export class HttpArtifacts {
  readonly #parts: HttpArtifactsParts;
  readonly #unpacking = new Unpacking();
  readonly #bodies = new PassingBodies();

  constructor(parts: HttpArtifactsParts) {
    this.#parts = parts;
  }

  /** @throws what ends the connection: the client is gone, or a blob turned out to be damaged */
  async serve(asked: Asked): Promise<Served> {
    switch (asked.request.method) {
      case "GET":
        return this.#get(asked);
      case "HEAD":
        return this.#head(asked);
      case "PUT":
        return this.#put(asked);
      case "DELETE":
        return asked.dialect.deletes ? this.#delete(asked) : refused("method");
      default:
        return refused("method");
    }
  }

  async #head({ dialect, target, response, signal }: Asked): Promise<Served> {
    const found = await this.#find(dialect, target, signal);
    response.writeHead(found === undefined ? 404 : 200, found === undefined ? { "content-length": 0 } : headersOf(dialect, found)).end();
    return ANSWERED;
  }

  async #get(asked: Asked): Promise<Served> {
    const { dialect, target, response, signal } = asked;
    const found = await this.#find(dialect, target, signal);
    if (found !== undefined && (await this.#send(asked, found))) return ANSWERED;
    this.#parts.book.note(dialect.name, "miss", nameOf(target));
    response.writeHead(404, { "content-length": 0 }).end();
    return ANSWERED;
  }

  /** @returns false where the blob is not here after all */
  async #send(asked: Asked, entry: DoorEntry): Promise<boolean> {
    const { dialect, target, request, response, signal } = asked;
    const { store, book } = this.#parts;
    const { blob, size } = entry;
    // Nobody can say here whether what is meant by If-Range is still the same.
    const part = readRange(request.headers["if-range"] === undefined ? request.headers.range : undefined, size);
    if (part.kind === "none") return this.#noSuchPart(asked, size);
    const range = part.kind === "part" ? part.range : undefined;
    const isPacked = dialect.zstd && range === undefined && size >= ZSTD_FROM_BYTES && accepts(request, "zstd");
    const headers = headersOf(dialect, entry, isPacked ? "packed" : range);
    const status = range === undefined ? 200 : 206;
    if (size <= limits.doors.smallBytes && !isPacked) {
      const read = size === 0 ? EMPTY_READ : await store.read(blob, signal);
      if (read.kind === "miss") return false;
      book.note(dialect.name, "hit", nameOf(target), range?.length ?? size, entry.from);
      response
        .writeHead(status, headers)
        .end(range === undefined ? read.bytes : read.bytes.subarray(range.from, range.from + range.length));
      return true;
    }
    await using sending = await store.send(blob, range, signal);
    if (sending === undefined) return false;
    book.note(dialect.name, "hit", nameOf(target), range?.length ?? size, entry.from);
    response.writeHead(status, headers);
    if (await pour(isPacked ? compressed(sending.bytes) : sending.bytes, response)) response.end();
    return true;
  }

  #noSuchPart({ dialect, response }: Asked, size: number): true {
    this.#parts.book.refused(dialect.name, "no such part");
    response.writeHead(416, { "content-range": contentRange(undefined, size), "content-length": 0 }).end();
    return true;
  }

  async #put(asked: Asked): Promise<Served> {
    const { dialect, target, request, response, signal } = asked;
    const declared = request.headers["content-length"];
    const length = declared === undefined ? undefined : Number(declared);
    // Without either, HTTP takes a body for an empty one.
    const isChunked = request.headers["transfer-encoding"] !== undefined;
    if (length === undefined && (dialect.demandsLength || !isChunked)) return refused("length");
    if (length !== undefined && length > limits.blobBytes) return refused("large");
    const encoding = request.headers["content-encoding"] ?? "identity";
    const isPacked = encoding === "zstd" && dialect.zstd;
    if (!isPacked && encoding !== "identity") return refused("encoding");
    const meta = echoed(dialect, request);
    if (meta === undefined) return refused("large");
    if (dialect.again === "refused" && (await this.#find(dialect, target, signal)) !== undefined) return refused("differs");
    if (request.headers.expect !== undefined) response.writeContinue();
    const size = isPacked ? sizeIn(request.headers["x-digest-sizebytes"]) : length;
    // Where it is refused, the request is still to be answered.
    using body = this.#bodies.pass(request.iterator({ destroyOnReturn: false }), signal);
    const received = await this.#receive(isPacked ? this.#unpacking.unpack(body, signal) : body, target, size, signal);
    if (received.kind === "large") return refused("large");
    if (received.kind !== "kept") return refused("content");
    if (target.kind === "entry") {
      const entry = { blob: received.digest, size: received.size, meta, at: this.#parts.now() };
      const kept = this.#parts.entries.keep(entriesOf(dialect), target.key, entry, dialect.again === "replaces");
      if (kept !== "kept" && dialect.again === "refused") return refused("differs");
    }
    this.#parts.book.note(dialect.name, "put", nameOf(target), received.size);
    response.writeHead(dialect.stored, { "content-length": 0 }).end();
    return ANSWERED;
  }

  async #receive(source: AsyncIterable<Uint8Array>, target: Target, size: number | undefined, signal: AbortSignal): Promise<Received> {
    const expected = { ...(target.kind === "blob" ? { digest: target.digest } : {}), ...(size === undefined ? {} : { size }) };
    return this.#parts.store.receive(source, expected, limits.blobBytes, signal);
  }

  #delete({ dialect, target, response }: Asked): Served {
    const gone = target.kind === "entry" && this.#parts.entries.forget(entriesOf(dialect), target.key);
    response.writeHead(gone ? 204 : 404, gone ? {} : { "content-length": 0 }).end();
    return ANSWERED;
  }

  /** What there is, and can be had with all that it speaks of. */
  async #find(dialect: Dialect, target: Asked["target"], signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { entries, isComplete } = this.#parts;
    if (target.kind === "blob") return this.#blob(target.digest, signal);
    const found = await entries.find(entriesOf(dialect), target.key, signal);
    return found === undefined || (isComplete !== undefined && !(await isComplete(entriesOf(dialect), found, signal))) ? undefined : found;
  }

  async #blob(blob: Digest, signal: AbortSignal): Promise<DoorEntry | undefined> {
    const { store } = this.#parts;
    let size = blob === EMPTY ? 0 : store.sizeOf(blob);
    if (size === undefined && store.isHere(blob)) {
      // The size of a blob that was compressed and never read is known once it is plain.
      await using sending = await store.send(blob, undefined, signal);
      size = sending?.size;
    }
    return size === undefined ? undefined : { blob, size, meta: {}, at: 0 };
  }
}

const EMPTY_READ: BlobRead = { kind: "hit", bytes: Buffer.alloc(0) };

function refused(why: Refusal): Served {
  return { kind: "refused", why };
}

function entriesOf({ name, entriesOf: other }: Dialect): string {
  return other ?? name;
}

function nameOf(target: Asked["target"]): string {
  return target.kind === "blob" ? target.digest : target.key;
}

/** @param form whether it travels compressed, or which part of it travels */
function headersOf({ contentType }: Dialect, { size, meta }: DoorEntry, form?: "packed" | Range): Record<string, string | number> {
  const kind = { "content-type": contentType, ...meta };
  if (form === "packed") return { ...kind, "content-encoding": "zstd" };
  if (form === undefined) return { ...kind, "content-length": size, "accept-ranges": "bytes" };
  return { ...kind, "content-length": form.length, "content-range": contentRange(form, size) };
}

/** What is to be said again with the bytes; undefined where that is too much. */
function echoed({ echoes }: Dialect, { headers }: IncomingMessage): Record<string, string> | undefined {
  const meta: Record<string, string> = {};
  for (const name of echoes) {
    const value = headers[name];
    if (typeof value === "string") meta[name] = value;
  }
  return JSON.stringify(meta).length > limits.doors.metaBytes ? undefined : meta;
}

function accepts(request: IncomingMessage, encoding: string): boolean {
  const header = request.headers["accept-encoding"];
  return typeof header === "string" && header.split(",").some((part) => part.trim() === encoding);
}

function sizeIn(header: string | string[] | undefined): number | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

function compressed(bytes: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return pipeline(bytes, zlib().createZstdCompress(), () => undefined); // Its reader hears of errors.
}
