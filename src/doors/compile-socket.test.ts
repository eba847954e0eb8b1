import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as otherWork } from "node:timers/promises";
import { silentLog } from "../base/index.ts";
import type { CompileFlow, Placement, Ready } from "../flows/index.ts";
import { protocolVersion } from "../wire/index.ts";
import { CompileDoor } from "./compile-socket.ts";
import type { HotRecords } from "./hot-records.ts";
import type { RecordsAhead } from "./records-ahead.ts";

/** What a wrapper asks that has no arguments and no environment: docs/protocol/compile-socket.md. */
function question(): Buffer {
  const payload = Buffer.alloc(2 + 2 + 32 + 8 + 4 + 4 * 4);
  payload.writeUInt16LE(protocolVersion);
  const header = Buffer.alloc(5);
  header.writeUInt32LE(payload.length);
  header.writeUInt8(1, 4);
  return Buffer.concat([header, payload]);
}

/** Requests that a record is left of, when so many results are recalled between the finding of an answer and its being told. */
async function leftAfter(t: TestContext, recalledMeanwhile: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "cairn-door-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const placement: Placement = { outputs: [], stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), compileMs: 1 };
  const flow = {
    recalls: 0,
    answer: (): Promise<Ready> => {
      const ready: Ready = {
        kind: "hit",
        placement,
        validity: { inputs: [], absences: [] },
        again: false,
        isChecked: true,
        recalls: flow.recalls,
      };
      flow.recalls += recalledMeanwhile;
      return Promise.resolve(ready);
    },
  };
  let left = 0;
  const records = { answer: () => Buffer.from("record"), leave: () => left++ } as unknown as HotRecords;
  const ahead = {
    question: () => ({ [Symbol.dispose]: () => undefined }),
    failed: () => undefined,
    follow: () => Promise.resolve(),
  } as unknown as RecordsAhead;
  const path = join(directory, "socket");
  const door = await CompileDoor.open({ flow: flow as unknown as CompileFlow, records, ahead, log: silentLog }, path, 4);
  const socket = connect(path);
  const answered = Promise.withResolvers<void>();
  socket.on("close", () => answered.resolve());
  socket.on("data", () => undefined);
  socket.write(question());
  await answered.promise;
  for (let turns = 0; turns < 5; turns++) await otherWork();
  await door[Symbol.asyncDispose]();
  return left;
}

test("a record is left of what was answered", async (t) => {
  assert.equal(await leftAfter(t, 0), 1);
});

test("nothing that lasts is made of an answer when results were recalled before it was told", async (t) => {
  assert.equal(await leftAfter(t, 1), 0);
});
