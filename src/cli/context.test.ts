import assert from "node:assert/strict";
import { test } from "node:test";
import { withWholeHome } from "./context.ts";

test("a relative CAIRN_HOME is one place, wherever daemon and compilers run", () => {
  assert.deepEqual(withWholeHome({ CAIRN_HOME: "cache", PATH: "/bin" }, "/p"), { CAIRN_HOME: "/p/cache", PATH: "/bin" });
  assert.deepEqual(withWholeHome({ CAIRN_HOME: "/h" }, "/p"), { CAIRN_HOME: "/h" });
  for (const none of [{}, { CAIRN_HOME: "" }]) assert.deepEqual(withWholeHome(none, "/p"), none);
});
