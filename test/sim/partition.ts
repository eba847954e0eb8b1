/**
 * `npm run sim -- partition`: a network that was in two halves heals. How long until all know all attestations, and what does it cost?
 *
 * Signatures are made and verified; frames are encoded and decoded; see set-nodes.ts for what is simulated.
 */
import { digestOf, type Key } from "../../src/base/index.ts";
import type { Attestation, KnownAttestation, SharedResult } from "../../src/contracts/index.ts";
import { type Checked, checkAttestation } from "../../src/daemon/attestation-desk.ts";
import { attest, attestationOf, type KeyPair, keyPairFromSeed, type Members } from "../../src/trust/index.ts";
import { loadNetworkCodec, type NetworkCodec } from "../../src/wire/index.ts";
import { Chance } from "../system/fuzz-random.ts";
import { SetWorld } from "./set-nodes.ts";

export interface PartitionSettings {
  readonly nodes: number;
  /** Attestations that all knew before. */
  readonly common: number;
  /** Attestations that were made in each half. */
  readonly writes: number;
  readonly seed: number;
}

export interface PartitionResult {
  /** From the first link between the halves until all sets are equal, ms. */
  readonly healedMs: number;
  /** What the nodes lacked, and all that was sent. */
  readonly missingBytes: number;
  readonly sentBytes: number;
  /** Of the node that computed most. */
  readonly cpuMs: number;
  readonly frames: number;
}

/** A fast local network. */
const LINK = { latencyMs: 1, bytesPerMs: 12_500 };
const MOST_MS = 120_000;
const BEGAN_MS = 1_800_000_000_000;
/** The time over which attestations were made. */
const DAY_MS = 86_400_000;

export async function simulatePartition(settings: PartitionSettings): Promise<PartitionResult> {
  const codec = await loadNetworkCodec();
  const chance = new Chance(settings.seed);
  const network = digestOf("network");
  const keys = Array.from({ length: settings.nodes }, (_, i) =>
    keyPairFromSeed(Buffer.from(digestOf(`node ${settings.seed} ${i}`), "hex")),
  );
  const members = { network, state: stateOf(keys) };
  const check = (bytes: Uint8Array): Checked => checkAttestation({ codec, members }, bytes);
  const world = new SetWorld({ codec, check, random: () => chance.next() / 2 ** 32 }, LINK);
  const halves: [KeyPair[], KeyPair[]] = [keys.filter((_, i) => i % 2 === 0), keys.filter((_, i) => i % 2 === 1)];
  const nodes = new Map(keys.map(({ publicKey }) => [publicKey, world.add(publicKey)]));
  const make = (half: readonly KeyPair[], count: number, what: string): KnownAttestation[] =>
    Array.from({ length: count }, (_, i) => {
      const by = half[i % half.length];
      if (by === undefined) throw new RangeError("nobody");
      return madeBy(codec, by, network, `${what} ${i}`, BEGAN_MS + Math.floor((i * DAY_MS) / count));
    });
  const before = make(keys, settings.common, "before");
  const made = halves.map((half, i) => make(half, settings.writes, `half ${i}`));
  for (const [i, half] of halves.entries())
    for (const { publicKey } of half)
      for (const { id, signer, bytes } of [...before, ...(made[i] ?? [])]) nodes.get(publicKey)?.put(id, signer, bytes);
  const bytesOf = (list: readonly KnownAttestation[]): number => list.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const missingBytes = halves.reduce((sum, half, i) => sum + half.length * bytesOf(made[1 - i] ?? []), 0);

  const all = [...nodes.values()];
  for (const one of all) for (const other of all) if (one !== other) world.later(one, 0, () => one.link(other));
  const total = settings.common + 2 * settings.writes;
  let healedMs = 0;
  world.run(MOST_MS, () => {
    if (all.some((node) => node.ids.size < total)) return false;
    healedMs = Math.max(...all.map((node) => node.now()));
    return true;
  });
  const sums = new Set(all.map((node) => node.ids.sumOf("", "g").sum));
  if (sums.size !== 1) throw new Error(`after ${MOST_MS} ms there are ${sums.size} different sets; seed ${settings.seed}`);
  return { healedMs, missingBytes, sentBytes: world.bytes, cpuMs: Math.max(...all.map(({ cpuMs }) => cpuMs)), frames: world.frames };
}

/** As compiles are: one object and one dependency file. */
function madeBy(codec: NetworkCodec, by: KeyPair, network: string, what: string, atMs: number): KnownAttestation {
  const unsigned: Omit<SharedResult, "signature" | "execution"> = {
    manifest: digestOf(`manifest ${what}`),
    entry: {
      action: digestOf(`action ${what}`),
      place: undefined,
      presumed: false,
      terminal: undefined,
      inputs: [{ path: "\0P/a.c", digest: digestOf(what) }],
      absent: [],
    },
    result: {
      outputs: [
        {
          path: `\0C/CMakeFiles/project.dir/src/${what}.c.o`,
          digest: digestOf(`object ${what}`),
          size: 40_000,
          role: "object",
          template: false,
        },
        {
          path: `\0C/CMakeFiles/project.dir/src/${what}.c.d`,
          digest: digestOf(`depfile ${what}`),
          size: 4_000,
          role: "depfile",
          template: true,
        },
      ],
      stdout: "",
      stderr: "",
      compileMs: 123.456,
      cpuMs: 120.5,
    },
  };
  const execution = { toolchain: digestOf("gcc"), startedAtMs: atMs - 123, endedAtMs: atMs };
  const shared = attest(by, network, { ...unsigned, execution });
  if (shared === undefined) throw new Error("it can be shared");
  const { id, attestation }: { id: string; attestation: Attestation } = attestationOf(network, shared);
  const bytes = codec.encodeAttestation(attestation);
  if (bytes === undefined) throw new Error("it can travel");
  return { id, signer: by.publicKey, manifest: shared.manifest, action: shared.entry.action, bytes };
}

/** All that is asked of a state is who the signers are. */
function stateOf(keys: readonly KeyPair[]): NonNullable<Members["state"]> {
  const member = (attestationKey: Key): object => ({ key: attestationKey, attestationKey, standing: "active" });
  return { members: new Map(keys.map(({ publicKey }) => [publicKey, member(publicKey)])) } as unknown as NonNullable<Members["state"]>;
}
