/**
 * Every benchmark runs, tiny: that it works and checks what it builds, not how fast anything is.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { chooseQuic } from "../src/net/quic-choice.ts";
import { withoutBazel } from "../test/system/bazel-world.ts";
import { whyNoNamespaces } from "../test/system/lab-namespaces.ts";
import { absent } from "./absent.ts";
import { artifact } from "./artifact.ts";
import { bazel } from "./bazel.ts";
import { checkout } from "./checkout.ts";
import { cold } from "./cold.ts";
import { findProgram } from "./contenders.ts";
import { daemon } from "./daemon.ts";
import { dataPlane } from "./data-plane.ts";
import { doors } from "./doors.ts";
import { elsewhere } from "./elsewhere.ts";
import { exchange } from "./exchange.ts";
import { gossip } from "./gossip.ts";
import { memory } from "./memory.ts";
import { network } from "./network.ts";
import { remote } from "./remote.ts";
import { sandbox } from "./sandbox.ts";
import type { Settings } from "./settings.ts";
import { signing } from "./signing.ts";
import { paired, ratios, spread } from "./statistics.ts";
import { swarm } from "./swarm.ts";
import { format, type Report, row, verdict } from "./table.ts";
import { transports } from "./transports.ts";
import { warm } from "./warm.ts";
import { workers } from "./workers.ts";

const tiny: Settings = {
  rounds: 1,
  projects: ["sample"],
  jobs: [2],
  warmUnits: 4,
  coldUnits: 2,
  manifests: 20,
  questions: 20,
  runs: 10,
  members: 3,
  messages: 10,
  links: 2,
  machines: 2,
  objects: 12,
  actions: 6,
  practised: false,
  calmMs: 1,
  rttMs: 0,
  artifactBytes: 4_194_304,
  uplinkBytesPerSecond: 8_388_608,
  strangerSeconds: 1,
  dataBytes: 1_048_576,
  progress: () => undefined,
};
const withoutQuic = (await chooseQuic([["/ip4/127.0.0.1/udp/0/quic-v1"]])).trouble ?? false;
const withoutIcecc =
  (findProgram("icecc") === undefined && "icecc is not installed") ||
  (process.getuid?.() !== 0 && "icecc's daemons want root") ||
  (whyNoNamespaces() ?? false);
const withoutNinja = findProgram("ninja") === undefined && "ninja is not installed";

function check(report: Report, ...whats: RegExp[]): void {
  for (const what of whats)
    assert.ok(
      report.rows.some((one) => what.test(one.what)),
      `${what} in:\n${format(report)}`,
    );
  for (const { what, median } of report.rows) assert.ok(Number.isFinite(median), what);
}

test("warm builds are measured and equal the compiler's", { skip: withoutNinja }, async () => {
  check(await warm(tiny), /wrapper above the floor, CPU a unit$/, /cairn, wall/);
});

test("cold builds are measured and equal the compiler's", { skip: withoutNinja }, async () => {
  check(await cold(tiny), /CPU \/ none/, /CPU with start-up/);
});

test("signing is measured, and what is built equals the compiler's", { skip: withoutNinja }, async () => {
  check(await signing(tiny), /CPU with signing and sharing/);
});

test("a second checkout is measured and equals the compiler's", { skip: withoutNinja }, async () => {
  check(await checkout(tiny), /first build there, CPU \/ own warm/);
});

test("the daemon's hits are measured", async () =>
  check(await daemon(tiny), /^C: hits a second/, /^C\+\+: CPU a hit/, /first answered status/));

test("units that another machine compiles are measured, and equal the compiler's", { skip: withoutNinja }, async (t) => {
  const report = await elsewhere(tiny);
  if (report.rows.length === 0) return t.skip(report.notes.join("; "));
  check(report, /a member above the compiler alone/);
});

test("… and against icecc, in a network of their own", { skip: withoutNinja || withoutIcecc }, async (t) => {
  const main = join(import.meta.dirname, "main.ts");
  const options = ["elsewhere", "--project", "sample", "--units", "1", "--rounds", "1", "--json"];
  const { stdout } = spawn(process.execPath, [main, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const [report] = (JSON.parse(await text(stdout)) as { reports: Report[] }).reports;
  assert.ok(report !== undefined);
  if (report.rows.length === 0) return t.skip(report.notes.join("; "));
  check(report, /icecc above the compiler alone/);
});

test("machines that compile for one more are measured", { skip: withoutNinja }, async (t) => {
  const report = await workers(tiny);
  if (report.rows.length === 0) return t.skip(report.notes.join("; "));
  check(report, /2 are so many times as fast as one/);
});

test("the sandbox is measured, and its objects are the compiler's", { skip: withoutNinja }, async (t) => {
  const report = await sandbox(tiny);
  const [why] = report.notes.filter((note) => note.startsWith("no sandbox"));
  if (why !== undefined) return t.skip(why);
  check(report, /above the plain command/);
});

test("delays without a daemon are measured", async () => check(await absent(tiny), /never there/, /killed/, /hung/));

test("gossip is measured, and reaches all", async () => check(await gossip(tiny), /p99/, /killed/));

test("the network's cost is measured", async () => check(await network(tiny), /listening for members/, /with 2 links$/, /strangers/));

test("memory is measured", async () => check(await memory(tiny), /idle/, /at 20 manifests/));

test("the data plane is measured", async () =>
  check(await dataPlane(tiny), /data plane \/ raw TLS/, /data plane \/ libp2p Noise/, /requests: data plane on one stream/));
test("links over QUIC are measured", { skip: withoutQuic }, async () =>
  check(await transports(tiny), /one stream: QUIC \/ TCP$/, /heap/, /strangers whose packets/),
);

test("objects from a peer are measured, and arrive", async () => check(await exchange(tiny), /wall \/ HTTP/));

test("a second machine is measured against ccache with nginx, and equals the compiler's", { skip: withoutNinja }, async (t) => {
  const report = await remote(tiny);
  if (report.rows.length === 0) return t.skip(report.notes.join("; "));
  check(report, /wall \/ ccache with nginx/);
  assert.ok(
    report.notes.some((note) => note.endsWith("0 with Cairn, 0 with ccache")),
    format(report),
  );
});

test("a large artifact is measured, and arrives", async () => check(await swarm(tiny), /in chunks \/ HTTP/));

test("the doors for build tools are measured, and give what was brought", async () =>
  check(await doors(tiny), /^gRPC: up/, /while 2 clients stream/));

test("memory while one artifact comes and goes by each door is measured", async () =>
  check(
    await artifact(tiny),
    ...["HTTP", "gRPC", "Redis", "ccache's socket"].map((door) => new RegExp(`^${door}: memory while one artifact`)),
  ));

test("a project that Bazel builds is measured, and comes from the cache", { skip: withoutBazel }, async () => {
  const { rows } = await bazel(tiny);
  const hits = rows.filter(({ what }) => what.startsWith("hits of actions, hot"));
  assert.deepEqual(
    hits.map(({ median }) => median),
    [100, 100],
  );
});

test("medians, quartiles and ratios", () => {
  assert.deepEqual(spread([4, 1, 3, 2, 5]), { median: 3, p25: 2, p75: 4 });
  assert.deepEqual(spread([1, 2]), { median: 1.5, p25: 1.25, p75: 1.75 });
  assert.throws(() => spread([]), RangeError);
  assert.deepEqual(ratios([2, 9], [1, 3]), [2, 3]);
  assert.deepEqual(
    paired([5, 7], [1, 2], (l, r) => l - r),
    [4, 5],
  );
});

test("a figure is judged by its bar", () => {
  const judge = (median: number, lower?: boolean): string =>
    verdict(
      row(
        "",
        "x",
        { median, p25: median, p75: median },
        { must: lower === true ? 5 : 2, aim: lower === true ? 10 : 1, ...(lower === true ? { lower } : {}) },
      ),
    );
  assert.deepEqual([judge(1), judge(2), judge(2.1)], ["meets the aim", "good enough", "MISSES"]);
  assert.deepEqual([judge(10, true), judge(5, true), judge(4, true)], ["meets the aim", "good enough", "MISSES"]);
});
