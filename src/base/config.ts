/**
 * Configuration: defaults, then the file, then the environment. Every value knows where it came from.
 *
 * Knows: names, units, ranges. Does not know: who uses them.
 */
import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import { readDoorListen } from "./doors.ts";
import { CairnError, systemCode } from "./errors.ts";
import type { Environment } from "./home.ts";
import { limits } from "./limits.ts";
import { readListen } from "./listen.ts";
import type { Level } from "./log.ts";
import { parseSize } from "./sizes.ts";
import { readStaticPeers } from "./static-peers.ts";

/** Whose results are used; docs/protocol/attestation.md. */
export type SharingPolicy = "self" | "speculative" | "team" | "release";

/** How members are found that have results; docs/protocol/directory.md. */
export type DirectoryKind = "mesh" | "rendezvous" | "overlay";

/** With whom this node shares work: its own trust domain, or all members. */
export type WorkCircle = "domain" | "network";

/** Hours, 0 to 23: from the beginning of the first to that of the second, past midnight where that is less. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}
/** Who decides where work is done; docs/protocol/placement.md. */
export type PlacementPattern = "hybrid" | "mesh" | "overlay";
/** What doors have to do with other machines of the own trust domain; docs/doors.md. */
export type DoorsShare = "off" | "policy" | "domain";
/** Whose toolchains are taken without asking the user; docs/protocol/toolchains.md. */
export type ToolchainsAccept = "domain" | "network" | "approved";

export interface Config {
  /** Bytes that stored blobs may take. */
  readonly storeCapacityBytes: number;
  /** Bytes of blobs that are kept uncompressed, most recently used first. */
  readonly storePlainBytes: number;
  /** Bytes that hot records may take. */
  readonly hotCapacityBytes: number;
  readonly logLevel: Level;
  /** As the user wrote it; see listen.ts. */
  readonly networkListen: string;
  /** Whether members on the same local network are looked for by mDNS. */
  readonly networkMdns: "on" | "off";
  /** Whether the router is asked to let members in. */
  readonly networkPortMapping: "on" | "off";
  /** Circuits between other members that this node relays at once; 0 is none. */
  readonly networkRelayCircuits: number;
  /** Members that this node is linked with at once. */
  readonly networkLinks: number;
  /** As the user wrote it; see static-peers.ts. */
  readonly networkPeers: string;
  /** Whose results are used; docs/protocol/attestation.md. */
  readonly sharingPolicy: SharingPolicy;
  /** Members that are to have what this machine makes, this one among them; 0: nothing is copied, and nothing kept for others. */
  readonly sharingCopies: number;
  /** How members are found that have results; docs/protocol/directory.md. */
  readonly sharingDirectory: DirectoryKind | "auto";
  /** After which what was seen of a member counts half, as the user wrote it; see readHalfLife. */
  readonly reputationHalfLife: string;
  /** Of this machine's cores, in percent, that others may use where its owner's builds leave them; 0: none. */
  readonly workShare: number;
  /** Whether it does so on its battery, too. */
  readonly workPower: "mains" | "any";
  /** Whether it does so while its owner builds, on the cores that are left. */
  readonly workWhen: "always" | "idle";
  /** Hours of the day by the clock on the wall, as the user wrote them; see readHours. */
  readonly workHours: string;
  /** Of the slots that are shared, in percent, that one member may have at once. */
  readonly workMemberSlots: number;
  /** Seconds of slots' time that one member may have in a minute; 0: any. */
  readonly workMemberSeconds: number;
  /** Whether that holds only while another member waits. */
  readonly workMemberWhen: "wanted" | "always";
  /** For whom this machine works, and who may see its sources to work for it. */
  readonly workWith: WorkCircle;
  /** Whether members of the own trust domain may have any program run here, in the sandbox. */
  readonly workActions: "on" | "off";
  /** What is installed here, by a name that machines have in common on which the same is installed; "": it has none. */
  readonly workSystem: string;
  /** Who decides where work is done; docs/protocol/placement.md. */
  readonly placementPattern: PlacementPattern;
  /** How often a node with work to place checks whether the coordinator answers. */
  readonly placementHealthCheckMs: number;
  /** Whose toolchains are taken without asking the user; docs/protocol/toolchains.md. */
  readonly toolchainsAccept: ToolchainsAccept;
  /** Bytes that others' toolchains may take. */
  readonly toolchainsCapacityBytes: number;
  /** Where tools that speak HTTP may knock, as the user wrote it: see readDoorListen. */
  readonly doorsHttpListen: string;
  /** The same for those that speak Redis. */
  readonly doorsRedisListen: string;
  /** Where tools that speak the Remote Execution API may knock; the same. */
  readonly doorsGrpcListen: string;
  /** Whether they may have actions run here, in the sandbox. */
  readonly doorsGrpcExecute: "on" | "off";
  /** Whether there is a socket for ccache's own protocol. */
  readonly doorsCcacheSocket: "on" | "off";
  /** Whether what tools leave at doors goes to other machines of the own trust domain, and when theirs is taken here. */
  readonly doorsShare: DoorsShare;
  /** A file with the token that tools have to show at doors; "": none. */
  readonly doorsTokenFile: string;
  /** Files in PEM: what doors show, its key, and who vouches for clients; "": none. */
  readonly doorsTlsCertificate: string;
  readonly doorsTlsKey: string;
  readonly doorsTlsClientCa: string;
}

