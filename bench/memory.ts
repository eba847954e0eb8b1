/**
 * The daemon's resident memory: after the start, after some compiles, with many manifests, after many hits.
 *
 * Compiling tens of thousands of files takes hours. The files here are real and the daemon is asked by its socket as always, but the
 * compiler's part is played: an object and a dependency file that were made before are written when the daemon says "run".
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CairnNode } from "./cairn-node.ts";
import { plainEnvironment } from "./contenders.ts";
import { converse, type Question, writeQuestions } from "./questions.ts";
import { type Settings, Workshop } from "./settings.ts";
import { spread } from "./statistics.ts";
import { type Report, type Row, row } from "./table.ts";

const HEADERS = 90;
const CONCURRENT = 8;
const FEW = 100;
const OBJECT_BYTES = 2_048;
/** What a daemon does when a build is over; then memory is looked at. */
const SETTLE_MS = 2_000;
const BARS = { idle: { must: 80, aim: 60 }, full: { must: 150, aim: 100 } } as const;

export async function memory(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  const world = new Units(workshop.path("project"), settings.manifests);
  await using node = new CairnNode(workshop.path("home"));
  await node.start();
  await node.stop(); // Now Node's compile cache is warm, as it is on all days but the first.
  await node.start();
  const rows: Row[] = [];
  const look = async (what: string, bar?: { must: number; aim: number }): Promise<void> => {
    await sleep(SETTLE_MS);
    rows.push(row(what, "MiB", spread([node.residentBytes() / 2 ** 20]), bar));
  };
  await look("idle, after the start", BARS.idle);
  const few = Math.min(FEW, settings.manifests);
  await world.compile(node, 0, few);
  await look(`after ${few} compiles`, BARS.idle);
  settings.progress(`${settings.manifests} manifests`);
  const began = performance.now();
  const cpuBefore = node.cpuMs();
  await world.compile(node, few, settings.manifests);
  const compiled = Math.max(1, settings.manifests - few);
  const cpuUs = ((node.cpuMs() - cpuBefore) * 1_000) / compiled;
  const wallUs = ((performance.now() - began) * 1_000) / compiled;
  await look(`at ${settings.manifests} manifests`, BARS.full);
  settings.progress(`${settings.manifests} hits`);
  const questions = writeQuestions(workshop.directory, world.questions());
  execFileSync(workshop.native.load, [node.socket, questions, String(settings.manifests), String(CONCURRENT)]);
  await look(`after ${settings.manifests} hits`, BARS.full);
  await node.stop();
  await node.start();
  await look("started again with them", BARS.full);
  rows.push(row("storing one, daemon's CPU", "µs", spread([cpuUs])), row("storing one, wall", "µs", spread([wallUs])));
  return {
    benchmark: "memory",
    rows,
    notes: [`${HEADERS} headers, shared by all units; looked at once, ${SETTLE_MS} ms after the last answer`],
  };
}

/** Sources that share headers, and a compiler that takes no time. */
class Units {
  readonly #directory: string;
  readonly #count: number;
  readonly #headers: readonly string[];
  readonly #env = plainEnvironment("/");

  constructor(directory: string, count: number) {
    this.#directory = directory;
    this.#count = count;
    mkdirSync(join(directory, "include"), { recursive: true });
    this.#headers = Array.from({ length: HEADERS }, (_, i) => join(directory, `include/header${i}.h`));
    const includes = this.#headers.map((_, i) => `#include "header${i}.h"\n`).join("");
    for (const [i, path] of this.#headers.entries()) writeFileSync(path, `int header${i}(void);\n`);
    for (let unit = 0; unit < count; unit++) writeFileSync(join(directory, `unit${unit}.c`), `${includes}int unit${unit};\n`);
  }

  questions(): Question[] {
    return Array.from({ length: this.#count }, (_, unit) => this.#question(unit));
  }

  /** Units `from` to `to`, so that the daemon stores them. */
  async compile(node: CairnNode, from: number, to: number): Promise<void> {
    let next = from;
    const worker = async (): Promise<void> => {
      for (let unit = next++; unit < to; unit = next++) {
        const answered = await converse(node.socket, this.#question(unit), () => this.#write(unit));
        if (answered !== "stored") throw new Error(`unit ${unit} was not stored: ${answered}`);
        for (const suffix of ["o", "d"]) rmSync(join(this.#directory, `unit${unit}.${suffix}`));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, worker));
  }

  #question(unit: number): Question {
    const argv = ["/usr/bin/cc", "-Iinclude", "-O1", "-MD", "-c", `unit${unit}.c`, "-o", `unit${unit}.o`];
    return { cwd: this.#directory, compiler: "/usr/bin/cc", argv, environment: [`LANG=${this.#env.LANG}`, `PATH=${this.#env.PATH}`] };
  }

  #write(unit: number): void {
    writeFileSync(join(this.#directory, `unit${unit}.o`), Buffer.alloc(OBJECT_BYTES, `${unit} `));
    const headers = this.#headers.map((_, i) => ` include/header${i}.h`).join("");
    writeFileSync(join(this.#directory, `unit${unit}.d`), `unit${unit}.o: unit${unit}.c${headers}\n`);
  }
}
