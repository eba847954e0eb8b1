/**
 * What the daemon answers, as narrow types. A daemon of another version may leave things out: then they are zero or empty.
 *
 * Knows: the shape of each answer. Does not know: how it travels or how it is shown.
 */

export interface Status {
  readonly pid: number;
  readonly version: string;
  readonly home: string;
  readonly uptimeMs: number;
  readonly rssBytes: number;
  readonly socket: string;
  readonly store: { readonly bytes: number; readonly blobs: number; readonly capacityBytes: number };
  readonly index: Readonly<Record<string, number>>;
  readonly running: number;
  readonly hot: { readonly records: number; readonly bytes: number };
  readonly work: SharedWork;
  /** Undefined in no network. */
  readonly network:
    | {
        readonly name: string;
        readonly members: number;
        readonly connected: number /** "" when it is not cut off. */;
        readonly isolation: string;
        /** Results of all members that this node knows of. */
        readonly attestations: number;
        /** Members that are to be put out once others have said so, too. */
        readonly waiting: readonly WaitingFacts[];
      }
    | undefined;
}

/** What members may have of this machine, and what they have. */
export interface SharedWork {
  /** Compiles of theirs: those that run, how many may now, how many may where the owner builds nothing, and those that are done. */
  readonly running: number;
  readonly slots: number;
  readonly most: number;
  readonly done: number;
  readonly cpuMs: number;
  readonly percent: number;
  /** "" of a daemon that does not say. */
  readonly power: string;
  readonly when: string;
  readonly hours: string;
  /** Of one member; 0 seconds: no bound. */
  readonly member: { readonly percent: number; readonly secondsPerMinute: number; readonly when: string };
  /** Why nothing is done for others now; "" where something is. */
  readonly declined: string;
  /** What a sandbox would need, and what to do about it; "" where there is one. */
  readonly lack: string;
  readonly advice: string;
  readonly commands: boolean;
  readonly actionsAs: string;
}

/** Who speaks for a domain. */
export interface Speaker {
  readonly domain: string;
  /** "" where the domain has nobody who may. */
  readonly member: string;
}

/** A member that is to be put out once others have said so, too. */
export interface WaitingFacts {
  readonly member: string;
  readonly missing: readonly Speaker[];
  readonly mayAccept: boolean;
}

export function readSpeakers(answer: unknown, name: string): Speaker[] {
  return listIn(answer, name).map((one) => ({ domain: textIn(one, "domain"), member: textIn(one, "member") }));
}

/** From the answers to `status` and `members`. */
export function readWaiting(answer: unknown): WaitingFacts[] {
  return listIn(answer, "waiting").map((one) => ({
    member: textIn(one, "member"),
    missing: readSpeakers(one, "missing"),
    mayAccept: field(one, "mayAccept") === true,
  }));
}

export type Counters = Readonly<Record<string, number>>;

/** Counters summed up the way people ask for them. All are counts of compiler invocations except times and bytes. */
export interface Summary {
  readonly hitsByWrapper: number;
  readonly hitsByDaemon: number;
  readonly hitsEquivalent: number;
  /** By what other members had executed. */
  readonly hitsByPeers: number;
  readonly hits: number;
  readonly misses: number;
  /** Compiled by other members for this build. */
  readonly elsewhere: number;
  /** Of the misses, those that were stopped here because another machine was first. */
  readonly stopped: number;
  readonly passed: number;
  readonly total: number;
  readonly failed: number;
  readonly savedMs: number;
  readonly compileMs: number;
  /** What other members' compilers took. */
  readonly elsewhereMs: number;
  readonly storedBytes: number;
  /** That came from other members. */
  readonly peerBytes: number;
  /** By reason, most frequent first. */
  readonly passes: readonly (readonly [reason: string, count: number])[];
  readonly notStored: readonly (readonly [reason: string, count: number])[];
  /** Why compiles were not left to other members, though no core was idle. */
  readonly keptHere: readonly (readonly [reason: string, count: number])[];
  readonly errors: readonly (readonly [kind: string, count: number])[];
}

