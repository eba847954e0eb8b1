import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type Identity, isName, limits, type NetworkPolicy, type Statement } from "../base/index.ts";
import type { Hello, MemberFrame } from "./member-link.ts";
import * as codec from "./network.ts";
import { same } from "./same.fixture.ts";

const ROOT = join(import.meta.dirname, "../..");

const hex = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
const name = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/).filter(isName);
const time = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const identity: fc.Arbitrary<Identity> = fc.record({
  peerKey: hex,
  attestationKey: hex,
  certificate: bytes(64),
  possession: bytes(64),
  name,
});
const request = fc.record({ network: hex, invitation: hex, identity, byInvitation: bytes(64), byPeer: bytes(64) });
const kind = <K extends string>(value: K): fc.Arbitrary<K> => fc.constant(value);
const policy: fc.Arbitrary<NetworkPolicy> = fc.record(
  {
    sharing: fc.constantFrom("speculative", "team", "release", "self"),
    quorum: fc.integer({ min: 1, max: limits.policy.quorumMost }),
    auditOneOf: fc.integer({ min: 1, max: limits.policy.auditMost }),
    openInvitations: fc.integer({ min: 1, max: limits.openInvitations }),
    toolchains: fc.constantFrom("network", "domain", "approved"),
    approvedToolchains: fc.uniqueArray(hex, { minLength: 1, maxLength: limits.policy.toolchains }).map((digests) => digests.toSorted()),
    hasTrial: fc.constant(true),
    isUnanimous: fc.constant(true),
  },
  { requiredKeys: [], noNullPrototype: true },
);
const operation = fc.oneof(
  fc.record({ kind: kind("domain"), name }),
  fc.record({ kind: kind("invite"), key: hex, domain: name, expiresAtMs: time }),
  fc.record({ kind: kind("admit"), request }),
  fc.record({ kind: kind("revoke"), member: hex }),
  fc.record({ kind: kind("revoke"), member: hex, isWithdrawn: fc.constant(true as const) }),
  fc.record({ kind: kind("leave") }),
  fc.record({ kind: kind("policy"), number: fc.integer({ min: 1, max: limits.policy.changes }), policy }),
  fc.record({ kind: kind("accept"), statement: hex }),
  fc.record(
    {
      kind: kind("claim"),
      name,
      owner: fc.option(hex, { nil: undefined }),
      after: hex,
      floor: fc.integer({ min: 1, max: limits.names.token }),
    },
    { requiredKeys: ["kind", "name", "owner", "after"], noNullPrototype: true },
  ),
);
const statement: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({ network: hex, author: hex, sequence: fc.integer({ min: 1, max: limits.operationsPerMember }), atMs: time, what: operation }),
  fc.record({
    network: hex,
    author: hex,
    sequence: fc.constant(0),
    atMs: time,
    what: fc.record({
      kind: kind("epoch"),
      number: fc.integer({ min: 1, max: limits.epochs }),
      previous: hex,
      operations: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }),
    }),
  }),
  fc.record({
    network: fc.constant(""),
    author: hex,
    sequence: fc.constant(0),
    atMs: time,
    what: fc.record({ kind: kind("genesis"), name, domain: name, founder: identity, nonce: bytes(16) }),
  }),
);
const host = fc.record({
  peerKey: hex,
  addresses: fc.array(
    fc.string({ maxLength: 40 }).filter((text) => text.isWellFormed()),
    { maxLength: 8 },
  ),
});

const ids = fc.array(
  bytes(16).map((id) => Buffer.from(id).toString("hex")),
  { maxLength: 5 },
);
const topics = fc.array(fc.stringMatching(/^[a-z/0-9]{0,64}$/), { maxLength: 5 });
const gossip = fc.record({
  topics: fc.option(topics, { nil: undefined }),
  messages: fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }),
  graft: topics,
  prune: topics,
  have: ids,
  want: ids,
  given: fc.array(
    bytes(8).map((key) => Buffer.from(key).toString("hex")),
    { maxLength: 5 },
  ),
});

test("what is written is read, and has one encoding only", () => {
  fc.assert(
    fc.property(statement, fc.nat(), fc.nat(255), (value, at, change) => {
      const encoded = codec.encodeStatement(value);
      same(codec.decodeStatement(encoded), value);
      const other = Uint8Array.from(encoded);
      other[at % other.length] = change;
      try {
        assert.deepEqual(Buffer.from(codec.encodeStatement(codec.decodeStatement(other))), Buffer.from(other));
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, "frame-invalid");
      }
    }),
  );
});

