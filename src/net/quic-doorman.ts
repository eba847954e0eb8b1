/**
 * The UDP socket before QUIC: a stranger's packets get to what speaks QUIC only as far as TCP would let a stranger.
 *
 * What speaks QUIC begins a handshake for each first packet of anybody, tells nobody of it before it is through, has no deadline for it, and
 * cannot be asked to refuse. So it listens on loopback, and packets come to it through here, by one socket for each place that they come from.
 * A connection that is being made has a place among newcomers, and so much time and so many bytes; other packets pass when they belong to
 * something.
 * Knows: what can be read of packets (RFC 8999; RFC 9000, section 17.2). Does not know: anything that is encrypted.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { limits } from "../base/index.ts";
import type { Newcomers } from "./newcomers.ts";

export interface QuicDoormanParts {
  /** Whether somebody is refused before anything is made of a packet. The address is what the packet says: it may be anybody's. */
  readonly refuses: (ip: string) => boolean;
  readonly newcomers: Newcomers;
}

export interface QuicDoormanOptions {
  readonly family: 4 | 6;
  /** Where QUIC is spoken, on 127.0.0.1. */
  readonly innerPort: number;
}

/** Where a connection comes from; disposed of when the connection has ended. */
export interface Origin extends Disposable {
  readonly ip: string;
  readonly port: number;
}

/** A connection that is being made. */
interface Attempt {
  /** The names that connections go by in long headers: the one that the visitor chose for the other side at first, its own, and the one it is given. */
  readonly first: string;
  readonly own: string;
  given: string | undefined;
  readonly place: Disposable;
  timer: NodeJS.Timeout;
  /** Late ones have no names any more; made ones keep them for what was on its way. */
  state: "begun" | "made" | "late";
  /** Bytes of it that may still come until it is made, and after that with long headers. */
  budget: number;
  /** Packets that may still name what the visitor chose at first: inside, each can begin a handshake anew. */
  firsts: number;
}

/** Where packets come from, and the socket that stands for it inside. */
interface Visitor {
  /** Address and port; with a zone, where there is one. */
  readonly from: string;
  readonly ip: string;
  readonly port: number;
  readonly socket: Socket;
  readonly attempts: Set<Attempt>;
  /** Packets that came before the socket was ready. */
  waiting: Buffer[] | undefined;
  innerPort: number;
  /** Connections that are made. */
  connections: number;
}

interface LongHeader {
  readonly destination: string;
  readonly source: string;
  readonly isFirst: boolean;
}

const { idleMs, newcomerBytes, queuedBytes, socketBytes } = limits.quic;
const LOOPBACK = "127.0.0.1";
/** A packet that begins a connection is at least so long, so that answers to a stranger's address are not much longer (RFC 9000, section 14.1). */
const FIRST_BYTES = 1_200;
const FIRST_NAME_BYTES = 8;
const MOST_NAME_BYTES = 20;
/** The first one, and as often as it is sent again in the time that an attempt has: twice, two at a time. */
const FIRSTS = 5;

export class QuicDoorman {
  readonly #parts: QuicDoormanParts;
  readonly #innerPort: number;
  readonly #socket: Socket;
  readonly #visitors = new Map<string, Visitor>();
  readonly #byInnerPort = new Map<number, Visitor>();
  #isClosed = false;

  constructor(parts: QuicDoormanParts, { family, innerPort }: QuicDoormanOptions) {
    this.#parts = parts;
    this.#innerPort = innerPort;
    this.#socket = createSocket({ type: `udp${family}`, ipv6Only: family === 6, recvBufferSize: socketBytes, sendBufferSize: socketBytes });
    this.#socket.on("error", () => undefined); // A packet is lost; that it cannot be listened is thrown below.
    this.#socket.on("message", (packet, from) => this.#came(packet, from));
  }

