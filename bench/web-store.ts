/**
 * nginx as a store that is written by PUT and read by GET: what teams put behind ccache. A child of this process with a directory and a
 * configuration of its own, on a port that is free.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, freePort, listening } from "./contenders.ts";
import type { Place } from "./places.ts";

/** Debian's users do not have this directory in their PATH. */
const SYSTEM_PROGRAM = "/usr/sbin/nginx";

function configuration(directory: string, { address }: Place, port: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${directory}/${kind};`);
  return `daemon off;
master_process off;
pid ${directory}/pid;
error_log ${directory}/errors;
events {}
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  ${temporary.join("\n  ")}
  client_max_body_size 0;
  server {
    listen ${address}:${port};
    root ${directory}/root;
    location / {
      dav_methods PUT DELETE;
      create_full_put_path on;
    }
  }
}
`;
}

export class WebStore implements AsyncDisposable {
  readonly url: string;
  readonly #server: ChildProcess;

  /**
   * @param directory a new one, for everything that it writes
   * @returns undefined where nginx is not installed
   */
  static async start(directory: string, place: Place): Promise<WebStore | undefined> {
    const program = findProgram("nginx") ?? (existsSync(SYSTEM_PROGRAM) ? SYSTEM_PROGRAM : undefined);
    if (program === undefined) return undefined;
    mkdirSync(join(directory, "root"), { recursive: true });
    const port = await freePort();
    const file = join(directory, "nginx.conf");
    writeFileSync(file, configuration(directory, place, port));
    const [command, ...args] = [...place.prefix, program, "-p", directory, "-e", join(directory, "errors"), "-c", file];
    const server = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
    await listening("nginx", port, place.address);
    return new WebStore(`http://${place.address}:${port}`, server);
  }

  private constructor(url: string, server: ChildProcess) {
    this.url = url;
    this.#server = server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return;
    const ended = once(this.#server, "exit");
    this.#server.kill();
    await ended;
  }
}
