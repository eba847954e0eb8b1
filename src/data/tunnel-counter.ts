/**
 * The connections of one exposure or forward: those that are open, and what all of them carried.
 */
import type { Socket } from "node:net";
import type { DataStream } from "../contracts/index.ts";
import type { TunnelCounts } from "./tunnels.ts";

export class TunnelCounter {
  readonly #open = new Map<Socket, DataStream | undefined>();
  #total = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  /** @param stream what it is joined with, once that is known */
  add(socket: Socket, stream: DataStream | undefined): void {
    if (!this.#open.has(socket)) {
      this.#total += 1;
      socket.once("close", () => {
        this.#open.delete(socket);
        this.#bytesIn += socket.bytesRead;
        this.#bytesOut += socket.bytesWritten;
      });
    }
    this.#open.set(socket, stream);
  }

  get counts(): TunnelCounts {
    const open = [...this.#open.keys()];
    const sum = (bytesOf: (socket: Socket) => number): number => open.reduce((sofar, socket) => sofar + bytesOf(socket), 0);
    return {
      open: open.length,
      total: this.#total,
      bytesIn: this.#bytesIn + sum(({ bytesRead }) => bytesRead),
      bytesOut: this.#bytesOut + sum(({ bytesWritten }) => bytesWritten),
    };
  }

  /** Breaks the connections with these members, or all. */
  cut(isGone: (stream: DataStream | undefined) => boolean = () => true): void {
    for (const [socket, stream] of this.#open) if (isGone(stream)) socket.resetAndDestroy();
  }
}
