/**
 * A toolchain as entries of a sandbox's root: its files where they lie on this machine, with the links that lead to them.
 *
 * Knows: paths and links of this machine. Does not know: compilers.
 */
import { lstatSync, readlinkSync } from "node:fs";
import type { Files, Toolchain } from "../contracts/index.ts";
import type { SandboxFiles } from "./sandbox-files.ts";
import { type Entries, Plan } from "./sandbox-plan.ts";

/**
 * Copies the toolchain's files into `kept`, by content.
 * @returns undefined when they are not what they were when the toolchain was identified
 */
export async function toolchainEntries(
  { files, kept }: { files: Files; kept: SandboxFiles },
  toolchain: Toolchain,
  base: Entries,
  signal: AbortSignal,
): Promise<Entries | undefined> {
  const plan = new Plan(base);
  for (const file of toolchain.files) {
    const place = trace(plan, file);
    if (place === undefined) return undefined;
    await files.prepare(place, signal);
    const state = files.state(place);
    if (state.kind !== "file") return undefined;
    const executable = (lstatSync(place).mode & 0o111) !== 0;
    if (!(await kept.adopt(place, state.digest, executable, signal))) return undefined;
    if (!plan.put(place, { kind: "file", digest: state.digest, executable })) return undefined;
  }
  return plan.entries;
}

const LINKS_FOLLOWED = 40;

/** Follows `path` on this machine, and puts the links on the way into the plan. @returns where the file itself lies */
function trace(plan: Plan, path: string): string | undefined {
  let parts = path.split("/").filter((part) => part !== "");
  let at = "";
  for (let followed = 0; parts.length > 0; ) {
    const [part = "", ...rest] = parts;
    parts = rest;
    if (part === ".") continue;
    if (part === "..") {
      at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
      continue;
    }
    const here = `${at}/${part}`;
    const target = linkTarget(here);
    if (target === undefined) {
      at = here;
      continue;
    }
    if (++followed > LINKS_FOLLOWED || !plan.put(here, { kind: "link", target })) return undefined;
    if (target.startsWith("/")) at = "";
    parts = [...target.split("/").filter((one) => one !== ""), ...parts];
  }
  return at;
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // A plain file or directory.
  }
}
