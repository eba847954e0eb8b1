/** What compilers print about themselves, read. The texts are theirs, cut to what matters. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  readBanner,
  readExpandedCommand,
  readHeaderSearch,
  readLoadedObjects,
  readOnlyHeaderSearch,
  readSearchDirectories,
  readTargets,
} from "./compiler-text.ts";

describe("banners", () => {
  const rows: readonly { name: string; text: string; expected: ReturnType<typeof readBanner> }[] = [
    {
      name: "gcc 12",
      text: "Using built-in specs.\nCOLLECT_GCC=gcc\nTarget: x86_64-linux-gnu\nThread model: posix\ngcc version 12.2.0 (Debian 12.2.0-14+deb12u1) \n",
      expected: {
        family: "gcc",
        version: "12.2.0",
        target: "x86_64-linux-gnu",
        installedDirectory: undefined,
        gccInstallation: undefined,
        readFiles: [],
        configDirectories: [],
      },
    },
    {
      name: "gcc with a specs file",
      text: "Reading specs from /usr/lib/gcc/x86_64-linux-gnu/12/specs\nTarget: x86_64-linux-gnu\ngcc version 12.2.0 (x)\n",
      expected: {
        family: "gcc",
        version: "12.2.0",
        target: "x86_64-linux-gnu",
        installedDirectory: undefined,
        gccInstallation: undefined,
        readFiles: ["/usr/lib/gcc/x86_64-linux-gnu/12/specs"],
        configDirectories: [],
      },
    },
    {
      name: "clang 19 with a configuration file",
      text: "Debian clang version 19.1.7 (3~deb12u1)\nTarget: x86_64-pc-linux-gnu\nThread model: posix\nInstalledDir: /usr/lib/llvm-19/bin\nFound candidate GCC installation: /usr/bin/../lib/gcc/x86_64-linux-gnu/11\nSelected GCC installation: /usr/bin/../lib/gcc/x86_64-linux-gnu/12\nConfiguration file: /etc/clang/clang.cfg\nSystem configuration file directory: /etc/clang\n",
      expected: {
        family: "clang",
        version: "19.1.7",
        target: "x86_64-pc-linux-gnu",
        installedDirectory: "/usr/lib/llvm-19/bin",
        gccInstallation: "/usr/bin/../lib/gcc/x86_64-linux-gnu/12",
        readFiles: ["/etc/clang/clang.cfg"],
        configDirectories: ["/etc/clang"],
      },
    },
    { name: "something else", text: "tcc version 0.9.27 (x86_64 Linux)\n", expected: undefined },
  ];
  for (const { name, text, expected } of rows) test(name, () => assert.deepEqual(readBanner(text), expected));
});

test("directories in which gcc looks for programs and for its own files", () => {
  const text = "install: /usr/lib/gcc/x86_64-linux-gnu/12/\nprograms: =/usr/lib/gcc/x/:/usr/lib/:relative\nlibraries: =/lib/\n";
  assert.deepEqual(readSearchDirectories(text, "programs"), ["/usr/lib/gcc/x/", "/usr/lib/"]);
  assert.deepEqual(readSearchDirectories(text, "install"), ["/usr/lib/gcc/x86_64-linux-gnu/12/"]);
});

test("where headers are looked for, and what of it does not exist", () => {
  const text = [
    'ignoring nonexistent directory "gone/include"',
    'ignoring duplicate directory "/usr/include"',
    '#include "..." search starts here:',
    " quoted",
    "#include <...> search starts here:",
    " with space",
    " /usr/include",
    " /System/Frameworks (framework directory)",
    "End of search list.",
  ].join("\n");
  assert.deepEqual(readHeaderSearch(text), {
    quote: ["quoted"],
    angle: ["with space", "/usr/include", "/System/Frameworks"],
    missing: ["gone/include"],
    duplicates: [],
  });
  assert.equal(readHeaderSearch("gcc: error: unrecognized option"), undefined);
});

test("shared libraries that the loader names", () => {
  const text =
    "\tlinux-vdso.so.1 (0x00007f)\n\tlibz.so.1 => /lib/libz.so.1 (0x00007f)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n\tlibno.so => not found\n";
  assert.deepEqual(readLoadedObjects(text), ["/lib/libz.so.1", "/lib64/ld-linux-x86-64.so.2"]);
});

test("the compile step of a driver's plan", () => {
  const plan = 'COLLECT_GCC=gcc\n /usr/lib/gcc/12/cc1 -quiet "-march=skylake" -o /dev/null\n as --64\n';
  assert.equal(readExpandedCommand(plan), ' /usr/lib/gcc/12/cc1 -quiet "-march=skylake" -o /dev/null');
  assert.equal(readExpandedCommand("gcc: fatal error: no input files\n"), undefined);
});

test("a second list of directories in the words of a command is no list", () => {
  const list = '#include "..." search starts here:\n#include <...> search starts here:\n /usr/include\nEnd of search list.\n';
  assert.deepEqual(readOnlyHeaderSearch(list)?.angle, ["/usr/include"]);
  for (const word of ['-DX=#include "..." search starts here:', "-I#include <...> search starts here:", "-DEND=End of search list."])
    assert.equal(readOnlyHeaderSearch(`cc1 ${word}\n${list}`), undefined, word);
});

test("what clang can build for is read as it calls it", () => {
  const text = "\n  Registered Targets:\n    aarch64    - AArch64 (little endian)\n    x86-64     - 64-bit X86: EM64T and AMD64\n";
  assert.deepEqual(readTargets(text), ["aarch64", "x86-64"]);
  assert.deepEqual(readTargets("clang: error: unknown argument\n"), []);
});
