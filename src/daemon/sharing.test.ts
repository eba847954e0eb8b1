import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { CairnError, type Digest, digestOf, silentLog } from "../base/index.ts";
import type { Given, Observation, Origin, SharedResult } from "../contracts/index.ts";
import { type SharingNetwork, type SharingParts, SharingService } from "./sharing.ts";

const BLOB = Buffer.from("object");
const MANIFEST = digestOf("manifest");
const SHARED: SharedResult = {
  manifest: MANIFEST,
  entry: { action: digestOf("action"), place: undefined, presumed: false, terminal: undefined, inputs: [], absent: [] },
  result: {
    outputs: [{ path: "\0C/a.o", digest: digestOf(BLOB), size: BLOB.length, role: "object", template: false }],
    stdout: "",
    stderr: "",
    compileMs: 10,
    cpuMs: 9,
  },
  execution: { signer: "ab".repeat(32), toolchain: "cd".repeat(32), startedAtMs: 1, endedAtMs: 2 },
  signature: Buffer.alloc(64),
};
const GIVEN: Given = { shared: [SHARED], blobs: new Map([[digestOf(BLOB), BLOB]]), following: [] };

/** A network in which everything works, but for what the test is about. */
function networkWith(parts: Partial<SharingNetwork>): SharingNetwork {
  return {
    exchange: { isOffered: true, whoHas: () => ["member"], results: async () => GIVEN, blobs: async () => assert.fail("it came along") },
    directory: { find: async () => ["member"] },
    shelf: { put: () => 0 },
    sign: () => undefined,
    keep: () => undefined,
    policy: "team",
    judge: () => BELIEVED,
    vouch: () => undefined,
    vouched: () => undefined,
    keepOthers: () => undefined,
    isOthers: () => true,
    kept: () => [],
    mayHelp: () => true,
    wordOf: () => undefined,
    checkedWork: () => undefined,
    given: () => undefined,
    useless: () => undefined,
    askFirst: (holders) => holders,
    observe: () => undefined,
    ...parts,
  };
}

const NO_WORKS = { memberOf: () => undefined, add: () => true, delete: () => undefined };

const BELIEVED = { kind: "believed", tier: "team", domains: ["home"], oneOf: 50 } as const;

test("what is brought is in the store at once, and in the index when it is kept, unless its signer has been revoked", async (t) => {
  const stored: Digest[] = [];
  const kept: string[] = [];
  let isRevoked = false;
  const judge = (): ReturnType<SharingNetwork["judge"]> =>
    isRevoked ? { kind: "refused", why: "revoked", domains: 0, needed: 0 } : BELIEVED;
  const network = networkWith({ shelf: { put: (all) => kept.push(...all.map(() => "shelf")) }, judge });
  await using sharing = new SharingService({
    store: { has: async () => false, writeVerified: async (digest) => void stored.push(digest) },
    index: {
      add: () => void kept.push("index"),
      entries: () => [],
      knows: () => false,
      originOf: () => undefined,
      result: () => undefined,
    },
    works: NO_WORKS,
    log: silentLog,
    network: () => network,
    isStarting: () => false,
    random: () => 1,
  });
  const [offer] = await sharing.find(MANIFEST, undefined, t.signal);
  assert.ok(offer !== undefined);
  assert.deepEqual(await sharing.bring(offer, t.signal), { complete: true, bytes: BLOB.length });
  assert.deepEqual([stored, kept], [[digestOf(BLOB)], []]);
  isRevoked = true;
  assert.equal(sharing.keep(offer), false);
  assert.deepEqual(kept, []);
  isRevoked = false;
  assert.equal(sharing.keep(offer), true);
  assert.deepEqual(kept, ["index", "shelf"], "a signature is kept beside what it is about");
  assert.equal(sharing.refused(MANIFEST, []), undefined);
  isRevoked = true;
  assert.deepEqual(await sharing.find(MANIFEST, undefined, t.signal), []);
  assert.equal(sharing.refused(MANIFEST, [])?.why, "revoked", "who had it and was not believed is remembered");
  assert.equal(sharing.refused(MANIFEST, [{ path: "a.c", digest: MANIFEST }]), undefined, "but not of other inputs");
});

/** A member that has made MANIFEST and then another, of which that came along. */
async function expecting(t: TestContext, blobs: Given["blobs"]): Promise<{ sharing: SharingService; next: Digest; asked: Digest[] }> {
  const next = digestOf("next");
  const asked: Digest[] = [];
  const results: SharingNetwork["exchange"]["results"] = async (_, manifest) => {
    asked.push(manifest);
    return manifest === next ? { shared: [{ ...SHARED, manifest: next }], blobs, following: [] } : { ...GIVEN, following: [next] };
  };
  const { exchange } = networkWith({});
  const sharing = over(networkWith({ exchange: { ...exchange, results } }), false);
  const came = Promise.withResolvers<void>();
  sharing.onExpected(() => came.resolve());
  assert.equal((await sharing.find(MANIFEST, undefined, t.signal)).length, 1);
  await came.promise;
  return { sharing, next, asked };
}

