/**
 * A reason not to keep a result, on its way out of the steps that look for one.
 */
import type { PassReason } from "../compile/index.ts";

export interface Refused {
  readonly kind: "refused";
  readonly reason: PassReason;
  readonly detail: string;
}

export class Refusal extends Error {
  readonly reason: PassReason;
  readonly detail: string;

  constructor(reason: PassReason, detail = "") {
    super(reason);
    this.reason = reason;
    this.detail = detail;
  }
}

/** What was thrown, as an answer. @throws whatever is not a Refusal */
export function refusedBy(error: unknown): Refused {
  if (error instanceof Refusal) return { kind: "refused", reason: error.reason, detail: error.detail };
  throw error;
}
