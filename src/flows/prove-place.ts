/**
 * Does the place of a checkout reach its compile by way of macros? The preprocessed source tells: where it does not name the place,
 * the same source in another place is the same to the compiler.
 *
 * Knows: what to look for. Asks the compiler, which costs a tenth of a compile: only for results that are wanted in another place, or
 * when nobody waits.
 */
import { preprocessorArgs } from "../compile/index.ts";
import type { Toolchains } from "../contracts/index.ts";
import { placesOf, type Understood } from "./request.ts";

/** Functions that learn the path of their caller after preprocessing. */
const TELLS_CALLER = /__builtin_(?:FILE|source_location)|source_location/;
/** With clang also by the names of lambdas and unnamed types. */
const TELLS_CALLER_CLANG = /__PRETTY_FUNCTION__/;
/** Characters that are spelled otherwise in a string literal. */
const SPELLED_OTHERWISE = /["\\\n]|[^ -~]/;

/** @returns undefined when the compiler gave no answer */
export async function namesPlace(
  toolchains: Toolchains,
  understood: Understood,
  readText: (path: string) => string | undefined,
  inBackground: boolean,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const { question } = understood;
  if (isSpelledOtherwise(placesOf(understood))) return true;
  const args = preprocessorArgs(question.argv, readText, ["-E", "-P"]);
  const text = await toolchains.preprocess(question.compiler, args, question.cwd, question.environment, inBackground, signal);
  return text === undefined ? undefined : tellsPlace(understood, text);
}

/** Whether a preprocessed source names its place, or may. */
export function tellsPlace(understood: Understood, text: string): boolean {
  if (isSpelledOtherwise(placesOf(understood))) return true;
  if (TELLS_CALLER.test(text) || (understood.invocation.family === "clang" && TELLS_CALLER_CLANG.test(text))) return true;
  return placesOf(understood).some((place) => text.includes(place));
}

/** Whether a compiler may write one of these paths in another way. */
export function isSpelledOtherwise(places: readonly string[]): boolean {
  return places.some((place) => SPELLED_OTHERWISE.test(place));
}
