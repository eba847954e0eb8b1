/**
 * One member that lets in as many machines as the network takes, all of them its own: what their words count in results and in epochs, and how
 * often they are drawn to look at what others dispute.
 *
 * Real: keys, invitations, admissions, epochs with votes, attestations; the reader's rule, who votes on epochs, and the rounds that choose whom
 * to ask. Not there: connections, disks.
 */
import { randomBytes } from "node:crypto";
import { type Key, limits, silentLog } from "../../src/base/index.ts";
import type { Attestation } from "../../src/contracts/index.ts";
import { Rounds } from "../../src/daemon/rounds.ts";
import { Withheld } from "../../src/daemon/withheld.ts";
import type { Candidate } from "../../src/net/index.ts";
import { electorateOf } from "../../src/trust/electorate.ts";
import { countedDomain, judge, type Membership, Repeats, requestToJoin, type State } from "../../src/trust/index.ts";
import { agree, codec, HOUR, START, secret, signed } from "../../src/trust/membership.fixture.ts";
import { attestedBy, executed, type Signer, signerOf, trustWorld } from "../../src/trust/trust.fixture.ts";

export interface SybilOptions {
  /** Machines that the inviter lets in, if the network takes so many. */
  readonly fakes: number;
  /** Disputes for which somebody is drawn. */
  readonly draws: number;
}

export interface SybilFound {
  readonly domains: number;
  readonly admitted: number;
  /** Machines of all members that are the inviter's. */
  readonly shareOfMachines: number;
  /** Domains that vouch for a result which all of the inviter's machines have signed, beyond those when it alone has. */
  readonly extraVotes: number;
  /** Policies under which it is used. */
  readonly believed: number;
  /** Whether a result that two honest domains more than needed vouch for is still used, though all of them contradict it. */
  readonly isHonestUsed: boolean;
  /** Votes on epochs beyond the one of its domain. */
  readonly extraVoices: number;
  /** Of all that are drawn, the inviter's; and the mean of the other domains that could be. */
  readonly drawn: number;
  readonly drawnOfOthers: number;
}

/** One machine each, but for the inviter's. */
const DOMAINS = 12;
const INVITER = DOMAINS - 1;
/** Of one author in one epoch: each admission needs two statements. */
const AT_ONCE = limits.pendingPerMember / 2;
/** So that no number of an author's runs out. */
const AUTHORS = 8;
const FIRST_FAKE = 20_000;

export async function simulateSybil({ fakes, draws }: SybilOptions): Promise<SybilFound> {
  const { membership, signers } = trustWorld(Array.from({ length: DOMAINS }, () => 1));
  const machines = signers.flat();
  const own = inviteAll(membership, machines, fakes);
  const state = membership.state ?? fail("it is founded");
  const { extraVotes, believed, isHonestUsed } = votes(state, machines, own);
  const voices = electorateOf(state)?.voices.filter(({ domain }) => domain === `d${INVITER}`).length ?? 0;
  const { drawn, drawnOfOthers } = await draw(state, machines, draws);
  return {
    domains: DOMAINS,
    admitted: own.length - 1,
    shareOfMachines: own.length / state.members.size,
    extraVotes,
    believed,
    isHonestUsed,
    extraVoices: voices - 1,
    drawn,
    drawnOfOthers,
  };
}

/** @returns the inviter and all machines that it let in, whose admission the domains have agreed upon */
function inviteAll(membership: Membership, machines: readonly Signer[], fakes: number): Signer[] {
  const inviter = machines[INVITER] ?? fail("there is one");
  const domain = `d${INVITER}`;
  const own = [inviter];
  const numbers = new Map<Key, number>();
  const say = (by: Signer, what: Parameters<typeof signed>[3]): Uint8Array => {
    const number = (numbers.get(by.keys.publicKey) ?? 0) + 1;
    numbers.set(by.keys.publicKey, number);
    return signed(by.keys, membership.network, number, what);
  };
  for (let made = 0; made < fakes; ) {
    const guests: Signer[] = [];
    const statements: Uint8Array[] = [];
    // As many as one epoch holds; each of the authors lets in as many as may wait.
    for (const author of own
      .slice(0, AUTHORS)
      .toSorted((a, b) => numberOf(a, numbers) - numberOf(b, numbers))
      .slice(0, 2))
      for (let count = 0; count < AT_ONCE && made < fakes; count++, made++) {
        const guest = signerOf(FIRST_FAKE + made, domain);
        const request = requestToJoin(codec, guest.keys, guest.identity, {
          network: membership.network,
          secret: secret(FIRST_FAKE + made),
        });
        const invitation = { kind: "invite", key: request.invitation, domain, expiresAtMs: START + HOUR } as const;
        statements.push(say(author, invitation), say(author, { kind: "admit", request }));
        guests.push(guest);
      }
    membership.merge(statements);
    agree(membership, machines);
    own.push(...guests.filter(({ keys }) => membership.decided?.members.has(keys.publicKey) === true));
  }
  return own;
}

