/**
 * A sandbox's root directory, which is kept from one job to the next: only what differs is laid out anew.
 *
 * Safe because it is mounted read-only while a job runs: what this object has written down is what is there.
 * Knows: entries and how they are made. Does not know: actions, processes.
 */
import { chmodSync, mkdirSync, rmdirSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Pace } from "./pace.ts";
import type { SandboxFiles } from "./sandbox-files.ts";
import { type Entries, type Entry, isSameEntry } from "./sandbox-plan.ts";

export class SandboxRoot {
  readonly directory: string;
  readonly #files: SandboxFiles;
  #entries: Map<string, Entry> = new Map();
  /** Path by content: the first that has it, which shares its file. */
  readonly #sharing = new Map<string, string>();

  /** @param directory which is made and belongs to this object */
  constructor(parts: { files: SandboxFiles }, directory: string) {
    this.#files = parts.files;
    this.directory = directory;
    makeDirectory(directory);
  }

  /**
   * Makes the root contain exactly these entries; the contents of all files must be held.
   * @throws {Error} of the system, or the signal's reason; the root is not to be used any more then
   */
  async layOut(wanted: Entries, signal: AbortSignal): Promise<void> {
    const pace = new Pace(signal);
    await this.#clear(wanted, pace);
    for (const [path, entry] of wanted) {
      if (this.#entries.has(path)) continue;
      this.#make(path, entry);
      if (pace.isDue(1)) await pace.rest();
    }
  }

  /** What is not wanted, children before parents. */
  async #clear(wanted: Entries, pace: Pace): Promise<void> {
    const gone: string[] = [];
    for (const [path, entry] of this.#entries) {
      const other = wanted.get(path);
      if (other === undefined || !isSameEntry(entry, other)) gone.push(path);
    }
    for (const path of gone.toSorted((a, b) => (a < b ? 1 : -1))) {
      this.#remove(path);
      if (pace.isDue(1)) await pace.rest();
    }
  }

  #remove(path: string): void {
    const entry = this.#entries.get(path);
    const place = join(this.directory, path);
    if (entry?.kind === "directory" || (entry?.kind === "mount" && !isDevice(path))) rmdirSync(place);
    else unlinkSync(place);
    this.#entries.delete(path);
    if (entry?.kind === "file" && this.#sharing.get(entry.digest) === path) this.#sharing.delete(entry.digest);
  }

  #make(path: string, entry: Entry): void {
    const place = join(this.directory, path);
    switch (entry.kind) {
      case "directory":
        makeDirectory(place);
        break;
      case "mount":
        if (isDevice(path)) writeFileSync(place, "", { flag: "wx" });
        else makeDirectory(place);
        break;
      case "link":
        symlinkSync(entry.target, place);
        break;
      case "file": {
        const apart = this.#sharing.has(entry.digest);
        this.#files.link(entry.digest, entry.executable, place, apart);
        if (!apart) this.#sharing.set(entry.digest, path);
        break;
      }
    }
    this.#entries.set(path, entry);
  }
}

/** Devices are mounted on files. */
function isDevice(path: string): boolean {
  return path.startsWith("/dev/");
}

/** One that everybody may enter, whatever this process' mask is. */
function makeDirectory(path: string): void {
  mkdirSync(path);
  chmodSync(path, 0o755);
}
