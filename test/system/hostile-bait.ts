/**
 * Bait: files, ports, sockets and a process that nothing in a sandbox may read, change, reach or end; and who watches them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer, type ListenOptions } from "node:net";
import { join } from "node:path";
import type { RunAs } from "../../src/exec/index.ts";

export class BaitWatch implements AsyncDisposable {
  readonly directory: string;
  readonly abstractName: string;
  tcpPort = 0;
  udpPort = 0;
  readonly #stack = new AsyncDisposableStack();
  #asLaid: string;
  #process: ChildProcess | undefined;
  #knocks = 0;

  /** Lays out everything, for the user as whom jobs run to touch if it can. @param token what must not be found anywhere else */
  static async lay(directory: string, token: string, runAs: RunAs | undefined): Promise<BaitWatch> {
    const watch = new BaitWatch(directory, token);
    const count = (): void => void watch.#knocks++;
    const listen = async (options: ListenOptions): Promise<number> => {
      const server = createServer((socket) => {
        count();
        socket.destroy();
      });
      server.listen(options);
      await once(server, "listening");
      watch.#stack.defer(() => void server.close());
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : 0;
    };
    watch.tcpPort = await listen({ port: 0, host: "127.0.0.1" });
    await listen({ path: `\0${watch.abstractName}` });
    await listen({ path: join(directory, "socket") });
    chmodSync(join(directory, "socket"), 0o777);
    const udp = createSocket("udp4", count);
    udp.bind(0, "127.0.0.1");
    await once(udp, "listening");
    watch.#stack.defer(() => void udp.close());
    watch.udpPort = udp.address().port;
    const sleeper = spawn("sleep", ["3600"], { stdio: "ignore", ...runAs });
    watch.#stack.defer(() => void sleeper.kill("SIGKILL"));
    watch.#process = sleeper;
    return watch;
  }

  private constructor(directory: string, token: string) {
    this.directory = directory;
    this.abstractName = `cairn-bait-${token}`;
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    for (const name of ["secret", "key"]) {
      writeFileSync(join(directory, name), `${token}\n`);
      chmodSync(join(directory, name), 0o666);
    }
    this.#asLaid = this.#facts();
  }

  get process(): number {
    return this.#process?.pid ?? 0;
  }

  /** What has been touched since it was asked for the last time; undefined: nothing. */
  async touched(): Promise<string | undefined> {
    await new Promise((resolve) => setImmediate(resolve)); // What knocked has been heard.
    const facts = this.#facts();
    const changed = facts !== this.#asLaid;
    const knocked = this.#knocks > 0;
    this.#asLaid = facts;
    this.#knocks = 0;
    if (changed) return `files: ${facts}`;
    if (knocked) return "a port or socket";
    return this.#process?.exitCode === null && this.#process.signalCode === null ? undefined : "a process";
  }

  #facts(): string {
    const names = readdirSync(this.directory).filter((name) => name !== "socket");
    return names
      .toSorted()
      .map((name) => {
        const { mode, mtimeMs } = statSync(join(this.directory, name));
        return `${name} ${mode} ${mtimeMs} ${readFileSync(join(this.directory, name), "latin1")}`;
      })
      .join("\n");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
