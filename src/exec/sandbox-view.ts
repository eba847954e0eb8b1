/**
 * What an action sees of files, as it is planned: its inputs and directories, the toolchain, and nothing of this machine.
 *
 * Knows: the entries of a root. Does not know: what happens in there; what is mounted on a place of the sandbox's own is not to be seen.
 */
import type { Digest } from "../base/index.ts";
import type { FileState, Files, Fingerprint } from "../contracts/index.ts";
import { type Entries, type Entry, LINKS_FOLLOWED } from "./sandbox-plan.ts";

export interface ViewParts {
  readonly entries: Entries;
  /** Of contents that are held. */
  readonly content: (digest: Digest) => Buffer | undefined;
  readonly sizeOf: (digest: Digest) => number;
}

/** Whoever looks again sees the same: but nothing can be told by looking at a directory alone. */
const UNTOLD: Fingerprint = { fp0: 0, fp1: 0 };

interface Found {
  readonly path: string;
  readonly entry: Entry;
}

export class SandboxView implements Files {
  readonly #parts: ViewParts;
  #touchesMount = false;

  constructor(parts: ViewParts) {
    this.#parts = parts;
  }

  /** Somebody has looked for something at, or below, a place of the sandbox's own. */
  get touchesMount(): boolean {
    return this.#touchesMount;
  }

  state(path: string): FileState {
    const found = this.#find(path);
    if (found === undefined) return { kind: "absent" };
    const { entry } = found;
    if (entry.kind !== "file") return { kind: "other" };
    return { kind: "file", digest: entry.digest, size: this.#parts.sizeOf(entry.digest), fingerprint: UNTOLD, changedNs: 0n };
  }

  remembered(path: string): FileState {
    return this.state(path); // Nothing here changes.
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  content(path: string, digest: Digest): Buffer | undefined {
    const state = this.state(path);
    return state.kind === "file" && state.digest === digest ? this.#parts.content(digest) : undefined;
  }

  absent(path: string): boolean {
    return this.#find(path) === undefined;
  }

  fingerprint(path: string): Fingerprint | undefined {
    return this.#find(path) && UNTOLD;
  }

  /** The path without links and dots; itself where there is nothing. */
  real(path: string): string {
    return this.#find(path)?.path ?? path;
  }

  /** As a kernel does: what a name passes through has to be there, also before it goes up again. */
  #find(path: string): Found | undefined {
    const parts = partsOf(path).toReversed();
    let at: Found = ROOT;
    let followed = 0;
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (at.entry.kind === "mount") {
        this.#touchesMount = true;
        return at;
      }
      if (at.entry.kind !== "directory") return undefined;
      if (part === ".") continue;
      const next = part === ".." ? at.path.slice(0, Math.max(0, at.path.lastIndexOf("/"))) : `${at.path}/${part}`;
      const entry = next === "" ? ROOT.entry : this.#parts.entries.get(next);
      if (entry === undefined) return undefined;
      if (entry.kind === "link") {
        if (++followed > LINKS_FOLLOWED) return undefined;
        if (entry.target.startsWith("/")) at = ROOT;
        parts.push(...partsOf(entry.target).toReversed());
      } else at = { path: next, entry };
    }
    if (at.entry.kind === "mount") this.#touchesMount = true;
    return path.endsWith("/") && at.entry.kind === "file" ? undefined : at;
  }
}

const ROOT: Found = { path: "", entry: { kind: "directory" } };

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}
