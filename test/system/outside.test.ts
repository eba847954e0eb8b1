/**
 * What is exported for people outside, verified by a program that shares no code with this one: Python's standard library and openssl.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { age, checkout, type Ran, run, type TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf } from "./sharing-world.ts";

const VERIFIER = join(checkout, "test/system/outside-verifier.py");

function hasTools(): boolean {
  try {
    // Versions before 3.0 cannot verify Ed25519 on the command line.
    return /^OpenSSL [3-9]/.test(String(execFileSync("openssl", ["version"]))) && String(execFileSync("python3", ["--version"])) !== "";
  } catch {
    return false;
  }
}

function outside(cwd: string, ...args: string[]): Promise<Ran> {
  return run("python3", [VERIFIER, ...args], { cwd });
}

/** Two domains that have compiled the same, and the place of the first's checkout. */
async function two(t: TestContext): Promise<{ readonly node: TestNode; readonly work: string }> {
  const [home, partner] = await Promise.all([machine(t, "outside-home"), machine(t, "outside-partner")]);
  await ask(home, "init", "--domain", "home", "--machine", "home");
  await ask(partner, "join", await invitation(home, "--domain", "partner"), "--machine", "partner");
  await untilConnected(t, home, "partner");
  const [work, theirs] = [checkoutOf(home, "work"), checkoutOf(partner, "elsewhere")];
  await age();
  await build(home, work, ["shape"]);
  await build(partner, theirs, ["shape"]);
  return { node: home, work };
}

test("attestations and a summary that two domains stand behind, to whom Cairn means nothing", PATIENT, async (t) => {
  if (!hasTools()) return t.skip("no python3, or no openssl 3");
  const { node, work } = await two(t);
  const [object, file, lone] = ["out/shape.o", "summary.intoto.jsonl", "lone.intoto.jsonl"].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  await until(t, async () => (await cairn(node, "attest", "export", "--summary", "--inputs", object, "--output", file)).code === 0);
  const good = await outside(work, file, object);
  assert.equal(good.code, 0, good.stderr);
  const told = JSON.parse(good.stdout) as { attestations: number; summaries: { levels: string[]; keys: number; verifier: string }[] };
  assert.equal(told.attestations, 2);
  assert.deepEqual(
    told.summaries.map(({ levels, keys }) => [levels, keys]),
    [[["SLSA_BUILD_REPRODUCED"], 2]],
  );
  const { members } = await ask(node, "members");
  const self = (members as { readonly self: boolean; readonly attestationKey: string }[]).find((one) => one.self);
  assert.equal(told.summaries[0]?.verifier, self?.attestationKey, "whose key it is, the network's members say");
  await ask(node, "attest", "export", object, "--output", lone);
  assert.equal((await outside(work, lone, object)).code, 0);

  const [summary = "", ...inputs] = readFileSync(file, "utf8").trimEnd().split("\n");
  const { payload, payloadType } = JSON.parse(summary) as { payload: string; payloadType: string };
  const saying = (from: string, to: string): string => {
    const body = Buffer.from(payload, "base64").toString("utf8");
    assert.ok(body.includes(from));
    return summary.replace(payload, Buffer.from(body.replace(from, to)).toString("base64"));
  };
  const wrong: readonly (readonly [why: RegExp, lines: readonly string[], subject?: string])[] = [
    [/signature does not hold/, [summary.replace(/"sig":"..../, '"sig":"AAAA'), ...inputs]],
    [/signature does not hold/, [saying("SLSA_BUILD_REPRODUCED", "SLSA_BUILD_LEVEL_3"), ...inputs]],
    [/another payload/, [summary.replace(payloadType, "text/plain"), ...inputs]],
    [/is not there/, [summary, ...inputs.slice(1)]],
    [/is not there/, [summary, inputs[0] ?? "", (inputs[1] ?? "").replace(/"keyid":"../, '"keyid":"00')]],
    [/is not a subject/, [summary, ...inputs], join(work, "src/shape.c")],
  ];
  for (const [why, lines, subject = object] of wrong) {
    writeFileSync(file, lines.map((one) => `${one}\n`).join(""));
    const refused = await outside(work, file, subject);
    assert.equal(refused.code, 1, `${why}`);
    assert.match(refused.stderr, why);
  }
});
