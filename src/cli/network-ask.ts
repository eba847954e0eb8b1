/**
 * Questions about the network, which lives in the daemon: there must be one.
 */
import { CairnError, type ErrorCode } from "../base/index.ts";
import type { Context } from "./context.ts";
import { ensureDaemon, startDeadlineMs } from "./start-daemon.ts";
import { stopDaemon } from "./stop-daemon.ts";

/** Loading the network's libraries, and opening or closing connections. */
const CHANGE_DEADLINE_MS = 30_000;

export interface Json {
  readonly json?: true | undefined;
}

export async function askNetwork(
  context: Context,
  path: string,
  body: unknown,
  signal: AbortSignal,
  deadlineMs: number = CHANGE_DEADLINE_MS,
): Promise<unknown> {
  return withDaemon(context, () => context.control.post(path, body, signal, deadlineMs), signal);
}

export async function lookNetwork(
  context: Context,
  path: string,
  signal: AbortSignal,
  query: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  return withDaemon(context, () => context.control.get(path, query, signal), signal);
}

/** Troubles after which this machine is in no network, as before: nothing has begun that a daemon would go on with. */
const NOTHING_BEGAN: readonly ErrorCode[] = ["network-absent", "network-refused", "invitation-invalid", "peer-unreachable", "usage"];

/** A daemon that was started for this question alone ends again when nothing comes of it. */
async function withDaemon<T>(context: Context, ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const { kind, status } = await ensureDaemon(context, startDeadlineMs, signal);
  try {
    return await ask();
  } catch (error) {
    const isOver = error instanceof CairnError && NOTHING_BEGAN.includes(error.code);
    if (kind === "started" && isOver) await stopDaemon(context.control, status, signal).catch(() => undefined);
    throw error;
  }
}
