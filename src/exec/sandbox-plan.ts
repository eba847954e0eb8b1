/**
 * What a sandbox's root directory is to contain for an action: directories, links and files by the digest of their content.
 *
 * All links are resolved here, in memory, over what the plan itself holds: whoever makes the directory never follows one, so no path
 * of an action, whatever it is called, leads out of it. No I/O.
 */
import { posix } from "node:path";
import { type Digest, limits } from "../base/index.ts";
import type { ExecutorAction } from "../contracts/index.ts";
import { type Refused, refused } from "./action-check.ts";
import { Pace } from "./pace.ts";

export type Entry =
  | { readonly kind: "directory" }
  /** A place on which something of the sandbox is mounted. */
  | { readonly kind: "mount" }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "file"; readonly digest: Digest; readonly executable: boolean };

/** By absolute path, "/" itself left out; directories stand before what is in them. */
export type Entries = ReadonlyMap<string, Entry>;

/** What the sandbox has for itself; nothing of an action may lie there. */
export const places = { init: "/init", out: "/out", scratch: "/scratch", dev: "/dev" } as const;
/** Of an action with a place to work in: where its inputs lie, and what it sees in their place (sandbox/work.c). */
export const workPlaces = { inputs: "/inputs", work: "/scratch/work" } as const;
export const devices: readonly string[] = ["/dev/null", "/dev/zero", "/dev/urandom"];
const KEPT: readonly string[] = [...Object.values(places), "/proc", "/sys"];

const directory: Entry = { kind: "directory" };
const mount: Entry = { kind: "mount" };
/** As the kernel has it. */
export const LINKS_FOLLOWED = 40;

/** Entries under construction. */
export class Plan {
  readonly entries: Map<string, Entry>;
  /** Real path by path: inputs lie beside others, whose parents are not looked at again. */
  readonly #directories = new Map<string, string>();

  constructor(base: Entries) {
    this.entries = new Map(base);
  }

  /** @returns false when something else is there */
  put(path: string, entry: Entry): boolean {
    const real = this.#real(path);
    if (real === undefined) return false;
    const present = this.entries.get(real);
    if (present !== undefined) return isSameEntry(present, entry);
    if (real === "/") return entry.kind === "directory";
    this.entries.set(real, entry);
    return true;
  }

  /** A link to a directory is as good. @returns false when something else is there */
  putDirectory(path: string): boolean {
    return this.#enter(path) !== undefined;
  }

  /** Where `path` lies when its parents are followed, which are made where they are missing. Undefined when one is no directory. */
  #real(path: string): string | undefined {
    const parent = parentOf(path);
    const last = path.slice(parent.length + 1);
    if (last === "") return parent === "" ? "/" : this.#real(parent);
    if (last === "." || last === "..") return undefined;
    const known = this.#directories.get(parent);
    if (known !== undefined) return `${known}/${last}`;
    const at = this.#enter(parent);
    if (at === undefined) return undefined;
    // It stays so: what is in the plan is never changed.
    this.#directories.set(parent, at);
    return `${at}/${last}`;
  }

  /** The real path of a directory, "" for the root itself; what is missing is made. Undefined when something on the way is none. */
  #enter(path: string): string | undefined {
    /** Those still to be entered, the next one last. */
    const parts = partsOf(path).toReversed();
    let at = "";
    let followed = 0;
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (part === ".") continue;
      if (part === "..") {
        at = parentOf(at);
        continue;
      }
      const here = `${at}/${part}`;
      const entry = this.entries.get(here);
      if (entry === undefined) this.entries.set(here, directory);
      if (entry === undefined || entry.kind === "directory") at = here;
      else if (entry.kind === "link" && ++followed <= LINKS_FOLLOWED) {
        if (entry.target.startsWith("/")) at = "";
        parts.push(...partsOf(entry.target).toReversed());
      } else return undefined;
    }
    return at;
  }
}

/** What every root has, whatever runs in it. @param init digest of the first process */
export function basePlan(init: Digest): Plan {
  const plan = new Plan(new Map());
  plan.put(places.init, { kind: "file", digest: init, executable: true });
  for (const path of [places.out, places.scratch, ...devices]) plan.put(path, mount);
  return plan;
}

/**
 * @param base what the sandbox and the toolchain bring
 * @returns all that is in the root, or why that cannot be
 * @throws the signal's reason when it is aborted
 */
export async function planRoot(
  action: ExecutorAction,
  base: Entries,
  signal: AbortSignal,
): Promise<{ readonly kind: "planned"; readonly entries: Entries } | Refused> {
  if (action.work !== undefined && action.work.root !== workPlaces.inputs) return refused("bad_path", action.work.root);
  const plan = new Plan(base);
  const most = base.size + limits.action.entries;
  const pace = new Pace(signal);
  // Where a part of the toolchain would be found first if it existed, such as specs.
  const decisive = new Set(action.toolchain?.absent.map((path) => posix.normalize(path)));
  for (const { path, digest, executable } of action.inputs) {
    const before = plan.entries.size;
    if (isKept(path)) return refused("bad_path", path);
    if (decisive.has(path) || !plan.put(path, { kind: "file", digest, executable })) return refused("input_conflict", path);
    if (plan.entries.size > most) return refused("too_much", "directories");
    if (pace.isDue(1 + plan.entries.size - before)) await pace.rest();
  }
  for (const { path, target } of action.work?.links ?? [])
    if (isKept(path) || !plan.put(path, { kind: "link", target })) return refused("input_conflict", path);
  // By way of a link of the toolchain an input may lie there under another name.
  const decided = [...decisive].find((path) => plan.entries.get(path)?.kind === "file" && !base.has(path));
  if (decided !== undefined) return refused("input_conflict", decided);
  for (const path of [...action.directories, action.cwd]) {
    const before = plan.entries.size;
    if (path !== places.out && isKept(path)) return refused("bad_path", path);
    if (path !== places.out && !plan.putDirectory(path)) return refused("input_conflict", path);
    if (plan.entries.size > most) return refused("too_much", "directories");
    if (pace.isDue(1 + plan.entries.size - before)) await pace.rest();
  }
  // Programs expect it; where inputs lie in it, it is as read-only as they are.
  if (!plan.entries.has("/tmp")) plan.put("/tmp", { kind: "link", target: places.scratch });
  return { kind: "planned", entries: plan.entries };
}

/** Whether it is the sandbox's own place, or lies in one. */
export function isKept(path: string): boolean {
  return KEPT.some((kept) => path === kept || path.startsWith(`${kept}/`));
}

/** Whether one may stand in for the other. */
export function isSameEntry(left: Entry, right: Entry): boolean {
  if (left.kind === "file" && right.kind === "file") return left.digest === right.digest && left.executable === right.executable;
  if (left.kind === "link" && right.kind === "link") return left.target === right.target;
  return left.kind === right.kind;
}

/** "" for what lies in the root, and for the root itself. */
function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}
