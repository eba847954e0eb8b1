/**
 * What a second machine is to find: a project that the first one has built, and the same project in another checkout.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type BuildParts, build, calm } from "./builds.ts";
import type { Member } from "./machines.ts";
import { Practice } from "./practice.ts";
import { Project, type ProjectName } from "./projects.ts";
import type { Settings, Workshop } from "./settings.ts";
import { reference } from "./warm.ts";

const JOBS = 2;

interface BuiltThere {
  /** The other checkout. */
  readonly elsewhere: BuildParts;
  readonly practice: Practice;
}

/**
 * Has the first machine found a network and build, and waits until that is made ready for others.
 *
 * @param path below which both checkouts are to lie
 * @returns undefined where nothing can be reused, and says so in `notes`
 */
export async function buildThere(
  { settings, workshop, notes }: { readonly settings: Settings; readonly workshop: Workshop; readonly notes: string[] },
  first: Member,
  project: { readonly name: ProjectName; readonly units: number; readonly path: string },
): Promise<BuiltThere | undefined> {
  const { name, units, path } = project;
  const root = join(path, "checkout0/project");
  const made = Project.make(name, root, units, `-ffile-prefix-map=${root}=.`);
  mkdirSync(join(root, ".git"));
  const here = await reference(settings, workshop, made);
  await first.start();
  first.cairn("init");
  settings.progress(`${name}: the first machine builds, and what it built is made ready for others`);
  await build(here, first, JOBS);
  const practice = await Practice.prepare(settings, workshop, name);
  await practice.of(first);
  await calm(first, settings.calmMs);
  notes.push(`${name}: ${practice.note}`);
  const elsewhere = await reference(settings, workshop, made.copyTo(join(path, "checkout1/project")));
  if (elsewhere.expected === here.expected) return { elsewhere, practice };
  notes.push(`${name}: the compiler itself writes other objects at another path, so nothing can be reused`);
  return undefined;
}
