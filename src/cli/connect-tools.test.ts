import assert from "node:assert/strict";
import { test } from "node:test";
import { type DoorAddress, tools } from "./connect-tools.ts";

const LOCAL: DoorAddress = { host: "127.0.0.1", port: 8338, tokenFile: "", certificateFile: "", clientCaFile: "", executes: false };

function words(name: string, at: Partial<DoorAddress> = {}): { lines: readonly string[]; notes: readonly string[] } {
  const tool = tools.find((one) => one.name === name);
  assert.ok(tool !== undefined);
  return tool.words({ ...LOCAL, ...at });
}

test("Bazel hears where the cache is; of execution where there is one; of a token, and never the token itself", () => {
  assert.deepEqual(words("bazel"), {
    lines: ["build --remote_cache=grpc://127.0.0.1:8338", "build --remote_local_fallback"],
    notes: ["while no daemon runs, builds go on without the cache"],
  });
  assert.deepEqual(words("bazel", { host: "::1" }).lines[0], "build --remote_cache=grpc://[::1]:8338");
  assert.equal(words("bazel", { executes: true }).lines[2], "build:cairn-execute --remote_executor=grpc://127.0.0.1:8338");
  assert.match(words("bazel", { tokenFile: "/home/me/token" }).notes[0] ?? "", /remote_header.* with what is in \/home\/me\/token/);
});

const LINES: readonly (readonly [tool: string, line: string])[] = [
  ["bazel-http", "build --remote_cache=http://127.0.0.1:8337/bazel-http"],
  ["ccache", "remote_storage = http://127.0.0.1:8337/ccache"],
  ["sccache", "export SCCACHE_WEBDAV_ENDPOINT=http://127.0.0.1:8337"],
  ["turbo", '  "apiUrl": "http://127.0.0.1:8337/turbo",'],
  ["nx", "NX_SELF_HOSTED_REMOTE_CACHE_SERVER=http://127.0.0.1:8337/nx"],
  ["gradle", 'settingsEvaluated { it.buildCache { remote(HttpBuildCache) { url = "http://127.0.0.1:8337/gradle/"; push = true } } }'],
];

for (const [tool, line] of LINES) {
  test(`${tool} hears where its cache is; of a token, and never the token itself`, () => {
    const at = { port: 8337 };
    assert.ok(words(tool, at).lines.includes(line));
    assert.ok(words(tool, { ...at, host: "::1" }).lines.some((one) => one.includes("http://[::1]:8337")));
    assert.equal(
      words(tool, at).notes.some((note) => note.includes("secret")),
      false,
    );
    assert.match(words(tool, { ...at, tokenFile: "/home/me/token" }).notes[0] ?? "", /….* with what is in \/home\/me\/token/);
  });
}

test("a door that speaks TLS is told so, with what it shows and whom it knows", () => {
  const at = { certificateFile: "/etc/door.pem", clientCaFile: "/etc/clients.pem" };
  for (const { name } of tools) {
    const { lines, notes } = words(name, at);
    assert.match(lines.join("\n"), name === "bazel" ? /grpcs:\/\// : /https:\/\//, name);
    assert.match(notes.join("\n"), /trust \/etc\/door\.pem.*\n.*\/etc\/clients\.pem vouches for/, name);
  }
});
