/**
 * A network of members on loopback, each in a process of its own; see member.ts.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { daemonFlags } from "../src/cli/start-daemon.ts";
import type { Noticed, Order } from "./member.ts";
import { cpuMsOf } from "./meter.ts";

const POLL_MS = 20;

export class MemberProcess {
  key = "";
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  constructor(directory: string, name: string) {
    this.#waiting.set(0, Promise.withResolvers());
    this.#child = fork(join(import.meta.dirname, "member.ts"), [directory, name], { execArgv: [...daemonFlags] });
    this.#child.on("message", (told: { readonly id: number; readonly answer?: unknown; readonly error?: string }) => {
      const waiting = this.#waiting.get(told.id);
      this.#waiting.delete(told.id);
      if (told.error === undefined) waiting?.resolve(told.answer);
      else waiting?.reject(new Error(told.error));
    });
    this.#child.once("exit", (code, signal) => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`a member ended with ${code ?? signal}`));
    });
  }

  async ready(): Promise<void> {
    await this.#waiting.get(0)?.promise;
  }

  ask(order: Order): Promise<unknown> {
    this.#asked += 1;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#asked, waiting);
    this.#child.send({ id: this.#asked, order });
    return waiting.promise;
  }

  async noticed(): Promise<Noticed> {
    return (await this.ask({ do: "heard" })) as Noticed;
  }

  cpuMs(): number {
    return cpuMsOf(this.#child.pid ?? 0);
  }

  /** @returns when it was, ns of the monotonic clock */
  async kill(): Promise<bigint> {
    const ended = once(this.#child, "exit");
    const at = process.hrtime.bigint();
    this.#child.kill("SIGKILL");
    await ended;
    return at;
  }
}

/** @returns members that are all linked with each other */
export async function formNetwork(directory: string, count: number, progress: (text: string) => void): Promise<MemberProcess[]> {
  const members = Array.from({ length: count }, (_, i) => new MemberProcess(directory, `m${i}`));
  const [founder, ...others] = members;
  if (founder === undefined) return [];
  await founder.ready();
  founder.key = String(await founder.ask({ do: "found" }));
  for (const other of others) {
    await other.ready();
    other.key = String(await other.ask({ do: "join", line: String(await founder.ask({ do: "invite" })) }));
  }
  progress(`${count} members, waiting until each is linked with each`);
  while (!(await Promise.all(members.map((member) => member.ask({ do: "linked" })))).every((linked) => linked === count - 1))
    await sleep(POLL_MS);
  return members;
}
