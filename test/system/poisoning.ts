/**
 * Poison among real daemons: a member that is always first with what no compiler has written, and how soon what it had others believe is gone
 * again.
 *
 * The liar knows what honest machines are about to compile: a machine of a network of its own has compiled it before. What it says of that is
 * right in all but the object.
 *
 * Knows: who is asked to compile what, and when. Does not know: why something is believed, or found out.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandLine } from "../../scripts/command-line.ts";
import { limits } from "../../src/base/index.ts";
import type { Stage } from "../../src/net/network.fixture.ts";
import { age, type Env, type TestNode } from "./harness.ts";
import { forgedBy, type Honest, lastManifest, POISON, type Pretender, pretender, takenFrom } from "./liar-world.ts";
import { ask, invitation, machine, until } from "./network-world.ts";
import { compileSeen, untilOffered } from "./sharing-world.ts";

const HELP = `usage: npm run poisoning -- [options]

Real daemons on this machine, among them a member that signs objects that no compiler has written, and offers them before anybody honest has
compiled the source. Prints what was found as one line of JSON each; ends with an error when a team's machine has used such an object, or one
that was believed at "speculative" is never taken back.

  --first N    sources of which the liar is the first (default 1,000; 0: not at all)
  --recall N   sources that machines of the policy "speculative" are deceived about, one after the other (default 20; 0: not at all)
  --convict N  sources that machines of three domains and that policy are deceived about, all at once, until the liar is convicted (default 10; 0: not at all)
  --nodes N    of so many machines (default 20)
  --help

example:
  npm run poisoning -- --first 100 --recall 5 --convict 5 --nodes 6
`;

interface Telling {
  readonly progress?: (line: string) => void;
}

/** What machines have is what they have asked for. */
const ALONE = { CAIRN_SHARING_COPIES: "0" };
/** Compiles of the liar's own machine that wait at once to be shared. */
const AT_ONCE = 100;
/** Daemons that are started, or compile, at the same time. */
const ABREAST = 4;

/** A source, and what came of it where nobody lies. */
interface Known {
  readonly name: string;
  readonly object: Buffer;
  readonly honest: Honest;
}

/** What a network of one machine and a spy has compiled: sources that nobody else has compiled yet. */
async function foreknown(t: Stage, prefix: string, count: number): Promise<Known[]> {
  const victim = await machine(t, "poison-bait", ALONE);
  await ask(victim, "init", "--domain", "bait", "--machine", "bait");
  const spy = await pretender(t, victim, "spy", 78, 1);
  const work = workOf(victim);
  const names = Array.from({ length: count }, (_, at) => `${prefix}${at}`);
  write(work, names);
  await age();
  const all: Known[] = [];
  for (let at = 0; at < count; at += AT_ONCE) {
    const made: { readonly name: string; readonly manifest: string; readonly object: Buffer }[] = [];
    for (const name of names.slice(at, at + AT_ONCE)) {
      const object = await compile(victim, work, name);
      made.push({ name, object, manifest: await lastManifest(victim) });
    }
    for (const { name, object, manifest } of made) all.push({ name, object, honest: await takenFrom(spy, victim, manifest) });
  }
  return all;
}

export interface First {
  /** Sources of which the liar was the first, each compiled by two honest machines. */
  readonly sources: number;
  readonly compiled: number;
  /** Objects of the liar's that a team's machine has used. */
  readonly accepted: number;
  /** The same on a machine of the policy `speculative`, of so many others: the attack works where one voice is enough. */
  readonly believing: number;
  readonly deceived: number;
}

