/**
 * Machines of a network for benchmarks: homes on this one, with real daemons that talk over loopback.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CairnNode } from "./cairn-node.ts";
import type { Contender } from "./contenders.ts";
import { checkout, type Native } from "./native.ts";
import { HERE, type Place } from "./places.ts";
import type { Practice } from "./practice.ts";
import type { Workshop } from "./settings.ts";

/** From being connected until both know what the other has; told, not measured. */
const ACQUAINTED_MS = 1_500;

/** A machine of a network. */
export class Member implements Contender {
  readonly name: string = "cairn";
  readonly launcher: string;
  readonly #directory: string;
  readonly #place: Place;
  readonly #settings: Readonly<Record<string, string>>;
  #homes = 0;
  #node: CairnNode;

  /** @param settings of its daemon, as variables */
  constructor(native: Native, directory: string, place: Place = HERE, settings: Readonly<Record<string, string>> = {}) {
    this.launcher = native.wrapper;
    this.#directory = directory;
    this.#place = place;
    this.#settings = settings;
    this.#node = this.#fresh();
  }

  get env(): Record<string, string> {
    return { ...this.#node.env, PATH: process.env.PATH ?? "" };
  }

  get node(): CairnNode {
    return this.#node;
  }

  backgroundCpuMs(): number {
    return this.#node.cpuMs();
  }

  async start(): Promise<void> {
    await this.#node.start();
  }

  /** What a command of the command line prints with --json. */
  cairn(...args: readonly string[]): Record<string, unknown> {
    const text = execFileSync(join(checkout, "bin/cairn"), [...args, "--json"], { env: { ...process.env, ...this.env }, encoding: "utf8" });
    return JSON.parse(text) as Record<string, unknown>;
  }

  async reset(): Promise<number> {
    await this.#node.stop();
    this.#node = this.#fresh();
    await this.#node.start();
    return this.backgroundCpuMs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.stop();
  }

  #fresh(): CairnNode {
    this.#homes += 1;
    const { address, prefix } = this.#place;
    const env = { CAIRN_NETWORK_LISTEN: `${address}:0`, CAIRN_SHARING_COPIES: "0", ...this.#settings }; // Copies would be there already.
    return new CairnNode(join(this.#directory, `home${this.#homes}`), env, prefix);
  }
}

/** A machine that joins anew each time, with nothing in its cache. */
export class Newcomer extends Member {
  readonly #host: Member;
  readonly #practice: Practice | undefined;

  constructor(workshop: Workshop, host: Member, practice?: Practice, place: Place = HERE) {
    super(workshop.native, mkdtempSync(workshop.path("second-")), place); // A benchmark may have one for each project.
    this.#host = host;
    this.#practice = practice;
  }

  override async reset(): Promise<number> {
    await super.reset();
    this.cairn("join", String(this.#host.cairn("invite").line));
    // The daemon sees the compilers for the first time; a machine does that once.
    await sleep(ACQUAINTED_MS);
    await this.#practice?.of(this);
    return this.backgroundCpuMs();
  }

  async misses(): Promise<number> {
    const { counters } = await this.node.ask("/stats");
    const { miss } = counters as { readonly miss?: number };
    return miss ?? 0;
  }
}
