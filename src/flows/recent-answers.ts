/**
 * Answers given lately. Who asks the same again is answered from here as long as everything is as it was: for wrappers that cannot see
 * what is left for them, behind a mount of their own or with a run directory that is full.
 */
import { type Digest, Generations, limits } from "../base/index.ts";
import { isSame, isUntrusted, type Look } from "./look.ts";
import type { Placement, Validity } from "./plan.ts";

export interface RecentAnswer {
  readonly manifest: Digest;
  readonly action: Digest;
  readonly placement: Placement;
  readonly validity: Validity;
  /** Otherwise it was made from memory. */
  readonly isChecked: boolean;
  /** For `explain`. */
  readonly source: string;
  readonly body: string;
}

export class RecentAnswers {
  readonly #answers = new Generations<Digest, RecentAnswer>(limits.recentAnswersWeight, weightOf);

  remember(request: Digest, answer: RecentAnswer): void {
    this.#answers.set(request, answer);
  }

  clear(): void {
    this.#answers.clear();
  }

  has(request: Digest): boolean {
    return this.#answers.has(request);
  }

  /** Forgets it. */
  take(request: Digest): RecentAnswer | undefined {
    const answer = this.#answers.get(request);
    this.#answers.delete(request);
    return answer;
  }

  /** Undefined unless all is as it was. */
  find(request: Digest, look: Look): RecentAnswer | undefined {
    const answer = this.#answers.get(request);
    return answer !== undefined && holds(answer.validity, look) ? answer : undefined;
  }
}

/** What the wrapper checks when it finds a hot record. */
function holds({ inputs, absences }: Validity, look: Look): boolean {
  for (const input of inputs) {
    const now = look.fingerprint(input.path);
    if (now === undefined || !isSame(now, input)) return false;
  }
  for (const absence of absences) {
    const now = look.directory(absence.directory);
    if (now === undefined || (isSame(now, absence) && !isUntrusted(absence))) continue;
    const inside = absence.directory === "/" ? "/" : `${absence.directory}/`;
    if (!absence.names?.every((name) => look.absent(inside + name))) return false;
  }
  return true;
}

function weightOf({ validity, placement }: RecentAnswer): number {
  const names = validity.absences.reduce((sum, { names }) => sum + (names?.length ?? 0), 0);
  const bytes = placement.outputs.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
  return 1 + validity.inputs.length + names + Math.ceil((bytes + placement.stdout.length + placement.stderr.length) / BYTES_A_NAME);
}

/** About what a name takes. */
const BYTES_A_NAME = 64;
