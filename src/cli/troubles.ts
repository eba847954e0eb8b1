/**
 * Errors as people read them: what happened, why, what to do; and the exit code that goes with each.
 *
 * Knows: every error code. Does not know: where an error came from.
 */
import { CairnError, type ErrorCode, type Facts, systemCode, systemWords } from "../base/index.ts";
import { bytes, counted, duration } from "./format.ts";

/** What a process ends with. `run` and `cc` end with their command's own code, 128 + n after signal n. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, noDaemon: 3 } as const;

export interface Trouble {
  readonly code: string;
  /** One line, no full stop: what happened and why. */
  readonly what: string;
  /** One line each: what to do about it. */
  readonly advice: readonly string[];
  readonly exitCode: number;
}

type Tell = (facts: Facts, cause: unknown) => { what: string; advice?: readonly string[]; exitCode?: number };

const TELL: Readonly<Record<ErrorCode, Tell>> = {
  "home-unwritable": (facts, cause) => ({
    what: `cannot write to ${fact(facts, "path")}${because(facts, cause)}`,
    advice: [
      `${because(facts, cause).endsWith(FULL) ? "free some space there" : "make it writable"}, or put everything somewhere else: export CAIRN_HOME=/some/directory`,
    ],
  }),
  "home-foreign": (facts) => ({
    what: `${fact(facts, "path")} is not a directory that Cairn may use${foreignReason(facts)}`,
    advice: [
      facts.mode === undefined
        ? "move it away, or put everything somewhere else: export CAIRN_HOME=/some/directory"
        : `take the permission away (chmod go-w ${fact(facts, "path")}), or choose another place: export CAIRN_HOME=/some/directory`,
    ],
  }),
  "config-invalid": (facts, cause) => ({
    what: `the configuration cannot be used: ${configReason(facts)}${systemCode(cause) === undefined ? "" : because(facts, cause)}`,
    advice: [configAdvice(facts), "cairn config path   tells where the file is"],
  }),
  "daemon-running": (facts) => ({
    what: `a daemon serves this home already${facts.pid === undefined ? "" : ` (process ${fact(facts, "pid")})`}`,
    advice: ["cairn status   tells more", "cairn down     ends it"],
    exitCode: exitCodes.noDaemon, // Of this process: its supervisor is to let it be.
  }),
  "daemon-absent": (facts) =>
    facts.why === "silent"
      ? {
          what: `the daemon did not answer within ${duration(Number(facts.waitedMs ?? 0))}`,
          advice: [
            "builds go on without it",
            ...(facts.pid === undefined
              ? []
              : [`is it stopped? kill -CONT ${fact(facts, "pid")}   lets it go on, kill -9 ends it; no result is lost`]),
          ],
          exitCode: exitCodes.noDaemon,
        }
      : {
          ...(facts.why === "EACCES"
            ? {
                what: `the daemon's socket ${fact(facts, "socket")} belongs to somebody else`,
                advice: ["choose a home of your own: export CAIRN_HOME=/some/directory"],
              }
            : { what: "no daemon is running", advice: ["cairn up   starts one; so does the first compile"] }),
          exitCode: exitCodes.noDaemon,
        },
  "daemon-failed": (facts) => ({
    what: `the daemon did not start${facts.why === undefined ? "" : `: ${fact(facts, "why")}`}`,
    advice: [`its log is ${fact(facts, "log")}`, "cairn up --foreground   shows what happens"],
    exitCode: exitCodes.noDaemon,
  }),
  "client-unbuildable": (facts) => ({
    what: `the compiler wrapper could not be built${facts.why === undefined ? "" : `: ${fact(facts, "why")}`}`,
    advice: ["it needs a C compiler with its headers (Debian: apt install gcc libc6-dev)", "until then compilers are called directly"],
  }),
  "frame-invalid": (facts) => ({
    what: `the ${fact(facts, "what") || "peer's answer"} makes no sense; is that daemon of another version?`,
    advice: ["cairn down; cairn up   starts the one that belongs to this command"],
  }),
  "index-corrupt": (facts) => ({
    what: `the index of the cache cannot be read${facts.path === undefined ? "" : `: ${fact(facts, "path")}`}`,
    advice: ["remove that file: only cached results are lost, and Cairn begins anew"],
  }),
  "limit-exceeded": (facts) => ({
    what: `${fact(facts, "what") || "something"} is too large${typeof facts.bytes === "number" ? ` (${bytes(facts.bytes)})` : ""}${facts.most === undefined ? "" : `: ${fact(facts, "most")}`}`,
  }),
  "network-absent": () => ({
    what: "this machine belongs to no network",
    advice: ["cairn init         founds one", "cairn join LINE    joins one; the line comes from cairn invite on another machine"],
  }),
  "network-present": (facts) => ({
    what: `this machine belongs to the network ${fact(facts, "name")} already`,
    advice: ["cairn members   tells who else does", "cairn leave     leaves it"],
  }),
  "network-damaged": (facts) => ({
    what: `what is kept of the network cannot be read: ${fact(facts, "path")}`,
    advice: ["cairn leave --force   forgets it; then join again with a new invitation"],
  }),
  "network-unavailable": (facts) => ({
    what: `no address can be listened on (${fact(facts, "addresses")}): ${systemWords(fact(facts, "why"))}`,
    advice: ["cairn config set network.listen HOST:PORT   chooses another one"],
  }),
  "network-refused": (facts) =>
    facts.why === "chair-lost" ? chairLost(fact(facts, "members"), facts.doubted === true) : refusal(fact(facts, "why")),
  "invitation-invalid": () => ({
    what: "that is no invitation, or not a whole one",
    advice: [
      "it is one line that begins with cairn1- or cairn2-; copy all of it",
      "cairn invite, on a machine that is in the network, prints a new one",
    ],
  }),
  "member-unknown": (facts) => ({
    what:
      facts.matches === undefined || facts.matches === 0
        ? `nobody here is called ${fact(facts, "member")}`
        : `more than one member is meant by ${fact(facts, "member")}`,
    advice: ["cairn members   lists names and keys"],
  }),
  "peer-absent": (facts) => ({
    what: `${fact(facts, "member") || "that member"} is not connected: ${fact(facts, "why")}`,
    advice: ["cairn peers   tells how each of them is reached"],
  }),
  "peer-silent": (facts) => ({
    what: `${fact(facts, "member") || "that member"} did not answer within ${duration(Number(facts.waitedMs ?? 0))}`,
    advice: ["cairn peers   tells how each of them is reached"],
  }),
  "peer-unreachable": (facts) => ({
    what: `none of the machines that the invitation names can be reached: ${fact(facts, "why")}`,
    advice: ["is the machine that printed it switched on, and its daemon running (cairn status)?", "the line can be used again once it is"],
  }),
  "data-refused": (facts) => dataRefusal(facts),
  "blob-absent": (facts) => ({
    what: `${counted(Number(facts.blobs ?? 1), "blob")} of it cannot be had (the first is ${fact(facts, "first").slice(0, SHOWN)}…): ${ABSENT[fact(facts, "why")] ?? fact(facts, "why")}`,
    advice: ABSENT_ADVICE[fact(facts, "why")] ?? [],
  }),
  "address-unavailable": (facts) => ({
    what: `${fact(facts, "address")} cannot be listened on: ${systemWords(fact(facts, "why"))}`,
    advice: ["choose another port"],
  }),
  "tunnel-unknown": (facts) => ({
    what: `nothing is ${fact(facts, "what")} as ${fact(facts, "name")}`,
    advice: ["--list   shows what is"],
  }),
  "not-found": (facts) => ({ what: fact(facts, "why") }),
  usage: (facts) => ({
    what: fact(facts, "why") || "that makes no sense",
    advice: facts.advice === undefined ? [] : [fact(facts, "advice")],
    exitCode: exitCodes.usage,
  }),
};

