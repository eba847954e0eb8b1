/**
 * Logs in a network that runs: this node's own and its witnesses, and what this node has seen as a witness of others.
 *
 * Knows: which part hears of what. Does not know: how a tree is made, or what is asked by people.
 */
import { Attempts, CairnError, type Digest, type Key, type Log, limits } from "../base/index.ts";
import type { Attestation, LogAnswer, LogQuestion, SharedResult } from "../contracts/index.ts";
import { type Candidate, LogTalk, type Network } from "../net/index.ts";
import {
  attestationEnvelope,
  claimIn,
  cosign,
  countedDomain,
  type Fork,
  type Head,
  type KeyPair,
  logEntryOf,
  type Members,
  signerIn,
  writeHead,
  writeLogProof,
} from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { AttestationLog, type LogHome } from "./attestation-log.ts";
import { LogMirror, type MirrorFiles } from "./log-mirror.ts";
import { LogWatch, type LogWatchParts } from "./log-watch.ts";
import { LogWitnesses } from "./log-witnesses.ts";

export interface NetworkLogParts {
  /** Where this node's log lies, and what it has seen of others'. */
  readonly files: { readonly own: LogHome; readonly mirrors: MirrorFiles };
  readonly network: Pick<Network, "open" | "serve">;
  readonly members: Members;
  readonly gossip: LogWatchParts["gossip"];
  readonly codec: NetworkCodec;
  readonly attestationKeys: KeyPair;
  readonly present: () => readonly Candidate[];
  /** What this node has signed about an action. */
  readonly signed: (action: Digest) => readonly Attestation[];
  readonly forked: (fork: Fork) => boolean;
  readonly isConvicted: (log: Key) => boolean;
  readonly log: Log;
}

export class NetworkLog implements AsyncDisposable {
  readonly #parts: NetworkLogParts;
  readonly #own: AttestationLog;
  readonly #mirror: LogMirror;
  readonly #watch: LogWatch;
  readonly #witnesses: LogWitnesses;
  readonly #questions = new Attempts({ now: () => performance.now() }, limits.transparency.questions);

