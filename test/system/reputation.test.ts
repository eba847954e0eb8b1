/**
 * What machines think of each other, among real daemons: it follows from what they did, people can see it, and it outlives the daemon.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { age, type TestNode } from "./harness.ts";
import { ask, cairn, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, UNITS, untilOffered } from "./sharing-world.ts";

interface Told {
  readonly name: string;
  readonly reputation: {
    readonly forFetch: number;
    readonly forWork: number;
    readonly discredited: boolean;
    readonly seen: { readonly fetch: number; readonly hits: number; readonly accuracy: number };
  };
}

const ALL = UNITS.length;

async function reputationOf(node: TestNode, name: string): Promise<Told["reputation"]> {
  const { peers } = (await ask(node, "peers", "--reputation")) as unknown as { readonly peers: readonly Told[] };
  return peers.find((peer) => peer.name === name)?.reputation ?? assert.fail(`${name} is no peer`);
}

test("a reputation follows from what a member gave and from whether it was right, and is kept", PATIENT, async (t) => {
  const [home, user, careful] = await Promise.all([
    machine(t, "reputation-home", { CAIRN_SHARING_COPIES: "0" }),
    machine(t, "reputation-user", { CAIRN_SHARING_COPIES: "0", CAIRN_LOG_LEVEL: "debug" }),
    machine(t, "reputation-careful", { CAIRN_SHARING_COPIES: "0", CAIRN_SHARING_POLICY: "self", CAIRN_LOG_LEVEL: "debug" }),
  ]);
  await ask(home, "init", "--machine", "home");
  await ask(user, "join", await invitation(home), "--machine", "user");
  await ask(careful, "join", await invitation(home), "--machine", "careful");
  await untilConnected(t, user, "home", "careful");
  await untilConnected(t, careful, "home", "user");
  const before = await reputationOf(user, "home");
  assert.deepEqual([before.forWork, before.seen.hits, before.seen.accuracy], [1, 0, 1], "who is unknown has a good name");

  await age();
  await build(home, checkoutOf(home, "work"));
  await untilOffered(t, user, "home", ALL);
  assert.deepEqual(await build(user, checkoutOf(user, "work")), { hit_peer: ALL });
  const after = await reputationOf(user, "home");
  assert.ok(after.seen.hits > ALL - 0.1 && after.seen.hits <= ALL, `${after.seen.hits} hits`);
  assert.ok(after.forFetch > before.forFetch, `${after.forFetch} after ${before.forFetch}`);
  assert.equal((await reputationOf(user, "careful")).seen.hits, 0);
  const people = await cairn(user, "peers", "--reputation");
  assert.match(people.stdout, /home .*100 % +100 % +100 %/);
  const hits = (): number => user.events("reputation.observed").filter(({ about }) => about === "hit").length;
  await until(t, () => Promise.resolve(hits() >= ALL));
  assert.equal(hits(), ALL);

  // It believes nobody, and so finds out for itself who was right.
  await until(t, async () => {
    const status = (await careful.control("GET", "/status")).network as { readonly attestations: number };
    return status.attestations >= ALL;
  });
  assert.deepEqual(await build(careful, checkoutOf(careful, "work")), { miss: ALL, stored: ALL });
  await until(
    t,
    async () => careful.events("reputation.observed").filter(({ about, isSame }) => about === "checked" && isSame === true).length === ALL,
  );

  await user.stopDaemon();
  await user.startDaemon();
  await untilConnected(t, user, "home", "careful");
  const later = await reputationOf(user, "home");
  assert.ok(later.seen.hits > ALL - 0.1 && later.seen.hits <= ALL, `${later.seen.hits} hits after a restart`);
});
