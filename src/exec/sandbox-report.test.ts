import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../base/index.ts";
import { readReport, reportOverhead, ShownRecords } from "./sandbox-report.ts";

function record(tag: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(tag, 0);
  head.writeUInt32LE(body.length, 1);
  return Buffer.concat([head, body]);
}

function status(waitStatus: number, verdict: number, room = 0): Buffer {
  const body = Buffer.alloc(36);
  body.writeUInt32LE(waitStatus, 0);
  body.writeUInt32LE(verdict, 4);
  body.writeBigUInt64LE(2_500n, 8);
  body.writeBigUInt64LE(1_500n, 16);
  body.writeBigUInt64LE(4_096n, 24);
  body.writeUInt32LE(room, 32);
  return record(1, body);
}

const end = record(5, Buffer.alloc(0));
const printed = [record(2, Buffer.from("out")), record(3, Buffer.from("err"))];
const file = record(4, Buffer.from([0, 1, 7, 8, 9]));
const strange = record(4, Buffer.from([2, 0]));
const whole = Buffer.concat([status(256, 0), ...printed, file, strange, end]);

test("a report is read as it was written", () => {
  assert.deepEqual(readReport(whole, ["a", "b"]), {
    waitStatus: 256,
    tooManyFiles: false,
    room: "left",
    wallMs: 2.5,
    cpuMs: 1.5,
    residentBytes: 4_096,
    stdout: Buffer.from("out"),
    stderr: Buffer.from("err"),
    outputs: [{ name: "a", executable: true, content: Buffer.from([7, 8, 9]) }],
    strange: ["b"],
    left: [],
    tooLarge: false,
  });
});

const wrong: readonly [what: string, bytes: Buffer, names: readonly string[]][] = [
  ["nothing", Buffer.alloc(0), []],
  ["fewer outputs than declared", whole, ["a", "b", "c"]],
  ["more outputs than declared", whole, ["a"]],
  ["no end", Buffer.concat([status(0, 0), ...printed]), []],
  ["a status of another size", Buffer.concat([record(1, Buffer.alloc(35)), ...printed, end]), []],
  ["room of an unknown kind", Buffer.concat([status(0, 0, 3), ...printed, end]), []],
  ["outputs although it made too many files", Buffer.concat([status(0, 1), ...printed, file, end]), ["a"]],
  ["an output in an unknown state", Buffer.concat([status(0, 0), ...printed, record(4, Buffer.from([9, 0])), end]), ["a"]],
  ["an output without a state", Buffer.concat([status(0, 0), ...printed, record(4, Buffer.alloc(0)), end]), ["a"]],
  ["something after the end", Buffer.concat([whole, end]), ["a", "b"]],
];

for (const [what, bytes, names] of wrong) test(`${what} is no report`, () => assert.equal(readReport(bytes, names), undefined));

test("every report that is cut off is noticed, and no bytes are more than they are", () => {
  for (let length = 0; length < whole.length; length++) assert.equal(readReport(whole.subarray(0, length), ["a", "b"]), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), (bytes, count) => {
      readReport(
        Buffer.from(bytes),
        Array.from({ length: count }, (_, at) => String(at)),
      );
    }),
  );
});

test("what is shown comes before the report, however it is cut, and no more of it than was said", () => {
  const told = [record(7, Buffer.from("one")), record(8, Buffer.from("bad")), record(7, Buffer.from("two"))];
  const all = Buffer.concat([...told, whole]);
  for (let cut = 0; cut <= all.length; cut++) {
    const shown: string[] = [];
    const records = new ShownRecords((stream, bytes) => shown.push(`${stream} ${bytes.toString()}`), 9);
    const rest = Buffer.concat([records.take(all.subarray(0, cut)), records.take(all.subarray(cut))]);
    assert.deepEqual(shown, ["stdout one", "stderr bad", "stdout two"]);
    assert.deepEqual(rest, whole);
  }
  const shown: string[] = [];
  const records = new ShownRecords((_, bytes) => shown.push(bytes.toString()), 8);
  assert.equal(readReport(records.take(all), ["a", "b"]), undefined);
  assert.deepEqual(shown, ["one", "bad"]);
  assert.deepEqual(new ShownRecords(() => assert.fail(), 9).take(record(7, Buffer.alloc(0))), record(7, Buffer.alloc(0)));
});

test("the largest action that may be asked for has room", () => {
  const { most, outputs } = limits.action;
  assert.ok(most.outputBytes + 2 * most.printedBytes + reportOverhead(outputs) <= limits.sandbox.reportsBytes);
});
