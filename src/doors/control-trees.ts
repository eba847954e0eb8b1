/**
 * The part of the control door that is about files and directories, and answers that take long: lines of JSON, progress first.
 *
 * Knows: paths, bodies, lines. Does not know: where the answers come from.
 */
import type { ServerResponse } from "node:http";
import { CairnError, limits, systemCode } from "../base/index.ts";
import { count, field, text } from "./bodies.ts";

/** Called with what has been done so far. */
export type Tell = (progress: object) => void;

/** Sends what is not to wait for the next time that progress is told. */
export type Say = (news: object) => void;

/** What the command line may ask about files and directories; each answer is sent as JSON. */
export interface TreeControls {
  /** @param path absolute */
  put(path: string, tell: Tell, signal: AbortSignal): Promise<unknown>;
  /** @param root a CID, a digest or a name, and perhaps a path below it */
  get(
    root: string,
    place: { readonly path: string; readonly force: boolean; readonly umask: number },
    tell: Tell,
    signal: AbortSignal,
  ): Promise<unknown>;
  list(root: string, tell: Tell, signal: AbortSignal): Promise<unknown>;
}

export function answerTrees(controls: TreeControls, question: string, body: unknown, response: ServerResponse): Promise<void> {
  switch (question) {
    case "POST /tree/put":
      return followed(response, absolute(body), (path, tell, signal) => controls.put(path, tell, signal));
    case "POST /tree/get": {
      const place = { path: absolute(body), force: field(body, "force") === true, umask: count(body, "umask") };
      return followed(response, place, (where, tell, signal) => controls.get(text(body, "root"), where, tell, signal));
    }
    case "POST /tree/list":
      return followed(response, text(body, "root"), (root, tell, signal) => controls.list(root, tell, signal));
    default:
      throw new CairnError("usage", { why: `there is no ${question}` });
  }
}

/**
 * Sends progress now and then, and at last `{done}` or `{error}`. When nobody listens any more, the work is aborted.
 *
 * @throws what the work throws before anything was told
 */
export async function followed<T>(
  response: ServerResponse,
  question: T,
  work: (question: T, tell: Tell, signal: AbortSignal, say: Say) => Promise<unknown>,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  let progress: object = {};
  // Also when nothing moves: whoever listens knows that this daemon lives.
  const telling = setInterval(() => line(response, progress), limits.trees.tellEveryMs);
  try {
    const tell = (news: object): void => {
      progress = news;
    };
    const say = (news: object): void => void (gone.signal.aborted || line(response, news));
    line(response, { done: await work(question, tell, gone.signal, say) });
    response.end();
  } catch (error) {
    if (gone.signal.aborted) return;
    if (!response.headersSent) throw error;
    line(response, { error: toldError(error) });
    response.end();
    if (!(error instanceof CairnError)) throw error;
  } finally {
    clearInterval(telling);
  }
}

function line(response: ServerResponse, value: object): void {
  if (!response.headersSent) response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.write(`${JSON.stringify(value)}\n`);
}

function absolute(body: unknown): string {
  const path = text(body, "path");
  if (!path.startsWith("/") || path.includes("\0")) throw new CairnError("usage", { why: "an absolute path is wanted" });
  return path;
}

/** An error as who asked is told it: its code and its facts, and what the system said where that is why. */
export function toldError(error: unknown): object {
  if (!(error instanceof CairnError)) return { code: "internal" };
  const system = systemCode(error.cause);
  return { code: error.code, ...(system === undefined ? {} : { system }), ...error.facts };
}
