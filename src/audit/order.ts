/**
 * The order in which directories are listed: made another one for programs that are linked dynamically.
 *
 * Does not know: what is in audit/order.c, but how to build and load it.
 */
import { execFile } from "node:child_process";
import { type Environment, limits } from "../base/index.ts";
import type { AuditParts } from "./audit-parts.ts";
import type { Surroundings } from "./surroundings.ts";

/** @returns where it lies; undefined where no compiler here can build it */
export async function buildOrder({ tools, orderSource }: AuditParts, to: string, signal: AbortSignal): Promise<string | undefined> {
  const compiler = ["cc", "gcc", "clang"].flatMap((name) => tools.find((tool) => tool.name === name) ?? [])[0];
  if (compiler === undefined) return undefined;
  const args = ["-std=c11", "-O1", "-shared", "-fPIC", "-o", to, orderSource, "-ldl"];
  return new Promise((resolve, reject) => {
    execFile(compiler.path, args, { signal, timeout: limits.audit.commandMs }, (error) => {
      if (signal.aborted) reject(signal.reason as Error);
      else resolve(error === null ? to : undefined);
    });
  });
}

export function listedBackwards(surroundings: Surroundings, order: string, environment: Environment): Surroundings {
  const { LD_PRELOAD = "", ASAN_OPTIONS = "" } = environment;
  const variables = {
    ...surroundings.variables,
    LD_PRELOAD: [order, LD_PRELOAD].filter((one) => one !== "").join(":"),
    // A program with AddressSanitizer insists on being loaded first, unless told otherwise.
    ASAN_OPTIONS: [ASAN_OPTIONS, "verify_asan_link_order=0"].filter((one) => one !== "").join(":"),
  };
  return { ...surroundings, variables };
}
