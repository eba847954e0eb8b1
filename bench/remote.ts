/**
 * A second machine: its cache is empty, and what it builds is known elsewhere. With Cairn a member has it; with ccache an HTTP server,
 * which is nginx. Over loopback, or over a cable with a round trip of some length (`--rtt`).
 *
 * ccache builds where the build was that filled its storage: at another path it would write objects that are not the compiler's. Cairn
 * builds at a path that is new.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { type BuildParts, type Built, build } from "./builds.ts";
import { Ccache, type Contender, enterNone, findProgram, plainEnvironment } from "./contenders.ts";
import { buildThere } from "./first-machine.ts";
import { Member, Newcomer } from "./machines.ts";
import { Cable, HERE, type Place } from "./places.ts";
import type { ProjectName } from "./projects.ts";
import { interleave } from "./rounds.ts";
import { type Settings, Workshop } from "./settings.ts";
import { ratios, spread } from "./statistics.ts";
import { type Bar, type Report, type Row, row } from "./table.ts";
import { WebStore } from "./web-store.ts";

const JOBS = 2;
const FAR_MS = 20;
const BARS: Readonly<Record<"loopback" | "far", Bar>> = { loopback: { must: 0.8, aim: 0.6 }, far: { must: 0.5, aim: 0.3 } };

/** Both contenders' other side, and this side's place. */
interface World {
  readonly settings: Settings;
  readonly workshop: Workshop;
  readonly here: Place;
  readonly there: Place;
  readonly store: WebStore;
  readonly ccache: string;
}

export async function remote(settings: Settings): Promise<Report> {
  const ccache = findProgram("ccache");
  if (ccache === undefined) return { benchmark: "remote", rows: [], notes: ["ccache is not installed"] };
  await using stack = new AsyncDisposableStack();
  const workshop = stack.use(new Workshop());
  const cable = settings.rttMs === 0 ? undefined : stack.use(await Cable.lay(workshop.native, settings.rttMs));
  const { near: here, far: there } = cable ?? { near: HERE, far: HERE };
  const store = await WebStore.start(workshop.path("nginx"), there);
  if (store === undefined) return { benchmark: "remote", rows: [], notes: ["nginx is not installed"] };
  stack.use(store);
  const notes = [
    settings.rttMs === 0 ? "over loopback" : `round trip ${settings.rttMs} ms, a packet at a time is delayed in user space, MTU 1500`,
    `-j${JOBS}; ccache builds at the path where its storage was filled, Cairn at a new one`,
  ];
  const rows: Row[] = [];
  for (const name of settings.projects) {
    rows.push(...(await projectRows({ settings, workshop, here, there, store, ccache }, name, notes)));
  }
  return { benchmark: "remote", rows, notes };
}

async function projectRows(world: World, name: ProjectName, notes: string[]): Promise<Row[]> {
  const { settings, workshop, here, there } = world;
  await using first = new Member(workshop.native, workshop.path(name, "first"), there);
  const project = { name, units: settings.warmUnits, path: workshop.path(name) };
  const known = await buildThere({ settings, workshop, notes }, first, project);
  if (known === undefined) return [];
  const { elsewhere, practice } = known;
  await using second = new Newcomer(workshop, first, practice, here);
  const other = new RemoteCcache(world, workshop.path(name, "ccache"));
  await build(elsewhere, other, JOBS);
  return await measured(world, elsewhere, { second, other }, notes);
}

async function measured(
  { settings, workshop }: World,
  parts: BuildParts,
  { second, other }: { readonly second: Newcomer; readonly other: RemoteCcache },
  notes: string[],
): Promise<Row[]> {
  const { name, objects } = parts.project;
  const none = await enterNone(workshop);
  settings.progress(`${name}: ${settings.rounds} rounds`);
  const misses = { second: 0, other: 0 };
  const samples = await interleave<Contender, Built>([none, other, second], settings.rounds, async (contender) => {
    await contender.reset();
    const built = await build(parts, contender, JOBS);
    if (contender === second) misses.second += await second.misses();
    if (contender === other) misses.other += other.misses();
    return built;
  });
  notes.push(
    `${name}: ${objects.length} units; compilers that ran in ${settings.rounds} rounds: ${misses.second} with Cairn, ${misses.other} with ccache`,
    ...[...parts.wrong].map((wrong) => `${name}: ${wrong} wrote other objects than the compiler`),
  );
  const walls = (contender: Contender): number[] => (samples.get(contender) ?? []).map(({ wallMs }) => wallMs);
  const [own, theirs, bare] = [walls(second), walls(other), walls(none)];
  return [
    row(`${name}: wall / ccache with nginx`, "x", spread(ratios(own, theirs)), settings.rttMs < FAR_MS ? BARS.loopback : BARS.far),
    row(`${name}: wall / none`, "x", spread(ratios(own, bare))),
    row(`${name}: ccache's wall / none`, "x", spread(ratios(theirs, bare))),
    row(`${name}: wall a unit`, "ms", spread(own.map((wallMs) => wallMs / objects.length))),
  ];
}

/** A ccache with nothing of its own, in front of a storage that others filled. */
class RemoteCcache extends Ccache {
  readonly #program: string;

  constructor({ store, ccache }: World, directory: string) {
    mkdirSync(directory, { recursive: true });
    super("ccache", ccache, directory, { ...plainEnvironment(directory), CCACHE_REMOTE_STORAGE: store.url });
    this.#program = ccache;
  }

  /** Compilers that ran since it was reset. */
  misses(): number {
    const text = execFileSync(this.#program, ["--print-stats"], { env: this.env, encoding: "utf8" });
    return Number(/^cache_miss\t(\d+)$/m.exec(text)?.[1] ?? Number.NaN);
  }
}
