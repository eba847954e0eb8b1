/**
 * What people may ask about tunnels and the paths to members, and what of it survives a restart.
 *
 * Knows: names of members and domains, what is exposed and forwarded. Does not know: how bytes travel; see data-service.ts.
 */
import { brief, CairnError, isName, type Key, type Log, limits } from "../base/index.ts";
import type { BlobSwarm, FrameLanes } from "../contracts/index.ts";
import { type DataTraffic, type Exposure, type Forward, nameOfForward, type Permission, type TunnelCounts } from "../data/index.ts";
import type { TunnelControls } from "../doors/index.ts";
import type { Network } from "../net/index.ts";
import type { Members } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";
import { DataService } from "./data-service.ts";
import { dataListen } from "./listen-addresses.ts";
import { memberCalled, presentMemberCalled } from "./network-views.ts";
import { type Endpoint, parseEndpoint, readExposures, readForwards } from "./tunnel-settings.ts";

const UNUSED: TunnelCounts = { open: 0, total: 0, bytesIn: 0, bytesOut: 0 };

export interface TunnelsParts {
  readonly members: Members;
  readonly network: Network;
  readonly codec: NetworkCodec;
  readonly log: Log;
  readonly kept: { setting(name: string): string | undefined; set(name: string, value: string): void };
}

export interface TunnelsOptions {
  /** The peer key's 32 secret bytes. */
  readonly seed: Uint8Array;
  /** `auto`, or HOST:PORT as the configuration has it. */
  readonly listen: string;
}

export class Tunnels implements TunnelControls, AsyncDisposable {
  readonly #parts: TunnelsParts;
  readonly #data: DataService;

  static async start(parts: TunnelsParts, { seed, listen }: TunnelsOptions): Promise<Tunnels> {
    const { members, network, codec, log, kept } = parts;
    const domainOf = (key: Key): string => members.state?.members.get(key)?.domain ?? "";
    const listening = (port: number): void => {
      if (kept.setting("data-port") !== String(port)) kept.set("data-port", String(port));
    };
    const data = await DataService.start(
      { network, roster: members, domainOf, codec, log, listening },
      { seed, listen: dataListen(listen, kept.setting("data-port")) },
      { exposures: readExposures(kept.setting("exposures")), forwards: readForwards(kept.setting("forwards")) },
    );
    return new Tunnels(parts, data);
  }

  private constructor(parts: TunnelsParts, data: DataService) {
    this.#parts = parts;
    this.#data = data;
  }

  /** Large blobs, which go over the same data plane. */
  get swarm(): BlobSwarm {
    return this.#data;
  }

  /** Lanes of the exchange, which go over the same data plane. */
  get lanes(): FrameLanes {
    return this.#data;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#data[Symbol.asyncDispose]();
  }

