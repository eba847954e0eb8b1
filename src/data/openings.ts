/**
 * The first frame of each side of a stream: one byte pair for the length, then the bytes.
 *
 * Knows: reading exactly so much from a stream as belongs to the frame. Does not know: what the frame says.
 */
import type { Duplex } from "node:stream";
import { asError, CairnError, limits } from "../base/index.ts";

const HEADER_BYTES = 2;

export function writeOpening(bytes: Duplex, frame: Uint8Array): void {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(frame.length);
  bytes.write(Buffer.concat([header, frame]));
}

/**
 * Reads one frame; what follows it stays in the stream, which is paused after that.
 *
 * @throws {CairnError} frame-invalid when it is too large; or what broke the stream, or the reason of the signal
 */
export async function readOpening(bytes: Duplex, signal: AbortSignal): Promise<Uint8Array> {
  const header = await readExactly(bytes, HEADER_BYTES, signal);
  const length = header.readUInt16BE();
  if (length > limits.dataOpeningBytes) throw new CairnError("frame-invalid", { what: "opening", bytes: length });
  return length === 0 ? Buffer.alloc(0) : readExactly(bytes, length, signal);
}

function readExactly(bytes: Duplex, count: number, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      bytes.off("readable", look).off("end", ended).off("close", ended).off("error", failed);
      signal.removeEventListener("abort", late);
      settle();
    };
    const look = (): void => {
      // Fewer bytes than were asked for come only at the end of the stream.
      const chunk: unknown = bytes.read(count);
      if (chunk instanceof Buffer && chunk.length === count) done(() => resolve(chunk));
    };
    const failed = (error: Error): void => done(() => reject(error));
    const ended = (): void => done(() => reject(new CairnError("peer-absent", { why: "connection closed" })));
    const late = (): void => done(() => reject(asError(signal.reason)));
    if (signal.aborted) return late();
    signal.addEventListener("abort", late);
    bytes.on("readable", look).once("end", ended).once("close", ended).once("error", failed);
    look();
  });
}
