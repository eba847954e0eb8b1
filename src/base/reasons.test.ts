import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "./errors.ts";
import { reasonOf } from "./reasons.ts";

test("whatever is thrown, a few words tell why", () => {
  const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
  const rows: [error: unknown, reason: string][] = [
    [new Error("connection error 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1"), "connection refused"],
    [new AggregateError([new Error("connect EHOSTUNREACH"), new Error("x")], "All multiaddr dials failed"), "no route"],
    [new Error("dial failed", { cause: named("TimeoutError", "The operation was aborted due to timeout") }), "no answer in time"],
    [AbortSignal.abort().reason, "no answer in time"],
    [named("StreamResetError", "The stream has been reset"), "connection closed"],
    [new Event("close"), "connection closed (close)"],
    [new CairnError("peer-absent", { why: "refuses this machine: revoked" }), "refuses this machine: revoked"],
    [new CairnError("home-unwritable", { path: "/h/cas", system: "ENOSPC" }), "cannot write to /h/cas: the disk is full"],
    [
      new CairnError("home-unwritable", { path: "/h/x" }, Object.assign(new Error(), { code: "EROFS" })),
      "cannot write to /h/x: the file system is read-only",
    ],
    [new Error("does not read"), "does not read"],
    ["text", "text"],
    [named("OddError", ""), "OddError"],
    [new Error("x".repeat(1_000)), "x".repeat(160)],
  ];
  for (const [error, reason] of rows) assert.equal(reasonOf(error), reason);
});
