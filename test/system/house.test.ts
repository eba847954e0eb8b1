/**
 * The house as ARCHITECTURE.md draws it: which room may import which, checked over the imports that the files really have.
 *
 * Knows: the table in ARCHITECTURE.md, the text of the sources. Does not know: what any room does.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..", "..");

/** Rooms that think and do not act: files, clocks and networks reach them as arguments. */
const THINKING = ["compile", "trust", "tuning", "model", "placement"];
const ACTING = /^node:(fs|net|http|https|http2|tls|dgram|dns|child_process|worker_threads|cluster|os|timers)(\/|$)/;

interface House {
  /** Room → rooms it may import. */
  readonly rooms: ReadonlyMap<string, readonly string[]>;
}

/** Path below the root → text. */
type Files = ReadonlyMap<string, string>;

/** Reads the rows `| floor | `room` | what it is for | may import |`. */
function readHouse(markdown: string): House {
  const rows = [...markdown.matchAll(/^\|\s*\d\s*\|\s*`(\w+)`\s*\|[^|]*\|([^|]*)\|$/gm)];
  const names = rows.map(([, name = ""]) => name);
  const rooms = new Map<string, readonly string[]>();
  for (const [, name = "", text = ""] of rows) {
    const except = /all but (.*)/.exec(text)?.[1];
    const listed = names.filter((room) => new RegExp(`\\b${room}\\b`).test(except ?? text));
    rooms.set(name, except === undefined ? listed : names.filter((room) => room !== name && !listed.includes(room)));
  }
  return { rooms };
}

