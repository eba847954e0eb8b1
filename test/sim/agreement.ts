/**
 * `npm run sim -- agreement`: domains agree on an epoch while some of them lie, frames are lost and overtake each other.
 *
 * The honest ones run the product's own state machine. Signatures are of real keys, or, for many seeds, tokens that only who holds a key can make.
 * Knows: time, the network, who is honest. Does not know: what the hostile ones do; see agreement-liars.ts.
 */
import { type AgreementFrame, type Certificate, type Digest, digestOf, limits, type Said, type Vote } from "../../src/base/index.ts";
import { AgreementRound, isSigned, keyPairFromSeed, quorumOf, type RoundNews } from "../../src/trust/index.ts";
import type { NetworkCodec } from "../../src/wire/index.ts";
import { Chance } from "../system/fuzz-random.ts";
import { Liars, type Way } from "./agreement-liars.ts";
import { SimClock } from "./clock.ts";

export interface AgreementSettings {
  readonly domains: number;
  readonly hostile: number;
  /** Frames lost, of a hundred. */
  readonly lossPercent: number;
  readonly seed: number;
  /** Whether honest nodes fall and come back with what they had saved. */
  readonly crashes: boolean;
  /** What all hostile ones do; without it that is drawn. */
  readonly way?: Way;
}

export interface AgreementFound {
  /** Different values that honest domains have decided; 1 when all is well. */
  readonly decided: number;
  /** What was decided though it may not be, or by a certificate that does not hold. */
  readonly wrong: number;
  /** Until the last honest domain had decided, ms; undefined when one had not in the end. */
  readonly tookMs: number | undefined;
  readonly views: number;
  readonly frames: number;
  /** Liars of whom somebody honest holds two votes that contradict each other; and how many of those are honest. */
  readonly exposed: number;
  readonly honestExposed: number;
}

/** One way, without jitter. */
const LATENCY_MS = 25;
const JITTER_MS = 6;
/** Of so many in a hundred frames, each is overtaken by others. */
const OVERTAKEN = { percent: 10, mostMs: 100 };
const STEP_MS = 10;
const MOST_MS = 60_000;
/** Not all hear at the same time that there is something to decide. */
const START_MS = 50;
const { viewMs, repeatMs } = limits.agreement;

/** Signs for domains, tells whether one has signed, and what of a frame arrives. */
export interface Signer {
  sign(domain: number, said: Said): Uint8Array;
  isSigned(vote: Vote): boolean;
  carry(frame: AgreementFrame): AgreementFrame | undefined;
}

/** Values are texts; those that begin so may be decided. */
const VALID = "valid";

export class AgreementWorld {
  readonly clock: SimClock = new SimClock();
  readonly chance: Chance;
  readonly signer: Signer;
  readonly settings: AgreementSettings;
  readonly previous: Digest;
  readonly #honest = new Map<number, AgreementRound>();
  readonly #certificates: Certificate[] = [];
  readonly #decided = new Map<number, { readonly id: Digest; readonly text: string; readonly atMs: number }>();
  readonly #liars: Liars;
  #frames = 0;

  constructor(settings: AgreementSettings, signer: Signer) {
    this.settings = settings;
    this.signer = signer;
    this.chance = new Chance(settings.seed);
    this.previous = digestOf(`before ${settings.seed}`);
    const all = Array.from({ length: settings.domains }, (_, i) => i);
    const hostile = new Set<number>();
    while (hostile.size < settings.hostile) hostile.add(this.chance.below(settings.domains));
    for (const domain of all) if (!hostile.has(domain)) this.#begin(domain, this.chance.below(START_MS), this.#made(domain, 0));
    this.#liars = new Liars(this, [...hostile], [...this.#honest.keys()]);
  }

