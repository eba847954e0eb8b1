/**
 * The compile socket's frames as values: docs/protocol/compile-socket.md.
 *
 * Knows: the bytes. Does not know: sockets, compilers.
 */
import { CairnError, type Digest, digestOf, limits, withoutRoot } from "../base/index.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";

export const protocolVersion = 3;

const TYPE = { compile: 0x01, ran: 0x02, working: 0x80, done: 0x81, run: 0x82, pass: 0x83, stored: 0x84, refused: 0x85 } as const;

/** Why the wrapper could not answer alone; the order is the wire's. */
export const askReasons = ["no-record", "input-changed", "blob-missing", "record-unreadable", "record-unusable", "outdated"] as const;
export type AskReason = (typeof askReasons)[number];

export interface CompileRequest {
  readonly version: number;
  readonly why: AskReason;
  /** It looks at files itself where it is told what to look at, and asks again where they are others. */
  readonly checks: boolean;
  /** 64 hex digits */
  readonly key: string;
  readonly session: bigint;
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly columns: number;
  readonly cwd: string;
  readonly compiler: string;
  readonly argv: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  /** False when an argument, path or variable is not UTF-8: such a request is not ours. */
  readonly exact: boolean;
}

export interface RanReport {
  readonly job: bigint;
  /** As wait4 gives it. */
  readonly waitStatus: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly steadyNs: bigint;
  readonly cpuUs: bigint;
  readonly maxRssKb: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  /** What the compiler wrote to the file that an empty argument of RUN stands for. */
  readonly dependencies: Buffer;
}

const HEADER_BYTES = 5;

export type WrapperFrame =
  | { readonly kind: "compile"; readonly request: CompileRequest }
  | { readonly kind: "ran"; readonly report: RanReport };

export type DaemonFrame =
  | { readonly kind: "working" }
  | { readonly kind: "done"; readonly record: Uint8Array }
  | {
      readonly kind: "run";
      readonly job: bigint;
      /** Another machine has it, too: `done` may follow while the compiler runs. */
      readonly rivalled: boolean;
      readonly args: readonly string[];
      readonly environment: readonly string[];
    }
  | { readonly kind: "pass"; readonly reason: string }
  | { readonly kind: "stored"; readonly taken: boolean }
  | { readonly kind: "refused"; readonly why: string };

/** Cuts a byte stream into frames. Keeps at most one unfinished frame. */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #pendingBytes = 0;
  /** Below so many bytes there is no frame: pieces are joined once, however many they are. */
  #wantedBytes = HEADER_BYTES;

  /** Bytes of the unfinished frame. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** @throws {CairnError} frame-invalid when a frame is larger than limits.frameBytes */
  push(chunk: Buffer): { type: number; payload: Buffer }[] {
    this.#chunks.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes < this.#wantedBytes) return [];
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const frames: { type: number; payload: Buffer }[] = [];
    this.#wantedBytes = HEADER_BYTES;
    while (bytes.length >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(0);
      if (length > limits.frameBytes) throw new CairnError("frame-invalid", { why: "too large", bytes: length });
      const end = HEADER_BYTES + length;
      if (bytes.length < end) {
        this.#wantedBytes = end;
        break;
      }
      frames.push({ type: bytes.readUInt8(4), payload: bytes.subarray(HEADER_BYTES, end) });
      bytes = bytes.subarray(end);
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#pendingBytes = bytes.length;
    return frames;
  }
}

/** @throws {CairnError} frame-invalid */
export function readWrapperFrame(type: number, payload: Buffer): WrapperFrame {
  if (type === TYPE.compile) return { kind: "compile", request: readCompile(payload) };
  if (type === TYPE.ran) return { kind: "ran", report: readRan(payload) };
  throw new CairnError("frame-invalid", { why: "unknown type", type });
}

function readCompile(payload: Buffer): CompileRequest {
  const reader = new ByteReader(payload);
  const version = reader.u16();
  // Another version may have laid out all that follows differently.
  if (version !== protocolVersion) return { ...EMPTY_REQUEST, version };
  const why = askReasons[reader.u8()] ?? "record-unusable";
  const checks = (reader.u8() & 1) !== 0;
  const key = reader.bytes(32).toString("hex");
  const session = reader.u64();
  const terminals = reader.u8();
  reader.u8();
  const columns = reader.u16();
  let exact = true;
  const text = (): string => {
    const read = reader.text();
    exact &&= read.exact;
    return read.text;
  };
  const cwd = text();
  const compiler = text();
  const argv = list(reader, text);
  const environment = new Map<string, string>();
  for (const assignment of list(reader, text)) {
    const equals = assignment.indexOf("=");
    if (equals > 0) environment.set(assignment.slice(0, equals), assignment.slice(equals + 1));
  }
  reader.end();
  const stderrIsTerminal = (terminals & 1) !== 0;
  const stdoutIsTerminal = (terminals & 2) !== 0;
  return { version, why, checks, key, session, stderrIsTerminal, stdoutIsTerminal, columns, cwd, compiler, argv, environment, exact };
}