export interface ConfigValue {
  readonly name: string;
  readonly value: string | number;
  /** `default`, the file's path or the variable's name */
  readonly origin: string;
}

const DIRECTORIES: readonly (DirectoryKind | "auto")[] = ["auto", "mesh", "rendezvous", "overlay"];
const PATTERNS: readonly PlacementPattern[] = ["hybrid", "mesh", "overlay"];
const POLICIES: readonly SharingPolicy[] = ["self", "speculative", "team", "release"];
const CIRCLES: readonly WorkCircle[] = ["domain", "network"];
const ACCEPTS: readonly ToolchainsAccept[] = ["domain", "network", "approved"];
const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];
/** In a minute, of more slots than a machine has. */
const MEMBER_SECONDS_MOST = 3_600;

/** One row a setting: its name in the file, its variable, its default, and how text becomes a value. */
const SETTINGS = {
  storeCapacityBytes: { name: "store.capacity", variable: "CAIRN_STORE_CAPACITY", fallback: 20 * 1024 ** 3, read: readSize },
  storePlainBytes: { name: "store.plain", variable: "CAIRN_STORE_PLAIN", fallback: 5 * 1024 ** 3, read: readSize },
  hotCapacityBytes: { name: "hot.capacity", variable: "CAIRN_HOT_CAPACITY", fallback: 256 * 1024 ** 2, read: readSize },
  logLevel: { name: "log.level", variable: "CAIRN_LOG_LEVEL", fallback: "info" as Level, read: readLevel },
  sharingPolicy: { name: "sharing.policy", variable: "CAIRN_SHARING_POLICY", fallback: "team" as SharingPolicy, read: readPolicy },
  sharingCopies: { name: "sharing.copies", variable: "CAIRN_SHARING_COPIES", fallback: 3, read: readCopies },
  sharingDirectory: { name: "sharing.directory", variable: "CAIRN_SHARING_DIRECTORY", fallback: "auto", read: readDirectory },
  reputationHalfLife: { name: "reputation.halfLife", variable: "CAIRN_REPUTATION_HALF_LIFE", fallback: "48h", read: halfLifeText },
  workShare: { name: "work.share", variable: "CAIRN_WORK_SHARE", fallback: 100, read: readShare },
  workPower: { name: "work.power", variable: "CAIRN_WORK_POWER", fallback: "mains", read: oneOf(["mains", "any"]) },
  workWhen: { name: "work.when", variable: "CAIRN_WORK_WHEN", fallback: "always", read: oneOf(["always", "idle"]) },
  workHours: { name: "work.hours", variable: "CAIRN_WORK_HOURS", fallback: "all", read: hoursText },
  workMemberSlots: { name: "work.memberSlots", variable: "CAIRN_WORK_MEMBER_SLOTS", fallback: 100, read: readMemberSlots },
  workMemberSeconds: { name: "work.memberSeconds", variable: "CAIRN_WORK_MEMBER_SECONDS", fallback: "all", read: readMemberSeconds },
  workMemberWhen: { name: "work.memberWhen", variable: "CAIRN_WORK_MEMBER_WHEN", fallback: "wanted", read: oneOf(["wanted", "always"]) },
  workWith: { name: "work.with", variable: "CAIRN_WORK_WITH", fallback: "domain" as WorkCircle, read: readCircle },
  workActions: { name: "work.actions", variable: "CAIRN_WORK_ACTIONS", fallback: "off", read: readSwitch },
  workSystem: { name: "work.system", variable: "CAIRN_WORK_SYSTEM", fallback: "", read: readSystem },
  placementPattern: {
    name: "placement.pattern",
    variable: "CAIRN_PLACEMENT_PATTERN",
    fallback: "hybrid" as PlacementPattern,
    read: readPattern,
  },
  placementHealthCheckMs: {
    name: "placement.healthCheckMs",
    variable: "CAIRN_PLACEMENT_HEALTH_CHECK_MS",
    fallback: limits.placement.health.everyMs,
    read: readHealthCheck,
  },
  toolchainsAccept: {
    name: "toolchains.accept",
    variable: "CAIRN_TOOLCHAINS_ACCEPT",
    fallback: "domain" as ToolchainsAccept,
    read: readAccept,
  },
  toolchainsCapacityBytes: {
    name: "toolchains.capacity",
    variable: "CAIRN_TOOLCHAINS_CAPACITY",
    fallback: 4 * 1024 ** 3,
    read: readSize,
  },
  doorsHttpListen: { name: "doors.http.listen", variable: "CAIRN_DOORS_HTTP_LISTEN", fallback: "off", read: doorListenText },
  doorsRedisListen: { name: "doors.redis.listen", variable: "CAIRN_DOORS_REDIS_LISTEN", fallback: "off", read: doorListenText },
  doorsGrpcListen: { name: "doors.grpc.listen", variable: "CAIRN_DOORS_GRPC_LISTEN", fallback: "off", read: doorListenText },
  doorsGrpcExecute: { name: "doors.grpc.execute", variable: "CAIRN_DOORS_GRPC_EXECUTE", fallback: "off", read: readSwitch },
  doorsCcacheSocket: { name: "doors.ccache.socket", variable: "CAIRN_DOORS_CCACHE_SOCKET", fallback: "off", read: readSwitch },
  doorsShare: { name: "doors.share", variable: "CAIRN_DOORS_SHARE", fallback: "policy", read: oneOf(["off", "policy", "domain"]) },
  doorsTokenFile: { name: "doors.tokenFile", variable: "CAIRN_DOORS_TOKEN_FILE", fallback: "", read: filePath },
  doorsTlsCertificate: { name: "doors.tls.certificate", variable: "CAIRN_DOORS_TLS_CERTIFICATE", fallback: "", read: filePath },
  doorsTlsKey: { name: "doors.tls.key", variable: "CAIRN_DOORS_TLS_KEY", fallback: "", read: filePath },
  doorsTlsClientCa: { name: "doors.tls.clientCa", variable: "CAIRN_DOORS_TLS_CLIENT_CA", fallback: "", read: filePath },
  networkListen: { name: "network.listen", variable: "CAIRN_NETWORK_LISTEN", fallback: "auto", read: listenText },
  networkMdns: { name: "network.mdns", variable: "CAIRN_NETWORK_MDNS", fallback: "on", read: readSwitch },
  networkPortMapping: { name: "network.portMapping", variable: "CAIRN_NETWORK_PORT_MAPPING", fallback: "off", read: readSwitch },
  networkRelayCircuits: {
    name: "network.relayCircuits",
    variable: "CAIRN_NETWORK_RELAY_CIRCUITS",
    fallback: 256,
    read: readCircuits,
  },
  networkLinks: { name: "network.links", variable: "CAIRN_NETWORK_LINKS", fallback: limits.peers, read: readLinks },
  networkPeers: { name: "network.peers", variable: "CAIRN_NETWORK_PEERS", fallback: "", read: readPeers },
} as const;

