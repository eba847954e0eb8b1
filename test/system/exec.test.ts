/**
 * `cairn exec` with real daemons and, where this machine has one, the real sandbox: what is answered, what runs, what is left behind.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { hasSandbox, Project, type Told } from "./exec-world.ts";
import { checkout, run, type TestNode, writeFiles } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { untilOffered } from "./sharing-world.ts";

const MAKE =
  'mkdir -p dist/bin && cat src/*.txt > dist/all && cp src/a.txt dist/bin/run && chmod +x dist/bin/run && ln -s bin/run dist/link; echo "n=$N"; echo told >&2';

test("one machine", PATIENT, async (t) => {
  const node = await machine(t, "exec", { CAIRN_LOG_LEVEL: "debug" });
  await t.test("what ran once is not run again: outputs, modes, links, printed text and exit code are the same", () => ranOnce(node));
  await t.test("failures are kept when that is wanted, and nothing is put over what somebody else wrote", () => failures(node));
  await t.test("what is printed comes whole and in order", (part) => printed(part, node));
  await t.test("without a sandbox what comes of it stays here, and inputs that change meanwhile are noticed", () => bareRuns(node));
  await t.test("an undeclared file is not there, and a run that is stopped leaves nothing", (part) => stopped(part, node));
  await t.test("what ran once is run once more and compared; of which not always the same comes, that is said", (part) =>
    verified(part, node),
  );
  await t.test("what was removed is a miss, and no home that cannot be had keeps a command from running", () => gone(node));
});

async function ranOnce(node: TestNode): Promise<void> {
  const project = new Project(node, "once");
  const make = (...more: string[]): Promise<Told> => project.exec("--in", "src", "--out", "dist", ...more, "--", "sh", "-c", MAKE);
  const first = await make("--env", "N=1");
  assert.deepEqual([first.code, first.said.how, first.said.notKept], [0, "executed", ""], JSON.stringify(first));
  const looks = (): unknown => [
    project.read("dist/all"),
    statSync(join(project.path, "dist/bin/run")).mode & 0o777,
    readlinkSync(join(project.path, "dist/link")),
  ];
  const before = looks();
  rmSync(join(project.path, "dist"), { recursive: true });
  const second = await make("--env", "N=1");
  assert.equal(second.said.how, "hit");
  assert.deepEqual([second.code, second.stdout, second.stderr, looks()], [0, first.stdout, first.stderr, before]);
  assert.deepEqual(first.stdout, "n=1\n");

  assert.equal((await make("--env", "N=2")).said.how, "executed", "a declared variable counts");
  project.write("secret.txt", "changed");
  assert.equal((await make("--env", "N=2")).said.how, "hit", "what is not declared does not");
  project.write("src/c.txt", "more\n");
  const explained = await make("--env", "N=2", "--dry-run");
  assert.match(explained.stdout, /"isHit": false/);
  const third = await make("--env", "N=2");
  assert.deepEqual(third.said.differences, [{ kind: "appeared", name: "src/c.txt" }]);
  assert.equal(project.read("dist/all"), "hello\nworld\nmore\n");
  const { record } = await ask(node, "explain", join(project.path, "dist"));
  assert.equal((record as Record<string, unknown>).outcome, "miss");
  rmSync(join(project.path, "src/c.txt"));
  assert.equal((await make("--env", "N=2")).said.how, "hit");
  assert.equal(project.read("dist/all"), "hello\nworld\n", "nothing of the run before is left in the directory");
  assert.deepEqual(project.leftovers(), []);
}

async function failures(node: TestNode): Promise<void> {
  const project = new Project(node, "failing");
  const fail = (...more: string[]): Promise<Told> => project.exec("--in", "src", ...more, "--", "sh", "-c", "echo no; exit 3");
  for (const _ of [1, 2]) assert.deepEqual((await fail()).said.how, "executed");
  assert.equal((await fail("--cache-failures")).said.how, "executed");
  const again = await fail("--cache-failures");
  assert.deepEqual([again.code, again.said.how, again.stdout], [3, "hit", "no\n"]);
  assert.equal((await fail()).said.how, "executed", "who does not want failures runs it again");

  const make = (...more: string[]): Promise<Told> =>
    project.exec("--in", "src", "--out", "dist", ...more, "--", "sh", "-c", "mkdir -p dist; date +%N > dist/now");
  await make();
  project.write("dist/mine", "precious");
  const refused = await make();
  assert.equal(refused.code, 2);
  assert.match(refused.all, /dist\/mine was not put there by this command/);
  assert.equal(project.read("dist/mine"), "precious");
  project.write("src/a.txt", "another\n");
  assert.match((await make()).all, /dist\/mine was not put there by this command/);
  if (await hasSandbox(node)) {
    const { isHit, inTheWay } = JSON.parse((await make("--dry-run")).stdout) as { isHit: boolean; inTheWay: { isCertain: boolean } };
    assert.deepEqual([isHit, inTheWay.isCertain], [true, true]);
  }
  const forced = await make("--force");
  assert.equal(forced.code, 0);
  if (await hasSandbox(node)) assert.equal(forced.said.how, "hit", "what could not be placed was kept");
  assert.equal(existsSync(join(project.path, "dist/mine")), false);

  const silent = await project.exec("--in", "src", "--out", "never", "--", "true");
  assert.deepEqual([silent.code, silent.said.missing], [1, ["never"]]);
}

async function bareRuns(node: TestNode): Promise<void> {
  const project = new Project(node, "bare");
  const bare = (script: string): Promise<Told> =>
    project.exec("--in", "src", "--out", "out", "--sandbox", "never", "--", "sh", "-c", script);
  const script = "cat secret.txt src/a.txt > out; pwd";
  const first = await bare(script);
  assert.deepEqual([first.stdout, (first.said.where as { sandboxed: boolean }).sandboxed], [`${project.path}\n`, false]);
  rmSync(join(project.path, "out"));
  assert.equal((await bare(script)).said.how, "hit");
  assert.equal(project.read("out"), "not declared\nhello\n");
  const changed = await bare("cat src/a.txt > out; echo x >> src/b.txt");
  assert.match(String(changed.said.notKept), /src\/b.txt changed while it ran/);
  const stale = await bare("true");
  assert.match(String(stale.said.notKept), /out was there before, and this run has not written it/);
}

/** Some of it while it ran, the rest afterwards. */
async function printed(t: TestContext, node: TestNode): Promise<void> {
  if (!(await hasSandbox(node))) return t.skip("no sandbox here");
  const project = new Project(node, "printing");
  const print = (script: string): Promise<Told> => project.exec("--in", "src", "--", "sh", "-c", script);
  const many =
    "i=0; while [ $i -lt 3000 ]; do echo line $i; echo error $i >&2; i=$((i + 1)); done; head -c 900000 /dev/zero; printf 'the end'";
  const first = await print(many);
  const lines = (word: string): string => Array.from({ length: 3_000 }, (_, i) => `${word} ${i}\n`).join("");
  assert.equal(first.stdout, `${lines("line")}${"\0".repeat(900_000)}the end`);
  assert.equal(`${first.stderr}\n`, lines("error"));
  const again = await print(many);
  assert.deepEqual(
    [first.said.how, again.said.how, again.stdout === first.stdout, again.stderr === first.stderr],
    ["executed", "hit", true, true],
  );
}

