/**
 * A proof that an attestation is in its signer's log, as a file that anybody can check with nothing else: the attestation, the way from its
 * entry to the root, and the checkpoint with whoever has witnessed it.
 *
 * Knows: https://c2sp.org/tlog-proof; its line for further data holds the attestation. Does not know: who is a member.
 */
import { digestOf, limits } from "../base/index.ts";
import { type Cosignature, type Head, readHead, rootOf, writeHead } from "./checkpoints.ts";
import { type Attested, readEnvelope } from "./envelope.ts";
import { writeLogEntry } from "./log-entries.ts";
import { HASH_BYTES, type Hash, isIncluded, leafHash } from "./merkle.ts";
import type { Envelope } from "./sealed.ts";

export interface LogProof {
  readonly envelope: Envelope;
  readonly index: number;
  readonly proof: readonly Hash[];
  readonly head: Head;
  readonly cosignatures: readonly Cosignature[];
}

/** Why a file proves nothing. */
export type NoLogProof = "too-large" | "not-a-proof" | "attestation" | "checkpoint" | "other-key" | "not-included";

export type LogProofRead =
  | {
      readonly kind: "logged";
      readonly attested: Attested;
      readonly index: number;
      readonly head: Head;
      /** By others than whose log it is; whether they are members nobody can tell by the file. */
      readonly cosignatures: readonly Cosignature[];
    }
  | { readonly kind: "refused"; readonly why: NoLogProof };

const FORMAT = "c2sp.org/tlog-proof@v1";

export function writeLogProof({ envelope, index, proof, head, cosignatures }: LogProof): string {
  const extra = Buffer.from(JSON.stringify(envelope)).toString("base64");
  const hashes = proof.map((one) => `${Buffer.from(one).toString("base64")}\n`).join("");
  return `${FORMAT}\nextra ${extra}\nindex ${index}\n${hashes}\n${writeHead(head, cosignatures)}`;
}

/** Reads what anybody may have made. */
export function readLogProof(text: string): LogProofRead {
  if (Buffer.byteLength(text) > limits.transparency.proofBytes) return refused("too-large");
  const [, extra = "", index = "", lines = "", note = ""] =
    /^c2sp\.org\/tlog-proof@v1\nextra ([A-Za-z0-9+/]+={0,2})\nindex (0|[1-9][0-9]{0,15})\n((?:[A-Za-z0-9+/]{43}=\n)*)\n([^]+)$/.exec(
      text,
    ) ?? [];
  const proof = lines
    .split("\n")
    .slice(0, -1)
    .map((line) => Buffer.from(line, "base64"));
  if (note === "" || proof.length > limits.transparency.proofHashes || proof.some(({ length }) => length !== HASH_BYTES))
    return refused("not-a-proof");
  const envelope = Buffer.from(extra, "base64").toString("utf8");
  const read = readEnvelope(envelope);
  if (read.kind !== "attested") return refused("attestation");
  const checkpoint = readHead(note);
  if (checkpoint === undefined) return refused("checkpoint");
  const { head, cosignatures } = checkpoint;
  if (read.attested.signer !== head.log) return refused("other-key");
  const { payload } = JSON.parse(envelope) as Envelope; // It is one: its signature holds.
  const entry = writeLogEntry({ action: read.attested.action, statement: digestOf(Buffer.from(payload, "base64")) });
  return isIncluded(leafHash(entry), Number(index), head.size, proof, rootOf(head))
    ? { kind: "logged", attested: read.attested, index: Number(index), head, cosignatures }
    : refused("not-included");
}

function refused(why: NoLogProof): LogProofRead {
  return { kind: "refused", why };
}
