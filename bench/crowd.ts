/**
 * Many members in one process, each linked with the one that invited them and with nobody else. Run by network.ts.
 *
 * Each line on standard input is an invitation; each answer on standard output is one line.
 */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Host, type Key, limits, silentLog } from "../src/base/index.ts";
import type { Roster } from "../src/contracts/index.ts";
import { NetworkGossip } from "../src/daemon/network-gossip.ts";
import { Network } from "../src/net/index.ts";
import { epochRule, keyPairFromSeed, Members, Membership, makeIdentity, requestToJoin } from "../src/trust/index.ts";
import { loadNetworkCodec } from "../src/wire/index.ts";

const codec = await loadNetworkCodec();
const rule = epochRule(codec);
const now = (): number => performance.now();
/** Kept, so that they go on talking. */
const talking: NetworkGossip[] = [];
let joined = 0;

/** What this member knows of the network, as if nobody but `host` were in it. */
function onlyWith(host: Key, members: Members): Roster {
  const isNear = (key: Key): boolean => key === host || key === members.self;
  return {
    network: members.network,
    self: members.self,
    standing: (key) => (isNear(key) ? members.standing(key) : "unknown"),
    others: () => [host],
    proof: () => members.proof(),
    convince: (key, proof) => isNear(key) && members.convince(key, proof),
    take: (statements) => members.take(statements),
    summary: () => members.summary(),
    have: () => members.have(),
    missing: (theirs) => members.missing(theirs),
    redeem: () => ({ kind: "refused", reason: "stranger" }),
    onChange: (listener) => members.onChange(listener),
  };
}

async function join(text: string): Promise<void> {
  const line = codec.readInvitationLine(text);
  const host = line?.hosts[0]?.peerKey;
  if (line === undefined || host === undefined) throw new Error("no invitation");
  const seed = randomBytes(32);
  const keys = keyPairFromSeed(seed);
  const membership = new Membership({ codec, rule }, line.network);
  const members = new Members({ membership, codec, rule, keys, now: Date.now });
  const saved = { load: (): Host[] => [], save: () => undefined, forget: () => undefined };
  const roster = onlyWith(host, members);
  const network = await Network.start(
    {
      roster,
      saved,
      discoveries: () => [],
      domainOf: () => "",
      anchors: { load: () => [], save: () => undefined },
      codec,
      log: silentLog,
      now,
      random: Math.random,
    },
    {
      seed,
      listen: [["/ip4/127.0.0.1/tcp/0"]],
      links: { ...limits.peerSet, most: limits.peers },
      relay: { circuits: 0 },
      portMapping: false,
    },
  );
  const kept = { setting: () => undefined, set: () => undefined };
  talking.push(new NetworkGossip({ network, members, codec, keys, kept, work: () => ({ jobs: 0, cacheBytes: 0 }), log: silentLog }));
  joined += 1;
  const identity = makeIdentity(keys, keyPairFromSeed(randomBytes(32)), `crowd-${joined}`);
  const outcome = await network.join(line, requestToJoin(codec, keys, identity, line), AbortSignal.timeout(30_000));
  if (outcome.kind === "refused") throw new Error(outcome.reason);
  while (members.standing(members.self) === "unknown") await sleep(5);
}

for await (const line of createInterface({ input: process.stdin })) {
  await join(line);
  process.stdout.write(`${joined}\n`);
}
process.exit(0);
