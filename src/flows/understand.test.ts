import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf } from "../base/index.ts";
import type { FileState, Files, ManifestEntry, SearchPaths, Toolchain, Toolchains } from "../contracts/index.ts";
import { Absences, Glance, Look } from "./look.ts";
import { validityOf } from "./plan.ts";
import type { CompileQuestion } from "./request.ts";
import { responseReader, type Understanding, understand } from "./understand.ts";

const CWD = "/project";
const OPTIONS = `${CWD}/options.rsp`;
const signal = new AbortController().signal;
const toolchain: Toolchain = {
  family: "gcc",
  version: "12.2.0",
  target: "x86_64-linux-gnu",
  digest: digestOf("gcc"),
  files: [],
  absent: [],
  platform: "linux-x86_64",
  targets: [],
  earlierOnPath: [],
  beside: [],
};
const here: SearchPaths = { quote: [], angle: ["/usr/lib/gcc/include", "/usr/include"], missing: [], duplicates: [] };
const toolchains = toolchainsIn(here);
const question: CompileQuestion = {
  key: "",
  why: "no-record",
  session: "",
  stderrIsTerminal: false,
  stdoutIsTerminal: false,
  columns: 0,
  cwd: CWD,
  compiler: "/usr/bin/gcc",
  argv: ["gcc", "@options.rsp", "-c", "unit.c", "-o", "unit.o"],
  environment: new Map(),
};
const entry: ManifestEntry = { action: digestOf("action"), place: undefined, terminal: "", inputs: [], absent: [], presumed: false };

/** One compiler, which looks for headers there. */
function toolchainsIn(search: SearchPaths): Toolchains {
  const known: Pick<Toolchains, "identify" | "ownSearch"> = {
    identify: () => Promise.resolve({ kind: "toolchain", toolchain }),
    ownSearch: () => Promise.resolve(search),
  };
  return known as Toolchains;
}

/** Two files in memory, of which one says how the other is compiled. */
function world() {
  const texts = new Map([
    [`${CWD}/unit.c`, "int unit;\n"],
    [OPTIONS, "-O1"],
  ]);
  const stateOf = (path: string): FileState => {
    const text = texts.get(path);
    if (text === undefined) return { kind: "absent" };
    const digest = digestOf(text);
    const fp0 = Number.parseInt(digest.slice(0, 7), 16);
    return { kind: "file", digest, size: text.length, fingerprint: { fp0, fp1: 1 }, changedNs: 0n };
  };
  const files: Files = {
    state: stateOf,
    remembered: () => undefined,
    prepare: () => Promise.resolve(),
    content: (path: string, digest: Digest) => {
      const text = texts.get(path);
      return text !== undefined && digestOf(text) === digest ? Buffer.from(text) : undefined;
    },
    absent: (path) => path !== CWD && path !== "/" && !texts.has(path),
    fingerprint: () => ({ fp0: 1, fp1: 1 }),
  };
  const look = (): Look => new Look(new Glance({ files, absences: new Absences() }), CWD);
  const ask = (seen: Look, before?: Understanding): Promise<Understanding> =>
    understand({ files, toolchains }, "/home", question, seen, signal, before?.kind === "understood" ? before.understood : undefined);
  return { texts, files, look, ask };
}

test("what is valid for options out of a file is not for those that are written there afterwards", async () => {
  const { texts, files, look, ask } = world();
  const seen = look();
  const understanding = await ask(seen);
  assert.ok(understanding.kind === "understood");
  const { understood } = understanding;
  assert.equal(responseReader(files, understood)("options.rsp"), "-O1");
  assert.ok(validityOf(look(), understood, entry), "nothing has changed");
  texts.set(OPTIONS, "-O2");
  assert.equal(validityOf(look(), understood, entry), undefined);
  assert.equal(responseReader(files, understood)("options.rsp"), undefined, "these are another command's");
  const watched = validityOf(seen, understood, entry)?.inputs.find(({ path }) => path.endsWith("options.rsp"));
  assert.equal(watched?.fp0, Number.parseInt(digestOf("-O1").slice(0, 7), 16), "what the look saw is what was read");
});

test("options that are written anew while they are read are nobody's", async () => {
  const { texts, look, ask } = world();
  const seen = look();
  seen.state(OPTIONS);
  texts.set(OPTIONS, "-O2");
  assert.deepEqual(await ask(seen), { kind: "pass", reason: "response_file", detail: "options.rsp" });
});

test("a command that was understood a moment ago is read anew once its options are others", async () => {
  const { texts, look, ask } = world();
  const before = await ask(look());
  texts.set(OPTIONS, "-O2");
  const since = await ask(look(), before);
  assert.ok(before.kind === "understood" && since.kind === "understood");
  assert.notEqual(since.understood.manifest, before.understood.manifest);
});

test("a compiler that looks for headers elsewhere asks something else, one that looks in the same places does not", async () => {
  const { files, look } = world();
  const asked = async (search: SearchPaths): Promise<string> => {
    const understanding = await understand({ files, toolchains: toolchainsIn(search) }, "/home", question, look(), signal);
    assert.ok(understanding.kind === "understood");
    return understanding.understood.manifest;
  };
  const manifest = await asked(here);
  assert.notEqual(await asked({ ...here, angle: ["/opt/board/lib/gcc/include", "/usr/include"] }), manifest);
  // A machine on which one of them is not there has the same compiler.
  assert.equal(await asked({ ...here, angle: ["/usr/include"], missing: ["/usr/lib/gcc/include"] }), manifest);
});
