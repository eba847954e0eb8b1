/** What a daemon has left for wrappers. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { TestNode } from "./harness.ts";
import { until } from "./network-world.ts";

/** Records of a node, however many daemons have left them. */
export function records(node: TestNode): number {
  const files = readdirSync(join(node.home, "run/hot"), { recursive: true, withFileTypes: true });
  return files.filter((file) => file.isFile() && !file.name.endsWith(".new")).length;
}

/** Those for every checkout are made when nobody builds: on a busy machine that takes as long as the test has. */
export async function untilLeft(t: TestContext, node: TestNode, wanted: number): Promise<void> {
  await until(t, async () => records(node) >= wanted).catch(() => assert.fail(`${records(node)} records, not ${wanted}`));
}
