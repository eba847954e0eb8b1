/**
 * The sandbox of this node: where it lives, as whom jobs run, and what `cairn doctor` says about it.
 *
 * Knows: the home, who this process is. Does not know: how a sandbox works.
 */
import { randomBytes } from "node:crypto";
import { totalmem } from "node:os";
import { join } from "node:path";
import { digestOf, type Environment, type Home, limits } from "../base/index.ts";
import type { ExecutorLack } from "../contracts/index.ts";
import type { SandboxExecutor, SandboxOptions } from "../exec/index.ts";

import type { SandboxHold, SandboxPlace } from "./sandbox-leftovers.ts";

/** Nobody: root's own files must not be those of a job's user. */
const NOBODY = { uid: 65_534, gid: 65_534 };
/** Root's home is closed to everybody else, jobs included. */
const ROOTS_PARENT = "/var/cache";

/**
 * Where the sandboxes of this machine's daemons lie that this one may see. `own` begins the names of this home's: others may have a home
 * of that name too, in a container, so each daemon adds something of its own.
 */
export function sandboxPlace(home: Home): SandboxPlace & { readonly own: string } {
  if (process.geteuid?.() !== 0) return { directory: home.cacheDir, prefix: "sandbox-", own: "sandbox-" };
  return { directory: ROOTS_PARENT, prefix: "cairn-sandbox-", own: `cairn-sandbox-${digestOf(home.cacheDir).slice(0, 12)}-` };
}

/** What members' jobs may hold of this machine's memory: one of them, and all together. */
export function othersMemoryBytes(): number {
  return Math.floor(totalmem() * limits.sandbox.memory.othersPart);
}

/** @param hold marks the sandbox as this process's */
export function sandboxOptions(home: Home, hold: SandboxHold, env: Environment): SandboxOptions {
  const { directory, own } = sandboxPlace(home);
  return {
    directory: join(directory, `${own}${randomBytes(6).toString("hex")}`),
    hold: (made) => hold.take(made),
    path: env.PATH ?? "/usr/bin:/bin",
    runAs: process.geteuid?.() === 0 ? NOBODY : undefined,
    filesBytes: limits.sandbox.filesBytes,
    othersBytes: othersMemoryBytes(),
    keep: join(home.cacheDir, "built"),
  };
}

interface SandboxCheck {
  readonly check: string;
  /** That it is missing is no fault, but something that its owner should know. */
  readonly ok: true;
  readonly warns?: true;
  readonly detail: string;
  readonly advice?: string;
}

/** Without it this machine uses others' work and does none for them. */
export async function checkSandbox(sandbox: Pick<SandboxExecutor, "look">): Promise<SandboxCheck> {
  const look = await sandbox.look();
  if (look.kind === "walled") return { check: "sandbox", ok: true, detail: `runs others' compiles: ${look.walls}` };
  const detail = `declines others' compiles, and uses what others make: ${look.detail}`;
  return { check: "sandbox", ok: true, warns: true, detail, advice: sandboxAdvice[look.reason] };
}

/** What to do about what is missing. */
export const sandboxAdvice: Readonly<Record<ExecutorLack, string>> = {
  platform: "only Linux on x86-64 and aarch64 runs others' compiles",
  sandbox_missing: "install bubblewrap 0.8 or newer (Debian: apt install bubblewrap)",
  user_namespaces:
    "let bwrap make user namespaces: sysctl user.max_user_namespaces must not be 0; where AppArmor restricts them (Ubuntu 24.04 and newer), " +
    "install its profile for bwrap (apt install apparmor-profiles, then link bwrap-userns-restrict into /etc/apparmor.d)",
  init_missing: "install a C compiler that links statically (Debian: apt install gcc libc6-dev; Fedora: glibc-static)",
  workspace: "make room there, let everybody enter the directories above it, or choose another place: export CAIRN_HOME=/some/directory",
  memory_taken: "it passes; cairn share 50%   lets fewer run at once",
  sandbox_failed: "see the daemon's log",
  stopping: "the daemon ends; ask the next one",
};
