/**
 * Whether the store is as it should be: what reading blobs has shown, what builds met before, and what is pinned and not here.
 *
 * Knows: what people can do about it. Does not know: how blobs are read, or how checks are shown.
 */
import { shellWord } from "../base/index.ts";
import type { Inspected } from "../store/index.ts";

export interface StoreCheck {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly advice?: string;
}

export interface StoreFindings {
  readonly inspected: Inspected;
  /** Damaged blobs that were met since the daemon started, whoever read them; all have been removed. */
  readonly met: number;
  readonly pins: PinFindings;
  /** Files of indexes that could not be read, or were of another version, and gave way to an empty one. */
  readonly movedAside: readonly string[];
}

export interface PinFindings {
  readonly pins: number;
  /** What people call those of which something is not here. */
  readonly missing: readonly string[];
  /** Whether members were asked for what is missing. */
  readonly isAsked: boolean;
  /** What they gave. */
  readonly mended: readonly string[];
}

const NAMED = 5;

export function checkStore({ inspected, met, pins, movedAside }: StoreFindings): StoreCheck[] {
  return [checkBlobs(inspected, met), ...movedAside.map(begunAnew), ...checkPins(pins)];
}

/** No fault of now, but why what was cached before is compiled anew. */
function begunAnew(file: string): StoreCheck {
  const detail = "began anew: the one before was damaged, or another version's, and what it knew is compiled anew";
  return { check: "index", ok: true, detail, advice: `rm ${shellWord(file)}   once nobody wants to look at it` };
}

function checkBlobs({ blobs, ofBlobs, damaged }: Inspected, met: number): StoreCheck {
  const check = "store";
  if (damaged + met === 0) {
    const detail = blobs >= ofBlobs ? `all ${ofBlobs} blobs are as they should be` : `${blobs} of ${ofBlobs} blobs were read, and are well`;
    return { check, ok: true, detail };
  }
  const advice = [
    damaged === 0 || blobs < ofBlobs ? "cairn doctor --store   reads all of it; " : "",
    "what was damaged is compiled, or fetched, anew; if it happens again, look at this machine's disk and memory",
  ].join("");
  const told = [
    ...(damaged === 0 ? [] : [`${damaged} of the ${blobs} blobs that were read were damaged or gone, and have been removed`]),
    ...(met === 0 ? [] : [`${met} damaged ones have been met and removed since the daemon started`]),
  ];
  return { check, ok: false, detail: told.join("; "), advice };
}

function checkPins({ pins, missing, isAsked, mended }: PinFindings): StoreCheck[] {
  const check = "pins";
  if (pins === 0) return [];
  const again = mended.length === 0 ? "" : `; members gave ${named(mended)} again`;
  if (missing.length === 0) return [{ check, ok: true, detail: `all ${pins} are whole here${again}` }];
  const ask = isAsked ? "no member has them: put" : "cairn doctor --store   asks members for files and directories; or put";
  const advice = `${ask} or compile them again (cairn pins tells which), or cairn unpin NAME`;
  return [{ check, ok: false, detail: `${missing.length} of ${pins} are not whole here: ${named(missing)}${again}`, advice }];
}

function named(names: readonly string[]): string {
  return [...names.slice(0, NAMED), ...(names.length > NAMED ? ["…"] : [])].join(", ");
}
