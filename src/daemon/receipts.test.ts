import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { executed, received, type Signer, sharedBy, trustWorld } from "../../test/compliance/trust-world.ts";
import { type Digest, type DoorsShare, digestOf, type Facts, type Key, limits } from "../base/index.ts";
import type { DoorEntry, SharedResult } from "../contracts/index.ts";
import { DiskStore, HeardDisputes, openDatabase, SqliteDoorEntries, SqliteIndex, SqliteShelf } from "../store/index.ts";
import { attest, claimIn, isKin, judge, type Reader, type State, signerIn, takesReceipts } from "../trust/index.ts";
import { writeBlobList } from "./blob-list.ts";
import { executedManifest, type MadeOf, manifestOf, receiptOf, signableOf } from "./receipt-form.ts";
import type { ReceiptNetwork } from "./receipt-members.ts";
import { Receipts } from "./receipts.ts";
import type { Judged } from "./sharing.ts";

const own = trustWorld([3], 700);
const several = trustWorld([2, 1], 720);
const four = trustWorld([1, 1, 1, 1], 740);
const six = trustWorld([1, 1, 1, 1, 1, 1], 760);

interface Machine extends AsyncDisposable {
  readonly key: Key;
  readonly receipts: Receipts;
  /** As after a kill, with what is on the disk. */
  restart(): void;
  readonly store: DiskStore;
  readonly shelf: SqliteShelf;
  readonly events: { readonly name: string; readonly facts: Facts }[];
  /** What it goes by; a test may change it. */
  readonly reader: { state: State; policy: Reader["policy"] };
  /** In place of what it would answer. */
  answer: (() => Promise<readonly SharedResult[]>) | undefined;
  isOnline: boolean;
  /** What is installed there. */
  installed: Digest | undefined;
  asked: number;
  /** How often it has looked for what is installed. */
  looks: number;
  isInNetwork: boolean;
  /** Whether it may be cut off from honest members. */
  isCutOff: boolean;
  /** What it reads in the messages of actions. */
  madeOf: MadeOf | undefined;
  /** A tool leaves something. */
  leave(door: string, key: string, content: string, meta?: DoorEntry["meta"], replace?: boolean): Promise<string>;
  /** An action is executed, and that comes of it. */
  execute(action: string, content: string, otherwise?: Partial<MadeOf>): Promise<void>;
  /** What a tool finds. */
  find(door: string, key: string): Promise<string | undefined>;
}

interface Options {
  readonly share?: DoorsShare;
  readonly named?: readonly { readonly digest: Digest; readonly size: number }[] | "not-here";
}

let at = 1_800_000_000_000;
const digests = { command: digestOf("command"), inputRoot: digestOf("inputs") };

