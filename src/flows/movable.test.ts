import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, limits, silentLog } from "../base/index.ts";
import type {
  BlobRead,
  FileState,
  Files,
  HistoryRow,
  LocalStore,
  ManifestEntry,
  Offer,
  ResultOutput,
  SearchPaths,
  StoredResult,
  Toolchain,
  Toolchains,
} from "../contracts/index.ts";
import { CompileFlow, type CompileParts } from "./compile.ts";
import { Absences, directoryDigest, Glance, Look } from "./look.ts";
import { type Moves, movableOf } from "./movable.ts";
import { MovedMessages, type MovedMessagesParts } from "./moved-messages.ts";
import type { CompileQuestion } from "./request.ts";
import { SourceFacts } from "./source-facts.ts";
import { understand } from "./understand.ts";
import { withoutPlace } from "./witness.ts";

const ROOT = "/w/app";
const HOME = "/home/me";
const DRIVER = "/usr/bin/gcc";
const signal = new AbortController().signal;
const OLD = { fp0: 1, fp1: 1 };

/** A request, what is there, and what came of it. */
interface World {
  readonly question: Partial<CompileQuestion>;
  readonly toolchain: Partial<Toolchain>;
  readonly search: Partial<SearchPaths>;
  /** Absolute; directories are those above them. */
  readonly files: Readonly<Record<string, string>>;
  readonly young: readonly string[];
  readonly entry: Partial<ManifestEntry>;
  readonly result: Partial<StoredResult>;
  readonly blobs: Readonly<Record<string, string>>;
  /** The source. */
  readonly preprocessed: string;
}

const OBJECT = "object code";
const TEMPLATE = JSON.stringify({
  targets: ["a.o"],
  dependencies: ["\0P/src/a.c", "/usr/include/stdio.h", "inc/a.h"],
  phony: [],
  style: { family: "gcc", spaced: false },
});

const object: ResultOutput = { path: "a.o", digest: digestOf(OBJECT), size: OBJECT.length, role: "object", template: false };

function depfile(content: string, template: boolean): ResultOutput {
  return { path: "\0P/build/a.d", digest: digestOf(content), size: content.length, role: "depfile", template };
}

const ARGV = ["gcc", "-I/w/app/inc", "-MD", "-MF", "/w/app/build/a.d", "-c", "/w/app/src/a.c", "-o", "a.o"];
const FILES = {
  "/w/app/.git/HEAD": "",
  "/w/app/src/a.c": "source",
  "/w/app/build/inc/a.h": "header",
  "/w/app/inc/b.h": "another",
  "/usr/include/stdio.h": "system",
  [DRIVER]: "driver",
};
const INPUTS = [
  { path: "\0P/src/a.c", digest: digestOf("source") },
  { path: "inc/a.h", digest: digestOf("header") },
  { path: "/usr/include/stdio.h", digest: digestOf("system") },
];

/** Whatever asks a machine whose files are those. */
interface Machine extends Pick<CompileParts, "files" | "listings"> {
  readonly toolchains: Toolchains;
  readonly store: Pick<LocalStore, "plain" | "read">;
  readonly question: CompileQuestion;
  readonly entry: ManifestEntry;
  readonly result: StoredResult;
}

async function moves(world: Partial<World>): Promise<Moves> {
  const { files, listings, toolchains, store, question, entry, result } = machine(world);
  const look = new Look(new Glance({ files, absences: new Absences() }), question.cwd);
  const understanding = await understand({ files, toolchains }, HOME, question, look, signal);
  assert.ok(understanding.kind === "understood", JSON.stringify(understanding));
  const { understood } = understanding;
  const parts = {
    files,
    toolchains,
    store,
    index: {},
    sharing: { isOthers: () => false },
    facts: new SourceFacts({ files }),
    isStill: () => true,
  };
  const messages = new MovedMessages(parts as unknown as MovedMessagesParts);
  return movableOf({ store, listings, messages, homeDirectory: HOME }, look, { understood, entry, result }, signal);
}

