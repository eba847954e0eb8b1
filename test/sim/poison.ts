/**
 * Poison: hostile machines that sign what no compiler has written, against honest ones that read, execute and sign by the real rules, with
 * real envelopes. Whoever is hostile always speaks first, and its lies are known everywhere at once.
 *
 * Knows: who plays, and in which order. Does not know: who is believed (src/trust), who is convicted (src/daemon/convictions.ts).
 */
import { limits, type SharingPolicy, silentLog } from "../../src/base/index.ts";
import type { Attestation, SharedResult } from "../../src/contracts/index.ts";
import { Convictions } from "../../src/daemon/convictions.ts";
import { claimIn, judge, type Reader, type State } from "../../src/trust/index.ts";
import { codec } from "../../src/trust/membership.fixture.ts";
import { executed, type Signer, sharedBy, type TrustWorld, trustWorld } from "../../src/trust/trust.fixture.ts";
import { Chance, stepSeed } from "../system/fuzz-random.ts";

/** How hostile machines choose what to sign. */
export const STRATEGIES = ["always", "sometimes", "sleeper", "colluding", "copying"] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface PoisonOptions {
  readonly policy: SharingPolicy;
  /** Domains that have hostile machines, of ten. */
  readonly hostileDomains: number;
  /** Of the machines there, those that are hostile; the others are honest. Left out: all, and they are a third of the network's. */
  readonly hostileEach?: number;
  readonly strategy: Strategy;
  /** Actions of which hostile machines sign something else. */
  readonly attempts: number;
  /** Honest machines that want each action, one after the other. */
  readonly uses: number;
  readonly seed: number;
}

export interface PoisonFound {
  readonly attempts: number;
  /** Uses of what no compiler has written. */
  readonly accepted: number;
  /** Of all uses, those for which somebody honest executed. */
  readonly executions: number;
  readonly uses: number;
}

const DOMAINS = 10;
const MACHINES_EACH = 3;
/** A sleeper is honest so many times first. */
const SLEEPS = 50;
/** Hostile machines that speak of one action. */
const VOICES = 3;

const worlds = new Map<number, TrustWorld>();

/** One in which the machines of so many domains are a third of all, the last ones; 0: all domains are equal. Made when it is needed first. */
function worldOf(large: number): TrustWorld {
  const known = worlds.get(large);
  if (known !== undefined) return known;
  const others = DOMAINS - large;
  const each = large === 0 ? 0 : Math.ceil((others * MACHINES_EACH) / 2 / large);
  const made = trustWorld(Array.from({ length: DOMAINS }, (_, at) => (at < others ? MACHINES_EACH : each)));
  worlds.set(large, made);
  return made;
}

interface Players {
  readonly hostile: readonly Signer[];
  readonly honest: readonly Signer[];
}

/** The last domains are those that have hostile machines. */
function playersOf(
  { signers }: TrustWorld,
  { hostileDomains, hostileEach = Number.POSITIVE_INFINITY }: Pick<PoisonOptions, "hostileDomains" | "hostileEach">,
): Players {
  const isHostile = (domain: number, at: number): boolean => domain >= signers.length - hostileDomains && at < hostileEach;
  const of = (wanted: boolean): Signer[] =>
    signers.flatMap((machines, domain) => machines.filter((_, at) => isHostile(domain, at) === wanted));
  return { hostile: of(true), honest: of(false) };
}

/** What hostile machines say of an action before anybody else does. */
function lies(
  { strategy }: PoisonOptions,
  { hostile }: Players,
  chance: Chance,
  number: number,
): { readonly signer: Signer; readonly isPoison: boolean }[] {
  const voices = Array.from({ length: VOICES }, () => chance.pick(hostile));
  switch (strategy) {
    case "always":
      return [{ signer: voices[0] ?? chance.pick(hostile), isPoison: true }];
    case "sometimes":
      return voices.map((signer) => ({ signer, isPoison: chance.percent(10) }));
    case "sleeper":
      return voices.map((signer) => ({ signer, isPoison: number > SLEEPS }));
    case "colluding":
      return hostile.map((signer) => ({ signer, isPoison: true }));
    case "copying":
      return voices.map((signer, at) => ({ signer, isPoison: at > 0 }));
  }
}