/** Real stores, shelves, keys and rules; only the wires between the machines are not. */
function machineOf(t: TestContext, signer: Signer, world: typeof own, all: Machine[], options: Options = {}): Machine {
  const directory = mkdtempSync(join(tmpdir(), "cairn-receipts-"));
  const events: Machine["events"] = [];
  const log = { event: (_level: string, name: string, facts: Facts = {}): void => void events.push({ name, facts }) };
  const now = (): number => at;
  const database = openDatabase({ log, now }, { file: join(directory, "index.db") });
  const store = DiskStore.open({ log, now, database }, { directory: join(directory, "cas"), capacityBytes: 1e9, rawBytes: 1e9 });
  const index = SqliteIndex.open({ log, now, database });
  const shelf = new SqliteShelf({ now, database, index, blobs: store }, { network: world.state.network });
  const entries = new SqliteDoorEntries({ database, blobs: store });
  const key = signer.keys.publicKey;
  const reader = { state: world.state, policy: "team" as Reader["policy"] };
  const rule = (): Reader => ({ ...reader, self: key, discredited: new Set(), takesReceipts: receipts.share === "domain" });
  const others = (): Machine[] => all.filter((one) => one.key !== key && one.isOnline);
  const whoHas = (manifest: Digest): Key[] => {
    const has = (one: Machine): boolean => one.answer !== undefined || one.shelf.results(manifest).length > 0;
    return others().flatMap((one) => (has(one) ? [one.key] : []));
  };
  const network: ReceiptNetwork = {
    exchange: {
      isOffered: true,
      whoHas,
      async results(from, manifest, _wish, signal) {
        const peer = others().find((one) => one.key === from);
        if (peer === undefined) return { shared: [], blobs: new Map(), following: [] };
        peer.asked += 1;
        const given = peer.answer === undefined ? Promise.resolve(peer.shelf.results(manifest)) : peer.answer();
        return { shared: await Promise.race([given, aborted(signal)]), blobs: new Map(), following: [] };
      },
      async blobs(from, wanted, take) {
        const missing: Digest[] = [];
        for (const { digest } of wanted) {
          const read = await others()
            .find((one) => one.key === from[0])
            ?.store.read(digest);
          if (read?.kind === "hit") await take(digest, read.bytes);
          else missing.push(digest);
        }
        return missing;
      },
    },
    shelf,
    sign: (unsigned) => attest(signer.sign, world.state.network, unsigned),
    keepSigned: (made) => void shelf.putOwn(made),
    get takesReceipts() {
      return takesReceipts(rule());
    },
    get takesExecuted() {
      return reader.policy !== "self";
    },
    domainOf: (member) => reader.state.members.get(member)?.domain ?? "",
    isOfSeveral: new Set([...world.state.members.values()].map(({ domain }) => domain)).size > 1,
    wordOf: (member) => (reader.state.members.get(member)?.standing === "active" ? {} : undefined),
    given: () => undefined,
    isKin: (member) => {
      const known = reader.state.members.get(member);
      return known !== undefined && isKin({ self: key, state: reader.state }, known);
    },
    voiceOf: (by) => signerIn(reader.state, by)?.domain,
    judging: (manifest, beside) => {
      const known = [...beside, ...shelf.results(manifest)].flatMap((one) => claimIn(one) ?? []);
      const kept = (shared: SharedResult): Judged => {
        const claim = claimIn(shared);
        const verdict = claim === undefined ? undefined : judge(rule(), claim, () => known);
        if (verdict?.kind === "believed") return { kind: "believed", tier: verdict.tier, domains: [], oneOf: 1 };
        return { kind: "refused", why: verdict?.why ?? "signature", domains: 0, needed: 0 };
      };
      const cutOff: Judged = { kind: "refused", why: "cut-off", domains: 0, needed: 0 };
      return { kept, offered: (shared) => (made.isCutOff ? cutOff : kept(shared)) };
    },
  };
  const opened = (): Receipts =>
    new Receipts(
      {
        entries,
        store,
        index,
        disputes: new HeardDisputes({ database, now }),
        network: () => (made.isInNetwork ? network : undefined),
        isStarting: () => false,
        named: () => Promise.resolve(options.named === "not-here" ? undefined : (options.named ?? [])),
        installed: () => {
          made.looks += 1;
          return Promise.resolve(made.installed);
        },
        lastInstalled: () => made.installed,
        madeOf: () => Promise.resolve(made.madeOf),
        nameOf: (by) => signerIn(world.state, by)?.name,
        log,
        now: () => performance.now(),
        today: now,
      },
      { share: options.share ?? "policy" },
    );
  let receipts = opened();
  const made: Machine = {
    key,
    get receipts() {
      return receipts;
    },
    restart: () => {
      const before = receipts;
      t.after(() => before[Symbol.asyncDispose]());
      receipts = opened();
    },
    store,
    shelf,
    events,
    reader,
    answer: undefined,
    isOnline: true,
    installed: digestOf("the same packages"),
    asked: 0,
    looks: 0,
    isInNetwork: true,
    isCutOff: false,
    madeOf: undefined,
    async leave(door, name, content, meta = {}, replace = false) {
      const bytes = Buffer.from(content);
      const entry = { blob: await store.write(bytes), size: bytes.length, meta, at: (at += 1_000) };
      const kept = receipts.keep(door, name, entry, replace);
      const manifest = manifestOf({ door, key: name });
      const isSigned = (): boolean => shelf.results(manifest).some(({ execution }) => execution.endedAtMs === entry.at);
      const isDone = (): boolean => isSigned() || events.some(({ name: event }) => event === "door.not-shared");
      if (kept !== "kept" || receipts.share === "off") return kept;
      while (!isDone()) await new Promise((resolve) => setTimeout(resolve, 20));
      return kept;
    },
    async execute(action, content, otherwise = {}) {
      const bytes = Buffer.from(content);
      const ran = {
        ...digests,
        ...otherwise,
        installed: made.installed ?? "",
        startedAtMs: at,
        endedAtMs: (at += 1_000),
        wallMs: 1_000,
        cpuMs: 900,
      };
      const key = digestOf(action);
      receipts.keep("bazel-ac", key, { blob: await store.write(bytes), size: bytes.length, meta: {}, at, ran }, true);
      const manifest = executedManifest({ door: "bazel-ac", key }, ran.installed);
      const isSigned = (): boolean => shelf.results(manifest).some(({ execution }) => execution.signer === signer.attestationKey);
      while (!isSigned() && !events.some(({ name }) => name === "door.not-shared")) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    async find(door, name) {
      const entry = await receipts.find(door, name, t.signal);
      const read = entry && (await store.read(entry.blob));
      return read?.kind === "hit" ? `${read.bytes.toString()}${entry?.from === undefined ? "" : ` from ${entry.from}`}` : undefined;
    },
    async [Symbol.asyncDispose]() {
      await receipts[Symbol.asyncDispose]();
      shelf[Symbol.dispose]();
      index[Symbol.dispose]();
      await store[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  all.push(made);
  t.after(() => made[Symbol.asyncDispose]());
  return made;
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));
}

function machines(t: TestContext, world: typeof own, ...options: Options[]): Machine[] {
  const all: Machine[] = [];
  for (const [place, signer] of world.signers.flat().entries()) machineOf(t, signer, world, all, options[place]);
  return all;
}

function nobody(): never {
  return assert.fail("nobody is there");
}

test("what was left at one machine is found at another, with what was said beside it, and then it is there", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody()] = machines(t, own);
  assert.equal(await b.find("turbo", "team/1"), undefined);
  assert.equal(a.asked, 0, "nobody who has nothing is asked");
  await a.leave("turbo", "team/1", "artifact", { "x-artifact-tag": "a tag" });
  assert.equal(await b.find("turbo", "team/1"), "artifact from m700");
  assert.deepEqual((await b.receipts.find("turbo", "team/1", t.signal))?.meta, { "x-artifact-tag": "a tag" });
  assert.equal(a.asked, 1);
  assert.equal(await b.find("gradle", "team/1"), undefined, "at another door");
  a.isOnline = false;
  assert.equal(await c.find("turbo", "team/1"), "artifact from m700", "by who has it from there, signed by who received it");
  assert.deepEqual([b.receipts.shared?.brought, b.receipts.shared?.signed], [1, 0]);
});

