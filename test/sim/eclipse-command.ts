/**
 * Runs the eclipse simulation as people ask for it, and prints a table.
 */
import { limits } from "../../src/base/index.ts";
import type { PeerSetOptions } from "../../src/net/peer-set.ts";
import { type EclipseResult, type EclipseSettings, simulateEclipse } from "./eclipse.ts";

const RESTARTS = 10_000;
const MUST_KEEP = 0.999;

type Scenario = Omit<EclipseSettings, "restarts" | "seed">;

const policy: PeerSetOptions = limits.peerSet;
const usual: Scenario = {
  peers: 1_000,
  domains: 30,
  attacker: 0.8,
  attackerDomains: 1,
  ownDomains: false,
  honestUp: 0.7,
  inbound: limits.peers - policy.outbound,
  policy,
};

/** What the attacker has and does; the last one shows what few links would mean, and need not reach anything. */
export const scenarios: readonly { readonly name: string; readonly scenario: Scenario; readonly must: boolean }[] = [
  { name: "machines in every domain", scenario: usual, must: true },
  { name: "machines in every domain; half of the honest are off", scenario: { ...usual, honestUp: 0.5 }, must: true },
  { name: "24 of 30 domains of its own", scenario: { ...usual, attackerDomains: 0.8, ownDomains: true }, must: true },
  { name: "3 of 30 domains of its own", scenario: { ...usual, attackerDomains: 0.1, ownDomains: true }, must: true },
  {
    name: "3 of 30 domains, and it cuts the honest off",
    scenario: { ...usual, attackerDomains: 0.1, ownDomains: true, honestUp: 0 },
    must: true,
  },
  { name: "machines in every domain; 8 links of its choice", scenario: { ...usual, policy: { ...policy, outbound: 8 } }, must: false },
];

/** @param options `nodes` is the number of restarts @returns whether an honest peer is kept, or an alarm raised, as often as it must be */
export function eclipse(options: { readonly nodes: number | undefined; readonly seed: number; readonly json: boolean }): boolean {
  const restarts = options.nodes ?? RESTARTS;
  const rows = scenarios.map(({ name, scenario, must }) => {
    const found = simulateEclipse({ ...scenario, restarts, seed: options.seed });
    return { name, ...found, must, good: isGood(found, restarts) };
  });
  const text = options.json ? JSON.stringify({ restarts, seed: options.seed, rows }, null, 2) : table(rows, restarts, options.seed);
  process.stdout.write(`${text}\n`);
  return rows.every(({ must, good }) => good || !must);
}

/** 99.9 % keep an honest peer; where that is so, the rest may be silent; where it is not, every one raises the alarm. */
export function isGood({ kept, silent }: EclipseResult, restarts: number): boolean {
  return kept >= MUST_KEEP * restarts || silent === 0;
}

function table(rows: readonly (EclipseResult & { name: string; must: boolean; good: boolean })[], restarts: number, seed: number): string {
  const percent = (count: number): string => `${((100 * count) / restarts).toFixed(2)} %`.padStart(9);
  const head = `${"the attacker has 80 % of the addresses and".padEnd(54)}     keeps     alarm    silent   honest links`;
  const lines = rows.map(({ name, kept, alarmed, silent, honestShare, must, good }) => {
    const verdict = must ? (good ? "ok" : "MISSES") : "for comparison";
    return `${name.padEnd(54)} ${percent(kept)} ${percent(alarmed)} ${percent(silent)} ${percent(honestShare * restarts)}      ${verdict}`;
  });
  const note = `${restarts} restarts each, seed ${seed}; the state a minute after each. Must: an honest peer in 99.9 %, or else the alarm.`;
  return [head, ...lines, "", note].join("\n");
}
