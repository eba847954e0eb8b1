/**
 * Logs of attestations among real daemons of several trust domains: written, witnessed, proved and checked, put back to a copy, and forked.
 */
import assert from "node:assert/strict";
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, type TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf } from "./sharing-world.ts";

interface Shown {
  readonly size: number;
  readonly stopped: string | null;
  readonly witnessed: { readonly size: number; readonly by: readonly { readonly name: string }[] } | null;
  readonly seen: readonly { readonly name: string; readonly size: number }[];
}

async function logOf(node: TestNode): Promise<Shown> {
  return (await node.control("POST", "/trust/log", {})) as unknown as Shown;
}

function untilWitnessed(t: TestContext, node: TestNode, size: number, by: string): Promise<void> {
  return until(t, async () => {
    const { witnessed } = await logOf(node);
    return witnessed?.size === size && witnessed.by.some(({ name }) => name === by);
  });
}

async function convicted(node: TestNode): Promise<string[]> {
  return ((await node.control("GET", "/evidence")).convicted as { readonly name: string }[]).map(({ name }) => name);
}

test(
  "what a machine signs is in its log, which others witness; one that is put back and goes on has forked: it stops, and all convict",
  PATIENT,
  async (t) => {
    const [a, b, c] = await Promise.all([machine(t, "log-a"), machine(t, "log-b"), machine(t, "log-c")]);
    await ask(a, "init", "--domain", "home", "--machine", "home");
    for (const [node, name] of [
      [b, "partner"],
      [c, "third"],
    ] as const)
      await ask(node, "join", await invitation(a, "--domain", name), "--machine", name);
    await untilConnected(t, a, "partner", "third");
    await untilConnected(t, b, "home", "third");
    await c.stopDaemon();
    const work = checkoutOf(a, "work");
    await age();

    await build(a, work, ["main"]);
    await untilWitnessed(t, a, 1, "partner");
    assert.deepEqual(
      (await logOf(b)).seen.map(({ name, size }) => [name, size]),
      [["home", 1]],
    );
    const file = join(work, "main.tlog-proof");
    await ask(a, "log", "prove", join(work, "src/main.c"), "--output", file);
    const [logs, copy] = [join(a.home, "state/network/log"), join(work, "copy")];
    cpSync(logs, copy, { recursive: true });
    await build(a, work, ["shape"]);
    await untilWitnessed(t, a, 2, "partner");
    const checked = await ask(b, "log", "check", file);
    assert.deepEqual([checked.ok, (checked.signer as { readonly name: string }).name], [true, "home"]);
    assert.deepEqual(
      (checked.witnesses as { readonly name: string }[]).map(({ name }) => name),
      ["partner"],
    );
    writeFileSync(file, readFileSync(file, "utf8").replace("index 0", "index 1"));
    assert.equal((await cairn(b, "log", "check", file)).code, 1);

    // Put back to what it was before the second attestation, while the witness that knows better is away, and before anybody else hears of that.
    // By its own account the log was never witnessed: else it would wait for that one.
    await b.stopDaemon();
    await a.stopDaemon();
    await c.startDaemon();
    rmSync(logs, { recursive: true });
    cpSync(copy, logs, { recursive: true });
    rmSync(join(logs, "witnessed"));
    appendFileSync(join(work, "src/main.c"), "int one_more;\n");
    await age();
    await a.startDaemon();
    await untilConnected(t, a, "third");
    await build(a, work, ["main"]);
    await untilWitnessed(t, a, 2, "third");
    await b.startDaemon();
    for (const node of [b, c]) await until(t, async () => (await convicted(node)).join() === "home");
    await until(t, async () => (await logOf(a)).stopped === "rolled-back");
    const evidence = join(work, "home.json");
    await ask(c, "evidence", "show", "home", "--output", evidence);
    await c.stopDaemon();
    const shows = await ask(c, "evidence", "verify", evidence);
    assert.deepEqual([shows.ok, (shows.convicted as { readonly domain: string }).domain], [true, "home"]);
    writeFileSync(evidence, readFileSync(evidence, "utf8").replace(/\\n2\\n/, "\\n3\\n"));
    assert.equal((await cairn(c, "evidence", "verify", evidence)).code, 1);
  },
);
