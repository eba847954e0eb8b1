import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "../base/index.ts";
import { toldError } from "./control-trees.ts";

test("who asked is told what the system said, too, and nothing of what was not planned for", () => {
  const full = Object.assign(new Error("write"), { code: "ENOSPC" });
  assert.deepEqual(toldError(new CairnError("home-unwritable", { path: "/h/x" }, full)), {
    code: "home-unwritable",
    system: "ENOSPC",
    path: "/h/x",
  });
  assert.deepEqual(toldError(new CairnError("usage", { why: "no" })), { code: "usage", why: "no" });
  assert.deepEqual(toldError(new Error("a secret")), { code: "internal" });
});
