/**
 * Asks the daemon: HTTP with JSON over the socket `<run>/control.sock`.
 *
 * Knows: the transport, and that nobody may be there. Does not know: what answers mean; see answers.ts.
 */
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { CairnError, type ErrorCode, type Facts, limits, systemCode } from "../base/index.ts";

export interface Control {
  /** @throws {CairnError} daemon-absent when nobody answers in time, or the daemon's own error */
  get(path: string, query?: Readonly<Record<string, string>>, signal?: AbortSignal, deadlineMs?: number): Promise<unknown>;
  /**
   * @param deadlineMs for questions that take the daemon longer than others
   * @throws {CairnError} as get
   */
  post(path: string, body?: unknown, signal?: AbortSignal, deadlineMs?: number): Promise<unknown>;
  /**
   * Asks for something that takes long; when the signal aborts, the daemon stops it.
   *
   * @param told is called with what the daemon says meanwhile
   * @throws {CairnError} as get
   */
  follow(path: string, body: unknown, told: (progress: unknown) => void, signal: AbortSignal): Promise<unknown>;
}

export interface ControlOptions {
  readonly socket: string;
  readonly deadlineMs: number;
}

/** What a Unix socket's path may take, less the final zero. */
const SOCKET_PATH_BYTES = 107;
const ANSWER_BYTES = 16_777_216;

export class ControlClient implements Control {
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  get(
    path: string,
    query: Readonly<Record<string, string>> = {},
    signal?: AbortSignal,
    deadlineMs: number = this.#options.deadlineMs,
  ): Promise<unknown> {
    const text = new URLSearchParams(query).toString();
    return this.#ask("GET", text === "" ? path : `${path}?${text}`, undefined, signal, deadlineMs);
  }

  post(path: string, body: unknown = {}, signal?: AbortSignal, deadlineMs: number = this.#options.deadlineMs): Promise<unknown> {
    return this.#ask("POST", path, JSON.stringify(body), signal, deadlineMs);
  }

  async follow(path: string, body: unknown, told: (progress: unknown) => void, signal: AbortSignal): Promise<unknown> {
    const silence = new AbortController();
    const { silentMs } = limits.trees;
    const silent = setTimeout(() => silence.abort(), silentMs);
    try {
      using socket = reachable(this.#options.socket);
      const heard = (line: unknown): void => {
        told(line);
        silent.refresh(); // Who reads what is told may pause for long, and the daemon is not silent for that.
      };
      return await following(socket.path, path, JSON.stringify(body), heard, AbortSignal.any([signal, silence.signal]));
    } catch (error) {
      throw this.#noAnswer(error, silence.signal.aborted ? silentMs : 0);
    } finally {
      clearTimeout(silent);
    }
  }

  async #ask(
    method: string,
    path: string,
    body: string | undefined,
    signal: AbortSignal | undefined,
    deadlineMs: number,
  ): Promise<unknown> {
    const deadline = AbortSignal.timeout(deadlineMs);
    const either = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    try {
      using socket = reachable(this.#options.socket);
      return readAnswer(await exchange(socket.path, method, path, body, either));
    } catch (error) {
      throw this.#noAnswer(error, deadline.aborted ? deadlineMs : 0);
    }
  }

  /** @param waitedMs 0 where the daemon was not too late */
  #noAnswer(error: unknown, waitedMs: number): CairnError {
    if (error instanceof CairnError) return error;
    const { socket } = this.#options;
    const late = waitedMs > 0;
    const why = late ? "silent" : (systemCode(error) ?? "closed");
    const pid = late ? lockHolder(join(dirname(socket), "daemon.lock")) : undefined;
    return new CairnError("daemon-absent", { socket, why, waitedMs, ...(pid === undefined ? {} : { pid }) }, error);
  }
}

/** A path that fits into a socket address: where the real one is too long, through a handle of its directory. */
function reachable(socket: string): Disposable & { readonly path: string } {
  if (Buffer.byteLength(socket) <= SOCKET_PATH_BYTES) return { path: socket, [Symbol.dispose]: () => undefined };
  const handle = openSync(dirname(socket), "r");
  return { path: join(`/proc/self/fd/${handle}`, "control.sock"), [Symbol.dispose]: () => closeSync(handle) };
}

