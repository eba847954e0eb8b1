/**
 * Real Turborepo at its door, where there is one: what one checkout has built, another gets, signed by the client and looked at by it.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findOnPath } from "../../src/cli/compilers.ts";
import { run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";

const PACKAGES = ["one", "two"];
const skip = findOnPath("turbo", process.env) === undefined ? "turbo is not in PATH here (npm: turbo)" : false;

function workspace(directory: string): void {
  const build = `node -e "require('fs').mkdirSync('dist', { recursive: true }); require('fs').writeFileSync('dist/out.txt', 'built')"`;
  const manifest = (name: string): string => JSON.stringify({ name, version: "1.0.0", scripts: { build } });
  const root = { name: "root", private: true, packageManager: "npm@10.0.0", workspaces: ["packages/*"] };
  writeFiles(directory, {
    ...Object.fromEntries(PACKAGES.map((name) => [`packages/${name}/package.json`, manifest(name)])),
    "package.json": JSON.stringify(root),
    "package-lock.json": JSON.stringify({ name: "root", lockfileVersion: 3, packages: {} }),
    "turbo.json": JSON.stringify({ tasks: { build: { outputs: ["dist/**"] } }, remoteCache: { signature: true } }),
  });
}

/** @returns how many tasks came from the cache, of how many */
async function build(directory: string, port: number): Promise<string> {
  const env = {
    TURBO_API: `http://127.0.0.1:${port}/turbo`,
    TURBO_TEAM: "cairn",
    TURBO_TOKEN: "none-is-needed",
    TURBO_REMOTE_CACHE_SIGNATURE_KEY: "a key that only clients know",
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    HOME: directory,
  };
  const ran = await run("turbo", ["run", "build", "--no-daemon", "--cache=remote:rw", "--ui=stream"], { cwd: directory, env });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  return /Cached:\s+(\d+ cached, \d+ total)/.exec(ran.stdout)?.[1] ?? ran.stdout;
}

test("Turborepo: another checkout gets what the first has built, signatures included", { skip, timeout: 120_000 }, async () => {
  await using node = await TestNode.start("doors-turbo", { CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1" });
  const port = await node.doorPort("http");
  const found: string[] = [];
  for (const checkout of ["first", "second"]) {
    using directory = temporaryDirectory(`turbo-${checkout}`);
    workspace(directory.path);
    found.push(await build(directory.path, port));
    for (const name of PACKAGES) {
      assert.equal(readFileSync(join(directory.path, "packages", name, "dist/out.txt"), "utf8"), "built", `${checkout}: ${name}`);
    }
  }
  assert.deepEqual(found, ["0 cached, 2 total", "2 cached, 2 total"]);
  const counters = await node.counters();
  assert.deepEqual([counters["door:turbo:put"], counters["door:turbo:hit"], counters["door:turbo:refused"] ?? 0], [2, 2, 0]);
});
