/**
 * Building a project with a contender's launcher, measured, and checked: every object must be what the compiler alone writes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Contender } from "./contenders.ts";
import { type Measured, meter } from "./meter.ts";
import type { Native } from "./native.ts";
import type { Project } from "./projects.ts";

/** Longer than what a cache may do behind the build's back. */
const SETTLE_MS = 200;

const CALM = { lookEveryMs: 1_500, cpuMs: 15, patienceMs: 180_000 } as const;

/**
 * Waits until what serves a contender in the background has nothing left to do: some work waits for a quiet moment.
 * @returns CPU time that it took meanwhile, ms
 */
export async function calm(contender: Contender): Promise<number> {
  const began = contender.backgroundCpuMs();
  if (began === 0) return 0;
  let before = began;
  for (let waitedMs = 0; waitedMs < CALM.patienceMs; waitedMs += CALM.lookEveryMs) {
    await sleep(CALM.lookEveryMs);
    const now = contender.backgroundCpuMs();
    if (now - before < CALM.cpuMs) break;
    before = now;
  }
  return contender.backgroundCpuMs() - began;
}

export interface BuildParts {
  readonly native: Native;
  readonly project: Project;
  /** Of a build without any cache; undefined only while that one is made. */
  readonly expected: string | undefined;
  /** Others that wrote something else than the compiler, by name; we are not allowed to. */
  readonly wrong: Set<string>;
}

/** @throws {Error} when an object of ours differs from the compiler's */
export async function build(parts: BuildParts, contender: Contender, jobs: number): Promise<Measured> {
  const { native, project, expected } = parts;
  project.clean();
  const command = project.command(contender.launcher, jobs, contender.env);
  const before = contender.backgroundCpuMs();
  const [measured] = await meter(native, command);
  if (contender.launcher !== undefined) await sleep(SETTLE_MS);
  const background = contender.backgroundCpuMs() - before;
  if (measured === undefined) throw new Error("nothing was measured");
  if (expected !== undefined && contender.name !== "floor" && project.checksum() !== expected) {
    if (contender.name === "cairn") throw new Error(`cairn wrote other objects of ${project.name} than the compiler`);
    parts.wrong.add(contender.name);
  }
  return { wallMs: measured.wallMs, cpuMs: measured.cpuMs + background };
}

/** Builds until everything is in the cache, and waits until that has been digested. */
export async function fill(parts: BuildParts, contender: Contender, jobs: number): Promise<void> {
  for (let time = 0; time < 2; time++) await build(parts, contender, jobs);
  await calm(contender);
}
