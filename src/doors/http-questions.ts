/**
 * What only one tool asks over HTTP: whether its cache is there, directories that it wants to see before it writes, lists of artifacts.
 *
 * Knows: Turborepo's and WebDAV's questions (docs/doors.md). Does not know: connections.
 */
import type { DoorEntries, DoorEntry } from "../contracts/index.ts";

export interface Question {
  readonly door: string;
  /** What stands behind the tool's own path; for WebDAV the path below the door's. */
  readonly name: string;
  readonly method: string;
  readonly query: URLSearchParams;
  /** The whole path, and what stands behind it, as it was asked for. */
  readonly path: string;
  readonly search: string;
  /** The body as JSON. @throws {CairnError} limit-exceeded, usage */
  readonly body: () => Promise<unknown>;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Artifacts that one question may be about. */
const HASHES_MAX = 10_000;

/** Turborepo: whether there is a cache, many artifacts at once, and what came of them. @returns undefined where it has no such question */
export async function answerTurbo(entries: DoorEntries, question: Question): Promise<Answer | undefined> {
  if (question.method === "OPTIONS") return preflight(question);
  switch (`${question.method} ${question.name}`) {
    case "GET status":
      return json({ status: "enabled" });
    case "POST events":
      await question.body();
      return json({});
    case "POST artifacts":
      return turboArtifacts(entries, question);
    default:
      return undefined;
  }
}

/** WebDAV: every directory is there; a file is where somebody has put one. */
export async function answerWebDav(entries: DoorEntries, { door, name, method, path, signal }: Question): Promise<Answer | undefined> {
  if (method === "MKCOL") return { status: 201, headers: {}, text: "" };
  if (method !== "PROPFIND") return undefined;
  const isDirectory = name === "" || name.endsWith("/");
  const found = isDirectory ? undefined : await entries.find(door, name, signal);
  if (!isDirectory && found === undefined) return { status: 404, headers: {}, text: "" };
  const kind = isDirectory ? "<D:collection/>" : "";
  const size = found === undefined ? "" : `<D:getcontentlength>${found.size}</D:getcontentlength>`;
  const modified = new Date(found?.at ?? 0).toUTCString();
  return {
    status: 207,
    headers: { "content-type": "application/xml; charset=utf-8" },
    text:
      `<?xml version="1.0" encoding="utf-8"?><D:multistatus xmlns:D="DAV:"><D:response><D:href>${path}</D:href><D:propstat><D:prop>` +
      `<D:resourcetype>${kind}</D:resourcetype>${size}<D:getlastmodified>${modified}</D:getlastmodified></D:prop>` +
      `<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>`,
  };
}

/** What stands before the hashes of a team in Turborepo's keys; undefined where it is no name of one. */
export function turboTeam(query: URLSearchParams): string | undefined {
  const team = query.get("teamId") ?? query.get("slug") ?? "";
  return /^[\w.-]{0,128}$/.test(team) ? `${team}/` : undefined;
}

async function turboArtifacts(entries: DoorEntries, { door, query, body, signal }: Question): Promise<Answer | undefined> {
  const asked = await body();
  const hashes: unknown = typeof asked === "object" && asked !== null && "hashes" in asked ? asked.hashes : undefined;
  const team = turboTeam(query);
  if (!Array.isArray(hashes) || hashes.length > HASHES_MAX || team === undefined) return { status: 400, headers: {}, text: "" };
  const names = hashes.filter((hash) => typeof hash === "string");
  const found: [string, object | null][] = [];
  for (const hash of names) found.push([hash, facts(await entries.find(door, team + hash, signal))]);
  return json(Object.fromEntries(found));
}

function facts(entry: DoorEntry | undefined): object | null {
  if (entry === undefined) return null;
  const { "x-artifact-tag": tag, "x-artifact-duration": duration } = entry.meta;
  return { size: entry.size, taskDurationMs: Number(duration ?? 0), ...(tag === undefined ? {} : { tag }) };
}

/** Asked by `turbo --preflight` of servers that send it elsewhere. No browser may come in by this: it says nothing of origins. */
function preflight({ path, search }: Question): Answer {
  const headers = {
    location: path + search,
    "access-control-allow-methods": "GET, HEAD, PUT, POST, OPTIONS",
    "access-control-allow-headers":
      "Authorization, Content-Type, User-Agent, x-artifact-duration, x-artifact-tag, x-artifact-client-ci, x-artifact-client-interactive",
  };
  return { status: 200, headers, text: "" };
}

function json(value: object): Answer {
  return { status: 200, headers: { "content-type": "application/json" }, text: JSON.stringify(value) };
}
