/**
 * The first lines of every Cairn process: refuse an old Node in plain words, switch on Node's compile cache, load what was asked for.
 *
 * Knows: where the sources and their bundle lie, and where the compile cache does.
 * Does not know: what it starts.
 *
 * This file is JavaScript that an old Node can read too; all else is TypeScript, which Node 24 runs as written.
 */
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import module from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const OLDEST = 24;
const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Loads the program of a room, from the bundle (scripts/bundle.ts) where that is what the sources say.
 * @param {"cli" | "daemon"} room
 */
export async function boot(room) {
  if (Number.parseInt(process.versions.node, 10) < OLDEST) {
    process.stderr.write(
      `cairn: this is Node.js ${process.versions.node}, and Cairn needs ${OLDEST} or newer.\n` +
        "  Start it with bin/cairn, which looks for a newer one, or set CAIRN_NODE to the path of one.\n",
    );
    process.exit(1);
  }
  cacheCompiledCode();
  const program = bundleIsCurrent() ? join(ROOT, "dist", "app", `${room}.js`) : join(ROOT, "src", room, "main.ts");
  await import(pathToFileURL(program).href);
}

/** Whether there is a bundle, and none of the files that it was made of has changed since. A published package has nothing but its bundle. */
function bundleIsCurrent() {
  if (!existsSync(join(ROOT, "src"))) return true;
  try {
    /** @type {[path: string, mtimeMs: number, size: number][]} */
    const madeOf = JSON.parse(readFileSync(join(ROOT, "dist", "app", "made-of.json"), "utf8"));
    return madeOf.every(([path, mtimeMs, size]) => {
      const now = statSync(join(ROOT, path));
      return now.mtimeMs === mtimeMs && now.size === size;
    });
  } catch {
    return false; // No bundle, half a bundle, or a source that is gone.
  }
}

/**
 * Starting takes 45 ms and 48 MB with the compile cache, 160 ms and 71 MB without.
 * It lies in the user's own cache directory: in a shared /tmp, others could put code there. Where it cannot be made, Node does without.
 */
function cacheCompiledCode() {
  const home = process.env.CAIRN_HOME;
  const xdg = process.env.XDG_CACHE_HOME;
  const cache = home ? join(home, "cache") : join(xdg?.startsWith("/") ? xdg : join(homedir(), ".cache"), "cairn");
  const umask = process.umask(0o077);
  if (made(join(cache, "node"))) module.enableCompileCache(join(cache, "node"));
  process.umask(umask);
}

/** Makes a directory one step at a time: Node's own way tries for ever where nothing can be made, as below /proc. */
function made(directory) {
  if (existsSync(directory)) return true;
  try {
    if (!made(dirname(directory))) return false;
    mkdirSync(directory);
    return true;
  } catch {
    return false; // No room, no permission, or somebody else has just made it: the next process has the cache.
  }
}
