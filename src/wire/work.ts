/**
 * Work for others as bytes and back: schema/work.proto.
 *
 * Knows: frames and the bounds of every field. Does not know: whether a compile is harmless, who may ask, and when.
 */
import { type Digest, limits } from "../base/index.ts";
import type { ActionLimit, CompileAction, GeneralAction, Usage, Voucher, WorkerOutcome } from "../contracts/index.ts";
import {
  type Packed as PackedMessage,
  WorkActionSchema,
  WorkContentsSchema,
  type WorkDone as WorkDoneMessage,
  type WorkEnd as WorkEndMessage,
  type WorkEndSchema,
  WorkFrameSchema,
  WorkGeneralSchema,
  type WorkVoucher as WorkVoucherMessage,
} from "./generated/work_pb.ts";
import { decodeAny, encode, type Init, invalid, list, sized } from "./message-fields.ts";
import { packed, unpacked } from "./packed.ts";
import { SHARE_LENGTH_BYTES } from "./share.ts";
import { SIGNATURE_BYTES, sizeOf } from "./shared-result.ts";
import { actionMessage, actionOf, generalMessage, generalOf, numberOf } from "./work-action.ts";

type Reason = Extract<WorkerOutcome, { kind: "refused" }>["reason"];

/** A piece of a content; `size`, of the whole, is in its first one. */
export type WorkPiece =
  | { readonly absent: true }
  | { readonly absent: false; readonly size: number | undefined; readonly bytes: Uint8Array };

export interface WorkDone {
  readonly kind: "done";
  readonly exitCode: number;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly outputs: readonly { readonly name: string; readonly size: number }[];
  readonly used: Usage;
  readonly queuedMs: number;
  /** Of a general action: how long the list is of what it has left (see {@link decodeWorkLeft}), and all the files that it names. */
  readonly left?: { readonly listBytes: number; readonly contentBytes: number };
  /** Standard output, standard error, outputs, and what is left, one after the other: the beginning of it. */
  readonly body: Uint8Array;
}

export type WorkEnd = WorkDone | Exclude<WorkerOutcome, { kind: "done" | "lost" }> | { readonly kind: "cancelled" };

interface Asked {
  readonly job: number;
  /** Contents of inputs, as they came: not verified. */
  readonly along: ReadonlyMap<Digest, Uint8Array>;
  /** What all of it takes, not compressed. */
  readonly bytes: number;
}

export type WorkFrame =
  | (Asked & { readonly kind: "ask"; readonly action: CompileAction })
  | (Asked & { readonly kind: "act"; readonly action: GeneralAction })
  /** Which inputs of the action, ascending. */
  | { readonly kind: "want"; readonly job: number; readonly inputs: readonly number[] }
  | { readonly kind: "give"; readonly job: number; readonly pieces: readonly WorkPiece[] }
  | { readonly kind: "end"; readonly job: number; readonly end: WorkEnd }
  | { readonly kind: "more"; readonly job: number; readonly body: Uint8Array }
  /** @property waiting only if it waits for a slot */
  | { readonly kind: "cancel"; readonly job: number; readonly waiting: boolean }
  /** Undefined where the worker does not sign. */
  | { readonly kind: "voucher"; readonly job: number; readonly voucher: Voucher | undefined }
  /** @property waiting jobs that wait for a slot, ascending */
  | { readonly kind: "alive"; readonly waiting: readonly number[] };

const REASONS: ReadonlySet<string> = new Set<Reason>([
  ...(["bad_path", "bad_argument", "input_conflict", "input_missing", "too_much", "toolchain_unknown"] as const),
  ...(["response_file", "plugin", "other_program", "output_option", "mode_option", "linker_option", "profile"] as const),
  ...(["machine_dependent", "nested_option", "unknown_option", "bad_source", "environment", "not_shared", "system_unknown"] as const),
]);
const LIMITS: ReadonlySet<string> = new Set<ActionLimit>(["wall", "cpu", "file_size", "output", "files", "memory"]);
const { work } = limits;

/**
 * The frame of a compile that is asked for. All that is encoded here has its length in front, ready to be sent.
 *
 * @param along contents of inputs, which go without being asked for
 * @param compress where it makes them smaller; it is not worth it where bytes travel as fast as they are compressed
 * @returns undefined when it is too large to travel
 */
export function encodeWorkAsk(
  job: number,
  action: CompileAction,
  along: ReadonlyMap<Digest, Uint8Array>,
  compress: boolean,
): Uint8Array | undefined {
  if (action.inputs.length > work.inputs) return undefined;
  return asking(job, "ask", encode(WorkActionSchema, actionMessage(action, along)), compress);
}

