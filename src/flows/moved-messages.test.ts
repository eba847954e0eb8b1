import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { actionKey, placeDigest } from "../compile/index.ts";
import type { ManifestEntry, SearchPaths, StoredResult } from "../contracts/index.ts";
import { MovedMessages, type MovedMessagesParts, moved, movesBetween, type Printed } from "./moved-messages.ts";
import type { Understood } from "./request.ts";
import { SourceFacts } from "./source-facts.ts";

const moves = movesBetween(["/opt/a/tree/build", "/opt/a/tree", "/opt/a/tree/build"], ["/srv/ci-7/build", "/srv/ci-7", "/srv/ci-7/build"]);

for (const [about, text, expected] of [
  ["a warning", "/opt/a/tree/src/x.c:3:1: warning: unused\n", "/srv/ci-7/src/x.c:3:1: warning: unused\n"],
  [
    "a list of includes",
    "In file included from /opt/a/tree/src/x.c:3,\n                 from /opt/a/tree/build/y.h:1:\n",
    "In file included from /srv/ci-7/src/x.c:3,\n                 from /srv/ci-7/build/y.h:1:\n",
  ],
  ["quotes and colours", "\x1b[01m\x1b[K/opt/a/tree/x.c\x1b[m ‘/opt/a/tree’", "\x1b[01m\x1b[K/srv/ci-7/x.c\x1b[m ‘/srv/ci-7’"],
  ["nothing of a place", "x.c: In function ‘f’:\n", "x.c: In function ‘f’:\n"],
  ["a directory that is called likewise", "/opt/a/tree2/x.c:3", undefined],
  ["another that ends likewise", "/mnt/opt/a/tree/x.c:3", undefined],
  ["the end of a sentence, or of a name", "see /opt/a/tree.", undefined],
] as const)
  test(`messages with ${about} are ${expected === undefined ? "left alone" : "those of another place"}`, () => {
    assert.ok(moves);
    const there = moved(Buffer.from(text).toString("base64"), moves);
    assert.equal(there && Buffer.from(there, "base64").toString(), expected);
  });

for (const [about, from, to] of [
  ["a build directory of its own", ["/a/build", "/a", ""], ["/b-build", "/b", ""]],
  ["a build in its sources", ["/a", "/a", ""], ["/b/build", "/b", ""]],
  ["a working directory of another name", ["/a", "/a", ""], ["/b", "/b", "/link"]],
  ["no place at all", ["/a", "/a", ""], ["/", "/", ""]],
] as const)
  test(`a place with ${about} is not like the other`, () => {
    assert.equal(movesBetween(from, to), undefined);
  });

/** Of all that is understood of `gcc -c a.c` in a checkout, what is asked here. */
function understoodIn(root: string): Understood {
  return {
    manifest: digestOf("manifest"),
    place: placeDigest(root, root, new Map()),
    sourcePath: `${root}/a.c`,
    projectRoot: root,
    invocation: {
      keyArgs: [],
      mapped: [],
      family: "gcc",
      language: "c",
      source: "a.c",
      forcedIncludes: [],
      inputFiles: [],
      responseFiles: [],
    },
    places: { resolve: (path: string) => path, portable: (path: string) => path },
    question: { cwd: root, argv: ["gcc", "-c", "a.c"], environment: new Map() },
  } as unknown as Understood;
}

const searchPaths = (): Promise<SearchPaths> => Promise.resolve({ quote: [], angle: ["/opt/include"], missing: [], duplicates: [] });

/** @param asked what happens while the preprocessor is asked */
function messagesOf(action: string, asked: (results: Set<string>) => void): MovedMessages {
  const results = new Set([action]);
  const preprocess = (): Promise<string> => {
    asked(results);
    return Promise.resolve("int a;");
  };
  return new MovedMessages({
    files: { content: () => Buffer.from("int a;") },
    toolchains: { preprocess, searchPaths },
    store: {},
    index: { result: (one: string) => (results.has(one) ? {} : undefined) },
    sharing: { isOthers: () => false },
    facts: new SourceFacts({ files: { content: () => Buffer.from("int a;") } }),
    isStill: () => true,
  } as unknown as MovedMessagesParts);
}

/** Of `gcc -c /opt/one/a.c` that printed a warning, unless something else is said. */
interface PrintedWorld {
  readonly stderr: string;
  readonly source: string;
  readonly preprocessed: string | undefined;
  readonly object: string;
  readonly understood: Partial<Understood>;
  readonly isOthers: boolean;
  readonly root: string;
}

