/**
 * Questions that take the daemon long: it is started if need be, and what it says meanwhile is shown where somebody looks.
 */
import type { Context } from "./context.ts";
import { ensureDaemon, startDeadlineMs } from "./start-daemon.ts";

/** @param shown one line about what the daemon says it has done so far */
export async function follow(
  context: Context,
  path: string,
  body: unknown,
  shown: (progress: unknown) => string,
  signal: AbortSignal,
): Promise<unknown> {
  const { terminal, control } = context;
  await ensureDaemon(context, startDeadlineMs, signal);
  try {
    return await control.follow(path, body, (progress) => terminal.passing(shown(progress)), signal);
  } finally {
    terminal.passing("");
  }
}
