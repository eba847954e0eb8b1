import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { type Digest, limits } from "../base/index.ts";
import type { CompileAction, GeneralAction } from "../contracts/index.ts";
import { WorkFrameSchema } from "./generated/work_pb.ts";
import { encode } from "./message-fields.ts";
import {
  decodeWorkFrame,
  encodeWorkAct,
  encodeWorkAlive,
  encodeWorkAsk,
  encodeWorkCancel,
  encodeWorkEnd,
  encodeWorkGive,
  encodeWorkMore,
  encodeWorkVoucher,
  encodeWorkWant,
  type WorkEnd,
  type WorkFrame,
  type WorkPiece,
} from "./work.ts";

const LENGTH_BYTES = 4;
const PLAIN = { noNullPrototype: true } as const;
const refused = { code: "frame-invalid" };
const NONE: ReadonlyMap<Digest, Uint8Array> = new Map();
const { work } = limits;

const job = fc.integer({ min: 1, max: 0xffff_ffff });
const text = fc.string({ maxLength: 40 });
const bytes = fc.uint8Array({ maxLength: 600 });
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((some) => Buffer.from(some).toString("hex"));
const whole = fc.maxSafeNat();
const size = fc.nat(limits.blobBytes);
const ms = fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }).map((value) => value + 0); // Not -0.
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(some, { nil: undefined });

const action: fc.Arbitrary<CompileAction> = fc.record(
  {
    toolchain: digest,
    toolchainRoot: digest,
    options: fc.array(text, { maxLength: 20 }),
    source: text,
    mode: fc.constantFrom("preprocessed" as const, "assembly" as const, "object" as const),
    dependencies: maybe(fc.record({ headers: fc.constantFrom("user" as const, "all" as const), target: text, phony: fc.boolean() }, PLAIN)),
    environment: fc.array(fc.tuple(text, text), { maxLength: 5 }).map((variables) => new Map(variables)),
    cwd: text,
    inputs: fc.array(fc.record({ path: text, digest }, PLAIN), { maxLength: 30 }),
    directories: fc.array(text, { maxLength: 5 }),
    limits: fc.record(
      { cpuMs: whole, wallMs: whole, memoryBytes: whole, processes: whole, fileBytes: whole, outputBytes: whole, printedBytes: whole },
      PLAIN,
    ),
    request: fc.record(
      {
        words: fc.array(text, { maxLength: 20 }),
        environment: fc.array(fc.tuple(text, text), { maxLength: 5 }).map((variables) => new Map(variables)),
        root: text,
      },
      PLAIN,
    ),
  },
  {
    ...PLAIN,
    requiredKeys: ["toolchain", "options", "source", "mode", "dependencies", "environment", "cwd", "inputs", "directories", "limits"],
  },
);
const GENERAL: GeneralAction = {
  system: "ab".repeat(32),
  program: "/usr/bin/node",
  arguments: ["--test", "a"],
  environment: new Map([["A", "b"]]),
  cwd: "/inputs/project",
  inputs: [{ path: "/inputs/project/a", digest: "cd".repeat(32), executable: true }],
  directories: ["/inputs/project"],
  work: { root: "/inputs", outputs: ["project/out"], links: [{ path: "/inputs/project/l", target: "a" }] },
  limits: work.mostGeneral,
};

test("a general action comes as it was sent, with what a command is called by or without; too many programs are refused", () => {
  const sent = (more: object): GeneralAction => {
    const frame = decodeWorkFrame(
      (encodeWorkAct(1, { ...GENERAL, ...more }, NONE, false) ?? assert.fail("too large")).subarray(LENGTH_BYTES),
    );
    return frame.kind === "act" ? frame.action : assert.fail(frame.kind);
  };
  const program = { place: "/usr/bin/node", digest: "ef".repeat(32), brought: false };
  const command = { name: "node", programs: [program, { ...program, place: "tools/mine", brought: true }], variables: ["A"], signed: true };
  assert.deepEqual(sent({}), GENERAL);
  assert.deepEqual(sent({ command }), { ...GENERAL, command });
  assert.throws(() => sent({ command: { ...command, programs: Array.from({ length: 5 }, () => program) } }), refused);
  assert.throws(() => sent({ command: { ...command, programs: [{ ...program, digest: "ef" }] } }), refused);
});

