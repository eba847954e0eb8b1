/**
 * Where text for people goes: standard output for answers, standard error for everything else, colours where they are wanted.
 *
 * Knows: NO_COLOR, FORCE_COLOR, whether a stream is a terminal and how wide it is. Does not know: what is said.
 */
import { stripVTControlCharacters, styleText } from "node:util";
import type { Environment } from "../base/index.ts";

export interface Terminal {
  /** The answer to what was asked. */
  out(text: string): void;
  /** Remarks, warnings, errors: never mixed with an answer that a program reads. */
  note(text: string): void;
  /** What happens just now, on a terminal: one line that the next one replaces; "" takes it away. Elsewhere nothing. */
  passing(text: string): void;
  readonly paint: Paint;
  /** For help texts, which are folded anywhere. */
  readonly columns: number;
  /** Of a terminal; undefined where answers go to a file or a program. */
  readonly width: number | undefined;
}

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  careful(text: string): string;
  name(text: string): string;
}

type Style = Parameters<typeof styleText>[0];

/** The streams of a process, as far as a terminal needs them. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export function openTerminal(out: Stream, err: Stream, env: Environment): Terminal {
  const isPlain = !wantsColour(err, env); // Answers may go to a terminal while remarks go to a file.
  return {
    out: (text) => void out.write(`${text}\n`),
    note: (text) => void err.write(`${isPlain ? stripVTControlCharacters(text) : text}\n`),
    passing: (text) => {
      if (err.isTTY === true && env.TERM !== "dumb") err.write(`\r\x1b[K${text}`);
    },
    paint: painter(wantsColour(out, env)),
    columns: out.columns ?? 100,
    width: out.isTTY === true ? out.columns : undefined,
  };
}

/** https://no-color.org: any non-empty NO_COLOR means none. */
function wantsColour(stream: Stream, env: Environment): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "" && env.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && env.TERM !== "dumb";
}

function painter(colours: boolean): Paint {
  const as =
    (style: Style) =>
    (text: string): string =>
      colours ? styleText(style, text, { validateStream: false }) : text;
  return {
    bold: as("bold"),
    dim: as("dim"),
    good: as("green"),
    bad: as("red"),
    careful: as("yellow"),
    name: as("cyan"),
  };
}
