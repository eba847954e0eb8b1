/**
 * Compiles that another machine does: real daemons on loopback, real compilers, the sandbox.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, counted, type Env, run, type TestNode, writeFiles } from "./harness.ts";
import { cairn, PATIENT, until } from "./network-world.ts";
import { helped, occupy } from "./remote-world.ts";
import { build, checkoutOf, heard } from "./sharing-world.ts";

/** Files of a directory for one machine. */
function project(node: TestNode, files: Readonly<Record<string, string>>, name = "project"): string {
  const directory = join(dirname(node.home), name);
  writeFiles(directory, files);
  return directory;
}

/** Compiles with the compiler alone and with Cairn: whatever was written and printed must be the same. @returns what was counted */
async function compare(
  node: TestNode,
  compiler: string,
  args: readonly string[],
  outputs: readonly string[],
  where: { readonly cwd: string; readonly env?: Env },
): Promise<Record<string, number>> {
  const read = (): (Buffer | undefined)[] =>
    outputs.map((output) => {
      const path = join(where.cwd, output);
      try {
        return readFileSync(path);
      } catch {
        return undefined;
      } finally {
        rmSync(path, { force: true });
      }
    });
  const alone = await run(compiler, args, where);
  const expected = read();
  const [, counts] = await heard(node, async () => {
    assert.deepEqual(await node.cc(compiler, args, where), alone, args.join(" "));
    assert.deepEqual(read(), expected, args.join(" "));
  });
  return counts;
}

test("what a busy machine compiles, another does for it: objects, dependency files and warnings as if it were here", PATIENT, async (t) => {
  const [builder] = await helped(t, 1);
  const directory = checkoutOf(builder, "checkout");
  await occupy(t, builder);
  const counts = await build(builder, directory);
  assert.equal(counts.built_elsewhere, 3, JSON.stringify(counts));
  assert.equal(counts.miss, undefined);

  const explained = await cairn(builder, "explain", join(directory, "src/warns.c"));
  assert.match(explained.stdout, /miss, compiled by another machine/);
  assert.match(explained.stdout, /compiled by\s+helper0, in .* of compiling; .* sent, .* came/);
  assert.match(explained.stdout, /chosen\s+by (?:the coordinator|this machine)/);
  const stats = await cairn(builder, "stats");
  assert.match(stats.stdout, /compiled by other machines\s+3/);
  assert.match(stats.stdout, /compiled by\s+compiles.*\n\s*helper0\s+3/);

  // It was kept: the next time it is a hit.
  const { hit_local: local = 0, hit_daemon: asked = 0, ...others } = await build(builder, directory);
  assert.deepEqual([local + asked, others], [3, {}]);
});

const COMMANDS: readonly { readonly args: string; readonly compiler?: string; readonly outputs?: string; readonly env?: Env }[] = [
  { args: "-g -O2 -c src/unit.c -o out/unit.o" },
  { args: "-g3 -O2 -MMD -MP -c src/unit.c -o out/unit.o", outputs: "out/unit.o out/unit.d" },
  { args: "-O2 -Iinclude -MD -MT first -MF out/deps -c src/unit.c -o out/unit.o", outputs: "out/unit.o out/deps" },
  { args: "-O1 -Wp,-MD,out/deps -c src/unit.c -o out/unit.o", outputs: "out/unit.o out/deps" },
  { args: "-S -O1 src/unit.c -o out/unit.s", outputs: "out/unit.s" },
  { args: "-Wall -Wextra -fdiagnostics-color=always -c src/warns.c -o out/unit.o" },
  { args: "-Wall -c src/warns.c -o out/unit.o", env: { LANG: "C.UTF-8" } },
  { args: "-O1 -include src/forced.h -c src/unit.c -o out/unit.o" },
  { args: "-O1 -DCONFIG=<config/one.h> -Iinclude -c src/computed.c -o out/unit.o" },
  { args: "-std=c++17 -O1 -g -c src/unit.cpp -o out/unit.o", compiler: "g++" },
  { args: "-c src/unit.S -o out/unit.o" },
  { args: "-O1 -I../project11/include -c ../project11/src/unit.c -o out/unit.o" },
];

