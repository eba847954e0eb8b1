/**
 * Machines that die: real daemons of one network, on loopback or each with a cable of its own, and units that they compile for each other.
 *
 * Knows: how they are made and brought together, and what a compile must leave. Does not know: who dies when.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { Lan, type Machine } from "./lab-lan.ts";

/** Machines that are made or brought in side by side: a founder answers in time while there are no more than it has cores. */
const STARTS_AT_ONCE = availableParallelism();
/** Until all have links with all: at least, and for each of them, as there are the more links. */
const PATIENCE_MS = 120_000;
const PATIENCE_EACH_MS = 30_000;
const POLL_MS = 50;
const JOIN_TRIES = 5;
const INVITED_MS = 3_600_000;
/** Of one unit. */
const FUNCTIONS = 40;
const OPTIONS = ["-O2", "-c"] as const;

interface Coordinator {
  readonly name: string;
  readonly term: number;
}

interface PeersAnswer {
  readonly placement: { readonly coordinator: Coordinator | null };
  readonly peers: readonly {
    readonly name: string;
    readonly state: string;
    readonly why?: string;
    readonly work: { readonly slots: number } | null;
  }[];
}

/** What a daemon has logged, and when. */
export interface Logged extends Readonly<Record<string, unknown>> {
  readonly event: string;
  /** ms since the epoch */
  readonly ms: number;
}

export class Machines implements AsyncDisposable {
  readonly names: readonly string[];
  readonly #nodes: ReadonlyMap<string, TestNode>;
  readonly #cables: ReadonlyMap<string, Machine>;
  readonly #logs: string;
  readonly #stack: AsyncDisposableStack;

  /** The first founds the network. @param cabled each has a cable, which can be pulled out; all are on loopback otherwise */
  static async start(names: readonly string[], cabled: boolean): Promise<Machines> {
    await using stack = new AsyncDisposableStack();
    const lan = cabled ? stack.use(await Lan.make()) : undefined;
    const [nodes, cables] = [new Map<string, TestNode>(), new Map<string, Machine>()];
    const logs = mkdtempSync(join(tmpdir(), "cairn-failover-logs-"));
    await each([...names.entries()], STARTS_AT_ONCE, async ([at, name]) => {
      const address = lan === undefined ? "127.0.0.1" : `10.77.1.${at + 1}`;
      const cable = await lan?.machine(name, `${address}/24`);
      if (cable !== undefined) cables.set(name, cable);
      const env = { CAIRN_NETWORK_LISTEN: `${address}:0`, CAIRN_LOG_LEVEL: "debug" };
      const node = stack.use(await TestNode.start(`failover-${name}`, env, cable?.within, logOf(logs, name)));
      nodes.set(name, node);
    });
    const made = new Machines(names, nodes, cables, logs, stack.move());
    await using unfinished = new AsyncDisposableStack();
    unfinished.use(made);
    const [founder = "", ...others] = names;
    await made.told(founder, "/network/init", { machine: founder });
    await each(others, STARTS_AT_ONCE, (name) => made.#join(name, founder));
    unfinished.move();
    return made;
  }

  private constructor(
    names: readonly string[],
    nodes: ReadonlyMap<string, TestNode>,
    cables: ReadonlyMap<string, Machine>,
    logs: string,
    stack: AsyncDisposableStack,
  ) {
    this.names = names;
    this.#nodes = nodes;
    this.#cables = cables;
    this.#logs = logs;
    this.#stack = stack;
  }

  /** What daemons logged outlives this, unless it is told that all went well. */
  wentWell(): void {
    rmSync(this.#logs, { recursive: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  of(name: string): TestNode {
    return this.#nodes.get(name) ?? assert.fail(`no machine ${name}`);
  }

  /** Starts daemons that were killed, all at once: who does not listen yet when others dial is looked for in other ways, which costs more than the start. */
  startAgain(names: readonly string[]): Promise<void> {
    return each(names, names.length, (name) => this.of(name).startDaemon());
  }

  /** Pulls a machine's cable out, or puts it back in. */
  plug(name: string, into: boolean): void {
    this.#cables.get(name)?.plug(into);
  }

  /** The answer to what must not be refused. */
  async told(name: string, path: string, body: object): Promise<Record<string, unknown>> {
    const answer = await this.of(name).control("POST", path, body);
    assert.ok(!("error" in answer), `${name} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async keyOf(name: string, asked: string): Promise<string> {
    const { members } = await this.of(asked).control("GET", "/network/members");
    const found = (members as { name: string; key: string }[]).find((member) => member.name === name);
    return found?.key ?? assert.fail(`${asked} knows no ${name}`);
  }

  /** What a machine has logged from now on, when asked. */
  follow(name: string): () => Logged[] {
    const file = logOf(this.#logs, name);
    const from = statSync(file).size;
    return () => {
      const lines = readFileSync(file).subarray(from).toString("utf8").split("\n").slice(0, -1);
      return lines.flatMap((line): Logged[] => {
        if (!line.startsWith('{"at"')) return [];
        const facts = JSON.parse(line) as { readonly at: string; readonly event: string };
        return [{ ...facts, ms: Date.parse(facts.at) }];
      });
    };
  }

  /** Waits until all have links with all, know the same coordinator, and some work for others. @returns the coordinator's name */
  async coordinator(): Promise<string> {
    const patienceMs = Math.max(PATIENCE_MS, PATIENCE_EACH_MS * this.names.length);
    for (const until = Date.now() + patienceMs; Date.now() < until; await sleep(POLL_MS)) {
      const found = await this.#agreed();
      if (found !== undefined) return found;
    }
    const answers = await Promise.all(this.names.map((name) => this.#peers(name)));
    return assert.fail(`no coordinator, or they do not find together: ${this.#said(answers)}`);
  }

  /** Asks one after the other, up to the first that is not there yet: they have better things to do than to answer this. */
  async #agreed(): Promise<string | undefined> {
    let agreed: Coordinator | undefined;
    for (const name of this.names) {
      const answer = await this.#peers(name);
      const known = answer?.placement.coordinator ?? undefined;
      if (known === undefined || !isAmongOthers(answer)) return undefined;
      agreed ??= known;
      if (known.name !== agreed.name || known.term !== agreed.term) return undefined;
    }
    return agreed?.name;
  }

  /**
   * Tries again where a founder that has much to do with others does not answer in time: by the same invitation, for it may have admitted the machine
   * before its answer was lost.
   */
  async #join(name: string, founder: string): Promise<void> {
    const { line } = await this.told(founder, "/network/invite", { expiresMs: INVITED_MS });
    for (let more = JOIN_TRIES - 1; ; more--) {
      const { error } = await this.of(name).control("POST", "/network/join", { line, machine: name });
      if (error === undefined) return;
      const isLate = (error as { readonly code: string }).code === "peer-unreachable";
      assert.ok(isLate && more > 0, `${name} does not join: ${JSON.stringify(error)}`);
    }
  }

  #peers(name: string): Promise<PeersAnswer | undefined> {
    return this.of(name)
      .control("GET", "/network/peers")
      .catch(() => undefined) as Promise<PeersAnswer | undefined>;
  }

  #said(answers: readonly (PeersAnswer | undefined)[]): string {
    const of = (answer: PeersAnswer | undefined): unknown =>
      answer && {
        coordinator: answer.placement.coordinator,
        peers: answer.peers.map(({ name, state, why, work }) => [name, state, why, work?.slots]),
      };
    return `${JSON.stringify(answers.map(of))}; what they logged is in ${this.#logs}`;
  }
}

