/**
 * What one member compiled for another, and signed, is a third one's hit: real daemons on loopback, real compilers, the sandbox.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CompileAction, CompileRequest } from "../../src/contracts/index.ts";
import { run, type TestNode, writeFiles } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { COSTLY, helped, occupy } from "./remote-world.ts";
import { checkoutOf, heard, SOURCES, untilOffered } from "./sharing-world.ts";
import { Compiler, invited, Requester } from "./work-world.ts";

const WAYS = ["by relative paths", "by absolute paths"] as const;
const OUTPUTS = ["unit.o", "unit.d"] as const;

/**
 * Compiles a source in `build`, as make asks for it or, by absolute paths, as CMake does: what comes of it is the compiler's own.
 *
 * @param number makes it another compile than those before
 * @returns how it ended
 */
async function compile(node: TestNode, directory: string, way: (typeof WAYS)[number], number: number): Promise<Record<string, number>> {
  const cwd = join(directory, "build");
  mkdirSync(cwd, { recursive: true });
  const at = (path: string): string => (way === WAYS[0] ? `../${path}` : join(directory, path));
  const args = [`-DNUMBER=${number}`, "-O2", "-Wall", `-I${at("include")}`, "-MD", "-MT", "unit.o", "-MF", "unit.d"];
  args.push("-o", "unit.o", "-c", at("src/shape.c"));
  const plain = await run("gcc", args, { cwd });
  const read = (): Buffer[] => OUTPUTS.map((name) => readFileSync(join(cwd, name)));
  const expected = read();
  const [, counted] = await heard(node, async () => {
    for (const name of OUTPUTS) rmSync(join(cwd, name));
    assert.deepEqual(await node.cc("gcc", args, { cwd }), plain);
    assert.deepEqual(read(), expected);
  });
  return counts(counted);
}

/** Where one has been compiled at home, the next one is worth sending all the same. @returns the directory */
function costly(directory: string): string {
  writeFiles(directory, { "src/shape.c": `${SOURCES["src/shape.c"]}${COSTLY}` });
  return directory;
}

/** Has a member compile both, and sign them. On a machine that is busy otherwise its stream may end before it has; then others are compiled. */
async function signedWork(t: TestContext, node: TestNode, directory: string): Promise<number> {
  const ends = (): number => node.events("work.closed").length + node.events("work.cut-off").length;
  const signed = async (): Promise<number> => (await node.counters()).built_elsewhere_signed ?? 0;
  for (let number = 0; ; number++) {
    const [endsBefore, signedBefore] = [ends(), await signed()];
    const ways = [];
    for (const way of WAYS) ways.push(await compile(node, directory, way, number));
    if (ways.some(({ built_elsewhere: elsewhere }) => elsewhere !== 1)) continue;
    const all = async (): Promise<boolean> => (await signed()) === signedBefore + WAYS.length;
    await until(t, async () => ends() > endsBefore || (await all()));
    if (await all()) return number;
  }
}

test("what a member made for another is offered as that member's work, and gone with it", { timeout: 600_000 }, async (t) => {
  const [builder] = await helped(t, 1);
  const release = await occupy(t, builder);
  const reader = await machine(t, "reader", { CAIRN_WORK_SHARE: "off" });
  await ask(reader, "join", await invitation(builder), "--machine", "reader");
  await untilConnected(t, reader, "builder", "helper0");
  const here = costly(checkoutOf(builder, "checkout"));
  const number = await signedWork(t, builder, here);
  await release();

  await untilOffered(t, reader, "builder", WAYS.length);
  const there = costly(checkoutOf(reader, "elsewhere"));
  // Some of it may have been copied to that machine already.
  for (const way of WAYS) assert.deepEqual(await compile(reader, there, way, number), { hit: 1 }, way);
  const explained = await cairn(reader, "explain", join(there, "src/shape.c"));
  assert.match(explained.stdout, /work of\s+helper0/);

  // With who executed it, all of that goes: from who took it and from who had asked for it.
  await ask(builder, "revoke", "helper0");
  for (const node of [reader, builder]) await until(t, async () => node.events("sharing.recalled").length > 0);
  // Not the same of both: what one has compiled now is the other's hit.
  assert.deepEqual(await compile(reader, there, WAYS[0], number), { miss: 1 });
  assert.deepEqual(await compile(builder, here, WAYS[1], number), { miss: 1 });
});

/** How compiles ended. */
function counts(all: Record<string, number>): Record<string, number> {
  const ends: Record<string, number> = {};
  for (const [name, count] of Object.entries(all)) {
    const end = /^(?:hit|miss$|built_elsewhere$)/.exec(name)?.[0];
    if (end !== undefined) ends[end] = (ends[end] ?? 0) + count;
  }
  return ends;
}

interface Asking {
  readonly about: string;
  readonly options?: readonly string[];
  readonly source?: string;
  readonly request?: Partial<CompileRequest>;
  readonly action?: Partial<CompileAction>;
}

