/**
 * One error class with a closed list of codes and typed facts. Text for people is made at the edge (cli, doors).
 */
export type ErrorCode =
  | "home-unwritable" // A directory of the home cannot be made or written.
  | "home-foreign" // The home holds something that is not Cairn's, or of another format.
  | "config-invalid" // A configuration file or value cannot be used.
  | "daemon-running" // Another daemon serves this home.
  | "daemon-absent" // No daemon answers.
  | "daemon-failed" // A daemon was started and did not come up.
  | "client-unbuildable" // The compiler wrapper could not be compiled.
  | "frame-invalid" // Bytes of a peer or a client do not follow the protocol.
  | "index-corrupt" // The index database cannot be read.
  | "limit-exceeded" // Something is larger than limits.ts allows.
  | "usage"; // A command was called with arguments that make no sense.

/** Facts of an error or event: small, printable, never secrets. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>;

export class CairnError extends Error {
  readonly code: ErrorCode;
  readonly facts: Facts;

  constructor(code: ErrorCode, facts: Facts = {}, cause?: unknown) {
    super(`${code} ${JSON.stringify(facts)}`, cause === undefined ? undefined : { cause });
    this.name = "CairnError";
    this.code = code;
    this.facts = facts;
  }
}

/** The `code` of a system error (ENOENT, EACCES, …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