async function markedIn(world: Partial<PrintedWorld>): Promise<string | undefined> {
  const { stderr = "/opt/one/a.c:1:1: warning: unused\n", source = "int a;", object = "code", isOthers = false, root = "/opt/one" } = world;
  const messages = new MovedMessages({
    files: { content: () => Buffer.from(source) },
    toolchains: { preprocess: () => Promise.resolve("preprocessed" in world ? world.preprocessed : "int a;"), searchPaths },
    store: { read: () => Promise.resolve({ kind: "hit", bytes: Buffer.from(object) }) },
    index: {},
    sharing: { isOthers: () => isOthers },
    facts: new SourceFacts({ files: { content: () => Buffer.from(source) } }),
    isStill: () => true,
  } as unknown as MovedMessagesParts);
  const understood = { ...understoodIn("/opt/one"), ...world.understood };
  const inputs = ["\0P/a.c", "/opt/include/x.h"].map((path) => ({ path, digest: digestOf(source) }));
  const entry = { action: digestOf("made"), place: understood.place, presumed: false, terminal: undefined, inputs, absent: [] };
  const output = { path: "a.o", digest: digestOf(object), size: object.length, role: "object", template: false } as const;
  const result: StoredResult = { outputs: [output], stdout: "", stderr: Buffer.from(stderr).toString("base64"), compileMs: 1, cpuMs: 1 };
  const marked = await messages.marked(understood, { entry, result }, root, new AbortController().signal);
  return typeof marked === "object" ? Buffer.from(marked.stderr, "base64").toString() : marked;
}

const { question, invocation } = understoodIn("/opt/one");
const STAY: readonly (readonly [about: string, world: Partial<PrintedWorld>])[] = [
  ["name what only begins like the root", { stderr: "/opt/one-more/a.c:1:1: warning: unused\n" }],
  ["have a zero byte of their own", { stderr: "/opt/one/a.c: \0\n" }],
  ["may quote a source that names the root", { source: "// see /opt/one/README" }],
  ["come with a source that does, preprocessed", { preprocessed: 'char at[] = "/opt/one/a.c";' }],
  ["come with a source that asks where it is", { preprocessed: "int a = sizeof __builtin_FILE();" }],
  ["come with an object that names the root", { object: "at /opt/one" }],
  ["are somebody else's", { isOthers: true }],
  ["were printed for a terminal", { understood: { question: { ...question, stderrIsTerminal: true } } }],
  ["are of a width", { understood: { invocation: { ...invocation, keyArgs: ["-fmessage-length=80"] } } }],
  ["say where links lead", { understood: { invocation: { ...invocation, keyArgs: ["-fdiagnostics-absolute-paths"] } } }],
  ["shorten paths", { understood: { invocation: { ...invocation, keyArgs: ["-Rpass=.*"] } } }],
  ["are about directories", { understood: { invocation: { ...invocation, keyArgs: ["-Wmissing-include-dirs"] } } }],
  ["are sorted by their paths", { understood: { invocation: { ...invocation, keyArgs: ["-fdiagnostics-generate-patch"] } } }],
  ["come with paths that nobody can see", { understood: { invocation: { ...invocation, hidesPaths: true } } }],
  [
    "are of a working directory with another name",
    { understood: { question: { ...question, environment: new Map([["PWD", "/opt/link"]]) } } },
  ],
  ["are of a project outside of the checkout", { understood: { projectRoot: "/opt" } }],
];

test("messages are marked where nothing but them names the root, and they name nothing else", async (t) => {
  assert.equal(await markedIn({}), "\0/a.c:1:1: warning: unused\n");
  assert.equal(await markedIn({ stderr: "a.c:1:1: warning: unused\n" }), "a.c:1:1: warning: unused\n");
  const below = { cwd: "/opt/one/build", environment: new Map([["PWD", "/opt/one/build"]]) };
  const there = { stderr: "/opt/one/build/x.c: warning\n", understood: { question: { ...question, ...below } } };
  assert.equal(await markedIn(there), "\0/build/x.c: warning\n");
  assert.equal(await markedIn({ preprocessed: undefined }), "unanswered", "the preprocessor was ended before it told anything");
  for (const [about, world] of STAY) await t.test(`none that ${about}`, async () => assert.equal(await markedIn(world), undefined));
});