function machine(world: Partial<World>): Machine {
  const texts = new Map(Object.entries({ ...FILES, ...world.files }));
  const names = new Map<string, Set<string>>();
  for (const path of texts.keys()) {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) {
      const directory = parts.slice(0, i).join("/") || "/";
      names.set(directory, (names.get(directory) ?? new Set()).add(parts[i] ?? ""));
    }
  }
  const fingerprint = (path: string): typeof OLD => (world.young?.includes(path) ? { fp0: 0, fp1: 0 } : OLD);
  const real = (path: string): string => path.replace("/build/../", "/");
  const stateOf = (path: string): FileState => {
    const text = texts.get(real(path));
    if (text === undefined) return names.has(real(path)) ? { kind: "other" } : { kind: "absent" };
    return { kind: "file", digest: digestOf(text), size: text.length, fingerprint: fingerprint(path), changedNs: 0n };
  };
  const files: Files = {
    state: stateOf,
    remembered: () => undefined,
    prepare: () => Promise.resolve(),
    content: (path) => Buffer.from(texts.get(path) ?? ""),
    absent: (path) => stateOf(path).kind === "absent",
    fingerprint: (path) => (stateOf(path).kind === "absent" ? undefined : fingerprint(path)),
  };
  const toolchain: Toolchain = {
    family: "gcc",
    version: "12.2.0",
    target: "x86_64-linux-gnu",
    platform: "linux-x86_64",
    targets: [],
    digest: digestOf("gcc"),
    files: [DRIVER],
    absent: ["/usr/none/specs"],
    earlierOnPath: [],
    beside: [],
    ...world.toolchain,
  };
  const search: SearchPaths = { quote: [], angle: ["/usr/include"], missing: [], duplicates: [], ...world.search };
  const toolchains: Pick<Toolchains, "identify" | "ownSearch" | "searchPaths" | "preprocess"> = {
    identify: () => Promise.resolve({ kind: "toolchain", toolchain }),
    ownSearch: () => Promise.resolve(search),
    searchPaths: () => Promise.resolve(search),
    preprocess: () => Promise.resolve(world.preprocessed ?? "int a;"),
  };
  const question: CompileQuestion = {
    key: "",
    why: "no-record",
    session: "",
    stderrIsTerminal: false,
    stdoutIsTerminal: false,
    columns: 0,
    cwd: "/w/app/build",
    compiler: DRIVER,
    argv: ARGV,
    environment: new Map([["PWD", "/w/app/build"]]),
    ...world.question,
  };
  const entry: ManifestEntry = {
    action: digestOf("action"),
    place: undefined,
    presumed: false,
    terminal: undefined,
    inputs: INPUTS,
    absent: ["\0P/inc/a.h", "early/a.h", "/usr/none/a.h"],
    ...world.entry,
  };
  const outputs = [object, depfile(TEMPLATE, true)];
  const result: StoredResult = { outputs, stdout: "", stderr: "", compileMs: 5, cpuMs: 5, ...world.result };
  const blobs = new Map(Object.values({ OBJECT, TEMPLATE, ...world.blobs }).map((text) => [digestOf(text), text]));
  const read = (digest: Digest): Promise<BlobRead> => {
    const text = blobs.get(digest);
    return Promise.resolve(text === undefined ? { kind: "miss" } : { kind: "hit", bytes: Buffer.from(text) });
  };
  const store = { read, plain: (digest: Digest) => Promise.resolve(blobs.has(digest) ? { size: 1, crc32: 2 } : undefined) };
  const listings = {
    listing: (path: string) => {
      const listed = names.get(real(path));
      return listed && { digest: digestOf([...listed].join()), names: listed };
    },
  };
  return { files, listings, toolchains: toolchains as Toolchains, store, question, entry, result };
}

