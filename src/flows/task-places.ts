/**
 * Where in the checkout the outputs of tasks go, and what is in the way there.
 *
 * Knows: the file system. Does not know: what was left.
 */
import { constants } from "node:fs";
import { access, lstat, mkdir, readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, posix, relative } from "node:path";
import { CairnError, systemCode } from "../base/index.ts";
import type { TaskQuestion } from "./task-question.ts";

/**
 * Finds out before a command runs what would be found out when its outputs are placed, and changes nothing. What a directory has may be what the
 * command is about to write again: nothing of it is taken for somebody else's yet.
 *
 * @throws {CairnError} usage where something is in the way, home-unwritable where nothing can be written
 */
export async function demandPlaces({ root, outputs }: Pick<TaskQuestion, "root" | "outputs">): Promise<void> {
  try {
    for (const output of outputs) {
      const above = await nearestAbove(root, output);
      await access(above, constants.W_OK | constants.X_OK);
    }
  } catch (error) {
    throw told(error);
  }
}

/** Where an output would lie, behind the links on the way to it; nothing is made. @throws {CairnError} usage: something is in the way */
export async function placeAhead(root: string, output: string): Promise<string> {
  const above = await nearestAbove(root, output);
  return join(await realpath(above), relative(above, join(root, output)));
}

/** The last directory on the way to an output that is there. */
async function nearestAbove(root: string, output: string): Promise<string> {
  let [at, last] = [root, root];
  for (const part of posix.dirname(output).split("/")) {
    at = join(at, part);
    const status = await unlessMissing(stat(at));
    if (status === undefined) {
      if ((await unlessMissing(lstat(at))) === undefined) return last;
      throw new CairnError("usage", { why: `${at} is a link to what is not there, and the output ${output} would lie in it` });
    }
    await demandInside(root, at, output);
    if (!status.isDirectory()) throw new CairnError("usage", { why: `${at} is no directory, and the output ${output} would lie in it` });
    last = at;
  }
  return last;
}

async function unlessMissing<T>(looking: Promise<T>): Promise<T | undefined> {
  return await looking.catch((error: unknown) => {
    if (systemCode(error) !== "ENOENT") throw error;
    return undefined;
  });
}

/** @throws {CairnError} usage */
async function demandInside(root: string, at: string, output: string): Promise<void> {
  const real = await realpath(at);
  if (`${real}/`.startsWith(root === "/" ? root : `${root}/`)) return;
  throw new CairnError("usage", { why: `the output ${output} lies outside the project, as ${at} is a link to ${real}` });
}

/** @throws {CairnError} usage: a link on the way leads out of the project */
export async function placeOf({ root }: Pick<TaskQuestion, "root">, output: string): Promise<string> {
  const place = join(root, output);
  const above = dirname(place);
  // From the root downwards: nothing is made behind a link that leads elsewhere.
  let at = root;
  for (const part of posix.dirname(output).split("/")) {
    at = join(at, part);
    await mkdir(at).catch((error: unknown) => {
      if (systemCode(error) !== "EEXIST") throw error;
    });
    await demandInside(root, at, output);
  }
  return join(await realpath(above), basename(place));
}

/** @throws {CairnError} usage where something would be lost that no run has made */
export async function refuseForeign(place: string, output: string, isDirectory: boolean, ours: ReadonlySet<string>): Promise<void> {
  const status = await lstat(place).catch(() => undefined);
  if (status?.isDirectory() !== true) return;
  const foreign = isDirectory ? await firstForeign(place, output, ours) : output;
  if (foreign === undefined) return;
  throw new CairnError("usage", {
    why: `${foreign} was not put there by this command, and would be lost with the directory that it is in`,
    advice: `move it away, or --force to replace ${output} with all that is in it`,
  });
}

/**
 * The same before it is known what a command leaves: what lies there and no run of it has put there may be what it is about to write again.
 *
 * @throws {CairnError} usage
 */
export async function refuseUnknown({ root, outputs }: Pick<TaskQuestion, "root" | "outputs">, ours: ReadonlySet<string>): Promise<void> {
  try {
    for (const output of outputs) await refuseForeign(await placeAhead(root, output), output, true, ours);
  } catch (error) {
    throw told(error);
  }
}

async function firstForeign(place: string, path: string, ours: ReadonlySet<string>): Promise<string | undefined> {
  for (const entry of await readdir(place, { withFileTypes: true })) {
    const below = `${path}/${entry.name}`;
    const found = entry.isDirectory() ? await firstForeign(join(place, entry.name), below, ours) : ours.has(below) ? undefined : below;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What the system says, as people are told of it. */
export function told(error: unknown): unknown {
  const system = systemCode(error);
  if (error instanceof CairnError || system === undefined || system === "ABORT_ERR") return error;
  const path = error instanceof Error && "path" in error ? String(error.path) : "an output";
  if (system === "ENOSPC" || system === "EDQUOT" || system === "EROFS") return new CairnError("home-unwritable", { path, system }, error);
  return new CairnError("usage", { why: `${path} cannot be written: ${system}` }, error);
}
