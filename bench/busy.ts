/**
 * Machines without an idle core, and others that compile for them.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { endPipe } from "../test/system/remote-world.ts";
import type { Member } from "./machines.ts";

const POLL_MS = 20;
const LOOKS = 100;
/** gcc and g++, each by two names. */
const COMPILERS = 4;

/** Waits until the one knows that the others work; false where they never will. */
export async function areOffered(builder: Member, helpers: readonly Member[]): Promise<boolean> {
  for (const helper of helpers) {
    const checks = (await helper.node.ask("/doctor")) as unknown as { check: string; ok: boolean }[];
    if (checks.some(({ check, ok }) => check === "sandbox" && !ok)) return false;
  }
  for (;;) {
    const { peers } = (await builder.node.ask("/network/peers")) as { peers: { work: { toolchains: number } | null }[] };
    if (peers.filter(({ work }) => (work?.toolchains ?? 0) >= COMPILERS).length === helpers.length) return true;
    await sleep(POLL_MS);
  }
}

/** Compiles that wait for the writers of pipes, which takes no time of a processor. */
export class Crowd implements AsyncDisposable {
  readonly #waiting: readonly ChildProcess[];
  readonly #pipes: readonly string[];

  /** @param timesCores so many compiles a core */
  static async gather(node: Member, directory: string, timesCores: number): Promise<Crowd> {
    const size = timesCores * availableParallelism();
    const waiting: ChildProcess[] = [];
    const pipes: string[] = [];
    mkdirSync(directory);
    const running = async (): Promise<number> => ((await node.node.ask("/status")).jobs as { running: number }).running;
    // One after the other: of many at once some would not wait for the daemon's first word, and nobody would know of them.
    for (let at = 0; (await running()) < size; at++) {
      if (at > 2 * size) throw new Error("the daemon hears of too few compiles");
      const pipe = join(directory, `pipe${at}.h`);
      execFileSync("mkfifo", [pipe]);
      pipes.push(pipe);
      writeFileSync(join(directory, `wait${at}.c`), `#include "pipe${at}.h"\n`);
      const args = ["gcc", "-c", `wait${at}.c`, "-o", `wait${at}.o`];
      const before = await running();
      waiting.push(spawn(node.launcher, args, { cwd: directory, env: { ...process.env, ...node.env }, stdio: "ignore" }));
      for (let looks = 0; looks < LOOKS && (await running()) === before; looks++) await sleep(POLL_MS);
    }
    return new Crowd(waiting, pipes);
  }

  private constructor(waiting: readonly ChildProcess[], pipes: readonly string[]) {
    this.#waiting = waiting;
    this.#pipes = pipes;
  }

  get size(): number {
    return this.#waiting.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const waiting = this.#waiting.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = waiting.map((child) => once(child, "exit"));
    for (const pipe of this.#pipes) endPipe(pipe);
    await Promise.all(ended);
  }
}
