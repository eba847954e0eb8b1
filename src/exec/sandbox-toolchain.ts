/**
 * A toolchain as entries of a sandbox's root: its files where they lie on this machine, with the links that lead to them.
 *
 * Knows: paths and links of this machine. Does not know: compilers.
 */
import { lstatSync, readlinkSync } from "node:fs";
import { type Digest, limits } from "../base/index.ts";
import type { Files, Toolchain } from "../contracts/index.ts";
import type { SandboxFiles } from "./sandbox-files.ts";
import { type Entries, Plan } from "./sandbox-plan.ts";

export interface ToolchainsParts {
  /** What this machine's files contain. */
  readonly files: Files;
  /** Where they are copied to, by content. */
  readonly kept: SandboxFiles;
}

/** The files are held until it is disposed of. */
export interface HeldToolchain extends Disposable {
  /** With those of the sandbox itself. */
  readonly entries: Entries;
}

interface Known {
  readonly entries: Promise<Entries | undefined>;
  /** What was copied for it, and is held. */
  readonly adopted: { readonly digest: Digest; readonly executable: boolean }[];
  /** Jobs, and the copying while it lasts. */
  users: number;
}

/** The toolchains that jobs used last, copied once. */
export class SandboxToolchains {
  readonly #parts: ToolchainsParts;
  readonly #base: Entries;
  readonly #signal: AbortSignal;
  /** In the order of last use, oldest first. */
  readonly #known = new Map<Digest, Known>();

  /** @param signal ends the copying, which outlives the job that needed it first */
  constructor(parts: ToolchainsParts, base: Entries, signal: AbortSignal) {
    this.#parts = parts;
    this.#base = base;
    this.#signal = signal;
  }

  /**
   * @returns undefined when its files are not what they were when it was identified
   * @throws {Error} of the system
   */
  async take(toolchain: Toolchain, signal: AbortSignal): Promise<HeldToolchain | undefined> {
    const known = this.#known.get(toolchain.digest) ?? this.#copy(toolchain);
    this.#known.delete(toolchain.digest);
    this.#known.set(toolchain.digest, known);
    known.users++;
    using stack = new DisposableStack();
    stack.defer(() => {
      known.users--;
      this.#forget();
    });
    const entries = await known.entries;
    signal.throwIfAborted();
    if (entries === undefined) return undefined;
    const held = stack.move();
    return { entries, [Symbol.dispose]: () => held.dispose() };
  }

  #copy(toolchain: Toolchain): Known {
    const adopted: Known["adopted"] = [];
    const known = { entries: this.#entriesOf(toolchain, adopted), adopted, users: 1 };
    const forget = (): void => {
      known.users--;
      if (this.#known.get(toolchain.digest) === known) this.#known.delete(toolchain.digest);
      this.#release(known);
    };
    known.entries.then((entries) => (entries === undefined ? forget() : known.users--), forget);
    return known;
  }

  async #entriesOf(toolchain: Toolchain, adopted: Known["adopted"]): Promise<Entries | undefined> {
    const { files, kept } = this.#parts;
    const plan = new Plan(this.#base);
    for (const file of toolchain.files) {
      const place = trace(plan, file);
      if (place === undefined) return undefined;
      await files.prepare(place, this.#signal);
      const state = files.state(place);
      if (state.kind !== "file") return undefined;
      const { digest } = state;
      const executable = (lstatSync(place).mode & 0o111) !== 0;
      if (!(await kept.adopt(place, digest, executable, this.#signal))) return undefined;
      adopted.push({ digest, executable });
      if (!plan.put(place, { kind: "file", digest, executable })) return undefined;
    }
    return plan.entries;
  }

  #forget(): void {
    for (const [digest, known] of this.#known) {
      if (this.#known.size <= limits.sandbox.toolchains) return;
      if (known.users > 0) continue;
      this.#known.delete(digest);
      this.#release(known);
    }
  }

  #release({ adopted }: Known): void {
    for (const { digest, executable } of adopted) this.#parts.kept.release(digest, executable);
  }
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
