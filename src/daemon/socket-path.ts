/**
 * Names of sockets.
 *
 * A socket is bound under a name of this process and then renamed: whoever finds it may use it at once, and when the runtime closes it,
 * which removes the name that it was bound by, it cannot remove the socket of a successor.
 */
import { chmodSync, openSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** A Unix socket's address holds so much; homes may lie deeper. */
const ADDRESS_BYTES = 107;

/** The name that the socket at `path` is bound under first. */
export function privateName(path: string): string {
  return `${path}.${process.pid}`;
}

/** A path that a socket can be bound to: the kernel follows a name through a directory that is kept open for as long as the process lives. */
export function bindable(path: string): string {
  if (Buffer.byteLength(path) <= ADDRESS_BYTES) return path;
  return `/proc/self/fd/${openSync(dirname(path), "r")}/${basename(path)}`;
}

/** Gives a listening socket its public name, for its owner only; disposing takes the name away while it is still ours. */
export function publish(path: string): Disposable {
  chmodSync(privateName(path), 0o600);
  renameSync(privateName(path), path);
  const { ino } = statSync(path, { bigint: true });
  return {
    [Symbol.dispose]: () => {
      if (statSync(path, { bigint: true, throwIfNoEntry: false })?.ino === ino) rmSync(path, { force: true });
    },
  };
}

/** Removes what a daemon that is no more left under `path` and under its private name. */
export function removeStale(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    if (name === basename(path) || name.startsWith(`${basename(path)}.`)) rmSync(join(dirname(path), name), { force: true });
  }
}
