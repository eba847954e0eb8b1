/**
 * Who executed a compile, as people and other programs are told: real daemons, real compilers, files.
 */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { age, type Ran, type TestNode, writeFiles } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { heard } from "./sharing-world.ts";

interface Shown {
  readonly action: string;
  readonly signer: { readonly name: string };
}

function checkout(node: TestNode): string {
  const directory = join(dirname(node.home), "work");
  writeFiles(directory, { Makefile: "", "src/shape.c": "int area(int sides) { return sides * sides; }\n" });
  mkdirSync(join(directory, "out"));
  return directory;
}

test("an attestation is shown, exported, and verified here, elsewhere, and without a daemon", PATIENT, async (t) => {
  const [a, b] = await Promise.all([machine(t, "attest-a"), machine(t, "attest-b")]);
  const directory = checkout(a);
  await ask(a, "init", "--machine", "laptop");
  await ask(b, "join", await invitation(a), "--machine", "desktop");
  await Promise.all([untilConnected(t, a, "desktop"), untilConnected(t, b, "laptop")]);
  await age();
  const [source, object, envelope] = ["src/shape.c", "out/shape.o", "shape.json"].map((path) => join(directory, path)) as [
    string,
    string,
    string,
  ];
  await heard(a, () => a.cc("gcc", ["-c", "src/shape.c", "-o", "out/shape.o"], { cwd: directory }));
  const show = async (what: string): Promise<Shown[]> => (await ask(a, "attest", "show", what)).attestations as Shown[];
  await until(t, async () => (await show(source)).length === 1);
  const [shown] = await show(object);
  assert.equal(shown?.signer.name, "laptop");
  assert.deepEqual(await show(shown.action), await show(source));

  await ask(a, "attest", "export", source, "--output", envelope);
  const verify = (node: TestNode, ...args: string[]): Promise<Ran> => cairn(node, "attest", "verify", "--json", envelope, ...args);
  const good = await verify(b, "--subject", `shape.o=${object}`);
  assert.equal(good.code, 0, good.stdout + good.stderr);
  const [told] = (JSON.parse(good.stdout) as { checked: { signer: object; subjects: { ok: boolean }[] }[] }).checked;
  assert.deepEqual(told?.signer, { name: "laptop", domain: "home", standing: "active" });
  assert.deepEqual(
    told.subjects.map(({ ok }) => ok),
    [true],
  );
  assert.equal((await verify(b, "--subject", `shape.o=${source}`)).code, 1);
  assert.equal((await verify(b, "--subject", `other.o=${object}`)).code, 1);

  // Nobody there: the signature still holds, and says nothing about people.
  await cairn(b, "down");
  const offline = await verify(b, "--subject", `shape.o=${object}`);
  assert.equal(offline.code, 0, offline.stdout + offline.stderr);
  const [alone] = (JSON.parse(offline.stdout) as { checked: { signer?: object }[] }).checked;
  assert.equal(alone?.signer, undefined);
  const text = readFileSync(envelope, "utf8");
  const { payload } = JSON.parse(text) as { payload: string };
  const forged = Buffer.from(payload, "base64").toString("utf8").replace("shape.o", "other.o");
  writeFileSync(envelope, text.replace(payload, Buffer.from(forged).toString("base64")));
  assert.equal((await verify(b)).code, 1);
});

test("what cannot be told is said plainly", PATIENT, async (t) => {
  const node = await machine(t, "attest-alone");
  const code = async (...args: string[]): Promise<number | null> => (await cairn(node, "attest", ...args)).code;
  await cairn(node, "up");
  assert.equal(await code("show", "/nowhere.c"), 1); // In no network.
  await ask(node, "init");
  assert.equal(await code("show", "/nowhere.c"), 1);
  assert.equal(await code("export", "0".repeat(64)), 1);
  assert.equal(await code("verify", "/nowhere.json"), 1);
  assert.equal(await code("verify", "/nowhere.json", "--subject", "a"), 2);
});
