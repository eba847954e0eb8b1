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

export interface BuildParts {
  readonly native: Native;
  readonly project: Project;
  /** Of a build without any cache; undefined only while that one is made. */
  readonly expected: string | undefined;
}

/** @throws {Error} when an object differs from the compiler's */
export async function build(parts: BuildParts, contender: Contender, jobs: number): Promise<Measured> {
  const { native, project, expected } = parts;
  project.clean();
  const command = project.command(contender.launcher, jobs, contender.env);
  const before = contender.backgroundCpuMs();
  const [measured] = await meter(native, command);
  if (contender.launcher !== undefined) await sleep(SETTLE_MS);
  const background = contender.backgroundCpuMs() - before;
  if (measured === undefined) throw new Error("nothing was measured");
  if (expected !== undefined && contender.name !== "floor" && project.checksum() !== expected)
    throw new Error(`${contender.name} wrote other objects of ${project.name} than the compiler`);
  return { wallMs: measured.wallMs, cpuMs: measured.cpuMs + background };
}
