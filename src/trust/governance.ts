/**
 * This node's part in deciding epochs where domains agree on them: one ballot after another, each as long as its epoch is not decided.
 *
 * Knows: which ballot is under way, who may speak in it, what must survive a crash. Does not know: clocks, connections, disks.
 */
import { type AgreementFrame, CairnError, type Digest, type Key, limits, type Said, type Vote } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { AgreementRound, type RoundNews, type SavedRound } from "./agreement-round.ts";
import { type Electorate, electorateOf } from "./electorate.ts";
import { isSigned, type KeyPair } from "./keys.ts";
import type { Membership } from "./membership.ts";
import { withDecision } from "./statements.ts";
import type { Equivocation } from "./vote-book.ts";

export interface GovernanceParts {
  readonly membership: Membership;
  readonly codec: MembershipCodec;
  readonly keys: KeyPair;
  /** Takes in statements, as from a member. */
  readonly take: (statements: readonly Uint8Array[]) => void;
  /** ms since the epoch of Unix, for what this node signs; may be wrong */
  readonly wallClock: () => number;
}

export interface GovernanceOptions {
  readonly viewMs: number;
  readonly repeatMs: number;
}

/** What is to be sent, once {@link Governance.save} is on disk. */
export interface Outgoing {
  readonly to: readonly Key[];
  readonly frame: AgreementFrame;
}

/** A ballot under way, as people are told of it. */
export interface Ballot {
  readonly view: number;
  readonly leader: string;
}

export class Governance {
  readonly #parts: GovernanceParts;
  readonly #options: GovernanceOptions;
  #round: AgreementRound | undefined;
  #electorate: Electorate | undefined;
  /** The epoch after which this node says nothing. */
  #silentAfter: Digest | undefined;
  #saved: (SavedRound & Pick<AgreementRound, "previous">) | undefined;

