/**
 * Reads the report of the first process of a sandbox (sandbox/init.c): records of a tag (u8), a length (u32) and bytes.
 *
 * The report comes from inside the walls: its layout is believed no further than it is checked here.
 * Knows: the layout. Does not know: how it travels.
 */
import type { OutputFile } from "../contracts/index.ts";

export interface SandboxReport {
  /** As wait(2) has it. */
  readonly waitStatus: number;
  /** More files than it may make. */
  readonly tooManyFiles: boolean;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly residentBytes: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly outputs: readonly OutputFile[];
  readonly strange: readonly string[];
  /** An output was larger than what is left for all. */
  readonly tooLarge: boolean;
}

const HEAD_BYTES = 5;
const STATUS_BYTES = 32;
const tags = { status: 1, stdout: 2, stderr: 3, output: 4, end: 5 } as const;
const states = { file: 0, missing: 1, strange: 2, tooLarge: 3 } as const;
const US_PER_MS = 1_000;

/** What it takes beside the content: records and their heads. */
export function reportOverhead(outputs: number): number {
  return STATUS_BYTES + HEAD_BYTES * (4 + outputs) + 2 * outputs + 2;
}

/**
 * @param names of the declared outputs, in the order in which they were given to init
 * @returns undefined when it is cut off or not a report
 */
export function readReport(bytes: Buffer, names: readonly string[]): SandboxReport | undefined {
  const records = recordsOf(bytes);
  const [status, stdout, stderr, ...rest] = records ?? [];
  if (status?.tag !== tags.status || status.body.length !== STATUS_BYTES) return undefined;
  if (stdout?.tag !== tags.stdout || stderr?.tag !== tags.stderr || rest.at(-1)?.tag !== tags.end) return undefined;
  const tooManyFiles = status.body.readUInt32LE(4) !== 0;
  const told = rest.slice(0, -1);
  if (told.length !== (tooManyFiles ? 0 : names.length)) return undefined;
  const outputs: OutputFile[] = [];
  const strange: string[] = [];
  let tooLarge = false;
  for (const [at, { tag, body }] of told.entries()) {
    const name = names[at];
    if (tag !== tags.output || body.length < 2 || name === undefined) return undefined;
    const state = body[0];
    if (state === states.file) outputs.push({ name, executable: body[1] === 1, content: body.subarray(2) });
    else if (state === states.strange) strange.push(name);
    else if (state === states.tooLarge) tooLarge = true;
    else if (state !== states.missing) return undefined;
  }
  const number = (offset: number): number => Number(status.body.readBigUInt64LE(offset));
  return {
    waitStatus: status.body.readUInt32LE(0),
    tooManyFiles,
    wallMs: number(8) / US_PER_MS,
    cpuMs: number(16) / US_PER_MS,
    residentBytes: number(24),
    stdout: stdout.body,
    stderr: stderr.body,
    outputs,
    strange,
    tooLarge,
  };
}

function recordsOf(bytes: Buffer): { tag: number; body: Buffer }[] | undefined {
  const records: { tag: number; body: Buffer }[] = [];
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
