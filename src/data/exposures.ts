/**
 * The member's side of tunnels: lets other members connect to what is exposed to them, and to nothing else.
 *
 * Knows: what is exposed to whom. Does not know: how it was asked for, or how members are reached.
 */
import net, { type Socket } from "node:net";
import { asError, type Key, type Log, limits, reasonOf } from "../base/index.ts";
import type { DataPlane, DataRequest, DataVerdict } from "../contracts/index.ts";
import { splice } from "./splice.ts";
import { socketOptions } from "./tls-options.ts";
import { TunnelCounter } from "./tunnel-counter.ts";
import { type Exposure, TUNNEL, TUNNEL_CHECK, type TunnelCounts } from "./tunnels.ts";

export interface ExposuresParts {
  readonly plane: DataPlane;
  readonly log: Log;
  /** Undefined for who is no member. */
  readonly domainOf: (key: Key) => string | undefined;
}

interface Exposed {
  readonly exposure: Exposure;
  readonly counter: TunnelCounter;
}

type Found = { readonly kind: "found"; readonly exposed: Exposed } | { readonly kind: "refused"; readonly reason: string };

export class Exposures {
  readonly #parts: ExposuresParts;
  readonly #exposed = new Map<string, Exposed>();

  constructor(parts: ExposuresParts) {
    this.#parts = parts;
    parts.plane.serve(TUNNEL, (request, signal) => this.#judge(request, signal));
    parts.plane.serve(TUNNEL_CHECK, (request) => {
      const found = this.#find(request);
      return Promise.resolve(found.kind === "refused" ? found : { kind: "ready", begin: ({ bytes }) => void bytes.resume().end() });
    });
  }

  /** Exposes these and nothing else. Connections that are not allowed any more break. */
  set(exposures: readonly Exposure[]): void {
    const names = new Set(exposures.map(({ name }) => name));
    for (const [name, { counter }] of this.#exposed) {
      if (names.has(name)) continue;
      this.#exposed.delete(name);
      counter.cut();
    }
    for (const exposure of exposures) {
      const before = this.#exposed.get(exposure.name);
      const counter = before?.counter ?? new TunnelCounter();
      this.#exposed.set(exposure.name, { exposure, counter });
      const moved = before !== undefined && (before.exposure.host !== exposure.host || before.exposure.port !== exposure.port);
      counter.cut((stream) => moved || stream === undefined || !this.#isAllowed(exposure, stream.key));
    }
  }

  counts(): Record<string, TunnelCounts> {
    return Object.fromEntries([...this.#exposed].map(([name, { counter }]) => [name, counter.counts]));
  }

  async #judge(request: DataRequest, signal: AbortSignal): Promise<DataVerdict> {
    const found = this.#find(request);
    if (found.kind === "refused") return found;
    const { exposure, counter } = found.exposed;
    const facts = { peer: request.key, name: exposure.name, host: exposure.host, port: exposure.port };
    let socket: Socket;
    try {
      socket = await connect(exposure, signal);
    } catch (error) {
      const why = reasonOf(error);
      this.#parts.log.event("warn", "tunnel.target-failed", { ...facts, why });
      return { kind: "refused", reason: `${exposure.host}:${exposure.port} there: ${why}` };
    }
    return {
      kind: "ready",
      begin: (stream) => {
        counter.add(socket, stream);
        this.#parts.log.event("info", "tunnel.opened", { ...facts, path: stream.path, direction: "inbound" });
        socket.once("close", () => {
          const { bytesRead, bytesWritten } = socket;
          this.#parts.log.event("info", "tunnel.closed", { ...facts, direction: "inbound", bytesIn: bytesRead, bytesOut: bytesWritten });
        });
        splice(socket, stream.bytes);
      },
    };
  }

  #find({ key, argument }: DataRequest): Found {
    const byPort = [...this.#exposed.values()].filter(({ exposure }) => String(exposure.port) === argument);
    const [only, ...others] = byPort;
    const exposed = this.#exposed.get(argument) ?? (others.length === 0 ? only : undefined);
    if (exposed === undefined) return { kind: "refused", reason: "not-exposed" };
    return this.#isAllowed(exposed.exposure, key) ? { kind: "found", exposed } : { kind: "refused", reason: "not-allowed" };
  }

  #isAllowed({ to }: Exposure, key: Key): boolean {
    const domain = this.#parts.domainOf(key);
    if (domain === undefined) return false;
    return to.some((one) => one.kind === "all" || (one.kind === "domain" ? one.domain === domain : one.key === key));
  }
}

function connect({ host, port }: Exposure, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(limits.tunnelConnectMs)]);
    const socket = net.connect({ ...socketOptions, host, port });
    const late = (): void => void socket.destroy(asError(soon.reason));
    soon.addEventListener("abort", late);
    socket.once("error", reject);
    socket.once("connect", () => {
      soon.removeEventListener("abort", late);
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