/** Digits of a digest that people are shown. */
const SHOWN = 16;

const ABSENT: Readonly<Record<string, string>> = {
  "no-network": "it is not on this machine, which is in no network",
  nobody: "no connected member has it",
  "no-member": "it is not on this machine, which is no member of its network any more",
  removed: "it was removed from the store meanwhile",
  damaged: "it was damaged in the store of this machine",
};

const ABSENT_ADVICE: Readonly<Record<string, readonly string[]>> = {
  nobody: ["what has come stays here: try again when who has it is there (cairn peers)"],
  "no-member": ["cairn leave forgets the network; a member may invite this machine anew"],
};

/** Turns whatever was thrown into something that helps. */
export function explainTrouble(error: unknown): Trouble {
  if (!(error instanceof CairnError)) {
    return { code: systemCode(error) ?? "internal", what: messageOf(error), advice: [], exitCode: exitCodes.failed };
  }
  const { what, advice = [], exitCode = exitCodes.failed } = TELL[error.code](error.facts, error.cause);
  const own = typeof error.facts.advice === "string" ? [error.facts.advice] : advice;
  return { code: error.code, what, advice: own, exitCode };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function fact(facts: Facts, name: string): string {
  return String(facts[name] ?? "");
}

const FULL = systemWords("ENOSPC");

/** Of what is to be written; beside what the system means by it elsewhere. */
const WRITING: Readonly<Record<string, string>> = {
  EEXIST: "something else is there",
  ENOENT: "nothing can be made there",
};

function because(facts: Facts, cause: unknown): string {
  const code = fact(facts, "system") || systemCode(cause) || "";
  return code === "" ? "" : `: ${WRITING[code] ?? systemWords(code)}`;
}

function foreignReason(facts: Facts): string {
  if (facts.owner !== undefined) return `: it belongs to user ${fact(facts, "owner")}`;
  if (facts.mode !== undefined) return `: others may write to it (mode ${fact(facts, "mode")})`;
  return because(facts, undefined);
}

function configReason(facts: Facts): string {
  const line = facts.line === undefined ? "" : `, line ${fact(facts, "line")}`;
  const setting = facts.name === undefined ? "" : `${fact(facts, "name")}${facts.value === undefined ? "" : ` = ${fact(facts, "value")}`}`;
  const want = facts.want === undefined ? "" : `${setting === "" ? "not" : ": not"} ${fact(facts, "want")}`;
  return `${fact(facts, "where")}${line}: ${setting}${want}`.replace(/: $/, "");
}

function configAdvice(facts: Facts): string {
  if (facts.line !== undefined) return 'mend that line: a setting is written log.level = "warn"';
  if (facts.name !== undefined) return "cairn config set NAME VALUE   mends a setting";
  return "make it readable, or choose a home of your own: export CAIRN_HOME=/some/directory";
}

/** Why the rules, or another member, said no; and what helps. */
const REFUSALS: Readonly<Record<string, readonly [what: string, advice?: string]>> = {
  "not-a-member": ["this machine is not a member any more", "cairn leave forgets the network; then join again with a new invitation"],
  "not-an-admin": ["only members of the first domain may do that", "cairn members   tells who they are"],
  "domain-exists": ["that domain exists already"],
  "domain-foreign": [
    "only members of a domain invite into it, or who made it as long as it has none",
    "ask one of them (cairn members), or choose a new name",
  ],
  "policy-changed": ["the policy has changed meanwhile", "look at it (cairn policy), and propose again what you still want"],
  "policy-same": ["that is the network's policy already", "cairn policy   shows all of it"],
  "too-many-proposals": ["5 proposals of this machine wait to be accepted", "cairn accept   shows them, and who may accept"],
  "proposal-unknown": [
    "that waits for nobody's word",
    "cairn accept   shows what does; where there are four domains and more a revocation waits for none, and cannot be taken back",
  ],
  "not-a-speaker": [
    "only the machine that speaks for a domain accepts, the most senior one",
    "run it there: cairn accept --json names them",
  ],
  "accepted-already": ["this domain has accepted it", "cairn accept   shows who else has to"],
  "claim-changed": [
    "somebody else has said whose that name is meanwhile, or that waits for an epoch",
    "cairn name claims   tells whose it is",
  ],
  "not-the-owner": [
    "that name is another member's, or nobody's until somebody claims it",
    "cairn name claims   tells whose; its owner, that one's domain or the other domains hand it on: cairn name hand",
  ],
  "too-many-names": [
    "this machine, that member, a domain or the network has as many claimed names as there may be",
    "cairn name yield   gives one back",
  ],
  "token-spent": [
    "epochs that were replaced since had given that name a newer token",
    "claim it once more: cairn name claim, with --above where another machine has seen a greater one",
  ],
  "too-many-invitations": ["too many invitations of this machine are open", "they expire; --expires 1h makes the next ones shorter"],
  "invitation-too-long": ["an invitation is good for 30 days at most, and for some time at least", "--expires 24h"],
  "invitation-unknown": ["nobody there knows this invitation", "was it printed for this network? cairn invite prints a new one"],
  "invitation-used": ["this invitation was used already", "each is good for one machine: cairn invite prints another one"],
  "invitation-expired": ["this invitation has expired", "cairn invite prints a new one"],
  "inviter-gone": ["who made this invitation is not a member any more", "ask another member for one"],
  "member-gone": ["that member was revoked, or has left, already"],
  "member-foreign": ["members are revoked by the first domain, or by their own", "ask one of them: cairn members"],
  "last-admin": ["nobody else could decide who belongs to the network", "invite another machine of yours first, or: cairn leave --force"],
  "own-machine": ["a machine does not revoke itself", "cairn leave"],
  revoked: ["this machine was revoked", "cairn leave forgets the network; a member may invite it anew"],
  left: ["this machine has left that network", "join again with a new invitation"],
};

function refusal(why: string): { what: string; advice: readonly string[] } {
  const [what, advice] = REFUSALS[why] ?? [`it was refused: ${why}`];
  return { what, advice: advice === undefined ? [] : [advice] };
}

/** Who put out its own seniors speaks for nobody. @param members who could do it instead @param isDoubted whether the member that is to go has let in all of them */
function chairLost(members: string, isDoubted: boolean): { what: string; advice: readonly string[] } {
  const others = members.split(" ").filter(Boolean);
  const there =
    others.length === 0 ? "no other machine can do it without that either" : `do it on ${others.join(" or ")}, of which that is not so`;
  const force = "--force   does it all the same: where its key was stolen, that may be worth it";
  return {
    what: "then nobody would speak for the first domain: no machine of another one could be put out, and no domain get a voice",
    advice:
      others.length > 0 && isDoubted
        ? [force, `${there}; only where it is lost and not stolen: that member has let in ${others.length > 1 ? "them" : "it"}`]
        : [there, force],
  };
}

/** Why a member does not serve something; the words travel, see docs/protocol/tunnel.md. */
const DATA_REFUSALS: Readonly<Record<string, (member: string) => readonly [what: string, advice?: string]>> = {
  "not-exposed": (member) => [`${member} exposes nothing of that name`, "there: cairn expose PORT"],
  "not-allowed": (member) => [`${member} exposes that, but not to this machine`, "there: cairn expose PORT --to MEMBER"],
  "no-such-service": (member) => [`${member} does not know how to do that; is its Cairn older?`],
};

function dataRefusal(facts: Facts): { what: string; advice: readonly string[] } {
  const [member, why] = [fact(facts, "member") || "that member", fact(facts, "why")];
  const advice = DATA_REFUSALS[why]?.(member)[1];
  return { what: dataTrouble(member, why), advice: advice === undefined ? [] : [advice] };
}

/** The same in one line, of what went wrong with a member the last time. */
export function dataTrouble(member: string, why: string): string {
  return DATA_REFUSALS[why]?.(member)[0] ?? `${member}: ${why}`;
}
