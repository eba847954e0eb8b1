/**
 * `npm run bench -- BENCHMARK`: how fast is Cairn, against whom, on this machine? See docs/benchmarks.md.
 *
 * Knows: the command line. Does not know: how anything is measured.
 */
import { bundle } from "../scripts/bundle.ts";
import { CommandLine } from "../scripts/command-line.ts";
import { isInside, runInside, whyNoNamespaces } from "../test/system/lab-namespaces.ts";
import { absent } from "./absent.ts";
import { artifact } from "./artifact.ts";
import { batches } from "./batches.ts";
import { bazel } from "./bazel.ts";
import { checkout } from "./checkout.ts";
import { cold } from "./cold.ts";
import { daemon } from "./daemon.ts";
import { dataPlane } from "./data-plane.ts";
import { doors } from "./doors.ts";
import { elsewhere } from "./elsewhere.ts";
import { exchange } from "./exchange.ts";
import { gossip } from "./gossip.ts";
import { judging } from "./judging.ts";
import { memory } from "./memory.ts";
import { network } from "./network.ts";
import { type ProjectName, projectNames } from "./projects.ts";
import { remote } from "./remote.ts";
import { reproduced } from "./reproduced.ts";
import { sandbox } from "./sandbox.ts";
import type { Settings } from "./settings.ts";
import { sharing } from "./sharing.ts";
import { signing } from "./signing.ts";
import { swarm } from "./swarm.ts";
import { format, machineFacts, type Report, verdict } from "./table.ts";
import { transports } from "./transports.ts";
import { warm } from "./warm.ts";
import { workers } from "./workers.ts";

const BENCHMARKS: Readonly<Record<string, (settings: Settings) => Promise<Report>>> = {
  warm,
  cold,
  checkout,
  daemon,
  absent,
  memory,
  gossip,
  network,
  "data-plane": dataPlane,
  transports,
  exchange,
  sharing,
  remote,
  signing,
  swarm,
  sandbox,
  elsewhere,
  workers,
  batches,
  doors,
  artifact,
  bazel,
  reproduced,
  judging,
};

/** Those that have a machine at the other end of a cable. */
const FAR = ["remote", "elsewhere", "batches"];

const HELP = `usage: npm run bench -- BENCHMARK [options]

  warm       everything is in the cache: against ccache, sccache, and a launcher that does nothing
  cold       the cache is empty: against the compiler alone
  checkout   the first build at another path
  daemon     hits a second, CPU a hit, start
  absent     the wrapper's delay where no daemon answers
  memory     the daemon's resident memory
  gossip     from one of 20 members to all, and until a killed one is missed
  network    the daemon's start with a network, its memory with 100 links, strangers
  data-plane the data plane on loopback: against raw TLS, against streams of libp2p
  transports links over QUIC, on loopback: against TCP; strangers over QUIC
  exchange   300 objects from a peer, against HTTP
  sharing    an empty cache beside a member that has built the same
  remote     the same against ccache with nginx as its remote storage
  signing    what signing and sharing cost a cold build
  swarm      a large artifact from one to eight, against HTTP, with limited uplinks
  sandbox    a compile in the sandbox, above the same command without
  elsewhere  a unit that another machine compiles, against distcc and icecc
  workers    eight machines with an eighth of a core each, against one of them
  batches    small units that a machine far away compiles, in a row
  doors      100 MiB through gRPC against nginx, and memory while 64 clients stream
  artifact   memory while one large artifact comes and goes by each door
  bazel      a project that real Bazel builds through the gRPC door: hits of its actions
  reproduced objects of which machines of two domains make the same, verified by their summaries
  judging    a certificate of three domains, checked by a reader
  all        one after the other

  --project NAME   ${projectNames.join(", ")}; may be repeated   [lua, mbedtls, abseil]
  --jobs N         ninja's -j in warm; may be repeated   [1, 2, 8]
  --rounds N       interleaved rounds   [7]
  --units N        units of a project   [24 in cold, checkout and sandbox, all in warm and remote]
  --practised      cold, sharing, remote: with daemons that have built something else before
  --rtt MS         of the way to the other machine in remote, elsewhere and batches, in namespaces of its own   [0: loopback]
  --artifact MIB   size of the artifact in swarm and artifact   [256]
  --actions N      of the project in bazel, about   [600]
  --uplink MIB     a second, of each machine in swarm   [16]
  --quick          3 rounds, lua and leveldb, -j2, 2,000 manifests, 8 members and 100 messages, 32 MiB
  --json           machine, rows and verdicts as JSON

Exits with 1 when a figure misses what it must reach.
`;

