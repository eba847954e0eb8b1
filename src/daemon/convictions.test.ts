import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as otherWork, setTimeout as sleep } from "node:timers/promises";
import { attestedBy, codec, executed, executedCommand, type Signer, trustWorld } from "../../test/compliance/trust-world.ts";
import { CairnError, type Digest, digestOf, type Key, limits, silentLog } from "../base/index.ts";
import type { Attestation } from "../contracts/index.ts";
import { commit, type Fork, logEntryOf } from "../trust/index.ts";
import { Convictions } from "./convictions.ts";

const world = trustWorld([1, 1, 1, 1, 1], 700);
const { membership, state } = world;
const machines = world.signers.flat();
const { manifest, entry } = executed("work", "x");

/** Who says what, `0=x` being the first machine, and `!x` that of a command. */
function said(text: string): Attestation[] {
  return text.split(" ").map((one) => {
    const [at, outcome = ""] = one.split("=");
    const made = outcome.startsWith("!") ? executedCommand("work", outcome) : executed("work", outcome);
    return attestedBy(state.network, machineAt(Number(at)), made);
  });
}

function machineAt(at: number): Signer {
  return machines[at] ?? assert.fail(`machine ${at}`);
}

/** The first machine, with what it was told and what it keeps. */
class Judge {
  readonly settings: Map<string, string> = new Map<string, string>();
  readonly spoke: Digest[] = [];
  known: Attestation[] = [];
  /** Attestation keys of who may have repeated others. */
  repeating: Key[] = [];
  /** How often evidence was made. */
  gathered = 0;
  fails: "disk" | "size" | undefined;
  changes = 0;

  convictions(): Convictions {
    return new Convictions({
      members: { network: state.network, self: machineAt(0).keys.publicKey, state },
      codec,
      kept: {
        setting: (name) => this.settings.get(name),
        set: (name, value) => {
          if (this.fails === "disk") throw new CairnError("home-unwritable", { path: "network" });
          this.settings.set(name, value);
        },
      },
      known: () => this.known,
      statements: () => {
        this.gathered++;
        if (this.fails === "size") return [new Uint8Array(limits.trust.evidenceBytes)];
        return membership.statements().map(({ bytes }) => bytes);
      },
      speak: (action) => void this.spoke.push(action),
      voices: (all) => all.filter(({ execution }) => !this.repeating.includes(execution.signer)),
      changed: () => void this.changes++,
      wait: (ms, signal) => sleep(ms, undefined, { signal, ref: false }),
      log: silentLog,
    });
  }
}

/** In words: whose word does not count, and who is convicted. */
function wordOf(convictions: Convictions): string {
  const names = (keys: ReadonlySet<string>): string =>
    machines.flatMap(({ attestationKey }, at) => (keys.has(attestationKey) ? [at] : [])).join() || "nobody";
  return `discredited ${names(convictions.discredited)}, convicted ${names(convictions.convicted)}`;
}

for (const [text, expected] of [
  ["0=x 1=x 2=x", "discredited nobody, convicted nobody"],
  ["0=x 1=x 3=y", "discredited nobody, convicted nobody"],
  ["0=x 1=x 2=x 3=y", "discredited 3, convicted 3"],
  ["1=x 2=x 4=x 3=y", "discredited 3, convicted nobody"], // This machine has not executed it.
  ["0=y 1=x 2=x 4=x", "discredited 0, convicted nobody"], // It stands alone itself, and says so to nobody but people.
  ["0=x 1=x 2=x 3=y 4=y", "discredited 3,4, convicted nobody"], // Two lie alike, or it is not deterministic: their results are not what comes of it here.
  ["0=x 1=x 3=y 4=y", "discredited nobody, convicted nobody"], // Two domains are too few to go by.
  ["1=x 2=x 0=y 3=y 4=y", "discredited 1,2, convicted nobody"],
  ["0=x 1=x 2=x 3=!y", "discredited 3, convicted 3"], // It was no command: three domains say so, and one liar.
  ["1=x 2=x 4=x 3=!y", "discredited 3, convicted nobody"],
  ["0=x 1=x 2=!y 3=!y 4=!y", "discredited nobody, convicted nobody"],
  ["0=!x 1=!x 2=!x 3=!y", "discredited nobody, convicted nobody"], // A command may print the time.
  ["1=!x 2=!x 4=!x 3=y", "discredited nobody, convicted nobody"],
  ["0=!z 1=y 2=y 3=y", "discredited nobody, convicted nobody"],
] as const)
  test(`${text}: ${expected}`, () => {
    const judge = new Judge();
    judge.known = said(text);
    using convictions = judge.convictions();
    convictions.look(manifest, entry.action);
    assert.equal(wordOf(convictions), expected);
  });