/** What values are to look like, where they are no sizes. */
const WANTS: Partial<Record<Key, string>> = {
  logLevel: LEVELS.join(", "),
  sharingPolicy: POLICIES.join(", "),
  sharingCopies: "a number of machines from 0 to 8",
  sharingDirectory: DIRECTORIES.join(", "),
  reputationHalfLife: "a time from 1m to 365d, such as 48h",
  workShare: "a percentage of this machine's cores such as 50%, on, off",
  workPower: "mains, any",
  workWhen: "always, idle",
  workHours: "all, or hours of the day such as 22-6",
  workMemberSlots: "a percentage of what is shared, from 1% to 100%",
  workMemberSeconds: `seconds from 1 to ${MEMBER_SECONDS_MOST}, or all`,
  workMemberWhen: "wanted, always",
  workWith: CIRCLES.join(", "),
  workActions: "on, off",
  workSystem: "a name such as debian-12-ci, of up to 64 letters, digits, dots and hyphens",
  placementPattern: PATTERNS.join(", "),
  placementHealthCheckMs: `milliseconds from ${limits.placement.health.leastMs} to ${limits.placement.health.mostMs}`,
  toolchainsAccept: ACCEPTS.join(", "),
  doorsHttpListen: "off, or an address and a port such as 127.0.0.1:8337",
  doorsRedisListen: "off, or an address and a port such as 127.0.0.1:8339",
  doorsGrpcListen: "off, or an address and a port such as 127.0.0.1:8338",
  doorsGrpcExecute: "on, off",
  doorsCcacheSocket: "on, off",
  doorsShare: "off, policy, domain",
  doorsTokenFile: "the absolute path of a file",
  doorsTlsCertificate: "the absolute path of a file in PEM",
  doorsTlsKey: "the absolute path of a file in PEM",
  doorsTlsClientCa: "the absolute path of a file in PEM",
  networkListen:
    "auto, or an address and a port such as 0.0.0.0:4711 or [::]:4711, 0.0.0.0:8080/ws for WebSocket, 0.0.0.0:4711/quic for QUIC (experimental), alone or beside each other",
  networkMdns: "on, off",
  networkPortMapping: "on, off",
  networkRelayCircuits: `a number from 0 to ${limits.circuits}`,
  networkLinks: `a number from 2 to ${limits.peers}`,
  networkPeers: "members and their addresses, such as desktop@192.168.1.20 ci@build.example:4711",
};

