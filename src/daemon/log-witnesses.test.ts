import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { CairnError, digestOf, type Key, limits, silentLog } from "../base/index.ts";
import type { LogAnswer, LogQuestion } from "../contracts/index.ts";
import { cosign, type KeyPair, keyPairFromSeed, leafHash, signHead, writeHead } from "../trust/index.ts";
import { AttestationLog } from "./attestation-log.ts";
import { MemoryDisk, MemoryFiles } from "./log-memory.fixture.ts";
import { LogMirror } from "./log-mirror.ts";
import { LogWitnesses } from "./log-witnesses.ts";

const [own, ...others] = Array.from({ length: 5 }, (_, at) => keyPairFromSeed(Buffer.alloc(32, 40 + at)));
const keys: KeyPair = own ?? assert.fail();
const entry = (name: string) => ({ action: digestOf(`action ${name}`), statement: digestOf(`statement ${name}`) });

/** Members of other domains that witness by the real rule, whoever's log it is; called like their domains. */
class Others {
  readonly #mirrors = new Map<Key, LogMirror>();
  readonly asked: string[] = [];
  there: string[] = ["d0", "d1", "d2", "d3"];
  all: string[] = ["d0", "d1", "d2", "d3"];
  silent: string[] = [];
  nowMs = 0;

  async ask(member: Key, { head, leaves }: LogQuestion): Promise<LogAnswer> {
    const mirror = this.#mirrors.get(member) ?? (await LogMirror.open({ files: new MemoryDisk(), domainOf: () => "home", log: silentLog }));
    this.#mirrors.set(member, mirror);
    if (this.silent.includes(member)) throw new CairnError("peer-unreachable", { peer: member });
    this.asked.push(head === undefined ? `${member}?` : `${member} ${head.size}`);
    const known = mirror.of(keys.publicKey)?.head;
    if (head === undefined) return { head: known, cosignature: undefined };
    const { kind } = await mirror.take({ head, leaves });
    const signed = kind === "grown" || kind === "same";
    return { head: known, cosignature: signed ? cosign(keysOf(member), head, 1_700_000_000) : undefined };
  }
}

function keysOf(member: Key): KeyPair {
  return others[Number(member.slice(1))] ?? assert.fail(member);
}

/** Rounds are due when the test says so. */
function witnessesOf(
  t: TestContext,
  files: MemoryFiles,
  log: AttestationLog,
  members: Others,
): { witnesses: LogWitnesses; round: () => Promise<void> } {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const witnesses = new LogWitnesses({
    own: log,
    files,
    present: () => ["home", ...members.there].map((key) => ({ key, domain: key })),
    self: "home",
    signer: keys.publicKey,
    attestationKeyOf: (member) => keysOf(member).publicKey,
    memberOf: (witness) => members.all.find((member) => keysOf(member).publicKey === witness),
    ask: (member, question) => members.ask(member, question),
    now: () => members.nowMs,
    log: silentLog,
  });
  t.after(() => witnesses[Symbol.asyncDispose]());
  const round = async (): Promise<void> => {
    t.mock.timers.tick(limits.transparency.askMs);
    for (let turn = 0; turn < 200; turn++) await otherWork();
  };
  return { witnesses, round };
}

test("members of three other domains witness a log, and are asked again only when it has grown", async (t) => {
  const [files, members] = [new MemoryFiles(), new Others()];
  const log = new AttestationLog({ files, keys, log: silentLog });
  const { witnesses, round } = witnessesOf(t, files, log, members);
  await round();
  assert.deepEqual(members.asked, [], "there is nothing to be witnessed");
  log.add([entry("a"), entry("b")]);
  await log.settle();
  await round();
  assert.deepEqual([witnesses.last?.head.size, witnesses.last?.cosignatures.length], [2, 3]);
  const before = members.asked.length;
  await round();
  assert.equal(members.asked.length, before);
  log.add([entry("c")]);
  await log.settle();
  await round();
  assert.deepEqual([witnesses.last?.head.size, witnesses.last?.cosignatures.length], [3, 3]);
});