async function stopped(t: TestContext, node: TestNode): Promise<void> {
  if (!(await hasSandbox(node))) return t.skip("no sandbox here");
  const project = new Project(node, "stopped");
  const told = await project.exec("--in", "src", "--", "cat", "secret.txt");
  assert.deepEqual([told.code, told.said.notKept === ""], [1, false]);
  assert.match(told.stderr, /No such file/);

  const script = "mkdir dist; echo half > dist/half; echo begun; echo so it is >&2; while :; do sleep 1; done";
  const args = ["exec", "--in", "src", "--out", "dist", "--", "sh", "-c", script];
  const options = {
    cwd: project.path,
    env: { ...process.env, ...node.env },
    stdio: ["ignore", "pipe", "pipe"] as ["ignore", "pipe", "pipe"],
  };
  const child = spawn(join(checkout, "bin/cairn"), args, options);
  t.after(() => child.kill("SIGKILL"));
  let shown = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => (shown += bytes.toString()));
  // What it prints is shown while it runs.
  await until(t, async () => shown.includes("begun\n") && shown.includes("so it is\n"));
  const ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
  child.kill("SIGINT");
  assert.equal(await ended, 130);
  assert.deepEqual([existsSync(join(project.path, "dist")), project.leftovers()], [false, []]);
}

