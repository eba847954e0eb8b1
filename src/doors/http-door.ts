/**
 * The door for build tools that speak HTTP: one listener, every dialect below a path of its own (docs/doors.md).
 *
 * Guarantees: whoever is not admitted learns nothing and leaves nothing; a web page that somebody has open cannot use it; each connection
 * has limits and deadlines. Knows: connections, paths, tokens. Does not know: where artifacts are kept.
 */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from "node:http";
import type { Server as SecureServer } from "node:https";
import { isIP, type Socket } from "node:net";
import { CairnError, type Log, limits, reasonOf, systemCode } from "../base/index.ts";
import type { DoorEntries } from "../contracts/index.ts";
import { readJson } from "./bodies.ts";
import type { DoorBook } from "./door-book.ts";
import type { HttpArtifacts } from "./http-artifacts.ts";
import { type Dialect, dialectOf, type Refusal, STATUS, type Target } from "./http-dialects.ts";
import { type DoorTls, hasLeft, listening, type OpenAt, portOf, TokenCheck, tlsOptions, tlsRefusal } from "./listening.ts";

// As in control.ts: an import would load more than is needed.
const { createServer } = process.getBuiltinModule("node:http");

export interface HttpDoorParts {
  readonly artifacts: HttpArtifacts;
  readonly entries: DoorEntries;
  readonly book: DoorBook;
  readonly log: Log;
}

/** How often Node looks for requests that are late. */
const CHECK_EVERY_MS = 2_000;
/** Signs that need no escaping, in segments between slashes. What has any other is none of the tools' paths. */
const PATH = /^\/[\w.~:@+=,/-]*$/;
const DOTS = /(?:^|\/)\.\.?(?:\/|$)/;
const NO_QUERY: URLSearchParams = new URLSearchParams();
const METHODS: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "PUT", "DELETE"]);

/** A request that belongs to a tool. */
interface Knock {
  readonly dialect: Dialect;
  readonly target: Target;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The same as it was written, with its question mark. */
  readonly search: string;
}

export class HttpDoor implements AsyncDisposable {
  readonly #parts: HttpDoorParts;
  readonly #server: Server | SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly #token: TokenCheck;
  /** Whether whoever is here has shown a certificate: then a name is as good as an address. */
  readonly #knowsClients: boolean;

  /** @throws {CairnError} address-unavailable */
  static async open(parts: HttpDoorParts, options: OpenAt): Promise<HttpDoor> {
    const door = new HttpDoor(parts, options);
    await listening(door.#server, "http", options, parts.log);
    return door;
  }

  private constructor(parts: HttpDoorParts, { token, tls }: OpenAt) {
    this.#parts = parts;
    this.#knowsClients = tls?.clientCa !== undefined;
    this.#token = new TokenCheck(token);
    const { headersMs, requestMs, keepAliveMs, idleMs, headerBytes, connections } = limits.doors;
    this.#server = serverOf(tls, {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      maxHeaderSize: headerBytes,
    });
    this.#server.maxConnections = connections;
    this.#server.timeout = idleMs;
    const serve = (request: IncomingMessage, response: ServerResponse): void => void this.#serve(request, response);
    // Who asks whether a body is wanted is told so when it is, and not before.
    for (const event of ["request", "checkContinue", "checkExpectation"]) this.#server.on(event, serve);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("drop", () => parts.book.refused("http", "too many connections"));
    // What is no HTTP at all is answered where that makes sense, and counted; who went away is not. Failed handshakes of TLS come here, too.
    this.#server.on("clientError", (error, socket) => {
      const noTls = tlsRefusal(error, socket);
      if (noTls !== undefined || !hasLeft(error)) parts.book.refused("http", noTls ?? systemCode(error) ?? "no HTTP");
      if (socket.writable && noTls === undefined)
        socket.end(`HTTP/1.1 ${CLIENT_ERRORS[systemCode(error) ?? ""] ?? "400 Bad Request"}\r\nConnection: close\r\n\r\n`);
      else socket.destroy();
    });
  }

  get port(): number {
    return portOf(this.#server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#parts.log.event("info", "door.closed", { door: "http" });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let door = "http";
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    try {
      const knock = readKnock(request);
      door = knock?.dialect.name ?? door;
      const why = this.#stranger(request) ?? (await this.#answer(knock, request, response, gone.signal));
      if (why !== undefined) this.#refuse(door, knock?.dialect, why, request, response);
    } catch (error) {
      // Who went away in the middle hears nothing any more; whether that was in order is theirs to know.
      if (gone.signal.aborted) this.#parts.log.event("debug", "door.left", { door, method: request.method ?? "" });
      else this.#failed(door, error, request, response);
    }
  }

  /** Why somebody is not let in. */
  #stranger({ headers }: IncomingMessage): Refusal | undefined {
    // Build tools are no web pages, and a page's request says where it comes from.
    if (headers.origin !== undefined) return "host";
    if (!this.#token.isNeeded) return this.#knowsClients || isByAddress(headers.host) ? undefined : "host";
    return this.#token.admits(shown(headers.authorization)) ? undefined : "token";
  }

  /** @returns why nothing was answered */
  async #answer(
    knock: Knock | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<Refusal | undefined> {
    if (knock === undefined) return "path";
    const { dialect, target, path, query, search } = knock;
    if (target.kind !== "question" && METHODS.has(request.method)) {
      const served = await this.#parts.artifacts.serve({ dialect, target, request, response, signal });
      return served.kind === "refused" ? served.why : undefined;
    }
    const name = target.kind === "question" ? target.name : target.kind === "entry" ? target.key : "";
    const body = (): Promise<unknown> => readJson(request, limits.doors.questionBytes);
    const question = { door: dialect.name, name, method: request.method ?? "", path, query, search, body, signal };
    const answer = await dialect.asks?.(this.#parts.entries, question);
    if (answer === undefined) return "method";
    const length = { "content-length": Buffer.byteLength(answer.text) };
    response.writeHead(answer.status, { ...length, ...answer.headers }).end(answer.text);
    return undefined;
  }

  #failed(door: string, error: unknown, request: IncomingMessage, response: ServerResponse): void {
    const code = error instanceof CairnError ? error.code : systemCode(error);
    const isDefect = code === undefined;
    const why = error instanceof Error && isDefect ? (error.stack ?? error.message) : (code ?? reasonOf(error));
    this.#parts.log.event(isDefect ? "error" : "debug", isDefect ? "door.defect" : "door.broken", { door, why });
    this.#refuse(door, dialectOf(door), REFUSALS[code ?? ""] ?? "broken", request, response);
  }

  #refuse(door: string, dialect: Dialect | undefined, why: Refusal, request: IncomingMessage, response: ServerResponse): void {
    this.#parts.book.refused(door, why);
    if (response.headersSent || response.destroyed) return void response.destroy();
    const text = `${TEXTS[why]}\n`;
    const own = request.method === "PUT" ? undefined : dialect?.statusOfReading?.[why];
    const status = own ?? dialect?.status[why] ?? STATUS[why];
    const headers: Record<string, string | number> = { "content-type": "text/plain", "content-length": Buffer.byteLength(text) };
    if (why === "token") headers["www-authenticate"] = 'Bearer realm="cairn", Basic realm="cairn"';
    // A body that nobody will read would stand before the next request.
    if (!request.complete) headers.connection = "close";
    const { socket } = response; // Node takes it away when all is said.
    response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : text);
    if (request.complete || socket === null || socket.destroyed) return;
    request.resume();
    const timer = setTimeout(() => socket.destroy(), limits.doors.lingerMs);
    socket.once("close", () => clearTimeout(timer));
  }
}

