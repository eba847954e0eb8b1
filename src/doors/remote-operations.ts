/**
 * Executions of the Remote Execution API: who waits for which, and how far it is.
 *
 * Whoever wants what runs already waits for the same run. An execution that nobody waits for any more is ended: at once where its clients have
 * cancelled it, and else after a while, as a client whose connection broke can come back to it by its name.
 * Knows: the order of things. Does not know: what an action consists of, or where it runs.
 */
import { randomUUID } from "node:crypto";
import { type Digest, type Key, type Log, limits } from "../base/index.ts";
import type { ActionRun, ActionRunner, ExecutorOutcome } from "../contracts/index.ts";
import type { BlobName, RemoteCodec, ResponseInit, ResultInit } from "../wire/index.ts";
import type { RemoteActions, Runnable } from "./remote-actions.ts";
import { ClientCancelled, codes, failureOf, RemoteFailure } from "./remote-failure.ts";
import type { RemoteResults } from "./remote-results.ts";

export interface RemoteOperationsParts {
  readonly runner: ActionRunner;
  readonly actions: Pick<RemoteActions, "read" | "result">;
  readonly results: Pick<RemoteResults, "find" | "keep">;
  readonly codec: RemoteCodec;
  /** See RemoteExecutor. */
  readonly installed?: () => Promise<Digest | undefined>;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

type Stage = Parameters<RemoteCodec["operationOf"]>[2];
type OperationInit = ReturnType<RemoteCodec["operationOf"]>;

interface Operation {
  readonly name: string;
  /** By which others find it while it runs. */
  readonly key: string;
  readonly action: BlobName;
  readonly stop: AbortController;
  stage: Stage;
  response: ResponseInit | undefined;
  watchers: number;
  /** Whether one that waited for it has gone without a word. */
  isLost: boolean;
  changed: PromiseWithResolvers<void>;
  /** Until it is stopped, or, where it has a response, forgotten. */
  timer: NodeJS.Timeout | undefined;
}

const { operations: mostOpen, operationsEnded: mostEnded, endedKeptMs, abandonedMs } = limits.remoteExecution;

export class RemoteOperations implements AsyncDisposable {
  readonly #parts: RemoteOperationsParts;
  /** Those without a response, by name. */
  readonly #open = new Map<string, Operation>();
  /** Those with one, by name: the first has ended first. */
  readonly #ended = new Map<string, Operation>();
  /** Those whose results are for everybody, by instance and action, while they run. */
  readonly #shared = new Map<string, Operation>();
  readonly #runs = new Set<Promise<void>>();

  constructor(parts: RemoteOperationsParts) {
    this.#parts = parts;
  }

  /**
   * Runs an action, or tells what came of it before.
   *
   * @throws {RemoteFailure} as RemoteActions.read; resourceExhausted; the signal's reason
   */
  async execute(
    asked: { readonly instance: string; readonly action: BlobName; readonly skipCache: boolean },
    send: (operation: OperationInit) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const { instance, action, skipCache } = asked;
    const { results, actions, codec } = this.#parts;
    const found = skipCache ? undefined : await results.find(instance, action, { stdout: false, stderr: false }, signal);
    if (found !== undefined) {
      const response = { result: found.result, cachedResult: true, status: { code: codes.ok } };
      return send(codec.operationOf(`operations/${randomUUID()}`, action, codec.ExecutionStage.COMPLETED, response));
    }
    const key = `${instance}/${action.digest}`;
    const running = this.#shared.get(key);
    if (running !== undefined) return this.#watch(running, send, signal);
    const runnable = await actions.read(action, signal);
    await this.#watch(this.#shared.get(key) ?? this.#begin(instance, key, action, runnable), send, signal);
  }