/** Specifiers of all imports and re-exports, types included; comments do not count. */
function importsOf(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(^|[^:"'`\\])\/\/[^\n]*/g, "$1");
  const statements = /(?:^|[\s;])(?:import|export)\s(?:[\w\s{},*$]*?\sfrom\s*)?["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']/g;
  return [...code.matchAll(statements)].map(([, from, dynamic]) => from ?? dynamic ?? "");
}

/** What a file loads at once: neither types nor what is imported when it is wanted. */
function loadedBy(text: string): string[] {
  return importsOf(
    text.replace(/(^|[\s;])(?:import|export)\s+type\s[^;]*?\sfrom\s*["'][^"'\n]+["']/g, "$1").replace(/\bimport\(/g, "later("),
  );
}

/** All files that one loads at once, by what they load. */
function closureOf(entry: string, files: Files): Map<string, string | undefined> {
  const by = new Map<string, string | undefined>([[entry, undefined]]);
  for (const [path] of by) {
    for (const specifier of loadedBy(files.get(path) ?? "").filter((name) => name.startsWith("."))) {
      const target = posix.join(posix.dirname(path), specifier);
      if (!by.has(target)) by.set(target, path);
    }
  }
  return by;
}

function isTest(path: string): boolean {
  return /\.(test|bench|fixture)\.ts$/.test(path);
}

function roomOf(path: string): string {
  return /^src\/(\w+)\//.exec(path)?.[1] ?? "";
}

/** Every arrow that points the wrong way, as a sentence. */
function wrongArrows(files: Files, house: House): string[] {
  const wrong: string[] = [];
  for (const [path, text] of files) {
    const room = roomOf(path);
    const allowed = house.rooms.get(room);
    if (allowed === undefined) {
      wrong.push(`${path}: ARCHITECTURE.md has no room ${room}`);
      continue;
    }
    for (const specifier of importsOf(text)) {
      if (THINKING.includes(room) && !isTest(path) && ACTING.test(specifier)) wrong.push(`${path}: a thinking room imports ${specifier}`);
      if (!specifier.startsWith(".")) continue;
      const target = posix.join(posix.dirname(path), specifier);
      if (!target.startsWith("src/")) {
        if (!isTest(path)) wrong.push(`${path}: leaves src/ for ${target}`);
        continue;
      }
      const there = roomOf(target);
      const door = target === `src/${there}/index.ts`;
      if (there === room && door) wrong.push(`${path}: imports its own door`);
      if (there !== room && !door) wrong.push(`${path}: enters ${there} not by its door but by ${target}`);
      // A test may set up the rooms that its own meets only as contracts.
      if (there !== room && !isTest(path) && !allowed.includes(there)) wrong.push(`${path}: ${room} may not import ${there}`);
      if (!isTest(path) && isTest(target)) wrong.push(`${path}: imports the test ${target}`);
    }
  }
  return wrong;
}

/** A path of files that leads back to its start, or undefined. */
function cycleIn(files: Files): string[] | undefined {
  const state = new Map<string, "open" | "done">();
  const visit = (path: string, trail: readonly string[]): string[] | undefined => {
    if (state.get(path) === "done" || !files.has(path)) return undefined;
    if (state.get(path) === "open") return [...trail.slice(trail.indexOf(path)), path];
    state.set(path, "open");
    for (const specifier of importsOf(files.get(path) ?? "").filter((name) => name.startsWith("."))) {
      const cycle = visit(posix.join(posix.dirname(path), specifier), [...trail, path]);
      if (cycle !== undefined) return cycle;
    }
    state.set(path, "done");
    return undefined;
  };
  for (const path of files.keys()) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function read(pattern: string): Files {
  const paths = globSync(pattern, { cwd: ROOT }).toSorted();
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
}

const house = readHouse(readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8"));
const sources = read("src/**/*.ts");

test("the table is read as it is meant", () => {
  assert.deepEqual(house.rooms.get("base"), []);
  assert.deepEqual(house.rooms.get("cli"), ["base", "wire", "trust", "audit"]);
  assert.deepEqual(house.rooms.get("compile"), ["base", "wire", "contracts"]);
  assert.ok(house.rooms.get("daemon")?.includes("flows"));
  assert.ok(house.rooms.get("daemon")?.includes("cli") === false);
});

test("imports are found, comments and strings are not imports", () => {
  const text = [
    'import "./a.ts"; import b from "./b.ts";',
    'import type { C } from "./c.ts";',
    "export {\n  type D,\n  d,\n} from './d.ts';",
    'export * from "./e.ts";',
    'const f = await import("./f.ts");',
    '// import g from "./g.ts";',
    '/* export * from "./h.ts"; */',
    'const url = "http://x"; const text = "imported from here";',
    'import i, { type J } from "./i.ts";',
  ].join("\n");
  assert.deepEqual(
    importsOf(text).toSorted(),
    ["a", "b", "c", "d", "e", "f", "i"].map((name) => `./${name}.ts`),
  );
});

test("a wrong arrow is noticed", () => {
  const table: [path: string, text: string, wrong: RegExp | undefined][] = [
    ["src/store/disk.ts", 'import { digestOf } from "../base/index.ts";', undefined],
    ["src/store/disk.ts", 'import { x } from "./schema.ts";', undefined],
    ["src/store/disk.test.ts", 'import { x } from "../exec/index.ts";', undefined],
    ["src/base/digest.ts", 'import { x } from "../store/index.ts";', /base may not import store/],
    ["src/base/digest.ts", 'import type { x } from "../store/index.ts";', /base may not import store/],
    ["src/store/disk.ts", 'import { x } from "../exec/index.ts";', /store may not import exec/],
    ["src/cli/main.ts", 'const x = await import("../daemon/index.ts");', /cli may not import daemon/],
    ["src/daemon/main.ts", 'export * from "../cli/index.ts";', /daemon may not import cli/],
    ["src/store/disk.ts", 'import { digestOf } from "../base/digest.ts";', /not by its door/],
    ["src/store/disk.ts", 'import { DiskStore } from "./index.ts";', /its own door/],
    ["src/attic/box.ts", "", /no room attic/],
    ["src/compile/scan.ts", 'import { readFileSync } from "node:fs";', /thinking room imports node:fs/],
    ["src/compile/scan.ts", 'import { join } from "node:path";', undefined],
    ["src/store/disk.ts", 'import { x } from "../../bench/main.ts";', /leaves src/],
    ["src/store/disk.ts", 'import { x } from "./disk.test.ts";', /imports the test/],
  ];
  for (const [path, text, wrong] of table) {
    const found = wrongArrows(new Map([[path, text]]), house);
    if (wrong === undefined) assert.deepEqual(found, [], text);
    else assert.match(found.join("\n"), wrong);
  }
});

test("a cycle is noticed", () => {
  const files = new Map([
    ["src/base/a.ts", 'import { b } from "./b.ts";'],
    ["src/base/b.ts", 'export { c } from "./c.ts";'],
    ["src/base/c.ts", 'import { a } from "./a.ts";'],
  ]);
  assert.deepEqual(cycleIn(files), ["src/base/a.ts", "src/base/b.ts", "src/base/c.ts", "src/base/a.ts"]);
  files.set("src/base/c.ts", "");
  assert.equal(cycleIn(files), undefined);
});

test("every arrow of src/ points the right way", () => {
  assert.ok(sources.size > 10);
  assert.deepEqual(wrongArrows(sources, house), []);
});

test("no file imports itself through others", () => {
  assert.equal(cycleIn(sources), undefined);
});

test("every room that others enter has a door", () => {
  const doors = [...house.rooms].filter(([room]) => [...sources.keys()].some((path) => roomOf(path) === room));
  const missing = doors.filter(([room]) => room !== "cli" && room !== "daemon" && !sources.has(`src/${room}/index.ts`));
  assert.deepEqual(missing, []);
});

test("every file begins by saying what it is for", () => {
  const code = read("{src,test,bench,scripts,bin,client}/**/*.{ts,js,c,h}");
  // The test beside x.ts is about x.ts: that says enough.
  const silent = [...code].filter(
    ([path, text]) => !(path.startsWith("src/") && isTest(path)) && !/^\s*(\/\*|\/\/)/.test(text.replace(/^#!.*\n/, "")),
  );
  assert.deepEqual(
    silent.map(([path]) => path),
    [],
  );
  const scripts = [...read("{scripts,client,.ci}/**/*.sh")].filter(([, text]) => !/^#!.*\n#/.test(text));
  assert.deepEqual(
    scripts.map(([path]) => path),
    [],
  );
});

test("no file is unfinished, silences a checker, or names a place on one machine", () => {
  const forbidden: [string, RegExp][] = [
    ["unfinished", /\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b/],
    [
      "silenced",
      /@ts-(ignore|no[c]heck|expect-error)|(oxlint|eslint)-dis[a]ble(?!-next-line [^\n]* -- )|biome-ign[o]re(?!(-all|-start)? format: )/,
    ],
    ["debugging", /\btest\.on[l]y\(|\bdebug[g]er;/],
    ["machine", /\/(work|root)\/[a-z.]/],
  ];
  const all = read("{{src,test,bench,scripts,bin,client,docs}/**/*.{ts,js,c,h,sh,md},*.{md,json}}");
  // Generated code answers to its generator.
  const found = [...all]
    .filter(([path]) => !path.startsWith("src/wire/generated/"))
    .flatMap(([path, text]) =>
      forbidden.flatMap(([what, pattern]) => {
        const match = pattern.exec(text);
        return match === null ? [] : [`${path}: ${what}: ${match[0]}`];
      }),
    );
  assert.deepEqual(found, []);
});

test("every document that another one points to is there", () => {
  const documents = read("{*.md,docs/**/*.md}");
  const known = new Set(globSync("{*,.ci/*,{docs,scripts,src,test,bench,client,bin}/**/*}", { cwd: ROOT }));
  const broken = [...documents].flatMap(([path, text]) =>
    [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map(([, target = ""]) => posix.join(dirname(path), target).replace(/\/$/, ""))
      .filter((target) => !known.has(target))
      .map((target) => `${path}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test("a daemon in no network loads nothing of a network", () => {
  const loaded = closureOf("src/daemon/main.ts", sources);
  assert.ok(loaded.has("src/flows/compile.ts"));
  for (const [path, by] of loaded) assert.notEqual(roomOf(path), "net", `${by} loads ${path}`);
  assert.ok(closureOf("src/daemon/network-runtime.ts", sources).has("src/net/index.ts"));
});