  async expose({ target, name, to }: { target: string; name: string; to: readonly string[] }): Promise<unknown> {
    const { host, port } = checked(parseEndpoint(target, 1), "[HOST:]PORT", target);
    const called = name === "" ? String(port) : name;
    if (!isName(called) || (/^\d+$/.test(called) && called !== String(port)))
      throw new CairnError("usage", { why: `a name is made of lower-case letters, digits and hyphens, and no other port: ${called}` });
    const others = this.#data.exposures.filter((one) => one.name !== called);
    if (others.length >= limits.tunnels) throw new CairnError("limit-exceeded", { what: "the number of exposures" });
    const exposure: Exposure = {
      name: called,
      host,
      port,
      to: to.length === 0 ? [this.#ownDomain()] : to.map((one) => this.#permission(one)),
    };
    await this.#keepExposures([...others, exposure]);
    this.#parts.log.event("info", "tunnel.exposed", { name: called, host, port, to: this.#told(exposure.to).join(" ") });
    return this.#exposureView(exposure, UNUSED);
  }

  async exposures(): Promise<unknown> {
    const { exposures } = await this.#data.state();
    return { exposures: this.#data.exposures.map((one) => this.#exposureView(one, exposures[one.name] ?? UNUSED)) };
  }

  async unexpose({ name }: { name: string }): Promise<unknown> {
    const left = this.#data.exposures.filter((one) => one.name !== name);
    if (left.length === this.#data.exposures.length) throw new CairnError("tunnel-unknown", { what: "exposed", name });
    await this.#keepExposures(left);
    this.#parts.log.event("info", "tunnel.unexposed", { name });
    return { removed: name };
  }

  async forward({ listen, target }: { listen: string; target: string }): Promise<unknown> {
    const { host, port } = checked(parseEndpoint(listen, 0), "[HOST:]PORT", listen);
    const [, who = "", service = ""] = /^(.+):([^:]+)$/.exec(target) ?? [];
    if (!isName(service))
      throw new CairnError("usage", { why: `what a member exposes is written MEMBER:PORT or MEMBER:NAME, not ${target}` });
    const { key } = presentMemberCalled(this.#parts.members.state, who);
    if (key === this.#parts.members.self) throw new CairnError("usage", { why: "a tunnel leads to another machine, not to this one" });
    if (this.#data.forwards.length >= limits.tunnels) throw new CairnError("limit-exceeded", { what: "the number of forwards" });
    const name = nameOfForward({ host, port });
    if (this.#data.forwards.some((one) => nameOfForward(one) === name))
      throw new CairnError("usage", { why: `${name} is forwarded already`, advice: `cairn forward --remove ${name}` });
    const forward = await this.#data.forward({ host, port, member: key, service });
    this.#keepForwards();
    this.#parts.log.event("info", "tunnel.forwarded", { host: forward.host, port: forward.port, peer: key, name: service });
    return { ...this.#forwardView(forward), trouble: await this.#troubleOf(forward) };
  }

  async forwards(): Promise<unknown> {
    const { forwards } = await this.#data.state();
    const states = new Map(forwards.map((state) => [nameOfForward(state.forward), state]));
    return {
      forwards: this.#data.forwards.map((forward) => {
        const { listening = false, counts = UNUSED, trouble = "" } = states.get(nameOfForward(forward)) ?? {};
        return { ...this.#forwardView(forward), listening, ...counts, why: trouble };
      }),
    };
  }

  /** What passed between this node and each member on the data plane. */
  async traffic(): Promise<ReadonlyMap<Key, DataTraffic>> {
    return (await this.#data.state()).traffic;
  }

  async unforward({ listen }: { listen: string }): Promise<unknown> {
    const endpoint = parseEndpoint(listen, 0);
    const name = endpoint === undefined ? listen : nameOfForward(endpoint);
    const forward = this.#data.forwards.find((one) => nameOfForward(one) === name);
    if (forward === undefined) throw new CairnError("tunnel-unknown", { what: "forwarded", name });
    await this.#data.unforward(forward, name);
    this.#keepForwards();
    this.#parts.log.event("info", "tunnel.unforwarded", { host: forward.host, port: forward.port });
    return { removed: name };
  }

  async measure({ member, bytes }: { member: string; bytes: number }): Promise<unknown> {
    if (bytes > limits.measureBytes) throw new CairnError("limit-exceeded", { what: "the measurement", bytes });
    const { key, name } = presentMemberCalled(this.#parts.members.state, member);
    try {
      const { path, address, sent, received } = await this.#data.measure(key, bytes);
      return { member: name, key, path, address, sent: rated(sent), received: rated(received) };
    } catch (error) {
      if (error instanceof CairnError) throw new CairnError(error.code, { member: name, ...error.facts }, error);
      throw error;
    }
  }

  /** Why the forward would not work now; null when it would. */
  async #troubleOf(forward: Forward): Promise<object | null> {
    try {
      await this.#data.check(nameOfForward(forward));
      return null;
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      return { code: error.code, member: this.#nameOf(forward.member), ...error.facts };
    }
  }

  async #keepExposures(exposures: readonly Exposure[]): Promise<void> {
    this.#parts.kept.set("exposures", JSON.stringify(exposures));
    await this.#data.expose(exposures);
  }

  #keepForwards(): void {
    this.#parts.kept.set("forwards", JSON.stringify(this.#data.forwards));
  }

  #ownDomain(): Permission {
    const { state, self } = this.#parts.members;
    return { kind: "domain", domain: state?.members.get(self)?.domain ?? "" };
  }

  /** `all`, a domain or a member; where a name is both, `domain:NAME` or `member:NAME`. @throws {CairnError} usage, member-unknown */
  #permission(text: string): Permission {
    const { state } = this.#parts.members;
    const [, kind, name = text] = /^(domain|member):(.*)$/.exec(text) ?? [];
    if (text === "all") return { kind: "all" };
    const isDomain = kind !== "member" && state?.domains.has(name) === true;
    const isMember = kind !== "domain" && [...(state?.members.values() ?? [])].some((member) => member.name === name);
    if (isDomain && isMember)
      throw new CairnError("usage", { why: `${name} is a domain and a member: say domain:${name} or member:${name}` });
    if (isDomain) return { kind: "domain", domain: name };
    if (kind === "domain") throw new CairnError("usage", { why: `there is no domain ${name}` });
    return { kind: "member", key: memberCalled(state, name).key };
  }

  #told(to: readonly Permission[]): string[] {
    return to.map((one) => {
      if (one.kind === "all") return "all";
      return one.kind === "domain" ? `domain:${one.domain}` : `member:${this.#nameOf(one.key)}`;
    });
  }

  #nameOf(key: Key): string {
    return this.#parts.members.state?.members.get(key)?.name ?? brief(key);
  }

  #exposureView(exposure: Exposure, counts: TunnelCounts): object {
    return { name: exposure.name, target: nameOfForward(exposure), to: this.#told(exposure.to), ...counts };
  }

  #forwardView(forward: Forward): object {
    const { member, service } = forward;
    const connected = this.#parts.network.connected(member);
    return {
      listen: nameOfForward(forward),
      member: this.#nameOf(member),
      service,
      connected,
      standing: this.#parts.members.standing(member),
    };
  }
}

function checked(endpoint: Endpoint | undefined, shape: string, text: string): Endpoint {
  if (endpoint === undefined) throw new CairnError("usage", { why: `an address is written ${shape}, not ${text}` });
  return endpoint;
}

function rated({ bytes, ms }: { bytes: number; ms: number }): object {
  return { bytes, ms, bytesPerSecond: ms > 0 ? Math.round((bytes / ms) * 1_000) : 0 };
}