function logOf(directory: string, name: string): string {
  return join(directory, `${name}.log`);
}

/** It has a link with every other, and one of these works for it. */
function isAmongOthers(answer: PeersAnswer | undefined): boolean {
  return answer?.peers.every(({ state }) => state === "connected") === true && answer.peers.some(({ work }) => (work?.slots ?? 0) > 0);
}

/** Units whose objects are known, and that no cache has ever seen. */
export class Units {
  readonly #texts: readonly string[];
  readonly #objects: readonly Buffer[];

  static async of(count: number): Promise<Units> {
    using directory = temporaryDirectory("failover-units");
    const texts = Array.from({ length: count }, (_, unit) => sourceOf(unit));
    const objects: Buffer[] = [];
    for (const [unit, text] of texts.entries()) {
      writeFiles(directory.path, { [nameOf(unit)]: text });
      const ran = await run("gcc", [...OPTIONS, nameOf(unit), "-o", "unit.o"], { cwd: directory.path });
      assert.equal(ran.code, 0, ran.stderr);
      objects.push(readFileSync(join(directory.path, "unit.o")));
    }
    return new Units(texts, objects);
  }

  private constructor(texts: readonly string[], objects: readonly Buffer[]) {
    this.#texts = texts;
    this.#objects = objects;
  }

  /**
   * Compiles all of them, some at once: each must end well, and each object be the compiler's own.
   *
   * @param name unlike any before: a macro of that name, which nobody uses, makes new sources with the old objects
   * @returns how many
   */
  async compile(node: TestNode, name: string, atOnce: number): Promise<number> {
    const directory = join(dirname(node.home), name);
    mkdirSync(directory);
    await each([...this.#texts.entries()], atOnce, async ([unit, text]) => {
      const [source, object] = [nameOf(unit), `${nameOf(unit)}.o`];
      writeFiles(directory, { [source]: `#define ${name} 1\n${text}` });
      const ran = await node.cc("gcc", [...OPTIONS, source, "-o", object], { cwd: directory });
      assert.deepEqual(ran, { code: 0, signal: null, stdout: "", stderr: "" }, `${name}/${source}`);
      assert.ok(this.#objects[unit]?.equals(readFileSync(join(directory, object))) === true, `${name}/${source}: another object`);
    });
    rmSync(directory, { recursive: true });
    return this.#texts.length;
  }
}

/** Does something with each, so many at once, those first that come first. @throws what the first of them has thrown, once none is under way any more */
async function each<T>(all: readonly T[], atOnce: number, what: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...all];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await what(next);
  };
  for (const ended of await Promise.allSettled(Array.from({ length: atOnce }, work))) if (ended.status === "rejected") throw ended.reason;
}

function nameOf(unit: number): string {
  return `unit${unit}.c`;
}

/** A tenth of a second of work for a compiler, or some, without headers that would have to be read first. */
function sourceOf(unit: number): string {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, i) => `int unit${unit}_${i}(int *a, int n) { int s = ${i}; for (int k = 0; k < n; k++) s += a[k] * (s ^ k) % ${i + 2}; return s; }`,
  );
  return `${functions.join("\n")}\n`;
}
