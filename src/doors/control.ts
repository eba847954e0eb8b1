/**
 * The door of the command line: HTTP with JSON over a Unix socket that only its owner may reach.
 *
 * Knows: paths, methods, statuses. Does not know: where the answers come from.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { CairnError, type ErrorCode, type Log, limits } from "../base/index.ts";
import { readJson, text } from "./bodies.ts";
import { answerNetwork, type NetworkControls } from "./control-network.ts";
import { answerTasks, type TaskControls } from "./control-tasks.ts";
import { answerToolchains, type ToolchainControls } from "./control-toolchains.ts";
import { answerTrees, followed, type Tell, type TreeControls, toldError } from "./control-trees.ts";
import { answerTrust, type TrustControls } from "./control-trust.ts";
import { answerTunnels } from "./control-tunnels.ts";
import { answerWork, type WorkControls } from "./control-work.ts";

// An import would also load what node:http has lazily (WebSocket, and with it HTTP/2, TLS, workers): 5 MB and 30 ms that nobody needs.
const { createServer } = process.getBuiltinModule("node:http");

/** What the command line may ask; each answer is sent as JSON. */
export interface Controls {
  status(): unknown;
  /** @param session hex, "" for the node's own counters */
  stats(session: string): Promise<unknown>;
  zeroStats(): Promise<unknown>;
  /** @param file absolute path of a source; "" for whatever was compiled last */
  explain(file: string): Promise<unknown>;
  gc(request: { maxBytes: number | undefined; all: boolean }): Promise<unknown>;
  /** @throws {CairnError} not-found when there is nothing of the kind */
  pin(question: PinQuestion, tell: Tell, signal: AbortSignal): Promise<unknown>;
  unpin(question: PinQuestion): Promise<unknown>;
  pins(): Promise<unknown>;
  config(): unknown;
  /** The file has changed: what can take effect without a restart does. @throws {CairnError} config-invalid */
  configAgain(): unknown;
  doctor(): Promise<unknown>;
  /** The same of the store alone, all of which is read. */
  doctorStore(tell: Tell, signal: AbortSignal): Promise<unknown>;
  stop(): void;
  /** Signed results of a compile. @throws {CairnError} network-absent */
  attestations(question: ResultNamed): Promise<unknown>;
  /** Who reproduced such a result, signed by this node. @throws {CairnError} network-absent */
  summary(question: ResultNamed): Promise<unknown>;
  /** Which member of that network signs with an attestation key; nothing is known of other networks. @throws {CairnError} network-absent */
  signer(key: string, network: string): Promise<unknown>;
  readonly network: NetworkControls;
  readonly trees: TreeControls;
  readonly toolchains: ToolchainControls;
  readonly work: WorkControls;
  readonly trust: TrustControls;
  readonly tasks: TaskControls;
}

/** A source or a file, by its path and the digest of its content, or an action; "" for what is not known. */
export interface ResultNamed {
  readonly file: string;
  readonly digest: string;
  readonly action: string;
}

/** What somebody typed, the absolute path that it may be, and the digest that it is or that the file has; "" for what is not known. */
interface PinQuestion {
  readonly name: string;
  readonly file: string;
  readonly digest: string;
}

const BODY_BYTES = 65_536;
const REQUEST_DEADLINE_MS = 10_000;
/** How often Node looks for requests that are late. */
const CHECK_EVERY_MS = 2_000;

export class ControlDoor implements AsyncDisposable {
  readonly #server: Server;

  static async open(parts: { controls: Controls; log: Log }, path: string): Promise<ControlDoor> {
    const door = new ControlDoor(parts);
    await new Promise<void>((resolve, reject) => {
      door.#server.once("error", reject);
      door.#server.listen({ path }, resolve);
    });
    return door;
  }

  private constructor(parts: { controls: Controls; log: Log }) {
    const deadlines = { requestTimeout: REQUEST_DEADLINE_MS, headersTimeout: REQUEST_DEADLINE_MS, keepAliveTimeout: 1_000 };
    this.#server = createServer({ ...deadlines, connectionsCheckingInterval: CHECK_EVERY_MS }, (request, response) => {
      respond(parts.controls, request, response).catch((error: unknown) => {
        parts.log.event("warn", "control.failed", {
          url: request.url ?? "",
          error: error instanceof Error ? error.message : String(error),
        });
        send(response, error instanceof CairnError ? statusOf(error.code) : 500, {
          error: toldError(error),
        });
      });
    });
    this.#server.maxConnections = limits.controlConnections;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

