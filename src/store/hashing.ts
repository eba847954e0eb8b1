/**
 * SHA-256 and CRC-32 of blobs that come part by part: of small ones here, of large ones in a thread of its own, which is started for the first of
 * them and ends when none has come for a while.
 *
 * Knows: the thread's life, and what is waited for. Does not know: what the bytes are.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { type Log, limits } from "../base/index.ts";
import type { HashAnswer, HashOrder } from "./hash-thread.ts";
import { type Hashed, RunningHash } from "./running-hash.ts";

/** Less is hashed before another thread has heard of it. */
const THREAD_FROM_BYTES = 2_097_152;

/** One blob. Parts are given in their order, and none after the end. */
export interface Hashing extends Disposable {
  /**
   * Gives memory away whose first `bytes` come next. @returns the same memory, to be used anew
   *
   * @throws where the thread has ended
   */
  part(memory: ArrayBuffer, bytes: number): Promise<ArrayBuffer>;
  /** @throws where the thread has ended */
  end(): Promise<Hashed>;
}

export class HashThread implements AsyncDisposable {
  readonly #log: Log;
  #running: Running | undefined;
  #blobs = 0;
  #open = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(parts: { readonly log: Log }) {
    this.#log = parts.log;
  }

  /** @param size of the blob, where that is known; others are hashed here */
  begin(size = 0): Hashing {
    return size < THREAD_FROM_BYTES ? here() : this.#elsewhere();
  }

  #elsewhere(): Hashing {
    const id = ++this.#blobs;
    clearTimeout(this.#idle);
    const running = (this.#running ??= this.#start());
    if (this.#open++ === 0) running.worker.ref();
    return {
      part: async (memory, bytes) => (await running.ask({ kind: "part", id, memory, bytes }, [memory])) as ArrayBuffer,
      end: async () => (await running.ask({ kind: "end", id })) as Hashed,
      [Symbol.dispose]: () => {
        running.tell({ kind: "drop", id });
        if (--this.#open === 0) this.#rest();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle);
    const running = this.#running;
    this.#running = undefined; // Whoever begins meanwhile gets another.
    await running?.worker.terminate();
  }

  #start(): Running {
    // Beside this file, in the checkout as in the package.
    const file = new URL(`./hash-thread${extname(import.meta.filename)}`, import.meta.url);
    const running = new Running(new Worker(file, { name: "cairn-hash" }));
    running.worker.once("error", (error) => this.#log.event("error", "store.hash-thread-failed", { error: String(error) }));
    running.worker.once("exit", () => {
      running.end();
      if (this.#running === running) this.#running = undefined;
    });
    this.#log.event("debug", "store.hash-thread-started");
    return running;
  }

  /** Nobody waits for it: it keeps no process alive. */
  #rest(): void {
    this.#running?.worker.unref();
    this.#idle = setTimeout(() => void this[Symbol.asyncDispose](), limits.hashThreadIdleMs).unref();
  }
}

function here(): Hashing {
  const hash = new RunningHash();
  return {
    part: async (memory, bytes) => {
      hash.take(new Uint8Array(memory, 0, bytes));
      return memory;
    },
    end: async () => hash.end(),
    [Symbol.dispose]: () => undefined,
  };
}

interface Waiting {
  readonly resolve: (answer: HashAnswer) => void;
  readonly reject: (error: Error) => void;
}

class Running {
  readonly worker: Worker;
  /** In the order in which they are answered. */
  readonly #waiting: Waiting[] = [];
  #hasEnded = false;

  constructor(worker: Worker) {
    this.worker = worker;
    worker.on("message", (answer: HashAnswer) => this.#waiting.shift()?.resolve(answer));
  }

  tell(order: HashOrder, transfer: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(order, transfer);
  }

  ask(order: HashOrder, transfer: readonly ArrayBuffer[] = []): Promise<HashAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<HashAnswer>();
    if (this.#hasEnded) reject(ended());
    else {
      this.#waiting.push({ resolve, reject });
      this.tell(order, transfer);
    }
    return promise;
  }

  end(): void {
    this.#hasEnded = true;
    for (const { reject } of this.#waiting.splice(0)) reject(ended());
  }
}

function ended(): Error {
  return new Error("the thread that hashes blobs has ended");
}
