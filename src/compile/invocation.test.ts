import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Invocation, Reading } from "./command.ts";
import { passAtOnce, readInvocation, tellingVariables } from "./invocation.ts";
import { passReasons } from "./pass-reasons.ts";

/** The project lies at /p in these tests; `@` stands for it. */
const portable = (path: string): string => path.replace(/^\/p(?=\/|$)/, "@");

function read(argv: readonly string[], texts: Record<string, string> = {}): Reading {
  const family = argv[0]?.includes("clang") ? "clang" : "gcc";
  return readInvocation({ argv, family, environment: new Map() }, portable, (path) => texts[path]);
}

function compiled(line: string, texts?: Record<string, string>): Invocation {
  const reading = read(line.split(" "), texts);
  assert.ok(reading.kind === "compile", `${line}: ${JSON.stringify(reading)}`);
  return reading.invocation;
}

const list = (name: string, items: readonly string[]): string[] => (items.length === 0 ? [] : [`${name} ${items.join(" ")}`]);

/** One line: language and mode | files written | what of the source matters | dependency file | … */
function summary(reading: Reading): string {
  if (reading.kind === "pass") return `pass ${reading.reason}`;
  const it = reading.invocation;
  const infos = [it.lineInfo && "lines", it.contentInfo && "content", it.layoutInfo && "layout", it.hidesPaths && "hidden"];
  return [
    `${it.language} ${it.mode}`,
    it.outputs.map(({ path }) => path).join(" ") || "-",
    infos.filter((info) => info !== false).join(" ") || "-",
    ...(it.depfile === undefined ? [] : [it.depfile.headers]),
    ...list("dep", it.depfileArgs),
    ...list("key", it.keyArgs.slice(1)),
    ...list("search", it.searchArgs.slice(0, -2)),
    ...list("native", it.nativeArgs),
    ...list(
      "reads",
      it.inputFiles.map(({ path, optional }) => `${path}${optional ? "?" : ""}`),
    ),
    ...list("includes", it.forcedIncludes),
    ...list("defines", it.defines),
  ].join(" | ");
}

test("command lines are read as the table says", () => {
  const cases = readFileSync(new URL("invocation-cases.txt", import.meta.url), "utf8")
    .trim()
    .split("\n");
  assert.ok(cases.length > 350);
  for (const line of cases.filter((text) => !text.startsWith("#"))) {
    const [command = "", expected] = line.split(" => ");
    assert.equal(summary(read(command.split(" "))), expected, command);
  }
});

test("response files are part of the command line, and named", () => {
  const texts = { "a.rsp": "-c 'dir/x y.c'\n@b.rsp", "b.rsp": '-DS=\\"q\\" -O2' };
  const invocation = compiled("gcc @a.rsp -MD", texts);
  assert.deepEqual(invocation.keyArgs, ["-c", "dir/x y.c", '-DS="q"', "-O2"]);
  assert.deepEqual(invocation.outputs, [
    { path: "x y.o", role: "object" },
    { path: "x y.d", role: "depfile" },
  ]);
  assert.deepEqual(invocation.responseFiles, ["a.rsp", "b.rsp"]);
  assert.equal(summary(read(["gcc", "-c", "x.c", "@a"], { a: "'one\\two'" })), "pass response_file");
});

test("variables that make the compiler do more are a reason to pass", () => {
  for (const name of tellingVariables) {
    const command = { argv: ["gcc", "-c", "x.c"], family: "gcc" as const, environment: new Map([[name, ""]]) };
    assert.deepEqual(
      readInvocation(command, portable, () => undefined),
      { kind: "pass", reason: "environment", detail: name },
    );
  }
});

test("what only clang has is never taken for the same of gcc, which reads two other options", () => {
  for (const option of ["-include-pch", "-isystem-after"]) {
    assert.equal(summary(read(["gcc", option, "-DX=1", "-c", "x.c"])), "pass unsupported_option");
    assert.equal(read(["clang", option, "dir/x", "-c", "x.c"]).kind, "compile");
  }
});

test("the probe is told the language", () => {
  assert.deepEqual(compiled("g++ -c x.c -I a").searchArgs, ["-I", "a", "-x", "c++"]);
  assert.deepEqual(compiled("gcc -c x.mii").searchArgs, ["-x", "objective-c++"]);
  assert.deepEqual(compiled("gcc -c x.s").searchArgs, ["-x", "assembler-with-cpp"]);
});