for (const [text, repeating, expected] of [
  ["0=x 1=x 2=x 3=y", [2], "discredited nobody, convicted nobody"],
  ["0=x 1=x 2=x 4=x 3=y", [2], "discredited 3, convicted 3"],
  ["1=x 2=x 4=x 3=y", [2], "discredited nobody, convicted nobody"],
  ["0=x 1=x 2=x 3=y 4=y", [4], "discredited 3,4, convicted nobody"], // It excuses, as far as anybody can.
  ["0=x 1=x 2=x 3=y", [3], "discredited 3, convicted nobody"], // It is not what comes of it here.
] as const)
  test(`${text}, where ${repeating.join()} may have repeated others: ${expected}`, () => {
    const judge = new Judge();
    judge.known = said(text);
    judge.repeating = repeating.map((at) => machineAt(at).attestationKey);
    using convictions = judge.convictions();
    convictions.look(manifest, entry.action);
    assert.equal(wordOf(convictions), expected);
  });

test("who opens what it had not promised is convicted by that, and it outlives the process", () => {
  const judge = new Judge();
  const { sign, attestationKey } = machineAt(3);
  const [promised, told] = said("3=x 3=y");
  assert.ok(promised !== undefined && told !== undefined);
  const of = { network: state.network, round: digestOf("round"), action: entry.action };
  const { commitment } = commit(sign, of, promised, digestOf("nonce"));
  const result = logEntryOf(state.network, told).statement;
  const content = Buffer.from(of.network + of.round + of.action + commitment.digest + result + digestOf("nonce"), "hex");
  const opened = { result, nonce: digestOf("nonce"), signature: sign.sign("cairn round opening 1", content) };
  using convictions = judge.convictions();
  convictions.openedFalsely({ ...of, signer: attestationKey, commitment, opened });
  assert.equal(wordOf(convictions), "discredited 3, convicted 3");
  using again = judge.convictions();
  assert.equal(wordOf(again), "discredited 3, convicted 3");
  judge.settings.set(
    `evidence ${attestationKey}`,
    judge.settings.get(`evidence ${attestationKey}`)?.replace(result, commitment.digest) ?? "",
  );
  using tampered = judge.convictions();
  assert.equal(wordOf(tampered), "discredited nobody, convicted nobody");
});

test("a suspicion ends when another domain finds the same; a conviction does not, and outlives the process", () => {
  const judge = new Judge();
  using convictions = judge.convictions();
  judge.known = said("1=x 2=x 4=x 3=y");
  convictions.look(manifest, entry.action);
  judge.known = said("1=x 2=x 4=x 3=y 0=y");
  convictions.look(manifest, entry.action);
  assert.deepEqual([wordOf(convictions), judge.changes], ["discredited nobody, convicted nobody", 2]);

  judge.known = said("0=x 1=x 2=x 3=y");
  convictions.look(manifest, entry.action);
  judge.known = said("0=x 1=x 2=x 3=y 4=y");
  convictions.look(manifest, entry.action);
  assert.equal(wordOf(convictions), "discredited 3,4, convicted 3");
  using again = judge.convictions();
  assert.equal(wordOf(again), "discredited 3, convicted 3");
  // What somebody has written into the database convicts nobody.
  for (const name of judge.settings.keys()) if (name.startsWith("evidence ")) judge.settings.set(name, "{}");
  using tampered = judge.convictions();
  assert.equal(wordOf(tampered), "discredited nobody, convicted nobody");
});