  static async start(parts: NetworkLogParts): Promise<NetworkLog> {
    const { members, attestationKeys, files, log } = parts;
    const own = new AttestationLog({ files: files.own, keys: attestationKeys, log });
    const domainOf = (key: Key): string | undefined => domainOfSigner(members, key);
    const mirror = await LogMirror.open({ files: files.mirrors, domainOf, log });
    const talk: LogTalk = await LogTalk.start({ ...parts, answer: (from, question) => logs.#answer(from, question) });
    const logs = new NetworkLog(parts, { own, mirror, talk });
    return logs;
  }

  private constructor(
    parts: NetworkLogParts,
    { own, mirror, talk }: { readonly own: AttestationLog; readonly mirror: LogMirror; readonly talk: LogTalk },
  ) {
    const { members, files, attestationKeys } = parts;
    this.#parts = parts;
    this.#own = own;
    this.#mirror = mirror;
    this.#watch = new LogWatch({
      ...parts,
      domainOf: (member) => activeDomain(members, member),
      domainOfLog: (log) => domainOfSigner(members, log),
      now: () => performance.now(),
      hear: (head, teller) => (head.log === attestationKeys.publicKey ? this.#heardOfOwn(head) : mirror.hear(head, teller)),
    });
    this.#witnesses = new LogWitnesses({
      ...parts,
      own,
      files: files.own,
      self: members.self,
      signer: attestationKeys.publicKey,
      attestationKeyOf: (member) => members.state?.members.get(member)?.attestationKey,
      memberOf: (witness) => activeSigner(members, witness)?.key,
      ask: (member, question) => talk.ask(member, question),
      now: () => performance.now(),
    });
    members.onChange(() => {
      if (members.state !== undefined) void mirror.prune();
    });
  }

  /** Nothing is written after that: the directory may be somebody else's by then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    await this.#witnesses[Symbol.asyncDispose]();
    await this.#own[Symbol.asyncDispose]();
    await this.#mirror[Symbol.asyncDispose]();
  }

  /** This node has signed these. Returns at once. */
  signed(made: readonly SharedResult[]): void {
    const { network } = this.#parts.members;
    this.#own.add(made.flatMap((one) => claimIn(one) ?? []).map((attestation) => logEntryOf(network, attestation)));
  }

  /** For `cairn log`. */
  async describe(): Promise<object> {
    await this.#own.settle();
    const { head, stopped } = this.#own;
    const { last } = this.#witnesses;
    return {
      log: this.#parts.attestationKeys.publicKey,
      size: head?.size ?? 0,
      checkpoint: head === undefined ? "" : writeHead(head, []),
      stopped: stopped ?? null,
      witnessed:
        last === undefined
          ? null
          : { size: last.head.size, note: writeHead(last.head, last.cosignatures), by: last.cosignatures.map((one) => this.#named(one)) },
      seen: this.#mirror.heads.map(({ log, size }) => ({ ...this.#called(log), size })),
    };
  }

  /**
   * That what this node has signed about an action is in its log, as far as that is witnessed; as a file for others.
   *
   * @throws {CairnError} not-found
   */
  async prove(action: Digest): Promise<object> {
    await this.#own.settle();
    const { head } = this.#own;
    const { last } = this.#witnesses;
    const [proved = { head, cosignatures: [] }] = last === undefined ? [] : [last];
    const witnessed = proved.head === undefined ? undefined : await this.#own.find(action, proved.head.size);
    const found = witnessed ?? (head && (await this.#own.find(action, head.size)));
    const at = witnessed === undefined ? { head, cosignatures: [] } : proved;
    if (found === undefined || at.head === undefined)
      throw new CairnError("not-found", { why: `this machine's log has nothing about action ${action}` });
    const { network } = this.#parts.members;
    const attestation = this.#parts.signed(action).find((one) => logEntryOf(network, one).statement === found.entry.statement);
    if (attestation === undefined)
      throw new CairnError("not-found", {
        why: `what this machine has signed about action ${action} is not kept any more; entry ${found.index} of its log names it`,
      });
    const proof = writeLogProof({
      envelope: attestationEnvelope(network, attestation),
      index: found.index,
      proof: this.#own.proof(found.index, at.head.size),
      head: at.head,
      cosignatures: at.cosignatures,
    });
    return { action, index: found.index, size: at.head.size, witnesses: at.cosignatures.map((one) => this.#named(one)), proof };
  }

  /** Somebody asks this node to witness its log. */
  async #answer(from: Key, { head, leaves }: LogQuestion): Promise<LogAnswer> {
    const { members, attestationKeys, log } = this.#parts;
    const member = members.state?.members.get(from);
    if (member?.standing !== "active") return { head: undefined, cosignature: undefined };
    if (this.#questions.tooMany(from, member.domain)) throw new CairnError("limit-exceeded", { what: "questions about a log" });
    if (head === undefined) return { head: this.#mirror.of(member.attestationKey)?.head, cosignature: undefined };
    if (head.log !== member.attestationKey) return { head: undefined, cosignature: undefined };
    const seen = await this.#mirror.take({ head, leaves });
    const known = this.#mirror.of(head.log)?.head;
    if (seen.kind === "grown" || seen.kind === "same") {
      this.#watch.cosigned(head);
      return { head: known, cosignature: cosign(attestationKeys, head, Math.floor(Date.now() / 1_000)) };
    }
    if (seen.kind === "forked") this.#watch.found(seen.fork);
    if (seen.kind === "refused") log.event("warn", "log.refused", { peer: from, size: head.size, why: seen.why });
    return { head: known, cosignature: undefined };
  }

  /** What others have seen of this node's log it must have had. */
  #heardOfOwn(head: Head): undefined {
    if (!this.#own.isOwn(head)) void this.#own.rolledBack();
  }

  #named({ witness, timeS }: { readonly witness: Key; readonly timeS: number }): object {
    return { ...this.#called(witness), atMs: 1_000 * timeS };
  }

  #called(key: Key): object {
    const { state } = this.#parts.members;
    const member = state && signerIn(state, key);
    return { key, name: member?.name ?? "", domain: member?.domain ?? "" };
  }
}

function activeDomain({ state }: Pick<Members, "state">, member: Key): string | undefined {
  return state?.members.get(member)?.standing === "active" ? countedDomain(state, member) : undefined;
}

function domainOfSigner(members: Pick<Members, "state">, key: Key): string | undefined {
  const member = activeSigner(members, key);
  return member && activeDomain(members, member.key);
}

function activeSigner({ state }: Pick<Members, "state">, key: Key): ReturnType<typeof signerIn> {
  const member = state && signerIn(state, key);
  return member?.standing === "active" ? member : undefined;
}