test("options, languages and paths of every kind", PATIENT, async (t) => {
  const [builder] = await helped(t, 1);
  const files = {
    "include/shape.h": "#pragma once\n#if __has_include(<missing.h>)\n#include <missing.h>\n#endif\nstruct shape { int sides; };\n",
    "include/config/one.h": "#define ONE 1\n",
    "include/default.h": "#define ONE 2\n",
    "src/forced.h": "#define FORCED 3\n",
    "src/unit.c":
      '#include <stdio.h>\n#include "../include/shape.h"\nint sides(struct shape *s) { return printf("%s", __FILE__) + s->sides; }\n',
    "src/warns.c": "int twice(int x) { int unused = 1; return 2 * x; }\n",
    "src/computed.c": '#ifndef CONFIG\n#define CONFIG "default.h"\n#endif\n#include CONFIG\nint one = ONE;\n',
    "src/unit.cpp": "#include <map>\n#include <string>\nint size(const std::map<std::string, int>& m) { return m.size() + __LINE__; }\n",
    "src/unit.S": '#include "forced.h"\n.globl forced\nforced: .long FORCED\n.incbin "src/forced.h"\n',
    "out/.keep": "",
  };
  await occupy(t, builder);
  for (const [at, { args, compiler = "gcc", outputs = "out/unit.o", env = {} }] of COMMANDS.entries()) {
    const cwd = project(builder, files, `project${at}`); // What was compiled before may be known not to be worth sending.
    const counts = await compare(builder, compiler, args.split(" "), outputs.split(" "), { cwd, env });
    assert.equal(counts.built_elsewhere, 1, `${args}: ${JSON.stringify(counts)}`);
  }
});

test("what only this machine can do is done here, and says why", PATIENT, async (t) => {
  const [builder] = await helped(t, 1);
  const cwd = project(builder, {
    "unit.c": "int unit(void) { return 1; }\n",
    "broken.c": "int broken(void) { return none; }\n",
    "warns.c": "int twice(int x) { int unused = 1; return 2 * x; }\n",
    "linked.c": '#include "way/../beside.h"\nint linked = BESIDE;\n',
    "elsewhere/inner/.keep": "",
    "elsewhere/beside.h": "#define BESIDE 1\n",
  });
  symlinkSync("elsewhere/inner", join(cwd, "way"));
  await occupy(t, builder);
  const kept = async (args: string, env: Env = {}): Promise<string> => {
    const counts = await compare(builder, "gcc", args.split(" "), ["out.o", "out.gcno"], { cwd, env });
    assert.equal(counts.built_elsewhere, undefined, args);
    return Object.keys(counts)
      .filter((name) => name.startsWith("kept_here:"))
      .join();
  };
  assert.equal(await kept("-march=native -c unit.c -o out.o"), "kept_here:machine_dependent");
  assert.equal(await kept("--coverage -frandom-seed=1 -c unit.c -o out.o"), "kept_here:outputs");
  assert.equal(await kept("-c linked.c -o out.o"), "kept_here:links");
  assert.equal(await kept("-c unit.c -o out.o", { CPATH: "/nowhere" }), "kept_here:environment");
  // Errors are those of the compiler here, and the next time it is not tried elsewhere.
  // Of this kind of compile nothing was measured yet: it is worth sending.
  assert.equal(await kept("-O3 -c broken.c -o out.o"), "kept_here:result_failed");
  assert.equal(await kept("-O3 -c broken.c -o out.o"), "kept_here:failed_before");
});

