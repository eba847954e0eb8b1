/**
 * The bundled libraries are the libraries: a network is founded and listens with them, and with others they are not used.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "../test/system/harness.ts";
import { bundle } from "./bundle.ts";

const ROOT = join(import.meta.dirname, "..");

/** In a process of its own: hooks stay for ever. @returns how many libraries are bundled, where libp2p came from */
async function load(t: TestContext, directory: string): Promise<{ bundled: number; libp2p: string }> {
  const url = (path: string): string => JSON.stringify(pathToFileURL(join(ROOT, path)).href);
  const script = join(mkdtempSync(join(tmpdir(), "cairn-load-")), "load.mjs");
  t.after(() => rmSync(join(script, ".."), { recursive: true }));
  writeFileSync(
    script,
    `import { registerHooks } from "node:module";
     let libp2p = "";
     registerHooks({ load(url, context, next) { if (/libp2p(\\.js|\\/dist\\/src\\/index\\.js)$/.test(url)) libp2p = url; return next(url, context); } });
     const { useBundle } = await import(${url("src/daemon/libraries.ts")});
     const bundled = useBundle(${JSON.stringify(ROOT)}, ${JSON.stringify(directory)});
     const { foundNetwork } = await import(${url("src/daemon/network-runtime.ts")});
     const seeds = { peerSeed: Buffer.alloc(32, 1), attestationSeed: Buffer.alloc(32, 2) };
     await foundNetwork(seeds, { name: "n", domain: "d", machine: "m" }, Buffer.alloc(16));
     process.stdout.write(JSON.stringify({ bundled, libp2p }));`,
  );
  const ran = await run(process.execPath, [script], { cwd: ROOT });
  assert.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout) as Awaited<ReturnType<typeof load>>;
}

test("libraries come from the bundle, and not when other packages are installed", { timeout: 60_000 }, async (t) => {
  const directory = join(mkdtempSync(join(tmpdir(), "cairn-bundle-")), "libraries");
  t.after(() => rmSync(join(directory, ".."), { recursive: true }));
  const names = await bundle(directory);
  assert.ok(names.includes("libp2p") && names.includes("@bufbuild/protobuf"), names.join());
  const { bundled, libp2p } = await load(t, directory);
  assert.equal(bundled, names.length);
  assert.ok(libp2p.startsWith(pathToFileURL(directory).href), libp2p);

  const index = join(directory, "index.json");
  writeFileSync(index, readFileSync(index, "utf8").replace(/"installed": "..../, '"installed": "0000'));
  const without = await load(t, directory);
  assert.equal(without.bundled, 0);
  assert.match(without.libp2p, /node_modules/);
});
