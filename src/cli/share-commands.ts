/**
 * share: how much of this machine members may use, and when.
 *
 * Knows: the settings behind it, and how to tell a daemon that runs. Does not know: how work is done.
 */
import { CairnError } from "../base/index.ts";
import { readSharedWork, type SharedWork } from "./answers.ts";
import { writeSetting } from "./config-commands.ts";
import { answer, type Context } from "./context.ts";
import { counted, duration, table } from "./format.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

export interface ShareOptions {
  readonly power?: string | undefined;
  readonly when?: string | undefined;
  readonly hours?: string | undefined;
  readonly memberSlots?: string | undefined;
  readonly memberSeconds?: string | undefined;
  readonly memberWhen?: string | undefined;
  readonly json?: true | undefined;
}

const DECLINED: ReadonlyMap<string, string> = new Map([
  ["off", "nothing: cairn share on"],
  ["battery", "nothing now: it runs on its battery"],
  ["hours", "nothing at this hour"],
  ["in-use", "nothing now: its owner has compiled through Cairn in the last 5 minutes"],
  ["just-started", "nothing yet: it has just started, and waits 5 minutes to see whether its owner compiles"],
  ["own-compiles", "nothing now: its owner's compiles take all of it"],
]);

/** Writes what is given, tells the daemon, and shows what holds. */
export async function share(context: Context, amount: string | undefined, options: ShareOptions, signal: AbortSignal): Promise<number> {
  const { control, home, terminal } = context;
  const wanted = [
    ["work.share", amount],
    ["work.power", options.power],
    ["work.when", options.when],
    ["work.hours", options.hours],
    ["work.memberSlots", options.memberSlots],
    ["work.memberSeconds", options.memberSeconds],
    ["work.memberWhen", options.memberWhen],
  ] as const;
  const changes = wanted.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  for (const [name, value] of changes) writeSetting(home.configFile, name, value);
  try {
    const now = changes.length === 0 ? await control.get("/work", {}, signal) : await control.post("/work", {}, signal);
    answer(terminal, options.json, now, () => describe(context, now));
  } catch (error) {
    if (!(error instanceof CairnError) || error.code !== "daemon-absent" || changes.length === 0) throw error;
    answer(terminal, options.json, Object.fromEntries(changes), () => changes.map(([name, value]) => `${name} = ${value}`));
  }
  return exitCodes.ok;
}

function describe({ terminal: { paint } }: Context, now: unknown): string[] {
  const work = readSharedWork(now);
  const { slots, running } = work;
  const rows = [
    ["shared", describeDeclined(work, paint) ?? describeAmount(work)],
    ["to do", work.advice],
    ["when", describeTimes(work)],
    ["each", describeBounds(work)],
    ...describeGeneral(work),
    ["now", `${counted(running, "compile")} for others; ${counted(Math.max(0, slots - running), "more", "more")} could run`],
    ["done", `${counted(work.done, "compile")} since the start, ${duration(work.cpuMs)} of processors' time`],
  ];
  return table(rows.filter(([, text]) => text !== "").map(([name = "", text = ""]) => [paint.dim(name), text]));
}

/** For `status`: what holds of what is shared, a line each, and before that why nothing is shared now. */
export function shareLines(work: SharedWork, paint: Paint): string[] {
  if (work.hours === "") return []; // A daemon that does not say.
  const declined = describeDeclined(work, paint);
  const amount = work.percent === 0 || work.lack !== "" ? undefined : describeAmount(work);
  const todo = work.advice === "" ? undefined : `to do: ${work.advice}`;
  const general = describeGeneral(work).map(([name, text]) => `${name}: ${text}`);
  return [declined, todo, amount, describeTimes(work), describeBounds(work), ...general].filter((line) => line !== undefined);
}

/** Why nothing is done for others now; undefined where something is. */
function describeDeclined({ declined, lack }: SharedWork, paint: Paint): string | undefined {
  return declined === "lack"
    ? paint.bad(`nothing, for lack of a sandbox: ${lack}; it still uses what others make`)
    : DECLINED.get(declined);
}

/** What this machine cannot do for others; undefined where it can, and where no daemon tells in time. Finding out takes a moment the first time. */
export async function lackOf({ control }: Context, signal: AbortSignal): Promise<Lack | undefined> {
  try {
    const { lack, advice } = readSharedWork(await control.get("/work", {}, signal));
    return lack === "" ? undefined : { lack, advice };
  } catch (error) {
    if (error instanceof CairnError) return undefined;
    throw error;
  }
}

export interface Lack {
  readonly lack: string;
  readonly advice: string;
}

/** For whoever has just started this machine, or let it join: one line, where there is something to say. */
export function lackLines(found: Lack | undefined, paint: Paint): string[] {
  if (found === undefined) return [];
  const { lack, advice } = found;
  const todo = advice === "" ? "" : `; to do: ${advice}`;
  return [`${paint.bad("declines")}  it does nothing for other machines, and still uses what they make: no sandbox, ${lack}${todo}`];
}

function describeAmount({ percent, most }: SharedWork): string {
  return `${percent}% of this machine: ${counted(most, "compile")} at once where its owner builds nothing`;
}

function describeTimes({ power, when, hours }: SharedWork): string {
  return [
    power === "mains" ? "on mains power" : "on its battery, too",
    when === "idle" ? "while its owner does not build" : "beside its owner's builds",
    hours === "all" ? "at any hour" : `from ${hours.replace("-", " to ")} o'clock`,
  ].join(", ");
}

/** What is done for others beside compiles. */
function describeGeneral({ commands, actionsAs }: SharedWork): (readonly [name: string, text: string])[] {
  const rows: (readonly [name: string, text: string])[] = [];
  if (commands) rows.push(["commands", "any that machines of yours run by cairn exec, where they have the same installed"]);
  if (actionsAs !== "") rows.push(["actions", `any program of build tools, for machines of yours that are called ${actionsAs}, too`]);
  return rows;
}

/** What one member may have of it. */
function describeBounds({ member: { percent, secondsPerMinute: seconds, when } }: SharedWork): string {
  const bounds = [
    ...(percent < 100 ? [`${percent}% of it at once`] : []),
    ...(seconds > 0 ? [`${counted(seconds, "second")} of compiles a minute`] : []),
  ];
  if (bounds.length === 0) return "members take turns, and have all that nobody else wants";
  const beyond = seconds > 0 && when !== "always" ? ", and more compiles while nobody else waits" : "";
  return `a member has ${bounds.join(" and ")} at most${beyond}`;
}
