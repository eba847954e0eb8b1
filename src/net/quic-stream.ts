/**
 * A stream of QUIC as libp2p wants it.
 *
 * It is read only as long as somebody takes what comes: then QUIC's own windows make the other side wait. One piece is written at a time.
 * Knows: how such streams end. Does not know: its connection.
 */
import type { Logger, MessageStreamDirection } from "@libp2p/interface";
import { AbstractStream, type SendResult } from "@libp2p/utils";
import { asError, limits, reasonOf } from "../base/index.ts";
import type { NativeStream } from "./quic-native.ts";

type Bytes = Parameters<AbstractStream["sendData"]>[0];

export interface QuicStreamParts {
  readonly native: NativeStream;
  readonly direction: MessageStreamDirection;
  readonly log: Logger;
  /** Something has come. */
  readonly arrived: (bytes: Uint8Array) => void;
}

const { pieceBytes, streamBytes } = limits.quic;

export class QuicStream extends AbstractStream {
  /** Resolves when nothing more is read. */
  readonly ended: Promise<void>;
  readonly #native: NativeStream;
  readonly #arrived: (bytes: Uint8Array) => void;
  /** Whoever reads waits for it while nobody takes what came. */
  #wanted: PromiseWithResolvers<void> | undefined;

  constructor({ native, direction, log, arrived }: QuicStreamParts) {
    super({
      id: native.id(),
      direction,
      log,
      maxMessageSize: pieceBytes,
      maxReadBufferLength: 2 * streamBytes,
      maxWriteBufferLength: limits.memberQueueBytes,
    });
    this.#native = native;
    this.#arrived = arrived;
    this.addEventListener("close", () => this.#wanted?.resolve());
    this.ended = this.#read();
  }

  /** Whether something is left that nobody takes. */
  get isPaused(): boolean {
    return this.#wanted !== undefined;
  }

  override sendData(data: Bytes): SendResult {
    const sentBytes = data.byteLength;
    this.#native.write(data.subarray()).then(
      () => this.#sent(),
      () => this.#wasReset(), // By the other side, or the connection has ended.
    );
    return { sentBytes, canSendMore: false };
  }

  override async sendCloseWrite(): Promise<void> {
    await this.#native.finishWrite();
  }

  /** What still comes is dropped: to refuse it would keep the end from being seen. */
  override async sendCloseRead(): Promise<void> {
    this.#wanted?.resolve();
    await Promise.resolve();
  }

  override sendReset(): void {
    this.#release();
  }

  override sendPause(): void {
    // The next piece waits.
  }

  override sendResume(): void {
    this.#wanted?.resolve();
  }

  /** Also called when somebody begins to listen. */
  protected override dispatchReadBuffer(): void {
    super.dispatchReadBuffer();
    this.#wanted?.resolve();
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        while (this.#isFull()) {
          this.#wanted = Promise.withResolvers();
          await this.#wanted.promise;
          this.#wanted = undefined;
        }
        const bytes = await this.#native.read(pieceBytes);
        if (bytes === null) return this.onRemoteCloseWrite();
        this.#arrived(bytes);
        this.onData(bytes);
      }
    } catch (error) {
      // When its connection ends, that tells of it.
      if (/reset/.test(reasonOf(error))) this.#wasReset();
      else this.log.trace("no more of it: %e", asError(error));
    }
  }

  /** Who waits to send more hears of it when all is sent: those who are told of each piece would put in more than goes out. */
  #sent(): void {
    if (this.writeBufferLength === 0) return void this.safeDispatchEvent("drain");
    this.writableNeedsDrain = false;
    this.processSendQueue();
  }

  #isFull(): boolean {
    if (this.status !== "open" && this.status !== "closing") return false;
    return this.readStatus === "paused" || this.readBufferLength >= streamBytes;
  }

  /** A reset is about both directions. */
  #wasReset(): void {
    if (this.status !== "open" && this.status !== "closing") return;
    this.onRemoteReset();
    this.#release();
  }

  #release(): void {
    this.#native.resetWrite().catch(() => undefined); // Nothing is left of it.
    this.#native.stopRead().catch(() => undefined);
  }
}
