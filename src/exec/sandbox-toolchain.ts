/**
 * A toolchain as entries of a sandbox's root: its files where they lie on the machine that identified it, with the links to them.
 *
 * Knows: what was copied for whom. Does not know: compilers, or how a toolchain of another machine came here.
 */
import { type Digest, limits } from "../base/index.ts";
import type { Files, Toolchain } from "../contracts/index.ts";
import type { SandboxFiles } from "./sandbox-files.ts";
import { type Entries, isKept, Plan } from "./sandbox-plan.ts";
import { groundHere, type Laid, layOut } from "./toolchain-layout.ts";

export interface ToolchainsParts {
  /** What this machine's files contain. */
  readonly files: Files;
  /** Where they are copied to, by content; those of another machine come from blobs. */
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
  /** By the root of their pack or, this machine's own, by what they are; in the order of last use, oldest first. */
  readonly #known = new Map<Digest, Known>();

  /** @param signal ends the copying, which outlives the job that needed it first */
  constructor(parts: ToolchainsParts, base: Entries, signal: AbortSignal) {
    this.#parts = parts;
    this.#base = base;
    this.#signal = signal;
  }

  /**
   * @returns undefined when its files are not what they were when it was identified, or not here any more
   * @throws {Error} of the system
   */
  async take(toolchain: Toolchain, signal: AbortSignal): Promise<HeldToolchain | undefined> {
    const name = toolchain.layout?.root ?? toolchain.digest;
    const known = this.#known.get(name) ?? this.#copy(name, toolchain);
    this.#known.delete(name);
    this.#known.set(name, known);
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

  #copy(name: Digest, toolchain: Toolchain): Known {
    const adopted: Known["adopted"] = [];
    const known = { entries: this.#entriesOf(toolchain, adopted), adopted, users: 1 };
    const forget = (): void => {
      known.users--;
      if (this.#known.get(name) === known) this.#known.delete(name);
      this.#release(known);
    };
    known.entries.then((entries) => (entries === undefined ? forget() : known.users--), forget);
    return known;
  }

  async #entriesOf(toolchain: Toolchain, adopted: Known["adopted"]): Promise<Entries | undefined> {
    const { files, kept } = this.#parts;
    const here = groundHere(files, this.#signal);
    const laid: Laid | undefined = toolchain.layout ?? (await layOut([...toolchain.files, ...toolchain.beside], here))?.laid;
    if (laid === undefined) return undefined;
    const plan = new Plan(this.#base);
    for (const { path, target } of laid.links) if (isKept(path) || !plan.put(path, { kind: "link", target })) return undefined;
    for (const { path, digest, executable } of laid.files) {
      const isOwn = toolchain.layout === undefined;
      const isHere = isOwn ? kept.adopt(path, digest, executable, this.#signal) : kept.fetchLarge(digest, executable, this.#signal);
      if (!(await isHere)) return undefined;
      adopted.push({ digest, executable });
      if (isKept(path) || !plan.put(path, { kind: "file", digest, executable })) return undefined;
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