async function verified(t: TestContext, node: TestNode): Promise<void> {
  if (!(await hasSandbox(node))) return t.skip("no sandbox here");
  const project = new Project(node, "verified");
  const make = (out: string, script: string): Promise<Told> => project.exec("--in", "src", "--out", out, "--", "sh", "-c", script);
  const verify = async (out: string): Promise<Verified> => {
    const ran = await cairn(node, "verify", join(project.path, out), "--json");
    return { code: ran.code, ...(JSON.parse(ran.stdout) as Omit<Verified, "code">) };
  };
  await make("dist", MAKE);
  const steady = await verify("dist");
  assert.deepEqual([steady.code, steady.here], [0, { kind: "same", differences: [] }]);
  await make("now", "cat src/a.txt > now; date +%s%N >> now");
  const action = String(((await ask(node, "explain", join(project.path, "now"))).record as Record<string, unknown>).action);
  const first = project.read("now");
  const unsteady = await verify("now");
  const [difference] = unsteady.here.differences;
  assert.deepEqual([unsteady.code, unsteady.here.kind, unsteady.here.repeatable], [1, "differs", false]);
  assert.deepEqual([unsteady.action, difference?.path, difference?.line, `hello\n${difference?.before}\n`], [action, "now", 2, first]);
  const shown = await cairn(node, "verify", join(project.path, "now"));
  assert.match(shown.stdout, /not deterministic\n.*now, from line 2 on\n.*kept.*\n.*now /);
  assert.match(
    (await cairn(node, "explain", join(project.path, "now"))).stdout,
    /not shared: not always the same comes of it \(now, line 2\)/,
  );
  const { record } = await ask(node, "explain", join(project.path, "now"));
  assert.equal((record as Record<string, unknown>).unshared, "now, line 2");
  assert.equal(JSON.stringify(record).includes('"umask"'), false, "by what it can be asked for is nobody's answer");
  const again = await make("now", "cat src/a.txt > now; date +%s%N >> now");
  assert.deepEqual([again.said.how, again.said.unshared, project.read("now")], ["hit", "now, line 2", first]);
  project.write("src/c.txt", "more\n");
  const changed = await cairn(node, "verify", join(project.path, "dist"), "--json");
  assert.equal(changed.code, 1);
  assert.match(changed.stdout + changed.stderr, /as its inputs are now is here: new: src\/c.txt/);
}

interface Challenged {
  readonly isOthers: boolean;
  readonly here: Verified["here"];
  readonly members: readonly { readonly name: string; readonly kind: string; readonly reason?: string }[];
}

interface Verified {
  readonly code: number | null;
  readonly action: string;
  readonly here: {
    readonly kind: string;
    readonly repeatable?: boolean;
    readonly differences: readonly { readonly path: string; readonly line?: number; readonly before?: string }[];
  };
}

