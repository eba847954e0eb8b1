/**
 * Rounds among several nodes of this process: real keys, envelopes and commitments; what one says reaches all others at once.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { executed, type Signer, sharedBy, trustWorld } from "../../test/compliance/trust-world.ts";
import { type Digest, type Key, limits, silentLog } from "../base/index.ts";
import type { Attestation, Opening, RoundQuestion, SharedResult } from "../contracts/index.ts";
import type { RoundAnswer, RoundAsker, RoundPart } from "../net/index.ts";
import { claimIn, commit, type FalseOpening, logEntryOf, Repeats } from "../trust/index.ts";
import { Rounds } from "./rounds.ts";
import { Withheld } from "./withheld.ts";

const { state, signers } = trustWorld([1, 1, 1, 1, 1, 1], 4_400);
const machines = signers.flat();
const { manifest, entry } = executed("work", "x");
const { action } = entry;

type Ask = (member: Key, question: RoundQuestion, asker: RoundAsker) => Promise<RoundAnswer>;

/** What all know, and who is there. */
class Street {
  readonly nodes = new Map<Key, Neighbour>();
  readonly known: Attestation[] = [];
  /** In order, what became known, and what was promised. */
  readonly events: string[] = [];

  say(shared: SharedResult): void {
    this.hear(claimIn(shared) ?? assert.fail("not shareable"));
  }

  hear(said: Attestation): void {
    const at = machines.findIndex(({ attestationKey }) => attestationKey === said.execution.signer);
    if (this.known.some(({ execution }) => execution.signer === said.execution.signer)) return;
    this.known.push(said);
    this.events.push(`${at} told`);
  }

  /** A machine that has signed that before anybody is asked. */
  before(at: number, outcome: string): void {
    this.say(made(at, outcome));
  }
}

/** One node; what it is asked to execute it has executed when the test says so. */
class Neighbour {
  readonly at: number;
  readonly rounds: Rounds;
  readonly repeats = new Repeats(8);
  readonly falsely: FalseOpening[] = [];
  readonly withheld: Withheld;
  readonly #street: Street;
  isAble = true;
  asked = 0;
  /** Whether waiting for others ends now. */
  isOver = false;

  constructor(street: Street, at: number, ask?: Ask) {
    this.at = at;
    this.#street = street;
    const { keys, sign } = machineAt(at);
    street.nodes.set(keys.publicKey, this);
    const publish = (all: readonly SharedResult[]): void => all.forEach((shared) => street.say(shared));
    this.withheld = new Withheld({ publish, after: () => () => undefined }, { mostMs: 1, mostOfOne: 1 });
    this.rounds = new Rounds({
      members: { network: state.network, self: keys.publicKey, state },
      attestationKeys: sign,
      known: () => street.known,
      present: () => [...street.nodes].map(([key, node]) => ({ key, domain: `d${node.at}` })),
      speak: () => {
        this.asked++;
        return this.isAble;
      },
      ask: ask ?? ((...all) => this.#ask(...all)),
      withheld: this.withheld,
      repeats: this.repeats,
      heard: (said) => street.hear(said),
      openedFalsely: (shown) => void this.falsely.push(shown),
      random: () => randomBytes(32).toString("hex"),
      wait: async (_, signal) => {
        while (!this.isOver && !signal.aborted) await otherWork();
      },
      log: silentLog,
    });
  }

  /** It has executed what it was asked. */
  execute(outcome: string): void {
    const open = this.withheld.admit([made(this.at, outcome)]);
    for (const shared of open) this.#street.say(shared);
  }

  async #ask(member: Key, question: RoundQuestion, asker: RoundAsker): Promise<RoundAnswer> {
    const other = this.#street.nodes.get(member) ?? assert.fail("it is not there");
    const part = other.rounds.takePart(machineAt(this.at).keys.publicKey, question);
    if ("kind" in part) return part;
    using _ = part;
    const found = await part.found;
    if (found === undefined || !asker.committed(found.commitment)) return { kind: "out", why: "" };
    this.#street.events.push(`${other.at} promised`);
    await asker.revealing;
    await part.revealed();
    return { kind: "opening", ...found.opening };
  }
}

function machineAt(at: number): Signer {
  return machines[at] ?? assert.fail(`machine ${at}`);
}

function made(at: number, outcome: string): SharedResult {
  return sharedBy(state.network, machineAt(at), executed("work", outcome));
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await otherWork();
}

