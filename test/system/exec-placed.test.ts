/**
 * Commands of `cairn exec`, and with them parts of a test suite, at members: while no core here is idle, on machines that have the same installed.
 * What goes wrong there is done here.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { hasSandbox, Project, type Told } from "./exec-world.ts";
import { checkout, type TestNode } from "./harness.ts";
import { ask, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { endSleepers, signalTo, sleepersOf } from "./work-world.ts";

/** One that is installed for all: members have to have the same. */
const NODE = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => existsSync(path));
const RUNS = { CAIRN_WORK_ACTIONS: "on" };
const PARTS = 3;
const HELPERS = ["desktop", "ci"];

/** Writes what it has found below the directory that it is told. */
const TEST = `import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";
import { twice } from "../src/twice.mjs";
const name = basename(import.meta.filename, ".test.mjs");
test(name, () => {
  const found = twice(readFileSync(new URL("../src/a.txt", import.meta.url), "utf8") + name);
  assert.equal(found.length % 2, 0);
  mkdirSync(process.env.OUT, { recursive: true });
  writeFileSync(process.env.OUT + "/" + name, found);
});
`;

class World {
  readonly builder: TestNode;
  readonly helpers: readonly TestNode[];
  readonly project: Project;

  /** @returns undefined, and the test is skipped, where there can be no sandbox */
  static async of(t: TestContext): Promise<World | undefined> {
    const alone = { CAIRN_SHARING_COPIES: "0" };
    const [builder, ...helpers] = await Promise.all([
      machine(t, "placed", alone),
      ...HELPERS.map((name) => machine(t, `placed-${name}`, { ...alone, ...RUNS })),
    ]);
    if (!(await hasSandbox(builder))) {
      t.skip("no sandbox here");
      return undefined;
    }
    await ask(builder, "init", "--machine", "laptop");
    for (const [at, helper] of helpers.entries()) await ask(helper, "join", await invitation(builder), "--machine", HELPERS[at] ?? "");
    await untilConnected(t, builder, ...HELPERS);
    const world = new World(builder, helpers);
    await until(t, async () => {
      const { peers } = (await builder.control("GET", "/network/peers")) as { peers: { work: { toolchains: number } | null }[] };
      return peers.filter(({ work }) => (work?.toolchains ?? 0) > 0).length === HELPERS.length;
    });
    return world;
  }

  private constructor(builder: TestNode, helpers: readonly TestNode[]) {
    this.builder = builder;
    this.helpers = helpers;
    this.project = new Project(builder, "suite");
    this.project.write("src/twice.mjs", "export const twice = (text) => text + text;\n");
    for (let at = 1; at <= 7; at++) this.project.write(`test/t${at}.test.mjs`, TEST);
  }

  /** Gives every core of the builder several commands that do not end by themselves, so that any member is sooner done. @returns ends them */
  async occupy(t: TestContext): Promise<() => Promise<void>> {
    const cores = Array.from({ length: 4 * availableParallelism() }, (_, core) => `100${core}`);
    const busy = cores.map((seconds) => this.start(t, "--here", "--in", "src", "--", "sleep", seconds));
    await until(t, async () => this.sleepers(this.builder) === cores.length);
    return async () => {
      const ended = busy.map((child) => once(child, "exit"));
      endSleepers(this.builder);
      await Promise.all(ended);
    };
  }

  start(t: TestContext, ...args: string[]): ChildProcess {
    const child = spawn(join(checkout, "bin/cairn"), ["exec", ...args], {
      cwd: this.project.path,
      env: { ...process.env, ...this.builder.env },
      stdio: "ignore",
    });
    t.after(() => child.kill("SIGKILL"));
    return child;
  }

  part(at: number): Promise<Told> {
    const out = `out${at}`;
    const where = ["--in", "src", "--env", `OUT=${out}`, "--out", out];
    return this.project.exec(...where, "--tests", "test/*.test.mjs", "--partition", `${at}/${PARTS}`, "--", NODE ?? "", "--test", "{}");
  }

  /** Processes of a machine that sleep for so many seconds. */
  sleeping(node: TestNode, seconds: string): number[] {
    const wordsOf = (pid: number): string => (existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "");
    return sleepersOf(node).filter((pid) => wordsOf(pid).split("\0")[1] === seconds);
  }

  sleepers(node: TestNode): number {
    return sleepersOf(node).length;
  }
}

