/**
 * What the tests of this room share: a database and a disk store in a directory of their own, and made-up manifests.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, digestOf, type Facts, type Log } from "../base/index.ts";
import type { ManifestEntry, SharedResult, StoredResult } from "../contracts/index.ts";
import { type Database, openDatabase } from "./database.ts";
import { DiskStore, type DiskStoreOptions } from "./disk.ts";

export interface Opened extends AsyncDisposable {
  readonly directory: string;
  /** Where the blobs lie. */
  readonly blobs: string;
  /** The database. */
  readonly file: string;
  readonly events: { readonly name: string; readonly facts: Facts }[];
  readonly log: Log;
  /** ms since the epoch; moves only when a test moves it. */
  readonly clock: { at: number };
  readonly now: () => number;
  readonly database: Database;
  readonly store: DiskStore;
  /** Closes store and database and opens them again, as a new process would; `meanwhile` happens in between. */
  reopen(options?: Partial<DiskStoreOptions>, meanwhile?: () => void): Promise<void>;
}

/** A new directory; whoever asks for it removes it. */
export function scratch(): string {
  return mkdtempSync(join(tmpdir(), "cairn-store-"));
}

export function openStore(options: Partial<DiskStoreOptions> = {}): Opened {
  const directory = scratch();
  const blobs = join(directory, "blobs");
  const file = join(directory, "index.db");
  const events: Opened["events"] = [];
  const log: Log = { event: (_level, name, facts = {}) => events.push({ name, facts }) };
  const clock = { at: 1_800_000_000_000 };
  const now = (): number => clock.at;
  const open = (changes: Partial<DiskStoreOptions>): { database: Database; store: DiskStore } => {
    const database = openDatabase({ log, now }, { file });
    const sizes = { capacityBytes: 67_108_864, rawBytes: 67_108_864 };
    return { database, store: DiskStore.open({ log, now, database }, { directory: blobs, ...sizes, ...changes }) };
  };
  let opened = open(options);
  const close = async (): Promise<void> => {
    await opened.store[Symbol.asyncDispose]();
    opened.database[Symbol.dispose]();
  };
  return {
    directory,
    blobs,
    file,
    events,
    log,
    clock,
    now,
    get database() {
      return opened.database;
    },
    get store() {
      return opened.store;
    },
    async reopen(changes = {}, meanwhile) {
      await close();
      meanwhile?.();
      opened = open(changes);
    },
    async [Symbol.asyncDispose]() {
      await close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A manifest entry that stands for `name`. */
export function entryOf(name: string, changes: Partial<ManifestEntry> = {}): ManifestEntry {
  const inputs = [
    { path: "\0P/include/a.h", digest: digestOf("a.h") },
    { path: `\0C/${name}.c`, digest: digestOf(`${name}.c`) },
  ];
  return {
    action: digestOf(`action ${name}`),
    place: undefined,
    presumed: false,
    terminal: undefined,
    inputs,
    absent: ["\0C/a.h"],
    ...changes,
  };
}

/** A result with one object file of this content. */
export function resultOf(content: Digest): StoredResult {
  return {
    outputs: [{ path: "a.o", digest: content, size: 1, role: "object", template: false }],
    stdout: "",
    stderr: "d2FybmluZw==",
    compileMs: 12.5,
    cpuMs: 11,
  };
}

/** A result as it travels. To the store a signature is only bytes; these are nobody's. */
export function signedOf(manifest: Digest, entry: ManifestEntry, result: StoredResult): SharedResult {
  const execution = { signer: digestOf("signer"), toolchain: digestOf("toolchain"), startedAtMs: 1, endedAtMs: 2 };
  return { manifest, entry, result, execution, signature: Uint8Array.from({ length: 64 }, (_, at) => at) };
}
