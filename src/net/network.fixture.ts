/**
 * Real nodes on loopback for tests of this room: they found a network, invite, join, and stop when their test ends.
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { type Facts, type Host, type Log, limits } from "../base/index.ts";
import {
  epochRule,
  invitationKeyPair,
  type KeyPair,
  keyPairFromSeed,
  Members,
  Membership,
  type MembershipParts,
  makeIdentity,
  requestToJoin,
} from "../trust/index.ts";
import { loadNetworkCodec, type NetworkCodec } from "../wire/index.ts";
import { SavedDiscovery } from "./known-peers.ts";
import { makeLibp2p } from "./libp2p.ts";
import { Network } from "./network.ts";
import { peerIdOf } from "./peer-id.ts";
import type { PeerKeeperOptions } from "./peer-keeper.ts";

export const codec: NetworkCodec = await loadNetworkCodec();
export const parts: MembershipParts = { codec, rule: epochRule(codec) };
const LOOPBACK = [["/ip4/127.0.0.1/tcp/0"]];
const HOUR = 3_600_000;

export interface Node {
  readonly members: Members;
  readonly network: Network;
  readonly keys: KeyPair;
  readonly events: { name: string; facts: Facts }[];
  readonly saved: Map<string, Host>;
  readonly seed: Uint8Array;
}

/** What lasts as long as a test, or as a command that does what a test does. */
export interface Stage {
  /** Called at the end, what was begun last first. */
  after(end: () => unknown): void;
  readonly signal: AbortSignal;
}

export function seedOf(number: number): Uint8Array {
  return Buffer.alloc(32, number);
}

export function founded(number: number): Membership {
  const keys = keyPairFromSeed(seedOf(number));
  const founder = makeIdentity(keys, keyPairFromSeed(seedOf(100 + number)), `m${number}`);
  return Membership.found(parts, keys, { kind: "genesis", name: "net", domain: "home", founder, nonce: new Uint8Array(16) }, Date.now());
}

export async function start(
  t: Stage,
  number: number,
  membership: Membership,
  saved: Map<string, Host> = new Map(),
  listen: readonly (readonly string[])[] = LOOPBACK,
  links: PeerKeeperOptions = { ...limits.peerSet, most: limits.peers },
): Promise<Node> {
  const seed = seedOf(number);
  const keys = keyPairFromSeed(seed);
  const events: { name: string; facts: Facts }[] = [];
  const log: Log = { event: (_level, name, facts = {}) => void events.push({ name, facts }) };
  const members = new Members({ ...parts, membership, keys, now: Date.now });
  const store = {
    load: () => [...saved.values()],
    save: (host: Host) => void saved.set(host.peerKey, host),
    forget: (key: string) => void saved.delete(key),
  };
  const network = await Network.start(
    {
      roster: members,
      saved: store,
      discoveries: () => [new SavedDiscovery({ saved: store, members: () => members.others() })],
      domainOf: (key) => members.state?.members.get(key)?.domain ?? "",
      anchors: { load: () => [], save: () => undefined },
      codec,
      log,
      now: () => performance.now(),
      random: Math.random,
    },
    { seed, listen, links, relay: { circuits: 256 }, portMapping: false },
  );
  t.after(() => network[Symbol.asyncDispose]());
  return { members, network, keys, events, saved, seed };
}

/** Waits for something that must come true; the test's own timeout is the limit. */
export async function until(t: Pick<Stage, "signal">, what: () => boolean): Promise<void> {
  while (!what()) await sleep(5, undefined, { signal: t.signal });
}

export function invite(host: Node, number: number): { network: string; secret: Uint8Array; hosts: Host[] } {
  const secret = Buffer.alloc(16, number);
  const issued = host.members.issue({
    kind: "invite",
    key: invitationKeyPair(secret).publicKey,
    domain: "home",
    expiresAtMs: Date.now() + HOUR,
  });
  assert.equal(issued.kind, "issued");
  return { network: host.members.network, secret, hosts: host.network.hosts(1) };
}

/** @param listen nothing in it: a node that nobody can dial */
export async function join(
  t: TestContext,
  number: number,
  host: Node,
  listen?: readonly (readonly string[])[],
  links?: PeerKeeperOptions,
): Promise<Node> {
  const line = invite(host, number);
  const node = await start(t, number, new Membership(parts, line.network), new Map(), listen, links);
  const identity = makeIdentity(node.keys, keyPairFromSeed(seedOf(100 + number)), `m${number}`);
  const outcome = await node.network.join(line, requestToJoin(codec, node.keys, identity, line), t.signal);
  assert.deepEqual(outcome, { kind: "welcome" });
  await until(t, () => node.members.standing(node.members.self) === "active");
  return node;
}

/** A connection to a node by somebody who has libp2p and a key. */
export async function dialler(t: TestContext, seed: Uint8Array, to: Node): Promise<Connection> {
  const client = await makeLibp2p({ refuses: () => false, isFamiliar: () => false }, { seed, listen: [] });
  await client.start();
  t.after(() => client.stop());
  return client.dial(multiaddr(`${to.network.addresses[0]}/p2p/${peerIdOf(to.members.self).toString()}`));
}
