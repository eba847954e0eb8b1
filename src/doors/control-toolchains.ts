/**
 * The part of the control door that is about compilers for others' jobs: what may be asked, and how requests are read.
 *
 * Knows: paths and bodies. Does not know: where the answers come from.
 */
import { field, text } from "./bodies.ts";

/** What the command line may ask; each answer is sent as JSON. */
export interface ToolchainControls {
  list(): Promise<unknown>;
  /**
   * @param digest all 64 digits, or the first of them where it is known here
   * @param forAll for all machines of the network
   * @throws {CairnError} usage where no toolchain, or more than one, begins so; limit-exceeded, network-refused
   */
  approve(digest: string, forAll: boolean): Promise<unknown>;
  /** Both what was fetched and what was approved; for all machines the approval alone. @throws {CairnError} usage where there is nothing of the kind */
  remove(digest: string, forAll: boolean): Promise<unknown>;
}

/** Undefined when the path is none of these. */
export function answerToolchains(
  controls: ToolchainControls,
  question: string,
  readBody: () => Promise<unknown>,
): Promise<unknown> | undefined {
  switch (question) {
    case "GET /toolchains":
      return controls.list();
    case "POST /toolchains/approve":
      return readBody().then((body) => controls.approve(text(body, "digest"), field(body, "network") === true));
    case "POST /toolchains/remove":
      return readBody().then((body) => controls.remove(text(body, "digest"), field(body, "network") === true));
    default:
      return undefined;
  }
}
