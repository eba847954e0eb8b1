/**
 * Port mapping: has the router let members in, while this node runs.
 *
 * What the router promises is not announced for that: members try it first, see reachability.ts.
 * Knows: ports, leases, when to renew them. Does not know: how a router is asked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { CairnError, type Log, limits, reasonOf } from "../base/index.ts";
import { addressAt, type Port } from "./ports.ts";
import { scopeOf } from "./scopes.ts";

export interface MappedPort {
  readonly externalPort: number;
  readonly lifetimeS: number;
}

/** A way to ask routers. */
export interface PortMapper {
  /** For people. */
  readonly name: string;
  /** @returns the router's IPv4 address outside. @throws {CairnError} peer-silent, peer-absent when it refuses */
  externalAddress(router: string): Promise<string>;
  /**
   * Maps a TCP port of the router to the same one of this machine, or to another where that is taken.
   *
   * @param lifetimeS 0 ends the mapping
   * @throws as {@link externalAddress}
   */
  mapPort(router: string, port: number, lifetimeS: number): Promise<MappedPort>;
}

export interface PortMappingParts {
  /** The IP address of the router that leads outside; undefined where it is not known. */
  readonly router: () => string | undefined;
  /** Tried in this order. */
  readonly mappers: readonly PortMapper[];
  /** TCP ports of this machine that members need. */
  readonly ports: () => readonly Port[];
  /** There are other mappings than before. */
  readonly changed: () => void;
  readonly log: Log;
}

export interface PortMappingFacts {
  /** Multiaddrs at which the router says that it lets members in. */
  readonly addresses: readonly string[];
  /** Why it did not do so when it was asked last; undefined when it did, or has not answered yet. */
  readonly trouble: string | undefined;
}

interface Mapped {
  readonly router: string;
  readonly mapper: PortMapper;
  /** IP address of the router outside. */
  readonly host: string;
  readonly external: Port;
}

export class PortMapping implements AsyncDisposable {
  readonly #parts: PortMappingParts;
  /** Where members can be told to come in, by port of this machine. */
  readonly #mapped = new Map<number, Mapped>();
  /** What was granted and has not been given back, by port of this machine: also where the router has not answered since. */
  readonly #granted = new Map<number, Mapped>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #trouble: string | undefined;
  #ended = false;

  constructor(parts: PortMappingParts) {
    this.#parts = parts;
  }

  get facts(): PortMappingFacts {
    return { addresses: this.addresses(), trouble: this.#trouble };
  }

  /** Multiaddrs at which the router says that it lets members in. */
  addresses(): string[] {
    return [...this.#mapped.values()].map(({ host, external }) => addressAt(host, external));
  }

  /** Asks the router, now and again before what it grants ends. */
  renew(): void {
    clearTimeout(this.#timer);
    this.#round = this.#round.then(() => this.#renew());
  }

  /** Gives the ports back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    // A router that is slow to answer must not hold up the end.
    await Promise.race([this.#round, sleep(limits.mapAnswerMs, undefined, { ref: false })]);
    await Promise.all([...this.#granted].map(([port, mapped]) => this.#unmap(port, mapped)));
  }

  async #renew(): Promise<void> {
    const { router, ports, changed, log } = this.#parts;
    if (this.#ended) return;
    const before = this.addresses().join(" ");
    const asked = router();
    let nextMs: number = limits.mapRetryMs;
    try {
      if (asked === undefined) throw new CairnError("peer-absent", { why: "no router is known" });
      nextMs = await this.#mapAll(asked, ports());
      this.#trouble = undefined;
    } catch (error) {
      this.#mapped.clear();
      this.#trouble = reasonOf(error);
      log.event("info", "port.map-failed", { router: asked ?? "", why: this.#trouble });
    }
    if (this.addresses().join(" ") !== before) changed();
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.renew(), nextMs);
    this.#timer.unref();
  }

  /** @returns ms until that has to be done again */
  async #mapAll(router: string, ports: readonly Port[]): Promise<number> {
    const { mapper, host } = await this.#firstThatAnswers(router);
    if (scopeOf(`/ip4/${host}/tcp/1`) !== "global")
      throw new CairnError("peer-absent", { why: `the router is behind another one: ${host}` });
    let shortestS: number = limits.mapLeaseS;
    for (const { port, speaks } of ports) {
      if (this.#ended) break;
      const { externalPort, lifetimeS } = await mapper.mapPort(router, port, limits.mapLeaseS);
      const before = this.#mapped.get(port);
      const external = { port: externalPort, speaks };
      const mapped = { router, mapper, host, external };
      this.#mapped.set(port, mapped);
      this.#granted.set(port, mapped);
      shortestS = Math.min(shortestS, lifetimeS);
      if (before?.external.port !== externalPort || before.host !== host)
        this.#parts.log.event("info", "port.mapped", { router, by: mapper.name, port, address: addressAt(host, external), lifetimeS });
    }
    return Math.max(limits.mapRenewLeastMs, (shortestS * 1_000) / 2); // RFC 6886, section 3.3.
  }

  async #firstThatAnswers(router: string): Promise<{ mapper: PortMapper; host: string }> {
    const troubles: string[] = [];
    for (const mapper of this.#parts.mappers) {
      try {
        return { mapper, host: await mapper.externalAddress(router) };
      } catch (error) {
        troubles.push(`${mapper.name}: ${reasonOf(error)}`);
      }
    }
    throw new CairnError("peer-absent", { why: troubles.join("; ") });
  }

  async #unmap(port: number, { router, mapper }: Mapped): Promise<void> {
    const { log } = this.#parts;
    try {
      await mapper.mapPort(router, port, 0);
      log.event("info", "port.unmapped", { router, port });
    } catch (error) {
      log.event("info", "port.unmap-failed", { router, port, why: reasonOf(error) }); // It ends by itself, if it was granted for a time.
    }
  }
}
