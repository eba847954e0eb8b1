/**
 * Files of a log in memory that a full disk or a crash leaves as they are: every write up to the last one is there, none after it.
 */
import { CairnError } from "../base/index.ts";
import type { LogHome } from "./attestation-log.ts";
import type { MirrorFiles } from "./log-mirror.ts";

export class MemoryFiles implements LogHome {
  readonly #files: Map<string, Uint8Array>;
  /** Writes until the disk is full. */
  left: number = Number.POSITIVE_INFINITY;

  constructor(files: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.#files = new Map(files);
  }

  /** As a backup has them. */
  copy(): MemoryFiles {
    return new MemoryFiles(this.#files);
  }

  read(path: string): Uint8Array | undefined {
    return this.#files.get(path);
  }

  write(files: readonly (readonly [path: string, bytes: Uint8Array | string])[]): Promise<void> {
    for (const [path, bytes] of files) {
      if (this.left-- <= 0) return Promise.reject(new CairnError("home-unwritable", { path }));
      this.#files.set(path, Buffer.from(bytes));
    }
    return Promise.resolve();
  }

  remove(path: string): Promise<void> {
    for (const name of this.#files.keys()) if (name.startsWith(`${path}/`)) this.#files.delete(name);
    return Promise.resolve();
  }

  note(bytes: Uint8Array): void {
    this.#files.set("journal", Buffer.concat([this.noted(), bytes]));
  }

  noted(): Uint8Array {
    return this.read("journal") ?? new Uint8Array();
  }

  noteOnly(bytes: Uint8Array): void {
    if (this.left-- <= 0) throw new CairnError("home-unwritable", { path: "journal" });
    this.#files.set("journal", bytes);
  }
}

/** A witness's disk: each log has one of its own. */
export class MemoryDisk extends MemoryFiles implements MirrorFiles {
  names(): string[] {
    return [];
  }

  below(): MemoryFiles {
    return new MemoryFiles();
  }
}