  constructor(parts: GovernanceParts, options: GovernanceOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Who votes on the next epoch; undefined where admins decide. */
  get electorate(): Electorate | undefined {
    const { decided } = this.#parts.membership;
    return decided && electorateOf(decided);
  }

  /** Whether this node speaks for its domain. */
  get isVoice(): boolean {
    return this.#placeOf(this.#parts.keys.publicKey) >= 0;
  }

  /** When time has to be told, if nothing happens before, ms from now; undefined while there is nothing to decide. */
  dueInMs(nowMs: number): number | undefined {
    const round = this.#current(nowMs);
    return round?.isAwake === true ? round.dueInMs(nowMs) : undefined;
  }

  /** The ballot under way; undefined while there is nothing to decide. */
  get ballot(): Ballot | undefined {
    const round = this.#round;
    if (round === undefined || round.previous !== this.#parts.membership.decided?.epoch.id || !round.isAwake) return undefined;
    return { view: round.view, leader: this.#electorate?.voices[round.leader]?.domain ?? "" };
  }

  /** Domains that are caught saying two things in the ballot under way. */
  get equivocations(): readonly (Equivocation & { readonly name: string })[] {
    const all = this.#round?.equivocations ?? [];
    return all.map((one) => ({ ...one, name: this.#electorate?.voices[one.domain]?.domain ?? "" }));
  }

  /** Another node says that. Only those who speak for a domain are listened to; all are told of what has been decided already. */
  hear(from: Key, frame: AgreementFrame, nowMs: number): Outgoing[] {
    const { membership, take } = this.#parts;
    take(frame.values.filter((value) => this.#isDecided(value)));
    const round = this.#current(nowMs);
    if (frame.previous !== membership.decided?.epoch.id) {
      const decided = frame.from > 0 ? membership.after(frame.previous) : undefined;
      const answer = { previous: frame.previous, from: 0, votes: [], certificates: [], wants: [] };
      return decided === undefined ? [] : [{ to: [from], frame: { ...answer, values: [decided] } }];
    }
    if (round === undefined || this.#placeOf(from) < 0) return [];
    return this.#outgoing(round, round.hear(frame, nowMs), from);
  }

  /** Time has passed, or something may wait to be decided now. */
  tick(nowMs: number): Outgoing[] {
    const round = this.#current(nowMs);
    return round === undefined ? [] : this.#outgoing(round, round.tick(nowMs), undefined);
  }

  /** Changes whenever this node signs something: {@link save} must be kept before anything is sent. Empty while there is nothing. */
  get signed(): string {
    const round = this.#round;
    return round === undefined || round.signed === 0 ? "" : `${round.previous} ${round.signed}`;
  }

  /** In as many frames as certificates need. */
  save(): AgreementFrame[] {
    const round = this.#round;
    if (round === undefined) return [];
    const { previous } = round;
    const { own, certificates, values } = round.save();
    const frame: AgreementFrame = { previous, from: 0, votes: own, certificates: [], values, wants: [] };
    const each = limits.agreement.certificatesPerFrame;
    const others = Array.from({ length: Math.ceil(certificates.length / each) }, (_, i) => certificates.slice(i * each, (i + 1) * each));
    return [frame, ...others.map((some) => ({ ...frame, votes: [], certificates: some, values: [] }))];
  }

  /** What a run before this one had saved, before anything else. */
  restore(frames: readonly AgreementFrame[]): void {
    const [first] = frames;
    if (first === undefined) return;
    const certificates = frames.flatMap((frame) => frame.certificates);
    this.#saved = { previous: first.previous, own: first.votes, certificates, values: first.values };
  }

  /** What a run before this one had saved cannot be read: who does not know what it said says nothing more until that is decided. */
  silence(): void {
    this.#silentAfter = this.#parts.membership.decided?.epoch.id;
  }

  /** The round of the ballot that follows what is decided now. */
  #current(nowMs: number): AgreementRound | undefined {
    const previous = this.#parts.membership.decided?.epoch.id;
    if (this.#round !== undefined && this.#round.previous === previous) return this.#round;
    this.#electorate = this.electorate;
    this.#round = undefined;
    const self = this.#placeOf(this.#parts.keys.publicKey);
    const isSilent = previous === undefined || previous === this.#silentAfter;
    if (isSilent || this.#electorate === undefined || self < 0) return undefined;
    const { viewMs, repeatMs } = this.#options;
    const options = { previous, domains: this.#electorate.voices.length, self, viewMs, repeatMs };
    const round = new AgreementRound(this.#roundParts(previous, this.#electorate), options, nowMs);
    if (this.#saved?.previous === previous) round.restore(this.#saved);
    this.#round = round;
    return round;
  }

  #roundParts(previous: string, { voices }: Electorate): ConstructorParameters<typeof AgreementRound>[0] {
    const { membership, codec, keys, wallClock } = this.#parts;
    const bodyOf = (said: Said): Uint8Array => codec.encodeVoteBody(membership.network, previous, said);
    return {
      sign: (said) => keys.sign("cairn agreement 1", bodyOf(said)),
      isSigned: (vote: Vote) => isSigned(voices[vote.domain]?.key ?? "", "cairn agreement 1", bodyOf(vote), vote.signature),
      read: (bytes) => {
        const read = membership.read(bytes);
        return read && { id: read.id, isValid: read.operations !== undefined };
      },
      fresh: () => membership.propose(keys, wallClock()),
    };
  }

  /** Sends, unless it was decided: then everybody hears of the epoch as of any statement. */
  #outgoing(round: AgreementRound, { toAll, toSender }: RoundNews, from: Key | undefined): Outgoing[] {
    const { codec, keys, take } = this.#parts;
    const others = this.#electorate?.voices.map(({ key }) => key).filter((key) => key !== keys.publicKey) ?? [];
    const outgoing: Outgoing[] = [];
    if (toAll !== undefined) outgoing.push({ to: others, frame: toAll });
    if (toSender !== undefined && from !== undefined) outgoing.push({ to: [from], frame: toSender });
    const { decision } = round;
    if (decision !== undefined) take([withDecision(codec, decision.bytes, decision.certificate)]);
    return outgoing;
  }

  #placeOf(key: Key): number {
    return this.electorate?.voices.findIndex((one) => one.key === key) ?? -1;
  }

  #isDecided(value: Uint8Array): boolean {
    try {
      return this.#parts.codec.decodeSigned(value).decision !== undefined;
    } catch (error) {
      if (error instanceof CairnError && error.code === "frame-invalid") return false;
      throw error;
    }
  }
}
