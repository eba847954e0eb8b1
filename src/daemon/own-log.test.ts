import assert from "node:assert/strict";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { limits } from "../base/index.ts";
import { boundLog } from "./own-log.ts";

test("a log that grew too long begins anew, and what was in it is kept once", () => {
  const directory = mkdtempSync(join(tmpdir(), "cairn-log-"));
  const path = join(directory, "daemon.log");
  const other = openSync(join(directory, "other"), "a");
  const log = openSync(path, "a");
  try {
    writeSync(log, "first\n");
    boundLog(path, log);
    assert.equal(readFileSync(path, "utf8"), "first\n");
    for (const name of ["second", "third"]) {
      writeSync(log, Buffer.alloc(limits.logBytes, `${name}\n`));
      writeSync(other, Buffer.alloc(limits.logBytes + 1));
      boundLog(path, other); // Not this file.
      boundLog(path, log);
      assert.equal(statSync(path).size, 0);
      writeSync(log, "after\n");
      assert.equal(readFileSync(path, "utf8"), "after\n");
      assert.ok(readFileSync(`${path}.1`, "utf8").includes(name));
    }
    assert.ok(!readFileSync(`${path}.1`, "utf8").includes("second"));
    assert.ok(!existsSync(`${path}.2`));
  } finally {
    closeSync(log);
    closeSync(other);
    rmSync(directory, { recursive: true });
  }
});
