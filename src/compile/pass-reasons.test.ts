import assert from "node:assert/strict";
import { test } from "node:test";
import { passReasons } from "./pass-reasons.ts";

test("every reason has a counter's name and one sentence", () => {
  for (const [name, sentence] of Object.entries(passReasons)) {
    assert.match(name, /^[a-z]+(_[a-z0-9]+)*$/);
    assert.match(sentence, /^[A-Z].*\.$/);
  }
});
