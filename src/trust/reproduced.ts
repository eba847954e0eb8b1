/**
 * Whether a result is one that independent domains have come to, so that this node may say so to others.
 *
 * Knows: the reader's rule, and that its own work is one domain's word like any other here. Does not know: how it is said; see summary.ts.
 */
import { limits } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { verifiedId } from "./attestation.ts";
import { answersBeside, certificateOf, contradiction, type Doubt, type Reader } from "./judge.ts";
import { sharingUnder } from "./policy.ts";
import { isReceipt } from "./receipts.ts";
import { domainsToSummarize, type Voucher } from "./summary.ts";
import { voiceOf } from "./tally.ts";

export type Reproduction =
  | { readonly kind: "reproduced"; readonly vouchers: readonly Voucher[] }
  /** @property needed how many domains must vouch for it; 0 where that was not what mattered */
  | { readonly kind: "not-reproduced"; readonly why: Doubt; readonly domains: number; readonly needed: number };

/**
 * @param claim any attestation of the result
 * @param known what else this node knows of that request
 */
export function reproduction(reader: Reader, claim: Attestation, known: readonly Attestation[]): Reproduction {
  const { state, discredited } = reader;
  const { rules } = state.policy;
  const policy = sharingUnder(rules, reader.policy);
  if (policy === "self") return { kind: "not-reproduced", why: "policy", domains: 0, needed: 0 };
  if (verifiedId(state.network, claim) === undefined) return { kind: "not-reproduced", why: "signature", domains: 0, needed: 0 };
  if (isReceipt(claim.outputs)) return { kind: "not-reproduced", why: "received", domains: 0, needed: 0 };
  const heard = [claim, ...answersBeside(claim, known)].filter((one) => !discredited.has(one.execution.signer));
  const certificate = certificateOf(state, claim, heard, { reader: undefined, most: limits.trust.summaryDomains });
  const needed = Math.max(rules.quorum ?? 0, domainsToSummarize(policy));
  const doubt = contradiction(reader, claim, heard, needed) ?? (certificate.length < needed ? "too-few-domains" : undefined);
  if (doubt !== undefined) return { kind: "not-reproduced", why: doubt, domains: certificate.length, needed };
  const domainOf = ({ execution }: Attestation): string => voiceOf(state, execution.signer) ?? "";
  const vouchers = certificate.map((attestation) => ({ domain: domainOf(attestation), attestation }));
  return { kind: "reproduced", vouchers: vouchers.toSorted((a, b) => (a.domain < b.domain ? -1 : 1)) };
}
