/**
 * What compilers print about themselves, as values. Pure: text in, values out.
 */

export interface CompilerBanner {
  readonly family: "gcc" | "clang";
  readonly version: string;
  readonly target: string;
  /** Where clang lies; undefined for gcc. */
  readonly installedDirectory: string | undefined;
  /** Specs and configuration files that the driver has read. */
  readonly readFiles: readonly string[];
  /** The gcc in whose neighbourhood clang looks for headers of C++; undefined where there is none, and for gcc. */
  readonly gccInstallation: string | undefined;
  /** Directories in which clang looks for configuration files. */
  readonly configDirectories: readonly string[];
}

/** Reads what `gcc -v` or `clang -v` prints (in the C locale). */
export function readBanner(text: string): CompilerBanner | undefined {
  const gcc = /^gcc version (\S+)/m.exec(text)?.[1];
  const clang = /\bclang version (\S+)/.exec(text)?.[1];
  const target = /^Target: (\S+)/m.exec(text)?.[1];
  const version = clang ?? gcc;
  if (version === undefined || target === undefined) return undefined;
  const readFiles = [...text.matchAll(/^(?:Reading specs from|Configuration file:) (.+)$/gm)].flatMap((match) => match[1] ?? []);
  const configDirectories = [...text.matchAll(/^(?:System|User) configuration file directory: (.+)$/gm)].flatMap((match) => match[1] ?? []);
  return {
    family: clang === undefined ? "gcc" : "clang",
    version,
    target,
    installedDirectory: clang === undefined ? undefined : /^InstalledDir: (.+)$/m.exec(text)?.[1],
    gccInstallation: clang === undefined ? undefined : /^Selected GCC installation: (\/.+)$/m.exec(text)?.[1],
    // gcc names its built-in specs without a path.
    readFiles: readFiles.filter((path) => path.startsWith("/")),
    configDirectories,
  };
}

/** Directories from the `programs:` or `install:` line of `gcc -print-search-dirs`. */
export function readSearchDirectories(text: string, line: "programs" | "install"): string[] {
  const list = new RegExp(`^${line}: =?(.*)$`, "m").exec(text)?.[1] ?? "";
  return list.split(":").filter((directory) => directory.startsWith("/"));
}

/** What `clang -print-targets` says that it can build for: `aarch64`, `x86-64`. */
export function readTargets(text: string): string[] {
  return [...text.matchAll(/^ +(\S+) +- /gm)].flatMap(([, name = ""]) => name);
}

export interface HeaderSearch {
  readonly quote: string[];
  readonly angle: string[];
  readonly missing: string[];
  readonly duplicates: string[];
}

const SEARCH_MARKS = ['#include "..." search starts here:', "#include <...> search starts here:", "End of search list."] as const;

/**
 * The same of a command that somebody else has chosen, whose words are printed before the list: what could be taken for a second list is none.
 */
export function readOnlyHeaderSearch(text: string): HeaderSearch | undefined {
  return SEARCH_MARKS.every((mark) => text.split(mark).length === 2) ? readHeaderSearch(text) : undefined;
}

/** Reads the search list that `-E -v` prints (in the C locale). */
export function readHeaderSearch(text: string): HeaderSearch | undefined {
  const [quoteAt = -1, angleAt = -1, endAt = -1] = SEARCH_MARKS.map((mark) => text.indexOf(mark));
  if (quoteAt < 0 || angleAt < quoteAt || endAt < angleAt) return undefined;
  const directories = (from: number, to: number): string[] =>
    text
      .slice(from, to)
      .split("\n")
      .slice(1)
      .filter((line) => line.startsWith(" "))
      // clang marks frameworks and header maps behind the name.
      .map((line) => line.slice(1).replace(/ \((?:framework directory|headermap)\)$/, ""));
  const missing = [...text.matchAll(/^ignoring nonexistent directory "(.*)"$/gm)].flatMap((match) => match[1] ?? []);
  const duplicates = [...text.matchAll(/^ignoring duplicate directory "(.*)"$/gm)].flatMap((match) => match[1] ?? []);
  return {
    quote: directories(quoteAt, angleAt),
    angle: directories(angleAt, endAt),
    missing,
    duplicates: duplicates.filter((directory) => !directory.startsWith("/usr/")),
  };
}

/** Shared libraries from what the dynamic loader prints with LD_TRACE_LOADED_OBJECTS. */
export function readLoadedObjects(text: string): string[] {
  return [...text.matchAll(/^\t(?:\S+ => )?(\/\S+) \(0x/gm)].flatMap((match) => match[1] ?? []);
}

/** The compile step's own command line out of `-###`: what options like -march=native stand for. */
export function readExpandedCommand(text: string): string | undefined {
  return text.split("\n").find((line) => /\bcc1(?:plus|obj|objplus)?\b|"-cc1"/.test(line));
}