/** @param believing sources for the machine that believes one voice */
export async function alwaysFirst(
  t: Stage,
  { sources, believing, progress = () => undefined }: Telling & { readonly sources: number; readonly believing: number },
): Promise<First> {
  const known = await foreknown(t, "first", sources + believing);
  const [home, partner, naive] = await network(t, ["home", "partner", "naive"], (at) => (at === 2 ? "speculative" : "team"));
  assert.ok(home !== undefined && partner !== undefined && naive !== undefined);
  const liar = await pretender(t, home, "evil", 77, known.length);
  say(liar, known);
  progress(`the liar knows ${known.length} sources, and says what it likes of each`);
  const nodes = [home, partner, naive];
  for (const node of nodes) {
    await untilOffered(t, node, "evil", known.length);
    write(
      workOf(node),
      known.map(({ name }) => name),
    );
  }
  await age();
  const found = { sources, compiled: 0, accepted: 0, believing, deceived: 0 };
  for (const one of known.slice(sources)) if ((await compile(naive, workOf(naive), one.name)).equals(POISON)) found.deceived++;
  for (const node of [home, partner])
    for (const { name, object } of known.slice(0, sources)) {
      const used = await compile(node, workOf(node), name);
      found.compiled++;
      if (found.compiled % 100 === 0) progress(`${found.compiled} compiled, ${found.accepted} of them the liar's`);
      if (used.equals(POISON)) found.accepted++;
      else assert.ok(used.equals(object), `${name} is neither the compiler's nor the liar's`);
    }
  return found;
}

export interface Recall {
  readonly nodes: number;
  readonly sources: number;
  /** Times that a machine used the liar's object. */
  readonly held: number;
  /** From then on until it did not any more, ms: of all of them, in order. */
  readonly goneMs: readonly number[];
  /** From the first use of an object anywhere until the last machine had let go of it, ms, by source. */
  readonly everywhereMs: readonly number[];
}

/** Machines of these domains that believe one voice, a liar among them, and sources that it knows and nobody has compiled. */
async function believers(
  t: Stage,
  domains: readonly string[],
  prefix: string,
  sources: number,
): Promise<{ readonly known: readonly Known[]; readonly nodes: readonly TestNode[]; readonly liar: Pretender }> {
  const known = await foreknown(t, prefix, sources);
  const nodes = await network(t, domains, () => "speculative");
  const [founder] = nodes;
  assert.ok(founder !== undefined);
  const liar = await pretender(t, founder, "evil", 77, sources);
  for (const node of nodes)
    write(
      workOf(node),
      known.map(({ name }) => name),
    );
  await age();
  return { known, nodes, liar };
}

/** Each machine believes one voice. The liar's domain and two others are too few for anybody to be convicted: it goes on and on. */
export async function recalled(
  t: Stage,
  { nodes: count, sources, progress = () => undefined }: Telling & { readonly nodes: number; readonly sources: number },
): Promise<Recall> {
  const names = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? "home" : "partner"));
  const { known, nodes, liar } = await believers(t, names, "recall", sources);
  progress(`${count} machines, and a liar`);
  const goneMs: number[] = [];
  const everywhereMs: number[] = [];
  for (const [at, one] of known.entries()) {
    say(liar, [one]);
    for (const node of nodes) await untilOffered(t, node, "evil", at + 1);
    const usedAt = new Map<TestNode, number>();
    await abreast(nodes, async (node) => {
      if ((await compile(node, workOf(node), one.name)).equals(POISON)) usedAt.set(node, Date.now());
    });
    assert.ok(usedAt.size > 0, "nobody was deceived: there is nothing to find out");
    const { action } = one.honest.shared.entry;
    const gone: number[] = [];
    for (const [node, since] of usedAt) {
      await until(t, async () => takenBackAt(node, action) !== undefined);
      gone.push(Math.max(0, (takenBackAt(node, action) ?? 0) - since));
      everywhereMs[at] = Math.max(everywhereMs[at] ?? 0, (takenBackAt(node, action) ?? 0) - Math.min(...usedAt.values()));
    }
    goneMs.push(...gone);
    progress(`${one.name}: ${gone.length} machines held it, the last one for ${Math.max(...gone)} ms`);
    // Not from memory, not from anybody: what is asked for now is the compiler's.
    await abreast([...usedAt.keys()], async (node) => assert.ok((await compile(node, workOf(node), one.name)).equals(one.object)));
  }
  const inOrder = goneMs.toSorted((a, b) => a - b);
  return { nodes: count, sources, held: inOrder.length, goneMs: inOrder, everywhereMs };
}