/** The same of a general action. */
export function encodeWorkAct(
  job: number,
  action: GeneralAction,
  along: ReadonlyMap<Digest, Uint8Array>,
  compress: boolean,
): Uint8Array | undefined {
  if (action.inputs.length > work.inputs) return undefined;
  return asking(job, "act", encode(WorkGeneralSchema, generalMessage(action, along)), compress);
}

function asking(job: number, kind: "ask" | "act", plain: Uint8Array, compress: boolean): Uint8Array | undefined {
  if (plain.length > work.actionBytes) return undefined;
  const frame = framed({ job, what: { case: kind, value: pack(plain, compress) } });
  if (frame.length <= limits.shareFrameBytes) return frame;
  return compress ? undefined : asking(job, kind, plain, true);
}

/** @param inputs of the action, ascending */
export function encodeWorkWant(job: number, inputs: readonly number[]): Uint8Array {
  return framed({ job, what: { case: "want", value: { inputs: [...inputs] } } });
}

export function encodeWorkGive(job: number, pieces: readonly WorkPiece[], compress: boolean): Uint8Array {
  const messages = pieces.map((piece) =>
    piece.absent
      ? { absent: true }
      : { ...(piece.size === undefined ? {} : { size: BigInt(piece.size) }), absent: false, bytes: piece.bytes },
  );
  return framed({ job, what: { case: "give", value: pack(encode(WorkContentsSchema, { pieces: messages }), compress) } });
}

export function encodeWorkEnd(job: number, end: WorkEnd, compress: boolean): Uint8Array {
  return framed({ job, what: { case: "end", value: endMessage(end, compress) } });
}

export function encodeWorkMore(job: number, body: Uint8Array, compress: boolean): Uint8Array {
  return framed({ job, what: { case: "more", value: pack(body, compress) } });
}

export function encodeWorkCancel(job: number, waiting: boolean): Uint8Array {
  return framed({ job, what: { case: "cancel", value: { waiting } } });
}

export function encodeWorkVoucher(job: number, voucher: Voucher | undefined): Uint8Array {
  const { placed = false, startedAtMs = 0, endedAtMs = 0, signature = new Uint8Array(0) } = voucher ?? {};
  const value = { placed, startedAtMs: BigInt(startedAtMs), endedAtMs: BigInt(endedAtMs), signature };
  return framed({ job, what: { case: "voucher", value } });
}

export function encodeWorkAlive(waiting: readonly number[]): Uint8Array {
  return framed({ what: { case: "alive", value: { waiting: [...waiting] } } });
}

function pack(plain: Uint8Array, compress: boolean): { plain: Uint8Array } | { zstd: Uint8Array } {
  return compress ? packed(plain) : { plain };
}

function framed(message: Init<typeof WorkFrameSchema>): Uint8Array {
  const bytes = encode(WorkFrameSchema, message);
  const frame = Buffer.allocUnsafe(SHARE_LENGTH_BYTES + bytes.length);
  frame.writeUInt32BE(bytes.length);
  frame.set(bytes, SHARE_LENGTH_BYTES);
  return frame;
}

function endMessage(end: WorkEnd, compress: boolean): Init<typeof WorkEndSchema> {
  switch (end.kind) {
    case "done": {
      const { exitCode, stdoutBytes, stderrBytes, outputs, used, queuedMs, left, body } = end;
      const value = {
        exitCode,
        stdoutBytes: BigInt(stdoutBytes),
        stderrBytes: BigInt(stderrBytes),
        outputs: outputs.map(({ name, size }) => ({ name, size: BigInt(size) })),
        wallMs: used.wallMs,
        ...(used.cpuMs === undefined ? {} : { cpuMs: used.cpuMs }),
        ...(used.residentBytes === undefined ? {} : { residentBytes: BigInt(used.residentBytes) }),
        queuedMs,
        body: pack(body, compress),
        ...(left === undefined ? {} : { leftBytes: BigInt(left.listBytes), leftContentBytes: BigInt(left.contentBytes) }),
      };
      return { what: { case: "done", value } };
    }
    case "refused":
      return { what: { case: "refused", value: { reason: end.reason, detail: end.detail.slice(0, work.detailCharacters) } } };
    case "killed":
      return { what: { case: "killed", value: { limit: end.limit } } };
    case "busy":
      return { what: { case: "busy", value: {} } };
    case "cancelled":
      return { what: { case: "cancelled", value: {} } };
  }
}