test("what lies in the checkout is named by its place there and its content, what lies elsewhere by its stat", async () => {
  const moved = await moves({ files: { "/w/app/.cairn.json": "{}" } });
  assert.ok(moved.kind === "moves", JSON.stringify(moved));
  const { inputs, absences, outputs, root, source } = moved.movable;
  assert.deepEqual(inputs, [
    { path: "\0/src/a.c", digest: digestOf("source") },
    { path: "inc/a.h", digest: digestOf("header") },
    { path: "/usr/include/stdio.h", ...OLD },
    { path: DRIVER, ...OLD },
    { path: "\0/.cairn.json", digest: digestOf("{}") },
  ]);
  assert.deepEqual(absences, [
    { directory: "\0/inc", digest: digestOf("b.h"), names: ["a.h"] },
    { directory: "\0/build", digest: digestOf("inc"), names: ["early/a.h", ".cairn.json"] },
    { directory: "/usr", ...OLD, names: undefined },
    { directory: "\0/src", digest: digestOf("a.c"), names: [".cairn.json"] },
  ]);
  const rule = {
    targets: ["a.o"],
    dependencies: ["\0/src/a.c", "/usr/include/stdio.h", "inc/a.h"],
    phony: [],
    style: { family: "gcc", spaced: false },
  };
  assert.deepEqual(outputs, [
    { path: "a.o", mode: "replace", crc32: 2, size: 1, digest: digestOf(OBJECT), content: undefined },
    { path: "\0/build/a.d", rule },
  ]);
  assert.deepEqual([root, source], [ROOT, "/w/app/src/a.c"]);
});

test("of a directory that has just changed no listing is told", async () => {
  const moved = await moves({ young: ["/w/app/build"] });
  assert.ok(moved.kind === "moves");
  assert.deepEqual(
    moved.movable.absences.find(({ directory }) => directory.startsWith("\0/build")),
    { directory: "\0/build/early", digest: undefined, names: ["a.h"] },
  );
});

test("wherever another checkout may have a project nothing must be said, also between this one's project and its root", async () => {
  const moved = await moves({
    files: { "/w/app/third/lib/src/a.c": "source", "/w/app/third/lib/.git/HEAD": "" },
    question: { argv: ["gcc", "-c", "../third/lib/src/a.c", "-o", "a.o"] },
  });
  assert.ok(moved.kind === "moves", JSON.stringify(moved));
  const unsaid = moved.movable.absences.flatMap(({ directory, names }) => (names?.includes(".cairn.json") === true ? [directory] : []));
  assert.deepEqual(unsaid.toSorted(), ["\0", "\0/build", "\0/third", "\0/third/lib", "\0/third/lib/src"]);
});

const WITHOUT_GIT = { "/w/app/.git/HEAD": undefined } as unknown as Record<string, string>;
const SAID = "a.o: /w/app/src/a.c\n";
const QUOTED = JSON.stringify({ ...(JSON.parse(TEMPLATE) as object), phony: ["inc/a b.h"] });
const HERE = JSON.stringify({ ...(JSON.parse(TEMPLATE) as object), targets: ["/w/app/a.o"] });

function environment(name: string, value: string): Partial<World> {
  return {
    question: {
      environment: new Map([
        ["PWD", "/w/app/build"],
        [name, value],
      ]),
    },
  };
}

function argv(...more: string[]): Partial<World> {
  return { question: { argv: [...ARGV, ...more] } };
}

const WARNING = "/w/app/src/a.c: warning";
const HERE_ONLY = { place: digestOf("here"), terminal: digestOf("terminal") };

function printed(stderr: string): Partial<StoredResult> {
  return { stderr: Buffer.from(stderr).toString("base64") };
}

const MAP = "-ffile-prefix-map=/w/app=.";
const WITH_OTHERS: Partial<World> = { entry: { inputs: [...INPUTS, { path: "/w/app-common/x.h", digest: digestOf("") }] } };

const WITH_THIRD: Partial<World> = {
  entry: { inputs: [...INPUTS, { path: "../third/t.h", digest: digestOf("third") }] },
  files: { "/w/app/third/t.h": "third" },
};

