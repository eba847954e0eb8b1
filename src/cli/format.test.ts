import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytes, count, counted, duration, fittedTable, foldedTable, harmless, harmlessJson, share, table } from "./format.ts";

test("sizes", () => {
  const rows: [number, string][] = [
    [0, "0 B"],
    [812, "812 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1434, "1.4 KiB"],
    [1_048_576, "1 MiB"],
    [61_000_000, "58.2 MiB"],
    [20 * 1024 ** 3, "20 GiB"],
    [1023.9 * 1024, "1 MiB"],
    [-5, "0 B"],
  ];
  for (const [value, text] of rows) assert.equal(bytes(value), text);
});

test("durations", () => {
  const rows: [number, string][] = [
    [0, "0 ms"],
    [340.4, "340 ms"],
    [999.6, "1.0 s"],
    [4_240, "4.2 s"],
    [59_949, "60 s"],
    [59_950, "1 m 00 s"],
    [72_000, "1 m 12 s"],
    [3_599_600, "1 h 00 m"],
    [11_100_000, "3 h 05 m"],
    [187_200_000, "2 d 4 h"],
  ];
  for (const [ms, text] of rows) assert.equal(duration(ms), text);
});

test("counts and shares", () => {
  assert.equal(count(1234567), "1\u00a0234\u00a0567");
  assert.equal(counted(1, "miss", "misses"), "1 miss");
  assert.equal(counted(0, "miss", "misses"), "0 misses");
  const rows: [number, number, string][] = [
    [0, 0, ""],
    [0, 7, "0 %"],
    [7, 7, "100 %"],
    [112, 118, "95 %"],
    [1, 300, "0.3 %"],
    [99_999, 100_000, "99.9 %"],
    [995, 1000, "99.5 %"],
  ];
  for (const [part, whole, text] of rows) assert.equal(share(part, whole), text);
});

test("less than all is never shown as all", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), fc.nat(), (whole, some) => {
      const part = some % whole;
      return share(part, whole) !== "100 %";
    }),
  );
});

test("columns are as wide as their widest cell, colours do not count", () => {
  const rows = [
    ["hits", "1 100"],
    ["\u001b[32mmisses\u001b[39m", "4"],
  ];
  assert.deepEqual(table(rows, ["left", "right"]), ["hits    1 100", "\u001b[32mmisses\u001b[39m      4"]);
  assert.deepEqual(table([["a", ""]]), ["a"]);
});

test("the last column is folded where a terminal is too narrow for it", () => {
  const rows = [
    ["ok", "compilers", "c++ cc clang-14 clang-19 g++ gcc g++-12"],
    ["no", "daemon", "none"],
  ];
  assert.deepEqual(foldedTable(rows, 40), [
    "ok  compilers  c++ cc clang-14 clang-19",
    "               g++ gcc g++-12",
    "no  daemon     none",
  ]);
  for (const columns of [undefined, 30, 80]) assert.deepEqual(foldedTable(rows, columns), table(rows));
  assert.deepEqual(foldedTable([], 80), []);
});

test("where a terminal is too narrow for a table, each row comes as lines of its own", () => {
  const [head, rows] = [
    ["name", "address", "state"],
    [
      ["ci", "/ip4/192.0.2.2/tcp/4711", "1 m 12 s"],
      ["old", "", "unreachable: no address is known of it"],
    ],
  ];
  for (const columns of [undefined, 80]) assert.deepEqual(fittedTable(head, rows, columns), table([head, ...rows]));
  assert.deepEqual(fittedTable(head, rows, 40), [
    "ci",
    "  address  /ip4/192.0.2.2/tcp/4711",
    "  state    1 m 12 s",
    "old",
    "  state  unreachable: no address is",
    "         known of it",
  ]);
});

test("what others say cannot move the cursor, colour a terminal or turn letters around", () => {
  const rows: readonly (readonly [text: string, shown: string])[] = [
    ["int größe = 1; // 大", "int größe = 1; // 大"],
    ["\u001b[31mred\u001b]0;title\u0007", "\\u{1b}[31mred\\u{1b}]0;title\\u{7}"],
    ["a\tb\rc\nd\u009b2Jx", "a b\\u{d}c\\u{a}d\\u{9b}2Jx"],
    ["\u202etxet\u2066\u200b\u2028", "\\u{202e}txet\\u{2066}\\u{200b}\\u{2028}"],
    ["\ud800", "\\u{d800}"],
  ];
  for (const [text, shown] of rows) assert.equal(harmless(text), shown);
});

test("JSON does nothing to a terminal either, and means the same", () => {
  const value = { "na\u202eme": ["\u009b31m", "\u001b[2J", "\u2066x\u2069", "\u{e0041}", "one\ntwo\t", "ä 日 🙂"] };
  const text = harmlessJson(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.ok(!/[^\P{C}\n]/u.test(text), text);
  assert.ok(text.includes("\\u009b31m") && text.includes("ä 日 🙂"), text);
  const line = harmlessJson(value, 0);
  assert.deepEqual(JSON.parse(line), value);
  assert.ok(!line.includes("\n") && !/\p{C}/u.test(line), line);
});
