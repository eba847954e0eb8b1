/**
 * A world of network namespaces for the lab: made for one process, without a way out, gone when the process ends.
 *
 * The lab runs itself once more inside `unshare`, as root of a user namespace if need be. Its own network namespace is empty, and the
 * names of those that it makes live in a mount that nobody else sees.
 * Knows: how to get in, and how to run commands there. Does not know: what is built of it.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";

const INSIDE = "CAIRN_LAB_INSIDE";
const PREPARE = 'mount -t tmpfs lab /run && ip link set lo up && exec "$@"';

/** Why this machine lets nobody build namespaces; undefined when it does. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are a thing of Linux";
  for (const [tool, found] of [
    ["ip", "iproute2"],
    ["nft", "nftables"],
    ["unshare", "util-linux"],
  ] as const)
    if (spawnSync(tool, ["--version"], { stdio: "ignore" }).error !== undefined && spawnSync(tool, ["-V"]).error !== undefined)
      return `no ${tool} here (Debian has it in ${found})`;
  const [file, ...args] = command(["sh", "-c", "ip netns add probe && ip netns exec probe nft add table ip probe"]);
  const tried = spawnSync(file, args, { encoding: "utf8", timeout: 10_000 });
  return tried.status === 0 ? undefined : `namespaces are not permitted: ${tried.stderr.trim().split("\n").at(-1) ?? ""}`;
}

/** Whether this process is in a world of its own. */
export function isInside(): boolean {
  return process.env[INSIDE] === "1";
}

/** Runs a script of this project inside, with everything that it prints; @returns its exit code */
export async function runInside(script: string, args: readonly string[]): Promise<number> {
  const [file, ...rest] = command([process.execPath, script, ...args]);
  const child = spawn(file, rest, { stdio: "inherit", env: { ...process.env, [INSIDE]: "1" } });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => child.once("error", reject).once("exit", (code) => resolve(code ?? 1)));
}

function command(inside: readonly string[]): [string, ...string[]] {
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return ["unshare", ...asRoot, "--mount", "--net", "--", "sh", "-c", PREPARE, "lab", ...inside];
}

/** Runs a command in a namespace. @throws with what it printed when it fails */
export function inNamespace(name: string, line: string, input?: string): string {
  return execute(["ip", "netns", "exec", name, ...line.split(" ")], input);
}

/** `ip` with these arguments, in the lab's own namespace. */
export function ip(line: string): string {
  return execute(["ip", ...line.split(" ")]);
}

function execute([file = "", ...args]: readonly string[], input?: string): string {
  return execFileSync(file, args, {
    encoding: "utf8",
    timeout: 10_000,
    stdio: ["pipe", "pipe", "pipe"],
    ...(input !== undefined && { input }),
  });
}
