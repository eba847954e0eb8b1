import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "smol-toml";
import { setInToml } from "./config-commands.ts";

test("one setting changes, every other line stays", () => {
  const rows: [before: string, name: string, value: string, after: string][] = [
    ["", "store.capacity", '"50GiB"', '[store]\ncapacity = "50GiB"\n'],
    ["", "plain", "1", "plain = 1\n"],
    ["# mine\n[store]\ncapacity = 1 # old\n", "store.capacity", "2", "# mine\n[store]\ncapacity = 2\n"],
    ["[store]\n# note\n\n[log]\nlevel = 'warn'\n", "store.capacity", "2", "[store]\n# note\ncapacity = 2\n\n[log]\nlevel = 'warn'\n"],
    ["store.capacity = 1\n", "store.capacity", "2", "store.capacity = 2\n"],
    ["[log]\nlevel = 'warn'", "store.capacity", "2", "[log]\nlevel = 'warn'\n\n[store]\ncapacity = 2\n"],
    ["[log]\nlevel = 'warn'\n", "plain", "2", "plain = 2\n[log]\nlevel = 'warn'\n"],
    ["[ store ]\ncapacity=1\n", "store.capacity", "2", "[ store ]\ncapacity = 2\n"],
  ];
  for (const [before, name, value, after] of rows) assert.equal(setInToml(before, name, value), after);
});

test("what is not a name is refused", () => {
  for (const name of ["", "a..b", "a b", "a=1", "[x]", "a.\n"]) assert.throws(() => setInToml("", name, "1"), { code: "usage" });
});

test("whatever was set last is what a reader of the file finds", () => {
  const name = fc.constantFrom("a", "b", "t.a", "t.b", "u.a");
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.integer({ min: 0, max: 9 }))), (changes) => {
      const text = changes.reduce((before, [key, value]) => setInToml(before, key, String(value)), "");
      const wanted = new Map(changes);
      const found = new Map<string, unknown>();
      for (const [key, value] of Object.entries(parse(text))) {
        if (typeof value === "object") for (const [inner, leaf] of Object.entries(value)) found.set(`${key}.${inner}`, leaf);
        else found.set(key, value);
      }
      assert.deepEqual(found, wanted);
    }),
  );
});