const inCheckout = (root: string): Reading =>
  readInvocation(
    {
      argv: `gcc -g -c ${root}/x.c -I${root}/inc -o ${root}/out/x.o -MD -MT ${root}/out/x.o`.split(" "),
      family: "gcc",
      environment: new Map(),
    },
    (path) => path.replace(root, "@"),
    () => undefined,
  );

test("two checkouts share a key, unless an output hides where they lie", () => {
  const [one, two] = [inCheckout("/home/a"), inCheckout("/srv/b/c")];
  assert.ok(one.kind === "compile" && two.kind === "compile");
  assert.deepEqual(one.invocation.keyArgs, two.invocation.keyArgs);
  assert.deepEqual(one.invocation.depfileArgs, two.invocation.depfileArgs);
});

const word = fc.oneof(
  fc.constantFrom(
    "-c",
    "-S",
    "-o",
    "x.c",
    "y.cc",
    "-MD",
    "-MF",
    "-MT",
    "-I",
    "-Ia",
    "-D",
    "-DX",
    "-x",
    "c",
    "c++",
    "-g",
    "-g0",
    "-gsplit-dwarf",
    "--coverage",
    "-Xclang",
    "-include-pch",
    "-mllvm",
    "-Wa,--defsym",
    "-Wp,-MD,f",
    "@f",
    "-",
    "",
    "-march=native",
    "-flto",
    "-w",
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ maxLength: 12 }).map((text) => `-${text}`),
);

test("whatever the arguments are, the answer is a compile or a named reason", () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.constantFrom("gcc", "clang"), fc.string(), (args, compiler, text) => {
      const reading = read([compiler, ...args], { f: text });
      if (reading.kind === "pass") assert.ok(Object.hasOwn(passReasons, reading.reason));
      else assert.ok(reading.invocation.outputs.length > 0 || reading.invocation.mode === "syntax");
    }),
    { numRuns: 2000 },
  );
});

test("what is passed at a first look is passed at a second", () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      if (passAtOnce(["gcc", ...args]) !== undefined && !args.some((arg) => optionsWithValue.has(arg))) {
        assert.equal(read(["gcc", ...args]).kind, "pass");
      }
    }),
    { numRuns: 1000 },
  );
  assert.deepEqual(passAtOnce(["cc", "x.o"]), { kind: "pass", reason: "called_for_link" });
  assert.deepEqual(passAtOnce(["cc", "all.hpp"]), { kind: "pass", reason: "precompiled_header_creation", detail: "all.hpp" });
  assert.deepEqual(passAtOnce(["cc", "--version"]), { kind: "pass", reason: "called_for_information", detail: "--version" });
  assert.deepEqual(passAtOnce(["cc", "-c"]), { kind: "pass", reason: "no_input_file" });
  assert.equal(passAtOnce(["cc", "@all"]), undefined);
  assert.equal(passAtOnce(["cc", "-c", "x.c"]), undefined);
});

/** After these, an argument that looks telling is only a value. */
const optionsWithValue = new Set([
  "-o",
  "-MF",
  "-MT",
  "-I",
  "-D",
  "-x",
  "-Xclang",
  "-mllvm",
  "-include-pch",
  "-L",
  "-U",
  "-l",
  "-T",
  "-u",
  "-z",
  "-e",
]);

test("dependency options do not touch the key of the compile", () => {
  const option = fc.constantFrom("-MD", "-MMD", "-MF q.d", "-MFr.d", "-MT t", "-MQ q", "-MP");
  fc.assert(
    fc.property(fc.array(option, { maxLength: 5 }), (options) => {
      const reading = read(["gcc", "-c", "x.c", "-O2", "-MD", ...options.flatMap((text) => text.split(" "))]);
      assert.ok(reading.kind === "compile");
      assert.deepEqual(reading.invocation.keyArgs, ["-c", "x.c", "-O2"]);
    }),
  );
});

const keyOf = (order: readonly string[]): readonly string[] => compiled(`gcc -c x.c ${order.map((name) => `-D${name}`).join(" ")}`).keyArgs;

test("the order of definitions belongs to the key", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[A-Z]{1,4}$/), { minLength: 2, maxLength: 5 });
  fc.assert(
    fc.property(names, (order) => {
      assert.notDeepEqual(keyOf(order), keyOf(order.toReversed()));
    }),
  );
});
