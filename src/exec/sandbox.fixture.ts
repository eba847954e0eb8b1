/**
 * A process with a job in its sandbox that does not end by itself; a test kills it: `sandbox.fixture.ts DIRECTORY PROGRAM`.
 *
 * @see executors.test.ts
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { digestOf } from "../base/index.ts";
import type { Files } from "../contracts/index.ts";
import { never, runAs, waiting } from "./executors.fixture.ts";
import { SandboxExecutor } from "./sandbox.ts";

const [, , directory = "", program = ""] = argv;
const bytes = readFileSync(program);
const sandbox = new SandboxExecutor(
  // There is no toolchain whose files would be looked at.
  { blobs: { read: () => Promise.resolve({ kind: "hit", bytes }) }, files: {} as Files, log: { event: () => undefined } },
  { directory: join(directory, "sandbox"), path: process.env.PATH ?? "", runAs, filesBytes: 2 ** 30, othersBytes: 2 ** 33 },
);
await sandbox.run(waiting(directory, digestOf(bytes)), never);
