/**
 * What a benchmark found, as rows that people and programs can read: a value with its quartiles, what it must be, what we aim at.
 */
import { availableParallelism, cpus, loadavg, release, totalmem } from "node:os";
import { versionOf } from "./contenders.ts";
import type { Spread } from "./statistics.ts";

/** Bars are upper bounds, but for `rate`, which are lower ones. */
export interface Bar {
  readonly must: number;
  readonly aim: number;
  readonly lower?: boolean;
}

export interface Row extends Spread {
  readonly what: string;
  /** "x" for a ratio. */
  readonly unit: string;
  readonly bar: Bar | undefined;
}

export interface Report {
  readonly benchmark: string;
  readonly rows: readonly Row[];
  /** What was left out, and what the rows do not say. */
  readonly notes: readonly string[];
}

export function row(what: string, unit: string, { median, p25, p75 }: Spread, bar?: Bar): Row {
  return { what, unit, median, p25, p75, bar };
}

type Verdict = "" | "meets the aim" | "good enough" | "MISSES";

export function verdict({ bar, median }: Row): Verdict {
  if (bar === undefined) return "";
  const reaches = (limit: number): boolean => (bar.lower === true ? median >= limit : median <= limit);
  if (reaches(bar.aim)) return "meets the aim";
  return reaches(bar.must) ? "good enough" : "MISSES";
}

/** A table in Markdown, which is readable as it is. */
export function format(report: Report): string {
  const head = ["what", "median", "p25–p75", "must", "aim", "verdict"];
  const lines = report.rows.map((one) => [
    one.what,
    `${digits(one.median)} ${one.unit}`,
    `${digits(one.p25)}–${digits(one.p75)}`,
    one.bar === undefined ? "" : digits(one.bar.must),
    one.bar === undefined ? "" : digits(one.bar.aim),
    verdict(one),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]?.length ?? 0)));
  const text = (line: readonly string[], filler = " "): string =>
    `|${line.map((cell, i) => `${filler}${cell.padEnd(widths[i] ?? 0, filler)}${filler}`).join("|")}|`;
  const rule = text(
    head.map(() => ""),
    "-",
  );
  const notes = report.notes.length === 0 ? [] : ["", ...report.notes.map((note) => `- ${note}`)];
  return [`### ${report.benchmark}`, "", text(head), rule, ...lines.map((line) => text(line)), ...notes, ""].join("\n");
}

/** Three digits that count. */
function digits(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** What one must know to compare figures of two runs. */
export function machineFacts(): Record<string, string | number> {
  const versions = ["gcc", "ninja", "cmake", "ccache", "sccache"].map((tool) => [tool, versionOf(tool) ?? "not installed"] as const);
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    load: loadavg()
      .map((load) => load.toFixed(1))
      .join(" "),
    node: process.version,
    ...Object.fromEntries<string>(versions),
  };
}
