/**
 * Members that compile for this one, and this one for them.
 */
import type { Digest, Key } from "../base/index.ts";
import type { CompileAction, CompileRefusal } from "./compile-action.ts";
import type { ActionLimit, Left, OutputFile, Usage } from "./executor.ts";
import type { GeneralAction } from "./general-action.ts";

export type WorkerOutcome =
  | {
      readonly kind: "done";
      readonly exitCode: number;
      readonly stdout: Buffer;
      readonly stderr: Buffer;
      /** `object` and, where it was wanted, `dependencies`. */
      readonly outputs: readonly OutputFile[];
      /** Of a general action, instead of outputs: each at a declared output or in one that is a directory, and named once. */
      readonly left?: readonly Left[];
      readonly used: Usage;
      /** How long it waited there for its turn, contents of inputs included. */
      readonly queuedMs: number;
      /**
       * Set where a signature was asked for: resolves, sooner or later, with that of who executed it, or with nothing. It is not verified.
       * Never rejects.
       */
      readonly voucher?: Promise<Voucher | undefined>;
    }
  /** `not_shared`: it does no such work for others, or not for this member. `system_unknown`: something else is installed there. */
  | { readonly kind: "refused"; readonly reason: CompileRefusal | "not_shared" | "system_unknown"; readonly detail: string }
  | { readonly kind: "killed"; readonly limit: ActionLimit }
  /** No slot now. */
  | { readonly kind: "busy" }
  /** The link or its deadline, or what came was not by the protocol. */
  | { readonly kind: "lost"; readonly why: string };

/** What a worker has signed about a result that it has executed; the rest of what it says follows from the result. */
export interface Voucher {
  /** The result names its directory, and is one for that place only. */
  readonly placed: boolean;
  /** ms since the epoch, by the worker's clock */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly signature: Uint8Array;
}

/** A place in the row at a worker, as who asked sees it. */
export interface Row {
  /** Told again and again whether it waits for a slot there, as the worker says. Workers of before never say that it does. */
  readonly waits: (isWaiting: boolean) => void;
  /** Aborted when it is wanted back. Where it still waits it ends, as `busy`; once it has begun nothing comes of this. */
  readonly back: AbortSignal;
}

export interface Workers {
  /**
   * Has a member compile something. Never throws but for `signal`, and then nothing of it runs there for long.
   *
   * @param content what the worker may ask for of the inputs; undefined: gone
   * @param row where it may be wanted back
   * @throws the signal's reason
   */
  compile(
    member: Key,
    action: CompileAction,
    content: (digest: Digest, signal: AbortSignal) => Promise<Uint8Array | undefined>,
    signal: AbortSignal,
    row?: Row,
  ): Promise<WorkerOutcome>;
  /** Has a member run a general action; as above. */
  act(
    member: Key,
    action: GeneralAction,
    content: (digest: Digest, signal: AbortSignal) => Promise<Uint8Array | undefined>,
    signal: AbortSignal,
  ): Promise<WorkerOutcome>;
}

/**
 * Gets contents from who asked for the job.
 *
 * @param take is given each, verified, as it comes
 * @returns those that could not be had
 * @throws {CairnError} limit-exceeded: too much at once, of this job or of all; or the signal's reason
 */
export type BringContents = (
  wanted: readonly Digest[],
  take: (digest: Digest, bytes: Uint8Array) => void,
  signal: AbortSignal,
) => Promise<readonly Digest[]>;

/** Who does on this machine what members ask for. */
export interface WorkDesk {
  /**
   * @param bring once at most
   * @param waits told when it has all contents and waits for a slot, and when it does no longer
   * @throws the signal's reason once nothing of it runs any more
   */
  compile(
    from: Key,
    action: CompileAction,
    bring: BringContents,
    signal: AbortSignal,
    waits?: (isWaiting: boolean) => void,
  ): Promise<Exclude<WorkerOutcome, { readonly kind: "lost" }>>;
  /** The same for a general action. */
  act(
    from: Key,
    action: GeneralAction,
    bring: BringContents,
    signal: AbortSignal,
  ): Promise<Exclude<WorkerOutcome, { readonly kind: "lost" }>>;
}
