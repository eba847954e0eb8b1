/**
 * What follows from members that contradict each other, or themselves: this node's own domain speaks where it can, and who stands alone against
 * three domains is discredited; for good where this node has executed the action itself and found what they did. Who has shown two histories
 * of its log is convicted by that alone.
 *
 * Knows: the order of it. Does not know: how an action is executed, or how attestations travel.
 */
import { CairnError, type Digest, digestOf, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import {
  type Answer,
  answersOf,
  countedDomain,
  differingFrom,
  domainsOf,
  type EvidenceCodec,
  evidenceOf,
  type FalseOpening,
  type Finding,
  type Fork,
  findingOf,
  forkEvidenceOf,
  isForkEvidence,
  isOfCommand,
  isRoundEvidence,
  type Members,
  outcomeKey,
  readEvidence,
  readForkEvidence,
  readRoundEvidence,
  roundEvidenceOf,
  signerIn,
  voiceOf,
} from "../trust/index.ts";

/** What outlives this process. */
export interface EvidenceStore {
  setting(name: string): string | undefined;
  set(name: string, value: string): void;
}

export interface ConvictionsParts {
  readonly members: Pick<Members, "network" | "self" | "state">;
  readonly codec: EvidenceCodec;
  readonly kept: EvidenceStore;
  /** What is known of an action of that request, verified. */
  readonly known: (manifest: Digest, action: Digest) => readonly Attestation[];
  /** All signed statements of the network. */
  readonly statements: () => readonly Uint8Array[];
  /** It is this node's turn to see that more is said of an action: see rounds.ts. Returns at once. */
  readonly speak: (action: Digest, manifest: Digest) => void;
  /** Those of some attestations that are voices of their own, and repeat nobody's. */
  readonly voices: (all: readonly Attestation[]) => readonly Attestation[];
  /** Whose voices count is not what it was. */
  readonly changed: () => void;
  /** Rejects when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>;
  readonly log: Log;
}

const LIST = "convicted";
const SUSPECTED = "suspected";
/** Suspicions are written down together, so long after the first. */
const KEPT_AFTER_MS = 1_000;

interface Suspicion {
  readonly signers: readonly Key[];
  /** The request, where this node has not executed the action. */
  readonly heardOf: Digest | undefined;
}

/** The same for all who know the same domains. */
export function inOrder(action: Digest, domains: readonly string[]): string[] {
  const place = new Map(domains.map((domain) => [domain, digestOf(`${action} ${domain}`)]));
  return domains.toSorted((a, b) => ((place.get(a) ?? "") < (place.get(b) ?? "") ? -1 : 1));
}

/** Whether those who gave that answer say that it is one to a command: all of them do, or none. */
function isCommands({ byDomain }: Answer): boolean {
  return [...byDomain.values()].some(({ outputs }) => isOfCommand(outputs));
}

/** Whether an evidence, of whatever kind, convicts. */
function isShowing(codec: EvidenceCodec, text: string): boolean {
  if (isForkEvidence(text)) return readForkEvidence(codec, text).kind === "forked";
  if (isRoundEvidence(text)) return readRoundEvidence(codec, text).kind === "opened-falsely";
  return readEvidence(codec, text).kind === "convicts";
}

/** What is found of all, and who is blamed by those alone who have repeated nobody: anybody's word excuses. */
function blaming(all: Finding, counted: Finding): Finding {
  if (all.kind !== "settled") return all;
  if (counted.kind !== "settled" || counted.outcome !== all.outcome) return { kind: "disputed" };
  const signers = new Set(all.alone.map(({ attestation }) => attestation.execution.signer));
  const alone = counted.alone.filter(({ attestation }) => signers.has(attestation.execution.signer));
  return alone.length === 0 ? { kind: "disputed" } : { ...counted, alone };
}

export class Convictions implements Disposable {
  readonly #parts: ConvictionsParts;
  readonly #convicted: Set<Key>;
  /** Signers that stand alone as far as others say, or differ from what came of it here, by action. */
  readonly #suspected = new Map<Digest, Suspicion>();
  #isKeptSoon = false;
  /** Actions of which this node waits for its turn to speak. */
  readonly #disputed = new Set<Digest>();
  readonly #stop = new AbortController();
  #discredited: ReadonlySet<Key> = new Set();

  constructor(parts: ConvictionsParts) {
    this.#parts = parts;
    this.#convicted = new Set(
      parts.kept
        .setting(LIST)
        ?.split(" ")
        .filter((key) => this.evidence(key) !== undefined),
    );
    this.#discredited = new Set(this.#convicted);
  }

  /** Attestation keys whose voices do not count. */
  get discredited(): ReadonlySet<Key> {
    return this.#discredited;
  }

  get convicted(): ReadonlySet<Key> {
    return this.#convicted;
  }

  /** The evidence against a signer, where this node has some and it holds. */
  evidence(signer: Key): string | undefined {
    const { kept, codec } = this.#parts;
    const text = kept.setting(`evidence ${signer}`);
    if (text === undefined) return undefined;
    return isShowing(codec, text) ? text : undefined;
  }

  /**
   * Somebody's log has two histories, which nobody but its owner can have made: who that is is convicted.
   *
   * @param fork that shows itself @returns whether that is news
   */
  forked(fork: Fork): boolean {
    const { members, statements, log } = this.#parts;
    const { log: signer } = fork.newer;
    // Before the evidence is made, which takes a while: who has forked once can do so again and again.
    if (!this.#isNews(signer)) return false;
    this.#keep(signer, forkEvidenceOf(members.network, statements(), fork));
    log.event("warn", "trust.forked", { signer, older: fork.older.size, newer: fork.newer.size });
    this.#count();
    return true;
  }

  [Symbol.dispose](): void {
    if (this.#isKeptSoon) this.#keepSuspected();
    this.#stop.abort();
  }

  /**
   * What was heard of disputes and was suspected when an earlier process ended is looked at once more, by what is known by now. To be called once,
   * when members are known. Who differed from what this node has executed itself may have been right where that was another time.
   */
  resume(): void {
    for (const one of this.#parts.kept.setting(SUSPECTED)?.split(" ") ?? []) {
      const [manifest, action] = one.split(":");
      if (manifest !== undefined && action !== undefined) this.look(manifest, action);
    }
  }

  /** More is known of what came of an action. */
  look(manifest: Digest, action: Digest): void {
    // Who was convicted still speaks here: whoever finds the same is not alone, and it may have been right after all.
    const all = this.#parts.known(manifest, action);
    if (new Set(all.map(outcomeKey)).size > 1) this.#judge(manifest, action, all);
    else this.#suspect(action, [], undefined);
  }

  #judge(manifest: Digest, action: Digest, all: readonly Attestation[]): void {
    const { state, self } = this.#parts.members;
    if (state === undefined) return;
    const answers = answersOf(state, all);
    const counted = answersOf(state, this.#parts.voices(all));
    const found = blaming(findingOf(answers), findingOf(counted));
    const own = all.find(({ execution }) => signerIn(state, execution.signer)?.key === self);
    const mine = own && outcomeKey(own);
    // A command may print how long it took: who gets something else has not lied. That it is one, everybody says of its own work alone, so
    // that nobody is excused by it from what others have found.
    const [most] = answers;
    const isCommand = most !== undefined && isCommands(most);
    if (own === undefined ? isCommand : isOfCommand(own.outputs)) return this.#suspect(action, [], undefined);
    if (found.kind === "not-deterministic") this.#parts.log.event("warn", "trust.not-deterministic", { action });
    else if (own === undefined) this.#speakInTurn(manifest, action);
    if (found.kind === "settled" && found.outcome === mine) this.#convict(action, found);
    // However many say otherwise: their results are not what comes of it here.
    const differing = mine === undefined ? [] : differingFrom(mine, answers, counted);
    const alone = found.kind === "settled" && found.outcome !== mine && !isCommand ? found.alone : [];
    const signers = [...differing, ...alone.map(({ attestation }) => attestation.execution.signer)];
    this.#suspect(action, signers, own === undefined ? manifest : undefined);
  }

  /** Who has opened in a round what it had not promised is convicted: nobody but it can have signed both. */
  openedFalsely(shown: FalseOpening): void {
    const { statements, log } = this.#parts;
    const { signer, action } = shown;
    if (!this.#isNews(signer)) return;
    this.#keep(signer, roundEvidenceOf(statements(), shown));
    log.event("warn", "trust.opened-falsely", { signer, action });
    this.#count();
  }

  /** By own work, and by three domains' word. */
  #convict(action: Digest, found: Extract<Finding, { kind: "settled" }>): void {
    const { codec, members, statements, log } = this.#parts;
    for (const [signer, text] of evidenceOf(codec, members.network, statements(), found))
      if (this.#isNews(signer)) {
        this.#keep(signer, text);
        log.event("warn", "trust.convicted", { signer, action, domains: limits.trust.convicting });
      }
    this.#count();
  }

  /** Whether that somebody is to be convicted is news, and there is room for it. */
  #isNews(signer: Key): boolean {
    return !this.#convicted.has(signer) && this.#convicted.size < limits.trust.convicted;
  }

  /** Convicts. Where the evidence is too large or the disk takes none, for as long as this process runs; then others tell of it again. */
  #keep(signer: Key, evidence: string | undefined): void {
    const { kept, log } = this.#parts;
    this.#convicted.add(signer);
    try {
      if (evidence === undefined) throw new CairnError("limit-exceeded", { what: "evidence" });
      kept.set(`evidence ${signer}`, evidence);
      kept.set(LIST, [...this.#convicted].join(" "));
    } catch (error) {
      log.event("warn", "trust.not-kept", { signer, why: reasonOf(error) });
    }
  }

  #suspect(action: Digest, signers: readonly Key[], heardOf: Digest | undefined): void {
    const known = this.#suspected.get(action);
    if (signers.length === 0) {
      if (!this.#suspected.delete(action)) return;
    } else {
      if (this.#suspected.size >= limits.trust.suspicions && known === undefined) return;
      if (known === undefined) this.#parts.log.event("warn", "trust.suspected", { action, signers: signers.length });
      this.#suspected.set(action, { signers, heardOf });
    }
    if (known?.heardOf !== heardOf) this.#keepSoon();
    this.#count();
  }

  #keepSoon(): void {
    if (this.#isKeptSoon) return;
    this.#isKeptSoon = true;
    void this.#parts
      .wait(KEPT_AFTER_MS, this.#stop.signal)
      .then(() => this.#keepSuspected())
      .catch(() => undefined); // This node stops, and has written it down.
  }

  #keepSuspected(): void {
    this.#isKeptSoon = false;
    const heard = [...this.#suspected].flatMap(([action, { heardOf }]) => (heardOf === undefined ? [] : [`${heardOf}:${action}`]));
    try {
      this.#parts.kept.set(SUSPECTED, heard.join(" "));
    } catch (error) {
      this.#parts.log.event("warn", "trust.not-kept", { suspicions: heard.length, why: reasonOf(error) });
    }
  }

  #count(): void {
    const now = new Set([...this.#convicted, ...[...this.#suspected.values()].flatMap(({ signers }) => signers)]);
    const isSame = now.size === this.#discredited.size && [...now].every((key) => this.#discredited.has(key));
    this.#discredited = now;
    if (!isSame) this.#parts.changed();
  }

  /** Domains speak one after the other, in an order that follows from the action, so that no more do than it takes. */
  #speakInTurn(manifest: Digest, action: Digest): void {
    const { members, known, speak, wait, log } = this.#parts;
    const { state, self } = members;
    const own = state && countedDomain(state, self);
    if (
      state === undefined ||
      own === undefined ||
      own === "" ||
      this.#disputed.has(action) ||
      this.#disputed.size >= limits.trust.suspicions
    )
      return;
    const spoken = new Set(known(manifest, action).flatMap((one) => voiceOf(state, one.execution.signer) ?? []));
    const silent = [...domainsOf(state)].filter((domain) => !spoken.has(domain) || domain === own);
    const turn = inOrder(action, silent).indexOf(own);
    this.#disputed.add(action);
    void wait(turn * limits.trust.turnMs, this.#stop.signal)
      .then(() => {
        const answers = answersOf(state, known(manifest, action));
        if (findingOf(answers).kind === "agreed" || findingOf(answers).kind === "not-deterministic") return;
        log.event("info", "trust.speaks", { action, turn });
        speak(action, manifest);
      })
      .catch(() => undefined) // This node stops.
      .finally(() => this.#disputed.delete(action));
  }
}