export function simulatePoison(options: PoisonOptions): PoisonFound {
  const { policy, attempts, uses, seed } = options;
  const world = worldOf(options.hostileEach === undefined ? options.hostileDomains : 0);
  const { state } = world;
  const players = playersOf(world, options);
  const total = { attempts: 0, accepted: 0, executions: 0, uses: 0 };
  for (let number = 0; total.attempts < attempts; number++) {
    const chance = new Chance(stepSeed(seed, number));
    const what = `${options.strategy} ${seed} ${number}`;
    const [good, poison] = [executed(what, "good"), executed(what, "poison")];
    const said: SharedResult[] = [];
    const say = (signer: Signer, made: typeof good): void => void said.push(sharedBy(state.network, signer, made));
    const told = players.hostile.length === 0 ? [] : lies(options, players, chance, number);
    for (const { signer, isPoison } of told) say(signer, isPoison ? poison : good);
    if (told.length === 0 || told.some(({ isPoison }) => isPoison)) total.attempts++;
    for (let use = 0; use < uses; use++) {
      const reader = chance.pick(players.honest);
      total.uses++;
      const believed = said.find((one) => isBelieved(state, reader, policy, one, said));
      if (believed === undefined) {
        say(reader, good);
        total.executions++;
      } else if (believed.result.outputs[0]?.digest === poison.result.outputs[0]?.digest) total.accepted++;
    }
  }
  return total;
}

function isBelieved(state: State, { keys }: Signer, policy: SharingPolicy, offered: SharedResult, said: readonly SharedResult[]): boolean {
  const reader: Reader = { policy, self: keys.publicKey, state, discredited: new Set() };
  const claim = claimIn(offered);
  const known = (): Attestation[] => said.flatMap((one) => (one === offered ? [] : (claimIn(one) ?? [])));
  return claim !== undefined && judge(reader, claim, known).kind === "believed";
}

export interface SlanderFound {
  readonly accusations: number;
  /** Honest machines that an honest machine convicted, and hostile ones. */
  readonly honestConvicted: number;
  readonly hostileConvicted: number;
}

/** Hostile machines in every domain say that honest ones have signed what is not so; an honest machine judges. */
export function simulateSlander(options: { readonly accusations: number; readonly seed: number }): SlanderFound {
  const { state, membership } = worldOf(0);
  const { hostile, honest } = playersOf(worldOf(0), { hostileDomains: DOMAINS, hostileEach: 1 });
  const judges = honest.filter((_, at) => at % MACHINES_EACH === 0);
  const convicted = { honest: 0, hostile: 0 };
  const isHonest = new Set(honest.map(({ attestationKey }) => attestationKey));
  const statements = membership.statements().map(({ bytes }) => bytes);
  for (let number = 0; number < options.accusations; number++) {
    const chance = new Chance(stepSeed(options.seed, number));
    const what = `slander ${options.seed} ${number}`;
    const self = chance.pick(judges);
    const accused = chance.pick(honest);
    const slanderers = Array.from({ length: 1 + chance.below(DOMAINS) }, () => chance.pick(hostile));
    // Whether the judge has executed it, and how many others have, is chance as well.
    const witnesses = Array.from({ length: chance.below(4) }, () => chance.pick(honest));
    const said = [...slanderers.map((one) => [one, "lie"] as const), ...[accused, ...witnesses].map((one) => [one, "good"] as const)];
    if (chance.percent(70)) said.push([self, "good"]);
    const attestations = said.flatMap(([signer, outcome]) => claimIn(sharedBy(state.network, signer, executed(what, outcome))) ?? []);
    using convictions = judgeOf(self, { attestations, statements });
    const [first] = attestations;
    if (first !== undefined) convictions.look(first.manifest, first.action);
    for (const signer of convictions.convicted) convicted[isHonest.has(signer) ? "honest" : "hostile"]++;
  }
  return { accusations: options.accusations, honestConvicted: convicted.honest, hostileConvicted: convicted.hostile };
}

/** The real thing, with a memory that lasts for one accusation. */
function judgeOf(
  { keys }: Signer,
  known: { readonly attestations: readonly Attestation[]; readonly statements: readonly Uint8Array[] },
): Convictions {
  const settings = new Map<string, string>();
  const { membership } = worldOf(0);
  return new Convictions({
    members: { network: membership.network, self: keys.publicKey, state: membership.state },
    codec,
    kept: { setting: (name) => settings.get(name), set: (name, value) => void settings.set(name, value) },
    known: () => known.attestations,
    statements: () => known.statements,
    speak: () => undefined,
    voices: (all) => all,
    changed: () => undefined,
    wait: () => new Promise(() => undefined), // Nobody speaks within an accusation.
    log: silentLog,
  });
}

/** The number of domains that a policy asks for: one more than may be hostile. */
export function tolerated(policy: "team" | "release"): number {
  return limits.trust[policy] - 1;
}
