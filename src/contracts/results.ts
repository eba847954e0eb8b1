/**
 * ResultIndex: what is known about compiles on this machine: manifests lead to results, results name blobs.
 */
import type { Digest, Facts } from "../base/index.ts";

/**
 * A path inside a manifest: absolute, relative to the working directory of the compile, or below a place that moves with the
 * checkout, written `\0C/…` (working directory) or `\0P/…` (project root).
 */
export type PortablePath = string;

export interface ManifestInput {
  readonly path: PortablePath;
  readonly digest: Digest;
}

/** One set of inputs that led to one result. */
export interface ManifestEntry {
  /** Key of the result: SHA-256 over arguments, environment, toolchain, platform and inputs. */
  readonly action: Digest;
  /** Set when the result depends on where the checkout lies: digest of those places. */
  readonly place: Digest | undefined;
  /** With `place`: it is only presumed, because nobody has looked whether the preprocessed source names the place. */
  readonly presumed: boolean;
  /** Set when the compiler printed something: digest of terminal width, colours and language. */
  readonly terminal: Digest | undefined;
  readonly inputs: readonly ManifestInput[];
  /** Paths that the compiler looked for and must still not exist. */
  readonly absent: readonly PortablePath[];
}

export interface ResultOutput {
  readonly path: PortablePath;
  readonly digest: Digest;
  readonly size: number;
  /**
   * `object`: replaced; `written` and `depfile`: overwritten in place; see docs/protocol/hot-record.md. `outcome`: what came of a command and is
   * no file; see docs/protocol/tasks.md. `received`: nobody here has made it, a tool has left it at a door; `executed`: what came of an action of
   * a build tool; see docs/protocol/attestation.md.
   */
  readonly role: "object" | "written" | "depfile" | "outcome" | "received" | "executed";
  /** The blob is not the file itself but the template from which it is written for each checkout; see compile/depfile.ts. */
  readonly template: boolean;
}

export interface StoredResult {
  readonly outputs: readonly ResultOutput[];
  readonly stdout: string; // Base64 where it is not empty.
  readonly stderr: string;
  readonly compileMs: number;
  readonly cpuMs: number;
}

/** By whom a result was made, as far as this node answers for that itself. Of everything else it is not known without a signature. */
export type Origin = "here";

/** What is remembered of the last compile of a source file, for `cairn explain`. */
export interface HistoryRow {
  /** Absolute path of the source. */
  readonly source: string;
  /** Request key of the compile socket, hex. */
  readonly request: Digest;
  /** ms since the epoch */
  readonly at: number;
  /** direct, equivalent, miss, or pass:<reason> … */
  readonly outcome: string;
  /** JSON; the flows decide what is in it. */
  readonly body: string;
}

export interface Tokens {
  /** Digest of the tokens with their lines and columns. */
  readonly exact: Digest;
  /** Digest of the tokens with indentation and line breaks, blank and comment-only lines left out. */
  readonly layout: Digest;
}

export interface ResultIndex extends Disposable {
  /** The entries of a manifest, most recently used first. */
  entries(manifest: Digest): ManifestEntry[];
  /** Whether there are any, which costs less than reading them. */
  knows(manifest: Digest): boolean;
  result(action: Digest): StoredResult | undefined;
  /**
   * Stores entry and result (and tokens of inputs) in one transaction: after it returns, a crash does not lose them.
   *
   * @param origin undefined: others have made it, or nobody can say. What was made here stays that when the same comes from elsewhere
   * @throws {CairnError} `home-unwritable`, `index-corrupt`; nothing is stored then
   */
  add(manifest: Digest, entry: ManifestEntry, result: StoredResult, tokens: ReadonlyMap<Digest, Tokens>, origin?: Origin): void;
  /** By whom what is kept of an action was made; undefined where it is not known, or nothing is kept. */
  originOf(action: Digest): Origin | undefined;
  /** Marks an entry used now. */
  touch(manifest: Digest, action: Digest): void;
  /** Forgets a result and every entry that leads to it. */
  forget(action: Digest): void;
  tokens(content: Digest): Tokens | undefined;

  remember(row: HistoryRow): void;
  history(source: string): HistoryRow | undefined;
  /** That of a source whose last compile led to that action. */
  historyOfAction(action: Digest): HistoryRow | undefined;
  /** Sources that were compiled, by the end of their paths. */
  sourcesEnding(end: string, most: number): string[];
  /** Sources below a directory, in the order in which they were compiled last. */
  sourcesBelow(directory: string, most: number): string[];
  /** Of all sources, what was compiled last. */
  latestHistory(): HistoryRow | undefined;
  /** Of the source that was last compiled by this request. @param request 64 hex digits */
  historyOf(request: string): HistoryRow | undefined;

  /** Adds to named counters. */
  count(changes: Readonly<Record<string, number>>): void;
  counters(): Record<string, number>;
  zeroCounters(): void;
  /** Numbers for people: manifests, entries, results, bytes of the database. */
  facts(): Facts;
}
