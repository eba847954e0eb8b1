/**
 * What is installed here, and on which processor, as members name it whose commands may run here: by content, so that nobody has to give it a name.
 *
 * Knows: packages, programs. Does not know: commands, members. What somebody has changed in /usr past the package manager it does not see, but for
 * the programs that a command names.
 */
import { type Digest, digestOf, type Log } from "../base/index.ts";
import type { Files, GeneralAction, TaskPrograms, TaskSystem } from "../contracts/index.ts";

export interface InstalledAlikeParts {
  readonly programs: Pick<TaskPrograms, "installed">;
  /** See {@link alikeBy}. */
  readonly processor: string | undefined;
  /** The file behind the place of a program that is installed; undefined: there is none. */
  readonly installedProgram: (place: string) => string | undefined;
  readonly files: Pick<Files, "prepare" | "state">;
  /** Whether the owner lets members' actions run. */
  readonly isOffered: () => boolean;
  /** What is installed here by the name that its owner gave to it; undefined: it has none. */
  readonly named: () => Digest | undefined;
  readonly changed: () => void;
  readonly log: Log;
  /** ms, monotonic */
  readonly now: () => number;
}

/** Between two looks while nobody asks. */
const LOOK_EVERY_MS = 60_000;

export class InstalledAlike {
  readonly #parts: InstalledAlikeParts;
  #seen: { readonly digest: Digest | undefined; readonly at: number } | undefined;

  constructor(parts: InstalledAlikeParts) {
    this.#parts = parts;
  }

  /** As it was seen last; undefined: no member's command runs here by it. */
  get offered(): Digest | undefined {
    return this.#parts.isOffered() ? this.#seen?.digest : undefined;
  }

  /** Looks, where it was long ago. @throws the signal's reason */
  async look(signal: AbortSignal): Promise<void> {
    const { isOffered, now } = this.#parts;
    if (isOffered() && (this.#seen === undefined || now() - this.#seen.at > LOOK_EVERY_MS)) await this.#look(signal);
  }

  /**
   * What an action needs that is not here; undefined: it has all of it.
   *
   * @param isFresh whether what was seen a little while ago is not enough
   * @throws the signal's reason
   */
  async lack({ system, command }: GeneralAction, signal: AbortSignal, isFresh = false): Promise<string | undefined> {
    if (system !== this.#parts.named() && system !== (await this.#look(signal, isFresh))) return system;
    const { files, installedProgram } = this.#parts;
    for (const { place, digest } of command?.programs ?? []) {
      if (!place.startsWith("/")) continue; // It comes along.
      const path = installedProgram(place);
      if (path === undefined) return place; // Nobody is told what other files hold.
      await files.prepare(path, signal);
      const state = files.state(path);
      if (state.kind !== "file" || state.digest !== digest) return place;
    }
    return undefined;
  }

  async #look(signal: AbortSignal, isFresh = false): Promise<Digest | undefined> {
    const { programs, processor, changed, log, now } = this.#parts;
    const digest = alikeBy(await programs.installed(signal, isFresh), processor);
    const isNew = digest !== this.#seen?.digest;
    this.#seen = { digest, at: now() };
    if (isNew) {
      log.event("info", "work.installed", { system: digest ?? null });
      changed();
    }
    return digest;
  }
}

/**
 * What members must have to run this machine's commands; undefined where two machines cannot be told apart.
 *
 * @param processor its features: libraries choose by them how they compute. They are in no command's key, so that who looks for a result finds it
 */
export function alikeBy({ digest, isTold }: TaskSystem, processor: string | undefined): Digest | undefined {
  if (!isTold || processor === undefined) return undefined;
  return digestOf(`cairn installed\0${process.platform}\0${process.arch}\0${processor}\0${digest}`);
}
