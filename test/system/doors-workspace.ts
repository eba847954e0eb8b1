/**
 * A project of two packages as the build tools of JavaScript know it; what they build is one file each.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout, writeFiles } from "./harness.ts";

const PACKAGES = ["one", "two"];
/** With `CAIRN_MEET`, a directory, each waits until the packages of two checkouts have begun. */
const BUILD = `
const { mkdirSync, readdirSync, writeFileSync } = require("node:fs");
const meet = process.env.CAIRN_MEET;
if (meet !== undefined) {
  writeFileSync(meet + "/" + process.pid, "");
  while (readdirSync(meet).length < ${2 * PACKAGES.length}) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
}
mkdirSync("dist", { recursive: true });
writeFileSync("dist/out.txt", "built");
`;

/** A tool that the tests bring; undefined where they were not installed. */
export function toolOfTests(name: string): string | undefined {
  const path = join(checkout, "node_modules/.bin", name);
  return existsSync(path) ? path : undefined;
}

export function notInstalled(name: string): string {
  return `${name} is not installed here: npm ci`;
}

function manifest(name: string): unknown {
  return { name, version: "1.0.0", scripts: { build: "node build.cjs" } };
}

/** @param files of the root, beside the packages */
export function writeWorkspace(directory: string, files: Readonly<Record<string, unknown>>): void {
  const all = {
    ...Object.fromEntries(PACKAGES.map((name) => [`packages/${name}/package.json`, manifest(name)])),
    "package.json": { name: "root", private: true, packageManager: "npm@10.0.0", workspaces: ["packages/*"] },
    "package-lock.json": { name: "root", lockfileVersion: 3, packages: {} },
    ...files,
  };
  for (const name of PACKAGES) writeFiles(join(directory, "packages", name), { "build.cjs": BUILD });
  writeFiles(directory, Object.fromEntries(Object.entries(all).map(([name, value]) => [name, JSON.stringify(value)])));
}

/** What the packages have built. */
export function builtIn(directory: string): string[] {
  return PACKAGES.map((name) => join(directory, "packages", name, "dist/out.txt")).map((path) =>
    existsSync(path) ? readFileSync(path, "utf8") : "nothing",
  );
}
