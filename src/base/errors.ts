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
  | "network-absent" // This node belongs to no network.
  | "network-present" // This node belongs to a network already.
  | "network-damaged" // What is kept of the network cannot be read.
  | "network-unavailable" // No address can be listened on.
  | "network-refused" // The rules of the network, or another member, do not allow it.
  | "invitation-invalid" // What was pasted is no invitation, or not a whole one.
  | "member-unknown" // No member, or more than one, is called that.
  | "peer-absent" // A member is not connected.
  | "peer-silent" // A member does not answer in time.
  | "data-refused" // A member does not serve that, or not this one; facts.why has its reason.
  | "blob-absent" // Neither this node nor a member that was asked has a blob.
  | "address-unavailable" // A local address cannot be listened on.
  | "tunnel-unknown" // Nothing is exposed or forwarded by that name.
  | "not-found" // Nothing goes by that name, here or, where they were asked, at members; facts.why says what was looked for.
  | "peer-unreachable" // No host of an invitation answers.
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

/** What the system said against it, in words for people. */
export function systemReason(error: unknown): string {
  return systemWords(systemCode(error) ?? "it failed");
}

/** @returns the code itself where there are no words for it */
export function systemWords(code: string): string {
  return SYSTEM[code] ?? code;
}

const SYSTEM: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EADDRINUSE: "something else listens there",
  EADDRNOTAVAIL: "this machine has no such address",
  EDQUOT: "the quota is used up",
  EISDIR: "it is a directory",
  ENOENT: "there is no such file",
  ENOSPC: "the disk is full",
  ENOTDIR: "part of the path is not a directory",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};
