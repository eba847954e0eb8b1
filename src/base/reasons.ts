/**
 * Why a connection did not come about or ended, in a few words for people and logs.
 *
 * Knows: what libp2p and the operating system throw. Does not know: what was attempted.
 */
import { CairnError, systemCode, systemWords } from "./errors.ts";

/** In the order in which they are looked for, anywhere in names and messages. */
const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/ECONNREFUSED/, "connection refused"],
  [/EHOSTUNREACH|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL/, "no route"],
  [/ENOTFOUND|EAI_AGAIN/, "its name is not known"],
  [/UnexpectedPeerError|Payload identity key/, "somebody else is at its address"],
  [/ETIMEDOUT|TimeoutError|AbortError|timed? ?out|aborted due to timeout/i, "no answer in time"],
  [/ECONNRESET|EPIPE|StreamResetError|ConnectionClosed|UnexpectedEOF|muxer is "?clos/i, "connection closed"],
];
const LONGEST = 160;

export function reasonOf(error: unknown): string {
  if (error instanceof CairnError && typeof error.facts.why === "string") return error.facts.why;
  if (error instanceof CairnError && error.code === "home-unwritable") return unwritable(error);
  const texts = textsOf(error);
  const known = REASONS.find(([pattern]) => texts.some((text) => pattern.test(text)));
  return (known?.[1] ?? texts[0] ?? "unknown").slice(0, LONGEST);
}

function unwritable({ facts, cause }: CairnError): string {
  const system = facts.system ?? systemCode(cause);
  return `cannot write to ${facts.path ?? "its directory"}${system === undefined ? "" : `: ${systemWords(String(system))}`}`;
}

/** Whatever was thrown, as libp2p's `abort` wants it. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(reasonOf(error));
}

/** Messages and names, the error's own first, then those of what it stands for. */
function textsOf(error: unknown): string[] {
  if (error instanceof Event) return [`connection closed (${error.type})`]; // p-event rejects with what it was told to watch for.
  if (!(error instanceof Error)) return [String(error)];
  const inner: readonly unknown[] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  return [error.message || error.name, error.name, ...[...inner, error.cause].filter((one) => one !== undefined).flatMap(textsOf)];
}
