/**
 * stats, explain, gc: what the cache did, why, and how much room it takes.
 */
import { resolve } from "node:path";
import { CairnError } from "../base/index.ts";
import {
  type Counters,
  type Demand,
  type Difference,
  type Errand,
  type Explanation,
  type Giver,
  type Labourer,
  type Origin,
  type Refused,
  readCollected,
  readCounters,
  readExplanation,
  readGivers,
  readLabourers,
  summarize,
} from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { doorLines } from "./door-answers.ts";
import { bytes, count, counted, duration, indent, share, table } from "./format.ts";
import { ensureDaemon, startDeadlineMs } from "./start-daemon.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

interface Json {
  readonly json?: true | undefined;
}

export async function stats(
  context: Context,
  options: Json & { readonly zero?: true | undefined; readonly session?: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { control, terminal } = context;
  const raw = await control.get("/stats", options.session === undefined ? {} : { session: options.session }, signal);
  if (options.zero === true) await control.post("/stats/zero", {}, signal);
  answer(terminal, options.json, raw, () => [
    ...allLines(readCounters(raw), readGivers(raw), readLabourers(raw), terminal.paint),
    ...(options.zero === true ? ["", "all counters are zero now"] : []),
  ]);
  return exitCodes.ok;
}

/** Of compiles, and of what other tools have kept here; of the one that there is. */
function allLines(counters: Counters, givers: readonly Giver[], workers: readonly Labourer[], paint: Paint): string[] {
  const doors = doorLines(counters, paint);
  const { total, failed, errors } = summarize(counters);
  if (doors.length > 0 && total + failed + errors.length === 0) return doors;
  return [...statsLines(counters, givers, workers, paint), ...(doors.length === 0 ? [] : ["", ...doors])];
}

function statsLines(counters: Counters, givers: readonly Giver[], workers: readonly Labourer[], paint: Paint): string[] {
  const found = summarize(counters);
  if (found.total + found.failed === 0 && found.errors.length === 0) return ["nothing was compiled yet; try: cairn run -- make"];
  const of = (value: number): string => share(value, found.total);
  const part = (name: string, value: number): string[] => [paint.dim(`    ${name}`), count(value), of(value)];
  const reasons = (rows: readonly (readonly [string, number])[]): string[][] =>
    rows.map(([reason, value]) => part(reason.replaceAll("_", " "), value));
  const rows = [
    [paint.bold("compiles"), paint.bold(count(found.total)), ""],
    [paint.good("  hits"), count(found.hits), of(found.hits)],
    ...(found.hits === 0
      ? []
      : [
          part("by the wrapper alone", found.hitsByWrapper),
          part("by the daemon", found.hitsByDaemon),
          part("same code, other text", found.hitsEquivalent),
          ...(found.hitsByPeers === 0 ? [] : [part("by other machines", found.hitsByPeers)]),
        ]),
    [paint.careful("  misses"), count(found.misses), of(found.misses)],
    ...(found.stopped === 0 ? [] : [["    stopped, another machine was first", count(found.stopped), ""]]),
    ...(found.elsewhere === 0 ? [] : [["  compiled by other machines", count(found.elsewhere), of(found.elsewhere)]]),
    ...(found.passed === 0 ? [] : [["  passed through", count(found.passed), of(found.passed)], ...reasons(found.passes)]),
    ...(found.failed === 0 ? [] : [["failed by themselves", count(found.failed), ""]]),
    ...(found.notStored.length === 0 ? [] : [["results not kept", "", ""], ...reasons(found.notStored).map((row) => row.slice(0, 2))]),
    ...(found.keptHere.length === 0
      ? []
      : [["not left to other machines", "", ""], ...reasons(found.keptHere).map((row) => row.slice(0, 2))]),
    ...(found.errors.length === 0 ? [] : [[paint.bad("errors"), "", ""], ...reasons(found.errors).map((row) => row.slice(0, 2))]),
  ];
  const sums = [
    [paint.dim("saved"), `${duration(found.savedMs)} of compile time${paint.dim(", which several cores share")}`],
    [paint.dim("compiled"), duration(found.compileMs)],
    ...(found.elsewhere === 0 ? [] : [[paint.dim("compiled elsewhere"), duration(found.elsewhereMs)]]),
    [paint.dim("stored"), bytes(found.storedBytes)],
  ];
  return [...table(rows, ["left", "right", "right"]), "", ...table(sums), ...giverLines(givers, paint), ...labourerLines(workers, paint)];
}

/** From whom, how much, how long it took, how far away they are. */
function giverLines(givers: readonly Giver[], paint: Paint): string[] {
  if (givers.length === 0) return [];
  const heading = ["came from", "hits", "bytes", "took", "round trip"].map((text) => paint.dim(text));
  const rows = givers.map(({ name, hits, bytes: received, tookMs, rttMs }) => [
    name,
    count(hits),
    bytes(received),
    duration(tookMs),
    rttMs === undefined ? paint.dim("not connected") : `${rttMs.toFixed(1)} ms`,
  ]);
  return ["", ...table([heading, ...rows], ["left", "right", "right", "right", "right"])];
}

/** Who compiled how much, and how long that took. */
function labourerLines(workers: readonly Labourer[], paint: Paint): string[] {
  if (workers.length === 0) return [];
  const heading = ["compiled by", "compiles", "compiling", "waiting there", "altogether"].map((text) => paint.dim(text));
  const rows = workers.map(({ name, compiles, compiledMs, queuedMs, tookMs }) => [
    name,
    count(compiles),
    duration(compiledMs),
    duration(queuedMs),
    duration(tookMs),
  ]);
  return ["", ...table([heading, ...rows], ["left", "right", "right", "right", "right"])];
}

export async function explain(context: Context, file: string | undefined, options: Json, signal: AbortSignal): Promise<number> {
  const { control, cwd, terminal } = context;
  const path = file === undefined ? undefined : resolve(cwd, file);
  const raw = await control.get("/explain", path === undefined ? {} : { file: path }, signal);
  const found = readExplanation(raw);
  if (found === undefined) {
    throw new CairnError("not-found", {
      why: path === undefined ? "nothing was compiled yet" : `no compile of ${path} is remembered`,
      advice: "name a source file that was compiled with Cairn, such as src/main.c",
    });
  }
  answer(terminal, options.json, raw, () => explanationLines(found, terminal.paint, Date.now()));
  return exitCodes.ok;
}

const BUILT_ELSEWHERE = "built_elsewhere";
/** The same of a command. */
const RAN_ELSEWHERE = "ran_elsewhere";

const HITS: Readonly<Record<string, string>> = {
  hit_local: "hit, by the wrapper alone",
  hit_direct: "hit",
  hit_daemon: "hit, by the daemon",
  hit_ahead: "hit, by what was laid out for this checkout before anybody asked",
  hit_moved: "hit, by the wrapper alone, with what another checkout of this machine was built with",
  hit_equivalent: "hit, the same code with other comments or spaces",
  hit_peer: "hit, by another machine's work",
  direct: "hit",
  equivalent: "hit, the same code with other comments or spaces",
};

const MISSES: Readonly<Record<string, string>> = {
  miss: "miss",
  [BUILT_ELSEWHERE]: "miss, compiled by another machine",
  [RAN_ELSEWHERE]: "miss, run by another machine",
};

/** Reasons that their counters' names do not explain. */
const WHY: Readonly<Record<string, string>> = {
  input_modified_during_compile: "a file changed while the compiler ran, or so shortly before that its time does not tell",
};

/** Why a member was chosen for a compile. */
const THERE: Readonly<Record<string, string>> = {
  coordinator: "by the coordinator",
  "own-choice": "by this machine",
  "coordinator-silent": "by this machine, as the coordinator did not answer",
  responsible: "by the member that is responsible for it",
  claimed: "because it said that it had room",
};

/** Why a compile was not left to others. */
const HERE: Readonly<Record<string, string>> = {
  core_idle: "a core was idle",
  late: "the machine that had it took too long",
  busy: "no other machine had room",
  not_worth: "a core here would be free sooner than another machine would be done",
  nobody: "no other machine does such work for this one",
  asked: "as it was asked for: --here",
  alone: "this machine is in no network",
  unshared: "not always the same comes of it",
  system_unknown: "nobody can tell whether another machine has the same installed",
  too_large: "its inputs are more than is sent",
  failed_there: "nothing of use came from the machine that had it",
  failed_before: "it has failed on another machine before",
  policy: "more domains must vouch for it than this machine and another one",
  project_policy: "its project wants more domains to vouch for it than this machine and another one",
};

/** Why somebody's result is not believed. */
const REFUSED: Readonly<Record<string, string>> = {
  policy: "only what was executed here is used",
  "cut-off": "members of most domains could not be reached, and it is of another domain",
  received: "a tool has left it at a door there: such things are taken of machines of the own domain, as policy and doors.share say",
  signature: "whom it names has not signed it",
  discredited: "it was found to have signed what is not so, or this machine's domain wants it put out",
  disputed: "another member says that something else came of it",
  "not-deterministic": "what comes of it is not always the same: two domains say this, and two say that",
  "own-work-differs": "this machine has executed it, and something else came of it",
  revoked: "it was revoked",
  left: "it has left the network",
  stranger: "it is no member",
};

/** The outcome of a compile whose compiler ended with an error. */
const FAILED = "compiler_failed";

function explanationLines(found: Explanation, paint: Paint, nowMs: number): string[] {
  const [kind = "", ...reason] = found.outcome.split(":");
  const why = [WHY[reason.join(":")] ?? reason.join(":").replaceAll("_", " "), found.reason ?? ""].filter((part) => part !== "").join(": ");
  const hit = HITS[kind];
  const isRun = kind === RAN_ELSEWHERE;
  const verdict =
    hit !== undefined
      ? paint.good(hit)
      : MISSES[kind] !== undefined
        ? paint.careful(MISSES[kind])
        : paint.careful(kind === "pass" ? "passed through" : kind.replaceAll("_", " "));
  const facts = [
    ["compiler", found.compiler],
    // Of a hit it is what the compiler took that did run, somewhere, once.
    [hit === undefined ? "took" : "compiles in", found.durationMs <= 0 ? "" : duration(found.durationMs)],
    ["work of", found.from?.maker ?? ""],
    ["came from", found.from === undefined ? "" : journey(found.from)],
    ["policy", found.policy === undefined ? "" : demand(found.policy)],
    ["vouched for", found.from === undefined ? "" : voucher(found.from)],
    [isRun ? "run by" : "compiled by", found.by === undefined ? "" : errand(found.by, isRun ? "work" : "compiling")],
    ["chosen", found.by === undefined ? "" : (THERE[found.by.why] ?? found.by.why)],
    ["done here", kind === "miss" && found.here !== "" ? (HERE[found.here] ?? `not elsewhere: ${found.here.replaceAll("_", " ")}`) : ""],
    ["read", found.inputs === 0 ? "" : counted(found.inputs, "file")], // None: nobody looked.
    ...found.outputs.map((output, i) => [i > 0 ? "" : kind === FAILED ? "not written" : "wrote", output]),
  ].filter(([, value]) => value !== "");
  return [
    paint.bold(found.source),
    `  ${verdict}${why === "" ? "" : `: ${why}`}${found.atMs === 0 ? "" : paint.dim(`  ${duration(Math.max(0, nowMs - found.atMs))} ago`)}`,
    ...(found.refused === undefined ? [] : [`  ${found.refused.name} had this result; it was not taken: ${doubt(found.refused)}`]),
    ...(found.unshared === ""
      ? []
      : [`  not shared: not always the same comes of it (${found.unshared}); cairn verify ends that when it finds the same`]),
    ...(found.differences.length === 0
      ? []
      : ["", "  differs from the nearest earlier compile in", ...indent(differenceLines(found.differences, paint), 4)]),
    "",
    ...indent(table(facts.map(([name = "", value = ""]) => [paint.dim(name), value]))),
  ];
}

/** 1 of 2 domains vouches for it */
function doubt({ why, domains, needed }: Refused): string {
  if (why !== "too-few-domains") return REFUSED[why] ?? why;
  return `${domains} of ${needed} domains ${domains === 1 ? "vouches" : "vouch"} for it`;
}

/** release, as ~/shop/.cairn.json demands */
function demand({ sharing, from, file }: Demand): string {
  if (from === "project") return `${sharing}, as ${file} demands`;
  return `${sharing}, as ${from === "network" ? "the network demands" : "this machine is set to"}`;
}

/** home and partner: enough for sharing.policy team */
function voucher({ domains, tier }: Origin): string {
  const by = domains.filter((name) => name !== "").join(" and ");
  if (by === "") return "";
  return tier === "speculative" ? `${by}, alone: another domain has yet to execute it` : `${by}: enough for sharing.policy ${tier}`;
}

/** laptop, 0.4 ms away: 1.2 KiB in 14 ms */
function journey({ maker, giver, rttMs, bytes: received, tookMs }: Origin): string {
  if (giver === "") return `${maker}, as a copy, before it was asked for`;
  return `${giver}${rttMs === undefined ? "" : `, ${rttMs.toFixed(1)} ms away`}: ${bytes(received)} in ${duration(tookMs)}`;
}

/** desktop, in 1.2 s: 20 ms there until its turn, 1.1 s of compiling; 40 KiB sent, 12 KiB came */
function errand({ member, tookMs, queuedMs, compiledMs, sentBytes, bytes: came }: Errand, what: string): string {
  const waited = queuedMs === 0 ? "" : `${duration(queuedMs)} there until its turn, `;
  return `${member}, in ${duration(tookMs)}: ${waited}${duration(compiledMs)} of ${what}; ${bytes(sentBytes)} sent, ${bytes(came)} came`;
}

function differenceLines(differences: readonly Difference[], paint: Paint): string[] {
  return table(differences.map((difference) => [paint.name(difference.kind), changeText(difference)]));
}

/** Options and variables speak for themselves; of a file or compiler its name matters, not the digests that differ. */
function changeText({ kind, name, before, after }: Difference): string {
  if (kind === "appeared") return `${name} (it was looked for and was not there)`;
  if (kind === "missing") return `${name} (it is gone)`;
  if (kind !== "option" && kind !== "environment") return name;
  if (before !== undefined && after !== undefined) return `${before} → ${after}`;
  if (before !== undefined) return `without ${before}`;
  return after === undefined ? name : `with ${after}`;
}

/** Half a million files. */
const GC_DEADLINE_MS = 300_000;

export async function gc(
  context: Context,
  options: Json & { readonly maxSize?: number | undefined; readonly all?: true | undefined },
  signal: AbortSignal,
): Promise<number> {
  await ensureDaemon(context, startDeadlineMs, signal); // Who has no room left may have no daemon either.
  const raw = await context.control.post("/gc", { maxBytes: options.maxSize, all: options.all === true }, signal, GC_DEADLINE_MS);
  const { removed, freedBytes, bytes: left } = readCollected(raw);
  answer(context.terminal, options.json, raw, () => [
    removed + freedBytes === 0
      ? `nothing to remove; the store takes ${bytes(left)}`
      : `removed ${counted(removed, "blob")}, freed ${bytes(freedBytes)}; the store takes ${bytes(left)}`,
  ]);
  return exitCodes.ok;
}
