/**
 * A member of this process that lies about results, among real daemons: it was invited like anybody else.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { AttestationId, Key } from "../../src/base/index.ts";
import type { AttestationSet, SharedResult } from "../../src/contracts/index.ts";
import { Share } from "../../src/net/index.ts";
import { codec, parts, seedOf, start } from "../../src/net/network.fixture.ts";
import { ALONE, MemoryShelf, Street } from "../../src/net/share.fixture.ts";
import { BoundedIds } from "../../src/store/index.ts";
import { attest, attestationOf, keyPairFromSeed, Membership, makeIdentity, requestToJoin } from "../../src/trust/index.ts";
import type { TestNode } from "./harness.ts";
import { invitation, members as membersOf, until } from "./network-world.ts";

export interface Forger {
  /** What it would have others take for the compiler's object. */
  readonly object: Buffer;
  /** Begins to say that it has the result. */
  offer(): void;
  /** Tells all that this came of it when it executed that. */
  attest(): void;
}

/** Knows of one attestation at most, its own, and wants to know of no other. */
class OneAttestation implements AttestationSet {
  readonly #known = new BoundedIds({ most: 1, perSigner: 1 });
  readonly #bodies = new Map<AttestationId, Uint8Array>();
  readonly #listeners: ((ids: readonly AttestationId[]) => void)[] = [];

  get ids(): AttestationSet["ids"] {
    return this.#known.ids;
  }

  bodies(ids: readonly AttestationId[]): Uint8Array[] {
    return ids.flatMap((id) => this.#bodies.get(id) ?? []);
  }

  admit(_: readonly Uint8Array[], done: Parameters<AttestationSet["admit"]>[1]): void {
    done({ kept: 0, forged: 0, unwelcome: 0 });
  }

  onOwn(listener: (ids: readonly AttestationId[]) => void): void {
    this.#listeners.push(listener);
  }

  say(network: string, shared: SharedResult): void {
    const { id, attestation } = attestationOf(network, shared);
    this.#bodies.set(id, codec.encodeAttestation(attestation) ?? assert.fail("it is too large"));
    this.#known.add(id, shared.execution.signer);
    for (const listener of this.#listeners) listener([id]);
  }
}

/**
 * Joins by an invitation of `host` as the first machine of a domain, called like it; takes what `victim` has executed, and signs it with another object.
 */
export async function forgingMember(t: TestContext, host: TestNode, name: string, victim: TestNode): Promise<Forger> {
  const line = codec.readInvitationLine(await invitation(host, "--domain", name)) ?? assert.fail("no invitation");
  const node = await start(t, 77, new Membership(parts, line.network));
  const keys = keyPairFromSeed(seedOf(177));
  const joined = await node.network.join(line, requestToJoin(codec, node.keys, makeIdentity(node.keys, keys, name), line), t.signal);
  assert.deepEqual(joined, { kind: "welcome" });
  // A provisional member has no voice.
  await until(t, async () => (await membersOf(host)).some((row) => row.name === name && !row.provisional));
  const shelf = new MemoryShelf();
  const attestations = new OneAttestation();
  const lanes = new Street().lanesOf(node.members.self);
  const log = { event: () => undefined };
  const share = await Share.start({
    network: node.network,
    shelf,
    attestations,
    codec,
    log,
    lanes,
    now: () => performance.now(),
  });
  t.after(() => share[Symbol.dispose]());
  const { members } = await victim.control("GET", "/network/members");
  const from = (members as { readonly self: boolean; readonly key: Key }[]).find(({ self }) => self)?.key ?? assert.fail("nobody");
  const [manifest] = (await manifestsOf(victim)) as [string];
  await until(t, async () => share.whoHas(manifest).includes(from));
  const { shared } = await share.results(from, manifest, ALONE, t.signal);
  const [honest] = shared;
  assert.ok(honest !== undefined);
  const object = Buffer.from("what no compiler has written");
  const outputs = honest.result.outputs.map((one) => {
    return one.role === "object" ? { ...one, ...shelf.hold(object) } : one;
  });
  const { blobs } = await share.results(from, manifest, { ...ALONE, alongBytes: 100_000 }, t.signal);
  for (const bytes of blobs.values()) shelf.hold(bytes);
  const { signer: _, ...execution } = honest.execution;
  const forged = attest(keys, line.network, { ...honest, result: { ...honest.result, outputs }, execution });
  assert.ok(forged !== undefined);
  return { object, offer: () => shelf.put(forged), attest: () => attestations.say(line.network, forged) };
}

/** Requests of which a machine has signed results, as it tells people. */
async function manifestsOf(node: TestNode): Promise<readonly string[]> {
  const { record } = (await node.control("GET", "/explain")) as { readonly record: { readonly manifest: string } };
  return [record.manifest];
}
