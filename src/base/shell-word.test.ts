import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { shellWord } from "./shell-word.ts";

test("quoting survives a shell", () => {
  for (const text of ["/plain/path", "a b", "it's", '"$HOME"', "", "`x`", "\\"]) {
    assert.equal(execFileSync("/bin/sh", ["-c", `printf %s ${shellWord(text)}`], { encoding: "utf8" }), text);
  }
});