/** As many as must agree on what else came of it. With the liar's there are four, of which none had to be accepted by others. */
const CONVICTING_DOMAINS = limits.trust.convicting;

export interface Convicted {
  readonly nodes: number;
  readonly sources: number;
  /** Times that a machine used one of the liar's objects. */
  readonly held: number;
  /** From then on until it did not any more, ms: of all of them, in order. */
  readonly goneMs: readonly number[];
  /** From the first conviction anywhere, ms: until all machines had convicted it, and until the last one had let go of the last object; 0 where it had before. */
  readonly convictedMs: number;
  readonly afterMs: number;
}

/** Machines of so many domains that each believe one voice use what the liar says; it is convicted when enough of them have found out. */
export async function convicted(
  t: Stage,
  { nodes: count, sources, progress = () => undefined }: Telling & { readonly nodes: number; readonly sources: number },
): Promise<Convicted> {
  const names = Array.from({ length: count }, (_, at) => `d${at % CONVICTING_DOMAINS}`);
  const { known, nodes, liar } = await believers(t, names, "convict", sources);
  say(liar, known);
  for (const node of nodes) await untilOffered(t, node, "evil", sources);
  progress(`${count} machines, and a liar that says what it likes of ${sources} sources`);
  const used: { readonly node: TestNode; readonly one: Known; readonly since: number }[] = [];
  await abreast(nodes, async (node) => {
    for (const one of known) if ((await compile(node, workOf(node), one.name)).equals(POISON)) used.push({ node, one, since: Date.now() });
  });
  assert.ok(used.length > 0, "nobody was deceived: there is nothing to find out");
  progress(`${used.length} objects of the liar's were used`);
  for (const node of nodes) await until(t, async () => timesOf(node, "trust.convicted").length > 0);
  const convictedAt = nodes.map((node) => Math.min(...timesOf(node, "trust.convicted")));
  const first = Math.min(...convictedAt);
  const goneAt: number[] = [];
  for (const { node, one, since } of used) {
    const { action } = one.honest.shared.entry;
    // Who convicts forgets all that the liar alone vouched for at once.
    const gone = (): number => Math.min(takenBackAt(node, action) ?? Number.POSITIVE_INFINITY, ...timesOf(node, "sharing.recalled", since));
    await until(t, async () => Number.isFinite(gone()));
    goneAt.push(gone());
  }
  await abreast(nodes, async (node) => {
    for (const { name, object } of known) assert.ok((await compile(node, workOf(node), name)).equals(object));
  });
  const goneMs = used.map(({ since }, at) => Math.max(0, (goneAt[at] ?? 0) - since)).toSorted((a, b) => a - b);
  return {
    nodes: count,
    sources,
    held: used.length,
    goneMs,
    convictedMs: Math.max(...convictedAt) - first,
    afterMs: Math.max(0, Math.max(...goneAt) - first),
  };
}

/** When something happened at a machine, by its own clock, ms since the epoch. @param since what was before does not count */
function timesOf(node: TestNode, event: string, since = 0): number[] {
  return node
    .events(event)
    .map(({ at }) => Date.parse(String(at)))
    .filter((at) => at >= since);
}