  /** @throws {RemoteFailure} notFound; the signal's reason */
  async wait(name: string, send: (operation: OperationInit) => Promise<void>, signal: AbortSignal): Promise<void> {
    const operation = this.#open.get(name) ?? this.#ended.get(name);
    if (operation === undefined) throw new RemoteFailure("notFound", "nothing of that name runs here, or has just ended");
    await this.#watch(operation, send, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const operation of this.#open.values()) this.#stop(operation);
    await Promise.all(this.#runs);
    for (const operation of this.#ended.values()) this.#forget(operation);
  }

  /** Tells how far it is, until it has ended. */
  async #watch(operation: Operation, send: (operation: OperationInit) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { codec } = this.#parts;
    operation.watchers++;
    if (operation.response === undefined) clearTimeout(operation.timer);
    try {
      for (;;) {
        const { name, action, stage, response, changed } = operation;
        await send(codec.operationOf(name, action, stage, response));
        if (response !== undefined) return;
        await Promise.race([changed.promise, aborted(signal)]);
        signal.throwIfAborted();
      }
    } finally {
      operation.watchers--;
      operation.isLost ||= !(signal.reason instanceof ClientCancelled);
      if (operation.watchers === 0 && operation.response === undefined) this.#abandon(operation);
    }
  }

  #abandon(operation: Operation): void {
    if (operation.isLost) operation.timer = setTimeout(() => this.#stop(operation), abandonedMs).unref();
    else this.#stop(operation);
  }

  #begin(instance: string, key: string, action: BlobName, runnable: Runnable): Operation {
    if (this.#open.size >= mostOpen) throw new RemoteFailure("resourceExhausted", `${mostOpen} executions at once, and no more`);
    const operation: Operation = {
      name: `operations/${randomUUID()}`,
      key,
      action,
      stop: new AbortController(),
      stage: this.#parts.codec.ExecutionStage.QUEUED,
      response: undefined,
      watchers: 0,
      isLost: false,
      changed: Promise.withResolvers(),
      timer: undefined,
    };
    this.#open.set(operation.name, operation);
    if (runnable.isShared) this.#shared.set(key, operation);
    const run = this.#run(operation, instance, runnable).finally(() => this.#runs.delete(run));
    this.#runs.add(run);
    return operation;
  }

  /** Never rejects. */
  async #run(operation: Operation, instance: string, runnable: Runnable): Promise<void> {
    const { codec, log, now } = this.#parts;
    const beganMs = now();
    const response = await this.#respond(operation, instance, runnable).catch((error: unknown): ResponseInit => {
      const { code, message } = failureOf(error);
      return { status: { code, message } };
    });
    log.event("info", "door.executed", {
      action: operation.action.digest,
      status: response.status?.code ?? codes.ok,
      exitCode: response.result?.exitCode ?? null,
      tookMs: now() - beganMs,
    });
    this.#change(operation, codec.ExecutionStage.COMPLETED, response);
    this.#end(operation);
  }

  /** It has a response now, that can be asked for during a while. */
  #end(operation: Operation): void {
    this.#unshare(operation);
    this.#open.delete(operation.name);
    this.#ended.set(operation.name, operation);
    clearTimeout(operation.timer);
    operation.timer = setTimeout(() => this.#forget(operation), endedKeptMs).unref();
    const [oldest] = this.#ended.values();
    if (this.#ended.size > mostEnded && oldest !== undefined) this.#forget(oldest);
  }

  #forget(operation: Operation): void {
    clearTimeout(operation.timer);
    this.#ended.delete(operation.name);
  }

  async #respond(operation: Operation, instance: string, runnable: Runnable): Promise<ResponseInit> {
    const { runner, actions, codec, now } = this.#parts;
    const queuedMs = now();
    const installed = await this.#parts.installed?.();
    let startedMs = queuedMs;
    const outcome = await runner.run(runnable.action, operation.stop.signal, () => {
      startedMs = now();
      this.#change(operation, codec.ExecutionStage.EXECUTING, undefined);
    });
    if (outcome.kind !== "done") throw failureOfRun(outcome);
    const endedMs = now();
    const result = await actions.result(runnable, outcome);
    const { wallMs, cpuMs = 0 } = outcome.used;
    const run = { ...runnable.madeOf, startedAtMs: startedMs, endedAtMs: Math.max(startedMs, endedMs), wallMs, cpuMs };
    // What came near a limit might have made something else with another: nobody is told that this is what comes of it.
    const ran = installed === undefined || outcome.near !== undefined ? undefined : { ...run, installed };
    // What failed may go well the next time; so does every other server of this interface.
    if (runnable.isShared && outcome.exitCode === 0) await this.#keep(instance, operation.action, result, outcome.by, ran);
    result.executionMetadata = {
      worker: "cairn",
      queuedTimestamp: codec.timestamp(queuedMs),
      workerStartTimestamp: codec.timestamp(startedMs),
      workerCompletedTimestamp: codec.timestamp(endedMs),
    };
    return { result, status: { code: codes.ok } };
  }

  /** When it was made is no part of what is kept: machines that came to the same have the same result. */
  async #keep(instance: string, action: BlobName, result: ResultInit, by: Key | undefined, ran: ActionRun | undefined): Promise<void> {
    const { results, codec } = this.#parts;
    const made = by !== undefined ? { by } : ran === undefined ? {} : { ran };
    await results.keep(instance, action, codec.readResult(codec.writeResult(result)), made);
  }

  #change(operation: Operation, stage: Stage, response: ResponseInit | undefined): void {
    operation.stage = stage;
    operation.response = response;
    operation.changed.resolve();
    operation.changed = Promise.withResolvers();
  }

  /** Whoever wants the same from now on waits for another run. */
  #stop(operation: Operation): void {
    clearTimeout(operation.timer);
    this.#unshare(operation);
    operation.stop.abort(new RemoteFailure("cancelled", "nobody waits for it any more"));
  }

  #unshare(operation: Operation): void {
    if (this.#shared.get(operation.key) === operation) this.#shared.delete(operation.key);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Why an action did not come to an end of its own. */
function failureOfRun(outcome: Exclude<ExecutorOutcome, { readonly kind: "done" }>): RemoteFailure {
  switch (outcome.kind) {
    case "killed":
      return outcome.limit === "wall"
        ? new RemoteFailure("deadlineExceeded", "the action ran for longer than it may")
        : new RemoteFailure("resourceExhausted", `the action needed more than it may have: ${outcome.limit}`);
    case "refused":
      return outcome.reason === "too_much"
        ? new RemoteFailure("resourceExhausted", `the action is too large: ${outcome.detail}`)
        : new RemoteFailure("failedPrecondition", `the action cannot be run: ${outcome.reason} ${outcome.detail}`);
    case "unavailable":
      return new RemoteFailure("failedPrecondition", `this machine runs no actions: ${outcome.reason}`);
  }
}
