/**
 * What it costs a reader to check a certificate of three domains under the strictest policy: a result that was just offered, with what it has
 * kept of two others' attestations of the same. Nothing of it was looked at before.
 *
 * Bench only: real keys, membership, encodings and signatures, and the reader's own rule.
 */
import { checkAttestation } from "../src/daemon/attestation-desk.ts";
import { claimIn, judge, type Reader } from "../src/trust/index.ts";
import { codec } from "../src/trust/membership.fixture.ts";
import { attestedBy, executed, sharedBy, trustWorld } from "../src/trust/trust.fixture.ts";
import type { Settings } from "./settings.ts";
import { quantile, same } from "./statistics.ts";
import { type Report, row } from "./table.ts";

const DOMAINS = 4;
const BAR = { must: 2, aim: 1 } as const;
/** Code is compiled meanwhile. */
const WARM_UP = 200;

export function judging(settings: Settings): Promise<Report> {
  const { membership, state, signers } = trustWorld(Array.from({ length: DOMAINS }, () => 1));
  const [reading, offering, ...others] = signers.flat();
  const { network } = membership;
  if (reading === undefined || offering === undefined || state === undefined) throw new Error("nobody is there");
  const reader: Reader = { policy: "release", self: reading.keys.publicKey, state, discredited: new Set() };
  const offers = Array.from({ length: WARM_UP + settings.questions }, (_, at) => {
    const made = executed(`work ${at}`, "good");
    const kept = others.map((one) => codec.encodeAttestation(attestedBy(network, one, made)) ?? new Uint8Array());
    return { offered: sharedBy(network, offering, made), kept };
  });
  const tookMs = offers.map(({ offered, kept }) => {
    const began = performance.now();
    const claim = claimIn(offered);
    const known = kept
      .filter((bytes) => checkAttestation({ codec, members: { network, state } }, bytes).kind === "good")
      .map((bytes) => codec.decodeAttestation(bytes));
    const verdict = claim === undefined ? undefined : judge(reader, claim, () => known);
    if (verdict?.kind !== "believed" || verdict.certificate.length !== DOMAINS - 1) throw new Error("an honest result was not believed");
    return performance.now() - began;
  });
  const sorted = tookMs.slice(WARM_UP).toSorted((a, b) => a - b);
  const rows = [
    row("a certificate of three domains, p50", "ms", same(quantile(sorted, 0.5))),
    row("a certificate of three domains, p99", "ms", same(quantile(sorted, 0.99)), BAR),
  ];
  return Promise.resolve({ benchmark: "judging", rows, notes: [`${settings.questions} results, each looked at once`] });
}
