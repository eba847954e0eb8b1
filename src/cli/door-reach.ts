/**
 * Whether build tools reach this machine's doors: where their files and variables lead, and whether a door is there.
 *
 * Knows: files and variables of tools (connect-tools.ts), sockets. Does not know: what a tool says once it is there; the daemon counts that.
 */

import { lookup } from "node:dns/promises";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { createConnection } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { isLoopback } from "../base/index.ts";
import type { Check } from "./answers.ts";
import { type Tool, tools } from "./connect-tools.ts";

/** What a tool has been told. */
export interface Lead {
  readonly tool: string;
  /** The file or variable that says so. */
  readonly by: string;
  readonly address: string;
}

/** A door of the daemon, as its status tells of it. */
export interface DoorAt {
  readonly door: string;
  readonly host: string;
  readonly port: number;
  readonly open: boolean;
}

export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Files of tools are small; a checkout may hold anything under their names. */
const FILE_MOST_BYTES = 65_536;
/** No link out of a checkout is followed to a pipe that waits for ever. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;
const KNOCK_MS = 1_000;
const DOOR_OF: Readonly<Record<string, string>> = {
  "http:": "http",
  "https:": "http",
  "grpc:": "grpc",
  "grpcs:": "grpc",
  "redis:": "redis",
  "rediss:": "redis",
  "crsh:": "ccache",
};
/** Where an address names none. */
const PORT_OF: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "grpc:": 80,
  "grpcs:": 443,
  "redis:": 6_379,
  "rediss:": 6_379,
};

/** The first thing that each tool would heed; nothing of a tool that was told of no cache. */
export function leads(around: Surroundings): Lead[] {
  return tools.flatMap((tool) => leadOf(tool, around) ?? []);
}

function leadOf({ name, told }: Tool, { cwd, env }: Surroundings): Lead | undefined {
  for (const variable of told.variables) {
    const address = env[variable];
    if (address !== undefined && address !== "") return { tool: name, by: variable, address };
  }
  for (const file of told.files) {
    const home = file.startsWith("~/");
    if (home && env.HOME === undefined) continue;
    const address = told.address.exec(textOf(home ? join(env.HOME ?? "", file.slice(2)) : join(cwd, file)))?.[1];
    if (address !== undefined) return { tool: name, by: file, address };
  }
  return undefined;
}

function textOf(file: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, READ_FLAGS);
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > FILE_MOST_BYTES) return "";
    const bytes = Buffer.alloc(stats.size);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes));
  } catch {
    return ""; // There is none, or it is not for us.
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/**
 * One line for each tool that was told of a cache.
 *
 * @param doors undefined where no daemon answers
 * @param knock whether somebody takes connections there
 */
export async function checkLeads(
  all: readonly Lead[],
  doors: readonly DoorAt[] | undefined,
  knock: (url: URL) => Promise<boolean> = knocks,
): Promise<Check[]> {
  return Promise.all(all.map((lead) => checkLead(lead, doors, knock)));
}

async function checkLead(lead: Lead, doors: readonly DoorAt[] | undefined, knock: (url: URL) => Promise<boolean>): Promise<Check> {
  const check = `tool: ${lead.tool}`;
  const url = URL.parse(lead.address);
  const door = DOOR_OF[url?.protocol ?? ""];
  if (url === null || door === undefined)
    return { check, ok: true, detail: `${lead.by} names a cache that is none of this machine's doors`, advice: undefined };
  const where = `${lead.by} leads to ${plain(url)}`;
  if (!isHere(url)) return { check, ok: true, detail: `${where}, which is not this machine`, advice: undefined };
  const wrong =
    whyNot(lead, url, door, doors) ??
    (await elsewhere(url, door, doors)) ??
    ((await knock(url)) ? undefined : "nobody takes connections there");
  if (wrong === undefined) return { check, ok: true, detail: `${where}, where the daemon answers`, advice: undefined };
  const advice = `cairn connect ${lead.tool}   tells what belongs into ${lead.by}`;
  return { check, ok: false, detail: `${where}: ${wrong}`, advice: doors === undefined ? "cairn up" : advice };
}

function whyNot({ tool }: Lead, url: URL, door: string, doors: readonly DoorAt[] | undefined): string | undefined {
  if (doors === undefined) return "no daemon runs";
  const found = doors.find((one) => one.door === door);
  if (found?.open !== true) return `the door for ${door} is not open`;
  if (door === "ccache") return url.pathname === found.host ? undefined : `the daemon's socket is ${found.host}`;
  if (portOf(url) !== found.port) return `the door for ${door} is at ${found.port}`;
  // sccache adds its own prefix.
  if (door !== "http" || tool === "sccache" || url.pathname.split("/")[1] === tool) return undefined;
  return `${tool} is served below /${tool}`;
}

/** Whether the port is that of another address of this machine, where somebody else may listen. */
async function elsewhere(url: URL, door: string, doors: readonly DoorAt[] | undefined): Promise<string | undefined> {
  const host = doors?.find((one) => one.door === door)?.host;
  if (host === undefined || url.protocol === "crsh:" || host === "0.0.0.0" || host === "::") return undefined;
  const asked = hostOf(url);
  const found = await lookup(asked, { all: true }).catch(() => []);
  return found.some(({ address }) => address === host) ? undefined : `the door listens at ${host} alone`;
}

/** Without name and password. */
function plain(url: URL): string {
  const { protocol, host, pathname } = url;
  return protocol === "crsh:" ? `crsh:${pathname}` : `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}

function portOf({ protocol, port }: URL): number {
  return port === "" ? (PORT_OF[protocol] ?? 0) : Number(port);
}

function isHere({ protocol, hostname }: URL): boolean {
  if (protocol === "crsh:" || hostname === "localhost") return true;
  const host = hostOf({ hostname });
  return isLoopback(host) || Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === host));
}

/** An IPv6 address without its brackets. */
function hostOf({ hostname }: Pick<URL, "hostname">): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

function knocks(url: URL): Promise<boolean> {
  const host = hostOf(url);
  return new Promise((resolve) => {
    const socket = url.protocol === "crsh:" ? createConnection({ path: url.pathname }) : createConnection({ host, port: portOf(url) });
    const end = (reached: boolean): void => {
      socket.destroy();
      resolve(reached);
    };
    socket
      .setTimeout(KNOCK_MS, () => end(false))
      .once("connect", () => end(true))
      .once("error", () => end(false));
  });
}
