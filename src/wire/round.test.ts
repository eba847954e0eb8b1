import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { attestedBy, executed, trustWorld } from "../../test/compliance/trust-world.ts";
import { CairnError } from "../base/index.ts";
import type { RoundFrame } from "../contracts/index.ts";
import * as codec from "./network.ts";
import { same } from "./same.fixture.ts";

const { state, signers } = trustWorld([1], 4_500);
const attestation = attestedBy(state.network, signers[0]?.[0] ?? assert.fail("nobody"), executed("work", "x"));
const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((value) => Buffer.from(value).toString("hex"));
const signature = fc.uint8Array({ minLength: 64, maxLength: 64 });
const frame: fc.Arbitrary<RoundFrame> = fc.oneof(
  fc.record({ kind: fc.constant("ask"), round: hex, manifest: hex, action: hex }),
  fc.record({
    kind: fc.constant("declined"),
    why: fc.constantFrom("not-disputed", "unable", "busy", "spoken"),
    attestation: fc.constantFrom(undefined, attestation),
  }),
  fc.record({ kind: fc.constant("commitment"), digest: hex, signature }),
  fc.constant({ kind: "reveal" } as const),
  fc.record({ kind: fc.constant("opening"), nonce: hex, attestation: fc.constant(attestation), signature }),
);

test("what is said in a round comes back as it was said, and nothing else is understood", () => {
  fc.assert(fc.property(frame, (said) => same(codec.decodeRoundFrame(codec.encodeRoundFrame(said)), said)));
  fc.assert(
    fc.property(frame, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 40 }), (said, at, rubbish) => {
      const bytes = Buffer.from(codec.encodeRoundFrame(said));
      bytes.set(rubbish.subarray(0, Math.max(0, bytes.length - (at % bytes.length))), at % bytes.length);
      for (const damaged of [bytes, rubbish, bytes.subarray(0, at % bytes.length)])
        try {
          codec.decodeRoundFrame(damaged);
        } catch (error) {
          assert.ok(error instanceof CairnError && error.code === "frame-invalid", String(error));
        }
    }),
  );
});
