/**
 * Whether an action is one at all: paths, names, sizes. What every executor asks first.
 *
 * Knows: limits, what a normal path is. Does not know: what is run, or how.
 */
import { isDigest, limits } from "../base/index.ts";
import type { ActionLimits, ActionRefusal, ExecutorAction } from "../contracts/index.ts";

export type Refused = { readonly kind: "refused"; readonly reason: ActionRefusal; readonly detail: string };

export function refused(reason: ActionRefusal, detail: string): Refused {
  return { kind: "refused", reason, detail };
}

/** @returns undefined when nothing speaks against it */
export function checkAction(action: ExecutorAction): Refused | undefined {
  const { inputs, directories, outputs } = action;
  if (inputs.length + directories.length > limits.action.inputs) return refused("too_much", "inputs");
  if (outputs.length > limits.action.outputs) return refused("too_much", "outputs");
  for (const { path, digest } of inputs) if (!isDigest(digest)) return refused("bad_argument", path);
  for (const name of outputs) if (!isPlainName(name)) return refused("bad_path", name);
  if (new Set(outputs).size !== outputs.length) return refused("bad_argument", "outputs");
  return checkPaths(action) ?? checkWork(action) ?? checkCommand(action) ?? checkLimits(action.limits);
}

/** Every part of a path may be a directory to be made. */
function checkPaths({ program, cwd, inputs, directories }: ExecutorAction): Refused | undefined {
  let parts = 0;
  for (const path of [program, cwd, ...directories, ...inputs.map((input) => input.path)]) {
    if (!isNormal(path)) return refused("bad_path", path);
    const own = countParts(path);
    parts += own;
    if (own > limits.action.pathParts || parts > limits.action.parts) return refused("too_much", "directories");
  }
  return undefined;
}

function checkWork({ work, cwd, inputs, directories, outputs }: ExecutorAction): Refused | undefined {
  if (work === undefined) return undefined;
  if (outputs.length > 0) return refused("bad_argument", "outputs");
  if (work.outputs.length > limits.action.workOutputs || work.links.length > limits.action.inputs) return refused("too_much", "outputs");
  const outside = [cwd, ...directories, ...inputs.map(({ path }) => path), ...work.links.map(({ path }) => path)].find(
    (path) => path !== work.root && !path.startsWith(`${work.root}/`),
  );
  if (outside !== undefined) return refused("bad_path", outside);
  const odd = work.links.find(
    ({ path, target }) => !isNormal(path) || target === "" || target.includes("\0") || Buffer.byteLength(target) > limits.action.pathBytes,
  );
  if (odd !== undefined) return refused("bad_path", odd.path);
  const wrong = work.outputs.find((path) => !isNormal(`/${path}`) || path === "");
  return wrong === undefined ? undefined : refused("bad_path", wrong);
}

function countParts(path: string): number {
  let parts = 0;
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) parts++;
  return parts;
}

/** The kernel bounds all words and variables of a process together, and adds a pointer to each. */
const WORD_BYTES = 9;

function checkCommand({ program, cwd, arguments: words, outputs, work, environment }: ExecutorAction): Refused | undefined {
  if (environment.size > limits.action.variables) return refused("too_much", "environment");
  let bytes = 0;
  const isTooMuch = (word: string): boolean => {
    const size = Buffer.byteLength(word);
    bytes += size + WORD_BYTES;
    return size > limits.action.argumentBytes || bytes > limits.action.argumentsBytes;
  };
  for (const word of words) {
    if (typeof word === "string" ? word.includes("\0") : !outputs.includes(word.output))
      return refused("bad_argument", typeof word === "string" ? word : word.output);
    if (isTooMuch(typeof word === "string" ? word : word.output)) return refused("too_much", "arguments");
  }
  for (const [name, value] of environment) {
    if (!/^\w+$/.test(name) || value.includes("\0")) return refused("bad_argument", name);
    if (isTooMuch(name) || isTooMuch(value)) return refused("too_much", name);
  }
  return [program, cwd, ...outputs, ...(work?.outputs ?? [])].some(isTooMuch) ? refused("too_much", "arguments") : undefined;
}

function checkLimits(wanted: ActionLimits): Refused | undefined {
  const most = limits.action.most;
  const names = ["cpuMs", "wallMs", "memoryBytes", "processes", "fileBytes", "outputBytes", "printedBytes"] as const;
  const wrong = names.find((name) => !Number.isSafeInteger(wanted[name]) || wanted[name] < 1 || wanted[name] > most[name]);
  return wrong === undefined ? undefined : refused("too_much", wrong);
}

/** `/`, or `/a/b`: nothing in it that a file system would have to resolve. */
function isNormal(path: string): boolean {
  if (path === "/") return true;
  if (!path.startsWith("/") || path.includes("\0") || Buffer.byteLength(path) > limits.action.pathBytes) return false;
  if (/\/(?:\.{0,2}\/|\.{0,2}$)/.test(path)) return false;
  return path.length <= NAME_BYTES / UTF8_BYTES || path.split("/").every((part) => Buffer.byteLength(part) <= NAME_BYTES);
}

const NAME_BYTES = 255;
/** The most that one unit of UTF-16 takes. */
const UTF8_BYTES = 3;

function isPlainName(name: string): boolean {
  return isNormal(`/${name}`) && !name.includes("/") && name !== "";
}