const voucher = fc.record(
  { placed: fc.boolean(), startedAtMs: whole, endedAtMs: whole, signature: fc.uint8Array({ minLength: 64, maxLength: 64 }) },
  PLAIN,
);
const piece: fc.Arbitrary<WorkPiece> = fc.oneof(
  fc.constant({ absent: true as const }),
  fc.record({ absent: fc.constant(false as const), size: maybe(size), bytes }, PLAIN),
);
const end: fc.Arbitrary<WorkEnd> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("done" as const),
      exitCode: fc.nat(255),
      stdoutBytes: size,
      stderrBytes: size,
      outputs: fc.array(fc.record({ name: text, size }, PLAIN), { maxLength: limits.action.outputs }),
      used: fc.record({ wallMs: ms, cpuMs: maybe(ms), residentBytes: maybe(whole) }, PLAIN),
      queuedMs: ms,
      body: bytes,
    },
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant("refused" as const),
      reason: fc.constantFrom("bad_path" as const, "toolchain_unknown" as const, "not_shared" as const),
      detail: fc.string({ maxLength: work.detailCharacters }).filter((detail) => !/\p{Cc}/u.test(detail)),
    },
    PLAIN,
  ),
  fc.record({ kind: fc.constant("killed" as const), limit: fc.constantFrom("wall" as const, "cpu" as const, "memory" as const) }, PLAIN),
  fc.record({ kind: fc.constantFrom("busy" as const, "cancelled" as const) }, PLAIN),
);

/** A frame, and how it looks when it is heard. */
const frame: fc.Arbitrary<{ readonly sent: Uint8Array; readonly heard: WorkFrame }> = fc.oneof(
  fc.tuple(job, action, fc.array(bytes, { maxLength: 3 }), fc.boolean()).map(([number, one, contents, compress]) => {
    const along = new Map(contents.flatMap((content, at) => (one.inputs[at] === undefined ? [] : [[one.inputs[at].digest, content]])));
    const sent = encodeWorkAsk(number, one, along, compress) ?? assert.fail("too large");
    const heard = decodeWorkFrame(sent.subarray(LENGTH_BYTES));
    return { sent, heard: { kind: "ask" as const, job: number, action: one, along, bytes: heard.kind === "ask" ? heard.bytes : 0 } };
  }),
  fc.tuple(job, fc.uniqueArray(fc.nat(work.inputs), { minLength: 1, maxLength: 50 })).map(([number, some]) => {
    const inputs = some.toSorted((a, b) => a - b);
    return { sent: encodeWorkWant(number, inputs), heard: { kind: "want" as const, job: number, inputs } };
  }),
  fc.tuple(job, fc.array(piece, { minLength: 1, maxLength: 10 }), fc.boolean()).map(([number, pieces, compress]) => ({
    sent: encodeWorkGive(number, pieces, compress),
    heard: { kind: "give" as const, job: number, pieces },
  })),
  fc.tuple(job, end, fc.boolean()).map(([number, one, compress]) => ({
    sent: encodeWorkEnd(number, one, compress),
    heard: { kind: "end" as const, job: number, end: one },
  })),
  fc.tuple(job, bytes, fc.boolean()).map(([number, body, compress]) => ({
    sent: encodeWorkMore(number, body, compress),
    heard: { kind: "more" as const, job: number, body },
  })),
  fc.tuple(job, fc.boolean()).map(([number, waiting]) => ({
    sent: encodeWorkCancel(number, waiting),
    heard: { kind: "cancel" as const, job: number, waiting },
  })),
  fc.tuple(job, maybe(voucher)).map(([number, one]) => ({
    sent: encodeWorkVoucher(number, one),
    heard: { kind: "voucher" as const, job: number, voucher: one },
  })),
  fc.uniqueArray(job, { maxLength: work.jobsPerMember }).map((numbers) => {
    const waiting = numbers.toSorted((a, b) => a - b);
    return { sent: encodeWorkAlive(waiting), heard: { kind: "alive" as const, waiting } };
  }),
);

/** Bytes compare by content, whatever kind of array they are in. */
function plain(heard: WorkFrame): unknown {
  return JSON.parse(
    JSON.stringify(heard, (_, value: unknown) =>
      value instanceof Map ? [...value] : value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
    ).replaceAll(/\{"type":"Buffer","data":\[([\d,]*)\]\}/g, (_, data: string) =>
      JSON.stringify(Buffer.from(data.split(",").filter(Boolean).map(Number)).toString("hex")),
    ),
  );
}

/** Understands it, or refuses it by the one code that stands for that. */
function hear(some: Uint8Array): WorkFrame | undefined {
  try {
    return decodeWorkFrame(some);
  } catch (error) {
    assert.equal((error as { code?: string }).code, "frame-invalid", String(error));
    return undefined;
  }
}

