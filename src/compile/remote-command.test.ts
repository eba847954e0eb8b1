import assert from "node:assert/strict";
import { test } from "node:test";
import { readInvocation } from "./invocation.ts";
import { type RemoteCommand, remoteCommand } from "./remote-command.ts";

function read(line: string, family: "gcc" | "clang" = "gcc"): RemoteCommand {
  const argv = line.split(" ");
  const reading = readInvocation(
    { argv, environment: new Map(), family },
    (path) => path,
    () => undefined,
  );
  assert.ok(reading.kind === "compile", JSON.stringify(reading));
  return remoteCommand(argv, reading.invocation, () => undefined, true);
}

const own = { headers: "all", target: "x", phony: false } as const;

const ASKED: readonly (readonly [line: string, asked: Partial<Extract<RemoteCommand, { kind: "command" }>["asked"]>])[] = [
  ["gcc -c a.c", { options: [], source: "a.c", mode: "object", dependencies: own }],
  ["gcc -O2 -I inc -DX=1 -Wall -pipe -c a.c -o out/a.o", { options: ["-O2", "-I", "inc", "-DX=1", "-Wall"], mode: "object" }],
  ["gcc -S a.c -o a.s", { options: [], mode: "assembly" }],
  ["gcc -MD -c a.c -o out/a.o", { dependencies: { headers: "all", target: "out/a.o", phony: false } }],
  ["gcc -MMD -MP -MF x.d -c dir/a.c", { dependencies: { headers: "user", target: "a.o", phony: true } }],
  ["gcc -MD -MT odd$name -c a.c", { dependencies: { headers: "all", target: "odd$name", phony: false } }],
  ["gcc -Wp,-MMD,x.d -c a.c -o out/a.o", { options: [], dependencies: { headers: "user", target: "a.o", phony: false } }],
  ["clang -Wp,-MD,x.d -c a.c -o out/a.o", { dependencies: { headers: "all", target: "out/a.o", phony: false } }],
  ["gcc -Llib -lm -Wl,-O1 -c a.c", { options: [], dependencies: own }],
  ["clang -Llib -c a.c", { options: ["-Llib"] }],
  ["gcc -x c++ -c a.c", { options: ["-x", "c++"] }],
];

for (const [line, asked] of ASKED)
  test(`asked of another machine: ${line}`, () => {
    const found = read(line, line.startsWith("clang") ? "clang" : "gcc");
    assert.ok(found.kind === "command", JSON.stringify(found));
    assert.deepEqual({ ...found.asked, ...asked }, found.asked);
  });

const LOCAL: readonly (readonly [line: string, reason: string])[] = [
  ["gcc -fsyntax-only a.c", "mode"],
  ["gcc -gsplit-dwarf -g -c a.c -o a.o", "outputs"],
  ["gcc --coverage -c a.c -o a.o", "outputs"],
  ["gcc -MD -MT a -MT b -c a.c", "target"],
  ["gcc -MD -c a.c -o odd$name.o", "target"],
  ["gcc -MD -MQ odd$name -c a.c", "target"],
  ["gcc -c a.c -x none", "language_option"],
];

for (const [line, reason] of LOCAL)
  test(`nothing for another machine: ${line}`, () => {
    const found = read(line);
    assert.equal(found.kind === "local" ? found.reason : JSON.stringify(found), reason);
  });
