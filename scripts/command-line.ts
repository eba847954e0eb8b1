/**
 * What the commands of this checkout for its own engineers (`npm run bench`, `sim`, `fuzz`, `kill`) have in common: options are checked, and what is wrong is
 * said with the help.
 *
 * Knows: how a command line is read. Does not know: what any command does.
 */
import { type ParseArgsConfig, parseArgs } from "node:util";

const EXIT_USAGE = 2;

export class CommandLine {
  readonly #name: string;
  readonly #help: string;

  /** @param help what `--help` prints, with a newline at its end */
  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  /** Ends the process where the options are not those of `config`, and after `--help`. */
  read<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
    if (process.argv.slice(2).some((arg) => arg === "--help" || arg === "-h")) {
      process.stdout.write(this.#help);
      process.exit(0);
    }
    try {
      return parseArgs(config);
    } catch (error) {
      return this.fail(error instanceof Error ? error.message : String(error));
    }
  }

  /** A whole number from an option's text. */
  whole(option: string, text: string, least: number): number {
    const value = Number(text);
    return text.trim() !== "" && Number.isSafeInteger(value) && value >= least
      ? value
      : this.fail(`--${option} wants a whole number from ${least}, not ${JSON.stringify(text)}`);
  }

  /** Says what is wrong, and how it would be right, and ends the process. */
  fail(why: string): never {
    process.stderr.write(`${this.#name}: ${why}\n\n${this.#help}`);
    process.exit(EXIT_USAGE);
  }
}
