/**
 * Work between the members of a network that runs: to whom this node's sources may go, and whose jobs it does.
 *
 * Knows: the rule, by trust domains. Does not know: what is compiled, or how it travels.
 */
import type { Digest, Key, Log, SharingPolicy, WorkCircle } from "../base/index.ts";
import type { WorkDesk, WorkerOutcome, Workers } from "../contracts/index.ts";
import { type Network, Work } from "../net/index.ts";
import type { Members } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";

export interface NetworkWorkParts {
  readonly network: Network;
  readonly members: Members;
  readonly desk: WorkDesk;
  readonly codec: NetworkCodec;
  readonly log: Log;
}

export interface NetworkWorkOptions {
  readonly circle: WorkCircle;
  /** The reader's tier as it is now: who believes nobody lets nobody work. */
  readonly policy: () => SharingPolicy;
  /** Whether this node must be thought to be cut off: then only machines of its own domain work for it. */
  readonly isCutOff: () => boolean;
}

export class NetworkWork implements Disposable {
  /** For builds: whatever they ask stays within the rule. */
  readonly workers: Workers;
  readonly #members: Members;
  readonly #options: NetworkWorkOptions;
  #circle: WorkCircle;
  readonly #work: Work;

  static async start(parts: NetworkWorkParts, options: NetworkWorkOptions): Promise<NetworkWork> {
    return new NetworkWork(await Work.start({ ...parts, now: () => performance.now() }), parts, options);
  }

  private constructor(work: Work, { members }: NetworkWorkParts, options: NetworkWorkOptions) {
    this.#members = members;
    this.#options = options;
    this.#circle = options.circle;
    this.#work = work;
    this.workers = {
      compile: (member, action, content, signal, row) =>
        this.mayWork(member) ? work.compile(member, action, content, signal, row) : Promise.resolve(STAYS),
      act: (member, action, content, signal) =>
        this.mayWork(member) && this.isOfOwnDomain(member) ? work.act(member, action, content, signal) : Promise.resolve(STAYS),
    };
  }

  [Symbol.dispose](): void {
    this.#work[Symbol.dispose]();
  }

  /** Of some contents, what a member has not had of this node; undefined: nothing is known. */
  lackedBytes(member: Key, contents: ReadonlyMap<Digest, number>): number | undefined {
    return this.#work.lackedBytes(member, contents);
  }

  /** How fast the link with a member takes contents; undefined: not measured. */
  bytesPerMs(member: Key): number | undefined {
    return this.#work.bytesPerMs(member);
  }

  /** From the next job on. */
  follow(circle: WorkCircle): void {
    this.#circle = circle;
  }

  /** Whether a member may work for this node now. */
  mayWork(member: Key): boolean {
    const { policy, isCutOff } = this.#options;
    return policy() !== "self" && this.admits(member) && (this.isOfOwnDomain(member) || !isCutOff());
  }

  /** Whether a member is of the circle within which this node works for others and lets others work. */
  admits(member: Key): boolean {
    // Whom this node's domain wants put out gets no sources and no work before others have agreed, either.
    if (this.#members.accused.has(member)) return false;
    return this.#circle === "network" ? this.#members.standing(member) === "active" : this.isOfOwnDomain(member);
  }

  /** Whether a member belongs to whom this node belongs to: what it made is used as it is, and it may have made anything. */
  isOfOwnDomain(member: Key): boolean {
    return this.#members.isOfOwnDomain(member);
  }
}

const STAYS: WorkerOutcome = { kind: "refused", reason: "not_shared", detail: "sources stay here" };