test("several that want the same wait for the same, and whoever goes away takes nothing from them", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  await a.leave("nx", "1", "artifact");
  const gone = new AbortController();
  const leaving = b.receipts.find("nx", "1", gone.signal);
  const staying = Array.from({ length: 8 }, () => b.find("nx", "1"));
  setImmediate(() => gone.abort());
  await Promise.allSettled([leaving]);
  assert.deepEqual([...new Set(await Promise.all(staying))], ["artifact from m700"]);
  assert.equal(a.asked, 1);
});

test("of what may be overwritten the newest is taken; what may not be stays, whoever had it first", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody()] = machines(t, own);
  await a.leave("ccache", "key", "old", {}, true);
  await b.leave("ccache", "key", "newer", {}, true);
  assert.equal(await c.find("ccache", "key"), "newer from m701");
  await c.leave("ccache", "key", "own", {}, true);
  assert.equal(await c.find("ccache", "key"), "own");
  assert.equal(await a.find("ccache", "key"), "old", "what is here goes before what others have");
  await a.leave("nx", "key", "first");
  assert.equal(await b.find("nx", "key"), "first from m700");
  assert.equal(await b.leave("nx", "key", "second"), "differs");
  assert.equal(await b.leave("nx", "key", "first"), "same");
  assert.ok(b.receipts.forget("nx", "key"));
  a.isOnline = false;
  assert.equal(await b.find("nx", "key"), undefined, "it was deleted here");
});

test("what was signed goes with what takes its place, also where that is not signed: a member made it", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  await a.leave("bazel-ac", "key", "old", {}, true);
  const bytes = Buffer.from("made by a member");
  const entry = { blob: await a.store.write(bytes), size: bytes.length, meta: { by: b.key }, at: (at += 1_000) };
  assert.equal(a.receipts.keep("bazel-ac", "key", entry, true), "kept");
  assert.equal(await b.find("bazel-ac", "key"), undefined);
  assert.equal(await a.find("bazel-ac", "key"), "made by a member");
  await a.leave("bazel-ac", "key", "made here", {}, true);
  assert.equal(await b.find("bazel-ac", "key"), "made here from m700");
  assert.equal(a.receipts.shared?.signed, 2);
});