const STAY: readonly (readonly [why: string, about: string, world: Partial<World>])[] = [
  ["no-checkout", "nothing says where the checkout begins", { question: { cwd: "/elsewhere" } }],
  ["no-checkout", "only the home directory does", { question: { cwd: HOME }, files: { [`${HOME}/.git/HEAD`]: "" } }],
  ["root", "it begins where compilers come from", { question: { cwd: "/usr/src/app" }, files: { "/usr/src/app/.git/HEAD": "" } }],
  ["root", "lists of paths would part its name", { question: { cwd: "/w/a:b" }, files: { "/w/a:b/.git/HEAD": "" } }],
  ["place", "the result names its place", { entry: { place: digestOf("here") } }],
  ["place", "it may", { entry: { place: digestOf("here"), presumed: true } }],
  ["outside", "the source lies in no checkout", { question: { argv: ["gcc", "-c", "/usr/src/a.c", "-o", "a.o"] } }],
  ["outside", "it lies beside the checkout", { question: { argv: ["gcc", "-c", "../../a.c", "-o", "a.o"] } }],
  ["outside", "the working directory has the root's name twice", { question: { cwd: "/w/app/w/app" } }],
  ["toolchain", "the compiler is the checkout's own", { question: { compiler: "/w/app/bin/gcc" } }],
  ["toolchain", "its name has the root's in it", { question: { compiler: "/opt/w/app/bin/gcc" } }],
  ["toolchain", "it is called by where it lies from here", { question: { compiler: "../bin/gcc" } }],
  ["toolchain", "a part of it is the checkout's", { toolchain: { files: ["/w/app/bin/as"] } }],
  ["toolchain", "a part of it might be", { toolchain: { absent: ["/w/app/specs"] } }],
  ["toolchain", "PATH leads into the checkout", { toolchain: { earlierOnPath: ["/w/app/bin/as"] } }],
  ["toolchain", "PATH leads to wherever one is", { toolchain: { earlierOnPath: ["bin/as"] } }],
  ["search", "the compiler looks for headers in the checkout", { search: { angle: ["/w/app/sysroot/usr/include"] } }],
  ["search", "it would", { search: { missing: ["/w/app/sysroot/usr/include"] } }],
  ["search", "a header like the system's is named by whichever path to it is shorter", { ...argv("-isystem", "../third"), ...WITH_THIRD }],
  ["search", "so it is where a variable leads to it", { ...environment("CPLUS_INCLUDE_PATH", "/usr/x:../third"), ...WITH_THIRD }],
  ["environment", "a variable names the checkout", environment("LD_LIBRARY_PATH", "/usr/lib:/w/app/lib")],
  ["environment", "even a part of one", environment("LANG", "/w/app-locale")],
  ["options", "a macro names the checkout", argv('-DROOT="/w/app"')],
  ["options", "an option takes a list in which a root might have a separator", environment("CPATH", "/w/app/inc:/usr/x")],
  ["options", "an option names something else that is called so", argv("-I/opt/w/app/inc")],
  ["prefix-maps", "a directory beside it could be shortened", argv(MAP, "-I/w/app-common")],
  ["prefix-maps", "in a checkout of another name it could be", argv(MAP, "-isystem", "/opt/include")],
  ["prefix-maps", "so could a header", { ...argv(MAP), ...WITH_OTHERS, files: { "/w/app-common/x.h": "" } }],
  [
    "prefix-maps",
    "so could another name of the working directory",
    { question: { argv: [...ARGV, MAP], environment: new Map([["PWD", "/w/link"]]) } },
  ],
  ["input", "an input names the checkout wherever it is", { entry: { inputs: [{ path: "/w/app/inc/b.h", digest: digestOf("another") }] } }],
  ["input", "a name that must be missing does", { entry: { absent: ["/w/app/other/a.h"] } }],
  ["input", "an input is a directory", { entry: { inputs: [{ path: "inc", digest: directoryDigest }] } }],
  ["input", "an input was named by somebody else", { entry: { inputs: [{ path: "\0X/a.h", digest: digestOf("") }] } }],
  ["young", "a file of the system has just changed", { young: ["/usr/include/stdio.h"] }],
  ["young", "so has the compiler", { young: [DRIVER] }],
  ["policy", "another file says whom to believe", { files: { "/w/app/src/.cairn.json": "{}" } }],
  ["policy", "so does one where it is compiled", { files: { "/w/app/build/.cairn.json": "{}" } }],
  ["policy", "what says so is no file", { files: { "/w/app/.cairn.json/x": "" } }],
  [
    "messages",
    "what was printed names the checkout, and the result should belong to no place",
    { result: printed("/w/app/src/a.c: warning") },
  ],
  ["messages", "it names what only begins like the checkout", { entry: HERE_ONLY, result: printed("/w/app-common/a.c: warning") }],
  ["messages", "the source names the checkout", { entry: HERE_ONLY, result: printed(WARNING), preprocessed: "/w/app" }],
  ["blob", "an output is gone", { result: { outputs: [{ ...object, digest: digestOf("gone") }] } }],
  ["blob", "what should be a template is none", { blobs: { SAID }, result: { outputs: [depfile(SAID, true)] } }],
  ["content", "a dependency file that names the checkout is no template", { blobs: { SAID }, result: { outputs: [depfile(SAID, false)] } }],
  ["content", "a template names the checkout wherever it is", { blobs: { HERE }, result: { outputs: [depfile(HERE, true)] } }],
  ["quoting", "make has a name quoted", { blobs: { QUOTED }, result: { outputs: [depfile(QUOTED, true)] } }],
  ["quoting", "an output's name would be", { result: { outputs: [{ ...object, path: "a b.o" }] } }],
  ["outside", "an output names the checkout wherever it is", { result: { outputs: [{ ...object, path: "/w/app/a.o" }] } }],
];

