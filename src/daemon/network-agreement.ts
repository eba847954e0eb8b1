/**
 * The domains' agreement on epochs, among the streams, the disk and the clock of this node: docs/protocol/agreement.md.
 *
 * What this node signs is on disk before anybody hears of it: who forgets what it said may say something else.
 * Knows: when time is told, what is kept. Does not know: what is voted for, or why.
 */
import { type AgreementFrame, CairnError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import { MemberTalk, type MemberTalkParts } from "../net/index.ts";
import { type Ballot, Governance, type KeyPair, type Members, type Membership } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";

export interface NetworkAgreementParts {
  readonly network: MemberTalkParts<AgreementFrame>["network"] & { connected(key: Key): boolean };
  readonly members: Members;
  readonly membership: Membership;
  readonly codec: NetworkCodec;
  readonly keys: KeyPair;
  readonly kept: { setting(name: string): string | undefined; set(name: string, value: string): void };
  readonly log: Log;
}

/** How the next epoch is decided, as people are told. */
export interface Deciding {
  /** By domain, who speaks for it; empty where admins decide. */
  readonly voices: readonly { readonly domain: string; readonly key: Key }[];
  readonly quorum: number;
  readonly ballot: Ballot | undefined;
}

const PROTOCOL = "/cairn/agreement/1";
const SETTING = "agreement";

export class NetworkAgreement implements Disposable {
  readonly #parts: NetworkAgreementParts;
  readonly #governance: Governance;
  readonly #accused = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #talk: MemberTalk<AgreementFrame> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** See Governance.signed: what the disk has. */
  #signed = "";
  #epoch: number;
  #isForked = false;
  #isEnded = false;

  static async start(parts: NetworkAgreementParts): Promise<NetworkAgreement> {
    const agreement = new NetworkAgreement(parts);
    const { network, codec, log } = parts;
    const { encodeAgreementFrame: encode, decodeAgreementFrame: decode } = codec;
    const hear = (from: Key, frame: AgreementFrame): void => agreement.#hear(from, frame);
    const talk = { network, log, encode, decode, hear, now: () => performance.now() };
    agreement.#talk = await MemberTalk.start(talk, { protocol: PROTOCOL, ...limits.agreement });
    parts.members.onChange(() => agreement.#changed());
    agreement.#changed();
    return agreement;
  }

  private constructor(parts: NetworkAgreementParts) {
    this.#parts = parts;
    const { membership, codec, keys, members, kept, log } = parts;
    const take = (statements: readonly Uint8Array[]): void => members.take(statements);
    this.#governance = new Governance({ membership, codec, keys, take, wallClock: Date.now }, limits.agreement);
    this.#epoch = membership.decided?.epoch.number ?? 0;
    const saved = kept.setting(SETTING);
    if (saved === undefined) return;
    try {
      this.#governance.restore(saved.split(" ").map((frame) => codec.decodeAgreementFrame(Buffer.from(frame, "base64"))));
    } catch (error) {
      this.#governance.silence();
      log.event("error", "agreement.damaged", { why: reasonOf(error) });
    }
  }

  get deciding(): Deciding {
    const { electorate, ballot } = this.#governance;
    return { voices: electorate?.voices ?? [], quorum: electorate?.quorum ?? 0, ballot };
  }

  /** Resolves when that is so, or after so long. */
  until(isSo: () => boolean, mostMs: number): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const look = (): void => void (isSo() && end());
      const timer = setTimeout(end, mostMs);
      this.#waiting.add(look);
    });
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#talk?.[Symbol.dispose]();
  }

  #hear(from: Key, frame: AgreementFrame): void {
    if (this.#isEnded) return;
    this.#send(this.#governance.hear(from, frame, performance.now()));
    this.#tellTime();
  }

  /** Something is known of the members that was not: perhaps something is to be decided now, or has been. */
  #changed(): void {
    const { membership, log } = this.#parts;
    const epoch = membership.decided?.epoch.number ?? 0;
    if (epoch > this.#epoch && membership.decidedBy?.by === "domains") {
      const { domains } = membership.decidedBy;
      log.event("info", "epoch.agreed", { number: epoch, domains: domains.join(" "), quorum: domains.length });
    }
    this.#epoch = epoch;
    for (const look of this.#waiting) look();
    if (membership.fork !== undefined && !this.#isForked) {
      this.#isForked = true;
      log.event("error", "epoch.forked", { number: membership.fork.number, ids: membership.fork.ids.join(" ") });
    }
    this.#tellTime();
  }

  /** Tells the time when something is due, as long as there is something to decide. */
  #tellTime(): void {
    clearTimeout(this.#timer);
    const dueInMs = this.#isEnded ? undefined : this.#governance.dueInMs(performance.now());
    if (dueInMs === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#send(this.#governance.tick(performance.now()));
        this.#tellTime();
      },
      Math.max(limits.agreement.tickMs, dueInMs),
    ).unref();
  }

  #send(outgoing: readonly { readonly to: readonly Key[]; readonly frame: AgreementFrame }[]): void {
    const { network } = this.#parts;
    if (!this.#save()) return;
    for (const { to, frame } of outgoing) for (const key of to) if (network.connected(key)) this.#talk?.send(key, frame);
    for (const { name, votes } of this.#governance.equivocations) {
      if (this.#accused.has(name)) continue;
      this.#accused.add(name);
      const [{ kind, view }] = votes;
      this.#parts.log.event("warn", "agreement.equivocated", { domain: name, kind, view });
    }
  }

  /** @returns whether all that this node has signed is on disk */
  #save(): boolean {
    const { codec, kept, log } = this.#parts;
    const { signed } = this.#governance;
    if (signed === "" || signed === this.#signed) return true;
    const saved = this.#governance.save().map((frame) => Buffer.from(codec.encodeAgreementFrame(frame)));
    try {
      const most = saved.reduce((bytes, { length }) => Math.max(bytes, length), 0);
      if (most > limits.agreement.frameBytes) throw new CairnError("limit-exceeded", { bytes: most }); // It could not be read again.
      kept.set(SETTING, saved.map((frame) => frame.toString("base64")).join(" "));
      this.#signed = signed;
      return true;
    } catch (error) {
      log.event("warn", "agreement.unsaved", { why: reasonOf(error) });
      return false;
    }
  }
}
