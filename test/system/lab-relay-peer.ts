/**
 * A program on a machine of the lab that uses tunnels: it answers with what it is sent, and sends to others that do.
 *
 * Run by lab-relay-load.ts, which tells it by messages what to do. Knows: sockets, clocks. Does not know: that the network relays.
 */
import net, { type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** Where each program answers. */
export const ECHO_PORT = 7000;

export type Order =
  | { readonly do: "connect"; readonly port: number; readonly streams: number }
  /** All streams send messages of so many bytes, each so often; 0: the next one as soon as the last one is back. */
  | { readonly do: "load"; readonly bytes: number; readonly everyMs: number }
  /** One stream of its own sends a small message so often. */
  | { readonly do: "probe"; readonly port: number; readonly everyMs: number }
  /** What happened since the last report. */
  | { readonly do: "report" };

export interface Told {
  /** Bytes that came back. */
  readonly bytes: number;
  /** The longest that a stream has waited for its message to come back, those included that still wait; ms. */
  readonly longestMs: number;
  /** There and back, of small messages; ms. */
  readonly probesMs: readonly number[];
  /** Streams that broke. */
  readonly broken: number;
}

const PROBE_BYTES = 1_024;

/** A stream whose messages come back. */
class Echoed {
  readonly #socket: Socket;
  #missing = 0;
  #sentAt: number | undefined;
  #back: (() => void) | undefined;
  isBroken = false;

  constructor(port: number) {
    this.#socket = net.connect(port, "127.0.0.1");
    this.#socket.on("error", () => undefined).once("close", () => this.#broke());
    this.#socket.on("data", (bytes) => this.#came(bytes.length));
  }

  /** ms that the message which is under way has been so far. */
  get waitsMs(): number {
    return this.#sentAt === undefined ? 0 : performance.now() - this.#sentAt;
  }

  /** @returns ms there and back */
  async send(message: Buffer): Promise<number> {
    const sentAt = performance.now();
    this.#sentAt = sentAt;
    this.#missing = message.length;
    const back = new Promise<void>((resolve) => {
      this.#back = resolve;
    });
    this.#socket.write(message);
    await back;
    this.#sentAt = undefined;
    return performance.now() - sentAt;
  }

  #came(bytes: number): void {
    this.#missing -= bytes;
    if (this.#missing <= 0) this.#back?.();
  }

  #broke(): void {
    this.isBroken = true;
    this.#back?.();
  }
}

const streams: Echoed[] = [];
let load = { message: Buffer.alloc(0), everyMs: 0 };
let counted = { bytes: 0, longestMs: 0, probesMs: [] as number[] };

async function keepSending(stream: Echoed): Promise<void> {
  // Not all at the same moment.
  await pause(Math.random() * load.everyMs);
  while (!stream.isBroken) {
    const { message, everyMs } = load;
    const began = performance.now();
    const tookMs = message.length === 0 ? 0 : await stream.send(message);
    if (stream.isBroken) return;
    counted.bytes += message.length;
    counted.longestMs = Math.max(counted.longestMs, tookMs);
    await pause(message.length === 0 ? 100 : Math.max(0, began + everyMs - performance.now()));
  }
}

async function keepProbing(stream: Echoed, everyMs: number): Promise<void> {
  const message = Buffer.alloc(PROBE_BYTES, 2);
  while (!stream.isBroken) {
    const tookMs = await stream.send(message);
    if (!stream.isBroken) counted.probesMs.push(tookMs);
    await pause(everyMs);
  }
}

function report(): Told {
  const { bytes, longestMs, probesMs } = counted;
  counted = { bytes: 0, longestMs: 0, probesMs: [] };
  const waiting = Math.max(longestMs, ...streams.map(({ waitsMs }) => waitsMs));
  return { bytes, longestMs: waiting, probesMs, broken: streams.filter(({ isBroken }) => isBroken).length };
}

function obey(order: Order): Told | undefined {
  switch (order.do) {
    case "connect":
      for (let i = 0; i < order.streams; i++) {
        const stream = new Echoed(order.port);
        streams.push(stream);
        void keepSending(stream);
      }
      return undefined;
    case "load":
      load = { message: Buffer.alloc(order.bytes, 1), everyMs: order.everyMs };
      return undefined;
    case "probe": {
      const stream = new Echoed(order.port);
      streams.push(stream);
      void keepProbing(stream, order.everyMs);
      return undefined;
    }
    case "report":
      return report();
  }
}

if (process.send !== undefined) {
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(ECHO_PORT, "127.0.0.1", () => process.send?.("ready"));
  process.on("message", (order: Order) => void process.send?.(obey(order) ?? null));
  process.on("disconnect", () => process.exit(0));
}