test("whatever may depend on its place stays", async (t) => {
  for (const [why, about, world] of STAY) await t.test(about, async () => assert.deepEqual(await moves(world), { kind: "stays", why }));
});

test("messages that name the checkout move as its paths do", async () => {
  const [plain, naming] = await Promise.all([
    moves({ result: printed("a.c: warning") }),
    moves({ entry: HERE_ONLY, result: printed(`${WARNING}\n${WARNING}`) }),
  ]);
  assert.ok(plain.kind === "moves" && naming.kind === "moves", JSON.stringify([plain, naming]));
  assert.deepEqual([plain.movable.stderr.toString(), plain.movable.namesRoot], ["a.c: warning", false]);
  assert.deepEqual([naming.movable.stderr.toString(), naming.movable.namesRoot], ["\0/src/a.c: warning\n\0/src/a.c: warning", true]);
});

test("options that come out of a file stay, whose paths nobody replaces", async () => {
  const world = { question: { argv: [...ARGV, "@more"] }, files: { "/w/app/build/more": "-O1" } };
  assert.deepEqual(await moves(world), { kind: "stays", why: "response-files" });
});

test("what does not depend on its place moves, however it is asked for", async (t) => {
  const all: readonly (readonly [about: string, world: Partial<World>])[] = [
    ["relative paths", { question: { argv: ["gcc", "-I../inc", "-c", "../src/a.c", "-o", "a.o"] } }],
    ["what lies outside of the checkout, by its absolute path", argv("-I/opt/include")],
    ["another warning", argv("-Wall")],
    ["a prefix map of the root", argv("-g", "-ffile-prefix-map=/w/app=.")],
    ["a prefix map, beside headers of the system by their name", argv(MAP, "-isystem/usr/include")],
    [
      "a relative path to a directory for headers that is not like the system's",
      { ...argv("-I../third", "-isystem../none"), ...WITH_THIRD },
    ],
    ["headers beside the checkout, without one", { ...WITH_OTHERS, files: { "/w/app-common/x.h": "" } }],
    ["a prefix map of the working directory", argv("-g", "-fdebug-prefix-map=/w/app/build=/build")],
    ["a checkout by a build system's file", { files: { ...WITHOUT_GIT, "/w/app/Makefile": "" } }],
    [
      "a project within the checkout",
      { files: { "/w/app/src/.git/HEAD": "" }, question: { argv: ["gcc", "-c", "../src/a.c", "-o", "a.o"] } },
    ],
    [
      "a dependency file that names nothing of the checkout",
      { blobs: { x: "a.o: a.c\n" }, result: { outputs: [depfile("a.o: a.c\n", false)] } },
    ],
  ];
  for (const [about, world] of all) await t.test(about, async () => assert.equal((await moves(world)).kind, "moves"));
});

/** Where a build has them that is asked for by {@link ARGV}. */
const OUTPUTS = [object, { ...depfile(TEMPLATE, true), path: "\0C/a.d" }];

interface FlowWorld {
  readonly parts: Omit<Machine, "question" | "entry" | "result">;
  /** In the index, and what is kept there. */
  readonly kept: ManifestEntry[];
  readonly result: StoredResult;
  readonly offers: readonly Offer[];
  /** @param rows of the history by then */
  readonly mayUse: (rows: number) => boolean;
}

