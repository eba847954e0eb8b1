/**
 * `npm run sim -- eclipse`: a node of a large network restarts again and again while an attacker owns all links from outside and four of
 * five addresses that the node knows. Does it keep an honest peer, or say that it is cut off?
 *
 * The node runs the code of src/net/peer-set.ts; time, dials and chance are simulated. The attacker's machines always answer, never leave
 * and come first; those of honest members are off now and then. What the attacker gets into the anchors of one run is there in the next.
 */
import type { Key } from "../../src/base/index.ts";
import { type KnownPeer, PeerSet, type PeerSetOptions } from "../../src/net/peer-set.ts";
import { Chance } from "../system/fuzz-random.ts";

export interface EclipseSettings {
  readonly restarts: number;
  readonly peers: number;
  readonly domains: number;
  /** Of all known addresses, the attacker's, 0 to 1. */
  readonly attacker: number;
  /** The share of domains that the attacker has machines in: all of its own, or beside honest ones. */
  readonly attackerDomains: number;
  readonly ownDomains: boolean;
  /** The share of honest machines that are on at a restart. */
  readonly honestUp: number;
  /** Links that others can begin, all of them the attacker's. */
  readonly inbound: number;
  readonly policy: PeerSetOptions;
  readonly seed: number;
}

export interface EclipseResult {
  /** Restarts a minute after which an honest peer was linked. */
  readonly kept: number;
  /** Of the others, those in which an alarm was raised within the minute. */
  readonly alarmed: number;
  /** Restarts in which neither was so. */
  readonly silent: number;
  /** Honest ones among the chosen peers a minute after each restart, 0 to 1, on average. */
  readonly honestShare: number;
}

const MINUTE_MS = 60_000;
const TICK_MS = 1_000;
const LOOK_EVERY_MS = 5_000;
const ANSWER_MS = 100;
const DEAD_MS = 10_000;

interface World {
  readonly settings: EclipseSettings;
  readonly peers: readonly KnownPeer[];
  readonly bad: ReadonlySet<Key>;
  readonly random: () => number;
}

export function simulateEclipse(settings: EclipseSettings): EclipseResult {
  const chance = new Chance(settings.seed);
  const random = (): number => chance.below(2 ** 30) / 2 ** 30;
  const world = { settings, random, ...population(settings, random) };
  let anchors: readonly Key[] = [];
  const counts = { kept: 0, alarmed: 0, silent: 0 };
  let honestShares = 0;
  for (let restart = 0; restart < settings.restarts; restart++) {
    const after = minuteAfter(world, anchors);
    ({ anchors } = after);
    honestShares += after.honestShare;
    counts[after.honestShare > 0 ? "kept" : after.alarmed ? "alarmed" : "silent"] += 1;
  }
  return { ...counts, honestShare: honestShares / settings.restarts };
}

/** Who is where. Subnets are as many as domains twice over, and the attacker's are spread like everybody's. */
function population(settings: EclipseSettings, random: () => number): { peers: KnownPeer[]; bad: Set<Key> } {
  const { peers: count, domains, attacker, attackerDomains, ownDomains } = settings;
  const bad = new Set<Key>();
  const theirs = Math.max(1, Math.round(domains * attackerDomains));
  const honestFrom = ownDomains ? theirs : 0;
  const peers = Array.from({ length: count }, (_, at) => {
    const key = `p${at}`;
    const isBad = at < count * attacker;
    if (isBad) bad.add(key);
    const domain = isBad ? Math.floor(random() * theirs) : honestFrom + Math.floor(random() * (domains - honestFrom));
    return { key, domain: `d${domain}`, subnet: `s${Math.floor(random() * 2 * domains)}` };
  });
  return { peers, bad };
}

function minuteAfter(
  { settings, peers, bad, random }: World,
  anchors: readonly Key[],
): { anchors: Key[]; honestShare: number; alarmed: boolean } {
  const set = new PeerSet({ random }, settings.policy, 0);
  set.know(peers);
  set.return(anchors);
  const up = new Set(peers.filter(({ key }) => bad.has(key) || random() < settings.honestUp).map(({ key }) => key));
  for (const key of [...bad].slice(0, settings.inbound)) set.linked(key, false, 0);
  const chosen = new Set<Key>();
  let open: { readonly key: Key; readonly atMs: number }[] = [];
  let alarmed = false;
  for (let nowMs = 0; nowMs <= MINUTE_MS; nowMs += TICK_MS) {
    for (const { key } of open.filter(({ atMs }) => atMs <= nowMs)) {
      if (!up.has(key)) {
        set.failed(key, nowMs);
        continue;
      }
      chosen.add(key);
      const dropped = set.linked(key, true, nowMs);
      if (dropped === undefined) continue;
      set.lost(dropped, nowMs);
      chosen.delete(dropped);
    }
    open = open.filter(({ atMs }) => atMs > nowMs);
    for (const key of set.wanted(nowMs)) open.push({ key, atMs: nowMs + (up.has(key) ? ANSWER_MS : DEAD_MS) });
    if (nowMs % LOOK_EVERY_MS === 0) alarmed ||= set.isolation(nowMs) !== undefined;
  }
  const honest = [...chosen].filter((key) => !bad.has(key)).length;
  return { anchors: set.anchors(), honestShare: chosen.size === 0 ? 0 : honest / chosen.size, alarmed };
}
