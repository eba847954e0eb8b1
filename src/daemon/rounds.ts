/**
 * Rounds: domains that are silent about a disputed action are asked to execute it, and promise what they found before any of them tells it;
 * and this node's part in those of others.
 *
 * Knows: docs/protocol/rounds.md, in which order things happen. Does not know: how members talk, how an action is executed, or what follows
 * from what was said.
 */
import { type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Attestation, Opening, RoundDecline, RoundFrame, RoundQuestion, SharedResult } from "../contracts/index.ts";
import type { Candidate, RoundAnswer, RoundAsker, RoundPart } from "../net/index.ts";
import {
  addsVoice,
  answersOf,
  claimIn,
  commit,
  countedDomain,
  countsFor,
  type FalseOpening,
  type Finding,
  findingOf,
  type KeyPair,
  type Members,
  type Repeats,
  Round,
  signersDomain,
} from "../trust/index.ts";
import { inOrder } from "./convictions.ts";
import type { Withheld, Withholding } from "./withheld.ts";

export interface RoundsParts {
  readonly members: Pick<Members, "network" | "self" | "state">;
  readonly attestationKeys: KeyPair;
  /** What is known of an action of that request, verified. */
  readonly known: (manifest: Digest, action: Digest) => readonly Attestation[];
  /** Members that are there, this node among them. */
  readonly present: () => readonly Candidate[];
  /** This node is to execute that action, if it can. @returns whether it can */
  readonly speak: (action: Digest) => boolean;
  readonly ask: (member: Key, question: RoundQuestion, asker: RoundAsker) => Promise<RoundAnswer>;
  readonly withheld: Withheld;
  readonly repeats: Repeats;
  /** A member has said that, openly. */
  readonly heard: (said: Attestation) => void;
  /** A member has opened what it had not promised. */
  readonly openedFalsely: (shown: FalseOpening) => void;
  /** 32 bytes that nobody can foresee, hex. */
  readonly random: () => Digest;
  /** Rejects when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
  readonly log: Log;
}

const { asked: ASKED, askedBy, askedByAll, commitMs, convened, perDomain, rounds: ROUNDS } = limits.trust.round;
/** Who has not heard of a dispute yet is asked again so many times, with so long between. */
const AGAIN = 10;
const AGAIN_MS = 1_000;

type Declined = Extract<RoundFrame, { kind: "declined" }>;

/** One round while it is under way. */
interface Convened {
  readonly question: RoundQuestion;
  readonly book: Round;
  /** Aborts when it is closed, or this node stops. */
  readonly closed: AbortSignal;
  /** Resolves when what was promised may be told. */
  readonly revealing: Promise<void>;
  /** Signers that have opened what they had promised. */
  readonly opened: Set<Key>;
  readonly ready: (domain: string) => void;
}

export class Rounds implements Disposable {
  readonly #parts: RoundsParts;
  readonly #convening = new Set<Digest>();
  /** Actions that are executed for a round. */
  readonly #executing = new Set<Digest>();
  /** In how many rounds of whom this node takes part. */
  readonly #takingPart = new Map<Key, number>();
  readonly #stop = new AbortController();

