/**
 * Members that give what is not theirs to give, among real daemons: they are let go of, and the compiler runs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { age } from "./harness.ts";
import { lastManifest, POISON, pretender, takenFrom } from "./liar-world.ts";
import { ask, invitation, machine, PATIENT, until, untilConnected } from "./network-world.ts";
import { build, checkoutOf, UNITS, untilOffered } from "./sharing-world.ts";

test("who offers a result under somebody's name that this one has not signed is cut off", PATIENT, async (t) => {
  const env = { CAIRN_SHARING_COPIES: "0", CAIRN_SHARING_POLICY: "speculative" };
  const [home, user] = await Promise.all([machine(t, "givers-home", env), machine(t, "givers-user", env)]);
  await ask(home, "init", "--domain", "home", "--machine", "home");
  await ask(user, "join", await invitation(home), "--machine", "user");
  await untilConnected(t, user, "home");
  await age();
  await build(home, checkoutOf(home, "work"));
  await untilOffered(t, user, "home", UNITS.length);

  const liar = await pretender(t, home, "evil", 77, 1);
  const { shared, blobs } = await takenFrom(liar, home, await lastManifest(home));
  const outputs = shared.result.outputs.map((one) => (one.role === "object" ? { ...one, ...liar.shelf.hold(POISON) } : one));
  for (const bytes of blobs.values()) liar.shelf.hold(bytes);
  liar.shelf.put({ ...shared, result: { ...shared.result, outputs } });
  await untilOffered(t, user, "evil", 1);
  await home.stopDaemon();
  await until(t, async () => user.events("share.closed").length > 0);

  const last = UNITS.slice(-1);
  assert.deepEqual(await build(user, checkoutOf(user, "work"), last), { miss: 1, stored: 1 });
  const cutOff = user.events("share.cut-off").map(({ why }) => why);
  assert.deepEqual(cutOff, ["frame-invalid: signature"]);
});
