/**
 * Beyond what is assumed: hostile machines in every domain, a third of all, who tell the same lies. Honest machines read, execute, sign, speak
 * in disputes and convict by the real rules, with real envelopes; how much poison is used until no hostile machine's word counts any more?
 *
 * Knows: who needs what when, and who lies when. Does not know: who is believed (src/trust), who is blamed (src/daemon/convictions.ts).
 */
import { type Digest, type Key, limits, silentLog } from "../../src/base/index.ts";
import type { Attestation, SharedResult } from "../../src/contracts/index.ts";
import { Convictions } from "../../src/daemon/convictions.ts";
import { claimIn, judge, outcomeKey, Proven } from "../../src/trust/index.ts";
import { codec } from "../../src/trust/membership.fixture.ts";
import { executed, type Signer, sharedBy, type TrustWorld, trustWorld } from "../../src/trust/trust.fixture.ts";
import { Chance, stepSeed } from "../system/fuzz-random.ts";

/** When a hostile machine lies: always, once in ten times, or from its 51st execution on. */
export type Habit = "always" | "sometimes" | "sleeper";

export interface ExtinctionOptions {
  readonly policy: "team" | "release";
  readonly habit: Habit;
  /**
   * `in turn`: a hostile machine speaks of what it needs, as honest ones do. `uninvited`: so many of other domains besides say the same before
   * anybody honest has a chance to.
   */
  readonly voices: "in turn" | number;
  /** Machines of each of ten domains; a third of all is hostile. */
  readonly machinesEach: number;
  /** Machines that need an action, one after the other. */
  readonly uses: number;
  /** So many actions are looked at, at most. */
  readonly actions: number;
  readonly seed: number;
}

export interface ExtinctionFound {
  readonly actions: number;
  /** Actions of which some honest machine used what no compiler has written. */
  readonly poisons: number;
  /** Of each honest machine, how often it did. */
  readonly usesEach: readonly number[];
  /** Honest machines with which some hostile one's word counts at the end. */
  readonly open: number;
  readonly honestConvicted: number;
  readonly honestDiscredited: number;
}

const DOMAINS = 10;
const SLEEPS = 50;

const worlds = new Map<number, TrustWorld>();

function worldOf(machinesEach: number): TrustWorld {
  const known = worlds.get(machinesEach);
  if (known !== undefined) return known;
  const made = trustWorld(Array.from({ length: DOMAINS }, () => machinesEach));
  worlds.set(machinesEach, made);
  return made;
}

/** An honest machine: what it has executed or taken of the action at hand, and whom it blames. */
class Honest {
  readonly signer: Signer;
  readonly convictions: Convictions;
  readonly #run: Run;
  readonly #proven = new Proven();
  has: "nothing" | "taken" | "executed" = "nothing";
  /** How often it used poison. */
  poisoned = 0;

  constructor(run: Run, signer: Signer) {
    this.#run = run;
    this.signer = signer;
    const settings = new Map<string, string>();
    const { membership } = run.world;
    this.convictions = new Convictions({
      members: { network: membership.network, self: signer.keys.publicKey, state: membership.state },
      codec,
      kept: { setting: (name) => settings.get(name), set: (name, value) => void settings.set(name, value) },
      known: () => run.known,
      statements: () => run.statements,
      speak: () => this.#speak(),
      voices: (all) => all,
      changed: () => undefined,
      wait: (ms) => run.wait(ms),
      log: silentLog,
    });
  }

