/**
 * Where a compile that does not come out the same parts ways, as people are shown it: real daemons and real compilers; who lies is a member of
 * this process that was invited like anybody else, and lies at one stage of the compile after the other.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CompileAction, WorkDesk } from "../../src/contracts/index.ts";
import { worker } from "../../src/net/work.fixture.ts";
import { age, type TestNode, temporaryDirectory } from "./harness.ts";
import { ask, cairn, machine, PATIENT } from "./network-world.ts";
import { build, checkoutOf, heard } from "./sharing-world.ts";
import { invitedWith } from "./work-world.ts";

const UNIT = "src/shape.c";
const FLAGS = { preprocessed: "-E", assembly: "-S", object: "-c" } as const;

/** How a compile is changed so that this is the first stage at which it differs; undefined: the compiler fails. */
type Lie = (scratch: string, action: CompileAction) => Buffer | undefined;

/** What the compiler here writes, with more options. The inputs lie on this machine, where the action says. */
function compiled(scratch: string, { cwd, source, options, mode }: CompileAction, ...more: string[]): Buffer {
  const output = join(scratch, "output");
  execFileSync("/usr/bin/gcc", [...options, ...more, FLAGS[mode], source, "-o", output], { cwd, stdio: "pipe" });
  return readFileSync(output);
}

/** The dependency file is never what differs. */
function listed(scratch: string, { cwd, source, options, dependencies }: CompileAction): Buffer {
  const output = join(scratch, "listed");
  execFileSync("/usr/bin/gcc", [...options, "-M", "-MF", output, "-MT", dependencies?.target ?? "x", source], { cwd, stdio: "pipe" });
  return readFileSync(output);
}

/** Invites a machine of another domain that lies as it is told. */
async function liar(t: TestContext, by: TestNode, lie: { now: Lie }): Promise<void> {
  const scratch = temporaryDirectory("liar");
  t.after(() => scratch[Symbol.dispose]());
  const desk: WorkDesk = {
    act: () => assert.fail("it is a compile"),
    async compile(_from, action, bring, signal) {
      await bring([...new Set(action.inputs.map(({ digest }) => digest))], () => undefined, signal);
      const content = lie.now(scratch.path, action);
      const outputs = content === undefined ? [] : [{ name: "object", content, executable: false }];
      if (action.dependencies !== undefined)
        outputs.push({ name: "dependencies", content: listed(scratch.path, action), executable: false });
      const nothing = Buffer.alloc(0);
      const used = { wallMs: 1, cpuMs: 1, residentBytes: 1 };
      return { kind: "done", exitCode: content === undefined ? 1 : 0, stdout: nothing, stderr: nothing, outputs, used, queuedMs: 0 };
    },
  };
  await worker(t, await invitedWith(t, by, 2, () => undefined, "--domain", "partner"), desk);
}

/** The same code, of which the last byte is another one. */
function patched(object: Buffer, code: Buffer): Buffer {
  const at = object.indexOf(code);
  assert.ok(at > 0, "the object has the code of the assembler's");
  const other = Buffer.from(object);
  other[at] = (other[at] ?? 0) ^ 1;
  return other;
}

interface Told {
  readonly kind: string;
  readonly repeatable?: boolean;
  readonly stage?: string;
  readonly place?: { readonly line?: number; readonly before: string; readonly after: string; readonly section?: string };
}

/** What a command says that ends well only where all is the same. */
async function said(node: TestNode, ...words: string[]): Promise<{ readonly here: Told; readonly members: readonly Told[] }> {
  return JSON.parse((await cairn(node, ...words, "--json")).stdout) as { here: Told; members: Told[] };
}

