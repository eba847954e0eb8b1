/**
 * Real Nx at its door. It ends the user's build for most answers that are not quite right, so each row says whether the build went well.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { builtIn, notInstalled, toolOfTests, writeWorkspace } from "./doors-workspace.ts";
import { checkout, counted, type Env, type Ran, run, TestNode, temporaryDirectory } from "./harness.ts";

const nx = toolOfTests("nx");
const skip = nx === undefined ? notInstalled("nx") : false;
const TOKEN = "a token of sixteen signs and more".replaceAll(" ", "-");

/** A checkout in which nothing was built; Nx wants to be among its modules. */
function fresh(directory: string): void {
  const targets = { build: { cache: true, outputs: ["{projectRoot}/dist"] } };
  writeWorkspace(directory, { "nx.json": { targetDefaults: targets, analytics: false } });
  mkdirSync(join(directory, "node_modules"));
  symlinkSync(join(checkout, "node_modules/nx"), join(directory, "node_modules/nx"));
}

function build(directory: string, env: Env): Promise<Ran> {
  const quiet = { NX_DAEMON: "false", NX_NO_CLOUD: "true", NX_TUI: "false", npm_config_update_notifier: "false", HOME: directory };
  return run(nx ?? "", ["run-many", "-t", "build", "--outputStyle=static"], { cwd: directory, env: { ...quiet, ...env } });
}

/** The blobs of a home, cut short. */
function damage(home: string): number {
  const entries = readdirSync(join(home, "cache/cas"), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { parentPath, name } of entries) truncateSync(join(parentPath, name), 10);
  return entries.length;
}

type Counts = Readonly<Record<string, number>>;

test("Nx: another checkout gets what the first has built, and nothing that the door answers ends a build", {
  skip,
  timeout: 240_000,
}, async () => {
  using place = temporaryDirectory("nx");
  const tokenFile = join(place.path, "token");
  writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
  await using node = await TestNode.start("doors-nx", { CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1", CAIRN_DOORS_TOKEN_FILE: tokenFile });
  const server = { NX_SELF_HOSTED_REMOTE_CACHE_SERVER: `http://127.0.0.1:${await node.doorPort("http")}/nx` };
  const admitted = { ...server, NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN: TOKEN };
  const meet = join(place.path, "meet");
  mkdirSync(meet);
  const rows: [what: string, env: Env, checkouts: string[], code: number, counts: Counts][] = [
    [
      "two at once, of which one comes too late to be kept: 409",
      { ...admitted, CAIRN_MEET: meet },
      ["a", "b"],
      0,
      { miss: 4, put: 2, refused: 2 },
    ],
    ["another checkout", admitted, ["c"], 0, { hit: 2 }],
    ["no token: 401, and what is missing", server, ["d"], 1, { refused: 2 }],
    ["what was kept is damaged: 404", admitted, ["e"], 0, { miss: 2, put: 2 }],
  ];
  for (const [what, env, checkouts, code, counts] of rows) {
    if (what.includes("damaged")) assert.ok(damage(node.home) > 0);
    const before = await node.counters();
    const directories = checkouts.map((name) => join(place.path, name));
    directories.forEach(fresh);
    const ran = await Promise.all(directories.map((directory) => build(directory, env)));
    const said = `${what}: ${ran.map(({ stdout, stderr }) => stdout + stderr).join("\n")}`;
    assert.deepEqual(
      ran.map((one) => one.code),
      checkouts.map(() => code),
      said,
    );
    if (code !== 0) assert.match(said, /Unauthorized: a token is needed: doors\.tokenFile/);
    const found = doorsOf(counted(before, await node.counters()));
    // Nx ends at the first refusal: it may not have asked for the other target by then.
    assert.deepEqual(found, code !== 0 && found.refused === 1 ? { refused: 1 } : counts, said);
    for (const directory of directories) assert.deepEqual(builtIn(directory), Array(2).fill(code === 0 ? "built" : "nothing"), what);
  }
});

function doorsOf(counts: Counts): Counts {
  const own = Object.entries(counts).filter(([name]) => name.startsWith("door:nx:"));
  return Object.fromEntries(own.map(([name, by]) => [name.slice("door:nx:".length), by]));
}
