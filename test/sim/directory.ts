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
  /** Of the attestations made before the last third of the time, those that a node knows at the end, 0 to 1. */
  readonly known: number;
}

/** Of an object and a dependency file; see partition.ts. */
const BODY_BYTES = 440;
const LINK = { latencyMs: 50, bytesPerMs: 12_500 };

export async function simulateDirectory(settings: DirectorySettings): Promise<DirectoryResult> {
  const { nodes: count, links, resultsPerSecond, seconds } = settings;
  const codec = await loadNetworkCodec();
  const chance = new Chance(settings.seed);
  const random = (): number => chance.next() / 2 ** 32;
  const world = new SetWorld({ codec, check, random }, LINK);
  const nodes = Array.from({ length: count }, (_, i) => world.add(String(i).padStart(6, "0")));
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
    made.push({ id: idOf(bytes), atMs });
    world.later(by, atMs, () => by.attest(idOf(bytes), by.key, bytes));
  }
  world.run(seconds * 1_000, () => false);
  const before = world.bytes;
  world.run(2 * seconds * 1_000, () => false);
  const old = made.filter(({ atMs }) => atMs < (4 * seconds * 1_000) / 3);
  const known = nodes.reduce((sum, node) => sum + old.filter(({ id }) => node.ids.has(id)).length, 0) / (old.length * count);
  return { setBytesPerSecond: (world.bytes - before) / count / seconds, known };
}

/** Digests and signatures do not compress; names and times, of which the rest is made, do. */
function body(what: string, by: string, atMs: number): Uint8Array {
  const digests = Array.from({ length: 9 }, (_, i) => createHash("sha256").update(`${what} ${i}`).digest());
  const head = Buffer.from(`${by} ${String(atMs).padStart(12)} `);
  return Buffer.concat([head, ...digests], BODY_BYTES);
}

function idOf(bytes: Uint8Array): string {
  return attestationId(Number(Buffer.from(bytes.subarray(7, 19)).toString()), Buffer.from(bytes).toString("latin1"), new Uint8Array(0));
}

function check(bytes: Uint8Array): Checked {
  const signer = Buffer.from(bytes.subarray(0, 6)).toString();
  return { kind: "good", attestation: { id: idOf(bytes), signer, manifest: "", bytes } };
}
