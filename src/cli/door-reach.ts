/**
 * Whether build tools reach this machine's doors: where their files and variables lead, and whether a door is there.
 *
 * Knows: files and variables of tools (connect-tools.ts), sockets. Does not know: what a tool says once it is there; the daemon counts that.
 */
import { readFileSync } from "node:fs";
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

/** Files of tools are small. */
const FILE_MOST_BYTES = 1_048_576;
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
  try {
    const bytes = readFileSync(file);
    return bytes.length > FILE_MOST_BYTES ? "" : bytes.toString("utf8");
  } catch {
    return ""; // There is none, or it is not for us.
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
  const wrong = whyNot(lead, url, door, doors) ?? ((await knock(url)) ? undefined : "nobody takes connections there");
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
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return isLoopback(host) || Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === host));
}

function knocks(url: URL): Promise<boolean> {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
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
