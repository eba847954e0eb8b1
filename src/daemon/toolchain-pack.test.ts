/** Packs: what is made of a toolchain can be read again, and whatever else somebody sends under its name cannot. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CairnError, type Digest, digestOf } from "../base/index.ts";
import { type Elf, type Laid, toolchainDigest } from "../exec/index.ts";
import { type Directory, loadNetworkCodec, loadTreeCodec, type ToolchainPack, type TreeEntry } from "../wire/index.ts";
import { aboutIn, objectionToPrograms, type Packed, packOf, type Unpacked, unpack } from "./toolchain-pack.ts";

const codecs = { messages: await loadNetworkCodec(), trees: await loadTreeCodec() };

const ABOUT: ToolchainPack = {
  family: "gcc",
  version: "12.2.0",
  target: "x86_64-linux-gnu",
  platform: "linux-x86_64",
  compiler: "/usr/bin/gcc",
  files: ["/lib64/ld.so", "/usr/bin/as", "/usr/bin/gcc", "/usr/lib/gcc/12/../12/cc1"],
  absent: ["/usr/lib/gcc/12/specs"],
  beside: ["/usr/lib/gcc/12/crtbegin.o"],
};
const LAID: Laid = {
  files: [
    program("/usr/bin/gcc-12"),
    program("/usr/bin/x-as"),
    program("/usr/lib/gcc/12/cc1"),
    { ...program("/usr/lib/gcc/12/crtbegin.o"), executable: false },
    program("/usr/lib64/ld.so"),
  ],
  links: [
    { path: "/lib64", target: "usr/lib64" },
    { path: "/usr/bin/as", target: "x-as" },
    { path: "/usr/bin/gcc", target: "/usr/bin/gcc-12" },
  ],
};
const DIGEST = digestFor(ABOUT, ["/usr/lib64/ld.so", "/usr/bin/x-as", "/usr/bin/gcc-12", "/usr/lib/gcc/12/cc1"]);

function program(path: string): Laid["files"][number] {
  return { path, digest: digestOf(path), size: 1_000, executable: true };
}

function digestFor(about: ToolchainPack, places: readonly string[]): Digest {
  return toolchainDigest(about, about.compiler, places.map(digestOf));
}

function made(about: ToolchainPack = ABOUT, laid: Laid = LAID): Packed {
  const packed = packOf(about, laid, codecs);
  assert.ok(packed !== undefined);
  return packed;
}

/** As a worker has it once the directories are here. */
function judge({ offer, small }: Packed, digest: Digest = DIGEST): ReturnType<typeof unpack> {
  const nodes = new Map<Digest, Directory>();
  for (const [name, bytes] of small) {
    try {
      nodes.set(name, codecs.trees.decodeDirectory(bytes));
    } catch (error) {
      if (!(error instanceof CairnError)) throw error; // The file beside the directories.
    }
  }
  const about = aboutIn(offer.root, nodes);
  return unpack({ digest, root: offer.root }, nodes, small.get(about?.digest ?? "") ?? new Uint8Array(), codecs);
}

async function unpacked(): Promise<Unpacked> {
  const judged = await judge(made());
  assert.ok(judged.kind === "unpacked", JSON.stringify(judged));
  return judged;
}

test("a pack is read as what was packed", async () => {
  const { installed, bytes } = await unpacked();
  assert.equal(bytes, 5_000);
  assert.equal(installed.compiler, "/usr/bin/gcc");
  const { layout, ...toolchain } = installed.toolchain;
  const { family, version, target, platform, files, absent, beside } = ABOUT;
  assert.deepEqual(toolchain, {
    family,
    version,
    target,
    platform,
    targets: [target],
    files,
    absent,
    earlierOnPath: [],
    beside,
    digest: DIGEST,
  });
  assert.deepEqual(layout, { root: made().offer.root, ...LAID });
});

test("the same files elsewhere are another pack of one toolchain", () => {
  const moved = { ...LAID, files: LAID.files.map((file) => ({ ...file, path: file.path.replace("/usr/lib/gcc", "/usr/libexec/gcc") })) };
  assert.notEqual(made(ABOUT, moved).offer.root, made().offer.root);
});