/** Headers whose names only the preprocessor knows: each unit begins with UNNAMED. */
const UNNAMED = "#define TEXT_OF(x) #x\n#define HEADER(x) TEXT_OF(x)\n#include HEADER(odd/inner.h)\n";
const UNNAMED_FILES = {
  "include/odd/inner.h": "#pragma once\n#define INNER 4\nstatic const char *const inner_in = __FILE__;\n#include HEADER(deeper.h)\n",
  "include/odd/deeper.h": "#define DEEPER 1\n",
  "include/wrapped.h": "#include_next <wrapped.h>\n#define WRAPPED (1 + BEHIND)\n",
  "second/wrapped.h": "#define BEHIND 2\n",
  "made/by-a-tool.h": "#define BESIDE <odd/deeper.h>\n#define MADE 5\n",
  "src/unit.c": `${UNNAMED}#include <stdio.h>\nint unit(void) { return printf("%s %s %d", __FILE__, inner_in, INNER + __LINE__); }\n`,
  "src/unit.cpp": `${UNNAMED}#include <map>
#include <string>
int unit(std::map<std::string, int>& all) { return ++all[inner_in] + INNER + __LINE__; }
`,
  "src/made.c": "#define IN(x) <x>\n#include IN(odd/deeper.h)\nint made = MADE + DEEPER;\n",
  "src/wrapped.c": "#define IN(x) <x>\n#include IN(wrapped.h)\nint wrapped = WRAPPED;\n",
  "src/warns.c": `${UNNAMED}#define TWICE(x) ((x) < 0u - 1 ? x : 2)\nint warns(int a) { int unused = INNER; return TWICE(a); }\n`,
  "src/indented.c": `${UNNAMED}int indented(int a) {\n  if (a)\n    a++;\n    a++;\n  return a;\n}\n`,
  "src/parallel.c": `${UNNAMED}int all[64];\nvoid parallel(void) {\n#pragma omp parallel for\n  for (int i = 0; i < 64; i++) all[i] = INNER;\n}\n`,
  "src/renamed.c": `${UNNAMED}#pragma redefine_extname before after\nint before(void);\n#pragma message "said"\nint calls(void) { return before() + INNER; }\n`,
  "src/argument.c": `${UNNAMED}#define ID(...) __VA_ARGS__\nint argument = ID(\n#if INNER == 4\n  4\n#else\n  5\n#endif\n);\n`,
  "src/null.c": `${UNNAMED}int *_Nonnull some(int *_Nullable one, int *two);\n#pragma pack(push, 1)\nint x;\n`,
  "src/counted.c": `${UNNAMED}int first = X;\nint second = X;\n`,
  "src/timed.c": `${UNNAMED}const char *timed = __DATE__;\n`,
  "src/broken.c": `${UNNAMED}int broken(void) { return none; }\n`,
  "src/asks.c": `${UNNAMED}#define MAYBE <odd/deeper.h>\n#if __has_include(MAYBE)\nint there = 1;\n#else\nint there = 0;\n#endif\n`,
  "src/before.c": "#define IN(x) <x>\n#include IN(headed.h)\nint headed = HEADED;\n",
  "include/headed.h": "#define HEADED 1\n",
  "out/.keep": "",
};

const LISTED: readonly { readonly args: string; readonly compiler?: string; readonly outputs?: string }[] = [
  { args: "-O2 -MD -c src/unit.c -o out/unit.o", outputs: "out/unit.o out/unit.d" },
  { args: "-g -O1 -MMD -MP -c src/unit.c -o out/unit.o", outputs: "out/unit.o out/unit.d" },
  { args: "-g -std=c++17 -O1 -MD -MT all -c src/unit.cpp -o out/unit.o", compiler: "g++", outputs: "out/unit.o out/unit.d" },
  { args: "-g -Os -Wall -MD -c src/unit.c -o out/unit.o", compiler: "clang-19", outputs: "out/unit.o out/unit.d" },
  { args: "-g3 -O1 -c src/unit.c -o out/unit.o" },
  { args: "-S -Wall src/unit.c -o out/unit.s", outputs: "out/unit.s" },
  { args: "-Wall -Wextra -c src/warns.c -o out/unit.o" },
  { args: "-Wall -Wextra -c src/warns.c -o out/unit.o", compiler: "clang-19" },
  { args: "-include made/by-a-tool.h -MD -c src/made.c -o out/unit.o", outputs: "out/unit.o out/unit.d" },
  { args: "-include by-a-tool.h -Imade -MD -c src/made.c -o out/unit.o", compiler: "clang-19", outputs: "out/unit.o out/unit.d" },
  { args: "-MD -c src/wrapped.c -o out/unit.o", outputs: "out/unit.o out/unit.d" },
  { args: "-MD -c src/wrapped.c -o out/unit.o", compiler: "clang-19", outputs: "out/unit.o out/unit.d" },
  { args: "-Wall -c src/indented.c -o out/unit.o" },
  { args: "-fopenmp -g -c src/parallel.c -o out/unit.o" },
  { args: "-g -c src/renamed.c -o out/unit.o" },
  { args: "-c src/argument.c -o out/unit.o" },
  { args: "-Wall -c src/null.c -o out/unit.o", compiler: "clang-19" },
  { args: "-DX=__COUNTER__ -c src/counted.c -o out/unit.o" },
  { args: "-DX=__COUNTER__ -c src/counted.c -o out/unit.o", compiler: "clang-19" },
];

