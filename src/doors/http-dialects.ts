/**
 * The dialects of HTTP that build tools speak to a cache, as data: which paths there are, what they are about, and the status codes
 * that each tool understands. A nearly right code switches several of them off for the whole build.
 *
 * Knows: paths and codes (docs/doors.md). Does not know: connections, or where bytes are kept.
 */
import type { Digest } from "../base/index.ts";
import type { DoorEntries } from "../contracts/index.ts";
import { type Answer, answerTurbo, answerWebDav, type Question, turboTeam } from "./http-questions.ts";

/** Something of the tool's own under a key, a blob by its digest, or a question that only this tool asks. */
export type Target =
  | { readonly kind: "entry"; readonly key: string }
  | { readonly kind: "blob"; readonly digest: Digest }
  | { readonly kind: "question"; readonly name: string };

/** Why something is not done. */
export type Refusal = "path" | "method" | "token" | "host" | "length" | "large" | "full" | "content" | "encoding" | "differs" | "broken";

export interface Dialect {
  /** Of the door: the first part of its paths. */
  readonly name: string;
  /** Whose entries these are, where another door has the same. */
  readonly entriesOf?: string;
  /** What a path below the first part is about; undefined where this tool has no such path. */
  readonly target: (path: string, query: URLSearchParams) => Target | undefined;
  /** A PUT whose bytes are here now. */
  readonly stored: number;
  /** What becomes of other bytes under a key that has some: they take the place, or are refused, or are let be and called stored. */
  readonly again: "replaces" | "refused" | "ignored";
  /** Whether entries may be deleted. */
  readonly deletes: boolean;
  /** Whether a PUT has to say how long it is before it begins; without, it may come in chunks. */
  readonly demandsLength: boolean;
  /** Headers that are kept with the bytes and said again. */
  readonly echoes: readonly string[];
  /** Whether bodies may travel compressed by zstd, both ways. */
  readonly zstd: boolean;
  readonly contentType: string;
  /** Answers what only this tool asks. */
  readonly asks?: (entries: DoorEntries, question: Question) => Promise<Answer | undefined>;
  /** Codes that differ from {@link STATUS}. */
  readonly status: Readonly<Partial<Record<Refusal, number>>>;
  /** The same where something was asked for and not brought. */
  readonly statusOfReading?: Readonly<Partial<Record<Refusal, number>>>;
}

/** What a refusal is in HTTP, where the tool has no wish of its own. */
export const STATUS: Readonly<Record<Refusal, number>> = {
  path: 400,
  method: 405,
  token: 401,
  host: 403,
  length: 411,
  large: 413,
  full: 507,
  content: 400,
  encoding: 415,
  differs: 409,
  broken: 500,
};

const OCTETS = "application/octet-stream";
const USUAL = {
  stored: 200,
  again: "replaces",
  deletes: false,
  demandsLength: false,
  echoes: [],
  zstd: false,
  contentType: OCTETS,
  status: {},
} as const;

/** One row a tool. */
const DIALECTS: readonly Dialect[] = [
  { ...USUAL, name: "bazel-http", entriesOf: "bazel-ac", target: bazel, zstd: true },
  { ...USUAL, name: "ccache", target: ccache, deletes: true },
  { ...USUAL, name: "sccache", target: webDav, stored: 201, deletes: true, asks: answerWebDav },
  {
    ...USUAL,
    name: "turbo",
    target: turbo,
    asks: answerTurbo,
    stored: 202,
    again: "ignored",
    demandsLength: true,
    echoes: ["x-artifact-duration", "x-artifact-tag"],
  },
  // Every code that is not among these few ends the user's command with "misconfigured". 403 is taken for "not stored", but only of a PUT: what
  // cannot be read is not here.
  {
    ...USUAL,
    name: "nx",
    target: nx,
    again: "refused",
    demandsLength: true,
    status: { large: 403, full: 403, length: 403, content: 403, encoding: 403, broken: 403 },
    statusOfReading: { broken: 404 },
  },
  // 413 is the only code by which a server may keep less than it was sent and not be left alone for the rest of the build.
  {
    ...USUAL,
    name: "gradle",
    target: gradle,
    again: "ignored",
    contentType: "application/vnd.gradle.build-cache-artifact.v2",
    status: { full: 413 },
  },
];

const BY_NAME: ReadonlyMap<string, Dialect> = new Map(DIALECTS.map((dialect) => [dialect.name, dialect]));

export function dialectOf(name: string): Dialect | undefined {
  return BY_NAME.get(name);
}

function entry(key: string): Target {
  return { kind: "entry", key };
}

/** `[instance/]ac/<sha256>`, `[instance/]cas/<sha256>`; each instance has results of its own, blobs are blobs. */
function bazel(path: string): Target | undefined {
  const [, instance = "", place, digest = ""] = /^((?:[\w.-]+\/){0,8})(ac|cas)\/([0-9a-f]{64})$/.exec(path) ?? [];
  if (place === undefined) return undefined;
  return place === "cas" ? { kind: "blob", digest } : entry(`${instance}${digest}`);
}

/** A name of 20 bytes: 40 hex digits, or as ccache wrote it before 4.9; in the layouts `subdirs`, `flat` and `bazel`. */
function ccache(path: string): Target | undefined {
  const [, hex] = /^ac\/([0-9a-f]{40})[0-9a-f]{24}$/.exec(path) ?? [];
  if (hex !== undefined) return path.endsWith(hex.slice(0, 24)) ? entry(hex) : undefined;
  const name = path[2] === "/" ? path.slice(0, 2) + path.slice(3) : path;
  return /^(?:[0-9a-f]{40}|[0-9a-f]{4}[0-9a-v]{29})$/.test(name) ? entry(name) : undefined;
}

/** Any path of plain names, as OpenDAL makes them: `a/b/c/abc…`, `.sccache_check`; with a slash at its end a directory. */
function webDav(path: string): Target | undefined {
  const [, name] = /^(?:[\w.-]+\/)*([\w.-]*)$/.exec(path) ?? [];
  return name === undefined ? undefined : name === "" ? { kind: "question", name: path } : entry(path);
}

/** The artifacts of each team are its own: what signs them names the team. */
function turbo(path: string, query: URLSearchParams): Target | undefined {
  const [, name] = /^v8\/(?:artifacts\/)?(artifacts|status|events)$/.exec(path) ?? [];
  if (name !== undefined) return { kind: "question", name };
  const [, hash] = /^v8\/artifacts\/([\w-]{1,128})$/.exec(path) ?? [];
  const team = turboTeam(query);
  return hash === undefined || team === undefined ? undefined : entry(team + hash);
}

function nx(path: string): Target | undefined {
  const [, hash] = /^v1\/cache\/([\w-]{1,128})$/.exec(path) ?? [];
  return hash === undefined ? undefined : entry(hash);
}

function gradle(path: string): Target | undefined {
  return /^[0-9a-f]{32,128}$/.test(path) ? entry(path) : undefined;
}
