/**
 * Results that travel between the nodes of a network: what one of them executed, signed, found by others, and fetched.
 */
import type { Digest, Key, SharingPolicy } from "../base/index.ts";
import type { ManifestEntry, StoredResult } from "./results.ts";
import type { Voucher } from "./workers.ts";

/** When, by whom and with what a result was made. */
export interface Execution {
  /** Public attestation key of the node whose compiler ran. */
  readonly signer: Key;
  readonly toolchain: Digest;
  /** ms since the epoch, by that node's clock */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** A result and who vouches for it. docs/protocol/attestation.md tells what exactly is signed. */
export interface SharedResult {
  /** Key of the request; see ManifestEntry. */
  readonly manifest: Digest;
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
  readonly execution: Execution;
  /** Ed25519, by `execution.signer`. */
  readonly signature: Uint8Array;
}

/** A result that another node offers, and that this one may believe. */
export interface Offer {
  readonly shared: SharedResult;
  /** Members that have it, nearest first; peer keys. */
  readonly from: readonly Key[];
  /** The domains that vouch for it, as far as that was asked; and the policy that this is enough for. */
  readonly domains: readonly string[];
  readonly tier: SharingPolicy;
  /** Whether it is to be executed here, too, when nobody builds. */
  readonly isToVerify: boolean;
}

/** A request that a build is expected to make, and the result of it that a member has given: nobody has judged it. */
export type ExpectedResult = Pick<SharedResult, "manifest" | "entry" | "result">;

/** See {@link Sharing.wordOf}. */
export type WordOf = Pick<Offer, "tier" | "isToVerify">;

/** What the flows ask for. Without a network there is an implementation that offers nothing. */
export interface Sharing {
  /** This node has executed it: it is signed, kept and announced later. Returns at once and never throws. */
  executed(manifest: Digest, entry: ManifestEntry, result: StoredResult, execution: Omit<Execution, "signer">): void;
  /**
   * What others have for a request. Resolves at once, with nothing, when nobody says that there is something; a node that does not answer
   * in time has nothing. Never rejects but for `signal`.
   *
   * @param project what the project demands for which it is asked
   */
  find(manifest: Digest, project: SharingPolicy | undefined, signal: AbortSignal): Promise<readonly Offer[]>;
  /** What was fetched because a build is expected to ask for it next, with all its blobs, in that order. */
  expected(): readonly ExpectedResult[];
  /** Calls `listener` when there is more of that. */
  onExpected(listener: () => void): void;
  /** The same as {@link find} for a request that is expected, of what is here with all its blobs: nobody is asked, nothing is fetched for it. */
  findExpected(manifest: Digest, project: SharingPolicy | undefined): readonly Offer[];
  /** That was kept: it is not expected any more. */
  tookExpected(manifest: Digest): void;
  /**
   * Whether what is kept here of a request is good enough for a project that demands this: own work is, and what others vouch for well enough.
   * What machine and network demand has been seen to already.
   */
  mayUse(manifest: Digest, entry: ManifestEntry, project: SharingPolicy | undefined): boolean;
  /**
   * Brings an offer's blobs into the store.
   *
   * @returns whether all of it is here; the bytes that came
   */
  bring(offer: Offer, signal: AbortSignal): Promise<{ readonly complete: boolean; readonly bytes: number }>;
  /** What was offered is not what it says: who gave it is asked less for that. */
  useless(offer: Offer): void;
  /**
   * Puts what has been brought into the index, and onto the shelf for others.
   *
   * @returns false when it is not believed any more
   * @throws {CairnError} as {@link ResultIndex.add}
   */
  keep(offer: Offer): boolean;
  /**
   * A member has executed it for this node: puts the signature of that member into the index with it, and onto the shelf for others. Never throws.
   *
   * @param made as it is kept here; the toolchain is the one that was asked for
   * @returns false when that member has not signed this
   */
  vouched(member: Key, made: Pick<SharedResult, "manifest" | "entry" | "result">, toolchain: Digest, voucher: Voucher): boolean;
  /** Whether it is others alone who vouch for what is kept of an action: then it may have to be taken back, by that action. */
  isOthers(action: Digest): boolean;
  /** Whether anybody's word about what was executed for this node alone can be enough for a project that demands this. */
  mayHelp(project: SharingPolicy | undefined): boolean;
  /**
   * What the word of a member is good for that has executed something for this node alone, and whether that is to be executed here, by lot.
   * Undefined: it is not used.
   */
  wordOf(member: Key, project: SharingPolicy | undefined): WordOf | undefined;
  /** What is about to be kept of an action rests on the word of a member. @returns false where that could not be written: it must not be kept */
  restsOn(action: Digest, member: Key): boolean;
  /** What is about to be kept of an action is the same as what is kept of another one: whatever that rests on, this does. */
  restsOnThat(action: Digest, other: Digest): boolean;
  /**
   * A result of an action was executed here: the same came of it, or something else. To be called before it is forgotten.
   *
   * @param member who had executed it for this node alone; undefined: on whomever what is kept rests
   */
  checked(action: Digest, isSame: boolean, member?: Key): void;
}

/** What is wanted of a member besides its results for a request. */
export interface Wish {
  /** Bytes of their small blobs, along with them. */
  readonly alongBytes: number;
  /** Blobs that are here already. */
  readonly have: readonly Digest[];
  /** So many requests of which it made results afterwards. */
  readonly following: number;
  /** Whether honest members may keep to themselves what they say that they have. */
  readonly mayBeWithheld?: boolean;
}

/** What a member gives for a request. */
export interface Given {
  readonly shared: readonly SharedResult[];
  /** Of the outputs, those that came along; verified. */
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
  /** Requests of which that member made results afterwards, in that order. */
  readonly following: readonly Digest[];
}

/** What this node can serve. `store` keeps it, `net` serves from it. */
export interface Shelf {
  /** Requests of which it has signed results with all their blobs, in no order. */
  manifests(): readonly Digest[];
  /** Calls `listener` soon after something was put on the shelf or taken off. */
  onChange(listener: (added: readonly Digest[], removed: readonly Digest[]) => void): void;
  /** The signed results of a request, the most recently used first. */
  results(manifest: Digest): readonly SharedResult[];
  /** Requests of which results were put on the shelf after one of that request, in that order. */
  following(manifest: Digest, most: number): readonly Digest[];
  /** A blob, verified; undefined when it is not here. */
  blob(digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

/** Asking other members. `net` implements it; nothing here is believed but by signature and digest. */
export interface Exchange {
  /** Whether any connected member says that it has results. */
  readonly isOffered: boolean;
  /** Connected members that say they have results of a request, nearest first. Asks nobody. */
  whoHas(manifest: Digest): readonly Key[];
  /**
   * The results that a member has for a request, and small blobs of them; none when it does not answer in time or not properly. Structure
   * and limits are checked, signatures are not.
   */
  results(from: Key, manifest: Digest, wish: Wish, signal: AbortSignal): Promise<Given>;
  /**
   * Fetches blobs from members that may have them, and hands over each whose digest is right.
   *
   * @param take keeps a blob; fetching goes on when it resolves, and the bytes are gone then: who needs them longer copies them. Large
   * ones may be kept without it
   * @param kept is told of each that was, and how many bytes of it members gave this time
   * @returns those that could not be had
   */
  blobs(
    from: readonly Key[],
    wanted: readonly { readonly digest: Digest; readonly size: number }[],
    take: (digest: Digest, bytes: Uint8Array) => Promise<void>,
    signal: AbortSignal,
    kept?: (digest: Digest, received: number) => void,
  ): Promise<readonly Digest[]>;
}