test("another encoding of the same, and what is out of bounds", () => {
  const good: Statement = { network: "ab".repeat(32), author: "cd".repeat(32), sequence: 1, atMs: 5, what: { kind: "domain", name: "x" } };
  const encoded = Buffer.from(codec.encodeStatement(good));
  const rows: [string, Uint8Array][] = [
    ["an unknown field", Buffer.concat([encoded, Buffer.of(0x78, 1)])],
    ["a field twice", Buffer.concat([encoded, Buffer.of(0x20, 5)])],
    [
      "a default spelled out",
      codec.encodeStatement({ ...good, atMs: 0 }).length > 0
        ? Buffer.concat([codec.encodeStatement({ ...good, atMs: 0 }), Buffer.of(0x20, 0)])
        : encoded,
    ],
    ["a number that is longer than it must be", Buffer.from(encoded.toString("hex").replace("1801", "188100"), "hex")],
    ["no kind", codec.encodeStatement({ ...good, what: { kind: "domain", name: "x" } }).subarray(0, -5)],
    ["a key that is too short", codec.encodeStatement({ ...good, author: "cd" })],
    ["a name that is none", codec.encodeStatement({ ...good, what: { kind: "domain", name: "No Name" } })],
    ["a sequence of 0", codec.encodeStatement({ ...good, sequence: 0 })],
    ["a sequence without end", codec.encodeStatement({ ...good, sequence: limits.operationsPerMember + 1 })],
    ["nothing", new Uint8Array(0)],
    ["too much", new Uint8Array(limits.epochBytes + 1)],
  ];
  for (const [about, wrong] of rows) assert.throws(() => codec.decodeStatement(wrong), { code: "frame-invalid" }, about);
});

test("hellos and frames", () => {
  const hello: fc.Arbitrary<Hello> = fc.oneof(
    fc.record({ kind: kind("member"), network: hex, proof: fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }) }),
    fc.record({ kind: kind("join"), network: hex, request }),
  );
  const frame: fc.Arbitrary<MemberFrame> = fc.oneof(
    fc.record({
      kind: kind("have"),
      have: fc.record({ epochs: fc.array(hex, { maxLength: 20 }), pending: fc.array(hex, { maxLength: 20 }) }),
    }),
    fc.record({ kind: kind("statements"), statements: fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }) }),
    fc.record({ kind: kind("ping"), nonce: fc.nat(0xffff_ffff), summary: hex }),
    fc.record({ kind: kind("pong"), nonce: fc.nat(0xffff_ffff) }),
    fc.record({ kind: kind("addresses"), hosts: fc.array(host, { maxLength: 5 }) }),
    fc.record({ kind: kind("gossip"), gossip }),
  );
  fc.assert(fc.property(hello, (value) => same(codec.decodeHello(codec.encodeHello(value)), value)));
  fc.assert(fc.property(frame, (value) => same(codec.decodeMemberFrame(codec.encodeMemberFrame(value)), value)));
  for (const answer of [{ kind: "welcome" }, { kind: "refused", reason: "revoked" }] as const)
    assert.deepEqual(codec.decodeHelloAnswer(codec.encodeHelloAnswer(answer)), answer);
});

