/**
 * Who decides epochs, and who has decided what, as the daemon tells it and as lines for people.
 *
 * Knows: the shape of the answers to `members` and `revoke`. Does not know: how they travel.
 */
import { field, listIn, numberIn, readSpeakers, readWaiting, type Speaker, textIn, type WaitingFacts } from "./answers.ts";
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
  /** Of two or three domains who say together that a machine of another one is put out; none where one admin says it. */
  readonly together: readonly Speaker[];
  readonly waiting: readonly WaitingFacts[];
}

export function readEpochs(answer: unknown): EpochFacts {
  const deciding = field(answer, "deciding");
  const newest = field(deciding, "newest");
  const ballot = field(deciding, "ballot");
  return {
    number: numberIn(answer, "epoch"),
    domains: listIn(newest, "domains").filter((one) => typeof one === "string"),
    admin: textIn(newest, "admin"),
    voices: readSpeakers(deciding, "voices"),
    quorum: numberIn(deciding, "quorum"),
    undecided: numberIn(deciding, "undecided"),
    revocations: listIn(deciding, "revocations").filter((one) => typeof one === "string"),
    ballot:
      typeof ballot === "object" && ballot !== null ? { view: numberIn(ballot, "view"), leader: textIn(ballot, "leader") } : undefined,
    isForked: (field(deciding, "fork") ?? null) !== null,
    together: readSpeakers(deciding, "together"),
    waiting: readWaiting(deciding),
  };
}

/** What a fourth domain's voice takes away. */
export const FOURTH =
  "with its voice there are four domains: from then on no other domain is asked whether a machine is put out; any admin says so, and the domains decide when";

/** Nothing where one admin decides, and nothing waits. */
export function epochLines(epochs: EpochFacts, paint: Paint): string[] {
  const { number, domains, admin, voices, quorum, undecided, revocations, ballot, isForked, together, waiting } = epochs;
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
    ...revocations.map((name) =>
      paint.careful(
        `${name} is to be put out, and is still a member until ${quorum === 0 ? "an admin has signed the epoch that says so" : `${quorum} domains have agreed`}`,
      ),
    ),
    ...(together.length === 0
      ? []
      : [`a machine of one domain is put out by all others together: ${together.map((one) => spoken(one)).join(", ")}`]),
    ...waiting.map((one) => waitingLine(one, paint)),
  ];
}

/** Who has to say what so that a revocation takes effect. */
export function waitingLine({ member, missing, mayAccept }: WaitingFacts, paint: Paint): string {
  const command = paint.name(`cairn revoke ${member}`);
  const own = mayAccept ? `; this machine may: ${command}` : "";
  return `${paint.careful(`${member} is to be put out`)}, and is a member until ${stillNeeded(missing)}${own}`;
}

function stillNeeded(missing: readonly Speaker[]): string {
  return `${missing.map((one) => spoken(one)).join(" and ")} ${missing.length === 1 ? "says" : "say"} so, too`;
}

function spoken({ domain, member }: Speaker): string {
  return `${domain} (${member === "" ? "which has nobody who may, as its machine has put out its own seniors" : member})`;
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

/** Who has to say it as well, how, and how it ends. */
function waitsLines(name: string, waits: unknown, paint: Paint): string[] {
  const missing = readSpeakers(waits, "missing");
  const accepted = listIn(waits, "accepted").filter((one) => typeof one === "string");
  const by = accepted.length === 0 ? "" : ` (${accepted.join(", ")})`;
  const there = missing.map(({ member }) => member).filter((member) => member !== "");
  return [
    `${paint.careful("waits")}  ${accepted.length} of ${counted(numberIn(waits, "needed"), "domain")} want ${name} put out${by}; it is a member until ${stillNeeded(missing)}`,
    ...(there.length === 0 ? [] : [`type there: ${paint.name(`cairn revoke ${name}`)}   on ${there.join(" and ")}`]),
    `until then machines of the domains that want it use nothing that ${name} alone vouches for, send it no work and do none for it`,
    `it ends with the last word, or comes to nothing: when ${name} goes, or all admins who asked for it, or take it back (--withdraw), or a fourth domain gets its voice; cairn members tells`,
  ];
}

function withdrawnLines(name: string, waits: unknown, paint: Paint): string[] {
  const back = `${paint.good("taken back")}  this machine does not want ${name} put out any more`;
  return (waits ?? null) === null ? [back] : [back, "others do still: cairn members tells"];
}

/** What came of `cairn revoke`. */
export function revokedLines(done: unknown, paint: Paint): string[] {
  const withdrawn = textIn(done, "withdrawn");
  if (withdrawn !== "") return withdrawnLines(withdrawn, field(done, "waits"), paint);
  const name = textIn(done, "revoked");
  const quorum = numberIn(done, "quorum");
  const domains = listIn(done, "domains").filter((one) => typeof one === "string");
  const isDecided = field(done, "decided") === true;
  const waits = field(done, "waits");
  if (waits !== undefined && waits !== null) return waitsLines(name, waits, paint);
  const gone = `${paint.good("revoked")}  ${name}; members who are connected have let go of it already`;
  if (quorum === 0) return [gone];
  if (isDecided) return [gone, `decided by the domains ${domains.join(", ")}`];
  const wait = `it is final when ${quorum} domains have agreed, which they do as soon as enough of them are connected; cairn members tells`;
  return field(done, "inEffect") === true ? [gone, wait] : [`${paint.careful("asked")}  ${name} is still a member; ${wait}`];
}