test("what a clock far ahead has stamped is not taken for the newest", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody()] = machines(t, own);
  const today = at;
  at += 2 * limits.clockErrorMs;
  await a.leave("ccache", "key", "stamped ahead", {}, true);
  at = today;
  await b.leave("ccache", "key", "newest", {}, true);
  assert.equal(await c.find("ccache", "key"), "newest from m701");
});

test("whoever is revoked has left nothing that is still given, and neither has who needs more than one domain", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  await a.leave("nx", "1", "artifact");
  assert.equal(await b.find("nx", "1"), "artifact from m700");
  for (const policy of ["release", "self"] as const) {
    b.reader.policy = policy;
    assert.equal(await b.find("nx", "1"), undefined, policy);
  }
  b.reader.policy = "team";
  assert.equal(await b.find("nx", "1"), "artifact from m700");
  const revoked = own.state.members.get(a.key) ?? nobody();
  b.reader.state = { ...own.state, members: new Map([...own.state.members, [a.key, { ...revoked, standing: "revoked", endedBy: b.key }]]) };
  assert.equal(await b.find("nx", "1"), undefined);
});

test("another domain is not asked, and the own one only where its owner says so", async (t) => {
  const [a = nobody(), b = nobody(), stranger = nobody()] = machines(t, several, {}, {}, { share: "domain" });
  await a.leave("nx", "1", "artifact");
  assert.equal(await stranger.find("nx", "1"), undefined);
  assert.deepEqual(stranger.events.find(({ name }) => name === "door.not-taken")?.facts, { door: "nx", key: "1", why: "received" });
  assert.equal(await b.find("nx", "1"), undefined);
  assert.equal(b.receipts.shared?.kind, "not-taken");
  assert.equal(a.asked, 0);
  b.receipts.follow("domain");
  assert.equal(await b.find("nx", "1"), "artifact from m720");
  b.receipts.follow("off");
  assert.equal(await b.find("nx", "1"), undefined);
  assert.equal(b.receipts.shared?.kind, "off");
  await b.leave("nx", "2", "mine");
  assert.equal(await b.find("nx", "2"), "mine");
  assert.deepEqual(b.shelf.results(manifestOf({ door: "nx", key: "2" })), []);
});

test("what names blobs that are not here, or too many, is not signed", async (t) => {
  const named = Array.from({ length: limits.doors.namedBlobs + 1 }, (_, i) => ({ digest: digestOf(`${i}`), size: 1 }));
  const [a = nobody(), b = nobody()] = machines(t, own, { named: "not-here" }, { named });
  await a.leave("bazel-ac", "1", "result");
  await b.leave("bazel-ac", "1", "result");
  const why = (of: Machine): unknown => of.events.find(({ name }) => name === "door.not-shared")?.facts.why;
  assert.deepEqual([why(a), why(b)], ["not-whole", "too-many-blobs"]);
  assert.deepEqual([...a.shelf.manifests(), ...b.shelf.manifests()], []);
});

for (const count of [limits.sharedOutputs - 1, limits.sharedOutputs, 700])
  test(`what names ${count} blobs comes with all of them, executed or received, or is a miss`, async (t) => {
    const contents = Array.from({ length: count }, (_, i) => Buffer.from(`blob ${i}`));
    const named = contents.map((bytes, i) => ({ digest: digestOf(bytes), size: bytes.length, path: i % 2 === 0 ? `out/${i}` : "" }));
    const [a = nobody(), b = nobody(), c = nobody()] = machines(t, own, { named }, { named }, { named });
    for (const bytes of contents) await a.store.write(bytes);
    const key = digestOf("link");
    await a.execute("link", "result");
    await a.leave("bazel-ac", "received", "result");
    for (const name of [key, "received"]) {
      assert.equal(await b.find("bazel-ac", name), "result from m700");
      assert.ok(named.every(({ digest }) => b.store.isHere(digest)));
      await b.store.remove(named.at(-1)?.digest ?? "");
    }
    await a.store.remove(named.at(-1)?.digest ?? "");
    assert.equal(await c.find("bazel-ac", "received"), undefined, "one of them cannot be had");
    const [shared] = b.shelf.results(executedManifest({ door: "bazel-ac", key }, a.installed ?? ""));
    assert.equal(
      shared?.result.outputs.length ?? 0,
      count < limits.sharedOutputs ? 0 : limits.sharedOutputs,
      "it went with its blob, or is looked through",
    );
  });

