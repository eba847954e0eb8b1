/**
 * `npm run losses`: kills two of three machines that have a result, again and again.
 *
 * Real daemons on loopback: one compiles, its results are copied, two of those who have them are killed while others build the same. Every compile must
 * end well, every object be the compiler's own, and every blob of every result be had from who is left; then three must have each of them again.
 * Who has a blob is looked up in the stores themselves, and nobody's word is taken for it.
 * Knows: what must be true. Does not know: how copies come about.
 */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { quantile } from "../../bench/statistics.ts";
import { CommandLine } from "../../scripts/command-line.ts";
import { type Digest, digestOf } from "../../src/base/index.ts";
import { Chance } from "./fuzz-random.ts";
import { age, run, TestNode, writeFiles } from "./harness.ts";
import { ask, connected, invitation, until } from "./network-world.ts";
import { compileSeen } from "./sharing-world.ts";

const HELP = `usage: npm run losses -- [options]

Kills two of three machines that have a result, while others build; real daemons on loopback, again and again. Prints what was found as one line of
JSON; ends with 1 when a compile failed, or something is gone, and with an error when copies are not made anew.

  --schedules N  (default 20)
  --units N      results of each (default 6)
  --seed N       (default: chosen and printed)
  --help

example:
  npm run losses -- --schedules 5
`;

export interface LossesOptions {
  readonly schedules: number;
  /** Of one schedule. */
  readonly units: number;
  readonly seed: number;
  readonly progress?: (line: string) => void;
}

export interface Losses {
  readonly schedules: number;
  /** Builds by those who were left, each of all units of its schedule. */
  readonly builds: number;
  /** Compiles that did not end well, or wrote something else than the compiler. */
  readonly failed: number;
  /** Compiles for which a compiler ran though somebody who was left had the result. */
  readonly missed: number;
  /** Blobs that were looked for, and those that nobody who was left had. */
  readonly blobs: number;
  readonly unavailable: number;
  /** From the kill until three had each of them again; ms, of each schedule. */
  readonly repairedMs: readonly number[];
}

const NAMES = ["a", "b", "c", "d", "e"];
const COPIES = 3;
const PATIENCE_MS = 300_000;
const ON_LOOPBACK = { CAIRN_NETWORK_LISTEN: "127.0.0.1:0" };

type Machines = ReadonlyMap<string, TestNode>;

export async function losses({ schedules, units, seed, progress = () => undefined }: LossesOptions): Promise<Losses> {
  await using stack = new AsyncDisposableStack();
  const chance = new Chance(seed);
  const nodes = new Map<string, TestNode>();
  for (const name of NAMES) nodes.set(name, stack.use(await TestNode.start(`losses-${name}`, ON_LOOPBACK)));
  const [first, ...others] = [...nodes];
  assert.ok(first !== undefined);
  await ask(first[1], "init", "--machine", first[0]);
  for (const [name, node] of others) await ask(node, "join", await invitation(first[1]), "--machine", name);

  const found = { builds: 0, failed: 0, missed: 0, blobs: 0, unavailable: 0, repairedMs: [] as number[] };
  for (let schedule = 0; schedule < schedules; schedule++) {
    await untilLinked(nodes);
    const project = new Project(`seed${seed}_${schedule}`, units);
    const made = await project.compile(chance.pick([...nodes.values()]));
    assert.equal(made.failed, 0, "what is to be lost must have been made");
    // What was compiled is signed, stored and copied while nobody waits for it; before that there is nothing that could be lost.
    await soon(() => Promise.resolve(project.blobs.every((blob) => holdersOf(nodes, blob).length >= COPIES)));

    const holders = holdersOf(nodes, chance.pick(project.blobs));
    const one = chance.pick(holders);
    const killed = [one, chance.pick(holders.filter((name) => name !== one))];
    await Promise.all(killed.map(async (name) => nodes.get(name)?.stopDaemon("SIGKILL")));
    const struckAt = performance.now();
    const left = new Map([...nodes].filter(([name]) => !killed.includes(name)));
    const unavailable = project.blobs.filter((blob) => holdersOf(left, blob).length === 0).length;
    // At once: nobody has noticed yet who is gone.
    const builder = chance.pick([...left.keys()]);
    const { failed, missed } = await project.compile(left.get(builder) ?? assert.fail());
    await soon(() => Promise.resolve(project.blobs.every((blob) => holdersOf(left, blob).length >= COPIES)));
    const repairedMs = Math.round(performance.now() - struckAt);
    found.builds += 1;
    found.failed += failed;
    found.missed += missed;
    found.blobs += project.blobs.length;
    found.unavailable += unavailable;
    found.repairedMs.push(repairedMs);
    progress(
      `${schedule + 1} of ${schedules}: ${killed.join(" and ")} killed, ${builder} built: ${failed} failed, ${missed} compiled again, ${unavailable} blobs gone; repaired after ${repairedMs} ms`,
    );
    for (const name of killed) await nodes.get(name)?.startDaemon();
  }
  return { schedules, ...found };
}

