/**
 * A member that works for others and lies about what comes of it: real daemons on loopback, real compilers; the liar is of this process, and was
 * invited like anybody else.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { CompileAction, OutputFile, WorkDesk } from "../../src/contracts/index.ts";
import { worker } from "../../src/net/work.fixture.ts";
import { run, type TestNode, temporaryDirectory, writeFiles } from "./harness.ts";
import { ask, cairn, machine, PATIENT, until } from "./network-world.ts";
import { COSTLY, occupy } from "./remote-world.ts";
import { checkoutOf, heard, UNITS } from "./sharing-world.ts";
import { Compiler, invited, invitedWith, tellCapacity } from "./work-world.ts";

const POISON = Buffer.from("what no compiler has written");
const SLOTS = 8;
const CAPACITY = { slots: SLOTS, free: SLOTS, queue: 0, takesToolchains: false, platform: "linux-x86_64", targets: [] } as const;

/** What the compiler writes, but for the object, which is not even compiled. The inputs lie on this machine, where the action says. */
function lieAbout(scratch: string, { cwd, source, options, dependencies }: CompileAction): OutputFile[] {
  const listed = join(scratch, "object.d");
  const args = ["-M", "-MF", listed, "-MT", dependencies?.target ?? "x", source];
  execFileSync("/usr/bin/gcc", [...options, ...args], { cwd, stdio: "pipe" });
  return [
    { name: "object", content: POISON, executable: false },
    ...(dependencies === undefined ? [] : [{ name: "dependencies", content: readFileSync(listed), executable: false }]),
  ];
}

/** Invites a member that tells others that it has room, and gives whoever asks {@link POISON}. @returns how often it was asked */
async function lyingWorker(t: TestContext, by: TestNode, toolchain: string): Promise<{ readonly asked: () => number }> {
  let asked = 0;
  const scratch = temporaryDirectory("liar");
  t.after(() => scratch[Symbol.dispose]());
  const desk: WorkDesk = {
    act: () => assert.fail("it is a compile"),
    async compile(_from, action, bring, signal) {
      asked++;
      const wanted = [...new Set(action.inputs.map(({ digest }) => digest))];
      await bring(wanted, () => undefined, signal);
      const used = { wallMs: 1, cpuMs: 1, residentBytes: 1 };
      const nothing = Buffer.alloc(0);
      return { kind: "done", exitCode: 0, stdout: nothing, stderr: nothing, outputs: lieAbout(scratch.path, action), used, queuedMs: 0 };
    },
  };
  await worker(t, await invitedWith(t, by, 2, (node) => tellCapacity(t, node, { ...CAPACITY, toolchains: [toolchain] })), desk);
  return { asked: () => asked };
}

async function untilOffers(t: TestContext, node: TestNode): Promise<void> {
  await until(t, async () => {
    const { peers } = (await node.control("GET", "/network/peers")) as { peers: { work: { slots: number } | null }[] };
    return peers.some(({ work }) => (work?.slots ?? 0) === SLOTS);
  });
}

/** Which of them are the liar's. Others are compared with the compiler's own when all are there: the liar may be found out meanwhile. */
async function poisoned(node: TestNode, cwd: string, units: readonly string[] = UNITS): Promise<string[]> {
  const argsOf = (unit: string): string[] => ["-O1", "-Iinclude", "-c", `src/${unit}.c`, "-o", `out/${unit}.o`];
  const made = new Map<string, Buffer>();
  for (const unit of units) {
    const [{ code }] = await heard(node, () => node.cc("gcc", argsOf(unit), { cwd }));
    assert.equal(code, 0, unit);
    made.set(unit, readFileSync(join(cwd, `out/${unit}.o`)));
  }
  const honest = [...made].filter(([, object]) => !object.equals(POISON));
  for (const [unit, object] of honest) {
    await run("gcc", argsOf(unit), { cwd });
    assert.deepEqual(object, readFileSync(join(cwd, `out/${unit}.o`)), unit);
  }
  return units.filter((unit) => made.get(unit)?.equals(POISON) === true);
}

test("a worker that lies: nobody under release asks it; a team finds it out, and takes back all that it made", PATIENT, async (t) => {
  const builder = await machine(t, "builder", { CAIRN_LOG_LEVEL: "debug" });
  await ask(builder, "init", "--machine", "builder");
  using compiler = new Compiler();
  await invited(t, builder, 1, "--domain", "partner"); // So who has never been right here is looked at closely.
  const { asked } = await lyingWorker(t, builder, await compiler.digest());
  await untilOffers(t, builder);
  const release = await occupy(t, builder);
  const [strict, lax] = [checkoutOf(builder, "strict"), checkoutOf(builder, "lax")];
  change(strict, COSTLY); // What is asked for next is thought to take as long.

  writeFiles(strict, { ".cairn.json": '{"sharing": "release"}' });
  assert.deepEqual([await poisoned(builder, strict), asked()], [[], 0]);
  const why = await cairn(builder, "explain", join(strict, "src/main.c"));
  assert.match(why.stdout, /wants more domains to vouch for it than this machine and another one/);

  // What the project has executed itself now is of no use here.
  change(lax, "int lax;\n");
  const [first = "", ...others] = await poisoned(builder, lax);
  assert.ok(first !== "" && others.length > 0, "it is used");
  writeFiles(lax, { ".cairn.json": '{"sharing": "release"}' });
  assert.deepEqual(await poisoned(builder, lax, [first]), [], "but not where the same is built for who demands more");
  rmSync(join(lax, ".cairn.json"));

  await release();
  await until(t, async () => builder.events("work.refuted").length > 0);
  const before = asked();
  const again = await occupy(t, builder);
  assert.deepEqual(await poisoned(builder, lax), [], "none of it is used any more");
  change(lax, "int later;\n");
  assert.deepEqual([await poisoned(builder, lax), asked()], [[], before], "nor is it asked");
  await again();
});

/** Makes other compiles of them. @param more goes at the end of each */
function change(directory: string, more: string): void {
  for (const unit of UNITS) {
    const path = `src/${unit}.c`;
    writeFiles(directory, { [path]: `${readFileSync(join(directory, path), "utf8")}${more}` });
  }
}