test("a list that is none, or too large, costs a miss", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  const [signer = nobody()] = own.signers[0] ?? [];
  const told = Array.from({ length: limits.sharedOutputs - 2 }, (_, i) => Buffer.from(`blob ${i}`));
  for (const bytes of told) await a.store.write(bytes);
  const result = Buffer.from("result");
  const entry = { blob: await a.store.write(result), size: result.length, meta: {}, at };
  const listed = ["one", "two"].map((text) => ({ digest: digestOf(text), size: 3 }));
  for (const text of ["one", "two"]) await a.store.write(Buffer.from(text));
  const names = told.map((bytes) => ({ digest: digestOf(bytes), size: bytes.length }));
  const large = listed.map((one) => ({ ...one, size: limits.blobBytes }));
  const lists: readonly (readonly [string, Buffer, string | undefined])[] = [
    ["short", writeBlobList(listed.slice(1)), undefined],
    ["noise", Buffer.from("noise"), undefined],
    ["large", writeBlobList(large), undefined],
    ["good", writeBlobList(listed), "result from m700"],
  ];
  for (const [what, bytes, expected] of lists) {
    const list = { digest: await a.store.write(bytes), size: bytes.length };
    const signable = signableOf({ door: "bazel-ac", key: what }, entry, { told: names, listed }, list);
    a.answer = async () => [attest(signer.sign, own.state.network, signable) ?? nobody()];
    assert.equal(await b.find("bazel-ac", what), expected, what);
  }
});

test("a machine of the own domain that lies or does not answer costs a miss, and no more", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  const [signer = nobody()] = own.signers[0] ?? [];
  const content = Buffer.from("artifact");
  const entry = { blob: await a.store.write(content), size: content.length, meta: {}, at };
  const { network } = own.state;
  const receipt = (of: Partial<DoorEntry>, door = "nx", key = "1", others: Parameters<typeof receiptOf>[2] = []): SharedResult =>
    attest(signer.sign, network, receiptOf({ door, key }, { ...entry, ...of }, others) ?? nobody()) ?? nobody();
  const good = receipt({});
  const execution = sharedBy(network, signer, executed("work", "good"));
  const table: readonly (readonly [string, SharedResult])[] = [
    ["another key", receipt({}, "nx", "2")],
    ["another door", receipt({}, "gradle")],
    ["a blob that it does not have", receipt({ blob: digestOf("nothing") })],
    ["another size", receipt({ size: content.length + 1 })],
    ["a blob beside it that it does not have", receipt({}, "nx", "1", [{ digest: digestOf("nothing"), size: 5 }])],
    ["a header that no tool says", receipt({ meta: { "set-cookie": "a=b" } })],
    ["a header with a line break", receipt({ meta: { "x-artifact-tag": "a\r\nb: c" } })],
    ["an action that the key does not lead to", { ...sharedBy(network, signer, received("work", "good")), manifest: good.manifest }],
    ["an execution", { ...execution, manifest: good.manifest }],
    ["no signature", { ...good, signature: Buffer.alloc(64) }],
    ["more than may be brought", receipt({ size: limits.blobBytes }, "nx", "1", [{ digest: digestOf("more"), size: limits.blobBytes }])],
  ];
  for (const [what, shared] of table) {
    a.answer = () => Promise.resolve([shared]);
    assert.equal(await b.find("nx", "1"), undefined, what);
    assert.deepEqual(b.shelf.manifests(), [], what);
  }
  a.answer = () => Promise.reject(new Error("gone"));
  assert.equal(await b.find("nx", "1"), undefined);
  a.answer = () => Promise.resolve([good]);
  assert.equal(await b.find("nx", "1"), "artifact from m700");
  a.answer = () => new Promise(() => undefined);
  assert.equal(await b.find("nx", "3"), undefined, "it does not answer");
  const { asked } = a;
  assert.equal(await b.find("nx", "4"), undefined);
  assert.equal(a.asked, asked, "it is left alone for a while");
});

test("what was left last before the end is signed as well", async (t) => {
  const [a = nobody()] = machines(t, own);
  const blob = await a.store.write(Buffer.from("artifact"));
  a.receipts.keep("nx", "1", { blob, size: 8, meta: {}, at }, false);
  await a.receipts[Symbol.asyncDispose]();
  assert.equal(a.shelf.results(manifestOf({ door: "nx", key: "1" })).length, 1);
});

