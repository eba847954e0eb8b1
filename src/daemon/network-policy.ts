/**
 * The network's policy as people ask for it: what holds on this machine and why, what waits to be accepted; and how either is changed.
 *
 * Knows: names and values of settings. Does not know: who may decide; the rules of membership say so.
 */
import {
  CairnError,
  type Digest,
  type Key,
  limits,
  type NetworkPolicy,
  type Operation,
  type SharingPolicy,
  type ToolchainsAccept,
  withBriefDigests,
} from "../base/index.ts";
import type { ProjectPolicy } from "../flows/index.ts";
import {
  askedFor,
  countedDomain,
  isLaxer,
  latestNamed,
  type Members,
  type Membership,
  neededFor,
  type Proposal,
  type Refusal,
  type State,
  sharingUnder,
  toolchainsUnder,
} from "../trust/index.ts";
import type { NetworkAgreement } from "./network-agreement.ts";
import { endsUnanimity, untilDecided, wordsFor } from "./network-epochs.ts";

/** What this machine is configured to, however lax the network is. */
export interface OwnPolicy {
  readonly sharing: SharingPolicy;
  readonly toolchains: ToolchainsAccept;
}

/** A setting of the network's policy. */
interface Setting {
  readonly name: string;
  readonly field: keyof NetworkPolicy;
  /** What it may be; of numbers the least and the most; `digests`: each is added as +DIGEST and taken away as -DIGEST. */
  readonly values: readonly string[] | { readonly least: number; readonly most: number } | "digests";
  /** The network goes on as it says, whatever later policies say. */
  readonly isForGood?: true;
}

const SETTINGS: readonly Setting[] = [
  { name: "sharing", field: "sharing", values: ["speculative", "team", "release", "self"] },
  { name: "quorum", field: "quorum", values: { least: 1, most: limits.policy.quorumMost } },
  { name: "audit", field: "auditOneOf", values: { least: 1, most: limits.policy.auditMost } },
  { name: "invitations", field: "openInvitations", values: { least: 1, most: limits.openInvitations } },
  { name: "toolchains", field: "toolchains", values: ["network", "domain", "approved"] },
  { name: "approved", field: "approvedToolchains", values: "digests" },
  { name: "trial", field: "hasTrial", values: ["on"], isForGood: true },
  { name: "unanimous", field: "isUnanimous", values: ["on"], isForGood: true },
];

/** What takes a demand back: each machine goes by its own. */
const OWN = "own";

export interface PolicyParts {
  readonly members: Members;
  readonly membership: Membership;
  readonly agreement: NetworkAgreement;
}

/** What came of a proposal, or of a word for one. */
export interface Proposed {
  /** Whether an epoch holds it: then it is in effect for all who have that. */
  readonly inEffect: boolean;
  /** Whether others have to accept it first. */
  readonly waits: boolean;
  /** Domains that have accepted it, and how many must, or the chair alone. */
  readonly accepted: readonly string[];
  readonly needed: number;
}

/** What is demanded of a compile by whom, as far as it is about results of others. */
export type ProjectWord = Pick<ProjectPolicy, "sharing" | "by" | "trouble">;

const NO_WORD: ProjectWord = { sharing: undefined, by: "", trouble: "" };

/** The reader's tier for a project, and whose word that is: the project's only where neither the network nor the machine says the same. */
export function tierFor({ policy: { rules } }: State, own: OwnPolicy, { sharing, by, trouble }: ProjectWord): object {
  const holds = sharingUnder(rules, own.sharing, sharing);
  const from = holds === sharingUnder(rules, own.sharing) ? fromOf(rules.sharing, own.sharing, holds) : "project";
  return { sharing: holds, from, file: from === "project" ? by : "", trouble };
}

/** @param project of the directory in which somebody asks */
export function describePolicy(state: State, self: Key, own: OwnPolicy, project: ProjectWord = NO_WORD): object {
  const { number, by, epoch } = state.policy;
  return {
    network: state.name,
    number,
    epoch: epoch ?? null,
    by: by === undefined ? null : nameOf(state, by),
    settings: SETTINGS.map((setting) => describeSetting(setting, state, own, project)),
    project: project.by === "" ? null : { file: project.by, sharing: project.sharing, trouble: project.trouble },
    proposals: describeProposals(state, self),
  };
}

