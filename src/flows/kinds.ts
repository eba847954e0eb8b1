/**
 * Of which kind a piece of work is, by its command line: what is measured of members, and of this machine, is compared within a kind.
 *
 * Knows: how compilers are called, and what makes them link. Does not know: what was measured.
 */
import { posix } from "node:path";

const DRIVER = /(?:^|-)(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d[\d.]*)?$|^cc_wrapper\.sh$/;
const LINKER = /(?:^|-)ld(?:\.(?:bfd|gold|lld|mold))?$|^(?:ld\.)?mold$/;
/** A driver that is told one of these ends before it would link. */
const ENDS_EARLY: ReadonlySet<string> = new Set(["-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", "--precompile"]);
const LINKED = /\.(?:o|lo|obj|a|lib|so(?:\.\d+)*)$/;
/** What no linker leaves. */
const COMPILED = /\.(?:o|obj|s|i|ii|d|pcm|gch)$/;
const LEVEL = /^-O[0-9sgz]?(?:fast)?$/;

/** The last optimization level of a command line. */
export function levelIn(words: readonly string[]): string | undefined {
  return words.findLast((word) => LEVEL.test(word));
}

/**
 * `link -O2`, `action gcc -O2`, `exec npx`.
 *
 * @param asked by what it was asked for, where no more is known of a program than its name
 * @param outputs paths that it may leave
 */
export function kindOfCommand(asked: "action" | "exec", words: readonly string[], outputs: readonly string[]): string {
  const [program = "", ...options] = words;
  const name = posix.basename(program);
  if (LINKER.test(name)) return "link";
  if (!DRIVER.test(name)) return `${asked} ${name}`;
  const level = levelIn(options);
  const what = isLink(options, outputs) ? "link" : `${asked} ${name}`;
  return level === undefined ? what : `${what} ${level}`;
}

/** What stands in a file of options is not known: the outputs tell what these were. */
function isLink(options: readonly string[], outputs: readonly string[]): boolean {
  if (options.some((option) => ENDS_EARLY.has(option)) || outputs.some((path) => COMPILED.test(path))) return false;
  return options.some((option, at) => option.startsWith("@") || (LINKED.test(option) && options[at - 1] !== "-o"));
}
