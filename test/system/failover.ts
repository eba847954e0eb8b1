/**
 * `npm run failover`: kills the coordinator in the middle of builds, again and again; or stops it, so that it falls silent and nobody is told.
 *
 * Real daemons on loopback: one builds, the others compile for it, one of them holds the lease. Every compile must end well and every object be the
 * compiler's own; how long it took until the builder placed its next unit is read from its log.
 * Knows: what must be true. Does not know: how a place is found.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../../bench/statistics.ts";
import { CommandLine } from "../../scripts/command-line.ts";
import { Chance } from "./fuzz-random.ts";
import { run, TestNode, writeFiles } from "./harness.ts";
import { ask, invitation } from "./network-world.ts";

const HELP = `usage: npm run failover -- [options]

Kills the coordinator in the middle of builds of real daemons on loopback, again and again. Prints how long it took until the next unit was
placed, as one line of JSON; ends with an error at the first compile that fails or differs from the compiler's.

  --rounds N   builds, each of which loses a coordinator (default 100)
  --silently   stops its process instead, so that it falls silent; it goes on at the end of the round
  --seed N     when it goes (default: chosen and printed)
  --help

example:
  npm run failover -- --rounds 20
`;

export interface FailoverOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly silently: boolean;
  readonly progress?: (line: string) => void;
}

export interface Failovers {
  readonly rounds: number;
  readonly units: number;
  /** Units of these that other machines compiled. */
  readonly elsewhere: number;
  /** Objects that were held against the compiler's. */
  readonly compared: number;
  /** From the coordinator's end until another unit was sent to a member or begun here; ms, of each round in which one was left. Some always wait. */
  readonly placedMs: readonly number[];
  /** The longest that a unit waited for an answer to where it should be done from then on, in each of these rounds; ms. */
  readonly waitedMs: readonly number[];
}

const HELPERS = 3;
const UNITS = 16;
/** More than all cores and slots together, so that one is always waiting for a place. */
const AT_ONCE = 10;
/** Objects of each round that are held against the compiler's. */
const COMPARED = 2;
/** From the first compile until the coordinator goes, at most. */
const LATEST_MS = 700;
const PATIENCE_MS = 60_000;
/** Of one unit. */
const FUNCTIONS = 40;
const LOUD = { CAIRN_NETWORK_LISTEN: "127.0.0.1:0", CAIRN_LOG_LEVEL: "debug" };

interface PeersAnswer {
  readonly placement: { readonly coordinator: { readonly name: string; readonly term: number } | null };
  readonly peers: readonly {
    readonly name: string;
    readonly state: string;
    readonly why?: string;
    readonly work: { readonly slots: number } | null;
  }[];
}

export async function failover({ rounds, seed, silently, progress = () => undefined }: FailoverOptions): Promise<Failovers> {
  await using stack = new AsyncDisposableStack();
  const chance = new Chance(seed);
  const names = ["builder", ...Array.from({ length: HELPERS }, (_, i) => `helper${i}`)];
  const nodes = new Map<string, TestNode>();
  const logs = mkdtempSync(join(tmpdir(), "cairn-failover-logs-"));
  for (const name of names) {
    const node = stack.use(await TestNode.start(`failover-${name}`, LOUD));
    node.transcribe(join(logs, `${name}.log`));
    nodes.set(name, node);
  }
  const of = (name: string): TestNode => nodes.get(name) ?? assert.fail(`no machine ${name}`);
  const builder = of("builder");
  await ask(builder, "init", "--machine", "builder");
  for (const name of names.slice(1)) await ask(of(name), "join", await invitation(builder), "--machine", name);
  const found = { units: 0, elsewhere: 0, compared: 0, placedMs: [] as number[], waitedMs: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const coordinator = of(await otherCoordinator(nodes, builder, logs));
    const before = (await builder.counters()).built_elsewhere ?? 0;
    const strike = 50 + chance.below(LATEST_MS);
    const building = compileAll(builder, `round${seed}-${round}`, found);
    await sleep(strike);
    const struckAtMs = Date.now();
    if (silently) process.kill(coordinator.pid, "SIGSTOP");
    else await coordinator.stopDaemon("SIGKILL");
    try {
      await building;
    } finally {
      if (silently) process.kill(coordinator.pid, "SIGCONT");
      else await coordinator.startDaemon();
    }
    found.elsewhere += ((await builder.counters()).built_elsewhere ?? 0) - before;
    const since = (name: string): { ms: number; waitedMs: number }[] =>
      builder
        .events(name)
        .map(({ at, waitedMs }) => ({ ms: Date.parse(String(at)) - struckAtMs, waitedMs: Number(waitedMs) }))
        .filter(({ ms }) => ms >= 0);
    const asked = [...since("placement.sent"), ...since("placement.here")];
    const begun = [...since("placement.sent"), ...since("compile.missed")]; // Who finds a core idle does not ask.
    if (begun.length === 0) continue; // All units had a place before.
    const [placedMs, waitedMs] = [
      Math.min(...begun.map(({ ms }) => ms)),
      Math.max(0, ...asked.map((one) => Math.min(one.ms, one.waitedMs))),
    ];
    found.placedMs.push(placedMs);
    found.waitedMs.push(waitedMs);
    progress(
      `${round + 1} of ${rounds}: struck after ${strike} ms; the next place came ${placedMs} ms later, the longest wait for one was ${waitedMs} ms`,
    );
  }
  for (const node of nodes.values()) node.transcribe(undefined);
  rmSync(logs, { recursive: true });
  return { rounds, ...found };
}

