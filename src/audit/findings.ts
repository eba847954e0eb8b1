/**
 * Why one file of two builds differs: the first stage at which it does, what caused it, and what it looks like there.
 *
 * Knows: the two copies, and what compilers were told. Does not know: how a finding is shown.
 */
import { basename, relative, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { limits } from "../base/index.ts";
import { firstToDiffer, type Stage, stageQuestion } from "../compile/index.ts";
import { type ArchiveDifference, archiveDifference } from "./archive.ts";
import type { Cause } from "./causes.ts";
import { causeOf, isReordered, type Sample, sampleOf, type Told } from "./clues.ts";
import { argumentsAs, ask, hasSource, type Side } from "./commands.ts";
import { causesWithPlace, Mender } from "./mends.ts";
import { contentOf, type Different, isTooLarge, type Kind } from "./products.ts";
import type { Call } from "./recorder.ts";
import { isTar, tarCauses } from "./tar.ts";

export interface Finding {
  /** Relative to the project's root. */
  readonly file: string;
  readonly kind: Kind;
  /** The first that differs. */
  readonly stage: Stage | "command line" | "archive" | "link" | "file";
  /** Empty where other files are why. */
  readonly causes: readonly Cause[];
  /** Files that differ, too, and that it is made of. */
  readonly because: readonly string[];
  readonly sample: Sample | undefined;
  /** Whether it was compiled once more with what is advised, and came out the same. */
  readonly isTried: boolean;
}

const NO_SAMPLE = { first: "", second: "", where: "" };

function tooLarge(file: string, kind: Kind): Finding {
  const sample = { ...NO_SAMPLE, where: "too large to be looked into" };
  return { file, kind, stage: "file", causes: ["unknown"], because: [], sample, isTried: false };
}

export class Findings {
  readonly #sides: readonly [Side, Side];
  readonly #told: Told;
  readonly #different: ReadonlySet<string>;
  readonly #mender = new Mender();
  /** ms, monotonic: from then on no compiler is asked any more. */
  readonly #until: number = performance.now() + limits.audit.diagnosingMs;
  #looked = 0;

  constructor(sides: readonly [Side, Side], told: Told, different: readonly Different[]) {
    this.#sides = sides;
    this.#told = told;
    this.#different = new Set(different.map(({ file }) => file));
  }

  async of({ file, kind }: Different, signal: AbortSignal): Promise<Finding> {
    const [first, second] = [contentOf(this.#sides[0].root, file), contentOf(this.#sides[1].root, file)];
    if (this.#sides.some(({ root }) => isTooLarge(root, file))) return tooLarge(file, kind);
    if (first === undefined || second === undefined) return this.#lone(file, kind, first !== undefined);
    const calls = this.#callsOf(file);
    if (kind === "archive") return this.#archive(file, first, second);
    if (calls !== undefined && calls[0].kind === "compiler") {
      const because = this.#inputsOf(calls[0], file);
      if (because.length > 0) return { file, kind, stage: "link", causes: [], because, sample: undefined, isTried: false };
      const isInTime = this.#looked++ < limits.audit.diagnosed && performance.now() < this.#until;
      if (isInTime) return this.#compiled({ file, kind, first, second }, calls, signal);
    }
    return this.#bytes(file, kind, first, second);
  }

  /** Only one of the builds has written it. */
  #lone(file: string, kind: Kind, isInFirst: boolean): Finding {
    const [there, away] = ["it was written", "it was not"];
    const sample = { where: "", first: isInFirst ? there : away, second: isInFirst ? away : there };
    const cause = causeOf({ where: "", first: file, second: file }, this.#told) ?? "unknown";
    return { file, kind, stage: "file", causes: [cause], because: [], sample, isTried: false };
  }

  #archive(file: string, first: Buffer, second: Buffer): Finding {
    const found = archiveDifference(first, second);
    const names = found?.kind === "members" ? found.names : [];
    const because = [...this.#different].filter((one) => one !== file && names.includes(basename(one)));
    const causes = because.length > 0 ? [] : [archiveCause(found)];
    const sample = because.length > 0 || names.length === 0 ? undefined : { ...NO_SAMPLE, where: names.slice(0, 5).join(", ") };
    return { file, kind: "archive", stage: "archive", causes, because, sample, isTried: false };
  }

  async #compiled({ file, kind, first, second }: Read, [mine, theirs]: readonly [Call, Call], signal: AbortSignal): Promise<Finding> {
    const [{ root }, { root: otherRoot }] = this.#sides;
    const wanted = argumentsAs(mine.argv, root, otherRoot);
    const asked = theirs.argv.slice(1);
    const isToldOtherwise = wanted.join("\0") !== asked.join("\0");
    // What else there is shows when both are told the same.
    const same = { ...theirs, argv: [theirs.argv[0] ?? "", ...wanted] };
    const pair = { output: file, roots: [root, otherRoot], calls: [mine, same] } as const;
    const tried = await this.#mender.causes(pair, signal);
    const base = { file, kind, because: [], isTried: tried !== undefined && tried.length > 0 };
    if (isToldOtherwise) {
      const sample = sampleOf(argumentsLeft(wanted, asked), argumentsLeft(asked, wanted));
      const isOrder = isReordered(wanted.join(" "), asked.join(" "));
      const cause = isOrder ? "order of files" : (causeOf(sample, this.#told) ?? "unknown");
      return { ...base, stage: hasSource(mine) ? "command line" : "link", causes: [...new Set([cause, ...(tried ?? [])])], sample };
    }
    if (tried?.length === 0) return { ...base, stage: "object", causes: ["order of jobs"], sample: undefined };
    const { stage, sample, read } = hasSource(mine)
      ? await this.#stageOf(mine, same, signal)
      : { stage: "link" as const, sample: undefined, read: [] };
    if (tried !== undefined) return { ...base, stage, causes: tried, sample };
    const because = stage === "preprocessed text" ? read.filter((one) => this.#different.has(one)) : [];
    if (because.length > 0) return { ...base, stage, causes: [], because, sample };
    const placed = stage === "assembly" || stage === "object" ? await causesWithPlace(pair, signal) : undefined;
    const cause = (sample && causeOf(sample, this.#told)) ?? this.#pathIn(first, second) ?? "unknown";
    return { ...base, stage, causes: placed ?? [cause], sample };
  }

  /** The first stage at which both part ways, and the first lines that differ there. */
  async #stageOf(mine: Call, theirs: Call, signal: AbortSignal): Promise<StageFound> {
    let sample: Sample | undefined;
    let read: readonly string[] = [];
    const stage = await firstToDiffer(["preprocessed text", "assembly"], async (one) => {
      const question = { args: stageQuestion[one], environment: {} };
      const [first, second] = await Promise.all([ask(mine, question, signal), ask(theirs, question, signal)]);
      if (first === undefined || second === undefined) return [first, second];
      const [here, there] = [first, second].map((text) => withoutMarkers(text.toString("utf8"))) as [Marked, Marked];
      sample = sampleOf(here.text, there.text);
      if (one === "preprocessed text") {
        sample = { ...sample, where: whereIn(here, there) };
        read = here.files.map((file) => relative(this.#sides[0].root, resolve(mine.cwd, file)));
      }
      return [Buffer.from(here.text), Buffer.from(there.text)];
    });
    return { stage: stage ?? "object", sample: stage === "object" ? undefined : sample, read };
  }

  #bytes(file: string, kind: Kind, first: Buffer, second: Buffer): Finding {
    const [mine, theirs] = [unpacked(first).toString("utf8"), unpacked(second).toString("utf8")];
    const sample = sampleOf(mine, theirs, kind === "file" ? file : "");
    const base = {
      file,
      kind,
      stage: kind === "program" ? "link" : kind === "object" ? "object" : "file",
      because: [],
      sample,
      isTried: false,
    } as const;
    if (kind !== "file") return { ...base, causes: [causeOf(sample, this.#told) ?? this.#pathIn(first, second) ?? "unknown"] };
    const packed = packedCauses(unpacked(first), unpacked(second));
    if (packed !== undefined) return { ...base, sample: undefined, causes: packed };
    const cause =
      causeOf(sample, this.#told) ?? (isReordered(mine, theirs) ? "order of files" : (this.#pathIn(first, second) ?? "unknown"));
    return { ...base, causes: [cause] };
  }

  #pathIn(first: Buffer, second: Buffer): Cause | undefined {
    const [mine, theirs] = this.#told.roots;
    return first.includes(mine) && second.includes(theirs) ? "build path" : undefined;
  }

  #callsOf(file: string): readonly [Call, Call] | undefined {
    const [mine, theirs] = this.#sides.map(({ calls }) => calls.get(file));
    return mine === undefined || theirs === undefined ? undefined : [mine, theirs];
  }

  /** Files among its arguments that differ themselves. */
  #inputsOf({ argv, cwd }: Call, file: string): string[] {
    const paths = argv.slice(1).map((argument) => relative(this.#sides[0].root, resolve(cwd, argument)));
    return [...new Set(paths)].filter((path) => path !== file && this.#different.has(path));
  }
}

function archiveCause(found: ArchiveDifference | undefined): Cause {
  if (found?.kind === "members") return "unknown";
  if (found?.kind === "order") return "order of files";
  return found?.isMode === true ? "umask" : "times and owners in the archive";
}

/** A file that differs, with what both builds have written. */
interface Read extends Different {
  readonly first: Buffer;
  readonly second: Buffer;
}

interface StageFound {
  readonly stage: Stage;
  readonly sample: Sample | undefined;
  /** Files that the preprocessor has read, relative to the root. */
  readonly read: readonly string[];
}

interface Marked {
  readonly text: string;
  readonly files: readonly string[];
  /** Of each line of the text, where it stands. */
  readonly places: readonly string[];
}

/** Preprocessed text without what says where it comes from: that names the place of the checkout, and nothing follows from it. */
function withoutMarkers(text: string): Marked {
  const lines: string[] = [];
  const places: string[] = [];
  const files = new Set<string>();
  let [file, line] = ["", 0];
  for (const one of text.split("\n")) {
    const marker = /^# (\d+) "((?:[^"\\]|\\.)*)"/.exec(one);
    if (marker !== null) {
      [file, line] = [marker[2] ?? "", Number(marker[1])];
      files.add(file);
    } else {
      if (one.trim() !== "") {
        lines.push(one);
        places.push(`${file}:${line}`);
      }
      line++;
    }
  }
  return { text: lines.join("\n"), places, files: [...files] };
}

function whereIn(first: Marked, second: Marked): string {
  const theirs = second.text.split("\n");
  const at = first.text.split("\n").findIndex((line, i) => line !== theirs[i]);
  return first.places[at] ?? "";
}

/** Those that the others do not have, one in a line. */
function argumentsLeft(args: readonly string[], others: readonly string[]): string {
  const known = new Set(others);
  return args.filter((argument) => !known.has(argument)).join(" ");
}

/** What a file that gzip has packed holds, where it is small enough. */
function unpacked(content: Buffer): Buffer {
  if (content[0] !== 0x1f || content[1] !== 0x8b) return content;
  try {
    return gunzipSync(content, { maxOutputLength: limits.audit.comparedBytes });
  } catch {
    return content; // It only looks like gzip's, or is too large.
  }
}

/** Undefined for what is no archive, or holds other content. */
function packedCauses(first: Buffer, second: Buffer): readonly Cause[] | undefined {
  if (first.equals(second)) return ["times and owners in the archive"]; // The same was packed.
  if (!isTar(first) || !isTar(second)) return undefined;
  const causes = tarCauses(first, second);
  return causes.length === 0 ? undefined : causes;
}