test("what is said is heard as it was said, compressed or not, with its length in front", () => {
  fc.assert(
    fc.property(frame, ({ sent, heard }) => {
      assert.equal(Buffer.from(sent).readUInt32BE(), sent.length - LENGTH_BYTES);
      assert.deepEqual(plain(decodeWorkFrame(sent.subarray(LENGTH_BYTES))), plain(heard));
    }),
  );
});

test("a frame of which some bytes are others, or gone, or too many is understood or refused, and nothing else happens", () => {
  const change = fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) });
  fc.assert(
    fc.property(frame, fc.array(change, { maxLength: 4 }), fc.nat(), bytes, ({ sent }, changes, cut, more) => {
      const whole = Buffer.from(sent.subarray(LENGTH_BYTES));
      hear(whole.subarray(0, cut % (whole.length + 1)));
      hear(Buffer.concat([whole, more]));
      for (const { at, by } of changes) whole[at % whole.length] = (whole[at % whole.length] ?? 0) ^ by;
      const heard = hear(whole);
      // Whatever was understood is within the bounds of what may be said.
      if (heard?.kind === "ask") assert.ok(heard.action.inputs.length <= work.inputs && heard.bytes <= work.actionBytes);
      if (heard?.kind === "give") assert.ok(heard.pieces.length <= work.piecesAtOnce);
      if (heard?.kind === "more") assert.ok(heard.body.length <= work.pieceBytes || heard.body.length < whole.length);
      if (heard?.kind === "end" && heard.end.kind === "done") assert.ok(heard.end.outputs.length <= limits.action.outputs);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (some) => void hear(some)),
    { numRuns: 500 },
  );
});

test("what is too much is refused: frames, inputs, pieces, and what is small only as long as it is compressed", () => {
  const one = (what: NonNullable<Parameters<typeof encode<typeof WorkFrameSchema>>[1]["what"]>): Uint8Array =>
    encode(WorkFrameSchema, { job: 1, what });
  assert.throws(() => decodeWorkFrame(new Uint8Array(limits.shareFrameBytes + 1)), refused);
  const zeros = (size: number): Uint8Array => zstdCompressSync(Buffer.alloc(size));
  for (const [kind, most] of [
    ["ask", work.actionBytes],
    ["give", 2 * work.pieceBytes],
    ["more", work.pieceBytes],
  ] as const) {
    const bomb = one({ case: kind, value: { zstd: zeros(64 * most) } });
    assert.ok(bomb.length < limits.shareFrameBytes);
    assert.throws(() => decodeWorkFrame(bomb), refused, kind);
    assert.throws(() => decodeWorkFrame(one({ case: kind, value: { plain: randomBytes(8), zstd: zeros(8) } })), refused, kind);
  }
  const input = { path: "a.c", digest: "00".repeat(32) };
  const [some] = fc.sample(action, { numRuns: 1, seed: 1 });
  assert.ok(some !== undefined);
  const heavy = encodeWorkAsk(1, { ...some, inputs: [input] }, new Map([[input.digest, new Uint8Array(work.alongBytes + 1)]]), true);
  assert.throws(() => decodeWorkFrame((heavy ?? assert.fail()).subarray(LENGTH_BYTES)), refused);
  const many = Array.from({ length: work.inputs + 1 }, (_, at) => at);
  assert.throws(() => decodeWorkFrame(one({ case: "want", value: { inputs: many } })), refused);
  for (const inputs of [[], [1, 1], [2, 1]]) assert.throws(() => decodeWorkFrame(one({ case: "want", value: { inputs } })), refused);
  const pieces = Array.from({ length: work.piecesAtOnce + 1 }, () => ({ absent: true as const }));
  assert.throws(() => decodeWorkFrame(encodeWorkGive(1, pieces, false).subarray(LENGTH_BYTES)), refused);
  assert.throws(() => decodeWorkFrame(encodeWorkCancel(0, false).subarray(LENGTH_BYTES)), refused);
});

test("a compile that is too large to travel is not sent", () => {
  const [small] = fc.sample(action, { numRuns: 1, seed: 1 });
  assert.ok(small !== undefined);
  const inputs = Array.from({ length: work.inputs + 1 }, (_, at) => ({ path: `${at}`, digest: "00".repeat(32) }));
  assert.equal(encodeWorkAsk(1, { ...small, inputs }, NONE, true), undefined);
  assert.equal(encodeWorkAsk(1, { ...small, cwd: randomBytes(work.actionBytes).toString("hex") }, NONE, true), undefined);
  assert.equal(encodeWorkAsk(1, { ...small, cwd: randomBytes(limits.shareFrameBytes).toString("hex") }, NONE, false), undefined);
});
