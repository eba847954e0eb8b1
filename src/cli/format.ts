/**
 * Numbers and tables for people: sizes, durations, counts, shares, aligned columns.
 *
 * Knows: units and widths. Does not know: what is measured.
 */
import { stripVTControlCharacters } from "node:util";

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** 0 B, 812 B, 1.4 KiB, 20 GiB. */
export function bytes(count: number): string {
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 1023.5 && unit < SIZES.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : threeDigits(value)} ${SIZES[unit]}`;
}

/** 0 ms, 340 ms, 4.2 s, 1 m 12 s, 3 h 05 m, 2 d 4 h. */
export function duration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(ms < 9_950 ? 1 : 0)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} m`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** 1 234 567: groups of three, parted by a space that does not break. */
export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u00a0");
}

/** 3 compiles, 1 compile. */
export function counted(value: number, one: string, many: string = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** 96 %, 0.4 %, never 100 % for less than all. Empty where there is nothing to have a share of. */
export function share(part: number, whole: number): string {
  if (whole <= 0) return "";
  const percent = (100 * part) / whole;
  if (percent >= 99.95 && part < whole) return "99.9 %";
  return `${percent === 0 || percent === 100 ? percent : percent.toFixed(percent < 9.95 || percent >= 99 ? 1 : 0)} %`;
}

/**
 * Text of somebody else's, as it may be shown: what would move the cursor, colour what follows or turn the order of letters around is spelled out.
 */
export function harmless(text: string): string {
  return text.replaceAll(UNSEEN, (one) => (one === "\t" ? " " : `\\u{${one.codePointAt(0)?.toString(16) ?? ""}}`));
}

/**
 * JSON for people's terminals as well: what is unseen in its texts is spelled as JSON spells it, so that it means the same.
 * @param indent blanks a level; 0: all in one line
 */
export function harmlessJson(value: unknown, indent = 2): string {
  const spelled = (one: string): string =>
    one
      .split("")
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("");
  // Within texts the ends of lines are spelled out already.
  return JSON.stringify(value, null, indent).replaceAll(UNSEEN, (one) => (one === "\n" ? one : spelled(one)));
}

/** Controls, marks that have no width or turn the direction of writing, separators of lines, and halves of characters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Width on a terminal, styles left out. */
function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

export type Align = "left" | "right";

/**
 * Lines of aligned columns, two spaces between them, no spaces at the end.
 * @param align one an column; left where it is missing
 */
export function table(rows: readonly (readonly string[])[], align: readonly Align[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell));
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const padding = " ".repeat((widths[i] ?? 0) - width(cell));
        return align[i] === "right" ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd(),
  );
}

/**
 * The same, and the last column folded between words so that no line is wider than the terminal.
 * Unfolded where there is no terminal, for programs that read lines, and where too little would be left of that column.
 * @param columns the terminal's width; undefined: there is none
 */
export function foldedTable(rows: readonly (readonly string[])[], columns: number | undefined): string[] {
  const left = Math.max(0, ...table(rows.map((row) => [...row.slice(0, -1), "|"])).map((line) => width(line) - 1));
  const room = (columns ?? 0) - left;
  if (room < LEAST_FOLDED) return table(rows);
  return table(
    rows.flatMap((row) => {
      const before = row.slice(0, -1);
      const [first = "", ...rest] = fold(row.at(-1) ?? "", room);
      return [[...before, first], ...rest.map((line) => [...before.map(() => ""), line])];
    }),
  );
}

const LEAST_FOLDED = 16;

/**
 * A table with a heading. Where a line of it is wider than the terminal, each row comes as lines of its own: its first cell, and below it the
 * others that say something, each behind its heading.
 * @param columns the terminal's width; undefined: there is none
 */
export function fittedTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number | undefined,
  align: readonly Align[] = [],
): string[] {
  const aligned = table([head, ...rows], align);
  if (columns === undefined || aligned.every((line) => width(line) <= columns)) return aligned;
  return rows.flatMap(([first = "", ...rest]) => {
    const cells = rest.flatMap((cell, i) => (cell === "" ? [] : [[head[i + 1] ?? "", cell]]));
    return [first, ...indent(foldedTable(cells, columns - 2))];
  });
}

/** Lines of one text, broken between words; a word that is wider has a line of its own. */
export function fold(text: string, room: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && width(last) + 1 + width(word) <= room) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

export function indent(lines: readonly string[], by = 2): string[] {
  return lines.map((line) => (line === "" ? line : " ".repeat(by) + line));
}

function threeDigits(value: number): string {
  return value < 9.995 ? trimZeros(value.toFixed(2)) : value < 99.95 ? trimZeros(value.toFixed(1)) : value.toFixed(0);
}

function trimZeros(text: string): string {
  return text.replace(/\.?0+$/, "");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