/** Some units that nobody else compiles. */
class Project {
  readonly #name: string;
  readonly #units: readonly string[];
  #blobs: readonly Digest[] = [];
  #checkouts = 0;

  constructor(name: string, units: number) {
    this.#name = name;
    this.#units = Array.from({ length: units }, (_, i) => `${name}_${i}`);
  }

  /** Objects and listings that the compiler writes for it. */
  get blobs(): readonly Digest[] {
    return this.#blobs;
  }

  /** In a new checkout; every output must be the compiler's. */
  async compile(node: TestNode): Promise<{ readonly failed: number; readonly missed: number }> {
    const directory = join(dirname(node.home), `${this.#name}-${this.#checkouts++}`);
    writeFiles(directory, Object.fromEntries(this.#units.map((unit) => [`${unit}.c`, `int ${unit}(int x) { return x + 1; }\n`])));
    mkdirSync(join(directory, "alone"));
    await age();
    let [failed, missed] = [0, 0];
    const blobs: Digest[] = [];
    for (const unit of this.#units) {
      for (const args of [
        ["-c", `${unit}.c`, "-o", `${unit}.o`],
        ["-S", `${unit}.c`, "-o", `${unit}.s`],
      ]) {
        const output = args.at(-1) ?? "";
        await run("gcc", [...args.slice(0, -1), `alone/${output}`], { cwd: directory });
        const expected = readFileSync(join(directory, "alone", output));
        const ran = await compileSeen(node, args, directory);
        if (ran.isMiss) missed += 1;
        const file = join(directory, output);
        if (ran.code !== 0 || !existsSync(file) || !readFileSync(file).equals(expected)) failed += 1;
        blobs.push(digestOf(expected));
      }
    }
    this.#blobs = blobs;
    return { failed, missed };
  }
}

/** Machines in whose stores a blob lies, compressed or not. */
function holdersOf(nodes: Machines, blob: Digest): string[] {
  return [...nodes].flatMap(([name, node]) => {
    const shard = join(node.home, "cache/cas", blob.slice(0, 2));
    return existsSync(shard) && readdirSync(shard).some((file) => file.startsWith(blob.slice(2))) ? [name] : [];
  });
}

async function untilLinked(nodes: Machines): Promise<void> {
  for (const [name, node] of nodes)
    await soon(async () => (await connected(node)).join() === NAMES.filter((other) => other !== name).join());
}

function soon(what: () => Promise<boolean>): Promise<void> {
  return until({ signal: AbortSignal.timeout(PATIENCE_MS) }, what);
}

if (import.meta.main) {
  const line = new CommandLine("losses", HELP);
  const text = (fallback: string): { readonly type: "string"; readonly default: string } => ({ type: "string", default: fallback });
  const { values } = line.read({ options: { schedules: text("20"), units: text("6"), seed: { type: "string" } } });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : line.whole("seed", values.seed, 0);
  const progress = (told: string): void => void process.stderr.write(`${told}\n`);
  progress(`seed ${seed}`);
  const [schedules, units] = [line.whole("schedules", values.schedules, 1), line.whole("units", values.units, 1)];
  const { repairedMs, ...counts } = await losses({ schedules, units, seed, progress });
  const sorted = repairedMs.toSorted((a, b) => a - b);
  const repaired = { median: quantile(sorted, 0.5), most: sorted.at(-1) };
  process.stdout.write(`${JSON.stringify({ seed, ...counts, repairedMs: repaired })}\n`);
  process.exitCode = counts.failed + counts.unavailable === 0 ? 0 : 1;
}
