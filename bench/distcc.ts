/**
 * distcc with its server on loopback or elsewhere, as the one to compare with that compiles elsewhere, too. Without its pump mode, which Debian packs apart.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./contenders.ts";
import type { Place } from "./places.ts";

/** None that the system gives to others. */
const PORT = 26_320;
const POLL_MS = 20;

export class Distcc implements AsyncDisposable {
  readonly name = "distcc";
  readonly #server: ChildProcess;
  readonly launcher: string;
  readonly env: Readonly<Record<string, string>>;

  /** Undefined where it is not installed. @param near from where it is asked */
  static async start(directory: string, place: Place, near: Place): Promise<Distcc | undefined> {
    const [launcher, server] = [findProgram("distcc"), findProgram("distccd")];
    if (launcher === undefined || server === undefined) return undefined;
    mkdirSync(directory, { recursive: true });
    const distcc = new Distcc(launcher, [...place.prefix, server], directory, { at: place.address, from: near.address });
    while (!(await answers(place.address))) await sleep(POLL_MS);
    return distcc;
  }

  private constructor(
    launcher: string,
    server: readonly string[],
    directory: string,
    { at, from }: { readonly at: string; readonly from: string },
  ) {
    this.launcher = launcher;
    // It must not compile here when something goes wrong: that would be measured as its own work. Nor avoid its only server for a minute.
    const whenItFails = { DISTCC_FALLBACK: "0", DISTCC_BACKOFF_PERIOD: "1" };
    this.env = { DISTCC_DIR: directory, DISTCC_HOSTS: `${at}:${PORT}/8`, DISTCC_VERBOSE: "0", ...whenItFails };
    const where = ["--listen", at, "--port", String(PORT), "--allow", from];
    const how = ["--daemon", "--no-detach", "--jobs", "8", "--enable-tcp-insecure", "--user", "nobody", "--log-file", "/dev/null"];
    const [file = "", ...before] = server;
    this.#server = spawn(file, [...before, ...how, ...where], { stdio: "ignore", env: { PATH: process.env.PATH, TMPDIR: "/tmp" } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return; // By itself; a compile has failed for it.
    const ended = once(this.#server, "exit");
    this.#server.kill();
    await ended;
  }
}

async function answers(address: string): Promise<boolean> {
  const socket = connect(PORT, address);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
