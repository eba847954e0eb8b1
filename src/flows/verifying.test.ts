import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, limits, silentLog } from "../base/index.ts";
import type { HistoryRow, ManifestEntry, Offer, StoredResult } from "../contracts/index.ts";
import type { Outcome, Repeated } from "./once-more.ts";
import type { Understood } from "./request.ts";
import { Verifying, type VerifyingParts } from "./verifying.ts";

const manifest = digestOf("manifest");
const [HERE, PLACE_FREE, IN_PLACE] = ["place", "free", "bound"].map((name) => digestOf(name)) as [string, string, string];
// Of all that is understood of a command, what is asked here.
const understood = {
  manifest,
  sourcePath: "/project/a.c",
  toolchain: { digest: digestOf("compiler") },
  invocation: { language: "cpp-output" },
  places: { portable: (path: string) => path },
  question: { cwd: "/project" },
} as unknown as Understood;

function entryOf(action: string, place?: string, presumed = false): ManifestEntry {
  return { action, place, presumed, terminal: undefined, inputs: [], absent: [] };
}

function resultOf(object: string): StoredResult {
  const output = { path: "a.o", digest: digestOf(object), size: object.length, role: "object", template: false } as const;
  return { outputs: [output], stdout: "", stderr: "", compileMs: 1, cpuMs: 1 };
}

function made(entry: ManifestEntry, object: string): Repeated {
  const nothing = Buffer.alloc(0);
  const files = [{ path: "a.o", role: "object", content: Buffer.from(object), template: false }];
  const report = { startNs: 0n, endNs: 0n, cpuUs: 0n, stdout: nothing, stderr: nothing };
  return { kind: "made", outcome: { finding: { entry, files }, report, result: resultOf(object) } as unknown as Outcome };
}

/** One who verifies, in a world where compiling leads to what `comes`, the last for ever, and somebody else has said `known`. */
function verifier(known: ManifestEntry, ...comes: Repeated[]) {
  const clock = { ms: 1_000 };
  const marked = new Set<string>();
  const history = new Map<string, { readonly outcome: string; readonly body: string }>();
  const [signed, settled, forgotten] = [[] as ManifestEntry[], [] as ManifestEntry[], [] as string[]];
  const checked: string[] = [];
  const waiting: string[] = [];
  const parts = {
    once: { execute: () => Promise.resolve(comes.length > 1 ? comes.shift() : comes[0]), textParting: () => Promise.resolve(undefined) },
    index: {
      add: () => undefined,
      forget: (action: string) => void forgotten.push(action),
      history: (source: string) => history.get(source),
    },
    store: { write: (content: Buffer) => Promise.resolve(digestOf(content)), read: () => Promise.resolve({ kind: "miss" }) },
    sharing: {
      executed: (_: string, entry: ManifestEntry) => void signed.push(entry),
      isOthers: () => false,
      checked: (_: string, isSame: boolean, member = "") => void checked.push(`${isSame ? "the same" : "another"} ${member}`.trim()),
    },
    settling: { settle: (_: unknown, entry: ManifestEntry) => Promise.resolve(void settled.push(entry)) },
    told: {
      count: () => undefined,
      remember: () => "",
      waits: (source: string) => void waiting.push(source),
      write: (_: unknown, source: string, outcome: string, body: string) => void history.set(source, { outcome, body }),
    },
    find: () => Promise.resolve({ understood, entry: known, result: resultOf("theirs") }),
    understand: () => Promise.resolve(understood),
    takeBack: (action: string) => {
      forgotten.push(action);
      verifying.settled(action);
    },
    unverified: {
      actions: () => [...marked],
      add: (action: string) => marked.add(action).size > 0,
      delete: (action: string) => void marked.delete(action),
    },
    facts: undefined,
    log: silentLog,
    now: () => clock.ms,
    deadline: () => never,
  } as unknown as VerifyingParts;
  const verifying: Verifying = new Verifying(parts);
  return { verifying, parts, clock, marked, signed, settled, forgotten, checked, history, waiting };
}

const signal = new AbortController().signal;
const never = new AbortController().signal;

test("what is refuted by a compile that names this checkout is taken back, and signed as of this checkout alone", async () => {
  const bound = entryOf(IN_PLACE, HERE);
  const { verifying, signed, settled, forgotten } = verifier(entryOf(PLACE_FREE), made(bound, "ours, in /project"));
  const verified = await verifying.verify(understood.question, [], true, signal);
  assert.equal(verified?.here.kind, "differs");
  assert.deepEqual([forgotten, settled], [[PLACE_FREE], []]);
  assert.deepEqual(signed, [bound]);
});

test("what is refuted by a compile of the very action is signed under it, so that others hear of it", async () => {
  const { verifying, signed, forgotten } = verifier(entryOf(PLACE_FREE), made(entryOf(PLACE_FREE), "ours"));
  await verifying.verify(understood.question, [], true, signal);
  assert.deepEqual([forgotten, signed], [[PLACE_FREE], [entryOf(PLACE_FREE)]]);
});

