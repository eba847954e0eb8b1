/**
 * What a build in one checkout asks for next, by what was built in another: the same commands, in the same order, at another path.
 *
 * Knows: the history, and how a request of one checkout reads in another. Does not know: whether there is a result. Whoever makes something of a
 * request that was foreseen makes it as if it had been asked: one that is foreseen wrongly is nobody's, and costs time.
 */
import { type Digest, limits } from "../base/index.ts";
import type { HistoryRow, ResultIndex } from "../contracts/index.ts";
import { movedRow, questionOf, readRemembered } from "./remembered.ts";
import { type CompileQuestion, movedQuestion, type Understood } from "./request.ts";

/** What was compiled, and where. */
export type Unit = Pick<Understood, "manifest" | "sourcePath" | "projectRoot">;

/** A request key's bytes are the wire's. */
export type KeyOf = (question: CompileQuestion) => Digest;

type History = Pick<ResultIndex, "history" | "sourcesEnding" | "sourcesBelow">;

/** Other checkouts in which a file of the same name was compiled, at most. */
const CHECKOUTS_MOST = 8;
/** Of them, those that are looked at whole. */
const COMPARED_MOST = 3;
/** Variables that only name a place, or where headers are. What another one names may be executed, and nobody has asked for that. */
const MAY_MOVE = new Set(["PWD", "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH"]);
/** What may stand before a path, so that it begins there: nothing, what is no part of a name, an option. */
const BEFORE =
  /(?:^|[^\w/.~+\-\x80-\uffff]|(?:^|[\s"'])-(?:[ILBFo]|M[FTQ]|i(?:system|quote|dirafter|nclude|macros|prefix|withprefix|sysroot)))$/;
/** What goes on with a name behind it. */
const GOES_ON = /^[\w.~+\-\x80-\uffff]/;
/** Whatever of it {@link BEFORE} has to see. */
const BEFORE_MOST = 16;

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
    const roots = [projectRoot, ...rows.map(({ source }) => source.slice(0, -below.length))];
    // Of one that was built lately there may be little more than this.
    const all = rows
      .filter((row) => row.source !== sourcePath && readRemembered(row).manifest === manifest)
      .toSorted((one, other) => other.at - one.at)
      .slice(0, COMPARED_MOST)
      .map(({ source }) => source.slice(0, -below.length))
      .filter((from) => from !== "" && from !== projectRoot)
      .map((from) => ({ from, sources: this.#sourcesOf(from, roots) }));
    const [most] = all.toSorted((one, other) => other.sources.length - one.sources.length);
    return most && new Elsewhere(this.#index, most.from, projectRoot, most.sources);
  }

  /** But for those of checkouts that lie in that one. */
  #sourcesOf(from: string, roots: readonly string[]): string[] {
    const others = roots.filter((root) => root.startsWith(`${from}/`));
    const sources = this.#index.sourcesBelow(from, limits.laidOutUnits);
    return sources.filter((source) => !others.some((root) => source.startsWith(`${root}/`)));
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

  /** The request for the unit, as it would be made here; undefined where it cannot be told, or what is executed would be another checkout's. */
  question(at: number, keyOf: KeyOf): CompileQuestion | undefined {
    const row = this.#row(at);
    const asked = row && questionOf(row);
    if (asked === undefined) return undefined;
    this.#isExact ??= keyOf(asked) === row?.request; // Of one; of the others it is seen when nobody uses what was made of them.
    if (!this.#isExact) return undefined;
    if (this.#moved(asked.compiler) !== asked.compiler) return undefined;
    const question = movedQuestion(asked, (text) => this.#moved(text));
    for (const [name, value] of question.environment) if (!MAY_MOVE.has(name) && value !== asked.environment.get(name)) return undefined;
    return { ...question, key: keyOf(question) };
  }

  /**
   * What is remembered of the unit, once somebody here has used what was made of its request.
   * @returns undefined where more is known of it by now, here or there
   */
  remembered(at: number, request: Digest, keyOf: KeyOf, action: Digest, usedAt: number): HistoryRow | undefined {
    const row = this.#row(at);
    if (row === undefined || this.question(at, keyOf)?.key !== request) return undefined;
    const source = this.to + row.source.slice(this.from.length);
    if ((this.#index.history(source)?.at ?? 0) > usedAt) return undefined;
    return movedRow(row, (text) => this.#moved(text), { source, request, action, at: usedAt, outcome: "hit_ahead" });
  }

  #row(at: number): HistoryRow | undefined {
    const source = this.#sources[at];
    return source === undefined ? undefined : this.#index.history(source);
  }

  /** The same text with this checkout's name, where it is not a part of another. */
  #moved(text: string): string {
    let moved = "";
    let from = 0;
    for (let at = text.indexOf(this.from); at >= 0; at = text.indexOf(this.from, at + 1)) {
      const behind = at + this.from.length;
      if (at < from || GOES_ON.test(text.slice(behind, behind + 1)) || !BEFORE.test(text.slice(Math.max(0, at - BEFORE_MOST), at)))
        continue;
      moved += text.slice(from, at) + this.to;
      from = behind;
    }
    return moved + text.slice(from);
  }
}
