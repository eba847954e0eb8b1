/**
 * A campaign: one node, one project, a sequence of steps drawn from one seed. Each step changes something and compiles with and
 * without Cairn; whatever the compiler leaves must be the same, byte for byte.
 *
 * Knows: what a step is, when two results count as different. Does not know: command lines of people, how many campaigns there are.
 */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf, limits } from "../../src/base/index.ts";
import { backTo, change } from "./fuzz-changes.ts";
import { type Command, changedCommand, describeCommand, firstCommand, type Placed, type Ready, ready } from "./fuzz-commands.ts";
import { type Before, differences, execute, type Observation, observe, type Run } from "./fuzz-observe.ts";
import type { Project } from "./fuzz-projects.ts";
import { Chance, stepSeed, type Weighted } from "./fuzz-random.ts";
import { Checkout, fileNode, type Node, type Tree, treeDigest } from "./fuzz-tree.ts";
import { type Counters, counted, TestNode, temporaryDirectory } from "./harness.ts";

export interface CampaignOptions {
  readonly project: Project;
  readonly seed: number;
  /** Compiles with this one only. */
  readonly compiler: string | undefined;
}

export interface Wrong {
  readonly step: number;
  readonly command: string;
  readonly differences: readonly string[];
  /** The last steps, the failing one at the end. */
  readonly log: readonly string[];
}

export interface Totals {
  steps: number;
  compiles: number;
  /** Compiles that the compiler alone does differently each time. */
  undecided: number;
  failedCompiles: number;
  counters: Record<string, number>;
}

type StepKind = "compile" | "together" | "race" | "kill" | "restart" | "collect" | "rest";

const STEP_KINDS: readonly Weighted<StepKind>[] = [
  [180, "compile"],
  [8, "together"],
  [12, "race"],
  [1, "kill"],
  [1, "restart"],
  [2, "collect"],
  [1, "rest"],
];

const BEFORES: readonly Weighted<Before>[] = [
  [40, "nothing"],
  [8, "older"],
  [1, "private"],
  [1, "readOnly"],
  [1, "hardLinked"],
  [1, "linked"],
  [1, "dangling"],
];

const COMMANDS_KEPT = 10;
const TREES_KEPT = 24;
const LOG_KEPT = 60;
/** So old must files be for their times to be believed (limits.racyWindowMs), and a little more. */
const BELIEVED_MS = 26;
/** Then it is known of the last results whether they name their place, and answers for every checkout have been left. */
const RESTED_MS = limits.quietMs + 3_000;
/** Commands that are then compiled in all checkouts. */
const EVERYWHERE_MOST = 4;
/** __TIME__ is the same for all compiles of one second. */
const ANOTHER_SECOND_MS = 1_100;

export class Campaign implements AsyncDisposable {
  readonly totals: Totals = { steps: 0, compiles: 0, undecided: 0, failedCompiles: 0, counters: {} };
  readonly #options: CampaignOptions;
  readonly #node: TestNode;
  readonly #directory: { path: string } & Disposable;
  readonly #checkouts: readonly Checkout[];
  readonly #known = new Map<string, Observation>();
  readonly #responses = new Map<string, Node>();
  readonly #log: string[] = [];
  #counters: Counters = {};
  #tree: Tree;
  #history: Tree[] = [];
  #commands: Command[] = [];
  #checkout = 0;
  #throughLink = false;
  #changedAt = 0;
  #failed = false;
  #wrong: Wrong | undefined;

  static async start(options: CampaignOptions): Promise<Campaign> {
    const node = await TestNode.start("fuzz");
    const campaign = new Campaign(options, node, temporaryDirectory("fuzz-trees"));
    campaign.#counters = await node.counters();
    return campaign;
  }

