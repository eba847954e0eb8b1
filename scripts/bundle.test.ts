/**
 * What runs is what the sources say: a bundle is used until one of them changes, and a package without sources has nothing else.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../test/system/harness.ts";

const ROOT = join(import.meta.dirname, "..");

test("a bundle runs as long as it is what the sources say", { timeout: 60_000 }, async (t) => {
  const copy = mkdtempSync(join(tmpdir(), "cairn-bundle-"));
  t.after(() => rmSync(copy, { recursive: true }));
  for (const part of ["bin", "src", "scripts", "package.json"]) cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const says = async (): Promise<string> => {
    const ran = await run(process.execPath, [join(copy, "bin/main.js"), "--version"], {
      cwd: copy,
      env: { ...process.env, CAIRN_HOME: join(copy, "home") },
    });
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /^\d+\.\d+\.\d+\n$/);
    return ran.stderr;
  };
  assert.equal(await says(), "", "without a bundle");

  const made = await run(process.execPath, [join(copy, "scripts/bundle.ts")], { cwd: copy });
  assert.equal(made.stdout, "bundle: the command line and the daemon, in dist/app\n", made.stderr);
  const program = join(copy, "dist/app/cli.js");
  writeFileSync(program, readFileSync(program, "utf8").replace("\n", '\nprocess.stderr.write("bundle");\n'));
  assert.equal(await says(), "bundle");

  const source = join(copy, "src/base/limits.ts");
  const before = { text: readFileSync(source), times: statSync(source) };
  appendFileSync(source, 'process.stderr.write("source");\n');
  assert.equal(await says(), "source", "an edited source is what runs");

  const earlier = readdirSync(join(copy, "dist/app"));
  await run(process.execPath, [join(copy, "scripts/bundle.ts")], { cwd: copy });
  const now = readdirSync(join(copy, "dist/app"));
  assert.ok(now.length > earlier.length, "what has changed is there anew");
  for (const name of earlier) assert.ok(now.includes(name), `${name} may still be loaded by a daemon that runs`);
  assert.equal(await says(), "source");
  writeFileSync(source, before.text);
  utimesSync(source, before.times.atime, before.times.mtime);
  writeFileSync(join(copy, "dist/app/made-of.json"), "[");
  assert.equal(await says(), "", "half a bundle is none");

  rmSync(join(copy, "src"), { recursive: true });
  assert.equal(await says(), "source", "a package has no sources");
});