test("gossip: messages and what they are about", () => {
  const topic = fc.stringMatching(/^[a-z/0-9]{0,64}$/);
  const body = fc.record({ network: hex, author: hex, sequence: fc.maxSafeNat(), topic, content: fc.uint8Array({ maxLength: 200 }) });
  fc.assert(
    fc.property(body, bytes(64), (said, signature) => {
      const message = codec.encodeGossipMessage({ body: codec.encodeGossipBody(said), signature });
      same(codec.decodeGossipMessage(message), { body: codec.encodeGossipBody(said), signature, said });
    }),
  );
  const large = fc.maxSafeNat();
  const small = fc.nat(0xffff_ffff);
  const capacity = fc.record({
    version: fc.constantFrom("", "0.1.0", "1.2.3-rc.1"),
    platform: fc.constantFrom("linux-x64", "darwin-arm64"),
    cores: small,
    load: fc.nat(100_000).map((percent) => percent / 100),
    memoryBytes: large,
    freeBytes: large,
    jobs: small,
    cacheBytes: large,
  });
  fc.assert(
    fc.property(capacity, (value) =>
      same(codec.decodePresence(codec.encodePresence({ kind: "here", capacity: value })), { kind: "here", capacity: value }),
    ),
  );
  assert.deepEqual(codec.decodePresence(codec.encodePresence({ kind: "goodbye" })), { kind: "goodbye" });
  const escaping = { version: "\u001b[2J", platform: "x", cores: 1, load: 0, memoryBytes: 0, freeBytes: 0, jobs: 0, cacheBytes: 0 };
  const rows: [string, () => unknown][] = [
    ["a version that would reach a terminal", () => codec.decodePresence(codec.encodePresence({ kind: "here", capacity: escaping }))],
    ["nothing", () => codec.decodePresence(new Uint8Array(0))],
    [
      "a signature that is none",
      () => codec.decodeGossipMessage(codec.encodeGossipMessage({ body: Buffer.of(), signature: Buffer.alloc(64) })),
    ],
  ];
  for (const [about, decode] of rows) assert.throws(decode, { code: "frame-invalid" }, about);
});

test("noise is refused and nothing worse", () => {
  const decoders = [
    codec.decodeStatement,
    codec.decodeSigned,
    codec.decodeHello,
    codec.decodeHelloAnswer,
    codec.decodeMemberFrame,
    codec.decodeGossipMessage,
    codec.decodePresence,
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(...decoders), (noise, decode) => {
      try {
        decode(noise);
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, "frame-invalid");
      }
    }),
    { numRuns: 500 },
  );
});

test("an invitation survives being pasted, and shows when it did not", () => {
  fc.assert(
    fc.property(hex, bytes(16), fc.array(host, { maxLength: 4 }), fc.boolean(), fc.nat(), (network, secret, hosts, isNewer, cut) => {
      const invitation = { network, secret, hosts, ...(isNewer && { isNewer: true as const }) };
      const line = codec.writeInvitationLine(invitation);
      // Versions that know nothing of it know the first beginning only.
      assert.match(line, isNewer ? /^cairn2-[\w-]+$/ : /^cairn1-[\w-]+$/);
      same(codec.readInvitationLine(`  ${line}\n`), invitation);
      assert.equal(codec.readInvitationLine(line.slice(0, 7 + (cut % (line.length - 7)))), undefined);
      const at = 7 + (cut % (line.length - 7));
      const changed = line.slice(0, at) + (line[at] === "A" ? "B" : "A") + line.slice(at + 1);
      // The last letter may hold bits that mean nothing.
      if (at < line.length - 1) assert.equal(codec.readInvitationLine(changed), undefined);
    }),
  );
});

test("generated code is what the schema says", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-schema-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const ran = spawnSync(join(ROOT, "node_modules/.bin/buf"), ["generate", "--output", directory], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}` },
  });
  if (ran.error !== undefined || ran.status === 127) return t.skip("buf cannot be run here");
  assert.equal(ran.status, 0, ran.stderr);
  const read = (root: string): object =>
    Object.fromEntries(
      globSync("src/wire/generated/*", { cwd: root })
        .toSorted()
        .map((path) => [path, readFileSync(join(root, path), "utf8")]),
    );
  assert.deepEqual(read(directory), read(ROOT), "npm run schema");
  return undefined;
});

test("approved toolchains that are not in order, or twice there, or too many, are no policy", () => {
  const written = (approvedToolchains: readonly string[]): Uint8Array =>
    codec.encodeStatement({
      network: "ab".repeat(32),
      author: "cd".repeat(32),
      sequence: 1,
      atMs: 1,
      what: { kind: "policy", number: 1, policy: { approvedToolchains } },
    });
  const digest = (at: number): string => at.toString(16).padStart(64, "0");
  const most = Array.from({ length: limits.policy.toolchains }, (_, at) => digest(at));
  assert.equal(codec.decodeStatement(written(most)).what.kind, "policy");
  for (const wrong of [
    [digest(1), digest(1)],
    [digest(2), digest(1)],
    [...most, digest(most.length)],
  ])
    assert.throws(() => codec.decodeStatement(written(wrong)), { code: "frame-invalid" });
});
