/**
 * Compile: a compiler invocation becomes an action. What was asked, what it reads, what tells one compile from another, and what is
 * not cacheable and why.
 *
 * Knows: gcc's and clang's options, C's tokens, dependency files. Thinks only: files and compilers are asked by others.
 * Does not know: stores, sockets, peers.
 */

export { type ClosureArgs, closureOf, forgetClosures } from "./closure.ts";
export type { Invocation, Language, Reading } from "./command.ts";
export { type Depfile, type DepfileTemplate, depfileTemplate, isQuoted, parseDepfile, readTemplate, renderDepfile } from "./depfile.ts";
export { type Objection, objection } from "./harmless.ts";
export { type HeaderMacro, headerMacros, headerMacrosOf } from "./header-macros.ts";
export { type Command, passAtOnce, readInvocation } from "./invocation.ts";
export { isPreprocessed, probeLanguage } from "./invocation-language.ts";
export { actionKey, keyEnvironment, manifestKey, movesWithCheckout, placeDigest, type Terminal, terminalDigest } from "./keys.ts";
export { absentLookups, type Lookups } from "./lookups.ts";
export { type MacroBodies, macroBodies, reach, withoutAssert } from "./macros.ts";
export { isCompressed, type ObjectPlace, objectDifference } from "./object-file.ts";
export type { PassReason } from "./pass-reasons.ts";
export { checkoutRoot, type Places, placesAt, placesForOnce, projectRoot } from "./portable.ts";
export { isMappedByChance, namedOutside } from "./prefix-maps.ts";
export { preprocessorArgs } from "./preprocessor-args.ts";
export { type RemoteCommand, type RemoteObstacle, remoteCommand } from "./remote-command.ts";
export { type SourceScan, scanSource } from "./scan.ts";
export { namedBy } from "./search-args.ts";
export { upwardsNamed } from "./shorter-names.ts";
export { firstToDiffer, type Stage, stageQuestion } from "./stages.ts";
export { identifiersOf, type TokensOf, tokensOf } from "./tokens.ts";
