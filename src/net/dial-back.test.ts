import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import type { ReachFrame } from "../wire/index.ts";
import { PROBE } from "./dial-back.ts";
import { framesOf } from "./frames.ts";
import { codec, founded, join, type Node, start } from "./network.fixture.ts";

const OPTIONS = { timeout: 60_000 };

/** What a member answers to a probe. */
async function probe(from: Node, to: Node, addresses: readonly string[], dataPort = 0): Promise<ReachFrame> {
  const { stream } = await from.network.open(to.members.self, PROBE, 5_000);
  const frames = framesOf(stream, limits.pathFrameBytes);
  const nonce = randomBytes(16).toString("hex");
  await frames.write(codec.encodeReachFrame({ kind: "probe", nonce, addresses, dataPort }), 5_000);
  const answer = codec.decodeReachFrame((await frames.read(20_000)) ?? Buffer.alloc(0));
  await frames.close(5_000);
  return answer;
}

test("a number that nobody waits for makes no address reachable", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const own = b.network.addresses[0] ?? "";
  assert.deepEqual(await probe(b, a, [own]), { kind: "probed", reached: [], data: false });
  assert.deepEqual(a.events.findLast(({ name }) => name === "probe.failed")?.facts.address, own, "it was dialled");
});

test("the data plane's port is tried where the member is, and addresses of somewhere else are not dialled at all", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  const own = b.network.addresses[0] ?? "";
  const port = Number(/\/tcp\/(\d+)/.exec(own)?.[1]);
  assert.deepEqual(await probe(b, a, [own], port), { kind: "probed", reached: [], data: true });
  const elsewhere = ["/ip4/169.254.1.1/tcp/1", "/dns4/example.com/tcp/1", "/ip4/127.0.0.1/udp/1", "nonsense"];
  const before = a.events.filter(({ name }) => name === "probe.failed").length;
  assert.deepEqual(await probe(b, a, elsewhere, port), { kind: "probed", reached: [], data: false });
  assert.equal(a.events.filter(({ name }) => name === "probe.failed").length, before);
});

test("a member may ask so often, and not for more at once", OPTIONS, async (t) => {
  const a = await start(t, 1, founded(1));
  const b = await join(t, 2, a);
  for (let i = 0; i < limits.probesPerMember; i++) assert.equal((await probe(b, a, [])).kind, "probed");
  assert.deepEqual(await probe(b, a, []), { kind: "refused", reason: "too-often" });
  await assert.rejects(
    probe(
      b,
      a,
      Array.from({ length: limits.probedAddresses + 1 }, () => "/ip4/127.0.0.1/tcp/1"),
    ),
  );
});
