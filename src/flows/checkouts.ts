/**
 * What a build in one checkout asks for next, by what was built in another: the same commands, in the same order, at another path.
 *
 * Knows: the history, and how a request of one checkout reads in another. Does not know: whether there is a result. Whoever makes something of a
 * request that was foreseen makes it as if it had been asked: one that is foreseen wrongly is nobody's, and costs time.
 */
import { type Digest, limits } from "../base/index.ts";
import type { HistoryRow, ResultIndex } from "../contracts/index.ts";
import { questionOf, type Remembered, readRemembered, write } from "./remembered.ts";
import type { CompileQuestion, Understood } from "./request.ts";

/** What was compiled, and where. */
export type Unit = Pick<Understood, "manifest" | "sourcePath" | "projectRoot">;

/** A request key's bytes are the wire's. */
export type KeyOf = (question: CompileQuestion) => Digest;

type History = Pick<ResultIndex, "history" | "sourcesEnding" | "sourcesBelow">;

/** Other checkouts in which a file of the same name was compiled, at most. */
const CHECKOUTS_MOST = 8;
/** Of them, those that are looked at whole. */
const COMPARED_MOST = 3;

export class Checkouts {
  readonly #index: History;

  constructor(parts: { readonly index: History }) {
    this.#index = parts.index;
  }

  /** What was built where the same was compiled lately; undefined where nobody has compiled it elsewhere. */
  elsewhere({ manifest, sourcePath, projectRoot }: Unit): Elsewhere | undefined {
    const below = sourcePath.slice(projectRoot.length);
    if (!sourcePath.startsWith(`${projectRoot}/`) || below.includes("/../")) return undefined;
    const rows = this.#index.sourcesEnding(below, CHECKOUTS_MOST).flatMap((source) => this.#index.history(source) ?? []);
    // Of one that was built lately there may be little more than this.
    const all = rows
      .filter((row) => row.source !== sourcePath && readRemembered(row).manifest === manifest)
      .toSorted((one, other) => other.at - one.at)
      .slice(0, COMPARED_MOST)
      .map(({ source }) => source.slice(0, -below.length))
      .filter((from) => from !== "" && from !== projectRoot)
      .map((from) => ({ from, sources: this.#index.sourcesBelow(from, limits.laidOutUnits) }));
    const [most] = all.toSorted((one, other) => other.sources.length - one.sources.length);
    return most && new Elsewhere(this.#index, most.from, projectRoot, most.sources);
  }
}

/** A checkout in which another one's units were compiled, in the order in which they were. */
export class Elsewhere {
  readonly from: string;
  readonly to: string;
  readonly #index: History;
  readonly #sources: readonly string[];
  readonly #at: ReadonlyMap<string, number>;
  /** Whether what is remembered of a request is all of it. */
  #isExact: boolean | undefined;

  constructor(index: History, from: string, to: string, sources: readonly string[]) {
    this.#index = index;
    this.from = from;
    this.to = to;
    this.#sources = sources;
    this.#at = new Map(sources.map((source, at) => [source.slice(from.length), at]));
  }

  get size(): number {
    return this.#sources.length;
  }

  /** Which of them this is; undefined where it was not compiled there. */
  find({ sourcePath }: Unit): number | undefined {
    return this.#at.get(sourcePath.slice(this.to.length));
  }

  /** The request for the unit, as it would be made here; undefined where it cannot be told. */
  question(at: number, keyOf: KeyOf): CompileQuestion | undefined {
    const row = this.#row(at);
    const asked = row && questionOf(row);
    if (asked === undefined) return undefined;
    this.#isExact ??= keyOf(asked) === row?.request; // Of one; of the others it is seen when nobody uses what was made of them.
    if (!this.#isExact) return undefined;
    const [cwd, compiler] = [this.#moved(asked.cwd), this.#moved(asked.compiler)];
    const argv = asked.argv.map((arg) => this.#moved(arg));
    const environment = new Map([...asked.environment].map(([name, value]) => [name, this.#moved(value)]));
    const question: CompileQuestion = { ...asked, cwd, compiler, argv, environment };
    return { ...question, key: keyOf(question) };
  }

  /** What is remembered of the unit, once somebody here has used what was made of its request. */
  remembered(at: number, question: CompileQuestion, action: Digest, usedAt: number): HistoryRow | undefined {
    const row = this.#row(at);
    if (row === undefined) return undefined;
    const there = JSON.parse(this.#moved(row.body)) as Remembered;
    const body = write({ ...there, action, differences: [], detail: undefined, from: undefined, by: undefined, here: undefined });
    return { source: this.to + row.source.slice(this.from.length), request: question.key, at: usedAt, outcome: "hit_ahead", body };
  }

  #row(at: number): HistoryRow | undefined {
    const source = this.#sources[at];
    return source === undefined ? undefined : this.#index.history(source);
  }

  /** The same text with this checkout's name, where it is not the beginning of another. */
  #moved(text: string): string {
    if (!text.includes(this.from)) return text;
    return text.split(this.from).reduce((before, behind) => before + (/^[\w.~+-]/.test(behind) ? this.from : this.to) + behind);
  }
}
