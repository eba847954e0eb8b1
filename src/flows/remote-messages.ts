/**
 * Messages of a compiler that ran elsewhere: may they be shown as those of the compiler here, and what does it need to print the same?
 *
 * Knows: locales as glibc finds them, what acts on terminals. Does not know: what messages say.
 */
import { limits } from "../base/index.ts";
import type { CompilerEnvironment } from "../contracts/index.ts";
import type { Look } from "./look.ts";
import type { CompileQuestion } from "./request.ts";

const LOCALES = "/usr/lib/locale";
const CATALOGUES = "/usr/share/locale";
const CATEGORIES =
  `LC_ADDRESS LC_COLLATE LC_CTYPE LC_IDENTIFICATION LC_MEASUREMENT LC_MESSAGES/SYS_LC_MESSAGES LC_MONETARY LC_NAME LC_NUMERIC LC_PAPER
  LC_TELEPHONE LC_TIME`.split(/\s+/);

/**
 * Files by which a compiler knows the locale of its messages. None for that of C.
 *
 * @returns undefined where messages would be translated, or are in another character set: they are made here
 */
export function localeFiles(environment: CompilerEnvironment, look: Look): readonly string[] | undefined {
  const files = new Set<string>();
  for (const category of ["LC_MESSAGES", "LC_CTYPE"]) {
    const name = ["LC_ALL", category, "LANG"].map((variable) => environment.get(variable)).find((value) => value) ?? "C";
    if (name === "C" || name === "POSIX") continue;
    const [, language = "", territory] = /^(C|en)(_[A-Z]{2})?\.(?:UTF-8|utf8)$/.exec(name) ?? [];
    if (language === "" || environment.get("LANGUAGE")) return undefined;
    const locale = `${language}${territory ?? ""}`;
    // What there is for English replaces spellings.
    if (territory !== undefined && !look.absent(`${CATALOGUES}/${locale}/LC_MESSAGES`)) return undefined;
    files.add(`${LOCALES}/locale-archive`);
    for (const directory of [`${locale}.utf8`, `${locale}.UTF-8`])
      for (const part of CATEGORIES) files.add(`${LOCALES}/${directory}/${part}`);
  }
  const present = [...files].map((path) => ({ path, state: look.state(path) }));
  if (present.some(({ state }) => state.kind === "other" || (state.kind === "file" && state.size > limits.remote.localeBytes)))
    return undefined;
  return present.filter(({ state }) => state.kind === "file").map(({ path }) => path);
}

/**
 * Why messages are not shown; undefined when they may be.
 *
 * @param wasThere whether a file was there when they were made
 */
export function messageObstacle(
  question: CompileQuestion,
  messages: readonly Buffer[],
  look: Look,
  wasThere: (path: string) => boolean,
): string | undefined {
  if (messages.every(({ length }) => length === 0)) return undefined;
  // They would be folded to its width, and have links.
  if (question.stderrIsTerminal || question.stdoutIsTerminal) return "at a terminal";
  const colour = ["CLICOLOR_FORCE", "FORCE_COLOR"].find((name) => question.environment.has(name));
  if (colour !== undefined) return colour;
  if (localeFiles(question.environment, look)?.every(wasThere) !== true) return "in another language";
  return messages.every(isText) ? undefined : "control characters";
}

/** Colours, and nothing else that acts on a terminal. */
function isText(message: Buffer): boolean {
  const text = message.toString("utf8").replace(COLOUR, "");
  return !CONTROL.test(text);
}

const COLOUR = new RegExp(`${String.fromCodePoint(0x1b)}\\[[\\d;]*[mK]`, "g");
/** All but tabs and line ends. */
const CONTROL = /[^\P{Cc}\t\n]/u;
