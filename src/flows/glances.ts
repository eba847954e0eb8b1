/**
 * Glances for those who ask: whoever asks at about the same time shares one, which begins when the last of them has asked.
 */
import { setImmediate } from "node:timers/promises";
import type { Files } from "../contracts/index.ts";
import { Absences, Glance } from "./look.ts";

/** A turn without work takes some 10 µs. */
const GATHERING_TURNS = 32;

export class Glances {
  readonly #files: Files;
  readonly #absences: Absences = new Absences();
  #gathering: Promise<Glance> | undefined;
  #gathered = 0;

  constructor(parts: { readonly files: Files }) {
    this.#files = parts.files;
  }

  /** Begins at once, for one. */
  now(): Glance {
    return new Glance({ files: this.#files, absences: this.#absences });
  }

  /** Of what was seen before: see {@link GlanceOptions}. */
  fromMemory(): Glance {
    return new Glance({ files: this.#files, absences: this.#absences }, { fromMemory: true });
  }

  /** For all who ask at about this time. */
  next(): Promise<Glance> {
    this.#gathered += 1;
    this.#gathering ??= this.#gather();
    return this.#gathering;
  }

  /** Node accepts one connection in a turn of its loop and hears what it wants in the next. */
  async #gather(): Promise<Glance> {
    for (let turn = 0, idle = 0; turn < GATHERING_TURNS && idle < 2; turn++) {
      const before = this.#gathered;
      await setImmediate();
      idle = this.#gathered === before ? idle + 1 : 0;
    }
    this.#gathering = undefined;
    return this.now();
  }
}
