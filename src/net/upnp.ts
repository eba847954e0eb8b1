/**
 * UPnP (Internet Gateway Device 1 and 2): asks a router to let connections to one of its ports through to this machine, for a while.
 *
 * Only the router of the default route is listened to, and nothing but an address of its own is asked.
 * Knows: finding the router's service, and asking it. Does not know: which router, or which ports.
 */
import { randomInt } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { isIPv4 } from "node:net";
import { CairnError, limits } from "../base/index.ts";
import type { MappedPort, PortMapper } from "./port-mapping.ts";
import {
  type ActionAnswer,
  actionBody,
  answerIn,
  type GatewayService,
  locationIn,
  onlyForGood,
  portIsTaken,
  searchFor,
  serviceIn,
} from "./upnp-messages.ts";

export interface UpnpOptions {
  /** Where gateways hear a search: the group, or undefined for the router alone, and the UDP port. */
  readonly group: string | undefined;
  readonly port: number;
}

const SSDP: UpnpOptions = { group: "239.255.255.250", port: 1_900 };

interface Gateway {
  readonly router: string;
  readonly service: GatewayService;
  /** This machine's address where the router is. */
  readonly local: string;
}

/** Tries when a port outside is taken by another machine. */
const PORTS_TRIED = 4;
const DYNAMIC_PORTS = [49_152, 65_536] as const;

export class Upnp implements PortMapper {
  readonly name = "UPnP";
  readonly #options: UpnpOptions;
  #gateway: Gateway | undefined;
  /** Ports outside, by ports of this machine. */
  readonly #external = new Map<number, number>();

  constructor(options: UpnpOptions = SSDP) {
    this.#options = options;
  }

  async externalAddress(router: string): Promise<string> {
    this.#gateway = await findGateway(router, this.#options);
    const { values } = done(await ask(this.#gateway, "GetExternalIPAddress", {}));
    const address = values.get("NewExternalIPAddress") ?? "";
    if (!isIPv4(address)) throw new CairnError("peer-absent", { why: "the router has no address itself" });
    return address;
  }

  async mapPort(router: string, port: number, lifetimeS: number): Promise<MappedPort> {
    const gateway = this.#gateway?.router === router ? this.#gateway : await findGateway(router, this.#options);
    if (lifetimeS === 0) return this.#unmap(gateway, port);
    let external = this.#external.get(port) ?? port;
    for (let tries = 1; ; tries++) {
      const answer = await add(gateway, external, port, lifetimeS);
      if (answer.kind === "refused" && answer.code === portIsTaken && tries < PORTS_TRIED) {
        external = randomInt(...DYNAMIC_PORTS);
        continue;
      }
      done(answer);
      this.#external.set(port, external);
      return { externalPort: external, lifetimeS };
    }
  }

  async #unmap(gateway: Gateway, port: number): Promise<MappedPort> {
    const external = this.#external.get(port) ?? port;
    done(await ask(gateway, "DeletePortMapping", { NewRemoteHost: "", NewExternalPort: external, NewProtocol: "TCP" }));
    this.#external.delete(port);
    return { externalPort: external, lifetimeS: 0 };
  }
}

async function add(gateway: Gateway, external: number, port: number, lifetimeS: number): Promise<ActionAnswer> {
  const mapping = (leaseS: number): Promise<ActionAnswer> =>
    ask(gateway, "AddPortMapping", {
      NewRemoteHost: "",
      NewExternalPort: external,
      NewProtocol: "TCP",
      NewInternalPort: port,
      NewInternalClient: gateway.local,
      NewEnabled: 1,
      NewPortMappingDescription: "cairn",
      NewLeaseDuration: leaseS,
    });
  const answer = await mapping(lifetimeS);
  // Some gateways of the first version know no leases; it is given back at the end all the same.
  return answer.kind === "refused" && answer.code === onlyForGood ? mapping(0) : answer;
}

function done(answer: ActionAnswer): ActionAnswer & { kind: "done" } {
  if (answer.kind === "done") return answer;
  throw new CairnError("peer-absent", { why: answer.why });
}

async function findGateway(router: string, options: UpnpOptions): Promise<Gateway> {
  const local = await localAddress(router, options);
  const location = await search(router, local, options);
  const service = serviceIn(await fetchText(location, { method: "GET" }), location, router);
  if (service === undefined) throw new CairnError("peer-absent", { why: "the router offers no service that maps ports" });
  return { router, service, local };
}

async function ask({ service }: Gateway, action: string, args: Readonly<Record<string, string | number>>): Promise<ActionAnswer> {
  const headers = { "content-type": 'text/xml; charset="utf-8"', soapaction: `"${service.type}#${action}"` };
  return answerIn(await fetchText(service.control, { method: "POST", headers, body: actionBody(service, action, args) }), action);
}

/** @throws {CairnError} peer-silent, limit-exceeded */
async function fetchText(url: URL, request: RequestInit): Promise<string> {
  const signal = AbortSignal.timeout(limits.mapAnswerMs);
  try {
    // Errors of actions come with status 500.
    const response = await fetch(url, { ...request, redirect: "error", signal });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const body: AsyncIterable<Uint8Array> | null = response.body;
    for await (const chunk of body ?? []) {
      bytes += chunk.length;
      if (bytes > limits.mapDescriptionBytes) throw new CairnError("limit-exceeded", { what: "bytes of a router's answer" });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    if (signal.aborted) throw new CairnError("peer-silent", { waitedMs: limits.mapAnswerMs });
    throw error;
  }
}

/** The address of this machine from which the router is reached; nothing is sent. */
async function localAddress(router: string, { port }: UpnpOptions): Promise<string> {
  const socket = createSocket("udp4");
  try {
    socket.connect(port, router);
    await once(socket, "connect");
    return socket.address().address;
  } finally {
    socket.close();
  }
}

/** Where the router's description is. Asks the group that gateways listen to, and the router itself. @throws {CairnError} peer-silent */
async function search(router: string, local: string, { group, port }: UpnpOptions): Promise<URL> {
  const { promise, resolve, reject } = Promise.withResolvers<URL>();
  promise.catch(() => undefined); // It may be given up before anybody waits for it.
  const socket = createSocket("udp4");
  const deadline = setTimeout(() => reject(new CairnError("peer-silent", { waitedMs: limits.mapAnswerMs })), limits.mapAnswerMs);
  let repeat: NodeJS.Timeout | undefined;
  const send = (afterMs: number): void => {
    for (const host of group === undefined ? [router] : [group, router])
      socket.send(searchFor(`${host}:${port}`), port, host, () => undefined);
    repeat = setTimeout(() => send(2 * afterMs), afterMs);
  };
  socket.on("error", reject);
  socket.on("message", (answer, { address }) => {
    const location = address === router ? locationIn(answer, router) : undefined;
    if (location !== undefined) resolve(location);
  });
  try {
    socket.bind(0, local);
    await once(socket, "listening");
    aimAt(socket, local);
    send(limits.mapRepeatMs);
    return await promise;
  } finally {
    clearTimeout(deadline);
    clearTimeout(repeat);
    socket.close();
  }
}

/** The group is asked in the router's network only, and no router passes it on. */
function aimAt(socket: Socket, local: string): void {
  socket.setMulticastInterface(local);
  socket.setMulticastTTL(1);
}
