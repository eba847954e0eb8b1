import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CairnError, limits } from "../base/index.ts";
import * as codec from "./network.ts";
import { same } from "./same.fixture.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const hex = bytes(32).map((value) => Buffer.from(value).toString("hex"));
const chunk = fc.nat({ max: limits.blobBytes / limits.swarm.chunkBytes - 1 });
const item = fc.record({ manifest: hex, actions: fc.array(hex, { maxLength: limits.shareResultsPerManifest }) });
const kept = { digest: hex, bytes: fc.maxSafeNat(), leaseS: fc.nat({ max: 2 ** 32 - 1 }), pinner: hex };
const tree = fc.oneof(
  fc.record({ ...kept, codec: fc.constantFrom("raw" as const, "directory" as const) }),
  fc.record({ ...kept, codec: fc.constant("result" as const), manifest: hex }),
);
const verdict = fc.constantFrom("kept", "refused", "failed", "full", "busy");
const want = fc.oneof(fc.constant({ kind: "list" } as const), fc.record({ kind: fc.constantFrom("chunk", "cancel"), chunk }));
const give = fc.oneof(
  fc.record({
    kind: fc.constant("state"),
    complete: fc.boolean(),
    have: fc.uint8Array({ maxLength: 256 }),
    listDigest: fc.option(hex, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("list"), hashes: fc.nat({ max: 64 }).chain((count) => bytes(32 * count)) }),
  fc.record({ kind: fc.constant("chunk"), chunk, length: fc.integer({ min: 1, max: limits.swarm.chunkBytes }) }),
  fc.record({ kind: fc.constant("have"), chunks: fc.array(chunk, { maxLength: 20 }) }),
  fc.record({ kind: fc.constant("peers"), keys: fc.array(hex, { maxLength: limits.swarm.peersTold }) }),
);
const signedName = fc.record({
  record: fc.record({
    network: hex,
    author: hex,
    name: fc.constantFrom("a", "main", "latest-2"),
    sequence: fc.nat(),
    root: hex,
    codec: fc.constantFrom("" as const, "raw" as const, "directory" as const),
    issuedAtMs: fc.maxSafeNat(),
    expiresAtMs: fc.maxSafeNat(),
  }),
  signature: bytes(64),
});
const LENGTH = 4;

test("what is said about copies, chunks and names comes back as it was said", () => {
  fc.assert(
    fc.property(
      fc.array(item, { minLength: 1, maxLength: limits.replication.itemsPerOffer }),
      fc.uniqueArray(tree, { selector: ({ digest }) => digest, minLength: 1, maxLength: limits.replication.itemsPerOffer }),
      fc.array(verdict),
      want,
      give,
      fc.array(signedName, { maxLength: 4 }),
      (items, trees, verdicts, wanted, given, records) => {
        same(codec.decodeKeepTrees(codec.encodeKeepTrees(trees)), trees);
        same(codec.decodeKeepOffer(codec.encodeKeepOffer(items)), items);
        same(codec.decodeKeepAnswer(codec.encodeKeepAnswer(verdicts)), verdicts);
        same(codec.decodeSwarmWant(codec.encodeSwarmWant(wanted).subarray(LENGTH)), wanted);
        same(codec.decodeSwarmGive(codec.encodeSwarmGive(given).subarray(LENGTH)), given);
        same(codec.decodeNamesFrame(codec.encodeNamesFrame({ name: "main", records })), { name: "main", records });
      },
    ),
  );
});

test("frames at their limits fit", () => {
  const digest = "ab".repeat(32);
  const items = Array.from({ length: limits.replication.itemsPerOffer }, () => ({
    manifest: digest,
    actions: Array.from({ length: limits.shareResultsPerManifest }, () => digest),
  }));
  assert.equal(codec.decodeKeepOffer(codec.encodeKeepOffer(items)).length, items.length);
  const record = {
    network: digest,
    author: digest,
    name: "n".repeat(63),
    sequence: 2 ** 53 - 1,
    root: digest,
    codec: "directory" as const,
    issuedAtMs: 0,
    expiresAtMs: 1,
  };
  const records = Array.from({ length: limits.names.recordsPerFrame }, () => ({ record, signature: new Uint8Array(64) }));
  assert.equal(codec.decodeNamesFrame(codec.encodeNamesFrame({ name: "n", records })).records.length, records.length);
  const hashes = new Uint8Array((32 * limits.blobBytes) / limits.swarm.chunkBytes);
  same(codec.decodeSwarmGive(codec.encodeSwarmGive({ kind: "list", hashes }).subarray(LENGTH)), { kind: "list", hashes });
});

test("what makes no sense is refused, and nothing else happens", () => {
  const decoders = [
    codec.decodeKeepOffer,
    codec.decodeKeepTrees,
    codec.decodeKeepAnswer,
    codec.decodeSwarmWant,
    codec.decodeSwarmGive,
    codec.decodeNamesFrame,
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (rubbish) => {
      for (const decode of decoders)
        try {
          decode(rubbish);
        } catch (error) {
          assert.ok(error instanceof CairnError && error.code === "frame-invalid", String(error));
        }
    }),
  );
});