const hostile: readonly {
  readonly name: string;
  readonly why: RegExp;
  readonly about?: Partial<ToolchainPack>;
  readonly laid?: Partial<Laid>;
}[] = [
  { name: "a file that nothing leads to", why: /more in it/, laid: { files: [...LAID.files, program("/usr/bin/extra")] } },
  { name: "a link that nothing leads over", why: /more in it/, laid: { links: [...LAID.links, { path: "/usr/bin/ld", target: "x-as" }] } },
  {
    name: "a link out of it",
    why: /missing/,
    laid: { links: [...LAID.links.slice(0, 2), { path: "/usr/bin/gcc", target: "/etc/passwd" }] },
  },
  {
    name: "a link above the root",
    why: /missing/,
    laid: { links: [...LAID.links.slice(0, 2), { path: "/usr/bin/gcc", target: "../../../etc/x" }] },
  },
  { name: "links in a circle", why: /missing/, laid: { links: [...LAID.links.slice(0, 2), { path: "/usr/bin/gcc", target: "gcc" }] } },
  {
    name: "another assembler",
    why: /another digest/,
    laid: { files: LAID.files.map((file) => (file.path.endsWith("-as") ? { ...file, digest: digestOf("evil") } : file)) },
  },
  {
    name: "an assembler in the place of the driver",
    why: /another digest/,
    laid: {
      links: [...LAID.links.slice(0, 2), { path: "/usr/bin/gcc", target: "x-as" }],
      files: LAID.files.filter(({ path }) => path !== "/usr/bin/gcc-12"),
    },
  },
  { name: "a file that is missing", why: /missing/, laid: { files: LAID.files.slice(1) } },
  { name: "a driver that is none of its files", why: /driver/, about: { compiler: "/usr/bin/x-as/../gcc" } },
  { name: "another version", why: /another digest/, about: { version: "13.1.0" } },
  {
    name: "a file in the sandbox's own place",
    why: /place of the sandbox/,
    about: { beside: ["/out/x"] },
    laid: { files: [...LAID.files.filter(({ path }) => !path.endsWith(".o")), program("/out/x")] },
  },
  {
    name: "a file in the place of the first process",
    why: /place of the sandbox/,
    about: { beside: ["/init"] },
    laid: { files: [...LAID.files.filter(({ path }) => !path.endsWith(".o")), program("/init")] },
  },
  { name: "a relative path", why: /path/, about: { files: [...ABOUT.files, "usr/bin/as"] } },
  { name: "a path that a terminal would obey", why: /path/, about: { absent: ["/usr/\u001b[2J"] } },
  { name: "no version", why: /word/, about: { version: "" } },
];
for (const { name, why, about, laid } of hostile) {
  test(`refused: ${name}`, async () => {
    const judged = await judge(made({ ...ABOUT, ...about }, { ...LAID, ...laid }));
    assert.ok(judged.kind === "refused", "it was taken");
    assert.match(judged.why, why);
  });
}

test("refused: what is no pack, or has more beside its root", async () => {
  const { offer, small } = made();
  const top = codecs.trees.decodeDirectory(small.get(offer.root) ?? new Uint8Array());
  const tops: [string, TreeEntry][][] = [
    [],
    [...top].filter(([name]) => name === "root"),
    [...top, ["more", { kind: "link", target: "x" }]],
    [...top, ["toolchain", { kind: "link", target: "root" }]],
  ];
  for (const entries of tops) {
    const bytes = codecs.trees.encodeDirectory(new Map(entries)) ?? new Uint8Array();
    const root = digestOf(bytes);
    const judged = await judge({ offer: { ...offer, root }, files: [], small: new Map([...small, [root, bytes]]) });
    assert.equal(judged.kind, "refused");
  }
});

test("refused: any toolchain of which a path, a link or a content is another than its digest says", async () => {
  const places = fc.constantFrom(...LAID.files.filter(({ path }) => !path.endsWith(".o")).map(({ path }) => path));
  await fc.assert(
    fc.asyncProperty(places, fc.string({ minLength: 1, maxLength: 8 }), async (path, text) => {
      const files = LAID.files.map((file) => (file.path === path ? { ...file, digest: digestOf(text) } : file));
      const judged = await judge(made(ABOUT, { ...LAID, files }));
      assert.equal(judged.kind, "refused");
    }),
    { numRuns: 50 },
  );
});

test("programs of another machine, scripts, and those whose loader is missing are not run", async () => {
  const pack = await unpacked();
  const elf: Elf = { machine: "x86_64", interpreter: "/lib64/ld.so" };
  const heads = (path: string, head: Elf | undefined) => (digest: Digest) => Promise.resolve(digest === digestOf(path) ? head : elf);
  const objection = (head: Elf | undefined): Promise<string | undefined> =>
    objectionToPrograms(pack, "x86_64", heads("/usr/bin/x-as", head));
  assert.equal(await objection(elf), undefined);
  assert.equal(await objection({ machine: "x86_64", interpreter: undefined }), undefined);
  assert.match((await objection(undefined)) ?? "", /script/);
  assert.match((await objection({ ...elf, machine: "aarch64" })) ?? "", /for aarch64/);
  assert.match((await objection({ ...elf, interpreter: "/lib/ld-musl.so.1" })) ?? "", /needs/);
  assert.match((await objection({ ...elf, interpreter: "ld.so" })) ?? "", /needs/);
});