const EMPTY_REQUEST: CompileRequest = {
  version: 0,
  why: "record-unusable",
  checks: false,
  key: "",
  session: 0n,
  stderrIsTerminal: false,
  stdoutIsTerminal: false,
  columns: 0,
  cwd: "",
  compiler: "",
  argv: [],
  environment: new Map(),
  exact: false,
};

/** Nothing is asked while something is written. */
const requestWriter = new ByteWriter(8_192);

const MOVABLE = Buffer.from("CAIRNMV1", "latin1");

type HashedPart = Pick<CompileRequest, "stderrIsTerminal" | "stdoutIsTerminal" | "columns" | "cwd" | "compiler" | "argv" | "environment">;

/** What a request is known by, whoever makes it. @param request of which all strings are UTF-8 */
export function requestKey(request: HashedPart): Digest {
  return hashed(requestWriter.restart(), request, (text) => text);
}

/**
 * What a request is known by in every checkout: docs/protocol/hot-record.md.
 *
 * @param request of which all strings are UTF-8
 * @param root of the checkout, absolute
 */
export function movableKey(request: HashedPart, root: string): Digest {
  return hashed(requestWriter.restart().bytes(MOVABLE), request, (text) => withoutRoot(text, root));
}

function hashed(writer: ByteWriter, request: HashedPart, spell: (text: string) => string): Digest {
  const { stderrIsTerminal, stdoutIsTerminal, columns, cwd, compiler, argv, environment } = request;
  writer
    .u8((stderrIsTerminal ? 1 : 0) | (stdoutIsTerminal ? 2 : 0))
    .u8(0)
    .u16(columns);
  const assignments = [...environment].map(([name, value]) => `${name}=${value}`);
  writer.text32(spell(cwd)).text32(spell(compiler)).u32(argv.length);
  for (const argument of argv) writer.text32(spell(argument));
  writer.u32(assignments.length);
  for (const assignment of assignments) writer.text32(spell(assignment));
  const key = digestOf(writer.view());
  writer.restart(); // Now, since a lot is let go of, and the next may be long in coming.
  return key;
}

function list(reader: ByteReader, item: () => string): string[] {
  const count = reader.u32();
  if (count > limits.compilerArguments) throw new CairnError("frame-invalid", { why: "too many items", count });
  const items: string[] = [];
  for (let i = 0; i < count; i++) items.push(item());
  return items;
}

function readRan(payload: Buffer): RanReport {
  const reader = new ByteReader(payload);
  const report: RanReport = {
    job: reader.u64(),
    waitStatus: reader.u32(),
    startNs: reader.u64(),
    endNs: reader.u64(),
    steadyNs: reader.u64(),
    cpuUs: reader.u64(),
    maxRssKb: reader.u32(),
    stdout: reader.block(),
    stderr: reader.block(),
    dependencies: reader.block(),
  };
  reader.end();
  return report;
}

export function writeDaemonFrame(frame: DaemonFrame): Buffer {
  const writer = new ByteWriter(frame.kind === "done" ? frame.record.length + 5 : 256);
  writer.u32(0).u8(TYPE[frame.kind]);
  writeBody(writer, frame);
  writer.patchU32(0, writer.length - 5);
  return writer.view();
}

function writeBody(writer: ByteWriter, frame: DaemonFrame): void {
  switch (frame.kind) {
    case "working":
      return;
    case "done":
      writer.bytes(frame.record);
      return;
    case "run":
      writer.u64(frame.job).u8(frame.rivalled ? 1 : 0);
      for (const texts of [frame.args, frame.environment]) {
        writer.u16(texts.length);
        for (const text of texts) writer.text32(text);
      }
      return;
    case "pass":
      writer.text32(frame.reason);
      return;
    case "stored":
      writer.u8(frame.taken ? 1 : 0);
      return;
    case "refused":
      writer.text32(frame.why);
      return;
  }
}