export interface Difference {
  readonly kind: string;
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** Whose work a hit was, and how it came here. */
export interface Origin {
  readonly maker: string;
  /** Who gave it; "" where a copy of it was here before anybody asked. */
  readonly giver: string;
  /** How far away who gave it is; undefined where that is not known now. */
  readonly rttMs: number | undefined;
  readonly bytes: number;
  readonly tookMs: number;
  /** The domains that vouch for it, as far as that was asked, and the policy that this is enough for; "" where it is not known. */
  readonly domains: readonly string[];
  readonly tier: string;
}

/** What one member has compiled. */
export interface Labourer {
  readonly name: string;
  readonly compiles: number;
  readonly tookMs: number;
  readonly queuedMs: number;
  readonly compiledMs: number;
}

/** Who compiled something for this machine, and what that took. */
export interface Errand {
  readonly member: string;
  readonly tookMs: number;
  readonly queuedMs: number;
  readonly compiledMs: number;
  readonly sentBytes: number;
  readonly bytes: number;
  /** Why there; "" where that is not known. */
  readonly why: string;
}

/** What came from one member. */
export interface Giver {
  readonly name: string;
  readonly hits: number;
  readonly bytes: number;
  readonly tookMs: number;
  readonly rttMs: number | undefined;
}

export interface Refused {
  readonly name: string;
  readonly why: string;
  /** Domains that vouch for it, and how many must; 0 where that was not what mattered. */
  readonly domains: number;
  readonly needed: number;
}

/** What others' results have to be worth now, for that project. */
export interface Demand {
  readonly sharing: string;
  /** Whose word that is. */
  readonly from: string;
  /** The project's, where it is its word. */
  readonly file: string;
}

export interface Explanation {
  readonly source: string;
  /** ms since the epoch, 0 when unknown */
  readonly atMs: number;
  readonly outcome: string;
  readonly reason: string | undefined;
  readonly compiler: string;
  readonly durationMs: number;
  readonly differences: readonly Difference[];
  readonly from: Origin | undefined;
  /** Whose result was there and not used. */
  readonly refused: Refused | undefined;
  /** Undefined outside networks. */
  readonly policy: Demand | undefined;
  /** What differed when a command was executed more than once; "" where it may be shared. */
  readonly unshared: string;
  readonly by: Errand | undefined;
  /** Why it was compiled here; "" where nobody else could have. */
  readonly here: string;
  readonly inputs: number;
  readonly outputs: readonly string[];
}

export interface Check {
  readonly check: string;
  readonly ok: boolean;
  /** Nothing is wrong, and it should be known all the same. */
  readonly warns?: true;
  readonly detail: string;
  readonly advice: string | undefined;
}

export interface ConfigValue {
  readonly name: string;
  readonly value: string | number | boolean;
  /** `default`, the path of the file or the name of the variable */
  readonly origin: string;
}

export interface Collected {
  readonly removed: number;
  readonly freedBytes: number;
  readonly bytes: number;
}

export function readStatus(answer: unknown): Status {
  const network = field(answer, "network");
  const { store, jobs, hot } = { store: field(answer, "store"), jobs: field(answer, "jobs"), hot: field(answer, "hot") };
  return {
    pid: numberIn(answer, "pid"),
    version: textIn(answer, "version"),
    home: textIn(answer, "home"),
    uptimeMs: numberIn(answer, "uptimeMs"),
    rssBytes: numberIn(answer, "rssBytes"),
    socket: textIn(answer, "socket"),
    store: { bytes: numberIn(store, "bytes"), blobs: numberIn(store, "blobs"), capacityBytes: numberIn(store, "capacityBytes") },
    index: numbersIn(field(answer, "index")),
    running: numberIn(jobs, "running"),
    work: readSharedWork(field(answer, "work")),
    hot: { records: numberIn(hot, "records"), bytes: numberIn(hot, "bytes") },
    network:
      typeof network === "object" && network !== null
        ? {
            name: textIn(network, "name"),
            members: numberIn(network, "members"),
            connected: numberIn(network, "connected"),
            isolation: textIn(network, "isolation"),
            attestations: numberIn(network, "attestations"),
            waiting: readWaiting(network),
          }
        : undefined,
  };
}

/** From the answers to `share` and `status`. */
export function readSharedWork(answer: unknown): SharedWork {
  const [member, counts] = [field(answer, "member"), field(answer, "counts")];
  const lack = textIn(answer, "lack");
  return {
    running: numberIn(answer, "running"),
    slots: numberIn(answer, "slots"),
    most: numberIn(answer, "most"),
    done: numberIn(counts, "done"),
    cpuMs: numberIn(counts, "cpuMs"),
    percent: numberIn(answer, "percent"),
    power: textIn(answer, "power"),
    when: textIn(answer, "when"),
    hours: textIn(answer, "hours"),
    member: { percent: numberIn(member, "percent"), secondsPerMinute: numberIn(member, "secondsPerMinute"), when: textIn(member, "when") },
    // A daemon of the version before does not say which of them is in the way first.
    declined: textIn(answer, "declined") || (lack === "" ? textIn(answer, "withheld") : "lack"),
    lack,
    advice: textIn(answer, "advice"),
    commands: field(answer, "commands") === true,
    actionsAs: textIn(answer, "actionsAs"),
  };
}

export function readCounters(answer: unknown): Counters {
  return numbersIn(field(answer, "counters"));
}

export function summarize(counters: Counters): Summary {
  const at = (name: string): number => counters[name] ?? 0;
  const hitsByWrapper = at("hit_local");
  const hitsByDaemon = at("hit_daemon");
  const hitsEquivalent = at("hit_equivalent");
  const hitsByPeers = at("hit_peer");
  // `hit_direct` is the sum of the first two, or stands for them where they are not told apart.
  const hits = Math.max(hitsByWrapper + hitsByDaemon, at("hit_direct")) + hitsEquivalent + hitsByPeers;
  const passes = group(counters, "pass:");
  const passed = passes.reduce((sum, [, count]) => sum + count, 0);
  return {
    hitsByWrapper,
    hitsByDaemon: hits - hitsEquivalent - hitsByPeers - hitsByWrapper,
    hitsEquivalent,
    hitsByPeers,
    hits,
    misses: at("miss"),
    elsewhere: at("built_elsewhere"),
    stopped: at("stopped_here"),
    passed,
    total: hits + at("miss") + at("built_elsewhere") + passed,
    failed: at("compiler_failed"),
    savedMs: at("saved_ms"),
    compileMs: at("compile_ms"),
    elsewhereMs: at("elsewhere_ms"),
    storedBytes: at("stored_bytes"),
    peerBytes: at("peer_bytes"),
    passes,
    notStored: group(counters, "not_stored:"),
    keptHere: group(counters, "kept_here:"),
    errors: group(counters, "error:"),
  };
}

/** Undefined when the daemon knows no compile of that file. */
export function readExplanation(answer: unknown): Explanation | undefined {
  const record = field(answer, "record");
  if (field(answer, "found") !== true || typeof record !== "object" || record === null) return undefined;
  const at = field(record, "at");
  const reason = textIn(record, "reason");
  const inputs = field(record, "inputs");
  return {
    source: textIn(record, "source"),
    atMs: typeof at === "number" ? at : Date.parse(textIn(record, "at")) || 0,
    outcome: textIn(record, "outcome"),
    reason: reason === "" ? undefined : reason,
    compiler: textIn(record, "compiler"),
    durationMs: numberIn(record, "durationMs"),
    differences: readDifferences(record),
    from: readFrom(field(record, "from")),
    refused: readRefused(field(record, "refused")),
    policy: readDemand(field(record, "policy")),
    unshared: textIn(record, "unshared"),
    by: readErrand(field(record, "by")),
    here: textIn(record, "here"),
    inputs: typeof inputs === "number" ? inputs : listIn(record, "inputs").length,
    outputs: listIn(record, "outputs").map((output) => (typeof output === "string" ? output : textIn(output, "path"))),
  };
}

function readFrom(value: unknown): Origin | undefined {
  const maker = textIn(value, "name") || textIn(value, "signer").slice(0, SHORT_KEY);
  if (maker === "") return undefined;
  const given = field(value, "giver");
  const giver = textIn(given, "name") || textIn(value, "member").slice(0, SHORT_KEY);
  const isCopy = field(value, "copied") === true;
  return {
    maker,
    giver: isCopy ? "" : giver || maker,
    rttMs: optionalNumber(given, "rttMs"),
    bytes: numberIn(value, "bytes"),
    tookMs: numberIn(value, "tookMs"),
    domains: listIn(value, "domains").filter((one) => typeof one === "string"),
    tier: textIn(value, "tier"),
  };
}

function readDemand(value: unknown): Demand | undefined {
  const sharing = textIn(value, "sharing");
  return sharing === "" ? undefined : { sharing, from: textIn(value, "from"), file: textIn(value, "file") };
}

function readRefused(value: unknown): Refused | undefined {
  const name = textIn(value, "name") || textIn(value, "signer").slice(0, SHORT_KEY);
  return name === ""
    ? undefined
    : { name, why: textIn(value, "why"), domains: numberIn(value, "domains"), needed: numberIn(value, "needed") };
}

function readErrand(value: unknown): Errand | undefined {
  const member = textIn(value, "name") || textIn(value, "member").slice(0, SHORT_KEY);
  if (member === "") return undefined;
  const at = (name: string): number => numberIn(value, name);
  const [tookMs, queuedMs, compiledMs] = [at("tookMs"), at("queuedMs"), at("compiledMs")];
  return { member, tookMs, queuedMs, compiledMs, sentBytes: at("sentBytes"), bytes: at("bytes"), why: textIn(value, "why") };
}

/** Members that compiled something, who did most first. */
export function readLabourers(answer: unknown): Labourer[] {
  return listIn(answer, "workers").map((worker) => ({
    name: textIn(worker, "name") || textIn(worker, "key").slice(0, SHORT_KEY),
    compiles: numberIn(worker, "compiles"),
    tookMs: numberIn(worker, "tookMs"),
    queuedMs: numberIn(worker, "queuedMs"),
    compiledMs: numberIn(worker, "compiledMs"),
  }));
}

/** Members that gave something, who gave the most first. */
export function readGivers(answer: unknown): Giver[] {
  return listIn(answer, "givers").map((giver) => ({
    name: textIn(giver, "name") || textIn(giver, "key").slice(0, SHORT_KEY),
    hits: numberIn(giver, "hits"),
    bytes: numberIn(giver, "bytes"),
    tookMs: numberIn(giver, "tookMs"),
    rttMs: optionalNumber(giver, "rttMs"),
  }));
}

function optionalNumber(value: unknown, name: string): number | undefined {
  return typeof field(value, name) === "number" ? numberIn(value, name) : undefined;
}

export function readDifferences(value: unknown): readonly Difference[] {
  return listIn(value, "differences").map(readDifference);
}

function readDifference(value: unknown): Difference {
  const optional = (name: string): string | undefined => textIn(value, name) || undefined;
  return { kind: textIn(value, "kind"), name: textIn(value, "name"), before: optional("before"), after: optional("after") };
}

export function readChecks(answer: unknown): Check[] {
  const rows: readonly unknown[] = Array.isArray(answer) ? answer : [];
  return rows.map((row) => ({
    check: textIn(row, "check"),
    ok: field(row, "ok") === true,
    ...(field(row, "warns") === true && { warns: true }),
    detail: textIn(row, "detail"),
    advice: textIn(row, "advice") || undefined,
  }));
}

export function readConfig(answer: unknown): ConfigValue[] {
  const rows: readonly unknown[] = Array.isArray(answer) ? answer : listIn(answer, "values");
  return rows.flatMap((row) => {
    const value = field(row, "value");
    const plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    return plain ? [{ name: textIn(row, "name"), value, origin: textIn(row, "origin") }] : [];
  });
}

export function readCollected(answer: unknown): Collected {
  return { removed: numberIn(answer, "removed"), freedBytes: numberIn(answer, "freedBytes"), bytes: numberIn(answer, "bytes") };
}

export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

export function numberIn(value: unknown, name: string): number {
  const found = field(value, name);
  return typeof found === "number" && Number.isFinite(found) ? found : 0;
}

export function textIn(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === "string" ? found : "";
}

export function listIn(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

function numbersIn(value: unknown): Record<string, number> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

function group(counters: Counters, prefix: string): (readonly [string, number])[] {
  return Object.entries(counters)
    .filter(([name, count]) => name.startsWith(prefix) && count > 0)
    .map(([name, count]) => [name.slice(prefix.length), count] as const)
    .toSorted(([a, m], [b, n]) => n - m || a.localeCompare(b));
}

/** As much of a key as people compare. */
const SHORT_KEY = 12;
