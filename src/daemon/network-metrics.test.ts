import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusals } from "../base/index.ts";
import { NetworkMetrics } from "./network-metrics.ts";

test("events are counted by name and reason, refusals even when they are not written, and all goes on to the log", () => {
  const written: string[] = [];
  const metrics = new NetworkMetrics({ event: (_level, name) => void written.push(name) });
  metrics.event("info", "peer.dial-failed", { why: "timeout" });
  metrics.event("info", "peer.dial-failed", { why: "timeout" });
  metrics.event("debug", "stream.opened", { protocol: "/cairn/data/1" });
  for (const bytesIn of [10, 20]) metrics.event("info", "peer.disconnected", { why: "closed by peer", bytesIn, bytesOut: 1 });
  const refusals = new Refusals({ log: metrics, now: () => 0 }, "gate.refused");
  for (let i = 0; i < 5; i++) refusals.add("stranger", "127.0.0.1");
  assert.equal(written.filter((name) => name === "gate.refused").length, 1);
  assert.deepEqual(metrics.counts, {
    events: { "peer.dial-failed": 2, "stream.opened": 1, "peer.disconnected": 2, "gate.refused": 5 },
    reasons: {
      "peer.dial-failed": { timeout: 2 },
      "stream.opened": { "/cairn/data/1": 1 },
      "peer.disconnected": { "closed by peer": 2 },
      "gate.refused": { stranger: 5 },
    },
    bytesIn: 30,
    bytesOut: 2,
  });
});

test("reasons that others make up do not fill the memory", () => {
  const metrics = new NetworkMetrics({ event: () => undefined });
  for (let i = 0; i < 10_000; i++) metrics.event("info", "join.host-failed", { why: `${i} ${"x".repeat(1_000)}` });
  const reasons = metrics.counts.reasons["join.host-failed"] ?? {};
  assert.ok(JSON.stringify(reasons).length < 10_000);
  assert.equal(
    Object.values(reasons).reduce((sum, count) => sum + count, 0),
    10_000,
  );
});
