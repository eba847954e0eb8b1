/**
 * A corner of the NAT matrix, with real daemons; all of it is a command (lab.ts).
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkout, run } from "./harness.ts";
import { whyNoNamespaces } from "./lab-namespaces.ts";
import type { Pair } from "./lab-nat-matrix.ts";

test("behind NATs members find each other: directly where both can be met, else through a third", { timeout: 120_000 }, async (t) => {
  const why = whyNoNamespaces();
  if (why !== undefined) return t.skip(why);
  const kinds = ["--kind", "port-restricted", "--kind", "symmetric", "--patience", "60"];
  const ran = await run(process.execPath, [join(checkout, "test/system/lab.ts"), "nat-matrix", "--json", ...kinds], { cwd: checkout });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  const { pairs } = JSON.parse(ran.stdout) as { pairs: Pair[] };
  assert.deepEqual(
    pairs.map(({ a, b, how }) => `${a} ${b} ${how}`),
    [
      "port-restricted port-restricted direct",
      "port-restricted symmetric relayed",
      "symmetric port-restricted relayed",
      "symmetric symmetric relayed",
    ],
  );
});

test("a router that is asked by NAT-PMP lets members in whom nothing else could", { timeout: 120_000 }, async (t) => {
  const why = whyNoNamespaces();
  if (why !== undefined) return t.skip(why);
  const ran = await run(process.execPath, [join(checkout, "test/system/lab.ts"), "nat-pmp", "--json"], { cwd: checkout });
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  const { mapped, how } = JSON.parse(ran.stdout) as { mapped: string[]; how: string };
  assert.match(mapped.join(), /\/ip4\/20\.0\.0\.10\/tcp\/\d+/);
  assert.equal(how, "direct");
});
