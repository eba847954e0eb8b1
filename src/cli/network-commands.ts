/**
 * init, invite, join, members, revoke, leave, peers, ping: the network, asked of the daemon.
 */
import { brief } from "../base/index.ts";
import { field, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { epochLines, FOURTH, revokedLines } from "./epoch-answers.ts";
import { type Align, bytes, counted, duration, fittedTable } from "./format.ts";
import {
  isolationText,
  type MemberRow,
  type PeerRow,
  type PlacementRow,
  type PresenceRow,
  readMembers,
  readPeers,
} from "./network-answers.ts";
import { askNetwork as ask, type Json, lookNetwork as look } from "./network-ask.ts";
import { lackLines, lackOf } from "./share-commands.ts";
import { exitCodes } from "./troubles.ts";

/** A few hosts, each of which may take as long as a dial may. */
const JOIN_DEADLINE_MS = 75_000;

const MEMBERS_ALIGN: readonly Align[] = ["left", "left", "left", "left", "right", "right", "right", "right", "right"];

export async function init(
  context: Context,
  options: Json & {
    readonly name?: string | undefined;
    readonly domain?: string | undefined;
    readonly machine?: string | undefined;
    readonly anyAdmin?: true | undefined;
  },
  signal: AbortSignal,
): Promise<number> {
  const { paint } = context.terminal;
  const { name, domain, machine, anyAdmin } = options;
  const made = await ask(context, "/network/init", { name, domain, machine, anyAdmin }, signal);
  const lack = await lackOf(context, signal);
  answer(context.terminal, options.json, { ...(made as object), declines: lack ?? null }, () => [
    `${paint.good("founded")}  network ${textIn(made, "name")}; this machine is ${textIn(made, "machine")}, of the domain ${textIn(made, "domain")}`,
    `${paint.name("cairn invite")}   prints a line that lets another machine join`,
    ...lackLines(lack, paint),
    paint.dim(field(made, "unanimous") === true ? PUT_OUT_TOGETHER : PUT_OUT_ALONE),
  ]);
  return exitCodes.ok;
}

const PUT_OUT_TOGETHER =
  "two or three domains put out a machine of another one only together; from the fourth on any machine of this domain can put out others' alone";
const PUT_OUT_ALONE = "any machine of this domain can put out others' alone";

export async function invite(
  context: Context,
  options: Json & { readonly domain?: string | undefined; readonly expires: number },
  signal: AbortSignal,
): Promise<number> {
  const { terminal } = context;
  const made = await ask(context, "/network/invite", { domain: options.domain, expiresMs: options.expires }, signal);
  // The line alone on standard output, so that it can be piped; what it is goes beside it.
  if (options.json !== true)
    terminal.note(
      `On the other machine, once, within ${duration(options.expires)} (it will belong to the domain ${textIn(made, "domain")}):\n  ${terminal.paint.name("cairn join")} …`,
    );
  if (options.json !== true && field(made, "fourth") === true) terminal.note(FOURTH);
  answer(terminal, options.json, made, () => [textIn(made, "line")]);
  return exitCodes.ok;
}

export async function join(
  context: Context,
  line: string,
  options: Json & { readonly machine?: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { paint } = context.terminal;
  const joined = await ask(context, "/network/join", { line, machine: options.machine }, signal, JOIN_DEADLINE_MS);
  const lack = await lackOf(context, signal);
  answer(context.terminal, options.json, { ...(joined as object), declines: lack ?? null }, () => [
    `${paint.good("joined")}  network ${textIn(joined, "name")}; this machine is ${textIn(joined, "machine")}, of the domain ${textIn(joined, "domain")}; ${counted(numberIn(joined, "members"), "member")}`,
    ...lackLines(lack, paint),
  ]);
  return exitCodes.ok;
}

export async function members(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const raw = await look(context, "/network/members", signal);
  const { paint } = context.terminal;
  answer(context.terminal, options.json, raw, () => {
    const list = readMembers(raw);
    const state = (row: MemberRow): string => {
      if (row.standing !== "active") return paint.bad(row.standing);
      if (row.self) return "this machine";
      return row.connected ? paint.good("connected") : paint.careful(row.presence === "goodbye" ? "went down" : "not connected");
    };
    const remarks = (row: MemberRow): string =>
      [row.admin ? "admin" : "", row.provisional ? "provisional" : "", row.onTrial ? "on trial" : ""].filter(Boolean).join(", ");
    const head = ["name", "domain", "peer key", "state", "cores", "load", "free", "jobs", "cache", "invited by", "role"].map((title) =>
      paint.dim(title),
    );
    const rows = list.members.map((row) => [
      paint.name(row.name),
      row.domain,
      brief(row.key),
      state(row),
      ...capacityCells(row.presence),
      row.invitedBy,
      remarks(row),
    ]);
    const open = list.invitations.map(
      ({ inviter, domain, expiresAtMs }) =>
        `an invitation by ${inviter} into ${domain} is open for ${duration(Math.max(0, expiresAtMs - Date.now()))}`,
    );
    const aligned = fittedTable(head, rows, context.terminal.width, MEMBERS_ALIGN);
    const title = `network ${paint.bold(list.name)}: ${counted(list.members.length, "member")}`;
    return [title, ...aligned, ...open, ...epochLines(list.epochs, paint)];
  });
  return exitCodes.ok;
}

/** Cores, load, free memory, jobs, cache; blank where nothing is known. */
function capacityCells(presence: PresenceRow): string[] {
  if (presence === undefined || presence === "goodbye") return ["", "", "", "", ""];
  const { cores, load, freeBytes, jobs, cacheBytes } = presence;
  return [String(cores), load.toFixed(1), bytes(freeBytes), String(jobs), bytes(cacheBytes)];
}

export async function revoke(
  context: Context,
  member: string,
  options: Json & { readonly force?: true | undefined; readonly withdraw?: true | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { force, withdraw } = options;
  const done = await ask(context, "/network/revoke", { member, force, withdraw }, signal);
  answer(context.terminal, options.json, done, () => revokedLines(done, context.terminal.paint));
  return exitCodes.ok;
}

export async function leave(context: Context, options: Json & { readonly force?: true | undefined }, signal: AbortSignal): Promise<number> {
  const done = await ask(context, "/network/leave", { force: options.force === true }, signal);
  answer(context.terminal, options.json, done, () => [
    textIn(done, "left") === ""
      ? "this machine is in no network"
      : `${context.terminal.paint.good("left")}  network ${textIn(done, "left")}; its keys are gone from this machine`,
  ]);
  return exitCodes.ok;
}

export async function peers(
  context: Context,
  options: Json & { readonly reputation?: true | undefined },
  signal: AbortSignal,
): Promise<number> {
  const raw = await look(context, "/network/peers", signal);
  const { paint } = context.terminal;
  answer(context.terminal, options.json, raw, () => {
    const list = readPeers(raw);
    if (options.reputation === true) return reputationLines(list.peers, context.terminal);
    const leftAlone = ({ leftAloneMs }: PeerRow): string =>
      leftAloneMs === 0 ? "" : paint.careful(`; often has not what it says, not asked for ${duration(leftAloneMs)}`);
    const state = (row: PeerRow): string =>
      list.standing !== "active"
        ? paint.careful("has let go of this machine")
        : row.state === "connected"
          ? paint.good(duration(row.connectedMs)) + leftAlone(row)
          : paint.careful(row.presence === "goodbye" ? "went down" : `${row.state}${row.why === "" ? "" : `: ${row.why}`}`);
    const rows = list.peers.map((row) => [
      paint.name(row.name),
      row.domain,
      row.via === "" ? row.address : "",
      row.via === "" ? over(row) : `relayed by ${row.via}`,
      row.rttMs === undefined ? "" : `${row.rttMs.toFixed(1)} ms`,
      row.path === "" ? "" : `${bytes(row.bytesIn)} in, ${bytes(row.bytesOut)} out`,
      ...capacityCells(row.presence).slice(0, 2),
      row.work === undefined ? "" : `${row.work.free} of ${row.work.slots}`,
      state(row),
    ]);
    const head = ["name", "domain", "address", "path", "round trip", "bytes", "cores", "load", "free slots", "connected for"].map((title) =>
      paint.dim(title),
    );
    return [
      list.standing === "active"
        ? `listening on ${list.addresses.join(" ")}`
        : paint.bad(`this machine is no member any more: ${list.standing}`),
      ...(list.isolation === "" ? [] : [paint.bad(isolationText(list.isolation))]),
      ...(list.peers.length === 0 ? [] : [placementText(list.placement)]),
      ...(rows.length === 0 ? ["no other members"] : fittedTable(head, rows, context.terminal.width)),
    ];
  });
  return exitCodes.ok;
}

const WHY_NOT = { accused: "your domain wants it put out, cairn members", found: "cairn evidence show" } as const;

/** What this machine has seen of each member; a dash where it has seen nothing that would say so. */
function reputationLines(rows: readonly PeerRow[], { paint, width }: Context["terminal"]): string[] {
  if (rows.length === 0) return ["no other members"];
  const head = ["name", "domain", "asked", "given work", "in time", "gave", "came out the same", "there", "hits", ""].map((title) =>
    paint.dim(title),
  );
  const cells = rows.map(({ name, domain, reputation }) => [
    paint.name(name),
    domain,
    ...(reputation === undefined
      ? ["", "", "", "", "", "", "", ""]
      : [
          paint.bold(reputation.forFetch.toFixed(2)),
          paint.bold(reputation.forWork.toFixed(2)),
          ...[reputation.work, reputation.fetch, reputation.accuracy, reputation.presence].map((part) => `${(100 * part).toFixed(0)} %`),
          reputation.hits.toFixed(1),
          reputation.isDiscredited ? paint.bad(`its word does not count: ${WHY_NOT[reputation.isAccused ? "accused" : "found"]}`) : "",
        ]),
  ]);
  const kinds = rows.flatMap(({ name, reputation }) =>
    (reputation?.kinds ?? []).map(([kind, part]) => `${name}, ${kind}: ${(100 * part).toFixed(0)} % in time`),
  );
  return [
    "what this machine has seen of the others lately; 1 is the best of names, and who is unknown has a good one",
    ...fittedTable(head, cells, width),
    ...kinds,
  ];
}

/** How a member is reached, and over what unless it is TCP. */
function over({ path, address }: PeerRow): string {
  const transport = address.endsWith("/quic-v1") ? "QUIC" : address.endsWith("/ws") ? "WebSocket" : "";
  return path === "" || transport === "" ? path : `${path} over ${transport}`;
}

/** Who says where this machine's compiles are done. */
function placementText({ pattern, coordinator, isSelf }: PlacementRow): string {
  if (pattern === "mesh") return "each machine places its own work: placement.pattern mesh";
  if (pattern === "overlay") return "work is placed by whoever is responsible for it: placement.pattern overlay";
  if (isSelf) return "this machine places work for all";
  return coordinator === "" ? "nobody places work for all now: each machine places its own" : `${coordinator} places work for all`;
}

export async function ping(context: Context, member: string, options: Json, signal: AbortSignal): Promise<number> {
  const done = await ask(context, "/network/ping", { member }, signal);
  answer(context.terminal, options.json, done, () => [`${textIn(done, "member")} answered in ${numberIn(done, "rttMs").toFixed(2)} ms`]);
  return exitCodes.ok;
}