/** What holds here, and whose word that is. */
function describeSetting({ name, field }: Setting, state: State, own: OwnPolicy, project: ProjectWord): object {
  const { rules } = state.policy;
  const networks = field === "hasTrial" || field === "isUnanimous" ? (state[field] ? "on" : undefined) : shown(rules[field]);
  const machines = field === "sharing" ? own.sharing : field === "toolchains" ? own.toolchains : undefined;
  const holds =
    field === "sharing" ? sharingUnder(rules, own.sharing) : field === "toolchains" ? toolchainsUnder(rules, own.toolchains) : networks;
  const here = field === "sharing" ? sharingUnder(rules, own.sharing, project.sharing) : holds;
  return {
    name,
    network: networks ?? null,
    machine: machines ?? null,
    ...(field === "sharing" && { project: project.sharing ?? null }),
    holds: here ?? USUAL[field] ?? "off",
    from: here === holds ? fromOf(networks, machines, holds) : "project",
  };
}

/** Digests in full: who accepts a policy must see all of what it lets in. */
function shown(value: NetworkPolicy[keyof NetworkPolicy]): string | number | undefined {
  if (typeof value === "boolean") return value ? "on" : undefined;
  return typeof value === "object" ? value.join(" ") : value;
}

/** Whose word it is that holds. */
function fromOf(networks: unknown, machines: unknown, holds: unknown): string {
  if (holds === undefined) return "usual";
  if (machines === undefined) return "decided";
  if (networks === undefined) return "own";
  if (networks === machines) return "both";
  return holds === networks ? "network" : "machine";
}

/** What holds where nobody says anything. */
const USUAL: Readonly<Partial<Record<keyof NetworkPolicy, string>>> = {
  quorum: "as many as the tier wants",
  auditOneOf: `${limits.trust.auditTeam}, under release ${limits.trust.auditRelease}`,
  openInvitations: String(limits.openInvitations),
};

function describeProposals(state: State, self: Key): object[] {
  const { speakers, chair } = state.council;
  const hasChair = chair !== undefined && speakers.size < limits.agreement.domainsLeast;
  return [...state.proposals].map(([id, { by, what, accepted }]) => ({
    id,
    kind: what.kind,
    ...describeWhat(state, what),
    by: nameOf(state, by),
    accepted: acceptedBy(state, accepted),
    needed: neededFor(state, what),
    chair: hasChair && what.kind !== "revoke" && what.kind !== "claim" ? nameOf(state, chair) : null,
    speakers: [...speakers].map(([domain, key]) => ({ domain, member: nameOf(state, key) })),
    missing: what.kind === "revoke" || (what.kind === "claim" && hasChair) ? wordsFor(state, { what, accepted }).missing : [],
    mayAccept: askedFor(state, what).includes(self) && !accepted.has(self),
  }));
}

function describeWhat(state: State, what: Proposal["what"]): object {
  switch (what.kind) {
    case "domain":
      return { domain: what.name };
    case "policy":
      return { number: what.number, policy: namedRules(what.policy), approved: approvals(state.policy.rules, what.policy) };
    case "revoke":
      return { member: nameOf(state, what.member), domain: countedDomain(state, what.member) };
    case "claim":
      return { name: what.name, owner: what.owner === undefined ? null : nameOf(state, what.owner) };
  }
}

/** What one policy has approved that another has not, each as it is added or taken away. */
function approvals({ approvedToolchains: before = [] }: NetworkPolicy, { approvedToolchains: after = [] }: NetworkPolicy): string[] {
  const added = after.filter((digest) => !before.includes(digest)).map((digest) => `+${digest}`);
  return [...added, ...before.filter((digest) => !after.includes(digest)).map((digest) => `-${digest}`)];
}

/**
 * Proposes that the network demand something else of its machines from the next epoch on. What others have to accept is added to what this machine
 * has asked for and they have not accepted yet: else one of both would take the other's place.
 *
 * @throws {CairnError} usage, network-refused
 */
export async function changePolicy(parts: PolicyParts, name: string, text: string): Promise<Proposed> {
  const { members, membership } = parts;
  const { policy, proposals } = membership.intended ?? {};
  const rules = policy?.rules ?? {};
  const number = (policy?.number ?? 0) + 1;
  const asked = [...(proposals?.values() ?? [])].flatMap(({ by, what }) =>
    what.kind === "policy" && what.number === number && by === members.self ? [what.policy] : [],
  );
  const alone = withSetting(rules, name, text);
  const changed = isLaxer(alone, rules) ? withSetting(asked.at(-1) ?? rules, name, text) : alone;
  const id = issueOrRefuse(members, { kind: "policy", number, policy: changed });
  return outcomeOf(parts, id, fateOf(id, number), "policy-changed");
}

/**
 * Says that this machine's domain accepts what waits for that.
 *
 * @param text a domain's name, `policy`, or the beginning of an id; a revocation is meant by its id alone
 * @throws {CairnError} not-found, network-refused
 */