  /** @returns the port. @throws when it cannot be listened there */
  async listen(host: string, port: number): Promise<number> {
    const listening = once(this.#socket, "listening");
    this.#socket.bind({ address: host, port, exclusive: true });
    await listening;
    return this.#socket.address().port;
  }

  /**
   * A connection is made: it is no newcomer any more.
   *
   * @param innerPort where it comes from as seen from inside
   * @returns where it really comes from; undefined when it has not come through here
   */
  made(innerPort: number): Origin | undefined {
    const visitor = this.#byInnerPort.get(innerPort);
    if (visitor === undefined) return undefined;
    visitor.connections++;
    // Which one it is of those that are being made cannot be seen; the eldest, most likely.
    const attempt = [...visitor.attempts].find(({ state }) => state === "begun");
    if (attempt !== undefined) attempt.state = "made";
    attempt?.place[Symbol.dispose]();
    let isOpen = true;
    const end = (): void => {
      if (isOpen) visitor.connections--;
      isOpen = false;
      this.#perhapsForget(visitor);
    };
    return { ip: visitor.ip, port: visitor.port, [Symbol.dispose]: end };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const visitor of this.#visitors.values()) this.#drop(visitor);
    this.#socket.close();
  }

  #came(packet: Buffer, { address, port }: RemoteInfo): void {
    const from = `${address} ${port}`;
    const visitor = this.#visitors.get(from);
    if (isShort(packet)) return visitor === undefined ? undefined : this.#passShort(visitor, packet);
    const header = longHeader(packet);
    if (header === undefined) return;
    const { destination } = header;
    const known = [...(visitor?.attempts ?? [])].find(({ first, given }) => destination === first || destination === given);
    if (visitor !== undefined && known !== undefined) return this.#passLong(visitor, known, { packet, destination });
    if (!header.isFirst) return;
    const ip = address.replace(/%.*$/, "");
    const place = this.#parts.refuses(ip) ? undefined : this.#parts.newcomers.admit(ip);
    if (place === undefined) return;
    const welcome = visitor ?? this.#meet(ip, port, address);
    this.#passLong(welcome, this.#begin(welcome, header, place), { packet, destination });
  }

  /** @param address with its zone */
  #meet(ip: string, port: number, address: string): Visitor {
    const socket = createSocket({ type: "udp4", recvBufferSize: socketBytes, sendBufferSize: socketBytes });
    const from = `${address} ${port}`;
    const visitor: Visitor = { from, ip, port, socket, attempts: new Set(), waiting: [], innerPort: 0, connections: 0 };
    this.#visitors.set(from, visitor);
    socket.on("error", () => {
      if (visitor.waiting !== undefined) this.#drop(visitor); // Nothing stands for it inside, and nothing will. Otherwise a packet is lost.
    });
    socket.on("message", (packet) => {
      const header = isShort(packet) ? undefined : longHeader(packet);
      if (header !== undefined)
        for (const attempt of visitor.attempts) if (attempt.own === header.destination) attempt.given = header.source;
      if (!this.#isClosed) send(this.#socket, packet, port, address);
    });
    socket.bind({ address: LOOPBACK, port: 0, exclusive: true }, () => {
      visitor.innerPort = socket.address().port;
      this.#byInnerPort.set(visitor.innerPort, visitor);
      socket.connect(this.#innerPort, LOOPBACK);
    });
    socket.once("connect", () => {
      for (const packet of visitor.waiting ?? []) send(socket, packet);
      visitor.waiting = undefined;
    });
    return visitor;
  }

  #begin(visitor: Visitor, { destination, source }: LongHeader, place: Disposable): Attempt {
    const late = (): void => {
      if (attempt.state === "made") return this.#settle(visitor, attempt);
      // None of its packets pass any more. Inside, it ends only when it has been silent for long, and has its place until then.
      attempt.state = "late";
      attempt.timer = setTimeout(() => this.#settle(visitor, attempt), idleMs).unref();
    };
    const timer = setTimeout(late, limits.helloDeadlineMs).unref();
    const names = { first: destination, own: source, given: undefined };
    const attempt: Attempt = { ...names, place, timer, state: "begun", budget: newcomerBytes, firsts: FIRSTS };
    visitor.attempts.add(attempt);
    return attempt;
  }

  /** Whichever connection it belongs to; before there is one, an attempt pays for it. */
  #passShort(visitor: Visitor, packet: Buffer): void {
    if (visitor.connections === 0) {
      const payer = [...visitor.attempts].find(({ state, budget }) => state === "begun" && budget >= packet.length);
      if (payer === undefined) return;
      payer.budget -= packet.length;
    }
    this.#pass(visitor, packet);
  }