  /** Lets time pass until all honest ones have decided. */
  run(): AgreementFound {
    this.#liars.begin();
    while (this.clock.now < MOST_MS && this.#decided.size < this.#honest.size) this.clock.run(STEP_MS);
    const decisions = [...this.#decided.values()];
    const exposed = new Set([...this.#honest.values()].flatMap(({ equivocations }) => equivocations.map(({ domain }) => domain)));
    return {
      decided: new Set(decisions.map(({ id }) => id)).size,
      wrong: decisions.filter(({ text }) => !text.startsWith(VALID)).length + this.#certificates.filter((one) => !this.#holds(one)).length,
      tookMs: decisions.length < this.#honest.size ? undefined : Math.max(...decisions.map(({ atMs }) => atMs)),
      views: Math.max(...[...this.#honest.values()].map(({ view }) => view)),
      frames: this.#frames,
      exposed: exposed.size,
      honestExposed: [...exposed].filter((domain) => this.#honest.has(domain)).length,
    };
  }

  /** Sends a frame, which may be lost or overtaken. */
  send(from: number, to: number, frame: AgreementFrame): void {
    if (from === to) return;
    this.#frames += 1;
    if (this.chance.percent(this.settings.lossPercent)) return;
    const late = this.chance.percent(OVERTAKEN.percent) ? this.chance.below(OVERTAKEN.mostMs) : 0;
    this.clock.after(LATENCY_MS - JITTER_MS / 2 + this.chance.below(JITTER_MS) + late, () => {
      const node = this.#honest.get(to);
      const heard = this.signer.carry(frame);
      if (heard === undefined) return;
      if (node === undefined) this.#liars.hear(to, heard);
      else this.#spread(to, from, node.hear(heard, this.clock.now));
    });
  }

  /** A node that does as it should; liars have some, too. */
  makeRound(domain: number, fresh: Uint8Array): AgreementRound {
    const { signer, previous, settings } = this;
    const parts = {
      sign: (said: Said) => signer.sign(domain, said),
      isSigned: (vote: Vote) => signer.isSigned(vote),
      read: (bytes: Uint8Array) => ({ id: digestOf(bytes), isValid: textOf(bytes).startsWith(VALID) }),
      fresh: () => ({ id: digestOf(fresh), bytes: fresh }),
    };
    return new AgreementRound(parts, { previous, domains: settings.domains, self: domain, viewMs, repeatMs }, this.clock.now);
  }

  #begin(domain: number, afterMs: number, fresh: Uint8Array): void {
    const round = this.makeRound(domain, fresh);
    this.#honest.set(domain, round);
    const tick = (): void => {
      if (this.#honest.get(domain) !== round) return;
      this.#spread(domain, domain, round.tick(this.clock.now));
      this.clock.after(STEP_MS, tick);
    };
    this.clock.after(afterMs, tick);
    if (this.settings.crashes && this.chance.percent(30)) this.clock.after(this.chance.below(1_000), () => this.#crash(domain));
  }

  /** It comes back with what it had saved before it sent anything, and may want to decide something else. */
  #crash(domain: number): void {
    const saved = this.#honest.get(domain)?.save();
    if (saved === undefined || this.#decided.has(domain)) return;
    const round = this.makeRound(domain, this.#made(domain, 1));
    round.restore(saved);
    this.#honest.set(domain, round);
    const tick = (): void => {
      this.#spread(domain, domain, round.tick(this.clock.now));
      this.clock.after(STEP_MS, tick);
    };
    this.clock.after(this.chance.below(400), tick);
  }

  #spread(domain: number, from: number, { toAll, toSender }: RoundNews): void {
    if (toAll !== undefined) for (let to = 0; to < this.settings.domains; to++) this.send(domain, to, toAll);
    if (toSender !== undefined) this.send(domain, from, toSender);
    const decision = this.#honest.get(domain)?.decision;
    if (decision === undefined || this.#decided.has(domain)) return;
    this.#decided.set(domain, { id: decision.certificate.value, text: textOf(decision.bytes), atMs: this.clock.now });
    this.#certificates.push(decision.certificate);
  }

  #holds({ kind, view, value, votes }: Certificate): boolean {
    const domains = new Set(votes.map(({ domain }) => domain));
    const isEnough = kind === "finalize" && domains.size === votes.length && domains.size >= quorumOf(this.settings.domains);
    return isEnough && votes.every(({ domain, signature }) => this.signer.isSigned({ kind, view, value, domain, signature }));
  }

  #made(domain: number, run: number): Uint8Array {
    return Buffer.from(`${VALID} of ${domain}, ${run}, ${this.settings.seed}`);
  }
}

/** Signatures that nobody can make who was not given the key, and that cost nothing: each is known by being the very object. */
export function tokens(): Signer {
  const made = new WeakMap<Uint8Array, string>();
  const key = (domain: number, { kind, view, value }: Said): string => `${domain} ${kind} ${view} ${value}`;
  return {
    sign: (domain, said) => {
      const token = new Uint8Array(0);
      made.set(token, key(domain, said));
      return token;
    },
    isSigned: (vote) => made.get(vote.signature) === key(vote.domain, vote),
    carry: (frame) => frame,
  };
}

/** Real keys; and frames travel as bytes. */
export function realKeys(codec: NetworkCodec, { domains, seed }: Pick<AgreementSettings, "domains" | "seed">): Signer {
  const network = digestOf(`network ${seed}`);
  const previous = digestOf(`before ${seed}`);
  const keys = Array.from({ length: domains }, (_, i) => keyPairFromSeed(Buffer.from(digestOf(`voice ${i} of ${seed}`), "hex")));
  const sent = new WeakMap<AgreementFrame, Uint8Array>();
  return {
    sign: (domain, said) => keys[domain]?.sign("cairn agreement 1", codec.encodeVoteBody(network, previous, said)) ?? new Uint8Array(64),
    isSigned: (vote) =>
      isSigned(keys[vote.domain]?.publicKey ?? "", "cairn agreement 1", codec.encodeVoteBody(network, previous, vote), vote.signature),
    carry: (frame) => {
      const bytes = sent.get(frame) ?? codec.encodeAgreementFrame(frame);
      sent.set(frame, bytes);
      try {
        return codec.decodeAgreementFrame(bytes);
      } catch {
        return undefined; // A forgery that is not even a frame: whoever sent it is cut off.
      }
    },
  };
}

export function simulateAgreement(settings: AgreementSettings, signer: Signer): AgreementFound {
  return new AgreementWorld(settings, signer).run();
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