test(
  "members get what ran in a sandbox, signed as the run of a command, at another path; what ran without one they do not",
  PATIENT,
  async (t: TestContext) => {
    const alone = { CAIRN_SHARING_COPIES: "0" };
    const runs = { ...alone, CAIRN_WORK_SYSTEM: "image-1" };
    const [a, b] = await Promise.all([machine(t, "exec-a", runs), machine(t, "exec-b", { ...runs, CAIRN_WORK_ACTIONS: "on" })]);
    if (!(await hasSandbox(a))) return t.skip("no sandbox here");
    await ask(a, "init", "--machine", "laptop");
    await ask(b, "join", await invitation(a), "--machine", "desktop");
    await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
    const first = new Project(a, "work");
    const second = new Project(b, "some/where/else");
    const make = (project: Project): Promise<Told> =>
      project.exec("--in", "src", "--out", "dist", "--", "sh", "-c", `${MAKE}; date +%s%N > dist/when`);
    const bare = (project: Project): Promise<Told> => project.exec("--in", "src", "--sandbox", "never", "--", "sh", "-c", "date");
    assert.equal((await bare(first)).said.notKept, "");
    let [ran, hit]: (Told | undefined)[] = [];
    // A machine that is busy may not answer in time, and then the command runs: the next one is asked for anew.
    for (let round = 1; hit?.said.how !== "hit" && round <= 10; round++) {
      for (const project of [first, second]) project.write("src/b.txt", `round ${round}\n`);
      ran = await make(first);
      assert.equal(ran.said.notKept, "");
      await untilOffered(t, b, "laptop", round);
      hit = await make(second);
    }
    assert.ok(hit !== undefined && ran !== undefined);
    assert.deepEqual([hit.stdout, hit.stderr, hit.stdout.length > 0], [ran.stdout, ran.stderr, true], "what it printed is there, too");
    assert.deepEqual([hit.code, hit.said.how, second.read("dist/when")], [0, "hit", first.read("dist/when")], JSON.stringify(hit));
    assert.ok(lstatSync(join(second.path, "dist/link")).isSymbolicLink());
    assert.equal((await bare(second)).said.how, "executed");
    interface Explained {
      readonly record: { readonly outcome: string; readonly from?: { readonly name: string; readonly giver?: { readonly name: string } } };
    }
    const explain = async (): Promise<Explained["record"]> =>
      ((await ask(b, "explain", join(second.path, "dist"))) as unknown as Explained).record;
    await until(t, async () => (await explain()).outcome === "hit_peer");
    const { from } = await explain();
    assert.deepEqual([from?.name, from?.giver?.name], ["laptop", "laptop"]);
    const shown = (await ask(a, "attest", "show", join(first.path, "dist"))) as {
      attestations?: readonly { envelope: { payload: string } }[];
    };
    const [envelope] = shown.attestations ?? [];
    assert.match(Buffer.from(envelope?.envelope.payload ?? "", "base64").toString("utf8"), /"buildType":"urn:cairn:exec:1"/);

    const steady = join(first.path, "steady");
    await first.exec("--in", "src", "--out", "steady", "--", "sh", "-c", "cat src/a.txt > steady");
    // A machine that is busy does it the next time.
    await until(t, async () => {
      const { members } = (await ask(a, "challenge", steady)) as unknown as Challenged;
      return members.length === 1 && members[0]?.name === "desktop" && members[0].kind === "same";
    });
    const { isOthers, here, members } = JSON.parse((await cairn(b, "challenge", join(second.path, "dist"), "--json")).stdout) as Challenged;
    const [asked] = members;
    // It is others' work, and says what time it is: it comes out otherwise each time, and who may not be asked says so.
    assert.deepEqual([isOthers, here.kind, here.repeatable, asked?.reason], [true, "differs", false, "not_shared"]);
    await until(t, async () => (await explain()).outcome === "recalled");
  },
);

async function gone(node: TestNode): Promise<void> {
  const project = new Project(node, "gone");
  const make = (): Promise<Told> => project.exec("--in", "src", "--out", "out", "--", "sh", "-c", "cat src/a.txt > out");
  await make();
  await ask(node, "gc", "--all");
  assert.equal((await make()).said.how, "executed");
  assert.equal((await make()).said.how, "hit");
  const slow = project.exec("--in", "src", "--out", "slow", "--", "sh", "-c", "sleep 1; cat src/a.txt > slow");
  await sleep(800);
  await node.stopDaemon("SIGKILL");
  assert.equal((await slow).code, 0, "whenever the daemon ends, the command runs");
  assert.equal(project.read("slow"), "hello\n");

  const shut = join(project.path, "shut");
  mkdirSync(shut);
  writeFiles(shut, { file: "" });
  const env = { ...node.env, CAIRN_HOME: join(shut, "file/home") };
  rmSync(join(project.path, "out"));
  const ran = await run(join(checkout, "bin/cairn"), ["exec", "--in", "src", "--out", "out", "--", "sh", "-c", "cat src/b.txt > out"], {
    cwd: project.path,
    env,
  });
  assert.deepEqual([ran.code, project.read("out")], [0, "world\n"], ran.stderr);
  assert.match(ran.stderr, /going on without/);
}
