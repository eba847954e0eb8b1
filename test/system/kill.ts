/**
 * Kills the daemon at random instants while compiles run, again and again.
 *
 * All the time, four at once: compiles by the wrapper must end with the compiler's exit code and object; results whose storing a daemon
 * acknowledged must be found by every later daemon, with blobs that have their digests. At the end all of them are looked for, the index
 * must never have been given up, and nothing half-written may lie in the store.
 *
 * Knows: what must be true. Does not know: how the store achieves it.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CommandLine } from "../../scripts/command-line.ts";
import { digestOf } from "../../src/base/index.ts";
import { readHotRecordBlobs } from "../../src/wire/index.ts";
import { age, run } from "./harness.ts";
import {
  Asker,
  BreakableNode,
  compileFrame,
  eventually,
  filesBelow,
  heard,
  type Question,
  randomFrom,
  ranFrame,
  readRun,
} from "./resilience-world.ts";

const HELP = `usage: npm run kill -- [options]

Kills the daemon at random instants while compiles run, again and again. Prints what was compared as one line of JSON; ends with an error at the
first result that is wrong or lost.

  --rounds N   kills (default 1,000)
  --seed N     when they come (default: chosen and printed)
  --help

example:
  npm run kill -- --rounds 200 --seed 7
`;

export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly progress?: (line: string) => void;
}

export interface Killed {
  readonly rounds: number;
  /** Kills that met a daemon which was still starting. */
  readonly whileStarting: number;
  /** Compiles by the wrapper that were held against the compiler's. */
  readonly compared: number;
  /** Results whose storing was acknowledged; all of them were found at the end. */
  readonly acknowledged: number;
  /** How often one of them was looked for and found while daemons were killed. */
  readonly found: number;
}

const WORKERS = 4;
const SOURCES = 10;
const VARIANTS = 3;
/** How long after a daemon began to listen, or to be useful, a kill comes at most. */
const LONGEST_LIFE_MS = 80;
/** A daemon that was of no use for so long is killed as well. */
const PATIENCE_MS = 1_500;
/** What a daemon never has to say in its log, however its predecessor ended. */
const ALARMING =
  /"event":"(index\.(moved-aside|in-memory|failed|stuck)|store\.(blob-damaged|unwritable|foreign-file)|unhandled|daemon\.failed)"/;

interface Acknowledged {
  readonly question: Question;
  readonly object: Buffer;
}

class Load {
  readonly #node: BreakableNode;
  readonly #random: (below: number) => number;
  readonly #references = new Map<string, Promise<Buffer>>();
  readonly acknowledged: Acknowledged[] = [];
  compared = 0;
  found = 0;
  #answered: () => void = () => undefined;
  #made = 0;

  constructor(node: BreakableNode, random: (below: number) => number) {
    this.#node = node;
    this.#random = random;
  }

