/**
 * What the command line asks about whom to believe.
 */
import type { ServerResponse } from "node:http";
import { CairnError } from "../base/index.ts";
import { text } from "./bodies.ts";
import { followed, type Tell } from "./control-trees.ts";

/** A compile: by its source's absolute path, or its action; "" for what was not said. */
export interface CompileNamed {
  readonly file: string;
  readonly action: string;
}

export interface TrustControls {
  /**
   * Executes a compile once more.
   *
   * @param challenge whether members of other domains do, too
   * @throws {CairnError} not-found when it is not known, or its files are others by now; network-absent
   */
  verify(compile: CompileNamed, challenge: boolean, tell: Tell, signal: AbortSignal): Promise<unknown>;
  /** Signers whose word does not count here, with the evidence against those that were convicted. @throws {CairnError} network-absent */
  evidence(): Promise<unknown>;
  /** The log of what this node has signed, who has witnessed it, and whose logs it has witnessed. @throws {CairnError} network-absent */
  log(): Promise<unknown>;
  /** @param compile what is in the log @throws {CairnError} network-absent, not-found */
  prove(compile: CompileNamed): Promise<unknown>;
}

export async function answerTrust(controls: TrustControls, question: string, body: unknown, response: ServerResponse): Promise<void> {
  const compile = { file: text(body, "file"), action: text(body, "action") };
  switch (question) {
    case "POST /trust/verify":
      return followed(response, compile, (one, tell, signal) => controls.verify(one, false, tell, signal));
    case "POST /trust/log":
      return answered(response, await controls.log());
    case "POST /trust/log-prove":
      return answered(response, await controls.prove(compile));
    case "POST /trust/challenge":
      return followed(response, compile, (one, tell, signal) => controls.verify(one, true, tell, signal));
    default:
      throw new CairnError("usage", { why: `there is no ${question}` });
  }
}

function answered(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
}
