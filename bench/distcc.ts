/**
 * distcc with its server on loopback, as the one to compare with that compiles elsewhere, too. Without its pump mode, which Debian packs apart.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./contenders.ts";

const PORT = 36_320;
const POLL_MS = 20;

export class Distcc implements AsyncDisposable {
  readonly #server: ChildProcess;
  readonly launcher: string;
  readonly env: Readonly<Record<string, string>>;

  /** Undefined where it is not installed. */
  static async start(directory: string): Promise<Distcc | undefined> {
    const [launcher, server] = [findProgram("distcc"), findProgram("distccd")];
    if (launcher === undefined || server === undefined) return undefined;
    mkdirSync(directory, { recursive: true });
    const distcc = new Distcc(launcher, server, directory);
    while (!(await answers())) await sleep(POLL_MS);
    return distcc;
  }

  private constructor(launcher: string, server: string, directory: string) {
    this.launcher = launcher;
    // It must not compile here when something goes wrong: that would be measured as its own work.
    this.env = { DISTCC_DIR: directory, DISTCC_HOSTS: `127.0.0.1:${PORT}/8`, DISTCC_FALLBACK: "0", DISTCC_VERBOSE: "0" };
    const where = ["--listen", "127.0.0.1", "--port", String(PORT), "--allow", "127.0.0.1"];
    const how = ["--daemon", "--no-detach", "--jobs", "8", "--enable-tcp-insecure", "--user", "nobody", "--log-file", "/dev/null"];
    this.#server = spawn(server, [...how, ...where], { stdio: "ignore", env: { PATH: process.env.PATH, TMPDIR: "/tmp" } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#server, "exit");
    this.#server.kill();
    await ended;
  }
}

async function answers(): Promise<boolean> {
  const socket = connect(PORT, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