test("what was executed is found in other domains as policy says, where the same is installed; what was received is not", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody(), d = nobody()] = machines(t, four);
  const key = digestOf("link");
  await a.execute("link", "program");
  await a.leave("bazel-ac", digestOf("brought"), "by a client", {}, true);
  assert.equal(await d.find("bazel-ac", key), undefined, "two domains are wanted, and one has executed it");
  d.reader.policy = "speculative";
  assert.equal(await d.find("bazel-ac", digestOf("brought")), undefined, "it was received");
  d.installed = digestOf("other packages");
  assert.equal(await d.find("bazel-ac", key), undefined, "something else is installed here");
  d.installed = undefined;
  assert.equal(await d.find("bazel-ac", key), undefined, "nobody can tell what is installed here");
  d.installed = a.installed;
  assert.equal(await d.find("bazel-ac", `another/${key}`), undefined, "of another instance");
  assert.equal(await d.find("bazel-ac", key), "program from m740");
  d.reader.policy = "team";
  assert.equal(await d.find("bazel-ac", key), undefined, "what is here is judged each time");

  await b.execute("link", "program");
  assert.match((await c.find("bazel-ac", key)) ?? "", /^program from m74[01]$/);
  c.reader.policy = "release";
  assert.equal(await c.find("bazel-ac", key), undefined, "three are wanted");
  c.reader.policy = "team";
  for (const gone of [a, b]) gone.isOnline = false;
  assert.match((await d.find("bazel-ac", key)) ?? "", /^program from m74[01]$/, "who has it from both gives what both have signed");
  assert.equal(d.receipts.shared?.brought, 2);
});

test("who says to have executed something else disputes it, and whose word does not count is not heard", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody(), d = nobody()] = machines(t, four);
  const key = digestOf("link");
  c.reader.policy = d.reader.policy = "speculative";
  await a.execute("link", "program");
  await b.execute("link", "poison");
  assert.equal(await c.find("bazel-ac", key), undefined, "one says this, and one that");
  assert.equal(c.events.filter(({ name, facts }) => name === "sharing.refused" && facts.why === "disputed").length, 2);
  const revoked = four.state.members.get(b.key) ?? nobody();
  d.reader.state = {
    ...four.state,
    members: new Map([...four.state.members, [b.key, { ...revoked, standing: "revoked", endedBy: a.key }]]),
  };
  assert.equal(await d.find("bazel-ac", key), "program from m740");
});

test("what was executed while packages changed is signed by nobody", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  const before = a.installed;
  const bytes = Buffer.from("program");
  const ran = { ...digests, installed: before ?? "", startedAtMs: at, endedAtMs: at, wallMs: 0, cpuMs: 0 };
  a.installed = digestOf("newer packages");
  a.receipts.keep("bazel-ac", digestOf("link"), { blob: await a.store.write(bytes), size: bytes.length, meta: {}, at, ran }, true);
  while (!a.events.some(({ name }) => name === "door.not-shared")) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(a.events.find(({ name }) => name === "door.not-shared")?.facts.why, "installed-changed");
  assert.deepEqual(a.shelf.manifests(), []);
  assert.equal(await a.find("bazel-ac", digestOf("link")), "program");
  assert.equal(await b.find("bazel-ac", digestOf("link")), undefined);
});

function revokedIn(world: typeof own, key: Key, by: Key): State {
  const member = world.state.members.get(key) ?? nobody();
  return { ...world.state, members: new Map([...world.state.members, [key, { ...member, standing: "revoked", endedBy: by }]]) };
}

test("what a member has made for this machine is not given once its word does not count, and is soon forgotten", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody()] = machines(t, own);
  for (const [key, by] of [
    ["1", b.key],
    ["2", c.key],
  ] as const) {
    const bytes = Buffer.from(`made by ${by}`);
    const entry = { blob: await a.store.write(bytes), size: bytes.length, meta: { by }, at: (at += 1_000) };
    a.receipts.keep("bazel-ac", key, entry, true);
  }
  await a.leave("bazel-ac", "3", "brought");
  assert.equal(await a.find("bazel-ac", "1"), `made by ${b.key}`);
  a.reader.state = revokedIn(own, b.key, a.key);
  assert.equal(await a.find("bazel-ac", "1"), undefined);
  a.receipts.recallSoon();
  while (!a.events.some(({ name }) => name === "door.recalled")) await new Promise((resolve) => setTimeout(resolve, 20));
  a.reader.state = own.state;
  assert.equal(await a.find("bazel-ac", "1"), undefined, "it is gone");
  assert.deepEqual([await a.find("bazel-ac", "2"), await a.find("bazel-ac", "3")], [`made by ${c.key}`, "brought"]);
});