test("headers that only the preprocessor knows go along: what comes is as if it were compiled here", PATIENT, async (t) => {
  const [builder] = await helped(t, 1);
  await occupy(t, builder);
  const places = LISTED.map(({ args, compiler = "gcc", outputs = "out/unit.o" }, at) => {
    const cwd = project(builder, UNNAMED_FILES, `listed${at}`);
    const words = ["-Iinclude", "-Isecond", ...args.split(" ")];
    return { cwd, name: `${compiler} ${args}`, run: () => compare(builder, compiler, words, outputs.split(" "), { cwd }) };
  });
  for (const { name, run: compile } of places) {
    const counts = await compile();
    assert.equal(counts.built_elsewhere, 1, `${name}: ${JSON.stringify([counts, builder.events("remote.not-taken")])}`);
  }
  // What was read is what was told: the same is a hit, and no hit any more when the header is another.
  for (const { cwd, name, run: compile } of places.slice(0, 4)) {
    const again = await compile();
    assert.equal((again.hit_local ?? 0) + (again.hit_daemon ?? 0), 1, `${name}: ${JSON.stringify(again)}`);
    writeFileSync(join(cwd, "include/odd/inner.h"), UNNAMED_FILES["include/odd/inner.h"].replace("4", "5"));
    await age();
    const changed = await compile();
    assert.equal((changed.built_elsewhere ?? 0) + (changed.miss ?? 0), 1, `${name}: ${JSON.stringify(changed)}`);
  }
});

const NOT_LISTED: readonly (readonly [args: string, kept: string])[] = [
  ["-O2 -c src/timed.c -o out/unit.o", "result_time_macro"],
  ["-O3 -c src/asks.c -o out/unit.o", "result_computed_lookup"],
  ["-Os -Wall -Werror -c src/indented.c -o out/unit.o", "result_failed"],
  ["-Og -c src/broken.c -o out/unit.o", "result_failed"],
  ["-O1 -c src/before.c -o out/unit.o", "result_input_differs"],
];

test("of what only the preprocessor knows, what members cannot do is compiled here, and says why", PATIENT, async (t) => {
  const [builder] = await helped(t, 1);
  await occupy(t, builder);
  for (const [at, [args, name]] of NOT_LISTED.entries()) {
    const cwd = project(builder, UNNAMED_FILES, `kept${at}`);
    writeFileSync(join(cwd, "other.h"), "#define HEADED 2\n");
    await run("gcc", ["-O1", "-x", "c-header", "other.h", "-o", "include/headed.h.gch"], { cwd });
    const counts = await compare(builder, "gcc", ["-Iinclude", ...args.split(" ")], ["out/unit.o"], { cwd });
    assert.equal(counts.built_elsewhere, undefined, `${args}: ${JSON.stringify(counts)}`);
    assert.deepEqual(
      Object.keys(counts).filter((counter) => counter.startsWith("kept_here:")),
      [`kept_here:${name}`],
      args,
    );
  }
});

/** A source that keeps a compiler busy, for some 4 s with 100. */
const slow = (values: number): string => `template <int a, int b> struct wide { static constexpr long value = wide<a - 1, b>::value + 1; };
template <int b> struct wide<0, b> { static constexpr long value = b; };
${Array.from({ length: values }, (_, at) => `long slow${at} = wide<800, ${at}>::value;`).join("\n")}
`;

const SLOW = slow(100);

/** A slow compile that the one helper has. */
async function underway(t: TestContext, builder: TestNode, cwd: string): Promise<{ readonly ended: ReturnType<TestNode["cc"]> }> {
  const ended = builder.cc("g++", ["-O0", "-c", "slow.cpp", "-o", "slow.o"], { cwd });
  await until(t, async () => ((await builder.control("GET", "/status")).jobs as { away: number }).away === 1);
  return { ended };
}

