/**
 * Members that do not keep to docs/protocol/exchange.md: each is let go of, and what it was asked for comes from another one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, limits } from "../base/index.ts";
import type { FrameChannel } from "../contracts/index.ts";
import type { BlobPiece, ShareFrame } from "../wire/index.ts";
import { codec, until } from "./network.fixture.ts";
import { ALONE, type Liar, liar, nodes, noise, resultOf, type Sharer, sharer } from "./share.fixture.ts";
import { prefixBytes, prefixOf } from "./share-prefixes.ts";

const LONG = { timeout: 60_000 };
const BLOB = noise(7, 300_000);
const RESULT = resultOf("r");
const PIECE = limits.sharePieceBytes;

interface Lie {
  readonly about: string;
  readonly heard?: (frame: ShareFrame, channel: FrameChannel) => void;
  readonly begun?: (channel: FrameChannel) => void;
  /** Why the victim ends the channel; undefined when it does not. */
  readonly why: string | undefined;
}

/** Answers a question about blobs. */
function blobs(channel: FrameChannel, frame: ShareFrame, pieces: readonly BlobPiece[], complete = false): void {
  if (frame.kind === "want-blobs") channel.send(codec.encodeBlobs(frame.question, pieces, complete));
}

function piece(offset: number, bytes: Uint8Array): BlobPiece {
  return { index: 0, absent: false, offset, bytes };
}

