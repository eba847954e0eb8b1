/**
 * A member of this process that lies about results, among real daemons: it was invited like anybody else.
 */
import assert from "node:assert/strict";
import type { AttestationId, Key } from "../../src/base/index.ts";
import type { AttestationSet, SharedResult } from "../../src/contracts/index.ts";
import { Share } from "../../src/net/index.ts";
import { codec, parts, type Stage, seedOf, start } from "../../src/net/network.fixture.ts";
import { ALONE, MemoryShelf, Street } from "../../src/net/share.fixture.ts";
import { BoundedIds } from "../../src/store/index.ts";
import { attest, attestationOf, type KeyPair, keyPairFromSeed, Membership, makeIdentity, requestToJoin } from "../../src/trust/index.ts";
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

/** Knows of its own attestations, so many at most, and wants to know of no other. */
class OwnAttestations implements AttestationSet {
  readonly #known: BoundedIds;
  readonly #bodies = new Map<AttestationId, Uint8Array>();
  readonly #listeners: ((ids: readonly AttestationId[]) => void)[] = [];

  constructor(most: number) {
    this.#known = new BoundedIds({ most, perSigner: most });
  }

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

/** A member of this process that tells others what it likes. */
export interface Pretender {
  readonly network: string;
  readonly keys: KeyPair;
  readonly shelf: MemoryShelf;
  readonly attestations: OwnAttestations;
  readonly share: Share;
  readonly signal: AbortSignal;
}

/** What somebody has executed, with its blobs. */
export interface Honest {
  readonly shared: SharedResult;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** What a forger would have others take for the compiler's object. */
export const POISON: Buffer = Buffer.from("what no compiler has written");

/**
 * Joins by an invitation of `host` as the first machine of a domain, called like it.
 *
 * @param number of its keys; two of one process have different ones @param most what it says at most
 */
export async function pretender(t: Stage, host: TestNode, name: string, number: number, most: number): Promise<Pretender> {
  const line = codec.readInvitationLine(await invitation(host, "--domain", name)) ?? assert.fail("no invitation");
  const node = await start(t, number, new Membership(parts, line.network));
  const keys = keyPairFromSeed(seedOf(100 + number));
  const joined = await node.network.join(line, requestToJoin(codec, node.keys, makeIdentity(node.keys, keys, name), line), t.signal);
  assert.deepEqual(joined, { kind: "welcome" });
  // A provisional member has no voice.
  await until(t, async () => (await membersOf(host)).some((row) => row.name === name && !row.provisional));
  const shelf = new MemoryShelf();
  const attestations = new OwnAttestations(most);
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
  return { network: line.network, keys, shelf, attestations, share, signal: t.signal };
}

/** What a machine has executed of a request, as it gives it to members. */
export async function takenFrom({ share, signal }: Pretender, victim: TestNode, manifest: string): Promise<Honest> {
  const { members } = await victim.control("GET", "/network/members");
  const from = (members as { readonly self: boolean; readonly key: Key }[]).find(({ self }) => self)?.key ?? assert.fail("nobody");
  await until({ signal }, async () => share.whoHas(manifest).includes(from));
  const { shared, blobs } = await share.results(from, manifest, { ...ALONE, alongBytes: 100_000 }, signal);
  const [honest] = shared;
  assert.ok(honest !== undefined);
  return { shared: honest, blobs };
}

/** The same as honest results are, but for the object, and by another signer. */
export function forgedBy({ network, keys, shelf }: Pretender, { shared, blobs }: Honest): SharedResult {
  const outputs = shared.result.outputs.map((one) => (one.role === "object" ? { ...one, ...shelf.hold(POISON) } : one));
  for (const bytes of blobs.values()) shelf.hold(bytes);
  const { signer: _, ...execution } = shared.execution;
  return attest(keys, network, { ...shared, result: { ...shared.result, outputs }, execution }) ?? assert.fail("it is not shareable");
}

/**
 * Joins by an invitation of `host` as the first machine of a domain, called like it; takes what `victim` has executed last, and signs it with
 * another object.
 */
export async function forgingMember(t: Stage, host: TestNode, name: string, victim: TestNode): Promise<Forger> {
  const liar = await pretender(t, host, name, 77, 1);
  const forged = forgedBy(liar, await takenFrom(liar, victim, await lastManifest(victim)));
  return {
    object: POISON,
    offer: () => liar.shelf.put(forged),
    attest: () => liar.attestations.say(liar.network, forged),
  };
}

/** The request of which a machine has compiled something last, as it tells people. */
export async function lastManifest(victim: TestNode): Promise<string> {
  const { record } = (await victim.control("GET", "/explain")) as { readonly record: { readonly manifest: string } };
  return record.manifest;
}
