/**
 * What two builds' files say about why they differ.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { archiveDifference, membersOf } from "./archive.ts";
import { causeOf, isReordered, sampleOf, type Told } from "./clues.ts";
import { type Call, readCalls } from "./recorder.ts";
import { tarCauses } from "./tar.ts";

const told: Told = {
  roots: ["/tmp/a/p", "/tmp/somewhere/else/p"],
  names: ["somebody", "ann"],
  locale: "de_DE.utf8",
  zones: ["EAST", "WEST", "+1400", "-1200"],
};

test("a cause is told by what differs, and nothing is made up where it looks like nothing", () => {
  const table: readonly (readonly [first: string, second: string, cause: string | undefined])[] = [
    ['f = "/tmp/a/p/x.c"', 'f = "/tmp/somewhere/else/p/x.c"', "build path"],
    ['"Nov 22 2026" "11:47:47"', '"Nov 21 2026" "09:47:47"', "date and time"],
    ["built 1795297662", "built 1795297663", "date and time"],
    ["1795297662372543066", "1795297663799975739", "date and time"],
    ["2026-11-21", "2026-11-22", "date and time"],
    ["by ann@vm", "by somebody@vm", "user or host name"],
    ["EAST", "WEST", "time zone"],
    ["LANG C", "LANG de_DE.utf8", "locale"],
    ["279430f56d7481de", "5b342eca893300e4", "random seed"],
    ["mov eax, 1", "mov eax, 2", undefined],
    ["version 1.2", "version 1.3", undefined],
    ["somebody 1", "somebody 2", undefined], // Both know that name.
  ];
  for (const [first, second, cause] of table) assert.equal(causeOf(sampleOf(first, second), told), cause, first);
});

test("the sample is the first line that differs, from a little before the place", () => {
  const long = "x".repeat(1_000);
  assert.deepEqual(sampleOf(`same\n${long}1${long}`, `same\n${long}2${long}`, "a.c:2"), {
    where: "a.c:2",
    first: `${"x".repeat(80)}1${"x".repeat(79)}`,
    second: `${"x".repeat(80)}2${"x".repeat(79)}`,
  });
  assert.deepEqual(sampleOf("a", "a\nb"), { where: "", first: "", second: "b" });
  assert.equal(sampleOf("\0a", "\0b").first, "·a");
});

test("words in another order are told from other words", () => {
  const property = fc.property(fc.array(fc.stringMatching(/^[a-z]{1,5}$/), { minLength: 2 }), (words) => {
    const other = words.toReversed();
    assert.equal(isReordered(words.join(" "), other.join(" ")), words.join(" ") !== other.join(" "));
    assert.ok(!isReordered(words.join(" "), `${words.join(" ")}x`));
  });
  fc.assert(property);
});

/** As ar writes it. */
function archive(...members: readonly (readonly [name: string, content: string, facts?: { mtime?: number; mode?: string }])[]): Buffer {
  const parts = members.map(([name, content, { mtime = 0, mode = "100644" } = {}]) => {
    const header = `${`${name}/`.padEnd(16)}${String(mtime).padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${mode.padEnd(8)}${String(content.length).padEnd(10)}\`\n`;
    return header + content + (content.length % 2 === 1 ? "\n" : "");
  });
  return Buffer.from(`!<arch>\n${parts.join("")}`, "latin1");
}

test("why two archives differ", () => {
  const plain = archive(["a.o", "A"], ["b.o", "BB"]);
  assert.equal(archiveDifference(plain, plain), undefined);
  assert.deepEqual(archiveDifference(plain, archive(["a.o", "A"], ["b.o", "CC"])), { kind: "members", names: ["b.o"] });
  assert.deepEqual(archiveDifference(plain, archive(["a.o", "A"])), { kind: "members", names: ["b.o"] });
  assert.deepEqual(archiveDifference(archive(["a.o", "A"]), plain), { kind: "members", names: ["b.o"] });
  assert.deepEqual(archiveDifference(plain, archive(["b.o", "BB"], ["a.o", "A"])), { kind: "order" });
  assert.deepEqual(archiveDifference(plain, archive(["a.o", "A", { mtime: 7 }], ["b.o", "BB"])), { kind: "facts", isMode: false });
  assert.deepEqual(archiveDifference(plain, archive(["a.o", "A", { mode: "100600" }], ["b.o", "BB"])), { kind: "facts", isMode: true });
  assert.equal(archiveDifference(plain, Buffer.from("no archive")), undefined);
});

test("nothing that begins like an archive makes the reader throw", () => {
  const property = fc.property(fc.string({ unit: "binary-ascii", maxLength: 200 }), fc.nat(120), (noise, at) => {
    const whole = archive(["a.o", "A"], ["b.o", "BB"]).toString("latin1");
    membersOf(Buffer.from(whole.slice(0, at) + noise + whole.slice(at), "latin1"));
    membersOf(Buffer.from(`!<arch>\n${noise}`, "latin1"));
  });
  fc.assert(property);
});

/** As tar writes it: one file. */
function tar(...files: readonly { name: string; content?: string; mode?: string; mtime?: string }[]): Buffer {
  const blocks = files.map(({ name, content = "x", mode = "0000644", mtime = "00000000000" }) => {
    const header = Buffer.alloc(512);
    const fields: readonly (readonly [number, string])[] = [
      [0, name],
      [100, mode],
      [108, "0000000"],
      [116, "0000000"],
      [124, content.length.toString(8).padStart(11, "0")],
      [136, mtime],
      [257, "ustar"],
    ];
    for (const [at, text] of fields) header.write(text, at, "latin1");
    const body = Buffer.alloc(512);
    body.write(content, "latin1");
    return Buffer.concat([header, body]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(1_024)]);
}

test("why two tar archives differ", () => {
  const plain = tar({ name: "a" }, { name: "b" });
  const table: readonly (readonly [other: Buffer, causes: readonly string[]])[] = [
    [plain, []],
    [tar({ name: "a", mode: "0000640" }, { name: "b" }), ["umask"]],
    [tar({ name: "a", mtime: "00000000007" }, { name: "b" }), ["times and owners in the archive"]],
    [tar({ name: "b" }, { name: "a" }), ["order of files"]],
    [tar({ name: "a", content: "y" }, { name: "b" }), []],
    [Buffer.from("no archive"), []],
  ];
  for (const [other, causes] of table) assert.deepEqual(tarCauses(plain, other), causes);
});

test("calls are read as they were noted, and what a killed process had begun is left out", () => {
  const argument = fc.string({ unit: "binary-ascii" }).map((text) => text.replaceAll("\0", ""));
  const call = fc.record<Call>(
    {
      kind: fc.constantFrom("compiler", "archiver"),
      cwd: fc.constant("/tmp/a"),
      argv: fc.array(argument, { minLength: 1, maxLength: 4 }),
      environment: fc.dictionary(fc.stringMatching(/^[A-BD-Z]{1,4}$/), argument, { maxKeys: 3, noNullPrototype: true }),
    },
    { noNullPrototype: true },
  );
  const written = ({ kind, cwd, argv, environment }: Call): string =>
    [argv.length, cwd, kind, ...argv, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`), ""]
      .map((one) => `${one}\0`)
      .join("");
  const property = fc.property(fc.array(call, { maxLength: 3 }), fc.nat(40), (calls, cut) => {
    const text = calls.map(written).join("");
    assert.deepEqual(readCalls(text), calls);
    const whole = readCalls(text.slice(0, Math.max(0, text.length - 1 - cut)));
    assert.deepEqual(whole, calls.slice(0, whole.length));
  });
  fc.assert(property);
});
