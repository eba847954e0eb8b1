/**
 * Which parts of a source are comments and which are literals, well enough to say whether a word stands in one.
 *
 * Knows: comments, string and character literals, raw strings, digit separators. Does not know: directives, conditionals.
 */

export type RegionKind = "comment" | "string" | "raw";

export interface Regions {
  /** What the byte at `position` is part of. */
  at(position: number): RegionKind | "code";
  /** A comment or raw string has no end: nothing that was said about the rest may be believed. */
  readonly unterminated: boolean;
}

const STRING_REST = /(?:[^"\\\n]|\\[^\n])*"/y;
const CHARACTER_REST = /(?:[^'\\\n]|\\[^\n])*'/y;
const RAW_DELIMITER = /([^()\\\s"]{0,16})\(/y;
const RAW_PREFIX = /(?:^|[^\w$])(?:u8|[uUL])?R$/;
const NUMBER_BEFORE = /(?:^|[^\w$.'])\.?[0-9][\w.']*$/;

/** Finds the regions of `text`, whose backslash-newlines are joined already. */
export function regionsOf(text: string): Regions {
  const starts: number[] = [];
  const ends: number[] = [];
  const kinds: RegionKind[] = [];
  const opening = /\/[/*]|["']/g;
  let unterminated = false;
  for (let found = opening.exec(text); found !== null; found = opening.exec(text)) {
    const region = regionAt(text, found.index, found[0]);
    if (region === undefined) continue; // A digit separator.
    if (region.end === -1) unterminated = true;
    const end = region.end === -1 ? text.length : region.end;
    starts.push(found.index);
    ends.push(end);
    kinds.push(region.kind);
    opening.lastIndex = end;
  }
  return {
    unterminated,
    at(position) {
      let low = 0;
      let high = starts.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((starts[middle] ?? 0) <= position) low = middle + 1;
        else high = middle;
      }
      return low > 0 && position < (ends[low - 1] ?? 0) ? (kinds[low - 1] ?? "code") : "code";
    },
  };
}

/** The region that `opening` begins at `start`; `end` is -1 when it has none. */
function regionAt(text: string, start: number, opening: string): { kind: RegionKind; end: number } | undefined {
  if (opening === "//") return { kind: "comment", end: lineEnd(text, start) };
  if (opening === "/*") {
    const close = text.indexOf("*/", start + 2);
    return { kind: "comment", end: close === -1 ? -1 : close + 2 };
  }
  const before = text.slice(Math.max(0, start - 80), start);
  if (opening === "'") {
    if (NUMBER_BEFORE.test(before) && /[0-9A-Za-z]/.test(text.charAt(start + 1))) return undefined;
    return { kind: "string", end: restEnd(CHARACTER_REST, text, start) };
  }
  if (!RAW_PREFIX.test(before)) return { kind: "string", end: restEnd(STRING_REST, text, start) };
  RAW_DELIMITER.lastIndex = start + 1;
  const delimiter = RAW_DELIMITER.exec(text);
  if (delimiter === null) return { kind: "string", end: restEnd(STRING_REST, text, start) };
  const closing = `)${delimiter[1] ?? ""}"`;
  const close = text.indexOf(closing, RAW_DELIMITER.lastIndex);
  return { kind: "raw", end: close === -1 ? -1 : close + closing.length };
}

/** Both gcc and clang let an unterminated literal (an apostrophe in a message) reach to the end of its line. */
function restEnd(rest: RegExp, text: string, start: number): number {
  rest.lastIndex = start + 1;
  return rest.test(text) ? rest.lastIndex : lineEnd(text, start);
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}
