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
import { SandboxExecutor } from "./sandbox.ts";

const [, , directory = "", program = ""] = argv;
const bytes = readFileSync(program);
const runAs = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;
const sandbox = new SandboxExecutor(
  // There is no toolchain whose files would be looked at.
  { blobs: { read: () => Promise.resolve({ kind: "hit", bytes }) }, files: {} as Files, log: { event: () => undefined } },
  { directory: join(directory, "sandbox"), path: process.env.PATH ?? "", runAs, filesBytes: 2 ** 30 },
);
await sandbox.run(
  {
    program: "/project/waits",
    arguments: [directory],
    environment: new Map(),
    cwd: "/project",
    toolchain: undefined,
    inputs: [{ path: "/project/waits", digest: digestOf(bytes), executable: true }],
    directories: [],
    outputs: [],
    limits: {
      cpuMs: 60_000,
      wallMs: 60_000,
      memoryBytes: 2 ** 30,
      processes: 8,
      fileBytes: 4_096,
      outputBytes: 4_096,
      printedBytes: 4_096,
    },
  },
  new AbortController().signal,
);
