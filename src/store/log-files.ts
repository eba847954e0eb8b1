/**
 * The files of a log that only grows: tiles, bundles and a checkpoint in a directory of their own, and a journal of what is not in them yet.
 *
 * Knows: files that are whole or not there, however the process or the machine ends. Does not know: what is in them.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CairnError, systemCode } from "../base/index.ts";

const JOURNAL = "journal";

export class LogFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @returns undefined where there is no such file @throws {CairnError} network-damaged where it cannot be read */
  read(path: string): Uint8Array | undefined {
    const file = join(this.#directory, path);
    try {
      return readFileSync(file);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return undefined;
      throw new CairnError("network-damaged", { path: file }, error);
    }
  }

  /**
   * Writes files one after the other; the next is begun when the one before cannot be lost any more. What was there before stays until then.
   *
   * @throws {CairnError} home-unwritable
   */
  async write(files: readonly (readonly [path: string, bytes: Uint8Array | string])[]): Promise<void> {
    for (const [path, bytes] of files) {
      const file = join(this.#directory, path);
      try {
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        const handle = await open(`${file}.new`, "w", 0o600);
        try {
          await handle.writeFile(bytes);
          await handle.datasync();
        } finally {
          await handle.close();
        }
        await rename(`${file}.new`, file);
        await syncDirectory(dirname(file));
      } catch (error) {
        throw new CairnError("home-unwritable", { path: file }, error);
      }
    }
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.#directory, path), { recursive: true, force: true });
  }

  /** Adds to the journal: kept when this process dies, not when the machine loses power. @throws {CairnError} home-unwritable */
  note(bytes: Uint8Array): void {
    const file = join(this.#directory, JOURNAL);
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      appendFileSync(file, bytes, { mode: 0o600 });
    } catch (error) {
      throw new CairnError("home-unwritable", { path: file }, error);
    }
  }

  /** What is in the journal. */
  noted(): Uint8Array {
    return this.read(JOURNAL) ?? new Uint8Array();
  }

  /** Puts this in the journal's place. @throws {CairnError} home-unwritable */
  noteOnly(bytes: Uint8Array): void {
    const file = join(this.#directory, JOURNAL);
    try {
      writeFileSync(`${file}.new`, bytes, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (error) {
      throw new CairnError("home-unwritable", { path: file }, error);
    }
  }

  /** Names of what lies directly in it. */
  names(): string[] {
    try {
      return readdirSync(this.#directory);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return [];
      throw new CairnError("network-damaged", { path: this.#directory }, error);
    }
  }

  /** What lies in a directory below this one. */
  below(name: string): LogFiles {
    return new LogFiles(join(this.#directory, name));
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
