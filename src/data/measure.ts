/**
 * How fast bytes travel to a member and back: a service that takes as many bytes as are sent, or sends as many as are asked for.
 *
 * Knows: counting and the clock. Does not know: which way the bytes take.
 */
import type { Duplex } from "node:stream";
import { type Key, limits } from "../base/index.ts";
import type { DataPlane, DataVerdict } from "../contracts/index.ts";

const MEASURE = "measure";
const CHUNK = Buffer.alloc(65_536);
const COUNT_BYTES = 8;

/** Bytes that arrived at the other side, and how long that took. */
export interface Flow {
  readonly bytes: number;
  readonly ms: number;
}

export interface Measured {
  readonly path: string;
  readonly address: string;
  readonly sent: Flow;
  readonly received: Flow;
}

/** One measurement at a time: two would measure each other. */
export function serveMeasurements(plane: DataPlane): void {
  let busy = false;
  plane.serve(MEASURE, ({ argument }): Promise<DataVerdict> => {
    const [, direction, digits] = /^(take|give) (\d{1,10})$/.exec(argument) ?? [];
    const bytes = Number(digits);
    if (direction === undefined || bytes > limits.measureBytes) return Promise.resolve({ kind: "refused", reason: "too-much" });
    if (busy) return Promise.resolve({ kind: "refused", reason: "another measurement runs there" });
    busy = true;
    return Promise.resolve({
      kind: "ready",
      begin: (stream) => {
        const late = setTimeout(() => stream.bytes.destroy(), 2 * limits.measureMs);
        stream.bytes
          .on("error", () => undefined)
          .once("close", () => {
            clearTimeout(late);
            busy = false;
          });
        if (stream.bytes.destroyed) busy = false;
        else if (direction === "take") take(stream.bytes);
        else void give(stream.bytes, bytes, AbortSignal.timeout(limits.measureMs)).then(() => stream.bytes.resume().end());
      },
    });
  });
}

/**
 * Sends so many bytes to a member, then receives as many; whatever did not fit into the time for it is left out.
 *
 * @throws as {@link DataPlane.open}
 */
export async function measure(plane: DataPlane, key: Key, bytes: number, signal: AbortSignal): Promise<Measured> {
  const there = await plane.open({ key, service: MEASURE, argument: `take ${bytes}` }, signal);
  let begun = performance.now();
  const counted = receive(there.bytes, signal);
  await give(there.bytes, bytes, AbortSignal.any([signal, AbortSignal.timeout(limits.measureMs)]));
  there.bytes.end();
  const { last } = await counted;
  const sent = { bytes: last.length === COUNT_BYTES ? Number(last.readBigUInt64BE()) : 0, ms: performance.now() - begun };

  const back = await plane.open({ key, service: MEASURE, argument: `give ${bytes}` }, signal);
  begun = performance.now();
  const received = await receive(back.bytes, signal);
  back.bytes.end();
  return { path: there.path, address: there.address, sent, received: { bytes: received.bytes, ms: performance.now() - begun } };
}

/** Counts what arrives, and says how much it was. */
function take(bytes: Duplex): void {
  let count = 0;
  bytes.on("data", (chunk: Buffer) => {
    count += chunk.length;
  });
  bytes.once("end", () => {
    const answer = Buffer.alloc(COUNT_BYTES);
    answer.writeBigUInt64BE(BigInt(count));
    bytes.end(answer);
  });
}

/** Writes as fast as the other side reads, until all is written, the signal aborts or the stream breaks. */
async function give(bytes: Duplex, count: number, signal: AbortSignal): Promise<void> {
  for (let left = count; left > 0 && !signal.aborted && !bytes.destroyed; left -= CHUNK.length) {
    if (bytes.write(left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        bytes.off("drain", go).off("close", go);
        signal.removeEventListener("abort", go);
        resolve();
      };
      bytes.on("drain", go).on("close", go);
      signal.addEventListener("abort", go);
    });
  }
}

/** Everything until the end: how much, and the last piece of it. */
function receive(bytes: Duplex, signal: AbortSignal): Promise<{ bytes: number; last: Buffer }> {
  return new Promise((resolve, reject) => {
    let count = 0;
    let last: Buffer = Buffer.alloc(0);
    const stop = (): void => void bytes.destroy();
    signal.addEventListener("abort", stop);
    bytes.on("data", (chunk: Buffer) => {
      count += chunk.length;
      last = chunk;
    });
    const done = (): void => {
      signal.removeEventListener("abort", stop);
      resolve({ bytes: count, last });
    };
    bytes.once("end", done).once("close", done).once("error", reject);
  });
}