test("a log that was put back to a copy is shown to nobody, when one of those who are asked knows better", async (t) => {
  const [files, members] = [new MemoryFiles(), new Others()];
  const log = new AttestationLog({ files, keys, log: silentLog });
  log.add([entry("a")]);
  await log.settle();
  const copy = files.copy();
  log.add([entry("b")]);
  await log.settle();
  members.there = ["d1"];
  const first = witnessesOf(t, files, log, members);
  await first.round();
  assert.equal(first.witnesses.last?.head.size, 2);
  await first.witnesses[Symbol.asyncDispose]();
  t.mock.timers.reset();

  const back = new AttestationLog({ files: copy, keys, log: silentLog });
  back.add([entry("c")]);
  await back.settle();
  members.there = ["d0", "d1", "d2"];
  members.asked.length = 0;
  const { witnesses, round } = witnessesOf(t, copy, back, members);
  await round();
  assert.deepEqual(members.asked.toSorted(), ["d0?", "d1?", "d2?"]);
  assert.deepEqual([back.stopped, witnesses.last], ["rolled-back", undefined]);
});

/** A log of one entry that d1 has witnessed, put back to that after d1 has witnessed a second one; it has gone on since. */
async function putBack(t: TestContext, members: Others): Promise<{ files: MemoryFiles; back: AttestationLog }> {
  const files = new MemoryFiles();
  const log = new AttestationLog({ files, keys, log: silentLog });
  members.there = ["d1"];
  const { witnesses, round } = witnessesOf(t, files, log, members);
  const grow = async (name: string): Promise<void> => {
    log.add([entry(name)]);
    await log.settle();
    await round();
  };
  await grow("a");
  const copy = files.copy();
  await grow("b");
  assert.equal(witnesses.last?.head.size, 2);
  await witnesses[Symbol.asyncDispose]();
  t.mock.timers.reset();
  const back = new AttestationLog({ files: copy, keys, log: silentLog });
  back.add([entry("c")]);
  await back.settle();
  members.asked.length = 0;
  return { files: copy, back };
}

test("a log that was put back is shown to nobody while who had witnessed it is away, and stops when it is back", async (t) => {
  const members = new Others();
  const { files, back } = await putBack(t, members);
  members.there = ["d0", "d2"];
  const { round } = witnessesOf(t, files, back, members);
  await round();
  assert.deepEqual([members.asked, back.stopped], [[], undefined]);
  members.there.push("d1");
  members.silent = ["d1"];
  await round();
  assert.deepEqual(members.asked, [], "it is there, and does not answer");
  members.silent = [];
  members.nowMs += limits.transparency.againMs;
  await round();
  assert.deepEqual([members.asked, back.stopped], [["d1?"], "rolled-back"]);
});

for (const [what, change] of [
  ["is a member no more", (members: Others) => void members.all.splice(1, 1)],
  ["was waited for in vain for days", (members: Others) => void (members.nowMs += limits.transparency.awaitMs)],
] as const)
  test(`who had witnessed and ${what} is not waited for`, async (t) => {
    const members = new Others();
    const { files, back } = await putBack(t, members);
    members.there = ["d0", "d2"];
    const { witnesses, round } = witnessesOf(t, files, back, members);
    change(members);
    await round();
    assert.deepEqual([witnesses.last?.head.size, witnesses.last?.cosignatures.length], [2, 2]);
  });

test("nothing is shown in a round in which one of those who are asked does not answer", async (t) => {
  const [files, members] = [new MemoryFiles(), new Others()];
  const log = new AttestationLog({ files, keys, log: silentLog });
  log.add([entry("a")]);
  await log.settle();
  members.there = ["d0", "d1", "d2"];
  members.silent = ["d1"];
  const { witnesses, round } = witnessesOf(t, files, log, members);
  await round();
  assert.deepEqual([members.asked.toSorted(), witnesses.last], [["d0?", "d2?"], undefined]);
  await round();
  assert.equal(witnesses.last?.cosignatures.length, 2, "it is left alone for a while");
});

test("nothing is written after the end, whatever answers come then; what another key was witnessed for is nothing", async (t) => {
  const [files, members] = [new MemoryFiles(), new Others()];
  const log = new AttestationLog({ files, keys, log: silentLog });
  log.add([entry("a")]);
  await log.settle();
  const { witnesses, round } = witnessesOf(t, files, log, members);
  const over = round();
  await witnesses[Symbol.asyncDispose]();
  files.left = 0;
  await over;
  assert.deepEqual([files.read("witnessed"), witnesses.last], [undefined, undefined]);
  t.mock.timers.reset();

  const another = cosign(keysOf("d1"), signHead(keysOf("d0"), 1, leafHash(Buffer.from("x"))), 1_700_000_000);
  files.left = 1;
  await files.write([["witnessed", writeHead(signHead(keysOf("d0"), 1, leafHash(Buffer.from("x"))), [another])]]);
  assert.equal(witnessesOf(t, files, log, members).witnesses.last, undefined);
});
