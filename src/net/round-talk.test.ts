/**
 * Rounds over real streams: in which order things are said, and what becomes of who says something else.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { attestedBy, executed, trustWorld } from "../../test/compliance/trust-world.ts";
import { limits } from "../base/index.ts";
import type { Commitment, Opening, RoundFrame, RoundQuestion } from "../contracts/index.ts";
import { framesOf } from "./frames.ts";
import { codec, founded, join, type Node, start, until } from "./network.fixture.ts";
import { type RoundPart, RoundTalk } from "./round-talk.ts";

const { state, signers } = trustWorld([1], 4_600);
const attestation = attestedBy(state.network, signers[0]?.[0] ?? assert.fail("nobody"), executed("work", "x"));
const DIGEST = "ab".repeat(32);
const QUESTION: RoundQuestion = { round: DIGEST, manifest: DIGEST, action: DIGEST };
const COMMITMENT: Commitment = { digest: DIGEST, signature: new Uint8Array(64).fill(1) };
const OPENING: Opening = { nonce: DIGEST, attestation, signature: new Uint8Array(64).fill(2) };
const ROUND = "/cairn/round/1";
const OPEN = new AbortController().signal;

/** Takes part in every round, and knows how often it began and ended. */
function partner(): { readonly takePart: () => RoundPart; begun: number; ended: number } {
  const one = {
    begun: 0,
    ended: 0,
    takePart: (): RoundPart => {
      one.begun++;
      return {
        found: Promise.resolve({ commitment: COMMITMENT, opening: OPENING }),
        revealed: () => Promise.resolve(),
        [Symbol.dispose]: () => void one.ended++,
      };
    },
  };
  return one;
}

async function two(t: TestContext): Promise<[Node, Node]> {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  await until(t, () => a.network.connected(b.members.self));
  return [a, b];
}

const log = { event: () => undefined };

test("what was promised is told when it is asked for, and not before", { timeout: 60_000 }, async (t) => {
  const [a, b] = await two(t);
  const other = partner();
  await RoundTalk.start({ network: b.network, codec, log, now: () => 0, takePart: other.takePart });
  const talk = await RoundTalk.start({ network: a.network, codec, log, now: () => 0, takePart: () => assert.fail("nobody asks it") });
  const revealing = Promise.withResolvers<void>();
  const promised: Commitment[] = [];
  const asked = talk.ask(b.members.self, QUESTION, {
    committed: (commitment) => promised.push(commitment) > 0,
    closed: OPEN,
    revealing: revealing.promise,
  });
  await until(t, () => promised.length === 1);
  assert.equal(other.ended, 0); // It withholds what it has found.
  revealing.resolve();
  const answer = await asked;
  assert.ok(answer.kind === "opening");
  assert.deepEqual([Buffer.from(promised[0]?.signature ?? []), answer.nonce], [Buffer.from(COMMITMENT.signature), DIGEST]);
  await until(t, () => other.ended === 1);

  // A commitment that does not count: nothing is told, and it is over for both.
  assert.equal(
    (await talk.ask(b.members.self, QUESTION, { committed: () => false, closed: OPEN, revealing: revealing.promise })).kind,
    "out",
  );
  await until(t, () => other.ended === 2);
  assert.equal(
    (await talk.ask("cd".repeat(32), QUESTION, { committed: () => true, closed: OPEN, revealing: revealing.promise })).kind,
    "out",
  );
});

test("who has promised nothing is waited for no longer than until the round is closed", { timeout: 60_000 }, async (t) => {
  const [a, b] = await two(t);
  let ended = 0;
  const slow: RoundPart = { found: new Promise(() => undefined), revealed: () => Promise.resolve(), [Symbol.dispose]: () => void ended++ };
  let begun = 0;
  const takePart = (): RoundPart => {
    begun++;
    return slow;
  };
  await RoundTalk.start({ network: b.network, codec, log, now: () => 0, takePart });
  const talk = await RoundTalk.start({ network: a.network, codec, log, now: () => 0, takePart: () => assert.fail("nobody asks it") });
  const closing = new AbortController();
  const asked = talk.ask(b.members.self, QUESTION, { committed: () => true, closed: closing.signal, revealing: Promise.resolve() });
  await until(t, () => begun === 1);
  closing.abort();
  assert.equal((await asked).kind, "out");
  await until(t, () => ended === 1); // Nor does who executes keep the place of a round that is over.
});

test("whoever says something else is out, on either side", { timeout: 60_000 }, async (t) => {
  const [a, b] = await two(t);
  const other = partner();
  await RoundTalk.start({ network: b.network, codec, log, now: () => 0, takePart: other.takePart });
  // Who asks: no question first; then no word after the commitment.
  const says = async (...said: readonly RoundFrame[]): Promise<RoundFrame | undefined> => {
    const frames = framesOf((await a.network.open(b.members.self, ROUND, 5_000)).stream, limits.trust.round.frameBytes);
    for (const frame of said) await frames.write(codec.encodeRoundFrame(frame), 5_000);
    const first = await frames.read(5_000).catch(() => undefined);
    frames.abort("enough");
    return first && codec.decodeRoundFrame(first);
  };
  assert.equal(await says({ kind: "reveal" }), undefined);
  assert.equal((await says({ kind: "ask", ...QUESTION }))?.kind, "commitment");
  await until(t, () => other.ended === 1);
  assert.equal(other.begun, 1);
  // Who is asked: is silent, tells at once, or promises and does not tell.
  let answers: readonly RoundFrame[] = [];
  await a.network.serve(ROUND, 4, ({ stream }) => {
    const frames = framesOf(stream, limits.trust.round.frameBytes);
    void frames.read(5_000).then(async () => {
      for (const frame of answers) await frames.write(codec.encodeRoundFrame(frame), 5_000);
      await frames.close(5_000);
    });
  });
  const network = { open: b.network.open.bind(b.network), serve: () => Promise.resolve() };
  const asking = await RoundTalk.start({ network, codec, log, now: () => 0, takePart: () => assert.fail("nobody asks it") });
  for (const said of [[], [{ kind: "opening", ...OPENING }], [{ kind: "commitment", ...COMMITMENT }]] as const) {
    answers = said;
    const asked = asking.ask(a.members.self, QUESTION, { committed: () => true, closed: OPEN, revealing: Promise.resolve() });
    assert.equal((await asked).kind, "out");
  }
});

test("a member's questions are answered so often in a minute, and no more", { timeout: 60_000 }, async (t) => {
  const [a, b] = await two(t);
  let asked = 0;
  const takePart = (): RoundFrame & { readonly kind: "declined" } => {
    asked++;
    return { kind: "declined", why: "unable", attestation: undefined };
  };
  await RoundTalk.start({ network: b.network, codec, log, now: () => 0, takePart });
  const talk = await RoundTalk.start({ network: a.network, codec, log, now: () => 0, takePart });
  const asker = { committed: () => true, closed: OPEN, revealing: Promise.resolve() };
  while ((await talk.ask(b.members.self, QUESTION, asker)).kind === "declined");
  assert.equal(asked, limits.trust.round.questions.perPlace);
});