  constructor(parts: RoundsParts) {
    this.#parts = parts;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  /** It is this node's turn to see that more is said of an action. Returns at once. */
  speak(action: Digest, manifest: Digest): void {
    if (this.#convening.has(action)) return;
    if (this.#convening.size >= convened) return void this.#parts.speak(action);
    this.#convening.add(action);
    void this.#speak(action, manifest)
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#parts.log.event("warn", "round.failed", { action, why: reasonOf(error) });
      })
      .finally(() => this.#convening.delete(action));
  }

  /** Another member asks this node. */
  takePart(from: Key, { round, manifest, action }: RoundQuestion): RoundPart | Declined {
    const { attestationKeys, members, log } = this.#parts;
    const own = this.#known(manifest, action).find(({ execution }) => execution.signer === attestationKeys.publicKey);
    if (own !== undefined) return this.#declined(from, action, "spoken", own);
    if (this.#finding(manifest, action).kind !== "disputed") return this.#declined(from, action, "not-disputed");
    const ofOne = this.#takingPart.get(from) ?? 0;
    const ofAll = [...this.#takingPart.values()].reduce((sum, count) => sum + count, 0);
    if (ofOne >= askedBy || ofAll >= askedByAll) return this.#declined(from, action, "busy");
    const withholding = this.#execute(action);
    if (typeof withholding === "string") return this.#declined(from, action, withholding);
    this.#takingPart.set(from, ofOne + 1);
    log.event("info", "round.asked", { action, peer: from });
    const promise = (shared: SharedResult | undefined): ReturnType<typeof commit> | undefined => {
      const attestation = shared && claimIn(shared);
      if (attestation === undefined) return undefined;
      log.event("info", "round.committed", { action, peer: from });
      return commit(attestationKeys, { network: members.network, round, action }, attestation, this.#parts.random());
    };
    return {
      found: withholding.found.then(promise),
      revealed: () => withholding.revealed(),
      [Symbol.dispose]: () => {
        const left = (this.#takingPart.get(from) ?? 1) - 1;
        if (left === 0) this.#takingPart.delete(from);
        else this.#takingPart.set(from, left);
        withholding[Symbol.dispose]();
        log.event("info", "round.revealed", { action, peer: from });
      },
    };
  }

  #declined(from: Key, action: Digest, why: RoundDecline, attestation?: Attestation): Declined {
    this.#parts.log.event("info", "round.declined", { action, peer: from, why });
    return { kind: "declined", why, attestation };
  }

  async #speak(action: Digest, manifest: Digest): Promise<void> {
    const { speak, withheld } = this.#parts;
    // Somebody else has asked this node meanwhile: that is what speaking is about.
    if (withheld.has(action)) return;
    if (this.#finding(manifest, action).kind === "settled") return void speak(action);
    const asked = new Set<string>();
    for (let count = 0; count < ROUNDS && this.#finding(manifest, action).kind === "disputed"; count++) {
      const domains = this.#silent(manifest, action).filter((domain) => !asked.has(domain));
      if (domains.length === 0) {
        if (count === 0) speak(action); // There is nobody from whom anything need be withheld.
        return;
      }
      for (const domain of domains.slice(0, ASKED)) asked.add(domain);
      await this.#convene(manifest, action, domains.slice(0, ASKED));
    }
  }

  async #convene(manifest: Digest, action: Digest, domains: readonly string[]): Promise<void> {
    const { members, random, log, repeats } = this.#parts;
    const question = { round: random(), manifest, action };
    const book = new Round({ network: members.network, round: question.round, action });
    const revealing = Promise.withResolvers<void>();
    const waiting = new Map(domains.map((domain) => [domain, Promise.withResolvers<void>()]));
    const deadline = new AbortController();
    const closed = AbortSignal.any([deadline.signal, this.#stop.signal]);
    const ready = (domain: string): void => waiting.get(domain)?.resolve();
    const round = { question, book, closed, revealing: revealing.promise, opened: new Set<Key>(), ready };
    const executing = this.#known(manifest, action).some(({ execution }) => this.#isOwn(execution.signer))
      ? "unable"
      : this.#execute(action);
    using own = typeof executing === "string" ? undefined : executing;
    log.event("info", "round.convened", { action, domains: domains.length });
    const answers = domains.map((domain) => this.#askDomain(round, domain));
    let hasFound = false;
    const finding = own?.found.then((shared) => {
      hasFound = shared !== undefined;
    });
    const all = Promise.all([finding, ...[...waiting.values()].map(({ promise }) => promise)]);
    await Promise.race([all, this.#parts.wait(commitMs, closed).catch(() => undefined)]);
    book.close();
    deadline.abort();
    const { length: committed } = book.committed;
    log.event("info", "round.closed", { action, committed, others: domains.length - committed });
    // What nobody tells nobody can repeat.
    const signers = (): Key[] => this.#known(manifest, action).map(({ execution }) => execution.signer);
    const takeBack = committed > 0 || hasFound ? repeats.reveal(action, domains, signers()) : undefined;
    own?.[Symbol.dispose]();
    revealing.resolve();
    await Promise.all(answers);
    const hasTold = (signer: Key): boolean => book.committed.includes(signer) || (own !== undefined && this.#isOwn(signer));
    if (round.opened.size === 0 && !hasFound && !signers().some(hasTold)) takeBack?.();
  }

  /** One member of a domain after the other, until one promises something. */
  async #askDomain(round: Convened, domain: string): Promise<void> {
    const { present, members } = this.#parts;
    try {
      for (const { key } of present()
        .filter((one) => one.domain === domain && members.state !== undefined && countsFor(members.state, one.key, members.self))
        .slice(0, perDomain)) {
        const signer = members.state?.members.get(key)?.attestationKey;
        if (signer !== undefined && round.book.ask(signer) && (await this.#askMember(round, domain, key, signer))) return;
      }
    } finally {
      round.ready(domain);
    }
  }

  /** @returns whether nobody else of its domain need be asked */
  async #askMember(round: Convened, domain: string, key: Key, signer: Key): Promise<boolean> {
    const { question, book, closed, revealing, ready } = round;
    const { ask, heard } = this.#parts;
    const asker: RoundAsker = {
      committed: (commitment) => {
        const counts = book.commits(signer, commitment).kind === "counts";
        if (counts) ready(domain);
        return counts;
      },
      closed,
      revealing,
    };
    for (let count = 0; count < AGAIN && !closed.aborted; count++) {
      const answer = await ask(key, question, asker);
      if (answer.kind === "opening") return this.#open(round, signer, answer);
      if (answer.kind === "declined" && answer.attestation !== undefined) heard(answer.attestation);
      if (answer.kind === "out" || answer.why === "spoken") return book.committed.includes(signer) || answer.kind === "declined";
      if (answer.why !== "not-disputed") return false;
      await this.#parts.wait(AGAIN_MS, closed).catch(() => undefined);
    }
    return false;
  }

  #open({ question: { action, manifest }, book, opened }: Convened, signer: Key, opening: Opening): true {
    const { repeats, heard, openedFalsely, log } = this.#parts;
    const verdict = opening.attestation.manifest === manifest ? book.opens(signer, opening) : undefined;
    if (verdict?.kind === "counts") {
      opened.add(signer);
      repeats.opened(action, signer);
      log.event("info", "round.opened", { action, signer });
      heard(opening.attestation);
      return true;
    }
    log.event("warn", "round.refused", { action, signer, why: verdict?.why ?? "other-action" });
    if (verdict?.false !== undefined) openedFalsely(verdict.false);
    return true;
  }

  /** What comes of it is withheld until that is disposed of. @returns why not, where it is not executed here for this round */
  #execute(action: Digest): Withholding | "busy" | "unable" {
    const { withheld, speak } = this.#parts;
    for (const one of this.#executing) if (!withheld.has(one)) this.#executing.delete(one);
    const withholding = withheld.withhold(action);
    if (withholding === undefined) return "busy";
    if (this.#executing.has(action) || speak(action)) {
      this.#executing.add(action);
      return withholding;
    }
    withholding[Symbol.dispose]();
    return "unable";
  }

  /** Domains that are there, and of which nobody has said anything of an action, in the order in which they are to. */
  #silent(manifest: Digest, action: Digest): string[] {
    const { members, present } = this.#parts;
    const { state, self } = members;
    if (state === undefined) return [];
    const own = countedDomain(state, self);
    const spoken = new Set(
      this.#known(manifest, action)
        .filter(({ execution }) => addsVoice(state, execution.signer, self))
        .map(({ execution }) => signersDomain(state, execution.signer)),
    );
    // Of a domain on trial nobody could add a voice.
    const domains = new Set(present().flatMap(({ key, domain }) => (countsFor(state, key, self) ? [domain] : [])));
    return inOrder(
      action,
      [...domains].filter((domain) => domain !== own && domain !== "" && !spoken.has(domain)),
    );
  }

  #finding(manifest: Digest, action: Digest): Finding {
    const { state } = this.#parts.members;
    return state === undefined ? { kind: "agreed" } : findingOf(answersOf(state, this.#known(manifest, action)));
  }

  #known(manifest: Digest, action: Digest): readonly Attestation[] {
    return this.#parts.known(manifest, action);
  }

  #isOwn(signer: Key): boolean {
    return signer === this.#parts.attestationKeys.publicKey;
  }
}