const MIB = 1_048_576;
const CALM_MS = 180_000;

function isProject(name: string): name is ProjectName {
  return (projectNames as readonly string[]).includes(name);
}

const line = new CommandLine("bench", HELP);
const positive = (option: string, text: string): number => line.whole(option, text, 1);
const { values, positionals } = line.read({
  allowPositionals: true,
  options: {
    project: { type: "string", multiple: true },
    jobs: { type: "string", multiple: true },
    rounds: { type: "string" },
    units: { type: "string" },
    practised: { type: "boolean", default: false },
    rtt: { type: "string", default: "0" },
    artifact: { type: "string" },
    actions: { type: "string" },
    uplink: { type: "string", default: "16" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const name = positionals.join(" ");
const names = name === "all" ? Object.keys(BENCHMARKS) : [name];
if (names.some((one) => BENCHMARKS[one] === undefined)) line.fail(name === "" ? "which benchmark?" : `there is no benchmark ${name}`);

const rttMs = line.whole("rtt", values.rtt, 0);
if (rttMs > 0 && !FAR.includes(name)) line.fail(`--rtt belongs to ${FAR.join(", ")}`);

const projects = values.project ?? (values.quick ? ["lua", "leveldb"] : ["lua", "mbedtls", "abseil"]);
const settings: Settings = {
  rounds: positive("rounds", values.rounds ?? (values.quick ? "3" : "7")),
  projects: projects.map((project) => (isProject(project) ? project : line.fail(`there is no project ${project}`))),
  jobs: (values.jobs ?? (values.quick ? ["2"] : ["1", "2", "8"])).map((jobs) => positive("jobs", jobs)),
  warmUnits: values.units === undefined ? Number.POSITIVE_INFINITY : positive("units", values.units),
  coldUnits: positive("units", values.units ?? (values.quick ? "8" : "24")),
  manifests: values.quick ? 2_000 : 20_000,
  questions: values.quick ? 200 : 1_000,
  runs: values.quick ? 100 : 500,
  members: values.quick ? 8 : 20,
  messages: values.quick ? 100 : 1_000,
  links: values.quick ? 20 : 100,
  machines: 8,
  objects: 300,
  actions: positive("actions", values.actions ?? (values.quick ? "60" : "600")),
  practised: values.practised,
  rttMs,
  calmMs: CALM_MS,
  strangerSeconds: values.quick ? 5 : 60,
  dataBytes: values.quick ? 67_108_864 : 268_435_456,
  artifactBytes: MIB * positive("artifact", values.artifact ?? (values.quick ? "32" : "256")),
  uplinkBytesPerSecond: MIB * positive("uplink", values.uplink),
  progress: (text) => process.stderr.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`),
};

await bundle(); // What users run is measured, and not sources that were edited since.
// icecc, with which elsewhere compares, must not be heard by a real network.
if ((rttMs > 0 || name === "elsewhere") && !isInside()) {
  const why = whyNoNamespaces();
  if (why === undefined) process.exit(await runInside(import.meta.filename, process.argv.slice(2)));
  if (rttMs > 0) line.fail(why);
}
const machine = machineFacts();
const reports: Report[] = [];
for (const one of names) {
  const report = await BENCHMARKS[one]?.(settings);
  if (report === undefined) continue;
  reports.push(report);
  if (!values.json) process.stdout.write(`${format(report)}\n`);
}
if (values.json) {
  const judged = reports.map((report) => ({ ...report, rows: report.rows.map((row) => ({ ...row, verdict: verdict(row) })) }));
  process.stdout.write(`${JSON.stringify({ machine, settings: { ...settings, progress: undefined }, reports: judged }, null, 2)}\n`);
} else {
  for (const [fact, value] of Object.entries(machine)) process.stdout.write(`${fact}: ${value}\n`);
}
process.exitCode = reports.some((report) => report.rows.some((row) => verdict(row) === "MISSES")) ? 1 : 0;
