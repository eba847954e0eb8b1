import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { tools } from "./connect-tools.ts";
import { checkLeads, type DoorAt, leads } from "./door-reach.ts";

const DOOR: DoorAt = { door: "http", host: "127.0.0.1", port: 8337, open: true };
const AT = { host: "127.0.0.1", port: 8337, tokenFile: "", certificateFile: "", clientCaFile: "", executes: false };

function home(t: TestContext): { home: string; cwd: string } {
  const directory = mkdtempSync(join(tmpdir(), "cairn-reach-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const made = { home: join(directory, "home"), cwd: join(directory, "project") };
  for (const one of Object.values(made)) mkdirSync(one);
  return made;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

test("what cairn connect writes is found again, for each tool", (t) => {
  const place = home(t);
  for (const { name, file, words } of tools) {
    const { lines, json, toml } = words(AT);
    const text = json === undefined ? (toml === undefined ? lines : [toml.table, ...toml.lines]).join("\n") : JSON.stringify(json);
    const path = file.startsWith("~/") ? join(place.home, file.slice(2)) : join(place.cwd, file);
    rmSync(path, { force: true });
    write(path, `${text}\n`);
    const found = leads({ cwd: place.cwd, env: { HOME: place.home } }).find(({ tool }) => tool === name);
    assert.equal(found?.by, file, name);
    assert.match(found?.address ?? "", /127\.0\.0\.1:8337/, name);
  }
});

test("a tool that was told of no cache is not spoken of; a variable comes before a file, and a comment is none", (t) => {
  const place = home(t);
  write(join(place.home, ".bazelrc"), "# build --remote_cache=grpc://127.0.0.1:1\n");
  write(join(place.home, ".config/ccache/ccache.conf"), "remote_storage = http://127.0.0.1:1/ccache\n");
  const env = { HOME: place.home, CCACHE_REMOTE_STORAGE: "http://127.0.0.1:2/ccache" };
  assert.deepEqual(leads({ cwd: place.cwd, env }), [{ tool: "ccache", by: "CCACHE_REMOTE_STORAGE", address: "http://127.0.0.1:2/ccache" }]);
});

test("a checkout that holds anything else under those names is soon done with", (t) => {
  const { home: HOME, cwd } = home(t);
  symlinkSync("/dev/zero", join(cwd, ".env"));
  write(join(cwd, "settings.gradle"), "HttpBuildCache {".repeat(4_000));
  write(join(cwd, ".bazelrc"), "\n".repeat(65_000));
  write(join(cwd, ".turbo/config.json"), " ".repeat(10_000_000));
  execFileSync("mkfifo", [join(HOME, ".bazelrc")]);
  assert.deepEqual(leads({ cwd, env: { HOME } }), []);
});

const CASES: readonly (readonly [tool: string, address: string, ok: boolean, detail: RegExp])[] = [
  ["turbo", "http://127.0.0.1:8337/turbo", true, /where the daemon answers/],
  ["turbo", "http://localhost:8337/turbo", true, /where the daemon answers/],
  ["turbo", "http://[::1]:8337/turbo", false, /the door listens at 127\.0\.0\.1 alone/],
  ["sccache", "http://127.0.0.1:8337", true, /where the daemon answers/],
  ["nx", "http://127.0.0.1:8337/turbo", false, /nx is served below \/nx/],
  ["nx", "http://127.0.0.1:9000/nx", false, /the door for http is at 8337/],
  ["bazel", "grpc://127.0.0.1:8338", false, /the door for grpc is not open/],
  ["ccache", "redis://127.0.0.1", false, /the door for redis is not open/],
  ["ccache", "http://me:secret@127.0.0.1:8337/ccache", true, /leads to http:\/\/127\.0\.0\.1:8337\/ccache,/],
  ["turbo", "https://cache.example.com", true, /is not this machine/],
  ["sccache", "s3://bucket", true, /none of this machine's doors/],
];
for (const [tool, address, ok, detail] of CASES)
  test(`${tool} at ${address}`, async () => {
    const [check] = await checkLeads([{ tool, by: "a file", address }], [DOOR], () => Promise.resolve(true));
    assert.equal(check?.ok, ok);
    assert.match(check.detail, detail);
    assert.doesNotMatch(check.detail, /secret/);
    if (!ok) assert.match(check.advice ?? "", new RegExp(`cairn connect ${tool}`));
  });

test("without a daemon it is said that none runs; where nobody takes connections, that", async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  const lead = [{ tool: "nx", by: ".env", address: `http://127.0.0.1:${bound.port}/nx` }];
  const door = [{ ...DOOR, port: bound.port }];
  t.after(() => server.close());
  assert.match((await checkLeads(lead, undefined))[0]?.detail ?? "", /no daemon runs/);
  assert.equal((await checkLeads(lead, door))[0]?.ok, true);
  await new Promise((resolve) => server.close(resolve));
  assert.match((await checkLeads(lead, door))[0]?.detail ?? "", /nobody takes connections/);
});