/** @throws {CairnError} frame-invalid */
export function decodeWorkFrame(bytes: Uint8Array): WorkFrame {
  const { job, what } = decodeAny(WorkFrameSchema, bytes, limits.shareFrameBytes);
  if ((what.case === "alive") !== (job === 0)) throw invalid("job");
  switch (what.case) {
    case "ask": {
      const bytes = unpacked(what.value, work.actionBytes);
      const { action, along } = actionOf(decodeAny(WorkActionSchema, bytes, work.actionBytes));
      return { kind: "ask", job, action, along, bytes: bytes.length };
    }
    case "act": {
      const bytes = unpacked(what.value, work.actionBytes);
      const { action, along } = generalOf(decodeAny(WorkGeneralSchema, bytes, work.actionBytes));
      return { kind: "act", job, action, along, bytes: bytes.length };
    }
    case "want": {
      const inputs = list(what.value.inputs, work.inputs);
      if (inputs.length === 0 || inputs.some((input, at) => input <= (inputs[at - 1] ?? -1))) throw invalid("inputs");
      return { kind: "want", job, inputs };
    }
    case "give":
      return { kind: "give", job, pieces: piecesOf(what.value) };
    case "end":
      return { kind: "end", job, end: endOf(what.value) };
    case "more":
      return { kind: "more", job, body: unpacked(what.value, work.pieceBytes) };
    case "cancel":
      return { kind: "cancel", job, waiting: what.value.waiting };
    case "voucher":
      return { kind: "voucher", job, voucher: voucherOf(what.value) };
    case "alive": {
      const waiting = list(what.value.waiting, work.jobsPerMember);
      if (waiting.some((one, at) => one <= (waiting[at - 1] ?? 0))) throw invalid("waiting");
      return { kind: "alive", waiting };
    }
    case undefined:
      throw invalid("frame");
  }
}

function voucherOf({ placed, startedAtMs, endedAtMs, signature }: WorkVoucherMessage): Voucher | undefined {
  if (signature.length === 0) return undefined;
  return {
    placed,
    startedAtMs: numberOf(startedAtMs),
    endedAtMs: numberOf(endedAtMs),
    signature: Uint8Array.from(sized(signature, SIGNATURE_BYTES)),
  };
}

function piecesOf(message: PackedMessage): WorkPiece[] {
  const most = work.pieceBytes + work.piecesAtOnce * PIECE_OVERHEAD;
  const { pieces } = decodeAny(WorkContentsSchema, unpacked(message, most), most);
  if (pieces.length === 0) throw invalid("nothing");
  return list(pieces, work.piecesAtOnce).map(({ size, absent, bytes }) => {
    if (absent && (size !== undefined || bytes.length > 0)) throw invalid("absent");
    return absent ? { absent } : { absent, size: size === undefined ? undefined : sizeOf(size), bytes };
  });
}

/** What a piece takes beside its bytes. */
const PIECE_OVERHEAD = 32;

function endOf({ what }: WorkEndMessage): WorkEnd {
  switch (what.case) {
    case "done":
      return doneOf(what.value);
    case "refused": {
      const { reason, detail } = what.value;
      if (!isReason(reason) || detail.length > work.detailCharacters) throw invalid("reason");
      // It is shown to people.
      return { kind: "refused", reason, detail: detail.replace(/\p{Cc}/gu, "?") };
    }
    case "killed":
      if (!isLimit(what.value.limit)) throw invalid("limit");
      return { kind: "killed", limit: what.value.limit };
    case "busy":
      return { kind: "busy" };
    case "cancelled":
      return { kind: "cancelled" };
    case undefined:
      throw invalid("end");
  }
}

function doneOf(message: WorkDoneMessage): WorkDone {
  const { exitCode, stdoutBytes, stderrBytes, outputs, wallMs, cpuMs, residentBytes, queuedMs, body } = message;
  const [listBytes, contentBytes] = [sizeOf(message.leftBytes), sizeOf(message.leftContentBytes)];
  if (exitCode > 255 || body === undefined) throw invalid("done");
  if (![wallMs, cpuMs ?? 0, queuedMs].every((ms) => ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) throw invalid("time");
  return {
    kind: "done",
    exitCode,
    stdoutBytes: sizeOf(stdoutBytes),
    stderrBytes: sizeOf(stderrBytes),
    outputs: list(outputs, limits.action.outputs).map(({ name, size }) => ({ name, size: sizeOf(size) })),
    used: { wallMs, cpuMs, residentBytes: residentBytes === undefined ? undefined : numberOf(residentBytes) },
    queuedMs,
    ...(listBytes + contentBytes > 0 ? { left: { listBytes, contentBytes } } : {}),
    body: unpacked(body, work.pieceBytes),
  };
}

function isReason(text: string): text is Reason {
  return REASONS.has(text);
}

function isLimit(text: string): text is ActionLimit {
  return LIMITS.has(text);
}