/** Answers questions about a machine, by one result. */
function flowOf({ parts, kept, result, offers, mayUse }: FlowWorld): CompileFlow {
  const nothing = (): void => undefined;
  const rows: HistoryRow[] = [];
  return new CompileFlow(
    {
      ...parts,
      index: {
        entries: () => kept,
        result: () => result,
        tokens: nothing,
        touch: nothing,
        remember: (row: HistoryRow) => rows.push(row),
        history: () => rows.at(-1),
      },
      sharing: {
        find: () => Promise.resolve(offers),
        bring: () => Promise.resolve({ complete: true, bytes: 0 }),
        keep: () => offers.every(({ shared }) => kept.push(shared.entry) > 0),
        mayUse: () => mayUse(rows.length),
        isOthers: () => false,
        onExpected: nothing,
        expected: () => [],
      },
      helpers: nothing,
      statistics: { count: nothing },
      unverified: { actions: () => [], add: () => true, delete: nothing },
      log: silentLog,
      now: () => 0,
    } as unknown as CompileParts,
    { homeDirectory: HOME },
  );
}

/** What is answered by what a member offers, and then made for every checkout. @param mayUse whether it may be used by then */
async function movableOfOffer(tier: Offer["tier"], mayUse = true): Promise<boolean> {
  const { question, result, entry: known, ...parts } = machine({ question: { key: digestOf("request") }, result: { outputs: OUTPUTS } });
  const look = new Look(new Glance({ files: parts.files, absences: new Absences() }), question.cwd);
  const understanding = await understand(parts, HOME, question, look, signal);
  assert.ok(understanding.kind === "understood");
  const { manifest } = understanding.understood;
  const entry = withoutPlace(manifest, known);
  const shared = { manifest, entry, result, execution: { signer: "member" } };
  const offer = { shared, from: ["member"], domains: ["other"], tier, isToVerify: true } as unknown as Offer;
  const kept: ManifestEntry[] = [];
  const flow = flowOf({ parts, kept, result, offers: [offer], mayUse: (rows) => rows === 0 || mayUse });
  const answer = await flow.answer(question, signal, signal);
  assert.ok(answer.kind === "hit" && answer.kept !== undefined, answer.kind);
  await flow.catchUp();
  assert.equal(await answer.kept, true);
  const next = await flow.movableNext(signal);
  assert.equal(next?.question.cwd, question.cwd);
  return next.movable !== undefined;
}

test("of what one member alone says nothing is made for every checkout, nor of what may not be used by then", async () => {
  assert.equal(await movableOfOffer("team"), true);
  assert.equal(await movableOfOffer("speculative"), false, "nobody has executed it again");
  assert.equal(await movableOfOffer("team", false), false, "it is under dispute");
});

/** How often an answer for every checkout is tried, of a compile with a warning, and what comes of it in the end. @param told by the preprocessor, each time */
async function triedMovable(told: readonly (string | undefined)[]): Promise<readonly [tries: number, isMovable: boolean]> {
  const {
    question,
    entry: known,
    result,
    ...parts
  } = machine({
    question: { key: digestOf("request") },
    result: { ...printed(WARNING), outputs: OUTPUTS },
  });
  const answers = [...told];
  Object.assign(parts.toolchains, { preprocess: () => Promise.resolve(answers.shift()) });
  const look = new Look(new Glance({ files: parts.files, absences: new Absences() }), question.cwd);
  const understanding = await understand(parts, HOME, question, look, signal);
  assert.ok(understanding.kind === "understood");
  const { place, terminal } = understanding.understood;
  const flow = flowOf({ parts, kept: [{ ...known, place, terminal }], result, offers: [], mayUse: () => true });
  assert.equal((await flow.answer(question, signal, signal)).kind, "hit");
  let tries = 0;
  let isMovable = false;
  for (let next = await flow.movableNext(signal); next !== undefined; next = await flow.movableNext(signal)) {
    tries++;
    isMovable ||= next.movable !== undefined;
  }
  return [tries, isMovable];
}

test("where the preprocessor gave no answer it is asked again a few times; what it says against it is final", async () => {
  assert.deepEqual(await triedMovable([undefined, "int a;"]), [2, true]);
  assert.deepEqual(await triedMovable(["int a;"]), [1, true]);
  assert.deepEqual(await triedMovable([`char at[] = "${ROOT}/src/a.c";`, "int a;"]), [1, false]);
  assert.deepEqual(await triedMovable([]), [1 + limits.proofsAgain, false]);
});
