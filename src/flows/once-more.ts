/**
 * A compile that is done once more, here or by a member, to see whether the same comes of it.
 *
 * Knows: what is run, and what must be equal. Does not know: why somebody wants to know, or who is believed.
 */
import { digestOf, type Key } from "../base/index.ts";
import { actionKey, firstToDiffer, type Stage } from "../compile/index.ts";
import type { CompileAction, CompileMode, Executor, ManifestEntry, StoredResult, WorkerOutcome, Workers } from "../contracts/index.ts";
import { outcomeKey } from "../trust/index.ts";
import { actionOf } from "./for-others.ts";
import { type Finding, outputsOf, type RunFacts, resultOf } from "./ingest.ts";
import type { Look } from "./look.ts";
import { type Parcel, type ParcelParts, pack } from "./parcel.ts";
import { type Parting, placeOf } from "./partings.ts";
import { namesRead } from "./remote-inputs.ts";
import { judge } from "./remote-result.ts";
import { hasHeaders, type Understood } from "./request.ts";

export interface OnceMoreParts extends ParcelParts {
  /** For what this machine does itself: its user's own work. */
  readonly executor: Executor;
  readonly workers: () => Workers | undefined;
  /** A look that begins now. */
  readonly look: (understood: Understood) => Look;
}

/** What came of it. */
export interface Outcome {
  readonly finding: Finding;
  readonly report: RunFacts;
  /** As it would be kept. */
  readonly result: StoredResult;
}

export type Repeated =
  | { readonly kind: "made"; readonly outcome: Outcome }
  /** Nothing follows from that about anybody's result. */
  | { readonly kind: "not-executed"; readonly reason: string; readonly detail: string };

/** What a result is, as far as it is to be the same wherever it is made. */
export interface Recorded {
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
}

export class OnceMore {
  readonly #parts: OnceMoreParts;

  constructor(parts: OnceMoreParts) {
    this.#parts = parts;
  }

  /**
   * @param member who does it; undefined: this machine
   * @param known what is to be repeated
   * @throws the signal's reason
   */
  async execute(understood: Understood, known: ManifestEntry, member: Key | undefined, signal: AbortSignal): Promise<Repeated> {
    const packed = await pack(this.#parts, understood, this.#parts.look(understood), namesRead(understood, known), signal);
    if (packed.kind === "local") return { kind: "not-executed", reason: packed.reason, detail: packed.detail };
    const done = await this.#run(understood, packed.parcel, packed.parcel.action, member, signal);
    if (done.kind !== "done") return { kind: "not-executed", ...reasonFor(done) };
    const judged = await judge(this.#parts.facts, { ...packed.parcel, understood }, done, this.#parts.look(understood));
    if (judged.kind === "bad") return { kind: "not-executed", reason: judged.reason, detail: judged.detail };
    const { finding, report } = judged;
    if (!isSameWork(understood, known, finding.entry))
      return { kind: "not-executed", reason: "files_changed", detail: understood.sourcePath };
    return { kind: "made", outcome: { finding, report, result: resultOf(outputsOf(understood, finding), report) } };
  }

  /**
   * The first text on the way to the result at which two machines part ways.
   *
   * @param sides undefined: this machine, also twice
   * @returns `same` where they do at none, undefined where nobody can tell
   */
  async textParting(
    understood: Understood,
    known: ManifestEntry,
    sides: readonly [Key | undefined, Key | undefined],
    signal: AbortSignal,
  ): Promise<Pick<Parting, "stage" | "place"> | "same" | undefined> {
    const packed = await pack(this.#parts, understood, this.#parts.look(understood), namesRead(understood, known), signal);
    if (packed.kind === "local") return undefined;
    const { parcel } = packed;
    const textOf = async (mode: CompileMode, side: Key | undefined): Promise<Buffer | undefined> => {
      const done = await this.#run(understood, parcel, { ...parcel.action, mode, dependencies: undefined }, side, signal);
      return done.kind === "done" && done.exitCode === 0 ? done.outputs[0]?.content : undefined;
    };
    let place: Parting["place"] | undefined;
    const stage = await firstToDiffer(textsBefore(understood), async (one) => {
      const [mode, [first, second]] = [modeOf[one], sides];
      const texts = [await textOf(mode, first), await textOf(mode, second)] as const;
      place = texts[0] && texts[1] && placeOf(texts[0], texts[1]);
      return texts;
    });
    return stage !== undefined && place !== undefined ? { stage, place } : stage && "same";
  }

  async #run(
    understood: Understood,
    { inputs }: Parcel,
    action: CompileAction,
    member: Key | undefined,
    signal: AbortSignal,
  ): Promise<WorkerOutcome> {
    const { files, executor, workers } = this.#parts;
    if (member !== undefined) {
      const content = async (digest: string): Promise<Uint8Array | undefined> => {
        const path = inputs.paths.get(digest);
        return path === undefined ? undefined : files.content(path, digest);
      };
      return (await workers()?.compile(member, unsigned(action), content, signal)) ?? { kind: "lost", why: "no network" };
    }
    const { toolchain, question } = understood;
    const outcome = await executor.run(actionOf(action, { compiler: question.compiler, toolchain }), signal);
    switch (outcome.kind) {
      case "done":
        return { ...outcome, queuedMs: 0 };
      case "unavailable":
        return { kind: "refused", reason: "not_shared", detail: outcome.detail };
      default:
        return outcome;
    }
  }
}

const modeOf = { "preprocessed text": "preprocessed", assembly: "assembly" } as const satisfies Partial<Record<Stage, CompileMode>>;

/** The texts that a compile goes through before it writes what it was asked for, in their order. */
function textsBefore({ invocation }: Understood): (keyof typeof modeOf)[] {
  const { language, mode } = invocation;
  return [
    ...(hasHeaders(invocation) ? ["preprocessed text" as const] : []),
    ...(mode === "object" && !language.startsWith("assembler") ? ["assembly" as const] : []),
  ];
}

/** Nobody is asked for a signature: what comes of it is held against others' only. */
function unsigned(action: CompileAction): CompileAction {
  const { request, ...rest } = action;
  return request === undefined ? action : rest;
}

/** Whether the same came of it. */
export function isSameOutcome(one: StoredResult, other: StoredResult): boolean {
  return outcomeKey(claimed(one)) === outcomeKey(claimed(other));
}

function claimed({ outputs, stdout, stderr }: StoredResult): Parameters<typeof outcomeKey>[0] {
  const printed = (text: string): string => digestOf(Buffer.from(text, "base64"));
  return { outputs, stdout: printed(stdout), stderr: printed(stderr) };
}

/** Whether the very files were compiled that the record speaks of. Its place may be only presumed, and what was printed may be what is wrong. */
function isSameWork({ manifest }: Understood, known: ManifestEntry, made: ManifestEntry): boolean {
  return known.action === actionKey(manifest, known.place, known.terminal, made.inputs);
}

function reasonFor(outcome: Exclude<WorkerOutcome, { kind: "done" }>): { readonly reason: string; readonly detail: string } {
  switch (outcome.kind) {
    case "refused":
      return { reason: outcome.reason, detail: outcome.detail };
    case "killed":
      return { reason: "killed", detail: outcome.limit };
    case "lost":
      return { reason: "lost", detail: outcome.why };
    case "busy":
      return { reason: "busy", detail: "" };
  }
}
