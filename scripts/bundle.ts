/**
 * `npm run bundle`: the libraries of the network as a few files, which load four times as fast as the hundreds that they are made of.
 *
 * `npm ci` runs it in a checkout, `npm pack` for the package. Nothing depends on it: without a bundle the daemon loads the libraries as
 * they are. Knows: what the rooms of the network import. Does not know: how a bundle is found again; see src/daemon/libraries.ts.
 */
import { globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BundleIndex, installed } from "../src/daemon/libraries.ts";

const ROOT: string = join(import.meta.dirname, "..");
/** CommonJS code among the libraries asks for Node's own modules by `require`. */
const REQUIRE = 'import{createRequire as cairnRequire}from"node:module";const require=cairnRequire(import.meta.url);';

/** Packages, or parts of them, that the network's rooms import as more than types. */
function imported(): string[] {
  const files = globSync("src/{net,wire}/**/*.ts", { cwd: ROOT }).filter((path) => !/\.(test|bench|fixture)\.ts$/.test(path));
  const found = files.flatMap((path) => [
    ...readFileSync(join(ROOT, path), "utf8").matchAll(/^(?:import|export) (?!type )[^;]*? from "(?!\.|node:)([^"]+)";$/gm),
  ]);
  return [...new Set(found.map(([, specifier = ""]) => specifier))].toSorted();
}

/**
 * Makes a bundle and puts it at `directory` when it is whole.
 *
 * @returns what is in it
 * @throws when there is no bundler, or it cannot bundle
 */
export async function bundle(directory: string): Promise<string[]> {
  const { build } = await import("esbuild"); // A development dependency: an installation may lack it.
  const making = `${directory}.${process.pid}`;
  const entries = imported().map((specifier) => ({ specifier, name: specifier.replace(/^@/, "").replaceAll(/\W+/g, "-") }));
  await build({
    entryPoints: entries.map(({ specifier, name }) => ({ in: fileURLToPath(import.meta.resolve(specifier)), out: name })),
    outdir: making,
    bundle: true,
    splitting: true, // What several of them share is there once.
    platform: "node",
    target: "node24",
    format: "esm",
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: "linked",
    banner: { js: REQUIRE },
    logLevel: "error",
  });
  const files = Object.fromEntries(entries.map(({ specifier, name }) => [specifier, `${name}.js`]));
  const index: BundleIndex = { installed: installed(ROOT) ?? "", files };
  writeFileSync(join(making, "index.json"), `${JSON.stringify(index, null, 2)}\n`);
  rmSync(directory, { recursive: true, force: true }); // Whoever starts just now does without.
  renameSync(making, directory);
  return Object.keys(files);
}

if (import.meta.main) {
  const directory = join(ROOT, "dist/libraries");
  mkdirSync(dirname(directory), { recursive: true });
  try {
    const names = await bundle(directory);
    process.stdout.write(`bundle: ${names.length} libraries of the network, in dist/libraries\n`);
  } catch (error) {
    // An installation goes on without it; the daemon only starts more slowly.
    process.stderr.write(`bundle: left out: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