/** As its witnesses find it, who have checked it. */
function forkBy(signer: Signer): Fork {
  const head = (root: string): Fork["newer"] => ({ log: signer.attestationKey, size: 1, root, signature: new Uint8Array(64) });
  return { older: head("00".repeat(32)), newer: head("11".repeat(32)), root: Buffer.alloc(32, 0x11), proof: [] };
}

test("what was suspected by others' word outlives the process, as long as it holds; what differed from own work does not", () => {
  for (const [text, later, expected] of [
    ["1=x 2=x 4=x 3=y", "", "discredited 3, convicted nobody"],
    ["1=x 2=x 4=x 3=y", " 0=y", "discredited nobody, convicted nobody"], // It does not stand alone any more.
    ["1=x 2=x 4=x 3=y", " 0=x", "discredited 3, convicted 3"],
    ["0=x 1=x 2=x 3=y 4=y", "", "discredited nobody, convicted nobody"],
  ] as const) {
    const judge = new Judge();
    judge.known = said(text);
    {
      using before = judge.convictions();
      before.look(manifest, entry.action);
      assert.notEqual(before.discredited.size, 0);
    }
    judge.known = said(text + later);
    using after = judge.convictions();
    assert.equal(wordOf(after), "discredited nobody, convicted nobody", "members may not be known yet");
    after.resume();
    assert.equal(wordOf(after), expected, text + later);
  }
});

test("a suspicion that has ended is not written down any more", () => {
  const judge = new Judge();
  {
    using convictions = judge.convictions();
    judge.known = said("1=x 2=x 4=x 3=y");
    convictions.look(manifest, entry.action);
  }
  assert.equal(judge.settings.get("suspected"), `${manifest}:${entry.action}`);
  using convictions = judge.convictions();
  convictions.resume();
  judge.known = said("1=x 2=x 3=x");
  convictions.look(manifest, entry.action);
  convictions[Symbol.dispose]();
  assert.equal(judge.settings.get("suspected"), "");
});

test("who is convicted already costs no further evidence", () => {
  const judge = new Judge();
  using convictions = judge.convictions();
  assert.equal(convictions.forked(forkBy(machineAt(3))), true);
  assert.equal(judge.gathered, 1);
  for (let times = 0; times < 3; times++) assert.equal(convictions.forked(forkBy(machineAt(3))), false);
  assert.equal(judge.gathered, 1);
});

test("a fork convicts where its evidence is not kept, and is news to be told", () => {
  for (const fails of ["disk", "size"] as const) {
    const judge = new Judge();
    judge.fails = fails;
    using convictions = judge.convictions();
    assert.equal(convictions.forked(forkBy(machineAt(3))), true);
    assert.equal(wordOf(convictions), "discredited 3, convicted 3");
    assert.equal(judge.settings.size, 0);
  }
});

test("who has not executed what is disputed is to speak, in its turn", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const judge = new Judge();
  judge.known = said("1=x 3=y");
  using convictions = judge.convictions();
  convictions.look(manifest, entry.action);
  convictions.look(manifest, entry.action);
  for (let turn = 0; turn < machines.length; turn++) {
    t.mock.timers.tick(60_000);
    await otherWork();
  }
  assert.deepEqual(judge.spoke, [executed("work", "x").entry.action], "once");
});

test("who has executed it does not speak again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const judge = new Judge();
  judge.known = said("0=x 3=y");
  using convictions = judge.convictions();
  convictions.look(manifest, entry.action);
  t.mock.timers.tick(60_000);
  await otherWork();
  assert.deepEqual(judge.spoke, []);
});