  /** Paid for by its attempt, whatever connections the visitor has. */
  #passLong(visitor: Visitor, attempt: Attempt, { packet, destination }: { readonly packet: Buffer; readonly destination: string }): void {
    if (attempt.state === "late" || attempt.budget < packet.length) return;
    if (destination === attempt.first) {
      if (attempt.state === "made" || attempt.firsts === 0) return;
      attempt.firsts--;
    }
    attempt.budget -= packet.length;
    this.#pass(visitor, packet);
  }

  #pass(visitor: Visitor, packet: Buffer): void {
    if (visitor.waiting === undefined) send(visitor.socket, packet);
    else visitor.waiting.push(packet); // As many as the budgets allow.
  }

  #settle(visitor: Visitor, attempt: Attempt): void {
    clearTimeout(attempt.timer);
    attempt.place[Symbol.dispose]();
    visitor.attempts.delete(attempt);
    this.#perhapsForget(visitor);
  }

  #drop(visitor: Visitor): void {
    for (const attempt of visitor.attempts) this.#settle(visitor, attempt);
    this.#forget(visitor);
  }

  #perhapsForget(visitor: Visitor): void {
    if (visitor.connections === 0 && visitor.attempts.size === 0) this.#forget(visitor);
  }

  #forget(visitor: Visitor): void {
    if (this.#visitors.get(visitor.from) !== visitor) return;
    this.#visitors.delete(visitor.from);
    this.#byInnerPort.delete(visitor.innerPort); // It has none before its socket is bound.
    visitor.socket.close();
  }
}

/** As packets may be, it is lost where there are too many. */
function send(socket: Socket, packet: Buffer, ...to: [] | [port: number, address: string]): void {
  if (socket.getSendQueueSize() > queuedBytes) return;
  if (to.length === 0) socket.send(packet, ignore);
  else socket.send(packet, ...to, ignore);
}

function ignore(): void {}

/** Packets of connections that are made, whose names only their two ends know the length of. The next bit may be anything (RFC 9287). */
function isShort(packet: Buffer): boolean {
  return packet.length > 0 && packet.readUInt8(0) < 0x80;
}

/** Undefined when it is no such packet of version 1. */
function longHeader(packet: Buffer): LongHeader | undefined {
  if (packet.length < 7 || isShort(packet) || packet.readUInt32BE(1) !== 1) return undefined;
  const destinationBytes = packet.readUInt8(5);
  const sourceAt = 6 + destinationBytes;
  if (destinationBytes > MOST_NAME_BYTES || packet.length <= sourceAt) return undefined;
  const sourceBytes = packet.readUInt8(sourceAt);
  if (sourceBytes > MOST_NAME_BYTES || packet.length < sourceAt + 1 + sourceBytes) return undefined;
  const isInitial = ((packet.readUInt8(0) >> 4) & 0b11) === 0;
  return {
    destination: packet.toString("hex", 6, sourceAt),
    source: packet.toString("hex", sourceAt + 1, sourceAt + 1 + sourceBytes),
    isFirst: isInitial && packet.length >= FIRST_BYTES && destinationBytes >= FIRST_NAME_BYTES,
  };
}