  private constructor(options: CampaignOptions, node: TestNode, directory: { path: string } & Disposable) {
    this.#options = options;
    this.#node = node;
    this.#directory = directory;
    this.#checkouts = ["a", "b", "another-checkout-whose-name-is-long"].map((name) => new Checkout(join(directory.path, "t", name)));
    mkdirSync(join(directory.path, "t"), { recursive: true });
    symlinkSync("t", join(directory.path, "link"));
    this.#tree = options.project.tree;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }

  /** @returns what was wrong, if anything was */
  async step(number: number): Promise<Wrong | undefined> {
    const chance = new Chance(stepSeed(this.#options.seed, number));
    this.#wrong = undefined;
    this.#say(`step ${number}`);
    this.totals.steps += 1;
    const kind = this.#commands.length === 0 ? "compile" : chance.draw(STEP_KINDS);
    if (kind === "kill" || kind === "restart") await this.#restart(kind === "kill" ? "SIGKILL" : "SIGTERM");
    if (kind === "collect") {
      this.#say("gc");
      await this.#node.control("POST", "/gc");
    }
    if (kind === "rest") {
      this.#say("nobody builds for a while");
      await sleep(RESTED_MS);
      await this.#everywhere(chance, number);
    }
    this.#go(chance);
    const command = this.#chooseCommand(chance);
    if (kind === "race") await this.#race(command, chance, number);
    else {
      for (
        let changes = chance.draw([
          [52, 0],
          [40, 1],
          [8, 2],
        ]);
        changes > 0;
        changes--
      )
        this.#change(command, chance);
      if (kind === "together") await this.#together(command);
      await this.#compare(command, chance, number);
    }
    return this.#wrong;
  }

  /** Reads the counters that are not yet in the totals. */
  async count(): Promise<void> {
    const now = await this.#node.counters();
    for (const [name, value] of Object.entries(counted(this.#counters, now)))
      this.totals.counters[name] = (this.totals.counters[name] ?? 0) + value;
    this.#counters = now;
  }

  #say(text: string): void {
    this.#log.push(text);
    if (this.#log.length > LOG_KEPT) this.#log.shift();
  }

  async #restart(signal: NodeJS.Signals): Promise<void> {
    this.#say(`the daemon ends by ${signal} and starts again`);
    await this.count();
    await this.#node.stopDaemon(signal);
    await this.#node.startDaemon();
    this.#counters = await this.#node.counters();
  }

  /** To another checkout of the same tree, now and then. */
  #go(chance: Chance): void {
    if (chance.percent(8)) this.#checkout = chance.below(this.#checkouts.length);
    if (chance.percent(4)) this.#throughLink = !this.#throughLink;
  }

  /** The same in each checkout, as it was and then changed. */
  async #everywhere(chance: Chance, step: number): Promise<void> {
    for (const command of this.#commands.slice(-EVERYWHERE_MOST))
      for (const changes of [0, 1]) {
        if (changes > 0) this.#change(command, chance);
        for (this.#checkout = this.#checkouts.length - 1; this.#checkout > 0; this.#checkout--) await this.#compare(command, chance, step);
        await this.#compare(command, chance, step);
      }
  }

  #chooseCommand(chance: Chance): Command {
    const { project, compiler } = this.#options;
    const known = this.#commands.length < 3 || chance.percent(4) ? firstCommand(project, chance, compiler) : chance.pick(this.#commands);
    const command = chance.percent(17) ? changedCommand(known, project, chance, compiler) : known;
    if (!this.#commands.includes(command)) {
      this.#commands.push(command);
      if (this.#commands.length > COMMANDS_KEPT) this.#commands.splice(chance.below(COMMANDS_KEPT), 1);
    }
    return command;
  }

  #change(command: Command, chance: Chance): void {
    const scene = { project: this.#options.project, tree: this.#tree, history: this.#history, source: command.unit.source };
    // A tree in which something does not compile is not worth staying in.
    const { tree, what } = this.#failed && chance.percent(75) ? backTo(scene, chance) : change(scene, chance);
    this.#say(what);
    this.#tree = tree;
  }

  #placed(): Placed {
    const real = this.#here.root;
    return { real, root: this.#throughLink ? real.replace("/t/", "/link/") : real };
  }

  get #here(): Checkout {
    const checkout = this.#checkouts[this.#checkout];
    if (checkout === undefined) throw new RangeError("no such checkout");
    return checkout;
  }

  #become(tree: Tree): void {
    this.#here.become(tree);
    this.#changedAt = performance.now();
  }

  async #age(): Promise<void> {
    const remainingMs = BELIEVED_MS - (performance.now() - this.#changedAt);
    if (remainingMs > 0) await sleep(remainingMs);
  }

  #runs(command: Command, prepared: Ready): { plain: Run; cached: Run } {
    const { responseFile, compiler, umask } = command;
    const { cwd, environment } = prepared;
    const args = responseFile ? [`@${this.#placed().root}/args.rsp`] : prepared.args;
    return {
      plain: { program: compiler, args, cwd, environment, umask },
      cached: { program: this.#node.client, args: [compiler, ...args], cwd, environment: { ...this.#node.env, ...environment }, umask },
    };
  }

  /** The tree with the command's response file in it. */
  #withResponse(command: Command, { args }: Ready): Tree {
    if (!command.responseFile) return this.#tree;
    const text = `${args.map((arg) => `'${arg}'`).join("\n")}\n`;
    const node = this.#responses.get(text) ?? fileNode(text);
    this.#responses.set(text, node);
    return new Map([...this.#tree, ["args.rsp", node]]);
  }

  async #compare(command: Command, chance: Chance, step: number): Promise<void> {
    const prepared = ready(command, this.#options.project, this.#placed());
    const { plain, cached } = this.#runs(command, prepared);
    const tree = this.#withResponse(command, prepared);
    const before = chance.draw(BEFORES);
    const hurried = chance.percent(8);
    const times = chance.percent(25) ? 2 : 1;
    this.#become(tree);
    this.#say(`${describeCommand(command, prepared)}${before === "nothing" ? "" : ` (outputs: ${before})`}${hurried ? " (at once)" : ""}`);
    const look = (run: Run): Promise<Observation> => observe(this.#here, run, before, prepared.outputs);

    const key = digestOf(JSON.stringify([treeDigest(tree), plain, before, this.#checkout]));
    // What the compiler does with the same in the same place is known; in doubt it is asked again.
    let expected = hurried ? undefined : this.#known.get(key);
    for (let time = 0; time < times; time++) {
      if (!hurried) await this.#age();
      const got = await look(cached);
      this.totals.compiles += 1;
      expected ??= await look(plain);
      if (expected.end !== "0") this.totals.failedCompiles += 1;
      if (differences(expected, got).length > 0) expected = await this.#judge(expected, got, look, plain, step, prepared, command);
    }
    if (expected !== undefined) this.#keep(key, expected);
    this.#failed = expected?.end !== "0";
    // Nor is a command that fails worth many more tries.
    if (this.#failed && chance.percent(30)) this.#commands = this.#commands.filter((kept) => kept !== command);
    if (!this.#failed && this.#history.at(-1) !== this.#tree) {
      this.#history.push(this.#tree);
      if (this.#history.length > TREES_KEPT) this.#history.splice(1 + chance.below(TREES_KEPT - 1), 1);
    }
  }

  /** Only a compiler that does the same each time can convict. */
  async #judge(
    expected: Observation,
    got: Observation,
    look: (run: Run) => Promise<Observation>,
    plain: Run,
    step: number,
    prepared: Ready,
    command: Command,
  ): Promise<Observation> {
    const again = await look(plain);
    const found = differences(again, got);
    if (found.length === 0) return again;
    await sleep(ANOTHER_SECOND_MS);
    const third = await look(plain);
    if (differences(again, third).length > 0) this.totals.undecided += 1;
    else this.#wrong ??= { step, command: describeCommand(command, prepared), differences: found, log: [...this.#log] };
    return expected === again ? again : third;
  }

  #keep(key: string, observation: Observation): void {
    this.#known.set(key, observation);
    if (this.#known.size > 400) this.#known.delete(this.#known.keys().next().value ?? "");
  }

  /** Two compiles of the same thing at once; what they leave behind is compared by the step that follows. */
  async #together(command: Command): Promise<void> {
    const prepared = ready(command, this.#options.project, this.#placed());
    const { cached } = this.#runs(command, prepared);
    this.#become(this.#withResponse(command, prepared));
    await this.#age();
    this.#say(`twice at once: ${describeCommand(command, prepared)}`);
    await Promise.all([execute(cached), execute(cached)]);
    this.totals.compiles += 2;
    this.#here.clear();
  }

  /** A change while the compiler runs: neither content may be served with the other's result afterwards. */
  async #race(command: Command, chance: Chance, step: number): Promise<void> {
    const prepared = ready(command, this.#options.project, this.#placed());
    const { cached } = this.#runs(command, prepared);
    const former = this.#tree;
    this.#become(this.#withResponse(command, prepared));
    await this.#age();
    this.#say(`${describeCommand(command, prepared)}, and while it runs:`);
    const running = execute(cached);
    await sleep(chance.below(40));
    this.#change(command, chance);
    this.#become(this.#withResponse(command, prepared));
    await running;
    this.totals.compiles += 1;
    await this.#compare(command, chance, step);
    this.#say("back to what was before");
    this.#tree = former;
    await this.#compare(command, chance, step);
  }
}