test("what is expected is judged without being taken: who asks finds it without a question, until it is kept", async (t) => {
  const { sharing, next, asked } = await expecting(t, GIVEN.blobs);
  for (let i = 0; i < 2; i++) assert.equal(sharing.findExpected(next, undefined).length, 1);
  assert.equal((await sharing.find(next, undefined, t.signal)).length, 1);
  assert.deepEqual(asked, [MANIFEST, next], "nobody is asked once more");
  await sharing[Symbol.asyncDispose]();
});

test("what is kept is not expected any more", async (t) => {
  const { sharing, next } = await expecting(t, GIVEN.blobs);
  sharing.tookExpected(next);
  assert.deepEqual([sharing.expected(), sharing.findExpected(next, undefined)], [[], []]);
  await sharing[Symbol.asyncDispose]();
});

test("what came without its blobs is left to who asks", async (t) => {
  const { sharing, next } = await expecting(t, new Map());
  assert.deepEqual([sharing.expected(), sharing.findExpected(next, undefined)], [[], []]);
  assert.equal((await sharing.find(next, undefined, t.signal)).length, 1);
  await sharing[Symbol.asyncDispose]();
});

/** Where nothing is kept and nothing comes. */
function over(
  network: SharingNetwork | undefined,
  isStarting: boolean,
  works: SharingParts["works"] = NO_WORKS,
  originOf: (action: Digest) => Origin | undefined = () => undefined,
): SharingService {
  return new SharingService({
    store: { has: async () => false, writeVerified: async () => undefined },
    index: { add: () => undefined, entries: () => [], knows: () => false, originOf, result: () => undefined },
    works,
    log: silentLog,
    network: () => network,
    isStarting: () => isStarting,
    random: () => 1,
  });
}

/** In the index here and on the shelf, by somebody who is believed for such a project or not. */
function keptBy(isBelieved: boolean): ReturnType<SharingNetwork["kept"]> {
  return [{ shared: SHARED, judged: isBelieved ? BELIEVED : { kind: "refused", why: "too-few-domains", domains: 2, needed: 3 } }];
}

const silent = networkWith({});
const doubting = networkWith({ kept: () => keptBy(false) });
const convinced = networkWith({ kept: () => keptBy(true) });
const torn = networkWith({ kept: () => [...keptBy(false), ...keptBy(true)] });

for (const [about, project, origin, network, isStarting, expected] of [
  ["whatever is there, where it demands nothing", undefined, undefined, doubting, false, true],
  ["what was made here", "release", "here", silent, false, true],
  ["what was made here, while the network starts", "release", "here", undefined, true, true],
  ["what was made here, out of a network", "self", "here", undefined, false, true],
  ["what was made here, and others vouch for, too", "self", "here", doubting, false, true],
  ["what others vouch for well enough", "release", undefined, convinced, false, true],
  ["what one of two is believed for", "release", undefined, torn, false, true],
  ["what others vouch for too little", "release", undefined, doubting, false, false],
  // Signatures go one by one, and with the network; a database that fails shows none.
  ["what nobody vouches for any more", "release", undefined, silent, false, false],
  ["what others have made, while the network starts", "release", undefined, undefined, true, false],
  ["what others have made, after the network was left", "release", undefined, undefined, false, false],
] as const)
  test(`a strict project ${expected ? "uses" : "does not use"} ${about}`, async () => {
    await using sharing = over(network, isStarting, undefined, () => origin);
    assert.equal(sharing.mayUse(MANIFEST, SHARED.entry, project), expected);
    const isToTell = !expected && network === doubting;
    assert.equal(sharing.refused(MANIFEST, [])?.needed, isToTell ? 3 : undefined, "why is remembered");
  });

test("a project that wants own work alone asks nobody, whatever the machine would believe", async (t) => {
  const network = networkWith({ directory: { find: () => assert.fail("somebody was asked") } });
  await using sharing = over(network, false);
  assert.deepEqual(await sharing.find(MANIFEST, "self", t.signal), []);
});