/** Who may have repeated others, for that node. */
function repeatingFor({ repeats }: Neighbour, street: Street): number[] {
  return machines.flatMap(({ attestationKey }, at) =>
    street.known.some((one) => one.execution.signer === attestationKey && repeats.isRepeating(state, one)) ? [at] : [],
  );
}

/** Two that differ, and so many that have said nothing. */
function dispute(silent: readonly number[]): { readonly street: Street; readonly nodes: readonly Neighbour[] } {
  const street = new Street();
  street.before(4, "x");
  street.before(5, "y");
  street.events.length = 0;
  return { street, nodes: silent.map((at) => new Neighbour(street, at)) };
}

test("nobody tells what it has found before all have promised, and then all do, once", { timeout: 60_000 }, async () => {
  const { street, nodes } = dispute([0, 1, 2]);
  const [convener, first, second] = nodes;
  assert.ok(convener !== undefined && first !== undefined && second !== undefined);
  convener.rounds.speak(action, manifest);
  await until(() => nodes.every(({ asked }) => asked === 1));
  first.execute("x");
  await until(() => street.events.length === 1);
  convener.execute("x");
  second.execute("x");
  await until(() => street.known.length === 5);
  assert.deepEqual(street.events.slice(0, 2), ["1 promised", "2 promised"]);
  assert.deepEqual(street.events.slice(2).toSorted(), ["0 told", "1 told", "2 told"]);
  assert.deepEqual(
    nodes.map((node) => repeatingFor(node, street)),
    [[], [], []],
  );
});

test("who says something when others have told what they found, and has promised nothing, is not counted where it was asked", {
  timeout: 60_000,
}, async () => {
  const { street, nodes } = dispute([0, 1, 2]);
  const [convener, honest, copier] = nodes;
  assert.ok(convener !== undefined && honest !== undefined && copier !== undefined);
  copier.isAble = false; // That is what it says.
  convener.rounds.speak(action, manifest);
  await until(() => convener.asked + honest.asked === 2);
  honest.execute("x");
  convener.execute("x");
  await until(() => street.known.length === 4);
  street.say(made(2, "x"));
  assert.deepEqual([repeatingFor(convener, street), repeatingFor(honest, street)], [[2], []]);
});

test("who is late is out of the round, and what it says then does not count", { timeout: 60_000 }, async () => {
  const { street, nodes } = dispute([0, 1, 2]);
  const [convener, honest, late] = nodes;
  assert.ok(convener !== undefined && honest !== undefined && late !== undefined);
  convener.rounds.speak(action, manifest);
  await until(() => nodes.every(({ asked }) => asked === 1));
  honest.execute("x");
  convener.execute("x");
  await until(() => street.events.includes("1 promised"));
  assert.equal(street.known.length, 2);
  convener.isOver = true;
  await until(() => street.known.length === 4);
  late.execute("x");
  await until(() => street.known.length === 5);
  assert.deepEqual(repeatingFor(convener, street), [2]);
});

test("who is slow is counted where nobody has told anything before it", { timeout: 60_000 }, async () => {
  for (const isSilent of [true, false]) {
    const { street } = dispute([1]);
    const { sign } = machineAt(1);
    // The one has promised nothing, and the other does not tell what it has promised.
    const ask: Ask = async (_, { round }, asker) => {
      const promised = claimIn(made(1, "x")) ?? assert.fail("not shareable");
      if (!isSilent)
        asker.committed(commit(sign, { network: state.network, round, action }, promised, randomBytes(32).toString("hex")).commitment);
      await asker.revealing;
      return { kind: "out", why: "" };
    };
    const convener = new Neighbour(street, 0, ask);
    convener.rounds.speak(action, manifest);
    await until(() => convener.asked === 1);
    convener.isOver = true;
    for (let turn = 0; turn < 32; turn++) await otherWork();
    street.say(made(1, "x"));
    assert.deepEqual(repeatingFor(convener, street), []);
  }
});

