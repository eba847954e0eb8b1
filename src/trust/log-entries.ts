/**
 * What a log says of an attestation: of which action it is, and the digest of what was signed. Who has the attestation can tell that it is the
 * one; the log alone tells nobody what was compiled.
 *
 * Knows: docs/protocol/log.md, "Entries". Does not know: the log.
 */
import { type Digest, digestOf } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { statementOf } from "./attestation.ts";

/** The first byte; others may mean something else one day. */
const ATTESTATION = 1;
const BYTES = 65;

export interface LogEntry {
  readonly action: Digest;
  /** SHA-256 of the in-toto statement, as it was signed. */
  readonly statement: Digest;
}

export function logEntryOf(network: Digest, attestation: Omit<Attestation, "signature">): LogEntry {
  return { action: attestation.action, statement: digestOf(statementOf(network, attestation)) };
}

export function writeLogEntry({ action, statement }: LogEntry): Uint8Array {
  return Buffer.concat([Buffer.from([ATTESTATION]), Buffer.from(action, "hex"), Buffer.from(statement, "hex")]);
}

/** Undefined for what is none. */
export function readLogEntry(bytes: Uint8Array): LogEntry | undefined {
  if (bytes.length !== BYTES || bytes[0] !== ATTESTATION) return undefined;
  const text = Buffer.from(bytes).toString("hex");
  return { action: text.slice(2, 66), statement: text.slice(66) };
}