type Key = keyof typeof SETTINGS;
const KEYS = Object.keys(SETTINGS) as Key[];
export const settingNames: readonly string[] = KEYS.map((key) => SETTINGS[key].name);

/** @throws {CairnError} config-invalid, with the file or variable, the name and what is wrong */
export function loadConfig(file: string, env: Environment): { config: Config; values: ConfigValue[] } {
  const fromFile = readFile(file);
  const values: ConfigValue[] = [];
  const choose = (key: Key): string | number => {
    const { name, variable, fallback, read } = SETTINGS[key];
    const fromEnv = env[variable];
    const [raw, origin] =
      fromEnv !== undefined && fromEnv !== ""
        ? [fromEnv, variable]
        : fromFile.has(name)
          ? [fromFile.get(name), file]
          : [fallback, "default"];
    const value = read(raw);
    if (value === undefined) throw new CairnError("config-invalid", { where: origin, name, value: String(raw), want: wanted(key) });
    values.push({ name, value, origin });
    return value;
  };
  const chosen = Object.fromEntries(KEYS.map((key) => [key, choose(key)]));
  const unknown = [...fromFile.keys()].find((name) => !KEYS.some((key) => SETTINGS[key].name === name));
  if (unknown !== undefined)
    throw new CairnError("config-invalid", {
      where: file,
      name: unknown,
      want: `one of ${settingNames.join(", ")}`,
    });
  return { config: chosen as unknown as Config, values };
}