test("whose work it was is told what came of it here, but not where not always the same does", async () => {
  const free = entryOf(PLACE_FREE);
  for (const [comes, expected] of [
    [["theirs"], ["the same"]],
    [["ours"], ["another"]],
    [["ours", "something else"], []],
  ] as const) {
    const { verifying, checked } = verifier(free, ...comes.map((object) => made(free, object)));
    await verifying.verify(understood.question, [], true, signal);
    assert.deepEqual(checked, expected, comes.join());
  }
});

test("whose sample differs is told, although what this node has executed meanwhile lies where that was", async () => {
  const { verifying, checked } = verifier(entryOf(PLACE_FREE), made(entryOf(PLACE_FREE), "ours"));
  const offer = { ...offerOf(PLACE_FREE, "team"), member: "worker" };
  assert.ok(verifying.expect(offer));
  verifying.took(understood, offer);
  await verifying.next(signal);
  assert.deepEqual(checked, ["another worker"]);
});

test("what was only presumed to depend on its place is not settled by being executed once more", async () => {
  const presumed = entryOf(IN_PLACE, HERE, true);
  const { verifying, signed, settled } = verifier(presumed, made(presumed, "theirs"));
  await verifying.verify(understood.question, [], true, signal);
  assert.deepEqual([signed, settled], [[], [presumed]]);
});

test("what only may depend on its place is signed when that is known", async () => {
  const presumed = entryOf(IN_PLACE, HERE, true);
  const { verifying, signed, settled } = verifier(entryOf(PLACE_FREE), made(presumed, "ours"));
  await verifying.verify(understood.question, [], true, signal);
  assert.deepEqual([signed, settled], [[], [presumed]]);
});

const NOT_NOW: Repeated = { kind: "not-executed", reason: "busy", detail: "" };

function offerOf(action: string, tier: Offer["tier"] = "speculative"): Offer {
  return {
    shared: { manifest, entry: entryOf(action), result: resultOf("theirs") },
    from: [],
    domains: [],
    tier,
    isToVerify: true,
  } as unknown as Offer;
}

function take(verifying: Verifying, offer: Offer): void {
  assert.ok(verifying.expect(offer));
  verifying.took(understood, offer);
}

test("who asks about a source is told when what was taken for it is not believed any more, and only of its last compile", () => {
  const { verifying, history } = verifier(entryOf(PLACE_FREE));
  take(verifying, offerOf(PLACE_FREE, "team"));
  const told = (action: string): string | undefined => {
    history.set(understood.sourcePath, { outcome: "hit_peer", body: JSON.stringify({ action, inputs: 7 }) });
    verifying.tellForgotten(PLACE_FREE);
    return history.get(understood.sourcePath)?.outcome;
  };
  assert.equal(told(PLACE_FREE), "recalled");
  const { body } = history.get(understood.sourcePath) ?? assert.fail();
  assert.equal((JSON.parse(body) as { readonly inputs: number }).inputs, 7, "all else is as it was");
  assert.equal(told(IN_PLACE), "hit_peer");
});

test("who was answered by what is not believed any more is told as well, wherever that was, and who compiled it or was answered since is not", () => {
  const { verifying, clock } = verifier(entryOf(PLACE_FREE));
  const rowOf = (outcome: string, at: number, action = PLACE_FREE): HistoryRow => {
    return { source: "/another/a.c", request: "", at, outcome, body: JSON.stringify({ action, inputs: 7 }) };
  };
  const judged = (...row: Parameters<typeof rowOf>): string => verifying.judged(rowOf(...row)).outcome;
  assert.equal(judged("hit_moved", 1), "hit_moved");
  verifying.tellForgotten(PLACE_FREE);
  const told = verifying.judged(rowOf("hit_moved", 1));
  assert.deepEqual([told.outcome, told.at, told.source], ["recalled", clock.ms, "/another/a.c"]);
  assert.match(told.body, /"inputs":7.*must be built again/);
  assert.deepEqual([judged("hit_ahead", clock.ms), judged("hit_moved", clock.ms + 1)], ["recalled", "hit_moved"]);
  assert.deepEqual([judged("miss", 1), judged("hit_moved", 1, IN_PLACE)], ["miss", "hit_moved"]);
});

test("what comes out again is not unverified any more, and may answer for every checkout then", async () => {
  const { verifying, marked, forgotten, waiting } = verifier(entryOf(PLACE_FREE), made(entryOf(PLACE_FREE), "theirs"));
  take(verifying, offerOf(PLACE_FREE));
  assert.ok(verifying.isUnverified(PLACE_FREE));
  await verifying.next(signal);
  assert.deepEqual([verifying.isUnverified(PLACE_FREE), marked.size, forgotten], [false, 0, []]);
  assert.deepEqual(waiting, [understood.sourcePath]);
});

test("what cannot be executed is tried again later, and not used any more when that does not help", async () => {
  const { verifying, clock, marked, forgotten } = verifier(entryOf(PLACE_FREE), NOT_NOW);
  take(verifying, offerOf(PLACE_FREE));
  for (let tries = 1; tries < limits.trust.verifyAttempts; tries++) {
    assert.equal(await verifying.next(signal), false, "not at once");
    assert.deepEqual([forgotten, marked.size], [[], 1]);
    clock.ms += limits.trust.verifyAgainMs;
  }
  await verifying.next(signal);
  assert.deepEqual([forgotten, marked.size, verifying.isUnverified(PLACE_FREE)], [[PLACE_FREE], 0, false]);
});

