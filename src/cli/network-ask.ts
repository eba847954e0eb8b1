/**
 * Questions about the network, which lives in the daemon: there must be one.
 */
import type { Context } from "./context.ts";
import { ensureDaemon, startDeadlineMs } from "./start-daemon.ts";

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
  await ensureDaemon(context, startDeadlineMs, signal);
  return context.control.post(path, body, signal, deadlineMs);
}

export async function lookNetwork(context: Context, path: string, signal: AbortSignal): Promise<unknown> {
  await ensureDaemon(context, startDeadlineMs, signal);
  return context.control.get(path, {}, signal);
}
