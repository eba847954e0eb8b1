/**
 * Dependency files (-MD, -MMD, -MP, …): what they say, and writing them anew for another checkout, byte for byte as the compiler would.
 *
 * Knows: the make rules that gcc and clang write, their quoting and where they break lines.
 * Does not know: which file is which, module rules (those are not parsed).
 */

export interface Depfile {
  readonly targets: readonly string[];
  readonly dependencies: readonly string[];
  /** Rules without dependencies (-MP), in order. */
  readonly phony: readonly string[];
}

const QUOTING = /[\\$#|]/;
const BLANKS = /[ \t]+/;

export type DepfileFamily = "gcc" | "clang";

/** Some versions of both (gcc 9, clang 14) put an empty line before each phony target. */
export interface DepfileStyle {
  readonly family: DepfileFamily;
  readonly spaced: boolean;
}

export interface DepfileTemplate extends Depfile {
  readonly style: DepfileStyle;
}

/** @returns undefined for anything but one rule and phony targets */
export function parseDepfile(text: string): Depfile | undefined {
  if (!text.endsWith("\n") || text.includes("\r") || text.includes("\0")) return undefined;
  const lines = text
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line !== "");
  const [first, ...others] = lines.map(ruleOf);
  if (first === undefined || first.targets.length === 0) return undefined;
  const phony: string[] = [];
  for (const rule of others) {
    const name = rule?.targets[0];
    if (rule === undefined || name === undefined || rule.targets.length > 1 || rule.dependencies.length > 0) return undefined;
    phony.push(name);
  }
  return { targets: first.targets, dependencies: first.dependencies, phony };
}

/** `targets: dependencies`; the colon that parts them has a blank or nothing behind it, those of names have more name. */
function ruleOf(line: string): { targets: string[]; dependencies: string[] } | undefined {
  const colon = /(?<!\\):(?=[ \t]|$)/.exec(line);
  if (colon === null) return undefined;
  const targets = namesOf(line.slice(0, colon.index));
  const dependencies = namesOf(line.slice(colon.index + 1));
  return targets === undefined || dependencies === undefined ? undefined : { targets, dependencies };
}

/** Names parted by blanks, make's quoting undone. Undefined where make would expand a variable or begin a comment. */
function namesOf(text: string): string[] | undefined {
  // Few files have a name that is quoted, and all the others need no closer look.
  if (!QUOTING.test(text)) return text.split(BLANKS).filter((word) => word !== "");
  const names: string[] = [];
  for (const [word] of text.matchAll(/(?:\\[ \t]|[^ \t])+/g)) {
    const name = unquoted(word);
    if (name === undefined || name === "|") return undefined;
    names.push(name);
  }
  return names;
}