/** Works of one member, whose word is good for every project but a strict one. */
function ofOneMember() {
  const kept = new Map<Digest, string>();
  const checked: [string, boolean][] = [];
  const works = {
    memberOf: (action: Digest) => kept.get(action),
    add: (action: Digest, member: string) => kept.set(action, member).size > 0,
    delete: (action: Digest) => void kept.delete(action),
  };
  const network = networkWith({
    isOthers: () => false,
    wordOf: (_, project) => (project === "release" ? undefined : { tier: "team", oneOf: 50 }),
    checkedWork: (member, _, isSame) => void checked.push([member, isSame]),
  });
  const made = new Set<Digest>();
  return { sharing: over(network, false, works, (action) => (made.has(action) ? "here" : undefined)), made, checked };
}

test("what one member made for this node is no own work, until it is executed here, too", async () => {
  const { sharing, made, checked } = ofOneMember();
  await using _ = sharing;
  const { entry, result, execution } = SHARED;
  const derived = { ...entry, action: digestOf("the same, wherever its checkout lies") };
  assert.deepEqual(sharing.wordOf("member", "team"), { tier: "team", isToVerify: false });
  assert.equal(sharing.wordOf("member", "release"), undefined);
  assert.ok(sharing.restsOn(entry.action, "member") && sharing.restsOnThat(derived.action, entry.action));
  for (const one of [entry, derived]) {
    assert.equal(sharing.isOthers(one.action), true);
    assert.deepEqual([sharing.mayUse(MANIFEST, one, "team"), sharing.mayUse(MANIFEST, one, "release")], [true, false]);
    sharing.checked(one.action, one === entry);
  }
  assert.deepEqual(checked, [
    ["member", true],
    ["member", false],
  ]);
  made.add(entry.action);
  sharing.executed(MANIFEST, entry, result, execution);
  assert.deepEqual([sharing.isOthers(entry.action), sharing.mayUse(MANIFEST, entry, "release")], [false, true]);
  sharing.checked(entry.action, false);
  assert.equal(checked.length, 2, "that was this node's own");
});

const FULL = new CairnError("home-unwritable", { path: "/" });
const refusedAs = (why: string): Partial<SharingNetwork> => ({ judge: () => ({ kind: "refused", why, domains: 0, needed: 0 }) });
const giving = (given: Given, blobs: SharingNetwork["exchange"]["blobs"] = async () => []): Partial<SharingNetwork> => ({
  exchange: { isOffered: true, whoHas: () => ["member"], results: async () => given, blobs },
});
const empty: Given = { shared: [], blobs: new Map(), following: [] };
const withoutBlobs: Given = { ...GIVEN, blobs: new Map() };

for (const [about, network, write, expected] of [
  ["gives what is used", {}, undefined, ["fetch gave", "hit"]],
  ["has nothing of what it says that it has", giving(empty), undefined, ["fetch missed"]],
  ["was only asked because it may have something", { ...giving(empty), directory: { find: async () => ["other"] } }, undefined, []],
  ["gives what nobody has signed", refusedAs("signature"), undefined, ["fetch failed"]],
  ["gives what a stranger has signed", refusedAs("stranger"), undefined, ["fetch failed"]],
  ["gives what too few vouch for", refusedAs("too-few-domains"), undefined, []],
  ["withholds the blobs", giving(withoutBlobs, async (_, wanted) => wanted.map(({ digest }) => digest)), undefined, ["fetch missed"]],
  ["gives what there is no room for here", {}, FULL, []],
  ["gives other bytes than it says", {}, new CairnError("frame-invalid"), ["fetch failed"]],
] as const)
  test(`of who ${about} is remembered: ${expected.join(", ") || "nothing"}`, async (t) => {
    const seen: string[] = [];
    const observe = (_: string, what: Observation): void => void seen.push(what.kind === "fetch" ? `fetch ${what.outcome}` : what.kind);
    await using sharing = new SharingService({
      store: {
        has: async () => false,
        writeVerified: async () => {
          if (write !== undefined) throw write;
        },
      },
      index: { add: () => undefined, entries: () => [], knows: () => false, originOf: () => undefined, result: () => undefined },
      works: NO_WORKS,
      log: silentLog,
      network: () => networkWith({ ...network, observe }),
      isStarting: () => false,
      random: () => 1,
    });
    for (const offer of await sharing.find(MANIFEST, undefined, t.signal))
      if ((await sharing.bring(offer, t.signal)).complete) sharing.keep(offer);
    assert.deepEqual(seen, expected);
  });

const SECOND = Buffer.from("dependencies");
const SECOND_OUTPUT = { path: "\0C/a.d", digest: digestOf(SECOND), size: SECOND.length, role: "depfile", template: false } as const;
/** Of two blobs, of which both come along or one. */
const OF_TWO: SharedResult = { ...SHARED, result: { ...SHARED.result, outputs: [...SHARED.result.outputs, SECOND_OUTPUT] } };
const BOTH: Given["blobs"] = new Map([...GIVEN.blobs, [digestOf(SECOND), SECOND]]);
/** Never comes, and ends when it is not wanted any more. */
const never: SharingNetwork["exchange"]["blobs"] = async (_from, _wanted, _take, signal) => {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.throwIfAborted();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
};

