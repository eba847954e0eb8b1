/**
 * The steps of a compile, and the first of them at which two that should be the same part ways.
 *
 * Does not know: how a step's text is had, or of whom.
 */

/** A step of a compile whose text or bytes can be looked at. */
export type Stage = "preprocessed text" | "assembly" | "object";

/** What a compiler is asked, in place of its output, for the text of a step on standard output. */
export const stageQuestion: Readonly<Record<Exclude<Stage, "object">, readonly string[]>> = {
  "preprocessed text": ["-E"],
  assembly: ["-S", "-o", "-"],
};

/**
 * @param stages in their order; what nobody can look at is left out
 * @param textsOf what it leads to in either compile; undefined where it cannot be had
 * @returns the object where none of them differs; undefined where nobody can tell
 */
export async function firstToDiffer<S extends Exclude<Stage, "object">>(
  stages: readonly S[],
  textsOf: (stage: S) => Promise<readonly [Buffer | undefined, Buffer | undefined]>,
): Promise<S | "object" | undefined> {
  for (const stage of stages) {
    const [mine, theirs] = await textsOf(stage);
    if (mine === undefined || theirs === undefined) return undefined;
    if (!mine.equals(theirs)) return stage;
  }
  return "object";
}