/** Waits until one of the helpers coordinates for all, and somebody else works for the builder. @returns its name */
async function otherCoordinator(nodes: ReadonlyMap<string, TestNode>, builder: TestNode, logs: string): Promise<string> {
  let answers: readonly (PeersAnswer | undefined)[] = [];
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await sleep(50)) {
    answers = await Promise.all(
      [...nodes.values()].map((node) => node.control("GET", "/network/peers").catch(() => undefined) as Promise<PeersAnswer | undefined>),
    );
    const [first, ...others] = answers.map((answer) => answer?.placement.coordinator ?? undefined);
    if (first === undefined || !others.every((one) => one?.name === first.name && one.term === first.term)) continue;
    if (first.name === "builder") {
      await builder.stopDaemon(); // Somebody else takes the lease, and keeps it.
      await sleep(2_000);
      await builder.startDaemon();
      continue;
    }
    const workers = answers[0]?.peers.filter(({ name, work }) => name !== first.name && (work?.slots ?? 0) > 0) ?? [];
    if (workers.length > 0 && answers[0]?.peers.every(({ state }) => state === "connected")) return first.name;
  }
  return assert.fail(
    `no coordinator, or nobody who works for others: ${JSON.stringify(answers.map(said))}; what they logged is in ${logs}`,
  );
}

function said(answer: PeersAnswer | undefined): unknown {
  return (
    answer && {
      coordinator: answer.placement.coordinator,
      peers: answer.peers.map(({ name, state, why, work }) => [name, state, why, work?.slots]),
    }
  );
}

/** Compiles units that nobody has compiled before, some at once; all must end well, and some are held against the compiler's. */
async function compileAll(builder: TestNode, name: string, found: { units: number; compared: number }): Promise<void> {
  const directory = join(dirname(builder.home), name);
  const sources = Array.from({ length: UNITS }, (_, i) => [`unit${i}.c`, sourceOf(`${name}_${i}`.replaceAll("-", "_"))] as const);
  writeFiles(directory, Object.fromEntries(sources));
  mkdirSync(join(directory, "alone"));
  const waiting = sources.map(([file]) => file);
  const compile = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const ran = await builder.cc("gcc", ["-O2", "-c", file, "-o", `${file}.o`], { cwd: directory });
      assert.deepEqual(ran, { code: 0, signal: null, stdout: "", stderr: "" }, `${name}/${file}`);
      found.units++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, compile));
  for (const [file] of sources.slice(-COMPARED)) {
    await run("gcc", ["-O2", "-c", file, "-o", `alone/${file}.o`], { cwd: directory });
    assert.deepEqual(readFileSync(join(directory, `${file}.o`)), readFileSync(join(directory, "alone", `${file}.o`)), `${name}/${file}`);
    found.compared++;
  }
}

/** A tenth of a second of work for a compiler, or some, without headers that would have to be read first. */
function sourceOf(name: string): string {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, i) => `int ${name}_${i}(int *a, int n) { int s = ${i}; for (int k = 0; k < n; k++) s += a[k] * (s ^ k) % ${i + 2}; return s; }`,
  );
  return `${functions.join("\n")}\n`;
}

if (import.meta.main) {
  const line = new CommandLine("failover", HELP);
  const { values } = line.read({
    options: { rounds: { type: "string", default: "100" }, silently: { type: "boolean", default: false }, seed: { type: "string" } },
  });
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : line.whole("seed", values.seed, 0);
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  progress(`seed ${seed}`);
  const found = await failover({ rounds: line.whole("rounds", values.rounds, 1), seed, silently: values.silently, progress });
  const figures = (some: readonly number[]): object => {
    const sorted = some.toSorted((a, b) => a - b);
    return { median: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), most: sorted.at(-1) };
  };
  const { placedMs, waitedMs, ...counts } = found;
  process.stdout.write(
    `${JSON.stringify({ seed, ...counts, samples: placedMs.length, placedMs: figures(placedMs), waitedMs: figures(waitedMs) })}\n`,
  );
}
