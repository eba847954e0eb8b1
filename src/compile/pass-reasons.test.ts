/** docs/compile-cache.md lists every reason, with the same sentence, and no other. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { passReasons } from "./pass-reasons.ts";

test("the documented reasons and the real ones are the same", () => {
  const text = readFileSync(new URL("../../docs/compile-cache.md", import.meta.url), "utf8");
  const table = text.slice(text.indexOf("## Names of what is not cached"));
  const documented = [...table.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)].map((match) => [match[1], match[2]] as const);
  assert.deepEqual(new Map(documented), new Map(Object.entries(passReasons)));
});
