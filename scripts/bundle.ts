/**
 * `npm run bundle`: the command line and the daemon, with the libraries that they load, as a few files in `dist/app`, which load three times as
 * fast as the hundreds that they are made of.
 *
 * `npm ci` runs it in a checkout, `npm pack` for the package. Nothing depends on it in a checkout: bin/boot.js loads the sources where there is no
 * bundle, or where one of them has changed since. Knows: what is started. Does not know: how a bundle is chosen; see bin/boot.js.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const ROOT: string = join(import.meta.dirname, "..");
const APP: string = join(ROOT, "dist/app");
/** npm's own note of what it has installed: with other packages, a bundle is void. */
const INSTALLED = "node_modules/.package-lock.json";
const MADE_OF = "made-of.json";
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;
/** CommonJS code among the libraries asks for Node's own modules by `require`. */
const REQUIRE = 'import{createRequire as cairnRequire}from"node:module";const require=cairnRequire(import.meta.url);';

/**
 * Makes a bundle and puts it into `directory` when it is whole. All of its files lie beside each other, as deep below the root as a source's room:
 * sources find the root, and each other, from where they are.
 *
 * @throws when there is no bundler, or it cannot bundle
 */
export async function bundle(directory: string = APP): Promise<void> {
  const { build } = await import("esbuild"); // A development dependency: an installation may lack it.
  const making = `${directory}.${process.pid}`;
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [
      { in: "src/cli/main.ts", out: "cli" },
      { in: "src/daemon/main.ts", out: "daemon" },
      { in: "src/daemon/data-thread.ts", out: "data-thread" },
      { in: "src/store/hash-thread.ts", out: "hash-thread" },
    ],
    outdir: making,
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true, // What several of them share is there once, and what is loaded later stays apart.
    metafile: true,
    platform: "node",
    target: "node24",
    format: "esm",
    legalComments: "linked",
    // Comments cost memory: Node keeps a file's text, two bytes a character where one of them is not Latin.
    minifyWhitespace: true,
    lineLimit: 160, // So that a stack trace still says where.
    banner: { js: REQUIRE },
    logLevel: "error",
  });
  const sources = Object.keys(metafile.inputs).filter((path) => path.startsWith("src/"));
  const madeOf = [...sources.toSorted(), INSTALLED].map((path) => {
    const { mtimeMs, size } = statSync(join(ROOT, path));
    return [path, mtimeMs, size];
  });
  writeFileSync(join(making, MADE_OF), `[\n${madeOf.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`);
  replace(making, directory);
}

/**
 * One file after the other, those that others load first, and at last what says that all are there. Files of earlier bundles stay for a
 * while: a daemon that was started from them loads some only when it is told to join a network, say.
 */
function replace(making: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  const order = (name: string): number => (name === MADE_OF ? 2 : /-[0-9A-Z]{8}\./.test(name) ? 0 : 1);
  const fresh = readdirSync(making).toSorted((a, b) => order(a) - order(b));
  for (const name of fresh) renameSync(join(making, name), join(directory, name));
  rmSync(making, { recursive: true });
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    if (!fresh.includes(name) && Date.now() - statSync(file).mtimeMs > KEPT_MS) rmSync(file, { recursive: true });
  }
}

if (import.meta.main) {
  mkdirSync(dirname(APP), { recursive: true });
  try {
    await bundle();
    process.stdout.write("bundle: the command line and the daemon, in dist/app\n");
  } catch (error) {
    // An installation goes on without it; everything only starts more slowly.
    process.stderr.write(`bundle: left out: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
