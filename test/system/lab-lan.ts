/**
 * A local network for tests: a switch and machines, each a network namespace of its own, and no way out.
 *
 * Each namespace lives as long as a process that waits for the end of its input, which comes at the latest when the test ends.
 * Knows: namespaces, links, addresses. Does not know: what runs on the machines.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readlinkSync } from "node:fs";

const AS_ROOT = process.getuid?.() === 0;
/** Who is not root is root in a namespace of users. */
const NEW_WORLD: readonly string[] = AS_ROOT ? ["unshare", "--net"] : ["unshare", "--user", "--map-root-user", "--net"];

/** Why this machine lets nobody build namespaces; undefined when it does. */
export function whyNoLan(): string | undefined {
  if (process.platform !== "linux") return "network namespaces are a thing of Linux";
  const [file = "", ...args] = NEW_WORLD;
  const script = "ip link add probe0 type bridge && ip link add probe1 type veth peer name probe2 && nft list tables";
  const tried = spawnSync(file, [...args, "--", "sh", "-c", script], { encoding: "utf8", timeout: 10_000 });
  if (tried.error !== undefined) return `${file} cannot be run: ${tried.error.message}`;
  return tried.status === 0
    ? undefined
    : `namespaces, bridges or nftables are not permitted: ${tried.stderr.trim().split("\n").at(-1) ?? ""}`;
}

/** A network namespace. */
class Namespace implements Disposable {
  readonly #holder: ChildProcess;

  static async make(within: readonly string[], unshare: readonly string[]): Promise<Namespace> {
    const command = [...within, ...unshare, "--", "sh", "-c", "ip link set lo up && echo && exec cat"];
    const holder = spawn(command[0] ?? "", command.slice(1), { stdio: ["pipe", "pipe", "inherit"] });
    await once(holder.stdout, "data");
    return new Namespace(holder);
  }

  private constructor(holder: ChildProcess) {
    this.#holder = holder;
  }

  get pid(): number {
    return this.#holder.pid ?? 0;
  }

  /** A command that runs the command behind it in here. */
  get within(): readonly string[] {
    return ["nsenter", ...(AS_ROOT ? [] : ["--user", "--preserve-credentials"]), "--net", "--target", String(this.pid), "--"];
  }

  /** @throws with what the command printed, when it fails */
  run(line: string, input?: string): string {
    const [file = "", ...args] = [...this.within, ...line.split(" ")];
    return execFileSync(file, args, { encoding: "utf8", timeout: 10_000, ...(input !== undefined && { input }) });
  }

  [Symbol.dispose](): void {
    this.#holder.stdin?.end();
  }
}

/** A machine on the network, with one interface, `eth0`. */
export interface Machine {
  readonly name: string;
  /** See `TestNode.start`. */
  readonly within: readonly string[];
  /** Runs a command there; @returns what it printed */
  run(line: string, input?: string): string;
  /** Pulls the machine's cable out of the switch, or puts it back. */
  plug(into: boolean): void;
}

export class Lan implements Disposable {
  readonly #switch: Namespace;
  readonly #machines: Namespace[] = [];

  static async make(): Promise<Lan> {
    const lan = new Lan(await Namespace.make([], NEW_WORLD));
    if (readlinkSync(`/proc/${lan.#switch.pid}/ns/net`) === readlinkSync("/proc/self/ns/net"))
      throw new Error("this is no namespace of its own");
    lan.#switch.run("ip link add lan type bridge");
    lan.#switch.run("ip link set lan up");
    return lan;
  }

  private constructor(around: Namespace) {
    this.#switch = around;
  }

  /** @param addresses with their prefix; a link-local IPv6 address comes by itself. There is no default route. */
  async machine(name: string, ...addresses: string[]): Promise<Machine> {
    const inside = await Namespace.make(this.#switch.within, ["unshare", "--net"]);
    this.#machines.push(inside);
    const port = `p${this.#machines.length}`;
    this.#switch.run(`ip link add ${port} type veth peer name eth0 netns ${inside.pid}`);
    this.#switch.run(`ip link set ${port} master lan up`);
    inside.run("ip link set eth0 up");
    for (const address of addresses) inside.run(`ip address add ${address} dev eth0 ${address.includes(":") ? "nodad" : ""}`.trim());
    return {
      name,
      within: inside.within,
      run: (line, input) => inside.run(line, input),
      plug: (into) => void this.#switch.run(`ip link set ${port} ${into ? "up" : "down"}`),
    };
  }

  [Symbol.dispose](): void {
    for (const machine of this.#machines) machine[Symbol.dispose]();
    this.#switch[Symbol.dispose]();
  }
}
