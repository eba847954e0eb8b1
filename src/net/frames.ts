/**
 * Frames on a libp2p stream: length and bytes, each read and each write with a deadline.
 *
 * Knows: libp2p's streams and what is odd about them. Does not know: what a frame means.
 */
import type { Connection, Stream } from "@libp2p/interface";
import { lpStream } from "@libp2p/utils";

export interface Frames {
  readonly stream: Stream;
  /**
   * The next frame; undefined when the other side has closed.
   *
   * @throws when the deadline passes, the stream is reset, or a frame is larger than was agreed
   */
  read(deadlineMs: number): Promise<Uint8Array | undefined>;
  /** Resolves when the bytes are with the operating system or in libp2p's bounded window. @throws as read */
  write(bytes: Uint8Array, deadlineMs: number): Promise<void>;
  /** Ends this side; what was written still arrives. */
  close(deadlineMs: number): Promise<void>;
  abort(why: string): void;
  /** No frames any more: the stream itself, with whatever has arrived and was not read. */
  release(): Stream;
}

/** @param mostBytes of one frame, either way */
export function framesOf(stream: Stream, mostBytes: number): Frames {
  // Twice, so that a frame can arrive while another is waiting to be read; libp2p aborts the stream above that.
  const framed = lpStream(stream, { maxDataLength: mostBytes, maxBufferSize: 2 * mostBytes + 64 });
  return {
    stream,
    async read(deadlineMs) {
      try {
        return (await framed.read({ signal: AbortSignal.timeout(deadlineMs) })).subarray();
      } catch (error) {
        if (error instanceof Error && error.name === "UnexpectedEOFError" && stream.readBufferLength === 0) return undefined;
        throw error;
      }
    },
    write: (bytes, deadlineMs) => framed.write(bytes, { signal: AbortSignal.timeout(deadlineMs) }),
    close: (deadlineMs) => stream.close({ signal: AbortSignal.timeout(deadlineMs) }),
    abort: (why) => stream.abort(new Error(why)),
    release: () => framed.unwrap(),
  };
}

/** @throws when the other side does not speak the protocol, or not in time */
export async function openFrames(connection: Connection, protocol: string, mostBytes: number, deadlineMs: number): Promise<Frames> {
  return framesOf(await connection.newStream(protocol, { signal: AbortSignal.timeout(deadlineMs) }), mostBytes);
}
