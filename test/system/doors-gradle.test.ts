/**
 * Real Gradle at its door: what one checkout has built, another gets, and a build goes on where the door has nothing for it.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { findOnPath } from "../../src/base/index.ts";
import { run, TestNode, temporaryDirectory, writeFiles } from "./harness.ts";

const skip = findOnPath("gradle", process.env) === undefined ? "Gradle is not installed here (Debian: gradle)" : false;

const PROJECT = {
  "settings.gradle": 'rootProject.name = "project"\n',
  "build.gradle": `
@CacheableTask
class Sorted extends DefaultTask {
  @InputFile @PathSensitive(PathSensitivity.NONE) File source
  @OutputFile File target
  @TaskAction void sort() { target.text = source.readLines().sort().join("\\n") }
}
task sorted(type: Sorted) { source = file("in.txt"); target = file("build/out.txt") }
`,
  "in.txt": "c\na\nb\n",
};

function settings(url: string): string {
  return `startParameter.buildCacheEnabled = true
settingsEvaluated { it.buildCache { local { enabled = false }; remote(HttpBuildCache) { url = "${url}"; push = true } } }
`;
}

test("Gradle: another checkout gets what the first has built, and nothing of it after a change", { skip, timeout: 240_000 }, async () => {
  await using node = await TestNode.start("doors-gradle", { CAIRN_DOORS_HTTP_LISTEN: "127.0.0.1" });
  using place = temporaryDirectory("gradle");
  writeFiles(place.path, { "cairn.gradle": settings(`http://127.0.0.1:${await node.doorPort("http")}/gradle/`) });
  const rows: [checkout: string, input: string, from: string, counts: Readonly<Record<string, number>>][] = [
    ["first", PROJECT["in.txt"], "1 executed", { miss: 1, put: 1 }],
    ["second", PROJECT["in.txt"], "1 from cache", { miss: 1, put: 1, hit: 1 }],
    ["third", "z\ny\n", "1 executed", { miss: 2, put: 2, hit: 1 }],
  ];
  for (const [checkout, input, from, counts] of rows) {
    const cwd = join(place.path, checkout);
    writeFiles(cwd, { ...PROJECT, "in.txt": input });
    const ran = await run("gradle", ["--no-daemon", "-I", join(place.path, "cairn.gradle"), "sorted"], {
      cwd,
      env: { GRADLE_USER_HOME: join(place.path, "home"), HOME: place.path },
    });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, new RegExp(`1 actionable task: ${from}`), checkout);
    const out = join(cwd, "build/out.txt");
    assert.equal(existsSync(out) ? readFileSync(out, "utf8") : "", input.trim().split("\n").toSorted().join("\n"));
    const counters = await node.counters();
    const own = Object.entries(counters).filter(([name, by]) => /^door:gradle:(?:hit|miss|put|refused)$/.test(name) && by > 0);
    assert.deepEqual(Object.fromEntries(own.map(([name, by]) => [name.slice("door:gradle:".length), by])), counts, checkout);
  }
});