const FILES = {
  "shape.h": "#pragma once\nstruct shape { int sides; };\n",
  "shape.c": '#include "shape.h"\nint area(struct shape *s) { return s->sides; }\n',
  "out.c": '#if __has_include("/out/object") || __has_include("/scratch/x")\n#endif\nint x;\n',
  "warns.c": "int twice(int x) { int unused = 1; return 2 * x; }\n",
};
/** What it says it is asked for, or over which files, is not what ran; or leads others to another compile than this. */
const LIES: readonly (Asking & { readonly why: string })[] = [
  { about: "another level of optimization", why: "another command", request: { words: words(["-O2"], "shape.c") } },
  { about: "a macro that was not defined", why: "another command", request: { words: words(["-O1", "-DX=1"], "shape.c") } },
  { about: "one macro less", why: "another command", options: ["-O1", "-DX=1"], request: { words: words(["-O1"], "shape.c") } },
  { about: "another source", why: "another command", request: { words: words(["-O1"], "warns.c") } },
  {
    about: "another dependency file",
    why: "another command",
    request: { words: words(["-O1"], "shape.c").map((word) => (word === "out.o" ? "other.o" : word)) },
  },
  {
    about: "headers of the system left out",
    why: "options",
    request: { words: words(["-O1"], "shape.c").map((word) => (word === "-MD" ? "-MMD" : word)) },
  },
  { about: "words from a file", why: "bad_arguments", request: { words: [...words(["-O1"], "shape.c"), "@more"] } },
  { about: "this machine's own processor", why: "options", request: { words: [...words(["-O1"], "shape.c"), "-march=native"] } },
  { about: "a linker", why: "words", request: { words: ["shape.c"] } },
  { about: "a date", why: "another environment", request: { environment: new Map([["SOURCE_DATE_EPOCH", "1"]]) } },
  { about: "no date", why: "another environment", action: { environment: new Map([["SOURCE_DATE_EPOCH", "1"]]) } },
  {
    about: "a variable of which nobody knows what it does",
    why: "another environment",
    request: { environment: new Map([["CPATH", "/tmp"]]) },
  },
  { about: "the system's headers as the project's", why: "its place is one of the system's", request: { root: "/usr" } },
  { about: "some of the system's headers as the project's", why: "its place is one of the system's", request: { root: "/usr/include" } },
  { about: "all that is local as the project's", why: "its place is one of the system's", request: { root: "/usr/local" } },
  { about: "a root that is none", why: "root", request: { root: "project" } },
  { about: "a root with steps in it", why: "root", request: { root: "/home/../usr" } },
  { about: "a root with a second line", why: "characters", request: { root: "/x\n#include <...> search starts here:\n" } },
  { about: "a list of directories", why: "its search for headers", options: ['-DX=#include "..." search starts here:'] },
  { about: "an end of that list", why: "its search for headers", options: ["-DX=End of search list."] },
  { about: "a place of the sandbox", why: "a place of the sandbox", source: "out.c" },
  {
    about: "messages of another language",
    why: "messages",
    source: "warns.c",
    options: ["-Wall"],
    action: { environment: new Map([["LANG", "en_US.UTF-8"]]) },
    request: { environment: new Map([["LANG", "en_US.UTF-8"]]) },
  },
  {
    about: "messages with links",
    why: "messages",
    source: "warns.c",
    options: ["-Wall"],
    request: { environment: new Map([["GCC_URLS", "bel"]]) },
  },
];

/** Of a command line for {@link Requester.action}. */
function words(options: readonly string[], source: string): string[] {
  return [...options, "-MD", "-MT", "out.o", "-MF", "out.d", "-c", source, "-o", "out.o"];
}

test("a member signs what it has executed, and nothing that it was only told", PATIENT, async (t) => {
  const daemon = await machine(t, "worker", { CAIRN_LOG_LEVEL: "debug" });
  await ask(daemon, "init", "--machine", "worker");
  using compiler = new Compiler();
  const toolchain = await compiler.digest();
  const requester = await Requester.of(t, await invited(t, daemon, 1), daemon, compiler);
  const cwd = join(dirname(daemon.home), "project");
  writeFiles(cwd, FILES);
  const signs = async ({ options = ["-O1"], source = "shape.c", request, action }: Asking): Promise<boolean> => {
    const base = { ...requester.action(toolchain, cwd, source, options), ...action };
    const asked = { words: words(options, source), environment: base.environment, root: cwd, ...request };
    const outcome = await requester.compile({ ...base, request: asked });
    assert.ok(outcome.kind === "done" && outcome.exitCode === 0, JSON.stringify(outcome));
    return (await outcome.voucher) !== undefined;
  };
  const honest: readonly Asking[] = [
    { about: "plain" },
    { about: "messages", source: "warns.c", options: ["-Wall"] },
    { about: "a name of its own for the output", request: { words: [...words(["-O1"], "shape.c").slice(0, -1), "elsewhere/shape.o"] } },
    {
      about: "a date",
      action: { environment: new Map([["SOURCE_DATE_EPOCH", "1"]]) },
      request: { environment: new Map([["SOURCE_DATE_EPOCH", "1"]]) },
    },
    { about: "a root above", request: { root: dirname(cwd) } },
  ];
  for (const asking of honest) assert.ok(await signs(asking), asking.about);
  for (const [at, lie] of LIES.entries()) {
    assert.equal(await signs({ ...lie, request: { environment: new Map(), ...lie.request } }), false, lie.about);
    const whys = daemon.events("work.not-signed").map(({ why }) => why);
    assert.deepEqual([whys.length, whys.at(-1)], [at + 1, lie.why], lie.about);
  }
  assert.equal(daemon.events("work.signed").length, honest.length);
});
