/** Settings: what the file and the environment say, who wins, and what is refused with which words. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkSetting, loadConfig, settingNames } from "./config.ts";

const GOOD: readonly [name: string, raw: unknown][] = [
  ["store.capacity", "20GiB"],
  ["store.capacity", 2_000_000],
  ["log.level", "debug"],
  ["sharing.policy", "self"],
  ["sharing.copies", 0],
  ["sharing.directory", "overlay"],
  ["network.listen", "auto"],
  ["network.listen", "[::]:4711"],
  ["network.mdns", false],
  ["network.portMapping", "on"],
  ["network.peers", "desktop@192.168.1.20 ci@build.example:4711"],
];
const BAD: readonly [name: string, raw: unknown][] = [
  ["store.capacity", "banana"],
  ["store.capacity", -1],
  ["store.capacity", 0],
  ["store.capacity", "1e99GB"],
  ["log.level", "loud"],
  ["sharing.policy", "foo"],
  ["sharing.copies", -3],
  ["sharing.copies", 1.5],
  ["network.listen", "1:2:3:99999999"],
  ["network.mdns", "maybe"],
  ["network.peers", "desktop"],
  ["no.such", "1"],
];

test("a setting may have what its reader understands, and nothing else", () => {
  for (const [name, raw] of GOOD) checkSetting(name, raw);
  for (const [name, raw] of BAD) assert.throws(() => checkSetting(name, raw), { code: "usage" }, `${name} = ${String(raw)}`);
});

test("the environment wins over the file, and the file over the default; each value says where it is from", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-config-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "config.toml");
  assert.deepEqual(new Set(loadConfig(file, {}).values.map(({ origin }) => origin)), new Set(["default"]));
  writeFileSync(file, 'store.capacity = "2GiB"\n[sharing]\npolicy = "self"\n');
  const { config, values } = loadConfig(file, { CAIRN_SHARING_POLICY: "speculative" });
  assert.deepEqual([config.storeCapacityBytes, config.sharingPolicy], [2 * 1024 ** 3, "speculative"]);
  const origins = new Map(values.map(({ name, origin }) => [name, origin]));
  assert.deepEqual([...origins.keys()], settingNames);
  assert.deepEqual(
    ["store.capacity", "sharing.policy", "log.level"].map((name) => origins.get(name)),
    [file, "CAIRN_SHARING_POLICY", "default"],
  );
  for (const text of ["[store", 'store.capacity = "x"', "no.such = 1"]) {
    writeFileSync(file, text);
    assert.throws(() => loadConfig(file, {}), { code: "config-invalid" }, text);
  }
});
