/**
 * A node for benchmarks: a home in a temporary directory and the real daemon that serves it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { daemonFlags, daemonVariables } from "../src/cli/start-daemon.ts";
import { cpuMsOf, residentBytesOf } from "./meter.ts";
import { checkout } from "./native.ts";

export class CairnNode implements AsyncDisposable {
  readonly home: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #prefix: readonly string[];
  #daemon: ChildProcess | undefined;
  #log = "";
  #awaited: { readonly text: string; readonly found: () => void } | undefined;

  /**
   * @param home made if it is not there
   * @param env for the daemon, besides what it always gets
   * @param prefix what stands before the daemon's command
   */
  constructor(home: string, env: Readonly<Record<string, string>> = {}, prefix: readonly string[] = []) {
    this.home = home;
    this.#env = env;
    this.#prefix = prefix;
    mkdirSync(home, { recursive: true, mode: 0o700 });
  }

  get pid(): number {
    if (this.#daemon?.pid === undefined) throw new Error("the daemon does not run");
    return this.#daemon.pid;
  }

  get env(): Record<string, string> {
    return { CAIRN_HOME: this.home, CAIRN_NO_AUTOSTART: "1", ...this.#env };
  }

  get socket(): string {
    return join(this.home, "run/cairn.sock");
  }

  cpuMs(): number {
    return this.#daemon === undefined ? 0 : cpuMsOf(this.pid);
  }

  residentBytes(): number {
    return residentBytesOf(this.pid);
  }

  /** @returns once it listens */
  async start(): Promise<void> {
    const program = [process.execPath, ...daemonFlags, join(checkout, "bin/daemon.js")];
    const [file = process.execPath, ...args] = [...this.#prefix, ...program];
    const daemon = spawn(file, args, {
      env: { ...daemonVariables, PATH: process.env.PATH, HOME: this.home, ...this.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#daemon = daemon;
    this.#log = "";
    const ended = new Promise<never>((_, reject) => {
      daemon.once("exit", (code, signal) => reject(new Error(`the daemon ended with ${code ?? signal}: ${this.#log}`)));
    });
    daemon.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      this.#log = (this.#log + chunk).slice(-262_144);
      if (this.#awaited !== undefined && this.#log.includes(this.#awaited.text)) this.#awaited.found();
    });
    await Promise.race([this.logged('"daemon.listening"'), ended]);
    ended.catch(() => undefined);
  }

  /** Resolves when the daemon's log has that text; one such wait at a time. */
  async logged(text: string): Promise<void> {
    if (this.#log.includes(text)) return;
    await new Promise<void>((found) => {
      this.#awaited = { text, found };
    });
    this.#awaited = undefined;
  }

  /** What the daemon has logged of one event lately. */
  events(name: string): Record<string, unknown>[] {
    const lines = this.#log.split("\n").filter((line) => line.startsWith("{") && line.includes(`"event":"${name}"`));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  signal(signal: NodeJS.Signals): void {
    this.#daemon?.kill(signal);
  }

  /** Ends the daemon and waits for it. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = once(daemon, "exit");
    daemon.kill(signal);
    await ended;
  }

  /** What the daemon says to a GET of its control socket. */
  ask(path: string): Promise<Record<string, unknown>> {
    return this.#request("GET", path, undefined);
  }

  /** The same of a POST. @throws {Error} with what it says when it refuses */
  async tell(path: string, body: object): Promise<Record<string, unknown>> {
    const answer = await this.#request("POST", path, JSON.stringify(body));
    if ("error" in answer) throw new Error(JSON.stringify(answer));
    return answer;
  }

  async #request(method: string, path: string, body: string | undefined): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: join(this.home, "run/control.sock"), method, path }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.once("end", () => resolve(JSON.parse(text) as Record<string, unknown>));
      });
      asked.once("error", reject).end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
