/**
 * Which macros may expand to something that depends on where they are used: a line number, the name of the file.
 *
 * Knows: #define lines of any number of files, taken together whatever conditionals say. Names may also be pasted together.
 * Does not know: arguments, functions: `scanSource().callerLocation` tells of those that learn their caller's place.
 */
import { joinedLines, textOf } from "./scan-text.ts";

/** The macros of one file, filed by what their definitions mention: from there the search starts. */
export interface MacroBodies {
  /** Identifier → names of macros that mention it. */
  readonly users: ReadonlyMap<string, readonly string[]>;
  /** `a*`, `*a` or `*`: a name pasted together that begins with a, ends with a, may be any → macros that paste it. */
  readonly pasting: ReadonlyMap<string, readonly string[]>;
  /** Names that are undefined somewhere. */
  readonly undefines: readonly string[];
}

export interface MacroFile {
  /** Where the file was found; matters only for assert.h. */
  readonly path?: string;
  readonly content: Buffer;
}

const DEFINITION = /(?:#|%:|\?\?=)(?:[ \t\v\f\r]|\/\*[^]*?\*\/)*(define|undef)(?:[ \t\v\f\r]|\/\*[^]*?\*\/)+([\w$\x80-\xff]+)/g;
const BODY = /(?:[^\n/]|\/\*[^]*?\*\/|\/)*/y;
const WORD = /[A-Za-z_$\x80-\xff][\w$\x80-\xff]*/g;
const PASTE = /([\w$\x80-\xff]+)?\s*(?:##|%:%:)\s*([\w$\x80-\xff]+)?/g;
const PARAMETERS = /^\(([^)]*)\)/;

/** The definitions in one file; depends on nothing but its content. */
export function macroBodies(content: Buffer): MacroBodies {
  const text = joinedLines(textOf(content));
  const users = new Map<string, string[]>();
  const pasting = new Map<string, string[]>();
  const undefines: string[] = [];
  DEFINITION.lastIndex = 0;
  for (let found = DEFINITION.exec(text); found !== null; found = DEFINITION.exec(text)) {
    const [, word, name = ""] = found;
    if (word === "undef") {
      undefines.push(name);
      continue;
    }
    BODY.lastIndex = DEFINITION.lastIndex;
    const body = BODY.exec(text)?.[0] ?? "";
    DEFINITION.lastIndex = Math.max(DEFINITION.lastIndex, BODY.lastIndex);
    for (const mention of new Set(mentionsOf(body))) append(mention.includes("*") ? pasting : users, mention, name);
  }
  return { users, pasting, undefines };
}

function mentionsOf(body: string): Iterable<string> {
  const words: string[] = body.match(WORD) ?? [];
  if (!body.includes("##") && !body.includes("%:%:")) return words;
  const parameters = new Set([...(PARAMETERS.exec(body)?.[1]?.match(WORD) ?? []), "__VA_ARGS__"]);
  // Chains (a##b##c) are read two by two: each part is looked at again as the left side of the next.
  PASTE.lastIndex = 0;
  for (let found = PASTE.exec(body); found !== null; found = PASTE.exec(body)) {
    const [whole, left = "", right = ""] = found;
    if (left !== "" && !parameters.has(left)) words.push(`${left}*`);
    else if (right !== "" && !parameters.has(right)) words.push(`*${right}`);
    else words.push("*");
    if (right !== "") PASTE.lastIndex = found.index + whole.length - right.length;
  }
  return words;
}

/**
 * Names of macros that could expand, through any of the others, to one of `roots`. Includes the roots.
 *
 * @param bodies of all files that take part, and of what the command line defines
 */
export function reach(bodies: Iterable<MacroBodies>, roots: readonly string[]): ReadonlySet<string> {
  const files = [...bodies];
  const patterns = new Map<string, string[]>();
  for (const { pasting } of files) {
    for (const [pattern, names] of pasting) for (const name of names) append(patterns, pattern, name);
  }
  const reached = new Set(roots);
  const unpasted = new Set(roots);
  // A set hands out what is added while it is walked.
  for (const name of reached) {
    for (const { users } of files) for (const user of users.get(name) ?? []) reached.add(user);
    for (const [pattern, pasting] of patterns) {
      if (!matches(pattern, name) || (unpasted.has(name) && !telling(pattern))) continue;
      for (const user of pasting) reached.add(user);
      patterns.delete(pattern);
    }
  }
  return reached;
}

function append(lists: Map<string, string[]>, key: string, value: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function matches(pattern: string, name: string): boolean {
  return pattern.startsWith("*") ? name.endsWith(pattern.slice(1)) : name.startsWith(pattern.slice(0, -1));
}

/** `__##x##__` makes attributes, `a##b` anything: neither is taken for a way to spell __LINE__ itself. */
function telling(pattern: string): boolean {
  return /[A-Za-z]/.test(pattern);
}

/**
 * `reach` over the content of files.
 *
 * @param defined macros of the command line; with NDEBUG, assert.h's assert expands to nothing unless a file undefines NDEBUG
 */
export function macroReach(
  files: Iterable<MacroFile>,
  roots: readonly string[],
  defined: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  const all = [...files].map(({ path, content }) => ({ path, bodies: macroBodies(content) }));
  return reach(
    withoutAssert(all, defined).map(({ bodies }) => bodies),
    roots,
  );
}

/** For callers that keep bodies by content: leaves the system's assert out when NDEBUG is defined for good. */
export function withoutAssert(
  files: readonly { readonly path?: string | undefined; readonly bodies: MacroBodies }[],
  defined: ReadonlySet<string>,
): { readonly bodies: MacroBodies }[] {
  if (!defined.has("NDEBUG") || files.some(({ bodies }) => bodies.undefines.includes("NDEBUG"))) return [...files];
  return files.map((file) => (file.path?.endsWith("/assert.h") === true ? { bodies: assertless(file.bodies) } : file));
}

function assertless(bodies: MacroBodies): MacroBodies {
  return {
    ...bodies,
    users: new Map(
      [...bodies.users].map(([mention, names]) => [mention, names.filter((name) => name !== "assert" && name !== "assert_perror")]),
    ),
  };
}
