/**
 * Who votes on the next epoch, and whether a quorum has decided one.
 *
 * One machine speaks for each domain, the most senior of those that epochs say are its members: so a domain says one thing.
 * Knows: the state that epochs have decided. Does not know: provisional members, who is reachable.
 */
import { type Decision, type Digest, digestOf, type Key, limits } from "../base/index.ts";
import type { MembershipCodec } from "../contracts/index.ts";
import { quorumOf } from "./agreement.ts";
import { isSigned } from "./keys.ts";
import type { State } from "./state.ts";

/** In the order in which domains lead, which is another one for each epoch. */
export interface Electorate {
  readonly voices: readonly { readonly domain: string; readonly key: Key }[];
  readonly quorum: number;
}

const known = new WeakMap<State, { readonly electorate: Electorate | undefined }>();

/** Undefined where there are too few domains for one of them to lie: admins decide. A state that was decided does not change any more. */
export function electorateOf(decided: State): Electorate | undefined {
  const before = known.get(decided);
  if (before !== undefined) return before.electorate;
  const electorate = findElectorate(decided);
  known.set(decided, { electorate });
  return electorate;
}

function findElectorate({ council: { speakers }, epoch }: State): Electorate | undefined {
  if (speakers.size < limits.agreement.domainsLeast) return undefined;
  const voices = [...speakers].map(([domain, key]) => ({ domain, key, order: digestOf(`${epoch.id} ${key}`) }));
  voices.sort((a, b) => (a.order < b.order ? -1 : 1));
  return { voices: voices.map(({ domain, key }) => ({ domain, key })), quorum: quorumOf(voices.length) };
}

/** Where a ballot is held. */
interface Place {
  readonly network: Digest;
  /** The epoch before. */
  readonly previous: Digest;
  readonly electorate: Electorate;
}

/**
 * The domains that decided an epoch; undefined when they are no quorum, or anything of it does not hold.
 *
 * @param id of the epoch
 */
export function decidedBy(
  codec: MembershipCodec,
  { network, previous, electorate }: Place,
  id: Digest,
  { view, votes }: Decision,
): readonly string[] | undefined {
  const distinct = new Set(votes.map(({ domain }) => domain)).size;
  if (distinct < votes.length || distinct < electorate.quorum) return undefined;
  const body = codec.encodeVoteBody(network, previous, { kind: "finalize", view, value: id });
  const domains = votes.flatMap(({ domain, signature }) => {
    const voice = electorate.voices[domain];
    return voice !== undefined && isSigned(voice.key, "cairn agreement 1", body, signature) ? [voice.domain] : [];
  });
  return domains.length === votes.length ? domains : undefined;
}
