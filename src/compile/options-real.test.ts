/**
 * Runs the compilers of this machine and compares the files that they write with those that were foretold.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, normalize } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { readInvocation } from "./invocation.ts";

const run = promisify(execFile);
const compilers = ["gcc", "g++", "clang-14", "clang-19", "clang++-19"];

const files: Record<string, string> = {
  "src/x.c": '#include "h.h"\nint f(int a) { return a + X; }\n',
  "src/h.h": "#define X 1\n",
  "src/y.foo.c": "int g(void) { return 2; }\n",
  "src/data.c": "extern int nothing;\n",
  "src/x.cc": "namespace { int h() { return 1; } }\nint k() { return h(); }\n",
  "src/x.i": "int g;\n",
  "src/x.m": "int main(void) { return 0; }\n",
  "src/x.S": "#define Q 1\n.text\nf: .long Q\n",
  "src/x.s": ".text\nf: .long 1\n",
  "src/odd": "int odd;\n",
  "args.rsp": "-c src/x.c\n-o 'out/a b.o' -MD",
};

/** `gcc:` or `clang:` in front: only these understand it. */
const commands = `
  -c src/x.c
  -S src/x.c
  -fsyntax-only src/x.c
  -c -S src/x.c
  -S -fsyntax-only src/x.c
  -c src/y.foo.c -MD
  -c src/x.c -MMD -o out/a.b.o
  -c src/x.c -MD -o out/a
  -c src/x.c -MD -o out/a.
  -c src/x.c -MD -o out.d/a
  -c src/x.c -MD -o .hidden.o
  -c src/x.c -MD -o .o
  -c ./src/../src/x.c -MD -o ./out//a.o
  -c src/x.c -MD -MF q.d -MT tgt -MQ a$b
  -c src/x.c -MD -MFq.d -MTtgt -MP -oout/a.o
  -c src/x.c -MD -MF q1.d -MF q2.d
  -c src/x.c -MD -MMD -MP
  -c src/x.c -Wp,-MD,q.d -o out/a.o
  -c src/x.c -Wp,-MMD,out/.a.o.d -MT foo -o out/a.o
  -c src/x.c -Wp,-DQ=1,-UX
  -S src/x.c -MD -o out/a.s
  -fsyntax-only src/x.c -MD -MF q.d
  -fsyntax-only src/x.c -MD -o out/a.o
  -c src/x.S -MD -o out/a.o
  -c src/x.s -MD -o out/a.o
  -c src/x.i -MD -o out/a.o
  -c src/x.i -Wp,-MD,q.d
  -c src/x.cc -MD --coverage -g -gsplit-dwarf
  -c src/x.m -MD
  -c -x c src/odd
  -c -xc++ src/x.c -MD
  -c -x c++ -x none src/x.c
  -c src/x.c --include-directory=src --define-macro=Q --output=out/a.o
  -c src/x.cc -I src -isystem src -iquotesrc -DQ -D Q2=3 -U Q -std=gnu++17 -w
  -c src/x.c -include src/h.h
  -c src/x.c -pipe -pthread -fPIC -fno-common -fvisibility=hidden -march=native
  -c src/x.c -g -gsplit-dwarf -o out/a.b.o
  -c src/x.c -g -gsplit-dwarf -o out/a
  -c src/x.c -gsplit-dwarf
  -c src/x.c -g -g0 -gsplit-dwarf -o out/a.o
  -c src/x.c -g0 -gdwarf-4 -gsplit-dwarf -o out/a.o
  -c src/x.c -gz -gsplit-dwarf -o out/a.o
  -c src/x.c -g -gsplit-dwarf -gno-split-dwarf -o out/a.o
  clang: -c src/x.c -g -gsplit-dwarf=single -o out/a.o
  clang: -c src/x.c -g -gsplit-dwarf=split -o out/a.o
  clang: -c src/x.c -gline-directives-only -gsplit-dwarf -o out/a.o
  -S src/x.c -g -gsplit-dwarf -o out/q.s
  -S src/y.foo.c -g -gsplit-dwarf
  -c src/data.c -g -gsplit-dwarf --coverage -fstack-usage
  -c src/x.S -gsplit-dwarf -o out/a.o
  -c src/x.s -g0 -gsplit-dwarf -o out/a.o
  -c src/x.S -fstack-usage --coverage -g -o out/a.o
  -c src/x.c --coverage -o out/a.b.o
  -c src/x.c -coverage -o out/a
  -c src/x.c -ftest-coverage -fno-test-coverage
  -c src/x.c --coverage -fno-test-coverage
  -c src/x.c -fprofile-arcs -o out/a.o
  -c src/x.c -fprofile-generate -ftest-coverage -o out/a.o
  -S src/x.c --coverage -fstack-usage -o out/a.s
  clang: -c src/x.c -fcoverage-mapping -fprofile-instr-generate -o out/a.o
  -c src/x.c -fstack-usage -o out/a.b.o
  -c src/x.i -fstack-usage -g -gsplit-dwarf --coverage -o out/a.o
  -c src/x.c -flto -o out/a.o
  -c src/x.c -flto --coverage -MD -o out/a.o
  clang: -c src/x.c -flto=thin -g -o out/a.o
  -c src/x.c -MD --coverage -fstack-usage -g -gsplit-dwarf -o dir.d/../out/a.xyz
  -c src/x.c -fsanitize=address,undefined -g -o out/a.o
  -c src/x.c -Wa,--noexecstack -Wa,-W -o out/a.o
  gcc: -c src/x.S -Wa,--defsym,Z=1 -Xassembler --divide -MD
  -c src/x.c -L. -Wl,--foo -shared -s -lfoo
  -c src/x.c -fverbose-asm -fno-builtin-printf -falign-functions=32 --param ssp-buffer-size=4
  @args.rsp
`;

const directory = mkdtempSync(join(tmpdir(), "cairn-options-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function layOut(name: string): string {
  const place = join(directory, name);
  for (const sub of ["src", "out", "out.d", "dir.d"]) mkdirSync(join(place, sub), { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(place, path), text);
  return place;
}

function filesBelow(place: string): string[] {
  const found = readdirSync(place, { recursive: true, encoding: "utf8" });
  return found.filter((path) => statSync(join(place, path)).isFile() && files[path] === undefined).toSorted();
}

for (const compiler of compilers) {
  const family = compiler.startsWith("clang") ? "clang" : "gcc";
  const known = await run(compiler, ["--version"]).then(
    () => true,
    () => false,
  );
  test(`${compiler} writes the files that were foretold`, { skip: known ? false : "not installed" }, async () => {
    for (const [index, line] of commands.trim().split("\n").entries()) {
      const [, only, text = ""] = /^\s*(?:(gcc|clang):)?\s*(.*)$/.exec(line) ?? [];
      if (only !== undefined && only !== family) continue;
      const place = layOut(`${compiler}-${index}`);
      const argv = [compiler, ...text.split(" ")];
      const reading = readInvocation(
        { argv, family, environment: new Map() },
        (path) => path,
        (path) => readFileSync(join(place, path), "utf8"),
      );
      assert.ok(reading.kind === "compile", `${argv.join(" ")}: ${JSON.stringify(reading)}`);
      await run(compiler, argv.slice(1), { cwd: place });
      const foretold = reading.invocation.outputs.map(({ path }) => normalize(path)).toSorted();
      assert.deepEqual(filesBelow(place), foretold, argv.join(" "));
      rmSync(place, { recursive: true });
    }
  });
}
