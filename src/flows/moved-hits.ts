/**
 * Which compile it was that an answer for every checkout was used for: the wrapper tells a key and a checkout, and the history knows of what that
 * answer was made.
 */
import { type Digest, withoutRoot, withRoot } from "../base/index.ts";
import type { HistoryRow, ResultIndex } from "../contracts/index.ts";
import type { KeyOf } from "./checkouts.ts";
import type { Movable } from "./movable.ts";
import { movedRow, questionOf, readRemembered } from "./remembered.ts";
import { type CompileQuestion, movedQuestion } from "./request.ts";

export interface MovedHit {
  /** Of the answer. */
  readonly key: Digest;
  /** Of the checkout in which it was used. */
  readonly root: string;
  /** ms since the epoch */
  readonly at: number;
}

/** A request's keys are the wire's: in its checkout, and in every one. */
export interface MovableKeys {
  readonly request: KeyOf;
  readonly movable: (question: CompileQuestion, root: string) => Digest;
}

/**
 * Remembers it, unless that is known by now.
 *
 * @param origin where the answer was made, and of which action: the source may have been compiled with other contents since
 * @returns the request's key in the checkout where it was used; undefined where it cannot be told
 */
export function rememberMoved(
  index: Pick<ResultIndex, "history" | "remember">,
  { key, root, at }: MovedHit,
  origin: Pick<Movable, "root" | "source" | "action">,
  keys: MovableKeys,
): Digest | undefined {
  const row = index.history(origin.source);
  const asked = row && questionOf(row);
  if (row === undefined || asked === undefined || keys.movable(asked, origin.root) !== key) return undefined;
  const move = (text: string): string => withRoot(withoutRoot(text, origin.root), root);
  const request = keys.request(movedQuestion(asked, move));
  const source = root + row.source.slice(origin.root.length);
  const known = index.history(source);
  if (known !== undefined && (known.at >= at || isOf(known, request, origin.action))) return request;
  index.remember(movedRow(row, move, { source, request, action: origin.action, at, outcome: "hit_moved" }));
  return request;
}

function isOf(row: HistoryRow, request: Digest, action: Digest): boolean {
  return row.request === request && readRemembered(row).action === action;
}
