/**
 * The user's side of tunnels: listens on local addresses, and carries each connection to what a member exposes.
 *
 * A member that is away costs its connections, not the forward: the next connection after it is back goes there, wherever it is then.
 * Knows: listeners and their connections. Does not know: how members are reached, or what survives a restart.
 */
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import { CairnError, type Log, limits, reasonOf, systemCode } from "../base/index.ts";
import type { DataPlane } from "../contracts/index.ts";
import { splice } from "./splice.ts";
import { socketOptions } from "./tls-options.ts";
import { TunnelCounter } from "./tunnel-counter.ts";
import { type Forward, type ForwardState, TUNNEL, TUNNEL_CHECK } from "./tunnels.ts";

export interface ForwardsParts {
  readonly plane: DataPlane;
  readonly log: Log;
}

interface Forwarding {
  forward: Forward;
  readonly server: Server;
  readonly counter: TunnelCounter;
  trouble: string;
  retry: NodeJS.Timeout | undefined;
}

export class Forwards implements Disposable {
  readonly #parts: ForwardsParts;
  readonly #forwardings = new Map<string, Forwarding>();

  constructor(parts: ForwardsParts) {
    this.#parts = parts;
  }

  /**
   * Listens from now on.
   *
   * @returns the port, which the operating system chooses for 0
   * @throws {CairnError} address-unavailable
   */
  async add(forward: Forward): Promise<number> {
    const forwarding = this.#make(forward);
    const port = await listen(forwarding);
    forwarding.forward = { ...forward, port };
    this.#forwardings.set(nameOf(forwarding.forward), forwarding);
    return port;
  }

  /** The same for one that was there before: an address that cannot be listened on now is tried again and again. */
  restore(forward: Forward): void {
    const forwarding = this.#make(forward);
    this.#forwardings.set(nameOf(forward), forwarding);
    const attempt = (): void => {
      listen(forwarding).then(
        () => {
          forwarding.trouble = "";
        },
        (error: unknown) => {
          forwarding.trouble = reasonOf(error);
          this.#parts.log.event("warn", "tunnel.listen-failed", { host: forward.host, port: forward.port, why: forwarding.trouble });
          forwarding.retry = setTimeout(attempt, limits.tunnelRetryMs);
        },
      );
    };
    attempt();
  }

  /** Asks the member whether a connection would be let in. @throws {CairnError} peer-absent, data-refused */
  async check(name: string): Promise<void> {
    const forwarding = this.#forwardings.get(name);
    if (forwarding === undefined) return;
    const { member: key, service } = forwarding.forward;
    const inTime = AbortSignal.timeout(limits.dataOpenDeadlineMs);
    try {
      const { bytes } = await this.#parts.plane.open({ key, service: TUNNEL_CHECK, argument: service }, inTime);
      bytes.resume().end();
    } catch (error) {
      forwarding.trouble = reasonOf(error);
      throw error;
    }
  }

  remove(name: string): void {
    const forwarding = this.#forwardings.get(name);
    this.#forwardings.delete(name);
    if (forwarding !== undefined) end(forwarding);
  }

  states(): ForwardState[] {
    return [...this.#forwardings.values()].map(({ forward, server, counter, trouble }) => ({
      forward,
      listening: server.listening,
      counts: counter.counts,
      trouble,
    }));
  }

  [Symbol.dispose](): void {
    for (const forwarding of this.#forwardings.values()) end(forwarding);
  }

  #make(forward: Forward): Forwarding {
    const server = net.createServer({ ...socketOptions, pauseOnConnect: true });
    server.maxConnections = limits.dataStreamsPerMember;
    const forwarding: Forwarding = { forward, server, counter: new TunnelCounter(), trouble: "", retry: undefined };
    server.on("connection", (socket) => void this.#carry(forwarding, socket));
    return forwarding;
  }

  async #carry(forwarding: Forwarding, socket: Socket): Promise<void> {
    const { forward, counter } = forwarding;
    const { member, service } = forward;
    const facts = { peer: member, name: service, port: forward.port };
    counter.add(socket, undefined);
    const closed = new AbortController();
    socket.on("error", () => undefined).once("close", () => closed.abort());
    try {
      const stream = await this.#parts.plane.open({ key: member, service: TUNNEL, argument: service }, closed.signal);
      forwarding.trouble = "";
      counter.add(socket, stream);
      this.#parts.log.event("info", "tunnel.opened", { ...facts, path: stream.path, address: stream.address, direction: "outbound" });
      splice(socket, stream.bytes);
      socket.resume();
      socket.once("close", () => {
        const { bytesRead, bytesWritten } = socket;
        this.#parts.log.event("info", "tunnel.closed", { ...facts, direction: "outbound", bytesIn: bytesRead, bytesOut: bytesWritten });
      });
    } catch (error) {
      if (!closed.signal.aborted) forwarding.trouble = reasonOf(error);
      this.#parts.log.event("warn", "tunnel.failed", { ...facts, why: reasonOf(error) });
      socket.resetAndDestroy();
    }
  }
}

/** By what a forward is told from others: where it listens. */
export function nameOf({ host, port }: Pick<Forward, "host" | "port">): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function listen({ server, forward: { host, port } }: Forwarding): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void =>
      reject(new CairnError("address-unavailable", { address: nameOf({ host, port }), why: systemCode(error) ?? String(error) }, error));
    server.once("error", failed);
    server.listen({ host, port }, () => {
      server.off("error", failed);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function end({ server, counter, retry }: Forwarding): void {
  clearTimeout(retry);
  server.close(() => undefined);
  counter.cut();
}
