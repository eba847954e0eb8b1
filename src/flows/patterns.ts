/**
 * A request that nobody has made yet, told from one that was made: the same command with the names of another unit.
 *
 * Knows: which names a command has of its unit. Does not know: whether the guess is right. The key of the request tells that: it covers the
 * source, the outputs and all options that matter.
 */
import type { ExpectedResult } from "../contracts/index.ts";
import type { CompileQuestion, Understood } from "./request.ts";

/** Commands of a build that differ by more than their unit's names, those used last. */
const PATTERNS_MOST = 4;
const NAME_MARK = "\0";

interface Pattern {
  readonly id: number;
  readonly understood: Understood;
  /** What is the same for all units of its kind. */
  readonly shape: string;
}

/** By what the units of a kind differ: the source, and each output by its role. */
type Names = readonly { readonly role: string; readonly name: string }[];

export class Patterns {
  #all: readonly Pattern[] = [];
  #seen = 0;

  /** Somebody has asked that, and was answered with the work of a member. */
  saw(understood: Understood): void {
    const shape = shapeOf(understood);
    const known = this.#all.find((pattern) => pattern.shape === shape);
    const id = known?.id ?? ++this.#seen;
    this.#all = [{ id, understood, shape }, ...this.#all.filter((pattern) => pattern !== known)].slice(0, PATTERNS_MOST);
  }

  /** Whether there is one that came after `id`. */
  hasSince(id: number): boolean {
    return this.#seen > id;
  }

  /**
   * What the request for a unit may be.
   *
   * @param tried patterns up to this one were tried before
   */
  *guesses(
    expected: ExpectedResult,
    tried: number,
  ): Generator<{ readonly question: Omit<CompileQuestion, "key">; readonly like: Understood }> {
    for (const { id, understood } of this.#all) {
      if (id <= tried) continue;
      const question = moved(understood, expected);
      if (question !== undefined) yield { question, like: understood };
    }
  }

  get latest(): number {
    return this.#seen;
  }
}

function namesOf({ invocation }: Understood): Names {
  return [{ role: "source", name: invocation.source }, ...invocation.outputs.map(({ path, role }) => ({ role, name: path }))];
}

/** Undefined where the unit has other outputs than the one that was asked for. */
function moved(understood: Understood, { entry, result }: ExpectedResult): Omit<CompileQuestion, "key"> | undefined {
  const { places, question } = understood;
  const [source] = entry.inputs;
  const from = namesOf(understood);
  const to = source && [{ role: "source", name: source.path }, ...result.outputs.map(({ path, role }) => ({ role, name: path }))];
  if (to === undefined || to.length !== from.length || from.some(({ role }, at) => role !== to[at]?.role)) return undefined;
  const names = new Map(from.map(({ name }, at) => [name, places.resolve(to[at]?.name ?? "")]));
  return { ...question, why: "no-record", argv: renamed(question.argv, names) };
}

function shapeOf(understood: Understood): string {
  const { question, projectRoot } = understood;
  const names = new Map(namesOf(understood).map(({ role, name }) => [name, NAME_MARK + role]));
  const { compiler, cwd, columns, stderrIsTerminal, stdoutIsTerminal, environment } = question;
  const argv = renamed(question.argv, names);
  return JSON.stringify([compiler, cwd, projectRoot, columns, stderrIsTerminal, stdoutIsTerminal, argv, [...environment]]);
}

/** With other names, the longest first: the name of an object is mostly part of that of its dependency file. */
function renamed(argv: readonly string[], names: ReadonlyMap<string, string>): string[] {
  const longest = [...names.keys()].filter((name) => name !== "").toSorted((one, other) => other.length - one.length);
  return argv.map((arg) => {
    if (!longest.some((name) => arg.includes(name))) return arg;
    let text = "";
    for (let at = 0; at < arg.length; ) {
      const name = longest.find((one) => arg.startsWith(one, at));
      text += name === undefined ? arg[at] : names.get(name);
      at += name?.length ?? 1;
    }
    return text;
  });
}
