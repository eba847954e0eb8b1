/**
 * gcc names a header of a directory like the system's by its absolute path where that is shorter than `../../inc/h.h`: where the checkout's own name
 * is as short as `/w`.
 *
 * Knows: text. Does not know: links.
 */
import { join } from "node:path";
import type { CompilerEnvironment } from "../contracts/index.ts";
import type { Invocation } from "./command.ts";
import { namedBy } from "./search-args.ts";

const LIKE_SYSTEM = /^(?:-isystem|-idirafter|-isysroot|-iprefix|-iwithprefix|--sysroot=?)/;
const LISTS = ["C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH"];

/** Directories for headers like the system's that are named upwards from the working directory. None for clang, which names headers as it is told. */
export function upwardsNamed(
  { family, searchArgs }: Pick<Invocation, "family" | "searchArgs">,
  environment: CompilerEnvironment,
): string[] {
  if (family !== "gcc") return [];
  const listed = LISTS.flatMap((name) => environment.get(name)?.split(":") ?? []);
  return [...namedBy(searchArgs, LIKE_SYSTEM), ...listed].filter((directory) => !directory.startsWith("/") && directory.includes(".."));
}

/** Those of them that are longer than their absolute names are. */
export function namedAbsolutely(
  invocation: Pick<Invocation, "family" | "searchArgs">,
  environment: CompilerEnvironment,
  cwd: string,
): string[] {
  const bytes = (path: string): number => Buffer.byteLength(path.endsWith("/") ? path : `${path}/`);
  return upwardsNamed(invocation, environment).filter((path) => bytes(join(cwd, path)) < bytes(path));
}
