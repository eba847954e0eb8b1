/**
 * Copying: members of a round that execute nothing and say what others found, against who convened it, by the real rules of rounds, voices and
 * convictions, with real envelopes.
 *
 * Knows: who plays, and in which order. Does not know: what counts (src/trust/rounds.ts, repeats.ts), who is convicted.
 */
import { digestOf, limits, silentLog } from "../../src/base/index.ts";
import type { Attestation, Commitment } from "../../src/contracts/index.ts";
import { Convictions } from "../../src/daemon/convictions.ts";
import { answersOf, claimIn, commit, outcomeKey, Repeats, Round } from "../../src/trust/index.ts";
import { codec } from "../../src/trust/membership.fixture.ts";
import { executed, type Signer, sharedBy, type TrustWorld, trustWorld } from "../../src/trust/trust.fixture.ts";
import { Chance, stepSeed } from "../system/fuzz-random.ts";

/**
 * `waiting`: promises nothing, and repeats what most have revealed. `stealing`: promises another's digest as its own, which in truth it cannot
 * even see, and repeats likewise. `guessing`: promises one of the two answers that are public before.
 */
export const COPIERS = ["waiting", "stealing", "guessing"] as const;
export type Copier = (typeof COPIERS)[number];

export interface CopyingOptions {
  readonly copier: Copier;
  /** Without, members just speak, as before there were rounds. */
  readonly hasRounds: boolean;
  readonly attempts: number;
  readonly seed: number;
}

export interface CopyingFound {
  /** Members that were asked and executed nothing. */
  readonly copied: number;
  /** Of those, whose voice counts at who convened the round, and is the right one. */
  readonly counted: number;
  /** Of those, who said the wrong thing, and whose word does not count any more at who convened the round. */
  readonly wrong: number;
  readonly discredited: number;
  readonly honestDiscredited: number;
}

const DOMAINS = 8;
let made: TrustWorld | undefined;

/** What one promises, and what it says after all have. */
interface Player {
  readonly signer: Signer;
  readonly isCopier: boolean;
  readonly promises: Commitment | undefined;
  readonly opens: ReturnType<typeof commit>["opening"] | undefined;
  readonly says: Attestation;
}

export function simulateCopying({ copier, hasRounds, attempts, seed }: CopyingOptions): CopyingFound {
  made ??= trustWorld(Array.from({ length: DOMAINS }, () => 1));
  const { state, membership, signers } = made;
  const { network } = state;
  const statements = membership.statements().map(({ bytes }) => bytes);
  const total = { copied: 0, counted: 0, wrong: 0, discredited: 0, honestDiscredited: 0 };
  for (let number = 0; number < attempts; number++) {
    const chance = new Chance(stepSeed(seed, number));
    const what = `copying ${copier} ${seed} ${number}`;
    const saying = (signer: Signer, outcome: string): Attestation => {
      const said = claimIn(sharedBy(network, signer, executed(what, outcome)));
      if (said === undefined) throw new Error("it is not shareable");
      return said;
    };
    const machines = signers.flat();
    const [liar, honest, convener, ...silent] = inAnyOrder(machines, chance) as [Signer, Signer, Signer, ...Signer[]];
    const asked = silent.slice(0, limits.trust.round.asked);
    const copiers = 1 + chance.below(2);
    const known = [saying(liar, "poison"), saying(honest, "good")];
    const { action, manifest } = saying(honest, "good");
    const of = { network, round: digestOf(`round ${what}`), action };
    const promise = (signer: Signer, outcome: string): Pick<Player, "promises" | "opens" | "says"> => {
      const { commitment, opening } = commit(signer.sign, of, saying(signer, outcome), digestOf(`nonce ${what} ${signer.attestationKey}`));
      return { promises: commitment, opens: opening, says: opening.attestation };
    };
    const players = asked.map((signer, at): Player => {
      if (at >= copiers) return { signer, isCopier: false, ...promise(signer, "good") };
      const repeated = { signer, isCopier: true, promises: undefined, opens: undefined, says: saying(signer, "good") };
      if (copier === "guessing") return { signer, isCopier: true, ...promise(signer, chance.pick(["good", "poison"])) };
      if (copier === "waiting") return repeated;
      const { digest } = promise(asked.at(-1) ?? signer, "good").promises ?? { digest: "" };
      const content = Buffer.from(network + of.round + action + digest, "hex");
      const own = promise(signer, "good");
      return { ...repeated, promises: { digest, signature: signer.sign.sign("cairn round commitment 1", content) }, opens: own.opens };
    });
    const repeats = new Repeats(1);
    const round = new Round(of);
    if (hasRounds) {
      for (const { signer } of players) round.ask(signer.attestationKey);
      for (const { signer, promises } of players) if (promises !== undefined) round.commits(signer.attestationKey, promises);
      round.close();
      const domains = players.map(({ signer }) => signer.domain);
      const spoken = known.map(({ execution }) => execution.signer);
      repeats.reveal(action, domains, spoken);
      for (const { signer, opens } of players) {
        const counts = opens !== undefined && round.opens(signer.attestationKey, opens).kind === "counts";
        if (counts) repeats.opened(action, signer.attestationKey);
      }
    }
    known.push(saying(convener, "good"), ...players.map(({ says }) => says));
    const good = outcomeKey(saying(honest, "good"));
    const answer = answersOf(state, repeats.voices(state, known)).find(({ outcome }) => outcome === good);
    using convictions = judgeOf(convener, made, { known, statements, repeats });
    convictions.look(manifest, action);
    for (const { signer, isCopier, says } of players) {
      const isDiscredited = convictions.discredited.has(signer.attestationKey);
      if (!isCopier) {
        if (isDiscredited) total.honestDiscredited++;
        continue;
      }
      const isRight = outcomeKey(says) === good;
      total.copied++;
      if (isRight && answer?.bySigner.has(signer.attestationKey) === true) total.counted++;
      if (!isRight) total.wrong++;
      if (isDiscredited) total.discredited++;
    }
    for (const { attestationKey } of [honest, convener]) if (convictions.discredited.has(attestationKey)) total.honestDiscredited++;
  }
  return total;
}

function inAnyOrder(all: readonly Signer[], chance: Chance): Signer[] {
  const left = [...all];
  return all.map(() => left.splice(chance.below(left.length), 1)[0] as Signer);
}

/** The real thing, with a memory that lasts for one action. */
function judgeOf(
  { keys }: Signer,
  { membership, state }: TrustWorld,
  {
    known,
    statements,
    repeats,
  }: { readonly known: readonly Attestation[]; readonly statements: readonly Uint8Array[]; readonly repeats: Repeats },
): Convictions {
  const settings = new Map<string, string>();
  return new Convictions({
    members: { network: membership.network, self: keys.publicKey, state },
    codec,
    kept: { setting: (name) => settings.get(name), set: (name, value) => void settings.set(name, value) },
    known: () => known,
    statements: () => statements,
    speak: () => undefined,
    voices: (all) => repeats.voices(state, all),
    changed: () => undefined,
    wait: () => new Promise(() => undefined),
    log: silentLog,
  });
}