  async work(worker: number, goOn: () => boolean): Promise<void> {
    const cwd = join(this.#node.directory, `w${worker}`);
    mkdirSync(cwd);
    writeFileSync(join(cwd, "common.h"), "#define TWICE(x) ((x) + (x))\n");
    const variants = Array.from({ length: SOURCES }, (_, source) => this.#edit(cwd, source));
    while (goOn()) {
      const choice = this.#random(10);
      if (choice < 5) await this.#compare(cwd, variants);
      else if (choice < 7) await this.#store(cwd);
      else await this.#lookFor(this.acknowledged[this.#random(Math.max(1, this.acknowledged.length))]);
    }
  }

  /** Waits until a daemon has stored or found something, but not for ever. */
  async answered(mostMs: number): Promise<void> {
    const patience = new AbortController();
    await Promise.race([
      new Promise<void>((resolve) => {
        this.#answered = resolve;
      }),
      sleep(mostMs, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
  }

  #edit(cwd: string, source: number): number {
    const variant = this.#random(VARIANTS);
    writeFileSync(join(cwd, sourceName(source)), sourceText(source, variant));
    return variant;
  }

  /** A compile by the wrapper, with or without an edit before. */
  async #compare(cwd: string, variants: number[]): Promise<void> {
    const source = this.#random(SOURCES);
    if (this.#random(3) === 0) variants[source] = this.#edit(cwd, source);
    const name = `s${source}`;
    const expected = await this.#reference(source, variants[source] ?? 0);
    rmSync(join(cwd, `${name}.o`), { force: true });
    const ran = await this.#node.cc(["-O1", "-c", sourceName(source), "-o", `${name}.o`], { cwd });
    assert.deepEqual(ran, { code: 0, signal: null, stdout: "", stderr: "" });
    assert.ok(readFileSync(join(cwd, `${name}.o`)).equals(expected), `${cwd}/${name}.o is not what the compiler writes`);
    this.compared++;
  }

  #reference(source: number, variant: number): Promise<Buffer> {
    const key = `${source}-${variant}`;
    let reference = this.#references.get(key);
    if (reference === undefined) {
      reference = (async () => {
        const cwd = join(this.#node.directory, `reference-${key}`);
        mkdirSync(cwd);
        writeFileSync(join(cwd, "common.h"), "#define TWICE(x) ((x) + (x))\n");
        writeFileSync(join(cwd, sourceName(source)), sourceText(source, variant));
        const ran = await run("gcc", ["-O1", "-c", sourceName(source), "-o", "out.o"], { cwd });
        assert.equal(ran.code, 0, ran.stderr);
        return readFileSync(join(cwd, "out.o"));
      })();
      this.#references.set(key, reference);
    }
    return reference;
  }

  /** What the wrapper does on a miss, by one who listens to the acknowledgement. */
  async #store(cwd: string): Promise<void> {
    const name = `u${this.#made++}`;
    const assembler = this.#random(4) !== 0;
    const file = `${name}.${assembler ? "s" : "c"}`;
    writeFileSync(
      join(cwd, file),
      assembler ? `.global ${name}\n${name}: ret\n` : `#include "common.h"\nint ${name}(int x) { return TWICE(x); }\n`,
    );
    await age();
    const question: Question = {
      cwd,
      compiler: "/usr/bin/gcc",
      argv: ["gcc", "-c", file, "-o", `${name}.o`],
      environment: ["PATH=/usr/bin:/bin"],
    };
    using asker = this.#ask(question);
    const answer = await asker.next();
    if (answer === undefined) return; // Killed.
    const { job, args } = readRun(answer);
    const depfile = join(cwd, `${name}.d`);
    const startNs = BigInt(Date.now()) * 1_000_000n;
    const began = process.hrtime.bigint();
    await compileWith([...args.map((arg) => arg || depfile), ...question.argv.slice(1)], cwd);
    const steadyNs = process.hrtime.bigint() - began;
    const dependencies = assembler ? "" : readFileSync(depfile, "utf8");
    asker.send(ranFrame({ job, startNs, endNs: startNs + steadyNs, steadyNs, dependencies }));
    const stored = await asker.next();
    if (stored === undefined) return;
    assert.equal(stored.type, heard.stored);
    this.#answered();
    const object = readFileSync(join(cwd, `${name}.o`));
    // Read is not stored yet; what is asked for again is.
    using again = this.#ask(question);
    if ((await again.next())?.type === heard.done) this.acknowledged.push({ question, object });
  }

  #ask(question: Question): Asker {
    return new Asker(join(this.#node.home, "run/cairn.sock")).send(compileFrame(question));
  }

  /** @returns false when no daemon was there to be asked */
  async #lookFor(wanted: Acknowledged | undefined): Promise<boolean> {
    if (wanted === undefined) return false;
    using asker = this.#ask(wanted.question);
    const answer = await asker.next();
    if (answer === undefined) return false;
    this.#answered();
    assert.equal(answer.type, heard.done, `lost: ${wanted.question.argv.join(" ")}`);
    const blobs = readHotRecordBlobs(answer.payload);
    assert.deepEqual(blobs, [digestOf(wanted.object)]);
    for (const blob of blobs) {
      const path = join(this.#node.home, "cache/cas", blob.slice(0, 2), blob.slice(2));
      assert.ok(readFileSync(path).equals(wanted.object), `half-written: ${path}`);
    }
    this.found++;
    return true;
  }

  async lookForAll(): Promise<void> {
    for (const each of this.acknowledged) assert.ok(await this.#lookFor(each), "the last daemon answers");
  }
}

/** Mostly assembler, which is assembled in no time: what matters is how often the daemon is asked. */
function isAssembler(source: number): boolean {
  return source % 3 !== 0;
}

function sourceName(source: number): string {
  return `s${source}.${isAssembler(source) ? "s" : "c"}`;
}

function sourceText(source: number, variant: number): string {
  if (isAssembler(source)) return `.global s${source}\ns${source}: ret\n.byte ${variant}\n`;
  return `#include "common.h"\nint s${source}(int x) { return TWICE(x) * ${variant + 1}; }\n`;
}

async function compileWith(args: readonly string[], cwd: string): Promise<void> {
  const ran = await run("gcc", args, { cwd });
  assert.equal(ran.code, 0, ran.stderr);
}

export async function killAgainAndAgain({ rounds, seed, progress = () => undefined }: KillOptions): Promise<Killed> {
  await using node = await BreakableNode.make("kill");
  const random = randomFrom(seed);
  const load = new Load(node, randomFrom(seed + 1));
  const stop = new AbortController();
  let failure: unknown;
  const workers = Array.from({ length: WORKERS }, (_, worker) =>
    load
      .work(worker, () => !stop.signal.aborted)
      .catch((error: unknown) => {
        failure ??= error;
        stop.abort();
      }),
  );
  const began = performance.now();
  await node.up();
  const startMs = Math.ceil(performance.now() - began);
  await load.answered(60_000); // Hashing the compiler for the first time takes a second.
  await node.kill();
  let whileStarting = 0;
  let round = 0;
  for (; round < rounds && !stop.signal.aborted; round++) {
    const daemon = node.start();
    const phase = random(4);
    if (phase === 0) await sleep(random(startMs));
    else {
      await daemon.listening;
      // Half of them die while they store and answer: a fresh daemon asks the compiler who it is before that.
      if (phase > 1) await load.answered(PATIENCE_MS);
      await sleep(random(LONGEST_LIFE_MS));
    }
    if (!daemon.log().includes("daemon.listening")) whileStarting++;
    await node.kill();
    assert.doesNotMatch(daemon.log(), ALARMING);
    if ((round + 1) % 50 === 0) progress(`${round + 1} kills, ${load.compared} compiles compared, ${load.acknowledged.length} stored`);
  }
  stop.abort();
  await Promise.all(workers);
  if (failure !== undefined) throw new Error(`seed ${seed}, round ${round}`, { cause: failure });

  const last = await node.up();
  await load.lookForAll();
  const temporaries = (): string[] => [
    ...filesBelow(join(node.home, "cache/cas/tmp")),
    ...filesBelow(join(node.home, "run/hot")).filter((name) => name.endsWith(".new")),
  ];
  await eventually("nothing half-written is left", () => temporaries().length === 0);
  assert.doesNotMatch(last.log(), ALARMING);
  return { rounds: round, whileStarting, compared: load.compared, acknowledged: load.acknowledged.length, found: load.found };
}

if (import.meta.main) {
  const line = new CommandLine("kill", HELP);
  const { values } = line.read({
    options: { rounds: { type: "string", default: "1000" }, seed: { type: "string", default: String(Date.now() % 1_000_000) } },
  });
  const seed = line.whole("seed", values.seed, 0);
  const rounds = line.whole("rounds", values.rounds, 1);
  const began = Date.now();
  process.stderr.write(`seed ${seed}\n`);
  const told = await killAgainAndAgain({ rounds, seed, progress: (text) => void process.stderr.write(`${text}\n`) });
  process.stdout.write(`${JSON.stringify({ seed, seconds: Math.round((Date.now() - began) / 1000), ...told })}\n`);
}
