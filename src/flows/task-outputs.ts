/**
 * What tasks leave: whether it is what was declared, read from the checkout, and put into it so that nobody sees half of it.
 *
 * Knows: the file system. Does not know: commands, or where contents come from.
 */
import { constants } from "node:fs";
import { chmod, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join, posix, relative } from "node:path";
import { CairnError, limits } from "../base/index.ts";
import type { TaskLeft } from "../contracts/index.ts";
import { demandPlaces, placeAhead, placeOf, refuseForeign, told } from "./task-places.ts";
import type { TaskQuestion } from "./task-question.ts";

type Where = Pick<TaskQuestion, "root" | "outputs">;
/** Something left whose content is in memory. */
export type Whole = Exclude<TaskLeft, { readonly kind: "apart" }>;

/**
 * Why something left cannot be put where it says; undefined when it can.
 * Whoever has executed it, another member among them, may have made it up.
 */
export function oddity(left: readonly TaskLeft[], outputs: readonly string[]): string | undefined {
  /** Of those before: directories stand before what is in them, for they are made in that order. */
  const kinds = new Map<string, TaskLeft["kind"]>();
  for (const one of left) {
    const { path } = one;
    if (kinds.has(path)) return "something was left twice";
    kinds.set(path, one.kind);
    if (!outputs.includes(path) && kinds.get(posix.dirname(path)) !== "directory") return `${path} is in no directory that is an output`;
    if (!outputs.some((output) => path === output || path.startsWith(`${output}/`))) return `${path} is no output`;
    if (one.kind === "link" && leadsOut(path, one.target)) return `${path} is a link that leads out of the project: ${one.target}`;
  }
  return undefined;
}

/**
 * Of a link that lies in a directory, and not behind another link. What it names may be a link again, which leads on from where that lies: so steps
 * upwards count only at its beginning, where it is known what is above.
 */
function leadsOut(path: string, target: string): boolean {
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const upwards = parts.findIndex((part) => part !== "..");
  const [ups, rest] = upwards < 0 ? [parts.length, []] : [upwards, parts.slice(upwards)];
  return target.startsWith("/") || ups >= path.split("/").length || rest.includes("..");
}

/** Outputs that nothing was left at. */
export function missingOutputs(left: readonly TaskLeft[], outputs: readonly string[]): string[] {
  const paths = new Set(left.map(({ path }) => path));
  return outputs.filter((output) => !paths.has(output));
}

/**
 * What a command that ran in the checkout has left at its outputs.
 *
 * @param sinceMs what has not changed since then it has not written; ms since the epoch
 * @throws {CairnError} usage for what was not written, or is neither file, directory nor link; limit-exceeded
 */
export async function readLeft({ root, outputs }: Where, sinceMs: number, signal: AbortSignal): Promise<Whole[]> {
  const left: Whole[] = [];
  let bytes = 0;
  const read = async (path: string): Promise<void> => {
    signal.throwIfAborted();
    const place = join(root, path);
    const status = await lstat(place).catch(() => undefined);
    if (status === undefined) return;
    if (left.length >= limits.task.left) throw new CairnError("limit-exceeded", { what: "files in outputs", most: limits.task.left });
    if (status.isDirectory()) {
      left.push({ kind: "directory", path });
      for (const name of (await readdir(place)).toSorted()) await read(`${path}/${name}`);
      return;
    }
    if (status.ctimeMs < sinceMs - CLOCK_MS)
      throw new CairnError("usage", { why: `${path} was there before, and this run has not written it` });
    if (status.isSymbolicLink()) left.push({ kind: "link", path, target: await readlink(place) });
    else if (status.isFile()) {
      bytes += status.size;
      if (bytes > limits.task.leftBytes) throw new CairnError("limit-exceeded", { what: "outputs", most: limits.task.leftBytes });
      const content = await readFile(place, { flag: constants.O_RDONLY | constants.O_NOFOLLOW, signal });
      left.push({ kind: "file", path, executable: (status.mode & constants.S_IXUSR) !== 0, content });
    } else throw new CairnError("usage", { why: `${path} is neither a file nor a directory nor a link` });
  };
  for (const output of outputs) await read(output);
  return left;
}