test("parts of a test suite run at members, and what comes of them is what comes of them here", PATIENT, async (t) => {
  if (NODE === undefined) return t.skip("no node is installed for all");
  const world = await World.of(t);
  if (world === undefined) return;
  const { builder, helpers, project } = world;
  const release = await world.occupy(t);
  const parts = await Promise.all(Array.from({ length: PARTS }, (_, at) => world.part(at + 1)));
  for (const part of parts) assert.deepEqual([part.code, part.said.how, part.said.notKept], [0, "executed", ""], part.all);
  const placed = parts.map(({ said }) => said.placed as { readonly member: string; readonly why: string });
  for (const { member } of placed) assert.ok(HELPERS.includes(member), JSON.stringify(placed));
  await until(t, async () => helpers.reduce((sum, helper) => sum + helper.events("work.ended").length, 0) >= PARTS);
  // A helper that this machine has starved for two seconds is lost, and the next one is asked.
  const outcomes = builder.events("actions.ended").map(({ outcome }) => outcome);
  assert.deepEqual(
    outcomes.filter((outcome) => outcome !== "lost"),
    parts.map(() => "exit 0"),
  );

  // The same without any of this. What it is a test of it is not told.
  const env = { PATH: process.env.PATH, OUT: "bare" };
  await promisify(execFile)(NODE, ["--test", ...globSync("test/*.test.mjs", { cwd: project.path })], { cwd: project.path, env });
  const names = globSync("bare/*", { cwd: project.path }).map((path) => path.slice("bare/".length));
  assert.equal(names.length, 7);
  const found = new Map(
    globSync("out*/*", { cwd: project.path }).map((path) => [path.split("/")[1], readFileSync(join(project.path, path), "utf8")]),
  );
  for (const name of names) assert.equal(found.get(name), project.read(`bare/${name}`));
  assert.deepEqual(project.leftovers(), []);
  const again = await world.part(1);
  assert.deepEqual([again.said.how, again.stdout], ["hit", parts[0]?.stdout]);
  const { record } = (await ask(builder, "explain", join(project.path, "out1"))) as { record: { outcome: string } };
  assert.equal(record.outcome, "direct");

  // Who ran it has signed it, and that is what others are offered.
  await until(t, async () => {
    const { attestations = [] } = (await ask(builder, "attest", "show", join(project.path, "out1"))) as {
      attestations?: readonly { signer: { name: string } | string }[];
    };
    return JSON.stringify(attestations).includes(placed[0]?.member ?? "nobody");
  });

  // Nothing is at a member but what was declared; what fails there is run here, also where no core is idle then.
  const failing = project.exec("--in", "src", "--", "sh", "-c", "cat secret.txt; echo said; exit 3");
  await until(t, async () => builder.events("actions.ended").at(-1)?.outcome === "exit 3");
  const { code, stdout, said } = await failing;
  assert.deepEqual([code, stdout, (said.placed as { why: string }).why], [3, "said\n", "failed-there"]);
  const kept = await project.exec("--here", "--in", "src", "--out", "kept", "--", "sh", "-c", "cat src/a.txt > kept");
  assert.deepEqual([kept.code, kept.said.placed], [0, { member: "", why: "asked" }]);

  // Who stops it stops it there.
  const sleepers = (): number => helpers.reduce((sum, helper) => sum + world.sleepers(helper), 0);
  const cancelled = (): number => helpers.reduce((sum, helper) => sum + helper.events("work.cancelled").length, 0);
  const before = cancelled(); // Who is lost for a while is told so, too.
  const stopped = world.start(t, "--in", "src", "--", "sleep", "2000");
  await until(t, async () => sleepers() === 1);
  stopped.kill("SIGINT");
  await until(t, async () => sleepers() === 0 && cancelled() > before);

  // A member that dies in the middle costs time and nothing else.
  const survivor = project.exec("--in", "src", "--out", "left", "--", "env", "sh", "-c", "sleep 3000; cat src/b.txt > left");
  await until(t, async () => sleepers() === 1);
  const dying = helpers.find((helper) => world.sleepers(helper) === 1) ?? assert.fail("nobody runs it");
  await dying.stopDaemon("SIGKILL");
  const living = [builder, ...helpers].filter((node) => node !== dying);
  const anew = (): number[] => living.flatMap((node) => world.sleeping(node, "3000"));
  await until(t, async () => anew().length === 1);
  for (const pid of anew()) signalTo(pid, "SIGKILL"); // It goes on with what comes after that.
  assert.deepEqual([(await survivor).code, project.read("left")], [0, "world\n"]);
  assert.ok(builder.events("actions.ended").some(({ outcome }) => outcome === "lost"));
  const explained = (await ask(builder, "explain", join(project.path, "kept"))) as { record: { here: string } };
  assert.equal(explained.record.here, "asked");
  await release();
});