export async function accept(parts: PolicyParts, text: string): Promise<Proposed & { readonly what: string; readonly fourth: boolean }> {
  const { members, membership } = parts;
  const { intended } = membership;
  const matching = [...(intended?.proposals ?? [])].filter(([id, proposal]) => isCalled(id, proposal, text));
  const [found, ...others] = matching;
  if (found === undefined || others.length > 0)
    throw new CairnError("not-found", {
      why:
        found === undefined
          ? `nothing called ${text} waits to be accepted`
          : `more than one proposal is meant by ${text}; say the beginning of its id`,
    });
  const [id, { what }] = found;
  const fourth = what.kind === "domain" && endsUnanimity(intended, what.name);
  const after = what.kind === "claim" && intended !== undefined ? latestNamed(intended.claims, what.name) : undefined;
  issueOrRefuse(members, { kind: "accept", statement: id });
  const done = await outcomeOf(parts, id, fateOfProposal(id, what, after), CHANGED[what.kind]);
  return { what: called(membership.state, what), fourth, ...done };
}

/** @param after of a claim, what the claim follows upon */
function fateOfProposal(id: Digest, what: Proposal["what"], after: Digest | undefined): (state: State) => Fate {
  switch (what.kind) {
    case "domain":
      return (state) => (state.domains.get(what.name)?.hasVoice === true ? "in-effect" : "open");
    case "policy":
      return fateOf(id, what.number);
    case "revoke":
      return (state) => (state.members.get(what.member)?.standing === "active" ? "open" : "in-effect");
    case "claim":
      return fateOfClaim(id, what, after);
  }
}

/** Why something was not decided that was proposed: another one was, in its place. */
const CHANGED: Readonly<Record<Proposal["what"]["kind"], Refusal>> = {
  domain: "proposal-unknown",
  revoke: "proposal-unknown",
  policy: "policy-changed",
  claim: "claim-changed",
};

/** That of a claim which follows upon an epoch, by what is decided. */
export function fateOfClaim(
  id: Digest,
  { name, owner }: { readonly name: string; readonly owner: Key | undefined },
  after: Digest | undefined,
): (state: Pick<State, "claims" | "proposals">) => Fate {
  return ({ claims, proposals }) => {
    if (proposals.has(id) || latestNamed(claims, name) === after) return "open";
    const claim = claims.get(name);
    return claim !== undefined && (owner === undefined ? claim.isOpen : claim.owner === owner && !claim.isOpen) ? "in-effect" : "replaced";
  };
}

function called(state: State | undefined, what: Proposal["what"]): string {
  if (what.kind === "claim") return `that the name ${what.name} is ${ownerIn(state, what.owner)}`;
  if (what.kind === "revoke") return `that ${state === undefined ? "it" : nameOf(state, what.member)} is put out`;
  return what.kind === "domain" ? `domain ${what.name}` : `policy ${what.number}`;
}

function isCalled(id: Digest, { what }: Proposal, text: string): boolean {
  if (text.length >= ID_DIGITS && id.startsWith(text.toLowerCase())) return true;
  // A domain may be called like a machine: who means to give the one a voice must not put out the other. `cairn revoke` takes the name.
  if (what.kind === "revoke" || what.kind === "claim") return false;
  return what.kind === "domain" ? what.name === text : text === "policy";
}

const ID_DIGITS = 6;

/** @throws {CairnError} network-refused */
export function issueOrRefuse(members: Members, what: Operation): Digest {
  const issued = members.issue(what);
  if (issued.kind === "refused") throw new CairnError("network-refused", { why: issued.why });
  return issued.checked.id;
}

/** What became of a statement, as far as it is decided. `replaced`: another one has taken its place. */
type Fate = "open" | "in-effect" | "replaced";

/** That of a policy of that number, by what is decided. */
export function fateOf(id: Digest, number: number): (state: Pick<State, "policy">) => Fate {
  return ({ policy }) => (policy.statement === id ? "in-effect" : policy.number >= number ? "replaced" : "open");
}

/** @throws {CairnError} network-refused: another one was decided in its place, and `replaced` says of what kind */
export async function outcomeOf(parts: PolicyParts, id: Digest, fate: (state: State) => Fate, replaced: Refusal): Promise<Proposed> {
  const { membership } = parts;
  const isDecided = (): boolean => {
    const { decided, intended } = membership;
    // Once an epoch has it, more than that is up to others.
    return decided !== undefined && (fate(decided) !== "open" || (intended !== undefined && sameWord(decided, intended, id)));
  };
  await untilDecided(parts, isDecided);
  const { decided, intended } = membership;
  const became = decided === undefined ? "open" : fate(decided);
  if (became === "replaced") throw new CairnError("network-refused", { why: replaced });
  const waiting = intended?.proposals.get(id);
  return {
    inEffect: became === "in-effect",
    waits: waiting !== undefined,
    accepted: intended === undefined || waiting === undefined ? [] : acceptedBy(intended, waiting.accepted),
    needed: intended === undefined ? 0 : neededFor(intended, waiting?.what),
  };
}