/** File systems note times by a clock that lags behind. */
const CLOCK_MS = 20;

/** One output, ready to be renamed into its place. */
interface Growing {
  readonly output: string;
  readonly place: string;
  readonly grown: string;
}

/**
 * Puts outputs into the checkout. All of them are written before the first takes its place; each takes it at once.
 *
 * @param left of which {@link oddity} finds nothing
 * @param placed paths that earlier runs have put there: a directory with anything else in it is not replaced, unless that is forced
 * @throws {CairnError} usage where something is in the way; home-unwritable where the disk is full; nothing has changed then
 */
export async function placeLeft(
  question: Pick<TaskQuestion, "root" | "outputs" | "force" | "umask">,
  left: readonly Whole[],
  placed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const { outputs } = question;
  const ours = oursOf(left, placed);
  const growing: Growing[] = [];
  try {
    for (const output of outputs) {
      const own = leftAt(left, output);
      if (own.length === 0) continue;
      const place = await placeOf(question, output);
      await refuse(question, { output, place, own }, ours);
      const grown = besides(place, "part");
      growing.push({ output, place, grown });
      await rm(grown, { recursive: true, force: true }); // What a crash has left.
      for (const one of own) await write(grown + one.path.slice(output.length), one, question.umask, signal);
    }
    signal.throwIfAborted();
    for (const one of growing) await show(one);
  } catch (error) {
    throw told(error);
  } finally {
    for (const { grown } of growing) await rm(grown, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Finds out what {@link placeLeft} would refuse, and changes nothing. @throws {CairnError} as placeLeft */
export async function demandRoom(
  question: Pick<TaskQuestion, "root" | "outputs" | "force">,
  left: readonly Whole[],
  placed: ReadonlySet<string>,
): Promise<void> {
  await demandPlaces(question);
  try {
    for (const output of question.outputs) {
      const own = leftAt(left, output);
      if (own.length > 0) await refuse(question, { output, place: await placeAhead(question.root, output), own }, oursOf(left, placed));
    }
  } catch (error) {
    throw told(error);
  }
}

function leftAt(left: readonly Whole[], output: string): Whole[] {
  return left.filter(({ path }) => path === output || path.startsWith(`${output}/`));
}

function oursOf(left: readonly Whole[], placed: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...placed, ...left.map(({ path }) => path)]);
}

/** @throws {CairnError} usage where what was left cannot be put there */
async function refuse(
  { root, force }: Pick<TaskQuestion, "root" | "force">,
  { output, place, own }: { readonly output: string; readonly place: string; readonly own: readonly Whole[] },
  ours: ReadonlySet<string>,
): Promise<void> {
  if (!force) await refuseForeign(place, output, own[0]?.kind === "directory", ours);
  const within = relative(root, place);
  const out = own.find((one) => one.kind === "link" && leadsOut(within + one.path.slice(output.length), one.target));
  if (out === undefined) return;
  throw new CairnError("usage", { why: `${out.path} would be a link that leads out of the project from ${within}` });
}

async function write(place: string, one: Whole, umask: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (one.kind === "link") return symlink(one.target, place);
  if (one.kind === "directory") await mkdir(place);
  else await writeFile(place, one.content, { flag: "wx", signal });
  await chmod(place, (one.kind === "directory" || one.executable ? 0o777 : 0o666) & ~umask);
}

/** A directory cannot be renamed over another, nor over a file. */
async function show({ place, grown }: Growing): Promise<void> {
  const isFile = async (path: string): Promise<boolean | undefined> =>
    lstat(path).then(
      (status) => !status.isDirectory(),
      () => undefined,
    );
  const before = await isFile(place);
  const old = besides(place, "old");
  await rm(old, { recursive: true, force: true }); // What a crash has left.
  if (before === undefined || (before && (await isFile(grown)) === true)) return rename(grown, place);
  await rename(place, old);
  try {
    await rename(grown, place);
  } catch (error) {
    await rename(old, place);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

/** In the same directory, so that it can be renamed. */
function besides(place: string, what: "part" | "old"): string {
  return join(dirname(place), `.${basename(place)}.cairn-${what}`);
}
