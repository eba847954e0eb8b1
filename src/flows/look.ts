/**
 * Looking at files on behalf of questions: each file and directory is looked at once, and names known to be missing from a directory
 * are not looked for again while the directory has not changed.
 *
 * What a glance has seen holds for every question that was asked before the glance began, and for no other.
 */
import { lstatSync } from "node:fs";
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { FileState, Files, Fingerprint } from "../contracts/index.ts";
import { absolutePath } from "./request.ts";

/** Stands where an input's digest does, for a directory that the compiler passed over when it looked for a header of that name. */
export const directoryDigest: Digest = digestOf("cairn.directory");

/** A directory that exists, as it was when names were missing from it or from below it. */
export interface Witness extends Fingerprint {
  readonly directory: string;
}

/** Paths that were missing, kept over questions: each as long as the nearest directory above it that exists has not changed. */
export class Absences {
  readonly #witnesses = new Map<string, Witness>();
  readonly #latest = new Map<string, Witness>();

  /** @param path absolute */
  witness(path: string): Witness | undefined {
    return this.#witnesses.get(path);
  }

  /** @param directory absolute; its fingerprint was taken before the path was found missing */
  add(path: string, directory: string, fingerprint: Fingerprint): void {
    if (this.#witnesses.size >= limits.absencesRemembered) {
      this.#witnesses.clear();
      this.#latest.clear();
    }
    let witness = this.#latest.get(directory);
    if (witness === undefined || !isSame(witness, fingerprint)) {
      witness = { directory, fp0: fingerprint.fp0, fp1: fingerprint.fp1 };
      this.#latest.set(directory, witness);
    }
    this.#witnesses.set(path, witness);
  }
}

export interface GlanceParts {
  readonly files: Files;
  readonly absences: Absences;
}

/** What has been seen, by absolute path. */
export class Glance {
  readonly #files: Files;
  readonly #absences: Absences;
  readonly #states = new Map<string, FileState>();
  readonly #directories = new Map<string, Fingerprint | undefined>();
  readonly #standing = new Map<Witness, boolean>();
  /** What was found missing; most of it has a witness, and is not looked for again. */
  readonly #gone = new Set<string>();

  constructor(parts: GlanceParts) {
    this.#files = parts.files;
    this.#absences = parts.absences;
  }

  /** @param visit is given the content if it has to be read */
  state(path: string, visit?: (content: Buffer, digest: Digest) => void): FileState {
    let state = this.#states.get(path);
    if (state === undefined) {
      state = this.#files.state(path, visit);
      this.#states.set(path, state);
    }
    return state;
  }

  absent(path: string): boolean {
    return this.#missing(path, () => this.#files.absent(path));
  }

  /** What shows that `path` is missing, as long as it stays as it is; undefined where only another look can tell. */
  witness(path: string): Witness | undefined {
    const witness = this.#standingWitness(path);
    if (witness !== undefined || this.#gone.has(path)) return witness;
    return this.absent(path) ? this.#standingWitness(path) : undefined;
  }

  /** Undefined where there is none. */
  directory(path: string): Fingerprint | undefined {
    if (this.#directories.has(path)) return this.#directories.get(path);
    let fingerprint: Fingerprint | undefined;
    this.#missing(path, () => {
      fingerprint = this.#files.fingerprint(path);
      return fingerprint === undefined;
    });
    this.#directories.set(path, fingerprint);
    return fingerprint;
  }

  /**
   * Asks `look` unless it is known that nothing can be there: search paths name hundreds of files below directories that do not exist.
   * @param path absolute
   */
  #missing(path: string, look: () => boolean): boolean {
    if (this.#standingWitness(path) !== undefined || this.#gone.has(path)) return true;
    if (!this.#isMissing(path, look)) return false;
    this.#gone.add(path);
    return true;
  }

  #standingWitness(path: string): Witness | undefined {
    const witness = this.#absences.witness(path);
    return witness !== undefined && this.#stands(witness) ? witness : undefined;
  }

  #isMissing(path: string, look: () => boolean): boolean {
    if (path === "/") return look();
    // The directory first: a name that appears in between is then seen by its own look.
    const directory = parentOf(path);
    const fingerprint = this.directory(directory);
    if (fingerprint === undefined) {
      const above = this.#absences.witness(directory);
      if (above !== undefined) this.#absences.add(path, above.directory, above);
      return true;
    }
    if (!look()) return false;
    if (!isUntrusted(fingerprint) && !isDangling(path)) this.#absences.add(path, directory, fingerprint);
    return true;
  }

  #stands(witness: Witness): boolean {
    let stands = this.#standing.get(witness);
    if (stands === undefined) {
      const fingerprint = this.directory(witness.directory);
      stands = fingerprint !== undefined && isSame(fingerprint, witness);
      this.#standing.set(witness, stands);
    }
    return stands;
  }
}

/** A glance by way of paths as a compiler knows them: absolute, or relative to its working directory. */
export class Look {
  readonly #glance: Glance;
  readonly #cwd: string;

  constructor(glance: Glance, cwd: string) {
    this.#glance = glance;
    this.#cwd = cwd;
  }

  /** @param visit is given the content if it has to be read */
  state(path: string, visit?: (content: Buffer, digest: Digest) => void): FileState {
    return this.#glance.state(absolutePath(this.#cwd, path), visit);
  }

  /** Undefined where there is none. @param path "" for the working directory */
  directory(path: string): Fingerprint | undefined {
    return this.#glance.directory(path === "" ? this.#cwd : absolutePath(this.#cwd, path));
  }

  /** Of a file or a directory; undefined where there is neither. */
  fingerprint(path: string): Fingerprint | undefined {
    const state = this.state(path);
    return state.kind === "file" ? state.fingerprint : this.directory(path);
  }

  absent(path: string): boolean {
    return this.#glance.absent(absolutePath(this.#cwd, path));
  }

  /** What shows that `path` is missing, as long as it stays as it is; undefined where only another look can tell. */
  witness(path: string): Witness | undefined {
    return this.#glance.witness(absolutePath(this.#cwd, path));
  }
}

/** A link to nothing: what it leads to can appear while the link's own directory stays as it is. */
function isDangling(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true; // Whatever it is, it is not simply missing.
  }
}

/** "" for a name in the working directory. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return "";
  return slash === 0 ? "/" : path.slice(0, slash);
}

export function isSame(one: Fingerprint, other: Fingerprint): boolean {
  return one.fp0 === other.fp0 && one.fp1 === other.fp1;
}

/** Both words 0: a file too young for its stat to be believed. */
export function isUntrusted(fingerprint: Fingerprint): boolean {
  return fingerprint.fp0 === 0 && fingerprint.fp1 === 0;
}