test("a result that is recalled while the preprocessor is asked is not moved", async () => {
  const [there, here] = [understoodIn("/opt/one"), understoodIn("/opt/two")];
  const action = digestOf("made there");
  const entry: ManifestEntry = { action, place: there.place, presumed: false, terminal: undefined, inputs: [], absent: [] };
  const stderr = Buffer.from("/opt/one/a.c:1:1: warning: unused\n").toString("base64");
  const result: StoredResult = { outputs: [], stdout: "", stderr, compileMs: 1, cpuMs: 1 };
  const move = async (asked: (results: Set<string>) => void) => {
    const messages = messagesOf(action, asked);
    messages.saw(there);
    return messages.move(here, { entry, result }, new AbortController().signal);
  };
  const kept = await move(() => undefined);
  assert.equal(kept && Buffer.from(kept.result.stderr, "base64").toString(), "/opt/two/a.c:1:1: warning: unused\n");
  assert.equal(await move((results) => void results.delete(action)), undefined);
});

/** A unit that printed a warning in each of two checkouts, and whatever is asked about it. */
class Asked {
  readonly there: Understood = understoodIn("/opt/one");
  readonly here: Understood = understoodIn("/opt/two");
  readonly read: string[] = [];
  preprocessed = 0;
  searched = 0;
  /** What the preprocessor makes of the files as they are now. */
  text = "int a;";
  isStill = true;
  readonly #messages: MovedMessages;

  constructor() {
    const content = (path: string): Buffer => {
      this.read.push(path);
      return Buffer.from(SOURCE);
    };
    const toolchains = {
      preprocess: () => Promise.resolve(this.text).finally(() => (this.preprocessed += 1)),
      searchPaths: () => searchPaths().finally(() => (this.searched += 1)),
    };
    this.#messages = new MovedMessages({
      files: { content },
      toolchains,
      store: {},
      index: { result: () => ({}) },
      sharing: { isOthers: () => false },
      facts: new SourceFacts({ files: { content } }),
      isStill: () => this.isStill,
    } as unknown as MovedMessagesParts);
    this.#messages.saw(this.there);
  }

  async moves(unit = "a.c"): Promise<boolean> {
    return (await this.#messages.move(this.here, printedFor(this.there, unit), new AbortController().signal)) !== undefined;
  }

  async marks(unit = "a.c"): Promise<boolean> {
    const printed = printedFor(this.here, unit);
    return (await this.#messages.marked(this.here, printed, "/opt/two", new AbortController().signal)) !== undefined;
  }
}

const SOURCE = "int a;";

function printedFor({ manifest, place, projectRoot }: Understood, unit: string): Printed {
  const inputs = [
    { path: unit, digest: digestOf(unit) },
    { path: "a.h", digest: digestOf(SOURCE) },
  ];
  const action = actionKey(manifest, place, undefined, inputs);
  const stderr = Buffer.from(`${projectRoot}/${unit}:1:1: warning: unused\n`).toString("base64");
  const entry: ManifestEntry = { action, place, presumed: false, terminal: undefined, inputs, absent: [] };
  return { entry, result: { outputs: [], stdout: "", stderr, compileMs: 1, cpuMs: 1 } };
}

for (const way of ["moves", "marks"] as const)
  test(`what the preprocessor tells of other files than those of the entry is not believed later: ${way}`, async () => {
    const asked = new Asked();
    asked.isStill = false; // Another branch, of which nothing names its place.
    assert.equal(await asked[way](), false);
    asked.isStill = true;
    asked.text = 'char at[] = "/opt/two/a.c";';
    assert.equal(await asked.moves(), false);
    assert.equal(await asked.marks(), false);
  });

test("what has been found out about a unit and its headers is not asked again", async () => {
  const asked = new Asked();
  assert.equal(await asked.moves(), true);
  assert.equal(await asked.marks(), true);
  assert.equal(await asked.moves(), true);
  assert.deepEqual([asked.preprocessed, asked.searched], [1, 1]);
  asked.read.length = 0;
  assert.equal(await asked.moves("b.c"), true);
  assert.equal(await asked.marks("b.c"), true);
  // For each of the two names.
  assert.deepEqual(asked.read, ["/opt/two/b.c", "/opt/two/b.c"]);
});
