/**
 * Reads the report of the first process of a sandbox (sandbox/report.h): records of a tag (u8), a length (u32) and bytes.
 *
 * The report comes from inside the walls: its layout is believed no further than it is checked here.
 * Knows: the layout. Does not know: how it travels.
 */
import { isUtf8 } from "node:buffer";
import { limits } from "../base/index.ts";
import type { ExecutorAction, Left, OutputFile } from "../contracts/index.ts";

export interface SandboxReport {
  /** As wait(2) has it. */
  readonly waitStatus: number;
  /** More files than it may make. */
  readonly tooManyFiles: boolean;
  /** How much of one of the places in which it may write was seen to be taken, at most. */
  readonly room: Room;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly residentBytes: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly outputs: readonly OutputFile[];
  readonly strange: readonly string[];
  /** Of a place to work in. */
  readonly left: readonly Left[];
  /** An output was larger than what is left for all. */
  readonly tooLarge: boolean;
}

/** As sandbox/init.c has it. */
export type Room = "left" | "half-taken" | "full";

const HEAD_BYTES = 5;
const STATUS_BYTES = 36;
const ROOMS: readonly Room[] = ["left", "half-taken", "full"];
const LEFT_HEAD_BYTES = 4;
const tags = { status: 1, stdout: 2, stderr: 3, output: 4, end: 5, left: 6, shownStdout: 7, shownStderr: 8 } as const;
const states = { file: 0, missing: 1, strange: 2, tooLarge: 3 } as const;
const leftStates = { file: 0, directory: 1, link: 2, strange: 3, tooLarge: 4 } as const;
const US_PER_MS = 1_000;

/** What it takes beside the content: records and their heads. */
export function reportOverhead(outputs: number): number {
  return STATUS_BYTES + HEAD_BYTES * (4 + outputs) + 2 * outputs + 2;
}

interface Told {
  readonly outputs: OutputFile[];
  readonly strange: string[];
  readonly left: Left[];
  tooLarge: boolean;
}

/** What is printed while a program runs comes before the report: who watches is told of it at once, and the rest is left. */
export class ShownRecords {
  readonly #show: NonNullable<ExecutorAction["show"]>;
  #left: Buffer = Buffer.alloc(0);
  #mostBytes: number;
  #isOver = false;

  /** @param mostBytes of both streams together; what goes beyond is no such record */
  constructor(show: NonNullable<ExecutorAction["show"]>, mostBytes: number) {
    this.#show = show;
    this.#mostBytes = mostBytes;
  }

  /** @returns what of it belongs to the report */
  take(chunk: Buffer): Buffer {
    if (this.#isOver) return chunk;
    let bytes = this.#left.length === 0 ? chunk : Buffer.concat([this.#left, chunk]);
    while (bytes.length >= HEAD_BYTES) {
      const [tag, size] = [bytes.readUInt8(0), bytes.readUInt32LE(1)];
      this.#isOver = !SHOWN_TAGS.has(tag) || size === 0 || size > Math.min(this.#mostBytes, MOST_SHOWN_BYTES);
      if (this.#isOver) return bytes;
      const end = HEAD_BYTES + size;
      if (end > bytes.length) break;
      this.#show(tag === tags.shownStdout ? "stdout" : "stderr", bytes.subarray(HEAD_BYTES, end));
      this.#mostBytes -= size;
      bytes = bytes.subarray(end);
    }
    this.#left = bytes;
    return NOTHING;
  }
}

const NOTHING = Buffer.alloc(0);
/** What the first process tells in one record. */
const MOST_SHOWN_BYTES = 65_536;
const SHOWN_TAGS: ReadonlySet<number> = new Set([tags.shownStdout, tags.shownStderr]);

interface TaggedRecord {
  readonly tag: number;
  readonly body: Buffer;
}

/**
 * @param names of the declared outputs, in the order in which they were given to init; or of none, where there was a place to work in
 * @returns undefined when it is cut off or not a report
 */
export function readReport(bytes: Buffer, names: readonly string[] | "work"): SandboxReport | undefined {
  const records = recordsOf(bytes);
  const [status, stdout, stderr, ...rest] = records ?? [];
  if (status?.tag !== tags.status || status.body.length !== STATUS_BYTES) return undefined;
  if (stdout?.tag !== tags.stdout || stderr?.tag !== tags.stderr || rest.at(-1)?.tag !== tags.end) return undefined;
  const tooManyFiles = status.body.readUInt32LE(4) !== 0;
  const told = names === "work" ? readLeft(rest.slice(0, -1)) : readOutputs(rest.slice(0, -1), tooManyFiles ? [] : names);
  if (told === undefined) return undefined;
  const room = ROOMS[status.body.readUInt32LE(32)];
  if (room === undefined) return undefined;
  const number = (offset: number): number => Number(status.body.readBigUInt64LE(offset));
  return {
    waitStatus: status.body.readUInt32LE(0),
    tooManyFiles,
    room,
    wallMs: number(8) / US_PER_MS,
    cpuMs: number(16) / US_PER_MS,
    residentBytes: number(24),
    stdout: stdout.body,
    stderr: stderr.body,
    ...told,
  };
}

function readOutputs(records: readonly TaggedRecord[], names: readonly string[]): Told | undefined {
  if (records.length !== names.length) return undefined;
  const told: Told = { outputs: [], strange: [], left: [], tooLarge: false };
  for (const [at, { tag, body }] of records.entries()) {
    const name = names[at];
    if (tag !== tags.output || body.length < 2 || name === undefined) return undefined;
    const state = body[0];
    if (state === states.file) told.outputs.push({ name, executable: body[1] === 1, content: body.subarray(2) });
    else if (state === states.strange) told.strange.push(name);
    else if (state === states.tooLarge) told.tooLarge = true;
    else if (state !== states.missing) return undefined;
  }
  return told;
}

function readLeft(records: readonly TaggedRecord[]): Told | undefined {
  const told: Told = { outputs: [], strange: [], left: [], tooLarge: records.length > limits.action.workLeft };
  for (const { tag, body } of records) {
    if (tag !== tags.left || body.length < LEFT_HEAD_BYTES) return undefined;
    const end = LEFT_HEAD_BYTES + body.readUInt16LE(2);
    if (end > body.length) return undefined;
    const [name, content] = [body.subarray(LEFT_HEAD_BYTES, end), body.subarray(end)];
    const path = name.toString("utf8");
    const state = body[0];
    if (state === leftStates.tooLarge) told.tooLarge = true;
    // Nobody could ask for what has no name in UTF-8.
    else if (state === leftStates.strange || !isUtf8(name) || !isUtf8(state === leftStates.link ? content : name)) told.strange.push(path);
    else if (state === leftStates.file) told.left.push({ kind: "file", path, content, executable: body[1] === 1 });
    else if (state === leftStates.directory) told.left.push({ kind: "directory", path });
    else if (state === leftStates.link) told.left.push({ kind: "link", path, target: content.toString("utf8") });
    else return undefined;
  }
  return told;
}

function recordsOf(bytes: Buffer): TaggedRecord[] | undefined {
  const records: TaggedRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (bytes.length - at < HEAD_BYTES) return undefined;
    const from = at + HEAD_BYTES;
    const to = from + bytes.readUInt32LE(at + 1);
    if (to > bytes.length) return undefined;
    records.push({ tag: bytes.readUInt8(at), body: bytes.subarray(from, to) });
    at = to;
  }
  return records;
}
