/**
 * Where a machine of a benchmark stands: here on loopback, or at the other end of a cable on which packets take their time.
 *
 * Knows: addresses, and how to run something there. Does not know: what runs there.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { inNamespace, ip } from "../test/system/lab-namespaces.ts";
import type { Native } from "./native.ts";

/** A place, and what must stand before a command so that it runs there. */
export interface Place {
  readonly address: string;
  readonly prefix: readonly string[];
}

export const HERE: Place = { address: "127.0.0.1", prefix: [] };

const NAMESPACE = "far";
const INTERFACE = "cable";
const MASK = 24;
const US_OF_MS = 1_000;

/** A cable between this process's network namespace, which must be one of its own (`runInside`), and another that is made for it. */
export class Cable implements AsyncDisposable {
  readonly near: Place = { address: "10.77.0.1", prefix: [] };
  readonly far: Place = { address: "10.77.0.2", prefix: ["ip", "netns", "exec", NAMESPACE] };
  readonly #delay: ChildProcess;

  /**
   * @param rttMs of a packet there and one back; both ways take half of it
   * @throws {Error} where the system gives nobody TUN devices
   */
  static async lay(native: Native, rttMs: number): Promise<Cable> {
    ip(`netns add ${NAMESPACE}`);
    const delay = spawn(native.delay, [String((rttMs / 2) * US_OF_MS), `/run/netns/${NAMESPACE}`, INTERFACE], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const ended = once(delay, "exit").then(() => Promise.reject(new Error("no cable: TUN devices are needed (/dev/net/tun)")));
    await Promise.race([once(delay.stdout, "data"), ended]);
    ended.catch(() => undefined);
    return new Cable(delay);
  }

  private constructor(delay: ChildProcess) {
    this.#delay = delay;
    ip(`addr add ${this.near.address}/${MASK} dev ${INTERFACE}`);
    ip(`link set ${INTERFACE} up`);
    inNamespace(NAMESPACE, "ip link set lo up");
    inNamespace(NAMESPACE, `ip addr add ${this.far.address}/${MASK} dev ${INTERFACE}`);
    inNamespace(NAMESPACE, `ip link set ${INTERFACE} up`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#delay, "exit");
    this.#delay.stdin?.end();
    await ended;
    ip(`netns del ${NAMESPACE}`);
  }
}