/** When a machine has let go of a result, by its own clock, ms since the epoch. */
function takenBackAt(node: TestNode, action: string): number | undefined {
  const told = [...node.events("verify.refuted"), ...node.events("sharing.contradicted")].filter((one) => one.action === action);
  const times = told.map(({ at }) => Date.parse(String(at)));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Machines of one network, of these domains; the first of each name is the domain's first, who invites the others. */
async function network(t: Stage, domains: readonly string[], policyOf: (at: number) => string): Promise<TestNode[]> {
  const nodes: TestNode[] = [];
  await abreast(
    domains.map((_, at) => at),
    async (at) => {
      const env: Env = { ...ALONE, CAIRN_SHARING_POLICY: policyOf(at) };
      nodes[at] = await machine(t, `poison-${at}`, env);
    },
  );
  const first = new Map<string, TestNode>();
  const [founder] = nodes;
  assert.ok(founder !== undefined);
  for (const [at, node] of nodes.entries()) {
    const domain = domains[at] ?? "";
    const host = first.get(domain);
    const named = ["--machine", `${domain}-${at}`];
    if (at === 0) await ask(node, "init", "--domain", domain, ...named);
    else await ask(node, "join", await (host === undefined ? invitation(founder, "--domain", domain) : invitation(host)), ...named);
    if (host === undefined) first.set(domain, node);
  }
  return nodes;
}

function say(liar: Pretender, known: readonly Known[]): void {
  for (const { honest } of known) {
    const forged = forgedBy(liar, honest);
    liar.shelf.put(forged);
    liar.attestations.say(liar.network, forged);
  }
}

/** Where each machine has its sources. */
function workOf(node: TestNode): string {
  return join(dirname(node.home), "work");
}

function write(work: string, names: readonly string[]): void {
  mkdirSync(work, { recursive: true });
  for (const name of names) writeFileSync(join(work, `${name}.c`), `int ${name}(int x) { return 3 * x; }\n`);
}

async function compile(node: TestNode, work: string, name: string): Promise<Buffer> {
  const ran = await compileSeen(node, ["-O1", "-c", `${name}.c`, "-o", `${name}.o`], work);
  assert.equal(ran.code, 0, ran.stderr);
  return readFileSync(join(work, `${name}.o`));
}

async function abreast<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  const left = [...all];
  await Promise.all(
    Array.from({ length: ABREAST }, async () => {
      for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one);
    }),
  );
}

/** Lasts as long as what it is given to. */
class Scene implements Stage, AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #stop = new AbortController();

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  after(end: () => unknown): void {
    this.#stack.defer(async () => void (await end()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#stack[Symbol.asyncDispose]();
  }
}

function sharesOf(inOrder: readonly number[]): object {
  const at = (share: number): number => inOrder[Math.min(inOrder.length - 1, Math.floor(inOrder.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), most: inOrder.at(-1) };
}

if (import.meta.main) {
  const line = new CommandLine("poisoning", HELP);
  const { values } = line.read({
    options: {
      first: { type: "string", default: "1000" },
      recall: { type: "string", default: "20" },
      convict: { type: "string", default: "10" },
      nodes: { type: "string", default: "20" },
    },
  });
  const [first, recall, convict, nodes] = [
    line.whole("first", values.first, 0),
    line.whole("recall", values.recall, 0),
    line.whole("convict", values.convict, 0),
    line.whole("nodes", values.nodes, 2),
  ];
  const progress = (text: string): void => void process.stderr.write(`${text}\n`);
  const print = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
  if (first > 0) {
    await using scene = new Scene();
    const found = await alwaysFirst(scene, { sources: first, believing: Math.min(first, 20), progress });
    print(found);
    assert.equal(found.accepted, 0);
  }
  if (recall > 0) {
    await using scene = new Scene();
    const { goneMs, everywhereMs, ...found } = await recalled(scene, { nodes, sources: recall, progress });
    print({ ...found, goneMs: sharesOf(goneMs), everywhereMs: everywhereMs.toSorted((a, b) => a - b) });
  }
  if (convict > 0) {
    await using scene = new Scene();
    const { goneMs, ...found } = await convicted(scene, { nodes, sources: convict, progress });
    print({ ...found, goneMs: sharesOf(goneMs) });
  }
}
