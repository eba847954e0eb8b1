import assert from "node:assert/strict";
import { test } from "node:test";
import { network, sample, signer } from "../../test/compliance/shared-results.ts";
import { digestOf, limits } from "../base/index.ts";
import { attest } from "./attestation.ts";
import { isShareable, type Unsigned } from "./shareable.ts";

const { entry, result, execution } = sample;
const withEntry = (changes: object): Unsigned => ({ ...sample, entry: { ...entry, ...changes } });
const withResult = (changes: object): Unsigned => ({ ...sample, result: { ...result, ...changes } });
const withExecution = (changes: object): Unsigned => ({ ...sample, execution: { ...execution, ...changes } });
const input = (path: string, digest: string = digestOf("")): Unsigned => withEntry({ inputs: [{ path, digest }] });
const output = (changes: object): Unsigned => withResult({ outputs: [{ ...result.outputs[0], ...changes }] });
const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);
const printedBytes = (count: number): string => Buffer.alloc(count).toString("base64");
const longest = "x".repeat(limits.sharedPathBytes);

const table: readonly (readonly [about: string, result: Unsigned, shareable: boolean])[] = [
  ["a result of a compile", sample, true],
  ["nothing read, nothing written", { ...withEntry({ inputs: [], absent: [] }), result: { ...result, outputs: [] } }, true],
  ["most inputs", withEntry({ inputs: many(limits.sharedInputs, entry.inputs[0]) }), true],
  ["one input more", withEntry({ inputs: many(limits.sharedInputs + 1, entry.inputs[0]) }), false],
  ["most absences", withEntry({ absent: many(limits.sharedAbsences, "a") }), true],
  ["one absence more", withEntry({ absent: many(limits.sharedAbsences + 1, "a") }), false],
  ["most outputs", withResult({ outputs: many(limits.sharedOutputs, result.outputs[0]) }), true],
  ["one output more", withResult({ outputs: many(limits.sharedOutputs + 1, result.outputs[0]) }), false],
  ["most that is printed", withResult({ stdout: printedBytes(limits.sharedPrintedBytes) }), true],
  ["one byte more", withResult({ stderr: printedBytes(limits.sharedPrintedBytes + 1) }), false],
  ["base64 that can be written otherwise", withResult({ stdout: "YR==" }), false],
  ["no base64", withResult({ stdout: "§" }), false],
  ["the longest path", input(longest), true],
  ["one byte more", input(`${longest}x`), false],
  ["as many letters, but more bytes", input("ü".repeat(limits.sharedPathBytes)), false],
  ["no path", input(""), false],
  ["a NUL", input("a\0b"), false],
  ["a mark that is none", input("\0X/a"), false],
  ["a mark with more than a path behind it", input("\0Cx"), false],
  ["a mark in the middle", input("/a/\0C/b"), false],
  ["a mark and a NUL", input("\0C/\0"), false],
  ["a mark alone", input("\0C"), true],
  ["half a character", input("\ud800"), false],
  ["a path with a line break", input("/a\nb"), true],
  ["a digest that is none", input("a", "A".repeat(64)), false],
  ["a digest with a line break", input("a", `${digestOf("")}\n`), false],
  ["a short digest", { ...sample, manifest: "ab" }, false],
  ["an action that is no digest", withEntry({ action: "" }), false],
  ["a signer that is no key", withExecution({ signer: "" }), false],
  ["a toolchain that is no digest", withExecution({ toolchain: "gcc" }), false],
  ["a place that is presumed, without a place", withEntry({ place: undefined }), false],
  ["an input called like a mark in words", input("$CWD/a"), true],
  ["an output called so", output({ path: "$CWD/a" }), false],
  ["an output called almost so", output({ path: "$CWDs/a" }), true],
  ["an output of half a byte", output({ size: 0.5 }), false],
  ["an output of less than nothing", output({ size: -1 }), false],
  ["an output larger than blobs", output({ size: limits.blobBytes + 1 }), false],
  ["a role that nobody knows", output({ role: "socket" }), false],
  ["a time that is none", withExecution({ startedAtMs: Number.NaN }), false],
  ["half a millisecond", withExecution({ endedAtMs: execution.endedAtMs + 0.5 }), false],
  ["a year of five digits", withExecution({ endedAtMs: 253_402_300_800_000 }), false],
  ["an end before the start", withExecution({ endedAtMs: execution.startedAtMs - 1 }), false],
  ["a cost that is none", withResult({ compileMs: Number.POSITIVE_INFINITY }), false],
  ["a cost below nothing", withResult({ cpuMs: -1 }), false],
];

for (const [about, unsigned, shareable] of table) {
  test(`${about}: ${shareable ? "travels" : "stays"}`, () => {
    assert.equal(isShareable(unsigned), shareable);
    // The signer's own key takes the place of whatever is named.
    if (unsigned.execution.signer !== "") assert.equal(attest(signer, network, unsigned) !== undefined, shareable);
  });
}
