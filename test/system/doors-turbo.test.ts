/**
 * Real Turborepo at its door: what one checkout has built, another gets, signed by the client and looked at by it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { builtIn, notInstalled, toolOfTests, writeWorkspace } from "./doors-workspace.ts";
import { run, TestNode, temporaryDirectory } from "./harness.ts";

const turbo = toolOfTests("turbo");
const skip = turbo === undefined ? notInstalled("turbo") : false;

/** @returns how many tasks came from the cache, of how many */
async function build(directory: string, port: number, ...options: readonly string[]): Promise<string> {
  const env = {
    TURBO_API: `http://127.0.0.1:${port}/turbo`,
    TURBO_TEAM: "cairn",
    TURBO_TOKEN: "none-is-needed",
    TURBO_REMOTE_CACHE_SIGNATURE_KEY: "a key that only clients know",
    TURBO_TELEMETRY_DISABLED: "1",
    TURBO_NO_UPDATE_NOTIFIER: "1",
    npm_config_update_notifier: "false",
    HOME: directory,
  };
  const ran = await run(turbo ?? "", ["run", "build", "--no-daemon", "--cache=remote:rw", "--ui=stream", ...options], {
    cwd: directory,
    env,
  });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  return /Cached:\s+(\d+ cached, \d+ total)/.exec(ran.stdout)?.[1] ?? ran.stdout;
}

test("Turborepo: another checkout gets what the first has built, signatures included", { skip, timeout: 120_000 }, async () => {
  await using node = await TestNode.start("doors-turbo", { CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1" });
  const port = await node.doorPort("http");
  const found: string[] = [];
  // The third asks first what it may ask.
  for (const [checkout, ...options] of [["first"], ["second"], ["third", "--preflight"]] as const) {
    using directory = temporaryDirectory(`turbo-${checkout}`);
    const config = { tasks: { build: { outputs: ["dist/**"] } }, remoteCache: { signature: true } };
    writeWorkspace(directory.path, { "turbo.json": config });
    found.push(await build(directory.path, port, ...options));
    assert.deepEqual(builtIn(directory.path), ["built", "built"], checkout);
  }
  assert.deepEqual(found, ["0 cached, 2 total", "2 cached, 2 total", "2 cached, 2 total"]);
  const counters = await node.counters();
  assert.deepEqual([counters["door:turbo:put"], counters["door:turbo:hit"], counters["door:turbo:refused"] ?? 0], [2, 4, 0]);
});
