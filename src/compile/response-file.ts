/**
 * Response files: `@file` on a command line stands for the arguments in that file.
 *
 * Compilers disagree about corner cases: older gcc (libiberty's buildargv) takes a backslash as an escape inside every quote, newer
 * gcc follows POSIX, clang (LLVM's GNU tokenizer) drops empty arguments and splits at fewer kinds of white space. Only texts that all
 * of them read alike are expanded; the rest is refused. Does not know: what an argument means.
 */
import { limits } from "../base/index.ts";

export type Expansion =
  | {
      readonly kind: "expanded";
      readonly argv: readonly string[];
      /** The files that were read, as named on the command line; their content is an input of the request. */
      readonly files: readonly string[];
    }
  | { readonly kind: "refused"; readonly detail: string };

interface Frame {
  readonly args: readonly string[];
  next: number;
}

/**
 * Replaces `@file` arguments by what the files contain, nested ones too. An `@file` that cannot be read stays as it is, as compilers do.
 *
 * @param argv argv[0] included; it is never expanded
 * @param readText the text of a file named relative to the working directory, undefined when it cannot be read
 */
export function expandResponseFiles(argv: readonly string[], readText: (path: string) => string | undefined): Expansion {
  const expanded: string[] = argv.slice(0, 1);
  const files: string[] = [];
  const frames: Frame[] = [{ args: argv, next: 1 }];
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const argument = frame.args[frame.next++];
    if (argument === undefined) {
      frames.pop();
      continue;
    }
    const text = argument.length > 1 && argument.startsWith("@") ? readText(argument.slice(1)) : undefined;
    if (text === undefined) {
      expanded.push(argument);
    } else {
      if (frames.length > limits.responseFileDepth) return { kind: "refused", detail: argument };
      const args = splitResponse(text);
      if (args === undefined) return { kind: "refused", detail: argument };
      files.push(argument.slice(1));
      frames.push({ args, next: 0 });
    }
    if (expanded.length > limits.compilerArguments || files.length > limits.compilerArguments) {
      return { kind: "refused", detail: "too many arguments" };
    }
  }
  return { kind: "expanded", argv: expanded, files };
}

/** Characters about which compilers disagree wherever they stand: NUL, vertical tab, form feed, a byte order mark. */
const disputed = /[\0\v\f\uFEFF]/;

/** The arguments in a response file, or undefined where compilers would not agree about them. */
export function splitResponse(text: string): string[] | undefined {
  if (disputed.test(text)) return undefined;
  const args: string[] = [];
  let current = "";
  let begun = false;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === "\\") {
      const escaped = text.charAt(++at);
      const agreed = quote === "" ? escaped !== "" && escaped !== "\n" && escaped !== "\r" : quote === '"' && /["\\]/.test(escaped);
      if (!agreed) return undefined;
      current += escaped;
      begun = true;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else current += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      begun = true;
    } else if (/[ \t\r\n]/.test(char)) {
      if (begun) {
        if (current === "") return undefined;
        args.push(current);
      }
      current = "";
      begun = false;
    } else {
      current += char;
      begun = true;
    }
  }
  if (quote !== "" || (begun && current === "")) return undefined;
  if (begun) args.push(current);
  return args;
}
