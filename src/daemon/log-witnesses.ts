/**
 * Has this node's log witnessed: by a member of each of some other domains, after hearing from all of them what they have seen of it.
 *
 * Knows: whom to ask, and when. Does not know: how questions travel, or what a witness does.
 */
import { type Digest, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { LogAnswer, LogQuestion } from "../contracts/index.ts";
import { type Candidate, rendezvousOrder } from "../net/index.ts";
import { type Cosignature, type Head, isCosigned, isHead, isSameHead, readHead, writeHead } from "../trust/index.ts";
import type { AttestationLog } from "./attestation-log.ts";

export interface LogWitnessesParts {
  readonly own: AttestationLog;
  readonly files: {
    read(path: string): Uint8Array | undefined;
    write(files: readonly (readonly [path: string, text: string])[]): Promise<void>;
  };
  /** Members that are there, this node among them. */
  readonly present: () => readonly Candidate[];
  readonly self: Key;
  /** Whose log it is: this node's attestation key. */
  readonly signer: Key;
  readonly attestationKeyOf: (member: Key) => Key | undefined;
  /** The active member with that attestation key. */
  readonly memberOf: (witness: Key) => Key | undefined;
  readonly ask: (member: Key, question: LogQuestion) => Promise<LogAnswer>;
  /** ms, monotonic */
  readonly now: () => number;
  readonly log: Log;
}

/** A checkpoint, and who has witnessed it. */
export interface WitnessedHead {
  readonly head: Head;
  readonly cosignatures: readonly Cosignature[];
}

interface Witness {
  readonly member: Key;
  readonly witness: Key;
}

interface Answered extends Witness {
  /** Entries that it has seen. */
  readonly size: number;
}

const { againMs, askMs, awaitMs, hashesAtOnce, witnesses: WITNESSES } = limits.transparency;
const WITNESSED = "witnessed";
const NOTHING: LogQuestion = { head: undefined, leaves: [] };

export class LogWitnesses implements AsyncDisposable {
  readonly #parts: LogWitnessesParts;
  readonly #timer: NodeJS.Timeout;
  #last: WitnessedHead | undefined;
  /** Who did not sign when it was asked last, and until when it is left alone. */
  readonly #unwilling = new Map<Key, number>();
  /** Who had witnessed last before this process, and has not answered since: it may have seen more than there is here. */
  readonly #awaited: Set<Key>;
  readonly #awaitedUntil: number;
  #isAsking = false;
  #isOver = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: LogWitnessesParts) {
    this.#parts = parts;
    const kept = parts.files.read(WITNESSED);
    const last = kept && readHead(Buffer.from(kept).toString("utf8"));
    this.#last = last?.head.log === parts.signer ? last : undefined; // Else it is from before a new invitation.
    this.#awaited = new Set(this.#last?.cosignatures.map(({ witness }) => witness));
    this.#awaitedUntil = parts.now() + awaitMs;
    this.#timer = setInterval(() => void this.#round(), askMs).unref();
  }

  /** The last checkpoint that somebody has witnessed; undefined where nobody has. */
  get last(): WitnessedHead | undefined {
    return this.#last;
  }

  /** What is being written is; nothing is after that. Answers are not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    await this.#writing;
  }

  async #round(): Promise<void> {
    const { own, log } = this.#parts;
    const { head } = own;
    if (this.#isAsking || head === undefined || own.stopped === "rolled-back" || own.stopped === "damaged") return;
    for (const [member, until] of this.#unwilling) if (until <= this.#parts.now()) this.#unwilling.delete(member);
    const signed = this.#last !== undefined && isSameHead(this.#last.head, head) ? this.#last.cosignatures : [];
    const missing = this.#chosen(head.log).filter(
      ({ member, witness }) => !this.#unwilling.has(member) && !signed.some((one) => one.witness === witness),
    );
    if (missing.length === 0) return;
    this.#isAsking = true;
    try {
      await this.#witness(head, missing, signed);
    } catch (error) {
      log.event("warn", "log.not-witnessed", { why: reasonOf(error) });
    } finally {
      this.#isAsking = false;
    }
  }

  /** One member of each other domain, the same ones as long as they are there. */
  #chosen(log: Digest): Witness[] {
    const { present, self, attestationKeyOf } = this.#parts;
    const all = present();
    const own = all.find(({ key }) => key === self)?.domain;
    const domains = new Set<string>();
    return rendezvousOrder(
      log,
      all.filter(({ domain }) => domain !== own && domain !== ""),
    )
      .filter(({ domain }) => !domains.has(domain) && domains.add(domain))
      .slice(0, WITNESSES)
      .flatMap(({ key }) => {
        const witness = attestationKeyOf(key);
        return witness === undefined ? [] : [{ member: key, witness }];
      });
  }

  async #witness(head: Head, chosen: readonly Witness[], before: readonly Cosignature[]): Promise<void> {
    const { own, files, log } = this.#parts;
    // Nobody is shown anything before all have told what they have seen: else a log that was put back to what it once was would fork.
    if (!(await this.#areHeard())) return;
    const heard = await Promise.all(chosen.map((one) => this.#heard(one)));
    const answered = heard.flatMap((one) => one ?? []);
    if (answered.length < chosen.length || (own.stopped !== undefined && own.stopped !== "full")) return;
    const signed = await Promise.all(answered.map((one) => this.#show(head, one)));
    const cosignatures = [...before, ...signed.flatMap((one) => one ?? [])];
    if (cosignatures.length === before.length || this.#isOver) return;
    this.#last = { head, cosignatures };
    const written = files.write([[WITNESSED, writeHead(head, cosignatures)]]);
    this.#writing = written.catch(() => undefined);
    await written;
    log.event("info", "log.witnessed", { size: head.size, witnesses: cosignatures.length });
  }

  /** Whether all have answered who had witnessed last before this process, are members no more, or were waited for long enough. */
  async #areHeard(): Promise<boolean> {
    const { memberOf, present, now } = this.#parts;
    if (now() >= this.#awaitedUntil) return true;
    const there = new Set(present().map(({ key }) => key));
    const awaited = [...this.#awaited].flatMap((witness) => {
      const member = memberOf(witness);
      return member === undefined ? [] : [{ member, witness }];
    });
    const asked = awaited.filter(({ member }) => there.has(member) && !this.#unwilling.has(member));
    const heard = await Promise.all(asked.map((one) => this.#heard(one)));
    for (const one of heard) if (one !== undefined) this.#awaited.delete(one.witness);
    return awaited.every(({ witness }) => !this.#awaited.has(witness));
  }

  /** What a witness has seen; undefined where it does not answer, or has seen what this log has never been. */
  async #heard({ member, witness }: Witness): Promise<Answered | undefined> {
    const { own } = this.#parts;
    const answer = await this.#ask(member, NOTHING);
    if (answer === undefined) return undefined;
    const { head } = answer;
    if (head === undefined) return { member, witness, size: 0 };
    if (!isHead(head) || head.log !== own.head?.log) return this.#refused(member, "another log");
    if (own.isOwn(head)) return { member, witness, size: head.size };
    await own.rolledBack();
    return undefined;
  }

  async #show(head: Head, { member, witness, size }: Answered): Promise<Cosignature | undefined> {
    const { own } = this.#parts;
    for (let from = Math.min(size, head.size); ; ) {
      const to = Math.min(head.size, from + hashesAtOnce);
      const part = to === head.size ? { ...own.part(from, to), head } : own.part(from, to);
      const { cosignature } = (await this.#ask(member, part)) ?? {};
      const signed = cosignature && { ...cosignature, witness };
      if (signed === undefined || !isCosigned(part.head, signed)) return this.#refused(member, "not signed");
      if (to === head.size) return signed;
      from = to;
    }
  }

  async #ask(member: Key, question: LogQuestion): Promise<LogAnswer | undefined> {
    if (this.#isOver) return undefined;
    try {
      return await this.#parts.ask(member, question);
    } catch (error) {
      return this.#refused(member, reasonOf(error));
    }
  }

  #refused(member: Key, why: string): undefined {
    if (this.#isOver) return undefined;
    this.#unwilling.set(member, this.#parts.now() + againMs);
    this.#parts.log.event("info", "log.not-witnessed", { peer: member, why });
  }
}
