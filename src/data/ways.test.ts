import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import type { Carrier } from "./carriers.ts";
import { Ways } from "./ways.ts";

const carriers: Carrier[] = (["tls", "libp2p"] as const).map((path) => ({ path, connect: () => Promise.reject(new Error("not here")) }));
const [A, B] = ["aa", "bb"];

test("what failed comes last for a while, for longer each time, until the member moves", () => {
  let now = 0;
  const ways = new Ways({ carriers, now: () => now });
  const order = (key: string): string =>
    ways
      .to(key)
      .map(({ path }) => path)
      .join(" ");
  assert.equal(order(A), "tls libp2p");
  ways.failed(A, "tls");
  assert.deepEqual([order(A), order(B)], ["libp2p tls", "tls libp2p"]);
  now += limits.dataAvoidFirstMs;
  assert.equal(order(A), "tls libp2p");
  ways.failed(A, "tls");
  now += limits.dataAvoidFirstMs;
  assert.equal(order(A), "libp2p tls");
  now += limits.dataAvoidFirstMs;
  assert.equal(order(A), "tls libp2p");
  for (let i = 0; i < 20; i++) ways.failed(A, "tls");
  now += limits.dataAvoidMostMs;
  assert.equal(order(A), "tls libp2p");
  ways.failed(A, "tls");
  ways.forget(A);
  assert.equal(order(A), "tls libp2p");
});

test("what has worked is waited for; what is new has a head start", () => {
  const ways = new Ways({ carriers, now: () => 0 });
  assert.equal(ways.headStartMs(A, "tls"), limits.dataHeadStartMs);
  ways.worked(A, "tls");
  assert.equal(ways.headStartMs(A, "tls"), limits.dataOpenDeadlineMs);
  ways.failed(A, "tls");
  assert.equal(ways.headStartMs(A, "tls"), limits.dataHeadStartMs);
});
