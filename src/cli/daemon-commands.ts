/**
 * up, down, status: the daemon as a process.
 */
import { CairnError } from "../base/index.ts";
import { readStatus, type Status } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { waitingLine } from "./epoch-answers.ts";
import { bytes, count, counted, duration, foldedTable, share } from "./format.ts";
import { isolationText } from "./network-answers.ts";
import { installService } from "./service.ts";
import { lackLines, lackOf, shareLines } from "./share-commands.ts";
import { askStatus, daemonEntry, daemonEnvironment, daemonFlags, ensureDaemon, startDeadlineMs } from "./start-daemon.ts";
import { stopDaemon } from "./stop-daemon.ts";
import { exitCodes } from "./troubles.ts";

export interface UpOptions {
  readonly foreground?: true | undefined;
  readonly installService?: true | undefined;
  readonly json?: true | undefined;
}

export async function up(context: Context, options: UpOptions, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  if (options.installService === true) {
    const service = installService(context);
    answer(terminal, options.json, service, () => [
      `Wrote ${service.unit}`,
      "",
      "Start it now and at every login:",
      ...service.commands.map((command) => `  ${terminal.paint.name(command)}`),
    ]);
    return exitCodes.ok;
  }
  if (options.foreground === true) {
    const running = await askStatus(context.control, signal);
    if (running !== undefined) throw new CairnError("daemon-running", { pid: running.pid });
    return becomeDaemon(context);
  }

  const { kind, status } = await ensureDaemon(context, startDeadlineMs, signal);
  const { pid, version, socket } = status;
  const lack = await lackOf(context, signal);
  answer(terminal, options.json, { started: kind === "started", pid, version, socket, declines: lack ?? null }, () => [
    `${terminal.paint.good(kind === "started" ? "started" : "already running")}  process ${pid}, version ${version}`,
    ...(version === context.version ? [] : [`this command is version ${context.version}; to change over: cairn down; cairn up`]),
    ...lackLines(lack, terminal.paint),
  ]);
  return exitCodes.ok;
}

/** Replaces this process, so that a supervisor watches the daemon itself. Returns only where that is not possible. */
function becomeDaemon(context: Context): number {
  if (process.execve === undefined) throw new CairnError("usage", { why: "--foreground is not possible on this system" });
  process.execve(process.execPath, [process.execPath, ...daemonFlags, daemonEntry(context.root)], daemonEnvironment(context.env));
  return exitCodes.failed;
}

export async function down(context: Context, options: { readonly json?: true | undefined }, signal: AbortSignal): Promise<number> {
  const { control, terminal } = context;
  const status = await askStatus(control, signal);
  if (status === undefined) {
    answer(terminal, options.json, { stopped: false }, () => ["no daemon is running"]);
    return exitCodes.ok;
  }
  await stopDaemon(control, status, signal);
  answer(terminal, options.json, { stopped: true, pid: status.pid }, () => [
    `${terminal.paint.good("stopped")}  process ${status.pid}, which had run for ${duration(status.uptimeMs)}`,
  ]);
  return exitCodes.ok;
}

export async function status(context: Context, options: { readonly json?: true | undefined }, signal: AbortSignal): Promise<number> {
  const raw = await context.control.get("/status", {}, signal);
  answer(context.terminal, options.json, raw, () => describe(context, readStatus(raw)));
  return exitCodes.ok;
}

function describe({ terminal: { paint, width }, version }: Context, now: Status): string[] {
  const other = now.version === version ? "" : paint.careful(`  (this command is ${version})`);
  const { store, hot, network, work } = now;
  const index = Object.entries(now.index).map(([name, value]) =>
    name.toLowerCase().endsWith("bytes") ? bytes(value) : `${count(value)} ${name}`,
  );
  const rows = [
    ["daemon", `${paint.good("running")}, process ${now.pid}, version ${now.version}${other}`],
    ["", `up ${duration(now.uptimeMs)}, ${bytes(now.rssBytes)} of memory, ${counted(now.running, "compile")} under way`],
    [
      "store",
      `${bytes(store.bytes)} of ${bytes(store.capacityBytes)}, ${share(store.bytes, store.capacityBytes)}; ${counted(store.blobs, "blob")}`,
    ],
    ...(index.length === 0 ? [] : [["index", index.join(", ")]]),
    ["hot", `${counted(hot.records, "record")}, ${bytes(hot.bytes)}`],
    ...(network === undefined
      ? []
      : [["network", `${network.name}: ${counted(network.members, "member")}, ${count(network.connected)} connected`]]),
    ...(network === undefined ? [] : [["", `knows of ${counted(network.attestations, "result")} that members have attested`]]),
    ...(network?.waiting ?? []).map((one) => ["", waitingLine(one, paint)]),
    ...(network === undefined || network.isolation === "" ? [] : [["", paint.bad(isolationText(network.isolation))]]),
    ...(network === undefined
      ? []
      : [
          ["for others", `${counted(work.running, "compile")} under way of ${count(work.slots)} at once, ${count(work.done)} done`],
          ...shareLines(work, paint).map((line) => ["", line]),
        ]),
    ["home", now.home],
    ["socket", now.socket],
  ];
  return foldedTable(
    rows.map(([name = "", ...rest]) => [paint.dim(name), ...rest]),
    width,
  );
}
