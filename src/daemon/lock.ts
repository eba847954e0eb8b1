/**
 * Files that one process holds: one daemon a home, one owner a sandbox. Each is an SQLite database that is locked for as long as the
 * process lives; the kernel releases the lock with the process, however that ends, so nothing is ever stale.
 */
import { DatabaseSync } from "node:sqlite";
import { CairnError } from "../base/index.ts";

/** @throws {CairnError} daemon-running when another process holds it, home-unwritable when the file cannot be made */
export function holdLock(file: string): Disposable {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file, { timeout: 0 });
  } catch (error) {
    throw new CairnError("home-unwritable", { path: file }, error);
  }
  try {
    // A journal in memory: the lock leaves no second file, and can be taken on a full disk.
    database.exec("PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    const busy = error instanceof Error && /locked|busy/i.test(error.message);
    throw new CairnError(busy ? "daemon-running" : "home-unwritable", { path: file }, error);
  }
  return { [Symbol.dispose]: () => database.close() };
}
