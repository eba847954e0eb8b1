/**
 * Who decides epochs, and who has decided what, as the daemon tells it and as lines for people.
 *
 * Knows: the shape of the answers to `members` and `revoke`. Does not know: how they travel.
 */
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { counted } from "./format.ts";
import type { Paint } from "./terminal.ts";

export interface EpochFacts {
  readonly number: number;
  /** Domains that decided the newest epoch; none where an admin did. */
  readonly domains: readonly string[];
  readonly admin: string;
  /** Who speaks for each domain; none where admins decide. */
  readonly voices: readonly { readonly domain: string; readonly member: string }[];
  readonly quorum: number;
  readonly undecided: number;
  /** Members that are to be put out. */
  readonly revocations: readonly string[];
  readonly ballot: { readonly view: number; readonly leader: string } | undefined;
  readonly isForked: boolean;
}

export function readEpochs(answer: unknown): EpochFacts {
  const deciding = field(answer, "deciding");
  const newest = field(deciding, "newest");
  const ballot = field(deciding, "ballot");
  return {
    number: numberIn(answer, "epoch"),
    domains: listIn(newest, "domains").filter((one) => typeof one === "string"),
    admin: textIn(newest, "admin"),
    voices: listIn(deciding, "voices").map((voice) => ({ domain: textIn(voice, "domain"), member: textIn(voice, "member") })),
    quorum: numberIn(deciding, "quorum"),
    undecided: numberIn(deciding, "undecided"),
    revocations: listIn(deciding, "revocations").filter((one) => typeof one === "string"),
    ballot:
      typeof ballot === "object" && ballot !== null ? { view: numberIn(ballot, "view"), leader: textIn(ballot, "leader") } : undefined,
    isForked: (field(deciding, "fork") ?? null) !== null,
  };
}

/** Nothing where one admin decides, and nothing waits. */
export function epochLines(epochs: EpochFacts, paint: Paint): string[] {
  const { number, domains, admin, voices, quorum, undecided, revocations, ballot, isForked } = epochs;
  const by = domains.length === 0 ? `admin ${admin}` : `the domains ${domains.join(", ")}`;
  const speak = voices.map(({ domain, member }) => `${domain} (${member})`).join(", ");
  const next = voices.length === 0 ? "is an admin's to decide" : `needs ${quorum} of ${voices.length} domains: ${speak}`;
  const view = ballot === undefined ? "" : `, view ${ballot.view}, led by ${ballot.leader}`;
  return [
    ...(isForked
      ? [
          paint.bad(
            "two epochs in one place, both signed by a quorum of domains: more of them lie than agreement can bear. Admit nobody, and found the network anew without them",
          ),
        ]
      : []),
    ...(voices.length === 0 && domains.length === 0 ? [] : [`epoch ${number} was decided by ${by}; the next ${next}`]),
    ...(voices.length === 0 || undecided === 0 ? [] : [paint.careful(`${counted(undecided, "statement")} to be decided${view}`)]),
    ...revocations.map((name) => paint.careful(`${name} is to be put out, and is still a member until ${quorum} domains have agreed`)),
  ];
}

/** What waits for other domains, where anything does. */
export function waitLine(done: unknown, then: string, paint: Paint): string {
  const accepted = listIn(done, "accepted").filter((one) => typeof one === "string");
  const needed = numberIn(done, "needed");
  if (field(done, "inEffect") === true) return `${paint.good("decided")}  ${then}, for all who have that epoch`;
  if (field(done, "waits") !== true) return `${paint.careful("asked")}  ${then} when an epoch has it; cairn members tells`;
  const by = accepted.length === 0 ? "" : ` (${accepted.join(", ")})`;
  return `${paint.careful("waits")}  ${accepted.length} of ${counted(needed, "domain")} accept it${by}; the others say so as ${paint.name("cairn accept")} tells`;
}

/** What came of `cairn revoke`. */
export function revokedLines(done: unknown, paint: Paint): string[] {
  const name = textIn(done, "revoked");
  const quorum = numberIn(done, "quorum");
  const domains = listIn(done, "domains").filter((one) => typeof one === "string");
  const isDecided = field(done, "decided") === true;
  const waits = field(done, "waits");
  if (waits !== undefined && waits !== null)
    return [`${waitLine({ ...waits, waits: true }, `${name} is put out`, paint)}; it is still a member`];
  const gone = `${paint.good("revoked")}  ${name}; members who are connected have let go of it already`;
  if (quorum === 0) return [gone];
  if (isDecided) return [gone, `decided by the domains ${domains.join(", ")}`];
  const wait = `it is final when ${quorum} domains have agreed, which they do as soon as enough of them are connected; cairn members tells`;
  return field(done, "inEffect") === true ? [gone, wait] : [`${paint.careful("asked")}  ${name} is still a member; ${wait}`];
}
