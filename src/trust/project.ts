/**
 * What a project demands of the machines that build it: a file of its own says so, in the checkout. It can make them stricter and nothing else, for
 * whoever writes in a checkout decides what it says.
 *
 * Knows: what the file may say. Does not know: where checkouts lie, or when the file is read.
 */
import type { SharingPolicy } from "../base/index.ts";
import { isSharingPolicy } from "./policy.ts";

/** In the root of a project. */
export const PROJECT_FILE = ".cairn.json";

/** Whoever cannot be understood may have meant anything: then only what was executed here is used. */
const NOT_UNDERSTOOD: SharingPolicy = "self";

/** @property trouble why it was not understood; "" where it was */
export interface ProjectDemand {
  readonly sharing: SharingPolicy | undefined;
  readonly trouble: string;
}

/** @param text of the file; undefined: it is there and cannot be read */
export function readProjectFile(text: string | undefined): ProjectDemand {
  if (text === undefined) return notUnderstood("it cannot be read");
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return notUnderstood("it is no JSON");
  }
  if (typeof said !== "object" || said === null || Array.isArray(said)) return notUnderstood("it is no object");
  const { sharing, ...more } = said as Readonly<Record<string, unknown>>;
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) return notUnderstood(`it has no setting ${unknown.slice(0, SHOWN)}`);
  if (sharing === undefined) return { sharing, trouble: "" };
  return isSharingPolicy(sharing) ? { sharing, trouble: "" } : notUnderstood("sharing is speculative, team, release or self");
}

const SHOWN = 40;

function notUnderstood(trouble: string): ProjectDemand {
  return { sharing: NOT_UNDERSTOOD, trouble };
}