test("what was taken is gone once another domain says to have executed something else; who says the same adds a voice", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody(), d = nobody()] = machines(t, four);
  const [same, other] = [digestOf("same"), digestOf("other")];
  d.reader.policy = "speculative";
  for (const action of ["same", "other"]) await a.execute(action, "program");
  for (const key of [same, other]) assert.equal(await d.find("bazel-ac", key), "program from m740");
  await b.execute("same", "program");
  await c.execute("other", "something else");
  for (const key of [same, other]) assert.equal(await d.find("bazel-ac", key), "program from m740", "nobody waits for that");
  while (!d.events.some(({ name }) => name === "door.recalled")) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(await d.find("bazel-ac", other), undefined);
  d.reader.policy = "team";
  while ((await d.find("bazel-ac", same)) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  const asked = b.asked;
  for (let i = 0; i < 5; i++) assert.match((await d.find("bazel-ac", same)) ?? "", /^program from m74[01]$/);
  assert.equal(b.asked, asked, "each is asked once");
});

/** Until a machine has said that. */
async function told(machine: Machine, name: string, why: string): Promise<void> {
  while (!machine.events.some((one) => one.name === name && one.facts.why === why)) await new Promise((resolve) => setTimeout(resolve, 20));
}

test("who executes another command under the key of an action is found out: by who executed it, and by who has its message", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody(), d = nobody()] = machines(t, four);
  const key = digestOf("link");
  await a.execute("link", "program");
  await b.execute("link", "poison", { command: digestOf("another command") });
  c.reader.policy = d.reader.policy = "speculative";
  assert.equal(await c.find("bazel-ac", key), undefined, "one says this, and one that");
  assert.equal(c.events.filter(({ name, facts }) => name === "sharing.refused" && facts.why === "disputed").length, 2);
  d.madeOf = digests;
  assert.equal(await d.find("bazel-ac", key), "program from m740", "only one of them has executed it");
});

test("what is disputed stays disputed while who has disputed it is slow or away, and until enough say the same", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody(), d = nobody()] = machines(t, four);
  const key = digestOf("link");
  d.reader.policy = "speculative";
  await a.execute("link", "program");
  assert.equal(await d.find("bazel-ac", key), "program from m740");
  await b.execute("link", "something else");
  assert.equal(await d.find("bazel-ac", key), "program from m740", "nobody waits for that");
  await told(d, "door.recalled", "disputed");
  b.isOnline = false;
  assert.equal(await d.find("bazel-ac", key), undefined, "who has disputed it is away");
  d.restart();
  assert.equal(await d.find("bazel-ac", key), undefined, "nor is it forgotten over a restart");
  a.isOnline = false;
  b.isOnline = true;
  assert.equal(await d.find("bazel-ac", key), undefined, "neither is the other one believed");
  a.isOnline = true;
  await c.execute("link", "program");
  assert.match((await d.find("bazel-ac", key)) ?? "", /^program from m74[02]$/, "two have come to the same");
});

test("who did not answer was not heard, and is asked once more", async (t) => {
  const [a = nobody(), b = nobody(), , d = nobody()] = machines(t, four);
  const key = digestOf("link");
  d.reader.policy = "speculative";
  await a.execute("link", "program");
  assert.equal(await d.find("bazel-ac", key), "program from m740");
  await b.execute("link", "something else");
  b.answer = () => Promise.reject(new Error("gone"));
  assert.equal(await d.find("bazel-ac", key), "program from m740");
  while (!d.events.some(({ name }) => name === "sharing.failed")) await new Promise((resolve) => setTimeout(resolve, 20));
  b.answer = undefined;
  assert.equal(await d.find("bazel-ac", key), "program from m740");
  while ((await d.find("bazel-ac", key)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(d.events.some(({ name, facts }) => name === "door.recalled" && facts.why === "disputed"));
});

test("what a member has made for this machine is not given while it is in no network", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  const bytes = Buffer.from("made by a member");
  const entry = { blob: await a.store.write(bytes), size: bytes.length, meta: { by: b.key }, at };
  a.receipts.keep("bazel-ac", "1", entry, true);
  await a.leave("bazel-ac", "2", "brought");
  a.isInNetwork = false;
  assert.equal(await a.find("bazel-ac", "1"), undefined);
  assert.equal(await a.find("bazel-ac", "2"), "brought");
  a.isInNetwork = true;
  assert.equal(await a.find("bazel-ac", "1"), "made by a member");
});

test("what was executed goes with what takes its place, and when it is deleted", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  const key = digestOf("link");
  const signed = (of: Machine): number => of.shelf.results(executedManifest({ door: "bazel-ac", key }, of.installed ?? "")).length;
  await a.execute("link", "program");
  assert.equal(await b.find("bazel-ac", key), "program from m700");
  await a.leave("bazel-ac", key, "brought by a client", {}, true);
  assert.equal(signed(a), 0);
  assert.ok(b.receipts.forget("bazel-ac", key));
  assert.equal(await b.find("bazel-ac", key), "brought by a client from m700");
  await a.execute("link", "program");
  await a.execute("link", "program");
  assert.equal(signed(a), 1, "the same came of it once more");
  assert.ok(a.receipts.forget("bazel-ac", key));
  b.isOnline = false;
  assert.equal(await a.find("bazel-ac", key), undefined);
});