/** The process that has a file locked, where the kernel tells: a daemon that does not answer cannot say who it is. */
function lockHolder(file: string): number | undefined {
  try {
    const inode = statSync(file).ino;
    // As in `1: POSIX  ADVISORY  WRITE 4711 08:01:131099 1073741824 1073742335`.
    const line = readFileSync("/proc/locks", "utf8")
      .split("\n")
      .find((lock) => lock.includes(`:${inode} `));
    const pid = Number(/WRITE\s+(\d+)/.exec(line ?? "")?.[1]);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined; // Another system, or another user's process.
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function exchange(socketPath: string, method: string, path: string, body: string | undefined, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const asking = request({ socketPath, method, path, headers, agent: false, signal }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > ANSWER_BYTES) response.destroy(new CairnError("limit-exceeded", { what: "answer", bytes: size }));
        else chunks.push(chunk);
      });
      response.once("error", reject);
      response.once("end", () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }));
    });
    asking.once("error", reject);
    asking.end(body);
  });
}

/** The last line of an answer has what was asked for, or the error; those before it are progress. */
async function following(
  socketPath: string,
  path: string,
  body: string,
  told: (progress: unknown) => void,
  signal: AbortSignal,
): Promise<unknown> {
  const response = await answered(socketPath, path, body, signal);
  const status = response.statusCode ?? 0;
  let last = "";
  for await (const text of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
    const value = readAnswer({ status, text });
    if (isLast(value)) last = text;
    else told(value);
  }
  return readLast({ status, text: last });
}

function answered(socketPath: string, path: string, body: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const asking = request({ socketPath, method: "POST", path, headers, agent: false, signal }, resolve);
    asking.once("error", reject);
    asking.end(body);
  });
}

function isLast(value: unknown): boolean {
  return typeof value === "object" && value !== null && ("done" in value || "error" in value);
}

/** A daemon that ends in the middle leaves an answer without an end. */
function readLast(answer: Answer): unknown {
  const value = readAnswer(answer);
  const error = errorFrom(value);
  if (error !== undefined) throw error;
  if (typeof value === "object" && value !== null && "done" in value) return value.done;
  throw new Error("the answer has no end");
}

function readAnswer({ status, text }: Answer): unknown {
  let value: unknown;
  try {
    value = text === "" ? {} : (JSON.parse(text) as unknown);
  } catch (error) {
    throw new CairnError("frame-invalid", { what: "answer of the daemon", status }, error);
  }
  if (status >= 200 && status < 300) return value;
  throw errorFrom(value) ?? new CairnError("frame-invalid", { what: "answer of the daemon", status });
}

const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  "home-unwritable",
  "home-foreign",
  "config-invalid",
  "daemon-running",
  "daemon-absent",
  "daemon-failed",
  "client-unbuildable",
  "frame-invalid",
  "index-corrupt",
  "limit-exceeded",
  "network-absent",
  "network-present",
  "network-damaged",
  "network-unavailable",
  "network-refused",
  "invitation-invalid",
  "member-unknown",
  "peer-absent",
  "peer-silent",
  "peer-unreachable",
  "data-refused",
  "blob-absent",
  "address-unavailable",
  "tunnel-unknown",
  "not-found",
  "usage",
]);

function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && CODES.has(text);
}

/** The error that `{error: {code, …facts}}` or `{code, …facts}` stands for, if it is one of ours. */
export function errorFrom(value: unknown): CairnError | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if ("error" in value) return errorFrom(value.error);
  const { code, ...rest } = value as Record<string, unknown>;
  if (!isErrorCode(code)) return undefined;
  const facts: Record<string, Facts[string]> = {};
  for (const [name, fact] of Object.entries(rest)) {
    if (fact === null || typeof fact === "string" || typeof fact === "number" || typeof fact === "boolean") facts[name] = fact;
  }
  return new CairnError(code, facts);
}