  /** As `Verifying.speak` does: only who has taken it has what it takes. */
  #speak(): void {
    if (this.has === "taken") this.execute();
  }

  execute(): void {
    this.has = "executed";
    const others = this.#run.known.filter(({ execution }) => !this.convictions.discredited.has(execution.signer));
    const own = this.#run.say(this.signer, "good");
    this.#proven.learn(this.#run.world.state, own, others);
  }

  /** Whether no hostile machine's word counts with it. */
  get isSafe(): boolean {
    return this.#run.hostile.every(({ attestationKey }) => this.convictions.discredited.has(attestationKey));
  }

  /** Needs the action at hand. */
  need(policy: ExtinctionOptions["policy"], chance: Chance): void {
    const { state } = this.#run.world;
    const reader = { policy, self: this.signer.keys.publicKey, state, discredited: this.convictions.discredited };
    for (const claim of this.#run.known) {
      const verdict = judge(reader, claim, () => this.#run.known);
      if (verdict.kind === "refused") continue;
      this.has = "taken";
      if (outcomeKey(claim) === this.#run.poison) this.poisoned++;
      const signers = verdict.certificate.map(({ execution }) => execution.signer);
      const most = policy === "team" ? limits.trust.auditTeam : limits.trust.auditRelease;
      if (chance.below(this.#proven.oneOf(signers, most)) === 0) this.execute();
      return;
    }
    this.execute();
  }
}

/** One network's life. */
class Run {
  readonly options: ExtinctionOptions;
  readonly world: TrustWorld;
  readonly statements: readonly Uint8Array[];
  readonly hostile: readonly Signer[];
  readonly honest: readonly Honest[];
  known: Attestation[] = [];
  poison: Digest = "";
  #good: ReturnType<typeof executed> = executed("", "");
  #bad: ReturnType<typeof executed> = executed("", "");
  #waiting: { readonly at: number; readonly wake: () => void }[] = [];
  #now = 0;
  readonly #slept = new Map<Key, number>();

  constructor(options: ExtinctionOptions) {
    this.options = options;
    this.world = worldOf(options.machinesEach);
    const { membership, signers } = this.world;
    this.statements = membership.statements().map(({ bytes }) => bytes);
    const all = Array.from({ length: options.machinesEach }, (_, at) => signers.flatMap((machines) => machines[at] ?? [])).flat();
    const hostile = Math.floor(all.length / 3);
    this.hostile = all.slice(0, hostile);
    this.honest = all.slice(hostile).map((signer) => new Honest(this, signer));
  }

  wait(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ at: this.#now + ms, wake: resolve });
    return promise;
  }

  say(signer: Signer, outcome: "good" | "poison"): Attestation {
    const shared: SharedResult = sharedBy(this.world.state.network, signer, outcome === "good" ? this.#good : this.#bad);
    const claim = claimIn(shared) ?? fail();
    this.known = [...this.known, claim];
    // Where all say the same there is nothing to look at.
    const isContested = new Set(this.known.map(outcomeKey)).size > 1;
    if (isContested) for (const { convictions } of this.honest) convictions.look(claim.manifest, claim.action);
    return claim;
  }

  /** All that wait have their turn before anybody needs the action again. */
  async #letTimePass(): Promise<void> {
    await settle();
    while (this.#waiting.length > 0) {
      this.#waiting.sort((a, b) => a.at - b.at);
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#now = next.at;
      next.wake();
      await settle();
    }
  }

  #lies(signer: Signer, chance: Chance): boolean {
    switch (this.options.habit) {
      case "always":
        return true;
      case "sometimes":
        return chance.percent(10);
      case "sleeper": {
        const slept = this.#slept.get(signer.attestationKey) ?? 0;
        this.#slept.set(signer.attestationKey, slept + 1);
        return slept >= SLEEPS;
      }
    }
  }

  async act(number: number): Promise<void> {
    const { seed, uses, voices, policy } = this.options;
    const chance = new Chance(stepSeed(seed, number));
    const what = `extinction ${seed} ${number}`;
    [this.#good, this.#bad] = [executed(what, "good"), executed(what, "poison")];
    this.known = [];
    for (const one of this.honest) one.has = "nothing";
    this.poison = outcomeKey(claimIn(sharedBy(this.world.state.network, this.hostile[0] ?? fail(), this.#bad)) ?? fail());
    if (voices !== "in turn" && chance.percent(this.options.habit === "sometimes" ? 10 : 100))
      for (const liar of this.#uninvited(voices, chance)) this.say(liar, "poison");
    const order = shuffled([...this.hostile, ...this.honest], chance);
    for (const one of order.slice(0, uses)) {
      if (one instanceof Honest) one.need(policy, chance);
      else if (voices === "in turn") this.say(one, this.#lies(one, chance) ? "poison" : "good");
      await this.#letTimePass();
    }
  }

  get uses(): number[] {
    return this.honest.map(({ poisoned }) => poisoned);
  }

  /** Such as some honest machine still believes. */
  #uninvited(voices: number, chance: Chance): Signer[] {
    const left = shuffled(this.left(), chance);
    const byDomain = new Map(left.map((one) => [one.domain, one]));
    return [...byDomain.values()].slice(0, voices);
  }

  /** Hostile machines whose word counts with somebody honest. */
  left(): Signer[] {
    return this.hostile.filter(({ attestationKey }) => this.honest.some(({ convictions }) => !convictions.discredited.has(attestationKey)));
  }

  blamed(which: "convicted" | "discredited"): number {
    const honest = this.honest.map(({ signer }) => signer.attestationKey);
    return honest.filter((key) => this.honest.some(({ convictions }) => convictions[which].has(key))).length;
  }
}

export async function simulateExtinction(options: ExtinctionOptions): Promise<ExtinctionFound> {
  const run = new Run(options);
  let [actions, poisons] = [0, 0];
  while (actions < options.actions && !run.honest.every(({ isSafe }) => isSafe)) {
    const before = sum(run.uses);
    await run.act(actions++);
    if (sum(run.uses) > before) poisons++;
  }
  const blamed = { honestConvicted: run.blamed("convicted"), honestDiscredited: run.blamed("discredited") };
  for (const { convictions } of run.honest) convictions[Symbol.dispose]();
  return { actions, poisons, usesEach: run.uses, open: run.honest.filter(({ isSafe }) => !isSafe).length, ...blamed };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, one) => all + one, 0);
}

function shuffled<T>(list: readonly T[], chance: Chance): T[] {
  const all = [...list];
  for (let at = all.length - 1; at > 0; at--) {
    const other = chance.below(at + 1);
    [all[at], all[other]] = [all[other] as T, all[at] as T];
  }
  return all;
}

/** What was to happen at once has happened. */
async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await Promise.resolve();
}

function fail(): never {
  throw new Error("it is not shareable, or nobody is there");
}