test("who may be cut off gives what is here already, takes nothing new, and forgets nothing but what is disputed", async (t) => {
  const [a = nobody(), b = nobody(), c = nobody(), d = nobody()] = machines(t, four);
  const key = digestOf("link");
  d.reader.policy = "speculative";
  await a.execute("link", "program");
  assert.equal(await d.find("bazel-ac", key), "program from m740");
  d.isCutOff = true;
  await b.execute("link", "program");
  await b.execute("other", "program");
  for (let asked = 0; asked < 1 || b.asked === 0; asked++) assert.equal(await d.find("bazel-ac", key), "program from m740");
  await told(d, "sharing.refused", "cut-off");
  assert.equal(await d.find("bazel-ac", key), "program from m740");
  assert.equal(await d.find("bazel-ac", digestOf("other")), undefined, "that is new");
  await c.execute("link", "something else");
  while ((await d.find("bazel-ac", key)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  await told(d, "door.recalled", "disputed");
});

test("where those who were asked leave it in doubt, others are asked", async (t) => {
  const all = machines(t, six);
  const [a = nobody(), b = nobody(), c = nobody(), d = nobody(), e = nobody(), reader = nobody()] = all;
  const key = digestOf("link");
  await a.execute("link", "another program");
  for (const one of [b, c, d, e]) await one.execute("link", "program");
  assert.match((await reader.find("bazel-ac", key)) ?? "", /^program from m76[1-4]$/, "one of the first three contradicts");
  reader.reader.policy = "release";
  reader.receipts.forget("bazel-ac", key);
  assert.match((await reader.find("bazel-ac", key)) ?? "", /^program from m76[1-4]$/);
  assert.equal(
    reader.events.filter(({ name, facts }) => name === "sharing.refused" && facts.why === "disputed").length,
    2,
    "said once of each ask",
  );
});

test("what is here is given without a look at what is installed", async (t) => {
  const [a = nobody(), b = nobody()] = machines(t, own);
  const key = digestOf("link");
  await a.execute("link", "program");
  const { looks } = a;
  for (let i = 0; i < 3; i++) assert.equal(await a.find("bazel-ac", key), "program");
  assert.equal(a.looks, looks);
  assert.equal(await b.find("bazel-ac", key), "program from m700");
  assert.ok(b.looks > 0, "what is not here is looked for by that");
});

test("of one member's answer no more is looked at than an honest one gives", async (t) => {
  const [, b = nobody(), , d = nobody()] = machines(t, four);
  const [signer = nobody()] = four.signers[1] ?? [];
  const key = digestOf("link");
  const blob = await b.store.write(Buffer.from("program"));
  const said = Array.from({ length: 200 }, (_, i) => {
    const ran = {
      ...digests,
      command: digestOf(`${i}`),
      installed: d.installed ?? "",
      startedAtMs: at,
      endedAtMs: at,
      wallMs: 1,
      cpuMs: 1,
    };
    const unsigned = signableOf({ door: "bazel-ac", key }, { blob, size: 7, meta: {}, at, ran }, { told: [], listed: [] });
    return attest(signer.sign, four.state.network, unsigned) ?? nobody();
  });
  b.answer = () => Promise.resolve(said);
  assert.equal(await d.find("bazel-ac", key), undefined, "two domains are wanted");
  assert.equal(d.events.filter(({ name }) => name === "sharing.refused").length, limits.shareResultsPerManifest);
});
