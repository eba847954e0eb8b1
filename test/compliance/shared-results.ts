/**
 * Results that travel, for tests: one that is like those of compiles, and any that the limits allow.
 */
import fc from "fast-check";
import { digestOf } from "../../src/base/index.ts";
import type { ManifestEntry, ResultOutput, SharedResult, StoredResult } from "../../src/contracts/index.ts";
import { type KeyPair, keyPairFromSeed } from "../../src/trust/index.ts";

/** A result without a signature. */
export type Unsigned = Omit<SharedResult, "signature">;

export const network: string = digestOf("network");
export const signer: KeyPair = keyPairFromSeed(Buffer.alloc(32, 7));

export const sample: Unsigned = {
  manifest: digestOf("manifest"),
  entry: {
    action: digestOf("action"),
    place: digestOf("place"),
    presumed: true,
    terminal: digestOf("terminal"),
    inputs: [
      { path: "\0C/a.c", digest: digestOf("a.c") },
      { path: "\0P/include/ü.h", digest: digestOf("u.h") },
      { path: "/usr/include/stdio.h", digest: digestOf("stdio.h") },
    ],
    absent: ["\0C/u.h", "\0P", "relative.h"],
  },
  result: {
    outputs: [
      { path: "\0C/a.o", digest: digestOf("a.o"), size: 3, role: "object", template: false },
      { path: "\0P/deps/a.d", digest: digestOf("a.d"), size: 3, role: "depfile", template: true },
    ],
    stdout: "",
    stderr: Buffer.from("a.c:1: warning").toString("base64"),
    compileMs: 12.5,
    cpuMs: 11,
  },
  execution: { signer: signer.publicKey, toolchain: digestOf("gcc"), startedAtMs: 1_800_000_000_000, endedAtMs: 1_800_000_000_013 },
};

const digest: fc.Arbitrary<string> = fc.string({ maxLength: 3 }).map((text) => digestOf(text));
const text: fc.Arbitrary<string> = fc
  .string({ unit: "binary", minLength: 1, maxLength: 20 })
  .map((name) => name.replaceAll("\0", "0").replace(/^\$/, "_"))
  .filter((name) => name.isWellFormed());
const path: fc.Arbitrary<string> = fc.tuple(fc.constantFrom("", "/", "\0C/", "\0P/"), text).map(([mark, name]) => mark + name);
const printed: fc.Arbitrary<string> = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const ms: fc.Arbitrary<number> = fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);

const output: fc.Arbitrary<ResultOutput> = fc.record(
  {
    path,
    digest,
    size: fc.nat(),
    role: fc.constantFrom("object" as const, "written" as const, "depfile" as const),
    template: fc.boolean(),
  },
  { noNullPrototype: true },
);

const entry: fc.Arbitrary<ManifestEntry> = fc
  .record(
    {
      action: digest,
      place: fc.option(digest, { nil: undefined }),
      presumed: fc.boolean(),
      terminal: fc.option(digest, { nil: undefined }),
      inputs: fc.array(fc.record({ path, digest }, { noNullPrototype: true }), { maxLength: 20 }),
      absent: fc.array(path, { maxLength: 20 }),
    },
    { noNullPrototype: true },
  )
  .map((made) => ({ ...made, presumed: made.presumed && made.place !== undefined }));

const result: fc.Arbitrary<StoredResult> = fc.record(
  { outputs: fc.array(output, { maxLength: 4 }), stdout: printed, stderr: printed, compileMs: ms, cpuMs: ms },
  { noNullPrototype: true },
);

/** Any result that may travel, made by {@link signer}. */
export const shareable: fc.Arbitrary<Unsigned> = fc
  .record({ manifest: digest, entry, result, toolchain: digest, times: fc.tuple(fc.nat(), fc.nat()) })
  .map(({ manifest, entry, result, toolchain, times: [startedAtMs, tookMs] }) => {
    return { manifest, entry, result, execution: { signer: signer.publicKey, toolchain, startedAtMs, endedAtMs: startedAtMs + tookMs } };
  });
