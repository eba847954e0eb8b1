import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, silentLog } from "../base/index.ts";
import type { Given, SharedResult } from "../contracts/index.ts";
import { type SharingNetwork, SharingService } from "./sharing.ts";

const BLOB = Buffer.from("object");
const MANIFEST = digestOf("manifest");
const SHARED: SharedResult = {
  manifest: MANIFEST,
  entry: { action: digestOf("action"), place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
  result: {
    outputs: [{ path: "\0C/a.o", digest: digestOf(BLOB), size: BLOB.length, role: "object", template: false }],
    stdout: "",
    stderr: "",
    compileMs: 10,
    cpuMs: 9,
  },
  execution: { signer: "ab".repeat(32), toolchain: "cd".repeat(32), startedAtMs: 1, endedAtMs: 2 },
  signature: Buffer.alloc(64),
};
const GIVEN: Given = { shared: [SHARED], blobs: new Map([[digestOf(BLOB), BLOB]]), following: [] };

test("what is brought is in the store at once, and in the index when it is kept, unless its signer has been revoked", async (t) => {
  const stored: Digest[] = [];
  const kept: string[] = [];
  let isRevoked = false;
  const judge = (): ReturnType<SharingNetwork["judge"]> =>
    isRevoked
      ? { kind: "refused", why: "revoked", domains: 0, needed: 0 }
      : { kind: "believed", tier: "team", domains: ["home"], oneOf: 50 };
  const network: SharingNetwork = {
    exchange: { isOffered: true, whoHas: () => ["member"], results: async () => GIVEN, blobs: async () => assert.fail("it came along") },
    directory: { find: async () => ["member"] },
    shelf: { put: (all) => kept.push(...all.map(() => "shelf")) },
    sign: () => undefined,
    keep: () => undefined,
    policy: "team",
    judge,
    vouch: () => undefined,
    vouched: () => undefined,
    keepOthers: () => undefined,
    isOthers: () => true,
  };
  await using sharing = new SharingService({
    store: { has: async () => false, writeVerified: async (digest) => void stored.push(digest) },
    index: { add: () => void kept.push("index"), entries: () => [], result: () => undefined },
    log: silentLog,
    network: () => network,
    isStarting: () => false,
    random: () => 1,
  });
  const [offer] = await sharing.find(MANIFEST, t.signal);
  assert.ok(offer !== undefined);
  assert.deepEqual(await sharing.bring(offer, t.signal), { complete: true, bytes: BLOB.length });
  assert.deepEqual([stored, kept], [[digestOf(BLOB)], []]);
  isRevoked = true;
  assert.equal(sharing.keep(offer), false);
  assert.deepEqual(kept, []);
  isRevoked = false;
  assert.equal(sharing.keep(offer), true);
  assert.deepEqual(kept, ["index", "shelf"], "a signature is kept beside what it is about");
  assert.equal(sharing.refused(MANIFEST, []), undefined);
  isRevoked = true;
  assert.deepEqual(await sharing.find(MANIFEST, t.signal), []);
  assert.equal(sharing.refused(MANIFEST, [])?.why, "revoked", "who had it and was not believed is remembered");
  assert.equal(sharing.refused(MANIFEST, [{ path: "a.c", digest: MANIFEST }]), undefined, "but not of other inputs");
});