function framed(bytes: Uint8Array): Uint8Array {
  const length = Buffer.alloc(codec.SHARE_LENGTH_BYTES);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

const shared = codec.encodeSharedResult(RESULT);
const summary = (sequence: number): Uint8Array => {
  return codec.encodeSummary({ kind: "summary", sequence, added: new Uint8Array(0), removed: new Uint8Array(0) });
};
const question = { kind: "want-blobs", blobs: [{ digest: digestOf(BLOB), size: BLOB.length, from: 0 }] } as const;

const LIES: readonly Lie[] = [
  {
    about: "wrong bytes",
    heard: (frame, channel) => {
      const wrong = Buffer.from(BLOB);
      wrong[77] = (wrong[77] ?? 0) ^ 1;
      for (let at = 0; at < wrong.length; at += PIECE) blobs(channel, frame, [piece(at, wrong.subarray(at, at + PIECE))]);
    },
    why: "frame-invalid: blob",
  },
  {
    about: "pieces that overlap",
    heard: (frame, channel) => {
      for (const at of [0, 100]) blobs(channel, frame, [piece(at, BLOB.subarray(at, at + PIECE))]);
    },
    why: "frame-invalid: piece",
  },
  {
    about: "pieces that are too small",
    heard: (frame, channel) => blobs(channel, frame, [piece(0, BLOB.subarray(0, 9))]),
    why: "frame-invalid: piece",
  },
  {
    about: "a piece beyond the end",
    heard: (frame, channel) => blobs(channel, frame, [piece(0, noise(1, 400_000))]),
    why: "frame-invalid: piece",
  },
  { about: "no piece at all", heard: (frame, channel) => blobs(channel, frame, []), why: "frame-invalid: answer" },
  { about: "an end before the end", heard: (frame, channel) => blobs(channel, frame, [], true), why: "frame-invalid: not complete" },
  {
    about: "a blob that was not asked for",
    heard: (frame, channel) => blobs(channel, frame, [{ index: 1, absent: true }]),
    why: "frame-invalid: index",
  },
  { about: "absent", heard: (frame, channel) => blobs(channel, frame, [{ index: 0, absent: true }], true), why: undefined },
  { about: "silence", why: undefined },
  {
    about: "results without end",
    heard: (frame, channel) => {
      for (let i = 0; i < 9 && frame.kind === "want-results"; i++) channel.send(codec.encodeResults(frame.question, 0, [shared], false));
    },
    why: "frame-invalid: result",
  },
  {
    about: "empty answers without end",
    heard: (frame, channel) => void (frame.kind === "want-results" && channel.send(codec.encodeResults(frame.question, 0, [], false))),
    why: "frame-invalid: nothing",
  },
  {
    about: "another request's results",
    heard: (frame, channel) => {
      const other = codec.encodeSharedResult(resultOf("other"));
      if (frame.kind === "want-results") channel.send(codec.encodeResults(frame.question, 0, [other], false));
    },
    why: "frame-invalid: result",
  },
  {
    about: "blobs along that nobody wanted",
    heard: (frame, channel) => {
      const besides = { along: [new Uint8Array(9)], following: [] };
      if (frame.kind === "want-results") channel.send(codec.encodeResults(frame.question, 1, [shared], true, besides));
    },
    why: "frame-invalid: too much",
  },
  {
    about: "an answer to nothing",
    begun: (channel) => void channel.send(codec.encodeBlobs(9, [], true)),
    why: "frame-invalid: answer to nothing",
  },
  { about: "noise", begun: (channel) => void channel.send(framed(noise(3, 500))), why: "frame-invalid: ShareFrame" },
  {
    about: "a frame that is too large",
    begun: (channel) => void channel.send(framed(new Uint8Array(limits.shareFrameBytes + 1))),
    why: "frame-invalid",
  },
  {
    about: "too many questions",
    begun: (channel) => {
      // All at once: none of them can have been answered when the last one comes.
      for (let number = 1; number < 100; number++) channel.send(codec.encodeQuestion(number, question));
    },
    why: "frame-invalid: questions",
  },
  {
    about: "one number twice",
    begun: (channel) => void [1, 1].map((number) => channel.send(codec.encodeQuestion(number, question))),
    why: "frame-invalid: number",
  },
  {
    about: "cancels without end",
    begun: (channel) => void channel.send(codec.encodeQuestion(1, { kind: "cancel" })),
    why: "frame-invalid: cancels",
  },
  {
    about: "summaries without end",
    begun: (channel) => {
      for (let sequence = 0; sequence < 100; sequence++) channel.send(summary(sequence));
    },
    why: "frame-invalid: summaries",
  },
  {
    about: "a summary with a gap",
    begun: (channel) => void [0, 2].map((sequence) => channel.send(summary(sequence))),
    why: "frame-invalid: sequence",
  },
];

function isSharing(victim: Sharer, key: string): boolean {
  return victim.share.facts().some((facts) => facts.key === key);
}

function ends(victim: Sharer, key: string): unknown[] {
  return victim.node.events.filter(({ name, facts }) => name === "share.cut-off" && facts.peer === key).map(({ facts }) => facts.why);
}

for (const { about, heard = () => undefined, begun, why } of LIES) {
  test(`a member that lies: ${about}`, LONG, async (t) => {
    const [first, second, third] = await nodes(t, 3);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const victim = await sharer(t, first);
    const honest = await sharer(t, second);
    honest.shelf.hold(BLOB);
    honest.shelf.put(RESULT);
    victim.shelf.hold(BLOB);
    const lying: Liar = await liar(t, third, victim.key, heard, begun);
    await until(t, () => isSharing(victim, honest.key));
    await until(t, () => (begun === undefined ? isSharing(victim, lying.key) : lying.channels.length > 0));
    if (begun === undefined) {
      const results = await Promise.all([lying.key, honest.key].map((key) => victim.share.results(key, RESULT.manifest, ALONE, t.signal)));
      assert.equal(results[1]?.shared.length, 1);
    }
    const got: Digest[] = [];
    const take = async (digest: Digest, bytes: Uint8Array): Promise<void> => void (digestOf(bytes) === digest && got.push(digest));
    const missing = await victim.share.blobs([lying.key, honest.key], [{ digest: digestOf(BLOB), size: BLOB.length }], take, t.signal);
    assert.deepEqual([missing, got], [[], [digestOf(BLOB)]]);
    if (why === undefined) return assert.deepEqual(ends(victim, lying.key), []);
    await until(t, () => ends(victim, lying.key).length > 0 && lying.ends.length > 0);
    assert.match(String(ends(victim, lying.key)[0]), new RegExp(why));
    await until(t, () => victim.share.whoHas(RESULT.manifest)[0] === honest.key);
    return assert.ok(victim.share.facts().every(({ key }) => key !== lying.key));
  });
}

const PROMISED = Array.from({ length: 40 }, (_, i) => resultOf(`promised ${i}`));
const PROMISES = codec.encodeSummary({
  kind: "summary",
  sequence: 0,
  added: prefixBytes(new BigUint64Array(PROMISED.map(({ manifest }) => prefixOf(manifest))).toSorted()),
  removed: new Uint8Array(0),
});

for (const [about, given] of [
  ["nothing", []],
  ["results without their blobs", PROMISED],
] as const)
  test(`who often has not what its summary says is left alone for a while, and nobody else is: ${about}`, LONG, async (t) => {
    const [first, second, third] = await nodes(t, 3);
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    const [victim, honest] = [await sharer(t, first), await sharer(t, second)];
    honest.shelf.put(...PROMISED);
    const asked: string[] = [];
    const answer = (frame: ShareFrame, channel: FrameChannel): void => {
      if (frame.kind === "want-blobs") return blobs(channel, frame, [{ index: 0, absent: true }], true);
      if (frame.kind !== "want-results") return;
      asked.push(...frame.manifests);
      const results = given.filter(({ manifest }) => frame.manifests.includes(manifest)).map((one) => codec.encodeSharedResult(one));
      channel.send(codec.encodeResults(frame.question, frame.manifests.length, results, true));
    };
    const lying = await liar(t, third, victim.key, answer, (channel) => void channel.send(PROMISES));
    await until(t, () => PROMISED.every(({ manifest }) => victim.share.whoHas(manifest).length === 2));
    for (const { manifest, result } of PROMISED) {
      for (const key of victim.share.whoHas(manifest)) {
        const got = await victim.share.results(key, manifest, ALONE, t.signal);
        if (key === lying.key && got.shared.length > 0) await victim.share.blobs([key], result.outputs, async () => undefined, t.signal);
      }
    }
    assert.ok(asked.length >= 17 && asked.length < 30, `it was asked ${asked.length} times`);
    for (const { manifest } of PROMISED) assert.deepEqual(victim.share.whoHas(manifest), [honest.key]);
    assert.equal(victim.node.events.filter(({ name, facts }) => name === "share.left-alone" && facts.peer === lying.key).length, 1);
    const alone = victim.share.facts().filter(({ leftAloneMs }) => leftAloneMs > 0);
    assert.deepEqual(
      alone.map(({ key }) => key),
      [lying.key],
    );
    assert.deepEqual(ends(victim, lying.key), [], "it has kept to the rules");
  });

test("a link that dies in the middle: the rest comes from the next member, from where it was", LONG, async (t) => {
  const [first, second, third] = await nodes(t, 3);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const victim = await sharer(t, first);
  const honest = await sharer(t, second);
  const large = honest.shelf.hold(noise(9, 10 * PIECE));
  const bytes = honest.shelf.blobs.get(large.digest) ?? Buffer.alloc(0);
  const dying = await liar(t, third, victim.key, (frame, channel) => {
    for (let at = 0; at < 5 * PIECE; at += PIECE) blobs(channel, frame, [piece(at, bytes.subarray(at, at + PIECE))]);
  });
  await until(t, () => victim.share.facts().length === 2 && dying.channels.length > 0);
  const got: Digest[] = [];
  const take = async (digest: Digest): Promise<void> => void got.push(digest);
  const fetching = victim.share.blobs([dying.key, honest.key], [large], take, t.signal);
  await until(t, () => victim.share.facts().some(({ key, bytesIn }) => key === dying.key && bytesIn > 5 * PIECE));
  await third.network[Symbol.asyncDispose]();
  assert.deepEqual([await fetching, got], [[], [large.digest]]);
  const sent = honest.share.facts().find(({ key }) => key === victim.key)?.bytesOut ?? 0;
  assert.ok(sent < 6 * PIECE, `${sent} bytes`);
});

test("bytes of a liar in front of honest ones: the blob is asked for once more", LONG, async (t) => {
  const [first, second, third] = await nodes(t, 3);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const victim = await sharer(t, first);
  const honest = await sharer(t, second);
  const large = honest.shelf.hold(noise(9, 4 * PIECE));
  const lying = await liar(t, third, victim.key, (frame, channel) => {
    blobs(channel, frame, [piece(0, noise(1, PIECE))]);
    if (frame.kind === "want-blobs") channel.end("gone");
  });
  await until(t, () => victim.share.facts().length === 2 && lying.channels.length > 0);
  const got: Digest[] = [];
  const take = async (digest: Digest, bytes: Uint8Array): Promise<void> => void got.push(digest, digestOf(bytes));
  assert.deepEqual(await victim.share.blobs([lying.key, honest.key], [large], take, t.signal), []);
  assert.deepEqual(got, [large.digest, large.digest]);
  assert.deepEqual(ends(victim, honest.key), []);
});

test("who gives up gets no more, and the channel goes on", LONG, async (t) => {
  const [first, second] = await nodes(t, 2);
  assert.ok(first !== undefined && second !== undefined);
  const [a, b] = [await sharer(t, first), await sharer(t, second)];
  await until(t, () => b.share.facts().length === 1 && a.share.facts().length === 1);
  const large = a.shelf.hold(noise(9, 40 * PIECE));
  const enough = new AbortController();
  const fetching = b.share.blobs([a.key], [large], async () => undefined, enough.signal);
  await until(t, () => (b.share.facts()[0]?.bytesIn ?? 0) > PIECE);
  enough.abort(new Error("enough"));
  await assert.rejects(fetching, /enough/);
  a.shelf.put(RESULT);
  assert.equal((await b.share.results(a.key, RESULT.manifest, ALONE, t.signal)).shared.length, 1);
  assert.ok((b.share.facts()[0]?.bytesIn ?? 0) < 40 * PIECE);
  const failing = b.share.blobs([a.key], [large], () => Promise.reject(new Error("no space")), t.signal);
  await assert.rejects(failing, /no space/);
});