/**
 * Whether a setting may have a value.
 * @param raw as TOML has it
 * @throws {CairnError} usage, with what would be possible
 */
export function checkSetting(name: string, raw: unknown): void {
  const key = KEYS.find((one) => SETTINGS[one].name === name);
  if (key === undefined) throw settingUnknown(name);
  if (SETTINGS[key].read(raw) === undefined)
    throw new CairnError("usage", { why: `${name} cannot be ${String(raw)}`, advice: `it can be: ${wanted(key)}` });
}

/** Tells those that begin alike, where there are some. */
export function settingUnknown(name: string): CairnError {
  const alike = settingNames.filter((one) => one.split(".")[0] === name.split(".")[0]);
  return new CairnError("usage", {
    why: `there is no setting ${name}`,
    advice: `there are: ${(alike.length > 0 ? alike : settingNames).join(", ")}`,
  });
}

function wanted(key: Key): string {
  return WANTS[key] ?? "a size of 1 MiB or more, such as 500MB or 20GiB";
}

/** The file's values by dotted name. */
function readFile(file: string): Map<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const system = systemCode(error);
    if (system === "ENOENT" || system === "ENOTDIR") return new Map(); // A home that is no directory is prepareHome's to judge.
    throw new CairnError("config-invalid", { where: file, want: "a readable file" }, error);
  }
  try {
    const table: object = parse(text);
    return flatten(table);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new CairnError("config-invalid", { where: file, line: error.line, want: "TOML" }, error);
  }
}

function flatten(table: object, prefix = ""): Map<string, unknown> {
  const values = new Map<string, unknown>();
  for (const [name, value] of Object.entries(table) as [string, unknown][]) {
    if (typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)) {
      for (const [inner, leaf] of flatten(value, `${prefix}${name}.`)) values.set(inner, leaf);
    } else values.set(prefix + name, value);
  }
  return values;
}

const LEAST_BYTES = 1024 ** 2;
const MOST_COPIES = 8;

/** `20GiB`, `500 MB`, `1073741824`; undefined when it is none, below 1 MiB or absurdly large. */
function readSize(raw: unknown): number | undefined {
  const bytes = parseSize(String(raw));
  return bytes !== undefined && bytes >= LEAST_BYTES && bytes <= Number.MAX_SAFE_INTEGER ? bytes : undefined;
}

function listenText(raw: unknown): string | undefined {
  const text = String(raw).trim();
  return readListen(text) === undefined ? undefined : text;
}

function doorListenText(raw: unknown): string | undefined {
  const text = raw === false ? "off" : String(raw).trim();
  return readDoorListen(text) === undefined ? undefined : text;
}

/** An absolute path, or nothing. */
function filePath(raw: unknown): string | undefined {
  const text = String(raw).trim();
  return text === "" || (text.startsWith("/") && !text.includes("\0")) ? text : undefined;
}

function readSwitch(raw: unknown): string | undefined {
  const text = raw === true ? "on" : raw === false ? "off" : String(raw).trim();
  return text === "on" || text === "off" ? text : undefined;
}

function readCircuits(raw: unknown): number | undefined {
  const text = String(raw).trim();
  return /^\d{1,6}$/.test(text) && Number(text) <= limits.circuits ? Number(text) : undefined;
}

