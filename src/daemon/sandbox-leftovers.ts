/**
 * Sandboxes of daemons that were killed: found by a lock that nobody holds any more, and removed.
 *
 * Each sandbox has a file in it that its daemon keeps locked. The kernel frees the lock with the process, and shows it to whoever sees
 * the directory: another home, another container. Removed is only what could be locked; all doubt means that its daemon lives.
 * Knows: where sandboxes lie, how they are held. Does not know: what else is in a sandbox.
 */
import { lstatSync, readdirSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Log, reasonOf } from "../base/index.ts";
import { holdLock } from "./lock.ts";

/** What is being removed. */
const GONE = ".gone";
const LOCK = "lock";

/** Where sandboxes lie. */
export interface SandboxPlace {
  readonly directory: string;
  /** How each of their names begins. */
  readonly prefix: string;
}

/** This daemon's hold on its sandbox. Until it is disposed of, or the process ends, nobody sets the directory aside. */
export class SandboxHold implements Disposable {
  #lock: Disposable | undefined;

  /** Holds this directory, which may be renamed afterwards, instead of the one before. @throws {CairnError} home-unwritable */
  take(directory: string): void {
    this[Symbol.dispose]();
    this.#lock = holdLock(join(directory, LOCK));
  }

  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
  }
}

/** Takes away those that nobody holds. @returns the paths to be removed */
export function setLeftoversAside({ directory, prefix }: SandboxPlace): readonly string[] {
  return sandboxesIn(directory, prefix).flatMap((path) => {
    if (path.endsWith(GONE)) return isOwnDirectory(path) ? [path] : [];
    return setAside(path) ? [`${path}${GONE}`] : [];
  });
}

/** Removes them. What cannot be removed is told, and tried again the next time. */
export async function removeLeftovers(log: Log, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    try {
      await rm(path, { recursive: true, force: true });
      log.event("info", "sandbox.leftover-removed", { path });
    } catch (error) {
      log.event("warn", "sandbox.leftover-kept", { path, reason: reasonOf(error) });
    }
  }
}

function sandboxesIn(directory: string, prefix: string): string[] {
  try {
    const names = readdirSync(directory).filter((name) => name.startsWith(prefix));
    return names.map((name) => join(directory, name));
  } catch {
    return []; // Nobody has made the place yet, or it is closed to this user.
  }
}

/** @returns false where its daemon lives, or may live */
function setAside(path: string): boolean {
  if (!isOwnDirectory(path)) return false;
  const file = join(path, LOCK);
  let lock: Disposable | undefined;
  try {
    if (!lstatSync(file).isFile()) return false;
    lock = holdLock(file);
    renameSync(path, `${path}${GONE}`);
    return true;
  } catch {
    return false; // Or somebody else was quicker.
  } finally {
    lock?.[Symbol.dispose]();
  }
}

/** Follows no link: what is asked for may be removed by root. Where nobody else may write nobody exchanges what is in it either. */
function isOwnDirectory(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === process.geteuid?.() && (stats.mode & 0o022) === 0;
}
