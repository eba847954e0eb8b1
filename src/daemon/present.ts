/**
 * Members that are there: this node, and those that it is linked with.
 */
import type { Candidate, Network } from "../net/index.ts";
import { countedDomain, type Members } from "../trust/index.ts";

export function presentMembers(members: Members, network: Network): Candidate[] {
  const { state } = members;
  return [members.self, ...members.others()]
    .filter((key) => key === members.self || network.connected(key))
    .map((key) => ({ key, domain: state === undefined ? "" : countedDomain(state, key) }));
}