function readLinks(raw: unknown): number | undefined {
  const text = String(raw).trim();
  // With one alone none would be left for those that come by themselves.
  return /^\d{1,4}$/.test(text) && Number(text) >= 2 && Number(text) <= limits.peers ? Number(text) : undefined;
}

function readPeers(raw: unknown): string | undefined {
  const text = String(raw).trim();
  return readStaticPeers(text) === undefined ? undefined : text;
}

function readCopies(raw: unknown): number | undefined {
  const copies = Number(raw);
  return String(raw).trim() !== "" && Number.isInteger(copies) && copies >= 0 && copies <= MOST_COPIES ? copies : undefined;
}

/** `50%`, `50`, `on`, `off`; percent. */
function readShare(raw: unknown): number | undefined {
  const text = String(raw).trim();
  if (text === "on" || raw === true) return 100;
  if (text === "off" || raw === false) return 0;
  const percent = /^(\d{1,3})\s*%?$/.exec(text)?.[1];
  return percent !== undefined && Number(percent) <= 100 ? Number(percent) : undefined;
}

function readMemberSlots(raw: unknown): number | undefined {
  const percent = readShare(raw);
  return percent === 0 ? undefined : percent;
}

function readMemberSeconds(raw: unknown): number | undefined {
  const text = String(raw).trim();
  if (text === "all" || text === "0") return 0; // 0 is how it is told.
  const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return seconds > 0 && seconds <= MEMBER_SECONDS_MOST ? seconds : undefined;
}

function readCircle(raw: unknown): WorkCircle | undefined {
  return CIRCLES.find((circle) => circle === raw);
}

function oneOf(words: readonly string[]): (raw: unknown) => string | undefined {
  return (raw) => words.find((word) => word === raw);
}

function hoursText(raw: unknown): string | undefined {
  const text = String(raw).trim();
  return text === "all" || readHours(text) !== undefined ? text : undefined;
}

/** `22-6`; undefined for anything else, such as `all`. */
export function readHours(text: string): Hours | undefined {
  const [, from, to] = /^(\d{1,2})-(\d{1,2})$/.exec(text)?.map(Number) ?? [];
  return from !== undefined && to !== undefined && from < 24 && to < 24 && from !== to ? { from, to } : undefined;
}

function halfLifeText(raw: unknown): string | undefined {
  const text = String(raw).trim();
  return readHalfLife(text) === undefined ? undefined : text;
}

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `48h`, `90m`, `7d`; ms, undefined for anything else. */
export function readHalfLife(text: string): number | undefined {
  const [, count, unit = ""] = /^(\d{1,6})\s?([mhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit] ?? Number.NaN);
  const { halfLifeLeastMs, halfLifeMostMs } = limits.reputation;
  return ms >= halfLifeLeastMs && ms <= halfLifeMostMs ? ms : undefined;
}

function readSystem(raw: unknown): string | undefined {
  const text = String(raw).trim();
  return /^[\w.-]{0,64}$/.test(text) ? text : undefined;
}

function readDirectory(raw: unknown): DirectoryKind | "auto" | undefined {
  return DIRECTORIES.find((directory) => directory === raw);
}

function readPattern(raw: unknown): PlacementPattern | undefined {
  return PATTERNS.find((pattern) => pattern === raw);
}

function readHealthCheck(raw: unknown): number | undefined {
  const { leastMs, mostMs } = limits.placement.health;
  const text = String(raw).trim();
  return /^\d{1,6}$/.test(text) && Number(text) >= leastMs && Number(text) <= mostMs ? Number(text) : undefined;
}

function readAccept(raw: unknown): ToolchainsAccept | undefined {
  return ACCEPTS.find((accept) => accept === raw);
}

function readPolicy(raw: unknown): SharingPolicy | undefined {
  return POLICIES.find((policy) => policy === raw);
}

function readLevel(raw: unknown): Level | undefined {
  return LEVELS.find((level) => level === raw);
}
