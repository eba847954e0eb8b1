/**
 * What the daemon answers about the network, as narrow types. A daemon of another version may leave things out.
 *
 * Knows: the shape of each answer. Does not know: how it travels or how it is shown.
 */
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { type EpochFacts, readEpochs } from "./epoch-answers.ts";

/** What a machine says of itself. */
export interface CapacityRow {
  readonly version: string;
  readonly platform: string;
  readonly cores: number;
  readonly load: number;
  readonly freeBytes: number;
  readonly jobs: number;
  readonly cacheBytes: number;
}

/** Undefined where nothing is known. */
export type PresenceRow = CapacityRow | "goodbye" | undefined;

export interface MemberRow {
  readonly name: string;
  readonly domain: string;
  readonly key: string;
  readonly standing: string;
  readonly admin: boolean;
  readonly self: boolean;
  readonly connected: boolean;
  readonly provisional: boolean;
  readonly onTrial: boolean;
  readonly invitedBy: string;
  readonly presence: PresenceRow;
}

export interface MemberList {
  readonly name: string;
  readonly members: readonly MemberRow[];
  readonly invitations: readonly { readonly inviter: string; readonly domain: string; readonly expiresAtMs: number }[];
  readonly epochs: EpochFacts;
}

export interface PeerRow {
  readonly name: string;
  readonly domain: string;
  readonly key: string;
  readonly state: string;
  readonly address: string;
  readonly path: string;
  /** The member that relays; empty where none does. */
  readonly via: string;
  /** Undefined before the first round trip, and while not connected. */
  readonly rttMs: number | undefined;
  readonly connectedMs: number;
  /** Of the link, and of all streams of the data plane that there were. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly why: string;
  /** How long nothing is asked of it, since it often had not what it said. */
  readonly leftAloneMs: number;
  readonly presence: PresenceRow;
  /** Of what it does for others; undefined where it does nothing, or nothing is known. */
  readonly work: { readonly slots: number; readonly free: number } | undefined;
  /** Undefined where the daemon keeps none. */
  readonly reputation: ReputationRow | undefined;
}

/** What was seen of a member: shares from 0 to 1, but for `hits`. */
export interface ReputationRow {
  /** What it comes to, where somebody is asked for results and for work. */
  readonly forFetch: number;
  readonly forWork: number;
  readonly isDiscredited: boolean;
  /** Whether this machine's domain wants it put out, and others have yet to agree. */
  readonly isAccused: boolean;
  readonly work: number;
  readonly kinds: readonly (readonly [kind: string, share: number])[];
  readonly fetch: number;
  readonly accuracy: number;
  readonly presence: number;
  readonly hits: number;
}

/** Who decides where work is done. */
export interface PlacementRow {
  readonly pattern: string;
  /** "" where nobody coordinates. */
  readonly coordinator: string;
  readonly isSelf: boolean;
}

export interface PeerList {
  readonly placement: PlacementRow;
  readonly addresses: readonly string[];
  readonly standing: string;
  /** "" when this node is not cut off. */
  readonly isolation: string;
  readonly peers: readonly PeerRow[];
}

export function readMembers(answer: unknown): MemberList {
  return {
    name: textIn(answer, "name"),
    epochs: readEpochs(answer),
    members: listIn(answer, "members").map((row) => ({
      name: textIn(row, "name"),
      domain: textIn(row, "domain"),
      key: textIn(row, "key"),
      standing: textIn(row, "standing"),
      admin: field(row, "admin") === true,
      self: field(row, "self") === true,
      connected: field(row, "connected") === true,
      provisional: field(row, "provisional") === true,
      onTrial: field(row, "onTrial") === true,
      invitedBy: textIn(row, "invitedBy"),
      presence: readPresence(field(row, "presence")),
    })),
    invitations: listIn(answer, "invitations").map((row) => ({
      inviter: textIn(row, "inviter"),
      domain: textIn(row, "domain"),
      expiresAtMs: Date.parse(textIn(row, "expiresAt")) || 0,
    })),
  };
}

export function readPeers(answer: unknown): PeerList {
  return {
    addresses: listIn(answer, "addresses").filter((one) => typeof one === "string"),
    standing: textIn(answer, "standing"),
    isolation: textIn(answer, "isolation"),
    placement: readPlacement(field(answer, "placement")),
    peers: listIn(answer, "peers").map((row) => {
      const rtt = field(row, "rttMs");
      return {
        name: textIn(row, "name"),
        domain: textIn(row, "domain"),
        key: textIn(row, "key"),
        state: textIn(row, "state"),
        address: textIn(row, "address"),
        path: textIn(row, "path"),
        via: textIn(row, "via"),
        rttMs: typeof rtt === "number" ? rtt : undefined,
        connectedMs: numberIn(row, "connectedMs"),
        bytesIn: numberIn(row, "bytesIn") + numberIn(field(row, "data"), "bytesIn"),
        bytesOut: numberIn(row, "bytesOut") + numberIn(field(row, "data"), "bytesOut"),
        why: textIn(row, "why"),
        leftAloneMs: numberIn(field(row, "sharing"), "leftAloneMs"),
        presence: readPresence(field(row, "presence")),
        work: readWork(field(row, "work")),
        reputation: readReputation(field(row, "reputation")),
      };
    }),
  };
}

function readPlacement(answer: unknown): PlacementRow {
  const coordinator = field(answer, "coordinator");
  return { pattern: textIn(answer, "pattern"), coordinator: textIn(coordinator, "name"), isSelf: field(coordinator, "self") === true };
}

function readWork(answer: unknown): PeerRow["work"] {
  const slots = numberIn(answer, "slots");
  return slots === 0 ? undefined : { slots, free: Math.max(0, numberIn(answer, "free")) };
}

function readReputation(answer: unknown): ReputationRow | undefined {
  const seen = field(answer, "seen");
  if (seen === undefined) return undefined;
  const kinds = Object.entries(field(seen, "kinds") ?? {});
  return {
    forFetch: numberIn(answer, "forFetch"),
    forWork: numberIn(answer, "forWork"),
    isDiscredited: field(answer, "discredited") === true,
    isAccused: field(answer, "accused") === true,
    work: numberIn(seen, "work"),
    kinds: kinds.flatMap(([kind, share]) => (typeof share === "number" ? [[kind, share] as const] : [])),
    fetch: numberIn(seen, "fetch"),
    accuracy: numberIn(seen, "accuracy"),
    presence: numberIn(seen, "presence"),
    hits: numberIn(seen, "hits"),
  };
}

function readPresence(answer: unknown): PresenceRow {
  if (field(answer, "goodbye") === true) return "goodbye";
  const cores = numberIn(answer, "cores");
  if (cores === 0) return undefined;
  return {
    version: textIn(answer, "version"),
    platform: textIn(answer, "platform"),
    cores,
    load: numberIn(answer, "load"),
    freeBytes: numberIn(answer, "freeBytes"),
    jobs: numberIn(answer, "jobs"),
    cacheBytes: numberIn(answer, "cacheBytes"),
  };
}

/** Why a node must be thought to be cut off, for people. */
export function isolationText(isolation: string): string {
  return isolation === "few-domains"
    ? "cut off: members of most domains cannot be reached, which may be somebody's doing; nothing new of other domains is used until they can"
    : "cut off: no other member can be reached";
}