test("a sample that cannot be executed stays, as others vouch for it", async () => {
  const { verifying, clock, forgotten } = verifier(entryOf(PLACE_FREE), NOT_NOW);
  take(verifying, offerOf(PLACE_FREE, "team"));
  for (let tries = 0; tries < limits.trust.verifyAttempts; tries++) {
    await verifying.next(signal);
    clock.ms += limits.trust.verifyAgainMs;
  }
  assert.deepEqual(forgotten, []);
});

test("one that differs is not called unrepeatable because it could not be executed once more", async () => {
  const { verifying, marked, forgotten, clock } = verifier(
    entryOf(PLACE_FREE),
    made(entryOf(PLACE_FREE), "ours"),
    NOT_NOW,
    made(entryOf(PLACE_FREE), "ours"),
  );
  take(verifying, offerOf(PLACE_FREE));
  await verifying.next(signal);
  assert.deepEqual([forgotten, marked.size], [[], 1]);
  clock.ms += limits.trust.verifyAgainMs;
  await verifying.next(signal);
  assert.deepEqual([forgotten, marked.size], [[PLACE_FREE], 0]);
});

test("what falls out of those that wait is not used any more", () => {
  const { verifying, marked, forgotten } = verifier(entryOf(PLACE_FREE), NOT_NOW);
  const actions = Array.from({ length: limits.trust.verifyWaiting + 3 }, (_, i) => digestOf(`action ${i}`));
  for (const action of actions) take(verifying, offerOf(action));
  assert.deepEqual(forgotten, actions.slice(0, 3));
  assert.equal(marked.size, limits.trust.verifyWaiting);
});

test("what waited when the process ended is not used by the next one", () => {
  const { verifying, parts, marked, forgotten } = verifier(entryOf(PLACE_FREE), NOT_NOW);
  take(verifying, offerOf(PLACE_FREE));
  take(verifying, offerOf(IN_PLACE, "team"));
  new Verifying(parts).forgetUnverified();
  assert.deepEqual([forgotten, marked.size], [[PLACE_FREE], 0]);
});

test("who is aborted tries the same again", async () => {
  const { verifying, parts, marked, forgotten } = verifier(entryOf(PLACE_FREE), made(entryOf(PLACE_FREE), "theirs"));
  take(verifying, offerOf(PLACE_FREE));
  const { execute } = parts.once;
  Object.assign(parts.once, { execute: () => Promise.reject(new Error("a build begins")) });
  await assert.rejects(verifying.next(AbortSignal.abort(new Error("a build begins"))), /a build begins/);
  assert.deepEqual([forgotten, marked.size], [[], 1]);
  Object.assign(parts.once, { execute });
  await verifying.next(signal);
  assert.deepEqual([forgotten, marked.size], [[], 0]);
});

test("what differs is the first to differ only where all before it could be compared, and it is told whose the two are", async () => {
  const free = entryOf(PLACE_FREE);
  const text = { stage: "assembly", place: { line: 1, before: "a", after: "b" } } as const;
  for (const [earlier, expected] of [
    ["same", ["object", true, ["kept", "there"]]],
    [undefined, ["object", false, ["kept", "there"]]],
    [text, ["assembly", true, ["here", "there"]]],
  ] as const) {
    const { parts } = verifier(free, made(free, "ours"));
    const store = { ...parts.store, read: () => Promise.resolve({ kind: "hit", bytes: Buffer.from("theirs") }) };
    const once = { ...parts.once, textParting: () => Promise.resolve(earlier) };
    const verified = await new Verifying({ ...parts, store, once } as VerifyingParts).verify(understood.question, ["m"], false, signal);
    const [verdict] = verified?.members ?? [];
    assert.ok(verdict?.kind === "differs");
    assert.deepEqual([verdict.stage, verdict.isFirst, verdict.between], expected);
  }
});

test("a member that says nothing is left when its time is over, and what comes of it here is told all the same", async () => {
  const free = entryOf(PLACE_FREE);
  const { parts } = verifier(free, made(free, "theirs"));
  const late = new AbortController();
  const execute = (_: unknown, __: unknown, member: string | undefined, bounded: AbortSignal): Promise<Repeated> => {
    if (member === undefined) return Promise.resolve(made(free, "theirs"));
    const { promise, reject } = Promise.withResolvers<Repeated>();
    bounded.addEventListener("abort", () => reject(new Error("its time is over")));
    late.abort();
    return promise;
  };
  const verifying = new Verifying({ ...parts, once: { ...parts.once, execute }, deadline: () => late.signal });
  const verified = await verifying.verify(understood.question, ["silent"], false, signal);
  assert.deepEqual(verified?.members, [{ member: "silent", isLate: true, kind: "not-executed", reason: "no_answer", detail: "" }]);
  assert.equal(verified?.here.kind, "same");
});
