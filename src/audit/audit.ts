/**
 * The audit: two copies, two builds, and a look at all that differs.
 */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../base/index.ts";
import type { AuditParts } from "./audit-parts.ts";
import type { Told } from "./clues.ts";
import { sideOf } from "./commands.ts";
import { copyProject, type Project, projectAt } from "./copies.ts";
import { type Finding, Findings } from "./findings.ts";
import { buildOrder, listedBackwards } from "./order.ts";
import { compareProducts } from "./products.ts";
import { type Call, callsIn, countCalls, layTools, recordingVariables } from "./recorder.ts";
import { type Ran, runBuild } from "./run.ts";
import { type Surroundings, twoSurroundings, whatVaries, zoneNames } from "./surroundings.ts";

export interface AuditOptions {
  /** Where the build begins. */
  readonly cwd: string;
  readonly command: readonly string[];
  /** Where the copies are made. */
  readonly temporary: string;
  /** Whether they stay there. */
  readonly keep: boolean;
}

export type AuditReport =
  | {
      readonly kind: "audited";
      /** Files that were written and came out the same, and calls of compilers and archivers that were heard of. */
      readonly same: number;
      readonly calls: number;
      readonly findings: readonly Finding[];
      /** How many more files differ. */
      readonly more: number;
      /** Build tools' own notes that differ. */
      readonly notes: readonly string[];
      readonly varied: readonly string[];
      readonly unvaried: readonly string[];
      /** Where the copies are; "" where they are gone. */
      readonly kept: string;
    }
  | ({ readonly kind: "build-failed"; readonly which: "first" | "second" } & Ran)
  /** It has written nothing, as far as that can be told. */
  | { readonly kind: "nothing-built"; readonly isGit: boolean };

const SECOND_MS = 1_000;

/** @throws the signal's reason, when nothing of it is left but what was to be kept */
export async function audit(parts: AuditParts, options: AuditOptions, signal: AbortSignal): Promise<AuditReport> {
  const directory = mkdtempSync(join(options.temporary, "cairn-audit-"));
  let isGone = false;
  const report = await auditIn(directory, parts, options, signal).finally(() => {
    isGone = !options.keep && remove(directory);
  });
  return report.kind === "audited" && !isGone ? { ...report, kept: directory } : report;
}

/** Builds leave directories that nobody may write to. @returns false where some of it is left: that is no reason not to report */
function remove(directory: string): boolean {
  try {
    openUp(directory);
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
    return true;
  } catch {
    return false;
  }
}

function openUp(directory: string): void {
  chmodSync(directory, 0o700);
  for (const entry of readdirSync(directory, { withFileTypes: true })) if (entry.isDirectory()) openUp(join(directory, entry.name));
}

async function auditIn(directory: string, parts: AuditParts, { cwd, command }: AuditOptions, signal: AbortSignal): Promise<AuditReport> {
  const { tools, environment, locale, tell } = parts;
  const project = await projectAt(cwd, signal);
  const both = twoSurroundings(directory, project.root, environment, locale);
  tell({ step: "copying", files: project.files.length });
  for (const { root, name } of both) await copyProject(project, root, name === "second", signal);
  layTools(join(directory, "tools"), tools);
  const order = await buildOrder(parts, join(directory, "order.so"), signal);
  const calls: Call[][] = [];
  for (const plain of both) {
    const isBackwards = plain.name === "second" && order !== undefined;
    const surroundings = isBackwards ? listedBackwards(plain, order, environment) : plain;
    const { ran, heard } = await build(directory, project, surroundings, command, parts, signal);
    if (ran.exitCode !== 0) return { kind: "build-failed", which: surroundings.name, ...ran };
    calls.push(heard);
    if (plain.name === "first") await anotherSecond(signal);
  }
  tell({ step: "comparing" });
  const [{ root: mine }, { root: theirs, person }] = both;
  const { same, different, notes } = await compareProducts([mine, theirs], new Set(project.files), signal);
  if (same + different.length === 0) return { kind: "nothing-built", isGit: project.isGit };
  const sides = [sideOf(mine, calls[0] ?? []), sideOf(theirs, calls[1] ?? [])] as const;
  const told: Told = {
    roots: [mine, theirs],
    names: [person, environment.USER ?? "", environment.HOSTNAME ?? ""].filter((one) => one.length > 1),
    locale: locale.startsWith("C") ? locale.replace(/^C$/, "") : locale,
    zones: zoneNames,
  };
  const look = new Findings(sides, told, different);
  const findings: Finding[] = [];
  for (const [at, one] of different.slice(0, limits.audit.findings).entries()) {
    tell({ step: "looking", file: one.file, done: at, all: different.length });
    findings.push(await look.of(one, signal));
  }
  const [heard, more] = [calls.flat().length, different.length - findings.length];
  return {
    kind: "audited",
    same,
    calls: heard,
    findings,
    more,
    notes,
    ...whatVaries(locale, tools, order !== undefined),
    kept: "",
  };
}

/** Archives know times to the second: two short builds within one would look the same. */
async function anotherSecond(signal: AbortSignal): Promise<void> {
  await sleep(SECOND_MS - (Date.now() % SECOND_MS) + 1, undefined, { signal });
}

async function build(
  directory: string,
  project: Project,
  surroundings: Surroundings,
  command: readonly string[],
  { environment, tell }: AuditParts,
  signal: AbortSignal,
): Promise<{ readonly ran: Ran; readonly heard: Call[] }> {
  const records = join(directory, `records-${surroundings.name}`);
  mkdirSync(records);
  const variables = recordingVariables(join(directory, "tools"), records, surroundings.person);
  const say = (): void => tell({ step: "building", which: surroundings.name, calls: countCalls(records) });
  say();
  const timer = setInterval(say, limits.audit.tellEveryMs);
  try {
    const ran = await runBuild(surroundings, project.below, command, variables, environment, signal);
    return { ran, heard: callsIn(records) };
  } finally {
    clearInterval(timer);
    rmSync(records, { recursive: true, force: true }); // The environments in it may hold secrets, and copies may be kept.
  }
}