function sameWord(decided: State, intended: State, id: Digest): boolean {
  const [now, then] = [decided, intended].map(({ proposals }) => proposals.get(id));
  return now !== undefined && then !== undefined && now.accepted.size === then.accepted.size;
}

/** @throws {CairnError} usage */
function withSetting(rules: NetworkPolicy, name: string, text: string): NetworkPolicy {
  const setting = SETTINGS.find((one) => one.name === name);
  if (setting === undefined)
    throw new CairnError("usage", {
      why: `the network's policy has no setting ${name}`,
      advice: `there are: ${SETTINGS.map((one) => one.name).join(", ")}`,
    });
  const { [setting.field]: _, ...others } = rules;
  const { values, isForGood = false } = setting;
  if (text === OWN && !isForGood) return others;
  if (values === "digests") return withDigest(rules, name, text);
  if (!("least" in values)) {
    if (!values.includes(text)) throw unfit(name, text, [...values, ...(isForGood ? [] : [OWN])].join(", "));
    return { ...others, [setting.field]: text === "on" ? true : text };
  }
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= values.least && value <= values.most))
    throw unfit(name, text, `a number from ${values.least} to ${values.most}, or ${OWN}`);
  return { ...others, [setting.field]: value };
}

/** @throws {CairnError} usage, limit-exceeded */
function withDigest({ approvedToolchains = [], ...others }: NetworkPolicy, name: string, text: string): NetworkPolicy {
  const [, sign, digest = ""] = /^([+-])([0-9a-f]{64})$/.exec(text) ?? [];
  if (sign === undefined) throw unfit(name, text, `+DIGEST, -DIGEST, ${OWN}`);
  const left = approvedToolchains.filter((one) => one !== digest);
  const now = sign === "+" ? [...left, digest].toSorted() : left;
  if (now.length > limits.policy.toolchains) throw new CairnError("limit-exceeded", { what: "approved toolchains" });
  return now.length === 0 ? others : { ...others, approvedToolchains: now };
}

function unfit(name: string, text: string, wanted: string): CairnError {
  return new CairnError("usage", { why: `${name} cannot be ${text}`, advice: `it is one of: ${wanted}` });
}

function namedRules(policy: NetworkPolicy): Record<string, string | number> {
  return Object.fromEntries(
    SETTINGS.flatMap(({ name, field }) => {
      const value = shown(policy[field]);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function acceptedBy(state: State, accepted: ReadonlySet<Key>): string[] {
  return [...state.council.speakers].flatMap(([domain, key]) => (accepted.has(key) ? [domain] : []));
}

function ownerIn(state: State | undefined, owner: Key | undefined): string {
  return owner === undefined ? "each author's own" : `${state === undefined ? "another member" : nameOf(state, owner)}'s`;
}

function nameOf(state: State, key: Key): string {
  return state.members.get(key)?.name ?? "";
}

/** For `cairn doctor --network`: what holds on this machine, and what it could do about what waits. */
export function policyLines(
  state: State,
  self: Key,
  own: OwnPolicy,
  project: ProjectWord = NO_WORD,
): { readonly holds: string; readonly waits: readonly string[] } {
  const { number, rules } = state.policy;
  const tier = sharingUnder(rules, own.sharing, project.sharing);
  const why =
    tier !== sharingUnder(rules, own.sharing)
      ? `${project.by} demands it${project.trouble === "" ? "" : `, as ${project.trouble}`}`
      : rules.sharing === undefined
        ? "this machine's own"
        : tier === own.sharing
          ? `this machine's own; the network wants ${rules.sharing}`
          : `the network's; this machine's own is ${own.sharing}`;
  const more = Object.entries(namedRules({ ...rules })).filter(([name]) => !["sharing", "trial", "unanimous"].includes(name));
  const demands = more.map(([name, value]) => `${name} ${withBriefDigests(String(value))}`).join(", ");
  const holds = `sharing ${tier} (${why})${demands === "" ? "" : `; the network wants ${demands}`}${number === 0 ? "" : `; policy ${number}`}`;
  const waits = [...state.proposals.values()]
    .filter(({ accepted, what }) => askedFor(state, what).includes(self) && !accepted.has(self))
    .map(({ by, what }) => {
      const who = `${nameOf(state, by)} (${countedDomain(state, by)})`;
      if (what.kind === "revoke" || what.kind === "claim") return `${called(state, what)}, as ${who} wants`;
      return what.kind === "domain" ? `the domain ${what.name}, made by ${who}` : `policy ${what.number} of ${nameOf(state, by)}`;
    });
  return { holds, waits };
}
