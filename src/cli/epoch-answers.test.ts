import assert from "node:assert/strict";
import { test } from "node:test";
import { revokedLines } from "./epoch-answers.ts";
import type { Paint } from "./terminal.ts";

const same = (text: string): string => text;
const paint: Paint = { good: same, bad: same, careful: same, name: same, dim: same, bold: same };

test("a word that was taken back is told, and whether others want it still", () => {
  const waits = { accepted: ["home"], needed: 2, missing: [{ domain: "third", member: "ci" }] };
  assert.deepEqual(revokedLines({ withdrawn: "b2", waits: null }, paint), ["taken back  this machine does not want b2 put out any more"]);
  assert.match(revokedLines({ withdrawn: "b2", waits }, paint).join("\n"), /taken back .*\nothers do still: cairn members tells/);
});
