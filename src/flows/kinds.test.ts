import assert from "node:assert/strict";
import { test } from "node:test";
import { kindOfCommand } from "./kinds.ts";

test("linking, compiling and the rest are told apart by the command line", () => {
  const rows: readonly (readonly [kind: string, command: string, ...outputs: string[]])[] = [
    ["link", "/usr/bin/gcc -o prog main.o libm.a", "prog"],
    ["link -O2", "g++ -O0 -O2 -flto main.o -lz -o prog", "prog"],
    ["link", "clang -shared -o libx.so x.o", "libx.so"],
    ["link", "x86_64-linux-gnu-g++-13 main.o -o prog", "prog"],
    ["link", "external/toolchain/cc_wrapper.sh @out/main-2.params", "out/main"],
    ["link", "/usr/bin/ld.lld @out/main.rsp", "out/main"],
    ["link", "clang++-18 main.cc libx.so.1 -o prog", "prog"],
    ["action gcc -O2", "/usr/bin/gcc -O2 -c main.c -o main.o", "main.o", "main.d"],
    ["action gcc", "gcc @out/main.o.params", "out/main.o", "out/main.d"],
    ["action gcc", "gcc -S main.c -o main.s", "main.s"],
    ["action gcc -O1", "gcc -O1 main.c -o prog", "prog"],
    ["action gcc", "gcc -o libx.so x.c", "libx.so"],
    ["action gcc-ar", "gcc-ar rcs libx.a x.o", "libx.a"],
    ["action bash", "/bin/bash -c gcc main.o -o prog", "prog"],
    ["action build", "./build -O2 main.o"],
    ["action ", ""],
  ];
  for (const [kind, command, ...outputs] of rows) assert.equal(kindOfCommand("action", command.split(" "), outputs), kind, command);
  assert.equal(kindOfCommand("exec", ["npx", "vitest"], []), "exec npx");
  assert.equal(kindOfCommand("exec", ["cc", "main.o", "-o", "prog"], ["prog"]), "link");
});
