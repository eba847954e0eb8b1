/**
 * The hits log: what compiler wrappers did without asking. docs/protocol/hot-record.md.
 *
 * Knows: the bytes. Does not know: what hits are good for.
 */
import { ByteReader } from "./bytes.ts";

/** Why a wrapper executed a compiler without asking; the order is the log's. */
const passedFor = ["called_for_link", "called_for_preprocessing", "called_for_information", "output_in_the_way"] as const;

/** One hit that the wrapper served alone, or a compiler that it executed without asking. */
export interface LoggedHit {
  readonly key: string;
  readonly atNs: bigint;
  readonly session: bigint;
  readonly tookUs: number;
  /** What the compiler took when the result was made. */
  readonly compileMs: number;
  readonly deservesRefresh: boolean;
  /** Set where it was no hit. */
  readonly passed: (typeof passedFor)[number] | undefined;
  /** Set where a movable record was used, whose key this then is: the root of the checkout in which it was. */
  readonly root: string | undefined;
}

export const hitBytes = 64;

const FLAG = { deservesRefresh: 1, passed: 2, movable: 4 } as const;

/** Whole records of a hits log; a torn last one is left out. */
export function readHitsLog(bytes: Buffer): LoggedHit[] {
  const hits: LoggedHit[] = [];
  let at = 0;
  while (at + hitBytes <= bytes.length) {
    const reader = new ByteReader(bytes.subarray(at, at + hitBytes));
    const key = reader.bytes(32).toString("hex");
    const [atNs, session, tookUs, flags, compileMs] = [reader.u64(), reader.u64(), reader.u32(), reader.u32(), reader.u32()];
    at += hitBytes;
    const passed = (flags & FLAG.passed) === 0 ? undefined : (passedFor[(flags >> 8) & 0xff] ?? "called_for_information");
    let root: string | undefined;
    if ((flags & FLAG.movable) !== 0) {
      const length = reader.u32();
      const end = at + Math.ceil(length / hitBytes) * hitBytes;
      if (end > bytes.length) break;
      root = bytes.toString("utf8", at, at + length);
      at = end;
    }
    hits.push({ key, atNs, session, tookUs, compileMs, deservesRefresh: (flags & FLAG.deservesRefresh) !== 0, passed, root });
  }
  return hits;
}
