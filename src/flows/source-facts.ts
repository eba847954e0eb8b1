/**
 * What is known of sources by their content: scans, tokens, macros. Each content is looked at once and remembered, within limits.
 */
import { type Digest, Generations, limits } from "../base/index.ts";
import {
  type HeaderMacro,
  headerMacros,
  identifiersOf,
  type MacroBodies,
  macroBodies,
  reach,
  type SourceScan,
  scanSource,
  type TokensOf,
  tokensOf,
  withoutAssert,
} from "../compile/index.ts";
import type { Files } from "../contracts/index.ts";
import { isOfSystem } from "./request.ts";

export type PathAndDigest = readonly [path: string, digest: Digest];

export class SourceFacts {
  readonly #files: Pick<Files, "content">;
  readonly #scans = new Generations<Digest, SourceScan>(limits.scanCacheWeight, weightOf);
  readonly #tokens = new Generations<Digest, TokensOf | null>(limits.tokenCacheEntries);
  readonly #macros = new Generations<Digest, MacroBodies>(limits.scanCacheEntries);
  readonly #headers = new Generations<Digest, readonly HeaderMacro[]>(limits.scanCacheEntries);
  readonly #mentions = new Generations<string, boolean>(limits.scanCacheEntries);
  readonly #names = new Generations<string, boolean>(limits.placeNamesRemembered);

  constructor(parts: { files: Pick<Files, "content"> }) {
    this.#files = parts.files;
  }

  /** Undefined when the file no longer has that content. */
  scan(path: string, digest: Digest): SourceScan | undefined {
    return this.#scans.get(digest) ?? this.#learn(this.#scans, path, digest, scanSource);
  }

  /** Remembers the scan of content that happens to be at hand. */
  readonly seen = (content: Buffer, digest: Digest): void => {
    if (!this.#scans.has(digest)) this.#scans.set(digest, scanSource(content));
  };

  /** Undefined when the file no longer has that content, or when its tokens cannot be told with certainty. */
  tokens(path: string, digest: Digest): TokensOf | undefined {
    const known = this.#tokens.get(digest);
    return (known === undefined ? this.#learn(this.#tokens, path, digest, (content) => tokensOf(content) ?? null) : known) ?? undefined;
  }

  /** Macros that it defines as names of headers; undefined when the file no longer has that content. */
  headerMacros(path: string, digest: Digest): readonly HeaderMacro[] | undefined {
    return this.#headers.get(digest) ?? this.#learn(this.#headers, path, digest, headerMacros);
  }

  /**
   * Whether any of `suspects` mentions a macro that can expand to one of `roots`, over the macros of all `inputs`.
   * True also when a content is not at hand, and when functions may learn their caller's place: the safe side.
   * @param defines -D and -U of the command line, joined
   */
  mentions(
    suspects: readonly PathAndDigest[],
    inputs: readonly PathAndDigest[],
    roots: readonly string[],
    defines: readonly string[],
  ): boolean {
    const files: { path: string; bodies: MacroBodies }[] = [
      { path: "", bodies: macroBodies(Buffer.from(defines.map(asDirective).join(""))) },
    ];
    for (const [path, digest] of inputs) {
      const bodies = this.#macros.get(digest) ?? this.#learn(this.#macros, path, digest, macroBodies);
      if (bodies === undefined || this.scan(path, digest)?.callerLocation !== false) return true;
      files.push({ path, bodies });
    }
    const counted = withoutAssert(
      files,
      new Set(defines.includes("-UNDEBUG") ? [] : defines.filter((define) => /^-DNDEBUG(=|$)/.test(define)).map(() => "NDEBUG")),
    );
    const names = [
      ...reach(
        counted.map(({ bodies }) => bodies),
        roots,
      ),
    ].toSorted();
    const key = names.join(" ");
    return suspects.some(([path, digest]) => {
      const memo = `${digest} ${key}`;
      const known = this.#mentions.get(memo);
      if (known !== undefined) return known;
      const content = this.#files.content(path, digest);
      const identifiers = content && identifiersOf(content);
      const mentioned = identifiers === undefined || names.some((name) => identifiers.has(name));
      this.#mentions.set(memo, mentioned);
      return mentioned;
    });
  }

  /** Whether it has the name of a place in it; true when the file no longer has that content. @param path absolute */
  names(path: string, digest: Digest, place: string): boolean {
    const memo = `${digest} ${place}`;
    const known = this.#names.get(memo);
    if (known !== undefined) return known;
    const content = this.#files.content(path, digest);
    if (content === undefined) return true;
    if (!isOfSystem(path)) this.seen(content, digest); // Who asks this of it asks for that next.
    const named = content.includes(place);
    this.#names.set(memo, named);
    return named;
  }

  #learn<T>(into: Generations<Digest, T>, path: string, digest: Digest, read: (content: Buffer) => T): T | undefined {
    const content = this.#files.content(path, digest);
    if (content === undefined) return undefined;
    const fact = read(content);
    into.set(digest, fact);
    return fact;
  }
}

/** `-DA(x)=b` as the directive that it stands for. */
function asDirective(option: string): string {
  const [, name = "", body = "1"] = /^-D([^=]*)(?:=([^]*))?$/.exec(option) ?? [];
  return option.startsWith("-U") ? `#undef ${option.slice(2)}\n` : `#define ${name} ${body}\n`;
}

/** About what it takes in memory: each name takes as much as all the rest. */
function weightOf({ includes, probes, embeds }: SourceScan): number {
  return 1 + includes.length + probes.length + embeds.length;
}
