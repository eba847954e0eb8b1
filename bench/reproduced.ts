/**
 * Which objects of real projects get `SLSA_BUILD_REPRODUCED`: machines of two trust domains build the same project, and one of them is asked
 * for a summary of each object, which is then verified.
 *
 * Both machines are homes on this one, with real daemons that talk over loopback.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build, calm } from "./builds.ts";
import { Member } from "./machines.ts";
import { checkout } from "./native.ts";
import { Project, type ProjectName } from "./projects.ts";
import { type Settings, Workshop } from "./settings.ts";
import { type Report, type Row, row } from "./table.ts";
import { reference } from "./warm.ts";

const JOBS = 2;
const BAR = { must: 99, aim: 100, lower: true } as const;
/** What depends on its place is found out when the machine is quiet; what comes late is looked for again. */
const CALM_MS = 20_000;
/** Signatures travel when there is time for them. */
const LOOKS = 10;
const LOOK_EVERY_MS = 2_000;

/** Where the second domain's checkout lies, and with which flags both compile. */
const WAYS = [
  { about: "at another path, with -ffile-prefix-map", elsewhere: true },
  { about: "at the same path, without flags", elsewhere: false },
] as const;

export async function reproduced(settings: Settings): Promise<Report> {
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const name of settings.projects) for (const way of WAYS) rows.push(...(await rowsOf(settings, name, way, notes)));
  return { benchmark: "reproduced", rows, notes };
}

async function rowsOf(settings: Settings, name: ProjectName, { about, elsewhere }: (typeof WAYS)[number], notes: string[]): Promise<Row[]> {
  using workshop = new Workshop();
  const root = workshop.path("checkout0", "project");
  const project = Project.make(name, root, settings.warmUnits, elsewhere ? `-ffile-prefix-map=${root}=.` : "");
  if (elsewhere && project.objects.some((object) => object.includes(root))) {
    notes.push(
      `${name}, ${about}: left out, for CMake names its objects by their sources' place, and what is called otherwise is another action`,
    );
    return [];
  }
  mkdirSync(join(root, ".git"));
  const parts = await reference(settings, workshop, project);
  await using first = new Member(workshop.native, workshop.path("first"));
  await using second = new Member(workshop.native, workshop.path("second"));
  await Promise.all([first.start(), second.start()]);
  first.cairn("init", "--domain", "home", "--machine", "laptop");
  second.cairn("join", String(first.cairn("invite", "--domain", "partner").line), "--machine", "desktop");
  settings.progress(`${name}, ${about}: the first domain builds`);
  await build(parts, first, JOBS);
  await calm(first, Math.min(settings.calmMs, CALM_MS));
  const theirs = elsewhere ? await reference(settings, workshop, project.copyTo(workshop.path("checkout1", "project"))) : parts;
  settings.progress(`${name}, ${about}: the second domain builds`);
  await build(theirs, second, JOBS);
  await calm(second, Math.min(settings.calmMs, CALM_MS));
  const objects = theirs.project.objects.map((object) => join(theirs.project.build, object));
  const file = workshop.path("summaries.intoto.jsonl");
  const { exported, leftOut } = await summarize(second, objects, file);
  // Whoever gets the file has no network and no daemon.
  const stranger = { ...process.env, CAIRN_HOME: workshop.path("stranger"), CAIRN_NO_AUTOSTART: "1" };
  const { checked } = told(stranger, "attest", "verify", file) as {
    readonly checked: readonly { readonly ok: boolean; readonly summary?: { readonly levels: readonly string[] } }[];
  };
  const good = checked.filter(({ ok, summary }) => ok && summary?.levels.includes("SLSA_BUILD_REPRODUCED") === true).length;
  notes.push(`${name}, ${about}: ${good} of ${objects.length} objects; ${exported} summaries were made`);
  for (const { name: object, why } of leftOut.slice(0, 5))
    notes.push(`${name}, ${about}: ${object.slice(workshop.directory.length)}: ${why}`);
  const percent = (100 * good) / objects.length;
  return [row(`${name}, ${about}`, "%", { median: percent, p25: percent, p75: percent }, BAR)];
}

interface Exported {
  readonly exported: number;
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
}

/** Until all have one, or no more come. */
async function summarize(member: Member, objects: readonly string[], file: string): Promise<Exported> {
  const look = (): Exported =>
    told({ ...process.env, ...member.env }, "attest", "export", "--summary", "--inputs", "--output", file, ...objects) as Exported;
  let found = look();
  for (let looks = 1; looks < LOOKS && found.leftOut.length > 0; looks++) {
    await sleep(LOOK_EVERY_MS);
    found = look();
  }
  return found;
}

/** What a command prints with --json, whatever it ends with. */
function told(env: NodeJS.ProcessEnv, ...args: readonly string[]): unknown {
  const { stdout, stderr } = spawnSync(join(checkout, "bin/cairn"), [...args, "--json"], { env, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (stdout === "") throw new Error(`cairn ${args.slice(0, 2).join(" ")} says nothing: ${stderr}`);
  return JSON.parse(stdout);
}
