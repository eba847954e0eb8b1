/**
 * The part of the control door that is about work for others: what may be asked.
 *
 * Knows: paths. Does not know: where the answers come from.
 */

/** What the command line may ask; each answer is sent as JSON. */
export interface WorkControls {
  /** What is shared of this machine, what runs now, and what was done. */
  view(): Promise<unknown>;
  /** Takes up what the configuration says by now. @throws {CairnError} config-invalid */
  again(): Promise<unknown>;
}

/** Undefined when the path is none of these. */
export function answerWork(controls: WorkControls, question: string): Promise<unknown> | undefined {
  switch (question) {
    case "GET /work":
      return controls.view();
    case "POST /work":
      return controls.again();
    default:
      return undefined;
  }
}