test("who has spoken before says so, and counts", { timeout: 60_000 }, async () => {
  const { street, nodes } = dispute([0, 1]);
  const [convener, early] = nodes;
  assert.ok(convener !== undefined && early !== undefined);
  const said = claimIn(made(1, "x"));
  const all = street.known;
  // The convener has not heard of it yet.
  const behind: Ask = async () => ({ kind: "declined", why: "spoken", attestation: said });
  const asking = new Neighbour(street, 0, behind);
  asking.rounds.speak(action, manifest);
  await until(() => asking.asked === 1 && all.length === 3);
  asking.execute("x");
  await until(() => all.length === 4);
  assert.deepEqual(repeatingFor(asking, street), []);
});

test("another opening than the promised one is shown, and not heard", { timeout: 60_000 }, async () => {
  const { street } = dispute([1]);
  const { sign } = machineAt(1);
  const lying: Ask = async (_, { round }, asker) => {
    const of = { network: state.network, round, action };
    const [promised, told] = ["x", "y"].map((outcome) => claimIn(made(1, outcome)) ?? assert.fail("not shareable"));
    assert.ok(promised !== undefined && told !== undefined);
    const { commitment } = commit(sign, of, promised, randomBytes(32).toString("hex"));
    assert.ok(asker.committed(commitment));
    await asker.revealing;
    const other = commit(sign, of, told, randomBytes(32).toString("hex")).opening;
    return { kind: "opening", ...signedFor(other, of, commitment.digest) };
  };
  const convener = new Neighbour(street, 0, lying);
  convener.isAble = false;
  convener.rounds.speak(action, manifest);
  await until(() => convener.falsely.length === 1);
  assert.deepEqual([convener.falsely[0]?.signer, street.known.length], [machineAt(1).attestationKey, 2]);
});

test("a node is asked about what is disputed alone, and of that about so much at once", () => {
  const { nodes } = dispute([0, 1]);
  const [asker, asked] = nodes;
  assert.ok(asker !== undefined && asked !== undefined);
  const question = (what: string): RoundQuestion => ({ round: randomBytes(32).toString("hex"), manifest, action: what });
  const from = machineAt(0).keys.publicKey;
  const { askedBy, askedByAll } = limits.trust.round;
  const ofOne = Array.from({ length: askedBy }, () => asked.rounds.takePart(from, question(action)));
  const more = asked.rounds.takePart(from, question(action));
  assert.equal("kind" in more && more.why, "busy");
  const parts = Array.from({ length: askedByAll - askedBy }, (_, at) => asked.rounds.takePart(`other ${at}`, question(action)));
  parts.push(...ofOne);
  assert.ok(parts.every((part) => !("kind" in part)));
  assert.equal(asked.asked, 1); // Once is enough for all.
  const over = asked.rounds.takePart("another", question(action));
  assert.equal("kind" in over && over.why, "busy");
  const alone = new Neighbour(new Street(), 2);
  const nothing = alone.rounds.takePart(from, question(action));
  assert.equal("kind" in nothing && nothing.why, "not-disputed");
});

test("who convenes hears nothing while another's round about the same is closed", async () => {
  const { nodes } = dispute([0, 1, 2]);
  const [, asked] = nodes;
  assert.ok(asked !== undefined);
  const partIn = (at: number): RoundPart => {
    const question = { round: randomBytes(32).toString("hex"), manifest, action };
    const part = asked.rounds.takePart(machineAt(at).keys.publicKey, question);
    return "kind" in part ? assert.fail(part.why) : part;
  };
  const [hasty, other] = [partIn(0), partIn(2)];
  asked.execute("x");
  assert.ok((await hasty.found) !== undefined && (await other.found) !== undefined);
  const told: string[] = [];
  const first = hasty.revealed().then(() => told.push("hasty"));
  for (let turn = 0; turn < 8; turn++) await otherWork();
  assert.deepEqual(told, []);
  // Now that somebody waits for an answer, nobody else can begin.
  const late = asked.rounds.takePart(machineAt(3).keys.publicKey, { round: randomBytes(32).toString("hex"), manifest, action });
  assert.equal("kind" in late && late.why, "busy");
  await Promise.all([first, other.revealed()]);
  assert.deepEqual(told, ["hasty"]);
});

/** An opening that speaks of that commitment, signed by the second machine. */
function signedFor(opening: Opening, of: { readonly network: Digest; readonly round: Digest }, digest: Digest): Opening {
  const { statement } = logEntryOf(of.network, opening.attestation);
  const content = Buffer.from(of.network + of.round + action + digest + statement + opening.nonce, "hex");
  return { ...opening, signature: machineAt(1).sign.sign("cairn round opening 1", content) };
}
