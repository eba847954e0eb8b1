/**
 * Summaries of who reproduced a result, made when somebody asks: a signed statement, and the attestations that it rests on.
 *
 * Knows: what is worth telling of one. Does not know: the rule by which a result counts as reproduced; see trust/reproduced.ts.
 */
import type { Digest, SharingPolicy } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import {
  attestationEnvelope,
  type Doubt,
  type Envelope,
  type KeyPair,
  type Members,
  type Reproduction,
  sealed,
  summaryOf,
} from "../trust/index.ts";
import type { KeptShelf } from "./network-sharing.ts";

export interface SummariesParts {
  readonly shelf: Pick<KeptShelf, "ofAction" | "ofOutput">;
  readonly members: Pick<Members, "network">;
  /** By this node's reader's rule. */
  readonly reproduction: (shared: SharedResult) => (Reproduction & { readonly policy: SharingPolicy }) | undefined;
  /** What this node signs results with. */
  readonly keys: KeyPair;
  /** ms since the epoch */
  readonly now: () => number;
}

type Summarized =
  | {
      readonly kind: "reproduced";
      readonly action: Digest;
      readonly policy: SharingPolicy;
      readonly domains: readonly string[];
      readonly envelope: Envelope;
      /** Of the attestations that it rests on. */
      readonly inputs: readonly Envelope[];
    }
  /** Domains that vouch for it, and how many must; 0 where that was not what mattered. */
  | {
      readonly kind: "not-reproduced";
      readonly action: Digest;
      readonly why: Doubt | "no-members-known" | "no-outputs";
      readonly domains: number;
      readonly needed: number;
    };

export class Summaries {
  readonly #parts: SummariesParts;

  constructor(parts: SummariesParts) {
    this.#parts = parts;
  }

  /** Of an action, where there is one, or else of what has led to a file of this content: `summary` is null where nobody has signed it. */
  find({ action, output }: { readonly action: Digest; readonly output: Digest }): object {
    const { shelf } = this.#parts;
    const ofAction = action === "" ? [] : shelf.ofAction(action);
    const found = ofAction.length > 0 || output === "" ? ofAction : shelf.ofOutput(output);
    const all = found.map((shared) => this.#summarize(shared));
    return { summary: all.find(({ kind }) => kind === "reproduced") ?? all[0] ?? null };
  }

  #summarize(shared: SharedResult): Summarized {
    const { members, reproduction, keys, now } = this.#parts;
    const { action } = shared.entry;
    const found = reproduction(shared);
    if (found === undefined) return { kind: "not-reproduced", action, why: "no-members-known", domains: 0, needed: 0 };
    if (found.kind === "not-reproduced") return { action, ...found };
    const { vouchers, policy } = found;
    const statement = summaryOf({ network: members.network, signer: keys.publicKey, policy }, vouchers, now());
    if (statement === undefined) return { kind: "not-reproduced", action, why: "no-outputs", domains: vouchers.length, needed: 0 };
    return {
      kind: "reproduced",
      action,
      policy,
      domains: vouchers.map(({ domain }) => domain),
      envelope: sealed(keys, statement),
      inputs: vouchers.map(({ attestation }) => attestationEnvelope(members.network, attestation)),
    };
  }
}
