/**
 * icecc with its scheduler and two daemons, one that asks and one that compiles, as another one to compare with that compiles elsewhere.
 *
 * It runs only in a network namespace without a way out: its daemons and its scheduler call to all of a network.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isInside } from "../test/system/lab-namespaces.ts";
import { findProgram } from "./contenders.ts";
import type { Place } from "./places.ts";

/** In a world of its own nothing else listens. */
const PORTS = { scheduler: 8_765, near: 10_245, far: 10_246 } as const;
const NETWORK = "cairn-bench";
/** Who compiles, by the name that the scheduler knows. */
const FAR = "far";
const SLOTS = 8;
const POLL_MS = 100;
/** Until the first unit has been compiled: the daemons look for their scheduler, and pack the compiler for each other. */
const START_MS = 180_000;

export class Icecc implements AsyncDisposable {
  readonly name = "icecc";
  readonly launcher: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #directory: string;
  readonly #processes: ChildProcess[] = [];

  /** @returns a sentence where it cannot be. @param near from where it is asked */
  static async start(place: Place, near: Place): Promise<Icecc | string> {
    const found = ["icecc", "iceccd", "icecc-scheduler"].map((program) => findProgram(program) ?? findProgram(program, "/usr/sbin"));
    const [client, daemon, scheduler] = found;
    if (client === undefined || daemon === undefined || scheduler === undefined) return "icecc is not installed";
    if (!isInside()) return "icecc calls to all of a network and runs only in one of its own, which this run has not";
    await using stack = new AsyncDisposableStack();
    const icecc = stack.use(new Icecc(client));
    icecc.#run([...near.prefix, scheduler, "-p", String(PORTS.scheduler), "-n", NETWORK], {});
    icecc.#runDaemon([...near.prefix, daemon], near.address, "near", ["-p", String(PORTS.near), "-m", "0", "--no-remote"]);
    icecc.#runDaemon([...place.prefix, daemon], near.address, FAR, ["-p", String(PORTS.far), "-m", String(SLOTS)]);
    if (!(await icecc.#compilesThere())) return `icecc compiled nothing elsewhere within ${START_MS / 1_000} s`;
    stack.move();
    return icecc;
  }

  private constructor(client: string) {
    this.launcher = client;
    // Its daemons are nobody, who must find their way here.
    this.#directory = mkdtempSync(join(tmpdir(), "cairn-bench-icecc-"));
    for (const directory of ["", "near", FAR]) {
      mkdirSync(join(this.#directory, directory), { recursive: true });
      chmodSync(join(this.#directory, directory), 0o777);
    }
    this.env = {
      ICECC_TEST_SOCKET: this.#socket("near"),
      ICECC_PREFERRED_HOST: FAR,
      // It must not compile here: that would be measured as its own work.
      ICECC_TEST_REMOTEBUILD: "1",
      // All is preprocessed here: where only directives are, as gcc can, a unit takes no less.
      ICECC_REMOTE_CPP: "0",
    };
  }

  /** So many units the other daemon has compiled, by its log. */
  get compiledThere(): number {
    const log = join(this.#directory, `${FAR}.log`);
    return existsSync(log) ? readFileSync(log, "utf8").split("Remote compilation completed with exit code 0").length - 1 : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes.toReversed()) {
      if (process.exitCode !== null || process.signalCode !== null) continue;
      const ended = once(process, "exit");
      process.kill();
      await ended;
    }
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }

  #socket(name: string): string {
    return join(this.#directory, name, "socket");
  }

  #runDaemon(daemon: readonly string[], scheduler: string, name: string, own: readonly string[]): void {
    const where = ["-s", `${scheduler}:${PORTS.scheduler}`, "-n", NETWORK, "-N", name, "-b", join(this.#directory, name, "compilers")];
    const how = ["-u", "nobody", "--nice", "0", "-vv", "-l", join(this.#directory, `${name}.log`)];
    this.#run([...daemon, ...where, ...how, ...own], { ICECC_TEST_SOCKET: this.#socket(name) });
  }

  #run([file = "", ...args]: readonly string[], env: Readonly<Record<string, string>>): void {
    this.#processes.push(spawn(file, args, { stdio: "ignore", env: { PATH: process.env.PATH, ...env } }));
  }

  async #compilesThere(): Promise<boolean> {
    const source = join(this.#directory, "first.c");
    writeFileSync(source, "int first;\n");
    const env = { PATH: process.env.PATH, ...this.env };
    for (const until = performance.now() + START_MS; performance.now() < until; await sleep(POLL_MS)) {
      if (!existsSync(this.#socket("near"))) continue;
      const timeout = Math.max(1, Math.floor(until - performance.now()));
      await once(spawn(this.launcher, ["gcc", "-c", source, "-o", `${source}.o`], { env, stdio: "ignore", timeout }), "close");
      if (this.compiledThere > 0) return true;
    }
    return false;
  }
}
