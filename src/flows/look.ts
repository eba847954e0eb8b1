/**
 * Looking at files on behalf of questions: each file and directory is looked at once, and names known to be missing from a directory
 * are not looked for again while the directory has not changed.
 *
 * What a glance has seen holds for every question that was asked before the glance began, and for no other.
 */
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { Places } from "../compile/index.ts";
import type { FileState, Files, Fingerprint } from "../contracts/index.ts";
import { isDangling } from "./dangling.ts";
import { absolutePath } from "./request.ts";

/** Stands where an input's digest does, for a directory that the compiler passed over when it looked for a header of that name. */
export const directoryDigest: Digest = digestOf("cairn.directory");

/** A directory that exists, as it was when names were missing from it or from below it. */
export interface Witness extends Fingerprint {
  readonly directory: string;
}

/** What a glance has found of a witness is noted there: each of some thousand absences asks. */
export interface Noted extends Witness {
  glance: number;
  stands: boolean;
}

/** A path that may be missing: the same object each time that it is looked for, so that its text is made and hashed once. */
export interface Sought {
  readonly path: string; // Absolute.
  /** What has shown that it is missing, and still does while it is as it was. */
  witness: Noted | undefined;
  /** Below the witness's directory; without one, below its own. */
  name: string;
}

/** Paths that were missing, kept over questions: each as long as the nearest directory above it that exists has not changed. */
export class Absences {
  readonly #sought = new Map<string, Sought>();
  readonly #latest = new Map<string, Noted>();
  /** By their portable names. */
  #byPlaces = new WeakMap<Places, Map<string, Sought>>();

  /** @param path absolute */
  find(path: string): Sought | undefined {
    return this.#sought.get(path);
  }

  /** @param directory absolute */
  latest(directory: string): Fingerprint | undefined {
    return this.#latest.get(directory);
  }

  /** As a manifest names them. */
  portable(places: Places, cwd: string, paths: readonly string[]): Sought[] {
    const known = this.#byPlaces.get(places) ?? new Map<string, Sought>();
    this.#byPlaces.set(places, known);
    const all: Sought[] = [];
    for (let i = 0; i < paths.length; i++) {
      const path = paths[i] ?? "";
      let sought = known.get(path);
      if (sought === undefined) known.set(path, (sought = this.#seek(absolutePath(cwd, places.resolve(path)))));
      all.push(sought);
    }
    return all;
  }

  /** @param directory absolute; its fingerprint was taken before the path was found missing */
  add(path: string, directory: string, fingerprint: Fingerprint): Sought {
    const sought = this.#seek(path);
    let witness = this.#latest.get(directory);
    if (witness === undefined || !isSame(witness, fingerprint)) {
      witness = { directory, fp0: fingerprint.fp0, fp1: fingerprint.fp1, glance: 0, stands: false };
      this.#latest.set(directory, witness);
    }
    sought.witness = witness;
    sought.name = nameIn(directory, path);
    return sought;
  }

  #seek(path: string): Sought {
    let sought = this.#sought.get(path);
    if (sought !== undefined) return sought;
    if (this.#sought.size >= limits.absencesRemembered) {
      this.#sought.clear();
      this.#latest.clear();
      this.#byPlaces = new WeakMap();
    }
    sought = { path, witness: undefined, name: nameIn(parentOf(path), path) };
    this.#sought.set(path, sought);
    return sought;
  }
}

export interface GlanceParts {
  readonly files: Files;
  readonly absences: Absences;
}

export interface GlanceOptions {
  /** What was seen before is believed: for an answer that whoever gets it holds against the files. */
  readonly fromMemory: boolean;
}

let glances = 0;

/** What has been seen, by absolute path. */
export class Glance {
  readonly #files: Files;
  readonly #absences: Absences;
  readonly #states = new Map<string, FileState>();
  readonly #directories = new Map<string, Fingerprint | undefined>();
  readonly #fromMemory: boolean;
  readonly #id = ++glances;
  /** What was found missing; most of it has a witness, and is not looked for again. */
  readonly #gone = new Set<string>();

  constructor(parts: GlanceParts, { fromMemory }: GlanceOptions = { fromMemory: false }) {
    this.#files = parts.files;
    this.#absences = parts.absences;
    this.#fromMemory = fromMemory;
  }

  /** @param visit is given the content if it has to be read */
  state(path: string, visit?: (content: Buffer, digest: Digest) => void): FileState {
    let state = this.#states.get(path);
    if (state === undefined) {
      state = (this.#fromMemory ? this.#files.remembered(path) : undefined) ?? this.#files.state(path, visit);
      this.#states.set(path, state);
    }
    return state;
  }

  absent(path: string): boolean {
    return this.#stands(this.#absences.find(path)) || this.#missing(path, () => this.#files.absent(path));
  }

  isMissing(sought: Sought): boolean {
    return this.#stands(sought) || this.absent(sought.path);
  }

  /** What shows that it is missing, as long as it stays as it is; undefined where only another look can tell. */
  witness(sought: Sought): Witness | undefined {
    const isShown = this.#stands(sought) || (!this.#gone.has(sought.path) && this.absent(sought.path) && this.#stands(sought));
    return isShown ? sought.witness : undefined;
  }

  sought(places: Places, cwd: string, paths: readonly string[]): Sought[] {
    return this.#absences.portable(places, cwd, paths);
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
    if (this.#gone.has(path) || this.#stands(this.#absences.find(path))) return true;
    if (!this.#isMissing(path, look)) return false;
    this.#gone.add(path);
    return true;
  }

  #isMissing(path: string, look: () => boolean): boolean {
    if (path === "/") return look();
    // The directory first: a name that appears in between is then seen by its own look.
    const directory = parentOf(path);
    const fingerprint = this.directory(directory);
    if (fingerprint === undefined) {
      const above = this.#absences.find(directory)?.witness;
      if (above !== undefined) this.#absences.add(path, above.directory, above);
      return true;
    }
    if (!look()) return false;
    if (!isUntrusted(fingerprint) && !isDangling(path)) this.#absences.add(path, directory, fingerprint);
    return true;
  }

  #stands(sought: Sought | undefined): boolean {
    const witness = sought?.witness;
    if (witness === undefined) return false;
    if (witness.glance === this.#id) return witness.stands;
    const fingerprint = this.#fromMemory ? this.#absences.latest(witness.directory) : this.directory(witness.directory);
    const stands = fingerprint !== undefined && isSame(fingerprint, witness);
    witness.glance = this.#id;
    witness.stands = stands;
    return stands;
  }
}

/** A glance by way of paths as a compiler knows them: absolute, or relative to its working directory. */
export class Look {
  readonly #glance: Glance;
  readonly #cwd: string;
  /** An entry that fits is asked about twice. */
  #last: { readonly places: Places; readonly paths: readonly string[]; readonly sought: readonly Sought[] } | undefined;

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

  /** Paths that must be missing, as a manifest names them. */
  sought(places: Places, paths: readonly string[]): readonly Sought[] {
    if (this.#last?.paths !== paths || this.#last.places !== places)
      this.#last = { places, paths, sought: this.#glance.sought(places, this.#cwd, paths) };
    return this.#last.sought;
  }

  isMissing(sought: Sought): boolean {
    return this.#glance.isMissing(sought);
  }

  /** What shows that it is missing, as long as it stays as it is; undefined where only another look can tell. */
  witness(sought: Sought): Witness | undefined {
    return this.#glance.witness(sought);
  }
}

/** Of a path below a directory. */
export function nameIn(directory: string, path: string): string {
  return path.slice(directory === "/" ? 1 : directory.length + 1);
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
