/**
 * Stops a daemon and waits until its process has ended.
 */
import { readFileSync } from "node:fs";
import { kill } from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { CairnError, systemCode } from "../base/index.ts";
import type { Status } from "./answers.ts";
import type { Control } from "./control.ts";

const STOP_DEADLINE_MS = 20_000;
const POLL_MS = 20;

/** @throws {CairnError} daemon-failed when it does not end, daemon-absent when it does not answer */
export async function stopDaemon(
  control: Pick<Control, "post">,
  { pid, home }: Pick<Status, "pid" | "home">,
  signal: AbortSignal,
): Promise<void> {
  await control.post("/stop", {}, signal);
  const deadline = AbortSignal.timeout(STOP_DEADLINE_MS);
  while (isAlive(pid)) {
    if (deadline.aborted) throw new CairnError("daemon-failed", { why: `process ${pid} does not end`, log: home });
    await pause(POLL_MS, undefined, { signal });
  }
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    kill(pid, 0);
    return !hasEnded(pid);
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
}

/** Whether it has ended and waits for whoever started it, or for a container's first process, which may take seconds to look. */
function hasEnded(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.startsWith("Z", stat.lastIndexOf(")") + 2);
  } catch {
    return false; // Gone by now, or no Linux: the next look at it tells.
  }
}