/** The deadlines that are set, which are over when the test says so. */
function deadlines(t: TestContext): { readonly ms: number; readonly end: () => void }[] {
  const all: { ms: number; end: () => void }[] = [];
  t.mock.method(AbortSignal, "timeout", (ms: number) => {
    const controller = new AbortController();
    all.push({ ms, end: () => controller.abort() });
    return controller.signal;
  });
  return all;
}

test("what a compile would take, as a member says it, is no more than a timer can count", async (t) => {
  for (const compileMs of [0, 600.25, 3e9, 1e300]) {
    const seen: Observation[] = [];
    const blobs: SharingNetwork["exchange"]["blobs"] = async (_, wanted) => wanted.map(({ digest }) => digest);
    const said = { ...SHARED, result: { ...SHARED.result, compileMs } };
    const network = {
      ...giving({ ...withoutBlobs, shared: [said] }, blobs),
      observe: (_: string, what: Observation) => void seen.push(what),
    };
    await using sharing = over(networkWith(network), false);
    const [offer] = await sharing.find(MANIFEST, undefined, t.signal);
    assert.ok(offer !== undefined);
    assert.deepEqual(await sharing.bring(offer, t.signal), { complete: false, bytes: 0 }, String(compileMs));
    assert.deepEqual(seen, [{ kind: "fetch", outcome: "missed" }], `${compileMs}: it was asked`);
  }
});

test("a single blob that did not come along has a deadline", async (t) => {
  const set = deadlines(t);
  await using sharing = over(networkWith(giving({ ...GIVEN, shared: [OF_TWO] }, never)), false);
  const [offer] = await sharing.find(MANIFEST, undefined, t.signal);
  assert.ok(offer !== undefined);
  set.length = 0;
  const bringing = sharing.bring(offer, t.signal);
  assert.equal(set.length, 1);
  set[0]?.end();
  assert.deepEqual(await bringing, { complete: false, bytes: BLOB.length });
  assert.deepEqual(await sharing.find(MANIFEST, undefined, t.signal), [], "who was late is left alone for a while");
});

test("where all blobs came along nobody is asked and nothing has a deadline, whoever else brings the same", async (t) => {
  const set = deadlines(t);
  const slowly = Promise.withResolvers<void>();
  let looked = 0;
  await using sharing = new SharingService({
    store: {
      has: async () => {
        if (++looked === 2) await slowly.promise; // Of the second, which stops there until the first is done.
        return false;
      },
      writeVerified: async () => undefined,
    },
    index: { add: () => undefined, entries: () => [], knows: () => false, originOf: () => undefined, result: () => undefined },
    works: NO_WORKS,
    log: silentLog,
    network: () => networkWith(giving({ ...GIVEN, shared: [OF_TWO], blobs: BOTH }, async () => assert.fail("it came along"))),
    isStarting: () => false,
    random: () => 1,
  });
  const [offer] = await sharing.find(MANIFEST, undefined, t.signal);
  assert.ok(offer !== undefined);
  set.length = 0;
  const all = { complete: true, bytes: BLOB.length + SECOND.length };
  const [first, second] = [sharing.bring(offer, t.signal), sharing.bring(offer, t.signal)];
  assert.deepEqual(await first, all);
  slowly.resolve();
  assert.deepEqual(await second, all);
  assert.deepEqual(set, []);
});

test("what has arrived is used without waiting, though who gave it was late with something else since", async (t) => {
  const set = deadlines(t);
  const next = digestOf("next");
  const asked: Digest[] = [];
  const results: SharingNetwork["exchange"]["results"] = async (_, manifest) => {
    asked.push(manifest);
    return manifest === next ? { ...GIVEN, shared: [{ ...SHARED, manifest: next }] } : { ...withoutBlobs, following: [next] };
  };
  await using sharing = over(networkWith({ exchange: { ...networkWith({}).exchange, results, blobs: never } }), false);
  const came = Promise.withResolvers<void>();
  sharing.onExpected(() => came.resolve());
  const [offer] = await sharing.find(MANIFEST, undefined, t.signal);
  assert.ok(offer !== undefined);
  await came.promise;
  const bringing = sharing.bring(offer, t.signal);
  set.at(-1)?.end();
  assert.equal((await bringing).complete, false);
  set.length = 0;
  assert.equal((await sharing.find(next, undefined, t.signal)).length, 1);
  assert.deepEqual([asked, set], [[MANIFEST, next], []]);
});
