/** Settings: what the file and the environment say, who wins, and what is refused with which words. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkSetting, loadConfig, settingNames, settingUnknown } from "./config.ts";
import { CairnError } from "./errors.ts";

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

test("what is told can be set: defaults as they are listed, and both ends of what refusals name, not more", () => {
  for (const { name, value } of loadConfig("/nowhere/config.toml", {}).values) checkSetting(name, value);
  const ends = settingNames.flatMap((name) => {
    const [, least, most] = /from (\d+)%? to (\d+)/.exec(adviceFor(name)) ?? [];
    return least === undefined || most === undefined ? [] : [{ name, least: Number(least), most: Number(most) }];
  });
  assert.ok(ends.some(({ name }) => name === "network.links"));
  for (const { name, least, most } of ends) {
    for (const good of [least, most]) checkSetting(name, good);
    for (const bad of [least - 1, most + 1]) {
      // 0 is how work.memberSeconds tells that there is no end to them.
      if (bad !== 0) assert.throws(() => checkSetting(name, bad), { code: "usage" }, `${name} = ${bad}`);
    }
  }
});

function adviceFor(name: string): string {
  try {
    checkSetting(name, "\0");
  } catch (error) {
    if (error instanceof CairnError) return String(error.facts.advice);
    throw error;
  }
  return "";
}

test("who asks for a setting that there is not is told those that begin alike, or all", () => {
  assert.equal(settingUnknown("store.size").facts.advice, "there are: store.capacity, store.plain");
  assert.equal(settingUnknown("size").facts.advice, `there are: ${settingNames.join(", ")}`);
});

test("docs/settings.md has every setting, with its default and its variable", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-config-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const text = readFileSync(new URL("../../docs/settings.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `([a-z]+\.[\w.]+)` \|(?: `([^`]+)`)? \|/gm)].map(([, name = "", fallback = ""]) => ({
    name,
    fallback,
  }));
  assert.deepEqual(rows.map(({ name }) => name).toSorted(), settingNames.toSorted());

  const defaults = loadConfig("/nowhere/config.toml", {}).values;
  const file = join(directory, "config.toml");
  writeFileSync(file, rows.map(({ name, fallback }) => `${name} = ${JSON.stringify(fallback)}\n`).join(""));
  const told = loadConfig(file, {}).values;
  assert.deepEqual(
    told.map(({ name, value }) => [name, value]),
    defaults.map(({ name, value }) => [name, value]),
  );
  for (const { name, value } of defaults) {
    const variable = `CAIRN_${name.replace(/[A-Z]/g, "_$&").replaceAll(".", "_").toUpperCase()}`;
    if (value === "") continue; // A variable that is empty is as good as none.
    const found = loadConfig(file, { [variable]: String(value) }).values.find((one) => one.name === name);
    assert.equal(found?.origin, variable);
  }
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