test("a member that makes something else: at which stage first, and what stands there", PATIENT, async (t) => {
  const node = await machine(t, "asker", { CAIRN_WORK_WITH: "network" });
  await ask(node, "init", "--domain", "home", "--machine", "asker");
  const work = checkoutOf(node, "work");
  writeFileSync(join(work, UNIT), "int area(int a, int b) { return a * b + 12345; }\n");
  await age();
  await build(node, work, ["shape"]);
  const lie: { now: Lie } = { now: compiled };
  await liar(t, node, lie);
  const challenge = async (now: Lie): Promise<Told> => {
    lie.now = now;
    const [answer] = (await said(node, "challenge", join(work, UNIT))).members;
    return answer ?? assert.fail("nobody was asked");
  };

  assert.equal((await challenge(compiled)).kind, "same");

  const renamed = (scratch: string, action: CompileAction): Buffer => {
    const honest = compiled(scratch, action, ...(action.mode === "preprocessed" ? [] : ["-Darea=perimeter"]));
    return action.mode === "preprocessed" ? Buffer.from(String(honest).replace("int area", "int \u001b[31mperimeter")) : honest;
  };
  const first = await challenge(renamed);
  assert.deepEqual([first.kind, first.stage], ["differs", "preprocessed text"]);
  assert.match(first.place?.before ?? "", /^int area\(int a, int b\)/);
  const shown = await cairn(node, "challenge", join(work, UNIT));
  assert.equal(shown.code, 1);
  assert.match(shown.stdout, /preprocessed text, from line \d+ on\n +here +int area\(int a.*\n +there +int \\u\{1b\}\[31mperimeter\(int a/);
  assert.ok(!shown.stdout.includes("\u001b"), "what others say does not reach the terminal as it is");

  const guarded = await challenge((scratch, action) => compiled(scratch, action, "-fstack-protector-all"));
  assert.deepEqual([guarded.kind, guarded.stage], ["differs", "assembly"]);
  assert.notEqual(guarded.place?.before, guarded.place?.after);

  const constant = Buffer.alloc(4);
  constant.writeInt32LE(12_345);
  const bending: Lie = (scratch, action) => {
    const honest = compiled(scratch, action);
    return action.mode === "object" ? patched(honest, constant) : honest;
  };
  const bent = await challenge(bending);
  assert.deepEqual([bent.kind, bent.stage, bent.place?.section], ["differs", "object", ".text"]);
  assert.match(
    (await cairn(node, "challenge", join(work, UNIT))).stdout,
    /the object is the first to differ[^]*\n +kept +[0-9a-f]+\n +there +[0-9a-f]+/,
  );

  await challenge((scratch, action) => (action.mode === "assembly" ? undefined : bending(scratch, action)));
  const silent = await cairn(node, "challenge", join(work, UNIT));
  assert.match(silent.stdout, /something else, the object differs \(earlier stages could not be compared\)/);
});

test("a compile here that is never the same: where, and that it is not deterministic", PATIENT, async (t) => {
  const node = await machine(t, "alone");
  const work = checkoutOf(node, "work");
  // What gcc calls the sections for the linker's optimizer is drawn by lot.
  const args = ["-O1", "-Iinclude", "-flto", "-c", UNIT, "-o", "out/shape.o"];
  await age();
  const [{ code }] = await heard(node, () => node.cc("gcc", args, { cwd: work }));
  assert.equal(code, 0);
  const { here } = await said(node, "verify", join(work, UNIT));
  assert.deepEqual([here.kind, here.repeatable, here.stage], ["differs", false, "assembly"]);
  assert.match(here.place?.before ?? "", /\.gnu\.lto_/);
  assert.notEqual(here.place?.before, here.place?.after);
});

test(
  "a build once more: what is the same is counted, what is not is told, and what has changed since is not looked at",
  PATIENT,
  async (t) => {
    const node = await machine(t, "builder");
    const work = checkoutOf(node, "work");
    await age();
    await build(node, work);
    const all = await cairn(node, "verify", work);
    assert.deepEqual([all.code, /3 results once more: 3 the same$/m.test(all.stdout)], [0, true], all.stdout + all.stderr);
    const args = ["-O1", "-flto", "-c", "src/warns.c", "-o", "out/warns.o"];
    const [{ code }] = await heard(node, () => node.cc("gcc", args, { cwd: work }));
    assert.equal(code, 0);
    writeFileSync(join(work, "src/main.c"), "int main(void) { return 3; }\n");
    const some = await cairn(node, "verify", work);
    assert.equal(some.code, 1);
    assert.match(some.stdout, /warns\.c .*\n +this machine, once more +something else, the assembly is the first to differ/);
    assert.match(some.stdout, /3 results once more: 1 the same, 1 not, 1 not looked at/);
    const nothing = await cairn(node, "verify", join(work, "include"));
    assert.deepEqual([nothing.code, /no compile of .*include is remembered here/.test(nothing.stderr)], [1, true]);
  },
);