function serverOf(tls: DoorTls | undefined, options: ServerOptions): Server | SecureServer {
  if (tls === undefined) return createServer(options);
  return process.getBuiltinModule("node:https").createServer({ ...options, ...tlsOptions(tls) });
}

/** What people read who call a tool's cache with a browser or in a debugging log. */
const TEXTS: Readonly<Record<Refusal, string>> = {
  path: "there is nothing of that name: see docs/doors.md",
  method: "not by this method",
  token: "a token is needed: doors.tokenFile",
  host: "only for build tools, by an IP address or as localhost",
  length: "how long is it?",
  large: "too large",
  full: "the disk is full, or may not be written",
  content: "these are not the bytes that were announced",
  encoding: "this encoding is not understood",
  differs: "something else is kept under this name",
  broken: "that did not work",
};

/** What may go wrong while something is kept. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  "home-unwritable": "full",
  "limit-exceeded": "large",
  usage: "content",
  ECONNRESET: "content", // A body that ended too early.
  ZSTD_error_prefix_unknown: "content",
  ZSTD_error_corruption_detected: "content",
  ZSTD_error_checksum_wrong: "content",
  ZSTD_error_frameParameter_windowTooLarge: "content",
  Z_BUF_ERROR: "content",
};

const CLIENT_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

function readKnock({ url = "" }: IncomingMessage): Knock | undefined {
  const at = url.indexOf("?");
  const path = at < 0 ? url : url.slice(0, at);
  if (!PATH.test(path) || DOTS.test(path)) return undefined;
  const end = path.indexOf("/", 1);
  const dialect = dialectOf(end < 0 ? path.slice(1) : path.slice(1, end));
  const search = at < 0 ? "" : url.slice(at);
  const query = search === "" ? NO_QUERY : new URLSearchParams(search);
  const target = dialect?.target(end < 0 ? "" : path.slice(end + 1), query);
  return dialect === undefined || target === undefined ? undefined : { dialect, target, path, query, search };
}

/** Whether a name was not involved: a web page can make its own name mean this machine, but not an address. */
function isByAddress(host: string | undefined): boolean {
  if (host === undefined) return true; // HTTP/1.0; browsers always say it.
  const [, six, other = ""] = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/.exec(host) ?? [];
  return six === undefined ? isIP(other) === 4 || other.toLowerCase() === "localhost" : isIP(six) === 6;
}

/** `Bearer TOKEN`, or `Basic` with the token for a password. */
function shown(authorization: string | undefined): string {
  const [, scheme = "", text = ""] = /^(\w+) +(\S+) *$/.exec(authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return text;
  if (scheme.toLowerCase() !== "basic") return "";
  const pair = Buffer.from(text, "base64").toString("utf8");
  return pair.slice(pair.indexOf(":") + 1);
}