function numberOf({ keys }: Signer, numbers: ReadonlyMap<Key, number>): number {
  return numbers.get(keys.publicKey) ?? 0;
}

/** What all of the inviter's machines can have used, and can spoil. */
function votes(
  state: State,
  machines: readonly Signer[],
  own: readonly Signer[],
): Pick<SybilFound, "extraVotes" | "believed" | "isHonestUsed"> {
  const [self, ...honest] = machines.filter((_, at) => at !== INVITER);
  const by = (signer: Signer, outcome: string): Attestation => attestedBy(state.network, signer, executed("work", outcome));
  const poison = own.map((signer) => by(signer, "poison"));
  const [claim, lone] = [poison.at(-1) ?? fail("nobody"), poison[0] ?? fail("nobody")];
  const reader = { self: self?.keys.publicKey ?? "", state, discredited: new Set<Key>() };
  const counted = (policy: "team" | "release", offered: Attestation, known: readonly Attestation[]): number => {
    const verdict = judge({ ...reader, policy }, offered, () => known);
    return verdict.kind === "believed" ? Number.POSITIVE_INFINITY : verdict.domains;
  };
  const extra = (["team", "release"] as const).map((policy) => counted(policy, claim, poison) - counted(policy, lone, [lone]));
  const good = honest.slice(0, 3).map((signer) => by(signer, "good"));
  const verdict = judge({ ...reader, policy: "team" }, good[0] ?? fail("nobody"), () => [...poison, ...good]);
  return {
    extraVotes: Math.max(...extra),
    believed: extra.filter((votesMore) => votesMore === Number.POSITIVE_INFINITY).length,
    isHonestUsed: verdict.kind === "believed",
  };
}

/** Who is asked first about one dispute after the other, by somebody of the first domain. */
async function draw(state: State, machines: readonly Signer[], draws: number): Promise<Pick<SybilFound, "drawn" | "drawnOfOthers">> {
  const [convener, one, other] = machines as [Signer, Signer, Signer];
  const present = [...state.members.keys()].map((key): Candidate => ({ key, domain: countedDomain(state, key) }));
  const times = new Map<string, number>();
  for (let number = 0; number < draws; number++) {
    const what = `dispute ${number}`;
    const known = [attestedBy(state.network, one, executed(what, "poison")), attestedBy(state.network, other, executed(what, "good"))];
    for (const domain of await asked({ state, convener, present, known })) times.set(domain, (times.get(domain) ?? 0) + 1);
  }
  const all = [...times.values()].reduce((sum, count) => sum + count, 0);
  const drawn = (times.get(`d${INVITER}`) ?? 0) / all;
  return { drawn, drawnOfOthers: (1 - drawn) / (times.size - 1) };
}

interface Dispute {
  readonly state: State;
  readonly convener: Signer;
  readonly present: readonly Candidate[];
  readonly known: readonly Attestation[];
}

/** The domains of the first round. */
function asked({ state, convener, present, known }: Dispute): Promise<ReadonlySet<string>> {
  const { promise, resolve } = Promise.withResolvers<ReadonlySet<string>>();
  const domains = new Set<string>();
  const rounds = new Rounds({
    members: { network: state.network, self: convener.keys.publicKey, state },
    attestationKeys: convener.sign,
    known: () => known,
    present: () => present,
    speak: () => false,
    ask: (member) => {
      domains.add(countedDomain(state, member));
      if (domains.size === limits.trust.round.asked) resolve(domains);
      return Promise.resolve({ kind: "declined", why: "busy", attestation: undefined });
    },
    withheld: new Withheld({ publish: () => undefined, after: () => () => undefined }, { mostMs: 1, mostOfOne: 1 }),
    repeats: new Repeats(1),
    heard: () => undefined,
    openedFalsely: () => undefined,
    random: () => randomBytes(32).toString("hex"),
    wait: (_, signal) => new Promise((_resolve, reject) => signal.addEventListener("abort", reject, { once: true })),
    log: silentLog,
  });
  const { action, manifest } = known[0] ?? fail("nothing is disputed");
  rounds.speak(action, manifest);
  return promise.finally(() => rounds[Symbol.dispose]());
}

function fail(why: string): never {
  throw new Error(why);
}
