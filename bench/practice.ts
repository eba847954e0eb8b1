/**
 * What a daemon builds before it is measured, if `--practised` says so: one that has just been started runs code that V8 has hardly
 * compiled, and that of a machine in use does not.
 */
import { mkdirSync } from "node:fs";
import { type BuildParts, build, calm } from "./builds.ts";
import type { Contender } from "./contenders.ts";
import { Project, type ProjectName } from "./projects.ts";
import type { Settings, Workshop } from "./settings.ts";
import { reference } from "./warm.ts";

const JOBS = 2;
const UNITS = 48;

export class Practice {
  readonly #parts: BuildParts | undefined;

  /** @param measured is not what is built */
  static async prepare(settings: Settings, workshop: Workshop, measured: ProjectName): Promise<Practice> {
    if (!settings.practised) return new Practice(undefined);
    const root = workshop.path("practice", measured, "project");
    const project = Project.make(measured === "lua" ? "mbedtls" : "lua", root, UNITS);
    mkdirSync(`${root}/.git`);
    return new Practice(await reference(settings, workshop, project));
  }

  private constructor(parts: BuildParts | undefined) {
    this.#parts = parts;
  }

  get note(): string {
    const project = this.#parts?.project;
    return project === undefined
      ? "each round has a daemon that has just been started"
      : `each round has a daemon that has built ${project.objects.length} units of ${project.name} since it was started`;
  }

  async of(contender: Contender): Promise<void> {
    if (this.#parts === undefined) return;
    await build(this.#parts, contender, JOBS);
    await calm(contender, this.#parts.calmMs);
  }
}
