/**
 * A build that is audited, for real: copies, compilers, make.
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type AuditReport, audit } from "./audit.ts";
import type { AuditParts, Progress } from "./audit-parts.ts";
import type { Tool } from "./recorder.ts";

const without = ["make", "gcc", "ar", "tar", "git"].find((name) => spawnSync(name, ["--version"]).status !== 0);
const skip = without !== undefined && `${without} is not installed`;

function pathOf(name: string): string {
  return execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
}

function parts(tell: (progress: Progress) => void = () => undefined): AuditParts {
  const kinds = { cc: "compiler", gcc: "compiler", ar: "archiver", whoami: "names", hostname: "names" } as const;
  const tools = Object.entries(kinds).map(([name, kind]): Tool => ({ name, path: pathOf(name), kind }));
  const { MAKEFLAGS: _, ...environment } = process.env;
  return { tools, environment, locale: "C", orderSource: join(import.meta.dirname, "../../audit/order.c"), tell };
}

/** A project below a directory in which the copies are made, too. */
function project(t: TestContext, files: Readonly<Record<string, string>>): { cwd: string; temporary: string } {
  const temporary = mkdtempSync(join(tmpdir(), "audit-test-"));
  t.after(() => rmSync(temporary, { recursive: true, force: true }));
  const cwd = join(temporary, "project");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, name)), { recursive: true });
    writeFileSync(join(cwd, name), content);
  }
  return { cwd, temporary };
}

const PLANTED = {
  ".gitignore": "*.o\n*.a\n*.txt\n*.tar\nprog\ngen.h\n",
  "a.c": "int a(void) { return 1; }\n",
  "b.c": "int b(void) { return 2; }\n",
  "date.c": "const char *date(void) { return __DATE__ __TIME__; }\n",
  "debug.c": "int debug(int x) { return 2 * x; }\n",
  "seed.c": "static int half(int x) { return x / 2; } int seed(int x) { return half(x); }\n",
  "gen.c": '#include "gen.h"\nconst char *gen(void) { return WHO; }\n',
  "main.c": "int main(void) { return 0; }\n",
  Makefile: `all: prog facts.a order.txt mode.tar
gen.h:
	echo "#define WHO \\"$$(whoami)\\"" > $@
gen.o: gen.h
debug.o: CFLAGS = -g
seed.o: CFLAGS = -flto
prog: main.o date.o
	$(CC) -o $@ $^
facts.a: a.o b.o
	ar rcU $@ $^
order.txt: debug.o seed.o gen.o
	ls -U *.c Makefile . | grep c$$ > $@
mode.tar: a.o
	touch mode && tar --mtime=@0 --owner=0 --group=0 --numeric-owner -cf $@ mode && rm mode
`,
};

/** In words: each file that differs, where first, and why. */
function told(report: AuditReport): Record<string, string> {
  assert.equal(report.kind, "audited", JSON.stringify(report));
  return Object.fromEntries(
    report.findings.map(({ file, stage, causes, because, isTried }) => {
      return [file, `${stage}: ${[...causes, ...because.map((one) => `of ${one}`)].join(", ")}${isTried ? ", tried" : ""}`];
    }),
  );
}

test("each kind of what is not deterministic is found in the file that has it, and nothing of the project is changed", {
  skip,
}, async (t) => {
  const { cwd, temporary } = project(t, PLANTED);
  execFileSync("git", ["init", "--quiet", cwd]);
  const before = readdirSync(cwd).toSorted();
  const report = await audit(parts(), { cwd, command: ["make"], temporary, keep: false }, t.signal);
  assert.deepEqual(told(report), {
    "date.o": "preprocessed text: date and time, tried",
    "debug.o": "assembly: build path, tried",
    "facts.a": "archive: times and owners in the archive",
    "gen.h": "file: user or host name",
    "gen.o": "preprocessed text: of gen.h",
    "mode.tar": "file: umask",
    "order.txt": "file: order of files",
    prog: "link: of date.o",
    "seed.o": "assembly: random seed, build path", // Bytecode keeps the path, whatever is mapped.
  });
  assert.ok(report.kind === "audited" && report.same >= 3, "a.o, b.o and main.o come out the same");
  assert.deepEqual(readdirSync(cwd).toSorted(), before);
  assert.deepEqual(readdirSync(temporary), ["project"]);
});

test("a build that fails, and one that does nothing, are told of", { skip }, async (t) => {
  const { cwd, temporary } = project(t, { Makefile: "all:\n\t@test $(shell umask) = 0022 || (echo other people; exit 3)\n" });
  const options = { cwd, command: ["make", "--silent"], temporary, keep: true };
  const failed = await audit(parts(), options, t.signal);
  assert.ok(failed.kind === "build-failed" && failed.which === "second", JSON.stringify(failed));
  assert.match(failed.printed, /other people/);
  const nothing = await audit(parts(), { ...options, command: ["true"] }, t.signal);
  assert.deepEqual(nothing, { kind: "nothing-built", isGit: false });
  assert.equal(readdirSync(temporary).filter((name) => name.startsWith("cairn-audit-")).length, 2);
});

test("whoever stops it finds nothing of it, and nothing runs on", { skip }, async (t) => {
  const { cwd, temporary } = project(t, { Makefile: `all:\n\techo $$$$ > "$(PIDFILE)"; sleep 600\n` });
  const pidFile = join(temporary, "pid");
  const stop = new AbortController();
  const running = audit(parts(), { cwd, command: ["make", `PIDFILE=${pidFile}`], temporary, keep: false }, stop.signal);
  const ended = assert.rejects(running, /enough/);
  while (!readdirSync(temporary).includes("pid") || readFileSync(pidFile, "utf8") === "") await sleep(20, undefined, { signal: t.signal });
  stop.abort(new Error("enough"));
  await ended;
  assert.deepEqual(readdirSync(temporary).toSorted(), ["pid", "project"]);
  assert.throws(() => process.kill(Number(readFileSync(pidFile, "utf8")), 0));
});
