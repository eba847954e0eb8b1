/**
 * Calls between two threads: each side answers some, and asks the other for more.
 *
 * Knows: questions, answers, what is still waited for. Does not know: what is asked.
 */
import type { MessagePort, Transferable, Worker } from "node:worker_threads";
import { CairnError, type ErrorCode, type Facts } from "../base/index.ts";

/** What one side answers: plain values in, plain values out. */
export type Answers = Readonly<Record<string, (value: never) => unknown>>;

type Message =
  | { readonly kind: "ask"; readonly id: number; readonly name: string; readonly value: unknown }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly code: ErrorCode | undefined; readonly facts: Facts; readonly text: string };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** `Theirs` is what the other side answers. */
export class Calls<Theirs extends Answers> {
  readonly #port: MessagePort | Worker;
  #ours: Answers = {};
  readonly #waiting = new Map<number, Waiting>();
  #id = 0;

  constructor(port: MessagePort | Worker) {
    this.#port = port;
  }

  /** Answers from now on; what was asked before waits in the port, and so do answers. */
  begin(ours: Answers): void {
    this.#ours = ours;
    this.#port.on("message", (message: Message) => this.#take(message));
  }

  /**
   * @param transfer what is given away
   * @throws what the other side throws, a CairnError as such; peer-absent when the other thread has ended
   */
  ask<Name extends keyof Theirs & string>(
    name: Name,
    value: Parameters<Theirs[Name]>[0],
    transfer: Transferable[] = [],
  ): Promise<Awaited<ReturnType<Theirs[Name]>>> {
    const id = ++this.#id;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { resolve, reject });
    this.#port.postMessage({ kind: "ask", id, name, value } satisfies Message, transfer);
    return promise as Promise<Awaited<ReturnType<Theirs[Name]>>>;
  }

  /** Fails whatever is waited for. */
  end(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new CairnError("peer-absent", { why }));
    this.#waiting.clear();
  }

  #take(message: Message): void {
    if (message.kind === "ask") return void this.#answer(message.id, message.name, message.value);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === "answer") return waiting?.resolve(message.value);
    waiting?.reject(message.code === undefined ? new Error(message.text) : new CairnError(message.code, message.facts));
  }

  async #answer(id: number, name: string, value: unknown): Promise<void> {
    let message: Message;
    const transfer: Transferable[] = [];
    try {
      const answer = this.#ours[name] as ((value: unknown) => unknown) | undefined;
      const result = await answer?.(value);
      if (hasPort(result)) transfer.push(result.port);
      message = { kind: "answer", id, value: result };
    } catch (error) {
      const [code, facts] = error instanceof CairnError ? [error.code, error.facts] : [undefined, {}];
      message = { kind: "failed", id, code, facts, text: error instanceof Error ? error.message : String(error) };
    }
    this.#port.postMessage(message, transfer);
  }
}

/** An answer may give a message port away. */
function hasPort(value: unknown): value is { readonly port: MessagePort } {
  return typeof value === "object" && value !== null && "port" in value && typeof value.port === "object";
}
