/**
 * `npm run sim -- directory`: what a node of a large network sends so that all know what all have executed.
 *
 * The code that runs compares and tells (set-nodes.ts); attestations are noise of the size of real ones, for here nobody forges. What summaries
 * cost is computed: they go to linked members and no further.
 */
import { createHash } from "node:crypto";
import { attestationId, limits } from "../../src/base/index.ts";
import type { Checked } from "../../src/daemon/attestation-desk.ts";
import { loadNetworkCodec } from "../../src/wire/index.ts";
import { Chance } from "../system/fuzz-random.ts";
import { SetWorld } from "./set-nodes.ts";

export interface DirectorySettings {
  readonly nodes: number;
  /** Links of each node, on average. */
  readonly links: number;
  readonly resultsPerSecond: number;
  /** Simulated time that is measured, after as much that is not. */
  readonly seconds: number;
  readonly seed: number;
}

export interface DirectoryResult {
  /** What a node sends about the set of attestations. */
  readonly setBytesPerSecond: number;
  /** Of the attestations of each of these ages at the end, those that a node knows, 0 to 1. */
  readonly known: readonly { readonly ageMs: number; readonly share: number }[];
}

/** Of an object and a dependency file; see partition.ts. */
const BODY_BYTES = 440;
/** In front of it: whose it is and when it was made; then a digest that is its own. */
const KEY_BYTES = 6;
const HEAD_BYTES = KEY_BYTES + 14;
const DIGEST_BYTES = 32;
/** Ages at which it is looked who knows an attestation: those that are up to a sixth older are counted. */
const AGES = [1 / 6, 1 / 3, 2 / 3] as const;
const LINK = { latencyMs: 50, bytesPerMs: 12_500 };

export async function simulateDirectory(settings: DirectorySettings): Promise<DirectoryResult> {
  const { nodes: count, links, resultsPerSecond, seconds } = settings;
  const codec = await loadNetworkCodec();
  const chance = new Chance(settings.seed);
  const random = (): number => chance.next() / 2 ** 32;
  const world = new SetWorld({ codec, check: checker(), random }, LINK);
  const nodes = Array.from({ length: count }, (_, i) => world.add(String(i).padStart(KEY_BYTES, "0")));
  const any = (): (typeof nodes)[number] => nodes[Math.floor(random() * count)] ?? world.add("nobody");
  const linked = new Set<string>();
  for (const one of nodes)
    for (let i = 0; i < links / 2; i++) {
      const other = any();
      const pair = [one.key, other.key].toSorted().join();
      if (other === one || linked.has(pair)) continue;
      linked.add(pair);
      const at = random() * limits.attestationSet.compareEveryMs;
      world.later(one, at, () => one.link(other));
      world.later(other, at, () => other.link(one));
    }
  const total = 2 * seconds * resultsPerSecond;
  const made: { readonly id: string; readonly atMs: number }[] = [];
  for (let i = 0; i < total; i++) {
    const by = any();
    const atMs = ((i + 1) * 1_000) / resultsPerSecond;
    const bytes = body(`${settings.seed} ${i}`, by.key, Math.floor(atMs));
    const id = idOf(bytes);
    made.push({ id, atMs });
    world.later(by, atMs, () => by.attest(id, by.key, bytes));
  }
  world.run(seconds * 1_000, () => false);
  const before = world.bytes;
  world.run(2 * seconds * 1_000, () => false);
  const endMs = 2 * seconds * 1_000;
  const known = AGES.map((age) => {
    const ageMs = age * seconds * 1_000;
    const some = made.filter(({ atMs }) => atMs <= endMs - ageMs && atMs > endMs - ageMs - (seconds * 1_000) / 6);
    const those = nodes.reduce((sum, node) => sum + some.filter(({ id }) => node.ids.has(id)).length, 0);
    return { ageMs, share: those / (some.length * count) };
  });
  return { setBytesPerSecond: (world.bytes - before) / count / seconds, known };
}

/** Digests and signatures do not compress; names and times, of which the rest is made, do. */
function body(what: string, by: string, atMs: number): Uint8Array {
  const digests = Array.from({ length: 9 }, (_, i) => createHash("sha256").update(`${what} ${i}`).digest());
  const head = Buffer.from(`${by} ${String(atMs).padStart(12)} `);
  return Buffer.concat([head, ...digests], BODY_BYTES);
}

function idOf(bytes: Uint8Array): string {
  return attestationId(
    Number(Buffer.from(bytes.subarray(KEY_BYTES, HEAD_BYTES)).toString()),
    Buffer.from(bytes).toString("latin1"),
    new Uint8Array(0),
  );
}

/** What all nodes know is kept once: a thousand copies of each attestation would not fit into one process. */
function checker(): (bytes: Uint8Array) => Checked {
  const seen = new Map<string, Checked>();
  return (bytes) => {
    const start = Buffer.from(bytes.buffer, bytes.byteOffset, HEAD_BYTES + DIGEST_BYTES).toString("latin1");
    const known = seen.get(start);
    if (known !== undefined) return known;
    const own = Uint8Array.from(bytes);
    const signer = Buffer.from(own.subarray(0, KEY_BYTES)).toString();
    const checked: Checked = { kind: "good", attestation: { id: idOf(own), signer, manifest: "", action: "", bytes: own } };
    seen.set(start, checked);
    return checked;
  };
}