async function respond(controls: Controls, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://daemon");
  switch (`${request.method} ${url.pathname}`) {
    case "GET /status":
      return send(response, 200, controls.status());
    case "GET /stats":
      return send(response, 200, await controls.stats(url.searchParams.get("session") ?? ""));
    case "POST /stats/zero":
      return send(response, 200, await controls.zeroStats());
    case "GET /explain":
      return send(response, 200, await controls.explain(url.searchParams.get("file") ?? ""));
    case "GET /attestations":
      return send(response, 200, await controls.attestations(named(url.searchParams)));
    case "GET /summary":
      return send(response, 200, await controls.summary(named(url.searchParams)));
    case "GET /signer":
      return send(response, 200, await controls.signer(url.searchParams.get("key") ?? "", url.searchParams.get("network") ?? ""));
    case "GET /evidence":
      return send(response, 200, await controls.trust.evidence());
    case "GET /config":
      return send(response, 200, controls.config());
    case "POST /config":
      return send(response, 200, controls.configAgain());
    case "GET /doctor":
      return send(response, 200, await controls.doctor());
    case "POST /doctor/store":
      return followed(response, undefined, (_, tell, signal) => controls.doctorStore(tell, signal));
    case "POST /gc":
      return send(response, 200, await controls.gc(readGc(await readJson(request, BODY_BYTES))));
    case "POST /pin":
      return followed(response, readPin(await readJson(request, BODY_BYTES)), (question, tell, signal) =>
        controls.pin(question, tell, signal),
      );
    case "POST /unpin":
      return send(response, 200, await controls.unpin(readPin(await readJson(request, BODY_BYTES))));
    case "GET /pins":
      return send(response, 200, await controls.pins());
    case "POST /stop":
      send(response, 200, {});
      return controls.stop();
    default: {
      const question = `${request.method} ${url.pathname}`;
      if (url.pathname.startsWith("/task/"))
        return answerTasks(controls.tasks, question, await readJson(request, limits.task.reportBytes), response);
      const body = (): Promise<unknown> => readJson(request, BODY_BYTES);
      const answer =
        answerNetwork(controls.network, question, body, url.searchParams.get("directory") ?? "") ??
        answerTunnels(() => controls.network.tunnels(), question, body) ??
        answerToolchains(controls.toolchains, question, body) ??
        answerWork(controls.work, question);
      if (answer === undefined && url.pathname.startsWith("/tree/")) return answerTrees(controls.trees, question, await body(), response);
      if (answer === undefined && url.pathname.startsWith("/trust/")) return answerTrust(controls.trust, question, await body(), response);
      if (answer === undefined) return send(response, 404, { error: { code: "usage", path: url.pathname } });
      return send(response, 200, await answer);
    }
  }
}

const MEETS = /^(network|peer|data|blob|address|tunnel)-/;

function named(query: URLSearchParams): ResultNamed {
  return { file: query.get("file") ?? "", digest: query.get("digest") ?? "", action: query.get("action") ?? "" };
}

/** Whose fault it is: the request's (400), what it meets (409), or ours (500). */
function statusOf(code: ErrorCode): number {
  if (code === "not-found") return 404;
  if (code === "usage" || code === "limit-exceeded" || code === "invitation-invalid" || code === "member-unknown") return 400;
  return MEETS.test(code) ? 409 : 500;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  response.writeHead(status, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}

function readPin(body: unknown): PinQuestion {
  return { name: text(body, "name"), file: text(body, "file"), digest: text(body, "digest") };
}

function readGc(body: unknown): { maxBytes: number | undefined; all: boolean } {
  if (typeof body !== "object" || body === null) throw new CairnError("usage", { why: "the body is not an object" });
  const maxBytes = "maxBytes" in body ? body.maxBytes : undefined;
  const all = "all" in body ? body.all : false;
  const sized = maxBytes === undefined || (typeof maxBytes === "number" && Number.isFinite(maxBytes) && maxBytes >= 0);
  if (!sized || typeof all !== "boolean") throw new CairnError("usage", { why: "maxBytes is a number of bytes, all a boolean" });
  return { maxBytes, all };
}
