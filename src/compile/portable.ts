/**
 * Paths that move with a checkout: those below the working directory and below the project root get names of their own.
 *
 * Knows: text. Does not know: links; `/a/../b` is not `/b` here.
 */

import { Generations, limits } from "../base/index.ts";

/** Where one compile takes place; absolute, without a trailing slash. */
export interface PlacesAt {
  readonly cwd: string;
  readonly projectRoot: string;
}

/** The working directory in portable spelling. */
export const CWD = "\0C";
const PROJECT = "\0P";

/** Directories in which compiles took place lately. */
const known = new Generations<string, Places>(limits.placesRemembered);

/** The same object for the same places: hundreds of units ask it the same. */
export function placesAt(places: PlacesAt): Places {
  const key = `${places.cwd}\0${places.projectRoot}`;
  const made = known.get(key) ?? new Places(places);
  known.set(key, made);
  return made;
}

/** The same for once: nobody asks it of those places again. */
export function placesForOnce(places: PlacesAt): Places {
  return new Places(places);
}

export type { Places };

class Places {
  /** For the sake of the strings too, which are then made and hashed once. */
  readonly #resolved = new Generations<string, string>(limits.placesPathsRemembered);
  /** The same the other way round. */
  readonly #portable = new Generations<string, string>(limits.placesPathsRemembered);
  readonly #longer: Place;
  readonly #shorter: Place;

  constructor(places: PlacesAt) {
    const cwd = { mark: CWD, at: places.cwd };
    const project = { mark: PROJECT, at: places.projectRoot };
    // Of two equal places the working directory wins.
    const isBelow = cwd.at.length >= project.at.length;
    this.#longer = isBelow ? cwd : project;
    this.#shorter = isBelow ? project : cwd;
  }

  /** `\0C/rest` below the working directory, `\0P/rest` below the project root; anything else, relative paths too, unchanged. */
  portable(path: string): string {
    const place = isIn(path, this.#longer) ? this.#longer : this.#shorter;
    if (place === this.#shorter && !isIn(path, place)) return path;
    return this.#portable.get(path) ?? this.#remember(path, place);
  }

  #remember(path: string, { mark, at }: Place): string {
    const portable = mark + path.slice(at.length);
    this.#portable.set(path, portable);
    return portable;
  }

  /** How one place's name goes on from the other's; "" where it does not. Prefix maps let only this part of them be seen. */
  get nesting(): string {
    const [longer, shorter] = [this.#longer, this.#shorter];
    return longer.at.startsWith(shorter.at) ? longer.mark + longer.at.slice(shorter.at.length) : "";
  }

  /** The path here of what `portable` gave, here or elsewhere. */
  resolve(path: string): string {
    if (path[0] !== "\0") return path;
    const known = this.#resolved.get(path);
    if (known !== undefined) return known;
    const resolved = this.#resolve(path);
    this.#resolved.set(path, resolved);
    return resolved;
  }

  /** A text in which portable paths stand, as one would write it here. */
  spell(text: string): string {
    if (!text.includes("\0")) return text;
    return [this.#longer, this.#shorter].reduce((spelled, { mark, at }) => spelled.replaceAll(mark, at), text);
  }

  #resolve(path: string): string {
    for (const { mark, at } of [this.#longer, this.#shorter]) {
      if (!path.startsWith(mark) || !endsAt(path, mark.length)) continue;
      return at === "/" ? path.slice(mark.length) || "/" : at + path.slice(mark.length);
    }
    return path;
  }
}

interface Place {
  readonly mark: string;
  readonly at: string;
}

/** Everything lies below `/`: that is no place. */
function isIn(path: string, { at }: Place): boolean {
  return at.length > 1 && path.startsWith(at) && endsAt(path, at.length);
}

function endsAt(path: string, length: number): boolean {
  return path.length === length || path[length] === "/";
}

const VERSION_CONTROL = [".git", ".hg", ".svn", ".jj", ".bzr"];
const BUILD_SYSTEM = [
  "CMakeLists.txt",
  "meson.build",
  "configure",
  "configure.ac",
  "Makefile",
  "GNUmakefile",
  "build.ninja",
  "WORKSPACE",
  "MODULE.bazel",
  "BUILD.bazel",
  "package.json",
  "Cargo.toml",
  "SConstruct",
  "premake5.lua",
  "xmake.lua",
];

/**
 * The root of the project that a file belongs to: the nearest directory under version control, else the topmost one
 * with a build system's file, else the file's own. Never `/`, `/tmp` or the home directory, unless the file lies right there.
 *
 * @param path absolute path of a file
 * @param exists whether there is something at a path
 * @param home the user's home directory
 */
export function projectRoot(path: string, exists: (path: string) => boolean, home: string): string {
  const climbed = climb(path);
  const own = climbed.slice(0, Math.max(1, climbed.lastIndexOf("/")));
  return checkoutRoot(own, exists, home) ?? own;
}

/** The same of a directory, itself included; undefined where nothing says that it belongs to a project. @param own without steps upwards */
export function checkoutRoot(own: string, exists: (path: string) => boolean, home: string): string | undefined {
  const ancestors: string[] = [];
  for (let at = own; at.length > 1; at = at.slice(0, at.lastIndexOf("/"))) {
    if (at !== home && at !== "/tmp") ancestors.push(at);
  }
  const holds = (names: readonly string[]) => (at: string) => names.some((name) => exists(`${at}/${name}`));
  return ancestors.find(holds(VERSION_CONTROL)) ?? ancestors.findLast(holds(BUILD_SYSTEM));
}

/**
 * The path without the steps upwards that it begins with: `/p/build/../src/a.c` is `/p/src/a.c`. What stands before them is mostly the working
 * directory, which has no links in it; were it something else, another directory would be taken for the root, and nothing else.
 */
function climb(path: string): string {
  const parts = path.split("/");
  const first = parts.indexOf("..");
  if (first === -1) return path;
  const past = parts.findIndex((part, i) => i > first && part !== "..");
  const below = past === -1 ? [] : parts.slice(past);
  const height = (past === -1 ? parts.length : past) - first;
  return [...parts.slice(0, Math.max(1, first - height)), ...below].join("/");
}
