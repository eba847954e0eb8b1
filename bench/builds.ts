/**
 * Building a project with a contender's launcher, measured, and checked: every object must be what the compiler alone writes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../src/base/index.ts";
import type { Contender } from "./contenders.ts";
import { type Measured, meter } from "./meter.ts";
import type { Native } from "./native.ts";
import type { Project } from "./projects.ts";

/** What is done behind a build's back belongs to it: the daemon takes in the hits that wrappers noted once a second. */
const SETTLE_MS = 1_200;

/** Quiet is what the daemon calls it, and a look more. */
const CALM = { lookEveryMs: limits.quietMs + 1_500, cpuMs: 40 } as const;

/**
 * Waits until what serves a contender in the background has nothing left to do: some work waits for a quiet moment.
 * @param mostMs then it is gone on with anyway
 * @param idle what it takes when nothing happens, of a core
 * @returns CPU time that it took meanwhile, ms
 */
export async function calm(contender: Contender, mostMs: number, idle: number = 0): Promise<number> {
  const began = contender.backgroundCpuMs();
  if (began === 0) return 0;
  let before = began;
  for (let waitedMs = 0; waitedMs < mostMs; waitedMs += CALM.lookEveryMs) {
    await sleep(CALM.lookEveryMs);
    const now = contender.backgroundCpuMs();
    if (now - before < CALM.cpuMs + idle * CALM.lookEveryMs) break;
    before = now;
  }
  return contender.backgroundCpuMs() - began;
}

/** What serves a contender in the background while nothing happens: talk among members, looks at the clock. @returns of a core */
export async function idleShare(contender: Contender): Promise<number> {
  const [before, began] = [contender.backgroundCpuMs(), performance.now()];
  await sleep(CALM.lookEveryMs);
  return (contender.backgroundCpuMs() - before) / (performance.now() - began);
}

export interface BuildParts {
  readonly native: Native;
  readonly project: Project;
  /** Of a build without any cache; undefined only while that one is made. */
  readonly expected: string | undefined;
  /** See Settings. */
  readonly calmMs: number;
  /** Others that wrote something else than the compiler, by name; we are not allowed to. */
  readonly wrong: Set<string>;
}

export interface Built extends Measured {
  /** The part of `cpuMs` that was not the build's own processes. */
  readonly backgroundCpuMs: number;
  /** The part of that which was spent before the build had ended. */
  readonly meanwhileCpuMs: number;
}

/** @throws {Error} when an object of ours differs from the compiler's */
export async function build(parts: BuildParts, contender: Contender, jobs: number): Promise<Built> {
  const { native, project, expected } = parts;
  project.clean();
  const command = project.command(contender.launcher, jobs, contender.env);
  const before = contender.backgroundCpuMs();
  const [measured] = await meter(native, command);
  const meanwhileCpuMs = contender.backgroundCpuMs() - before;
  if (before > 0) await sleep(SETTLE_MS);
  const background = contender.backgroundCpuMs() - before;
  if (measured === undefined) throw new Error("nothing was measured");
  if (expected !== undefined && contender.name !== "floor" && project.checksum() !== expected) {
    if (contender.name === "cairn") throw new Error(`cairn wrote other objects of ${project.name} than the compiler`);
    parts.wrong.add(contender.name);
  }
  return { wallMs: measured.wallMs, cpuMs: measured.cpuMs + background, backgroundCpuMs: background, meanwhileCpuMs };
}

/** Builds until everything is in the cache, and waits until that has been digested. */
export async function fill(parts: BuildParts, contender: Contender, jobs: number): Promise<void> {
  for (let time = 0; time < 2; time++) await build(parts, contender, jobs);
  await calm(contender, parts.calmMs);
}