function unquoted(word: string): string | undefined {
  if (/\$(?!\$)/.test(word.replaceAll("$$", "")) || /(?<!\\)#/.test(word)) return undefined;
  return (
    word
      // 2N+1 backslashes and a blank stand for N and the blank; backslashes elsewhere stand for themselves.
      .replace(/(\\*)\\([ \t])/g, (_, slashes: string, blank: string) => slashes.slice(slashes.length >> 1) + blank)
      .replace(/\\([#:])/g, "$1")
      .replaceAll("$$", "$")
  );
}

/** What a compiler of that style writes for these names. */
export function writeDepfile(depfile: Depfile, style: DepfileStyle): string {
  const rule = style.family === "gcc" ? gccRule(depfile) : clangRule(depfile);
  const phony = depfile.phony.map((name) => `${style.spaced ? "\n" : ""}${quoted(name, style.family)}:\n`);
  return `${rule}\n${phony.join("")}`;
}

/** A line breaks before the name that would reach over column 72 (libcpp, mkdeps.cc, make_write_name); quoting counts. */
function gccRule({ targets, dependencies }: Depfile): string {
  let column = 0;
  const add = (name: string): string => {
    const word = quoted(name, "gcc");
    const size = Buffer.byteLength(word);
    if (column === 0) {
      column = size;
      return word;
    }
    const breaks = column + size > 72;
    column = (breaks ? 0 : column) + 1 + size;
    return breaks ? ` \\\n ${word}` : ` ${word}`;
  };
  const left = targets.map(add).join("");
  column += 1;
  return `${left}:${dependencies.map(add).join("")}`;
}

/** 75 columns, quoting of dependencies not counted (clang, Frontend/DependencyFile.cpp, outputDependencyFile). */
function clangRule({ targets, dependencies }: Depfile): string {
  let column = 0;
  const addTarget = (name: string): string => {
    const word = quoted(name, "clang"); // Comes quoted from the driver, so here the quoting counts.
    const size = Buffer.byteLength(word);
    if (column === 0) {
      column = size;
      return word;
    }
    const breaks = column + size + 2 > 75;
    column = breaks ? size + 2 : column + size + 1;
    return breaks ? ` \\\n  ${word}` : ` ${word}`;
  };
  const addDependency = (name: string): string => {
    const size = Buffer.byteLength(name);
    const breaks = column + size + 1 + 2 > 75;
    column = (breaks ? 2 : column) + size + 1;
    return `${breaks ? " \\\n " : ""} ${quoted(name, "clang")}`;
  };
  const left = targets.map(addTarget).join("");
  column += 1;
  return `${left}:${dependencies.map(addDependency).join("")}`;
}

/** Few names have any of these, and looking is ten times cheaper than replacing. */
const QUOTED = /[$# \t]/;

/** Whether make would read a name as something else, unless it is quoted. */
export function isQuoted(name: string): boolean {
  return QUOTED.test(name);
}

/** gcc quotes tabs too. Both double only the backslashes that stand before a quoted blank. */
function quoted(name: string, family: DepfileFamily): string {
  if (!isQuoted(name)) return name;
  return name
    .replaceAll("$", "$$$$")
    .replaceAll("#", "\\#")
    .replace(family === "gcc" ? /(\\*)([ \t])/g : /(\\*)( )/g, "$1$1\\$2");
}

/**
 * A dependency file that can be written again elsewhere.
 *
 * @param depfile what `text` says
 * @param portable gives each name the spelling that moves with the checkout
 * @returns undefined when neither style of that family reproduces `text` exactly
 */
export function depfileTemplate(
  text: string,
  depfile: Depfile,
  family: DepfileFamily,
  portable: (name: string) => string,
): DepfileTemplate | undefined {
  if (text.includes("\ufffd")) return undefined; // Was not UTF-8: its bytes are lost already.
  const styles = [false, true].map((spaced) => ({ family, spaced }));
  const style = styles.find((candidate) => writeDepfile(depfile, candidate) === text);
  return style && { ...named(depfile, portable), style };
}

/** A template as it was stored, perhaps by somebody else; undefined for anything that is none. */
export function readTemplate(text: string): DepfileTemplate | undefined {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof read !== "object" || read === null) return undefined;
  const { targets, dependencies, phony, style }: Partial<Record<keyof DepfileTemplate, unknown>> = read;
  if (!isNames(targets) || !isNames(dependencies) || !isNames(phony) || typeof style !== "object" || style === null) return undefined;
  const { family, spaced }: Partial<Record<keyof DepfileStyle, unknown>> = style;
  if ((family !== "gcc" && family !== "clang") || typeof spaced !== "boolean") return undefined;
  return { targets, dependencies, phony, style: { family, spaced } };
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

/** @param resolve undoes `portable` for the checkout at hand */
export function renderDepfile(template: DepfileTemplate, resolve: (name: string) => string): string {
  return writeDepfile(named(template, resolve), template.style);
}

function named({ targets, dependencies, phony }: Depfile, name: (name: string) => string): Depfile {
  return { targets: targets.map(name), dependencies: dependencies.map(name), phony: phony.map(name) };
}
