/** What a daemon has left for wrappers. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { age, type TestNode } from "./harness.ts";

/** Records of a node, however many daemons have left them. */
export function records(node: TestNode): number {
  const files = readdirSync(join(node.home, "run/hot"), { recursive: true, withFileTypes: true });
  return files.filter((file) => file.isFile() && !file.name.endsWith(".new")).length;
}

/** Those for every checkout are made when nobody builds. */
export async function untilLeft(node: TestNode, wanted: number): Promise<void> {
  for (let tries = 0; records(node) < wanted && tries < 5_000; tries++) await age();
  assert.ok(records(node) >= wanted, `${records(node)} records, not ${wanted}`);
}
