/**
 * Looking at files on behalf of one question: each file and directory is looked at once, and names known to be missing from a
 * directory are not looked for again while the directory has not changed.
 */
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { FileState, Files, Fingerprint } from "../contracts/index.ts";
import { absolutePath } from "./request.ts";

/** Stands where an input's digest does, for a directory that the compiler passed over when it looked for a header of that name. */
export const directoryDigest: Digest = digestOf("cairn.directory");

/** Names that were missing from directories, kept over questions. */
export class Absences {
  readonly #directories = new Map<string, { readonly fp0: number; readonly fp1: number; readonly names: Set<string> }>();

  knows(directory: string, fingerprint: Fingerprint, name: string): boolean {
    const known = this.#directories.get(directory);
    return known !== undefined && known.fp0 === fingerprint.fp0 && known.fp1 === fingerprint.fp1 && known.names.has(name);
  }

  add(directory: string, { fp0, fp1 }: Fingerprint, name: string): void {
    let known = this.#directories.get(directory);
    if (known === undefined || known.fp0 !== fp0 || known.fp1 !== fp1 || known.names.size >= limits.inputs) {
      known = { fp0, fp1, names: new Set() };
      this.#directories.delete(directory);
      this.#directories.set(directory, known);
      const oldest = this.#directories.keys().next().value;
      if (this.#directories.size > limits.scanCacheEntries && oldest !== undefined) this.#directories.delete(oldest);
    }
    known.names.add(name);
  }
}

export class Look {
  readonly #files: Files;
  readonly #absences: Absences;
  readonly #cwd: string;
  readonly #states = new Map<string, FileState>();
  readonly #directories = new Map<string, Fingerprint | undefined>();

  constructor(parts: { files: Files; absences: Absences }, cwd: string) {
    this.#files = parts.files;
    this.#absences = parts.absences;
    this.#cwd = cwd;
  }

  /** @param path as the compiler knows it */
  state(path: string): FileState {
    let state = this.#states.get(path);
    if (state === undefined) {
      state = this.#files.state(absolutePath(this.#cwd, path));
      this.#states.set(path, state);
    }
    return state;
  }

  /** Undefined where there is none. @param path "" for the working directory */
  directory(path: string): Fingerprint | undefined {
    if (this.#directories.has(path)) return this.#directories.get(path);
    const fingerprint = path === "" || path === "/" ? this.#files.fingerprint(absolutePath(this.#cwd, path)) : this.#below(path);
    this.#directories.set(path, fingerprint);
    return fingerprint;
  }

  absent(path: string): boolean {
    return this.#unless(path, () => (this.#files.absent(absolutePath(this.#cwd, path)) ? undefined : true)) === undefined;
  }

  #below(path: string): Fingerprint | undefined {
    return this.#unless(path, () => this.#files.fingerprint(absolutePath(this.#cwd, path)));
  }

  /**
   * What `look` finds, undefined for nothing; not called where nothing can be: the directory is not there, or has not changed since the
   * name was missing from it. Search paths name hundreds of files below directories that do not exist.
   */
  #unless<T>(path: string, look: () => T | undefined): T | undefined {
    const parent = parentOf(path);
    // The directory first: a name that appears in between is then seen by its own look.
    const fingerprint = this.directory(parent);
    if (fingerprint === undefined) return parent === "" || parent === "/" ? look() : undefined;
    if (isUntrusted(fingerprint)) return look();
    const directory = absolutePath(this.#cwd, parent);
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (this.#absences.knows(directory, fingerprint, name)) return undefined;
    const found = look();
    if (found === undefined) this.#absences.add(directory, fingerprint, name);
    return found;
  }
}

/** "" for a name in the working directory. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return "";
  return slash === 0 ? "/" : path.slice(0, slash);
}

/** Both words 0: a file too young for its stat to be believed. */
export function isUntrusted(fingerprint: Fingerprint): boolean {
  return fingerprint.fp0 === 0 && fingerprint.fp1 === 0;
}
