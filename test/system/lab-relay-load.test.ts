/**
 * A relay under load, small and short; `npm run lab -- relay-load` has all of it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkout, run } from "./harness.ts";
import { whyNoNamespaces } from "./lab-namespaces.ts";
import type { RelayLoad } from "./lab-relay-load.ts";

test("tunnels of members that cannot reach each other go through a third, all at once", { timeout: 180_000 }, async (t) => {
  const why = whyNoNamespaces();
  if (why !== undefined) return t.skip(why);
  const lab = [join(checkout, "test/system/lab.ts"), "relay-load", "--json", "--streams", "20", "--minutes", "0.15", "--rate", "100"];
  const ran = await run(process.execPath, lab, { cwd: checkout });
  const { circuits, broken, phases } = JSON.parse(ran.stdout) as RelayLoad;
  assert.deepEqual({ circuits, broken }, { circuits: 1, broken: 0 });
  assert.deepEqual(
    phases.map(({ name, relayedBytesPerSecond, medianMs }) => [name, relayedBytesPerSecond > 0, medianMs > 0]),
    [
      ["unloaded", false, true],
      ["as much as goes", true, true],
      ["bounded", true, true],
    ],
  );
});