test("who compiles may die, or hang: the build goes on here", PATIENT, async (t) => {
  for (const signal of ["SIGKILL", "SIGSTOP"] as const) {
    const [builder, helper] = await helped(t, 1);
    assert.ok(helper !== undefined);
    const cwd = project(builder, { "slow.cpp": SLOW });
    const alone = await run("g++", ["-O0", "-c", "slow.cpp", "-o", "slow.o"], { cwd });
    assert.deepEqual(alone, { code: 0, signal: null, stdout: "", stderr: "" });
    const expected = readFileSync(join(cwd, "slow.o"));
    rmSync(join(cwd, "slow.o"));
    const release = await occupy(t, builder);
    const { ended } = await underway(t, builder, cwd);
    process.kill(helper.pid, signal);
    if (signal === "SIGSTOP") await release(); // A core is idle: what takes long elsewhere is begun here.
    assert.equal((await ended).code, 0);
    assert.deepEqual(readFileSync(join(cwd, "slow.o")), expected);
    if (signal === "SIGSTOP") process.kill(helper.pid, "SIGKILL");
    await release();
  }
});

test("a header that changes while another machine compiles: what it made is not used", PATIENT, async (t) => {
  const [builder] = await helped(t, 1);
  const cwd = project(builder, { "slow.cpp": `#include "value.h"\n${SLOW}`, "value.h": "int value = 1;\n" });
  await occupy(t, builder);
  const { ended } = await underway(t, builder, cwd);
  writeFileSync(join(cwd, "value.h"), "int value = 2;\n");
  assert.equal((await ended).code, 0);
  const made = readFileSync(join(cwd, "slow.o"));
  await run("g++", ["-O0", "-c", "slow.cpp", "-o", "slow.o"], { cwd });
  assert.deepEqual(made, readFileSync(join(cwd, "slow.o")));
  assert.equal((await builder.counters()).built_elsewhere, undefined);
});

test("a build that is given up ends what others do for it", PATIENT, async (t) => {
  const [builder, helper] = await helped(t, 1);
  assert.ok(helper !== undefined);
  const cwd = project(builder, { "slow.cpp": SLOW });
  await occupy(t, builder);
  const env = { ...process.env, ...builder.env };
  const build = spawn(builder.client, ["g++", "-O0", "-c", "slow.cpp", "-o", "slow.o"], { cwd, env, stdio: "ignore" });
  await until(t, () => Promise.resolve(helper.events("work.accepted").length === 1));
  build.kill();
  await until(t, () => Promise.resolve(helper.events("work.cancelled").length === 1));
});

test(
  "more compiles at once than there are cores: they wait for a core or a member, and hardly more run here than there are cores",
  PATIENT,
  async (t) => {
    const [builder] = await helped(t, 1);
    const units = Array.from({ length: 5 * availableParallelism() }, (_, at) => `unit${at}`);
    const files = Object.fromEntries(units.map((unit, at) => [`${unit}.cpp`, `int ${unit} = ${at};\n${slow(8)}`]));
    const cwd = project(builder, { ...files, "slow.cpp": slow(200) });
    const release = await occupy(t, builder);
    await compare(builder, "g++", ["-O0", "-c", "unit0.cpp", "-o", "first.o"], ["first.o"], { cwd }); // Both know the compiler from then on.
    const { ended } = await underway(t, builder, cwd); // While the member works for nobody here, nothing would wait.
    await release();
    const before = await builder.counters();
    const ran = units.map((unit) => builder.cc("g++", ["-O0", "-c", `${unit}.cpp`, "-o", `${unit}.o`], { cwd }));
    let most = 0;
    const all = Promise.all(ran);
    for (let isOver = false; !isOver; ) {
      const { running } = (await builder.control("GET", "/status")).jobs as { running: number };
      most = Math.max(most, running);
      isOver = await Promise.race([all.then(() => true), age().then(() => false)]);
    }
    for (const { code, stderr } of [...(await all), await ended]) assert.equal(code, 0, stderr);
    const counts = counted(before, await builder.counters());
    // On a machine that is busy otherwise some wrappers may not have waited for the daemon's first word.
    assert.ok((counts.built_elsewhere ?? 0) > 0 && (counts.miss ?? 0) > 0, JSON.stringify(counts));
    assert.ok(most < units.length / 2, `${most} at once`); // What has come back as nothing of use does not wait, nor what is late.
  },
);
