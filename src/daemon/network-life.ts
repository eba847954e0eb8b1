/**
 * Whether this node is in a network, and from when to when: the one place that knows.
 *
 * Knows: when a network begins and ends here, and that such changes happen one after the other. Does not know: what people ask, see network.ts;
 * how members agree or talk, see network-runtime.ts, which is loaded only when there is a network, so that a node without one opens no network
 * socket and does not pay for the libraries.
 */
import { flushCompileCache } from "node:module";
import { setImmediate } from "node:timers/promises";
import { CairnError, type WorkCircle } from "../base/index.ts";
import { LogFiles, NetworkState } from "../store/index.ts";
import type { NetworkSettings, RuntimeParts } from "./network-compose.ts";
import { NetworkHome, type SavedIdentity } from "./network-home.ts";
import type { PlacementSettings } from "./network-placement.ts";
import type { NetworkRuntime } from "./network-runtime.ts";

const TRY_AGAIN_MS = 10_000;

/** What comes from outside the network's own home. */
export type NetworkLifeParts = Omit<RuntimeParts, "kept" | "logs">;

export interface NetworkLifeOptions extends NetworkSettings {
  readonly stateDir: string;
}

interface Running extends AsyncDisposable {
  readonly identity: SavedIdentity;
  readonly runtime: NetworkRuntime;
}

export class NetworkLife implements AsyncDisposable {
  readonly home: NetworkHome;
  readonly #parts: NetworkLifeParts;
  #settings: NetworkSettings;
  #running: Running | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isStarting = false;
  #ended = false;
  #loaded: Promise<void> | undefined;

  constructor(parts: NetworkLifeParts, options: NetworkLifeOptions) {
    this.#parts = parts;
    this.home = new NetworkHome(options.stateDir);
    this.#settings = options;
  }

  /** Undefined while this node is in none, as far as that is known. */
  get running(): Running | undefined {
    return this.#running;
  }

  /** Connects to the network that this node belongs to, if it does. Nobody waits for it. */
  begin(): void {
    this.#isStarting = true;
    const found = this.alone(() => this.find()).catch((error: unknown) => {
      const facts = error instanceof CairnError ? { code: error.code, ...error.facts } : { error: String(error) };
      this.#parts.log.event("error", "network.failed", facts);
      // An address that is not there yet may come: a machine that starts, a cable.
      if ("code" in facts && facts.code === "network-unavailable" && !this.#ended) setTimeout(() => this.begin(), TRY_AGAIN_MS).unref();
    });
    void found.finally(() => {
      this.#isStarting = false;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    await this.alone(() => this.stop());
  }

  /** Whether it is not known yet if this node is in a network. */
  get isStarting(): boolean {
    return this.#isStarting;
  }

  /** From now on, without a restart. */
  follow(placement: PlacementSettings, circle: WorkCircle): void {
    this.#settings = { ...this.#settings, placement, circle };
    this.#running?.runtime.placement.follow(placement);
    this.#running?.runtime.work.follow(circle);
  }

  /** Such changes, and questions that may start a network, happen one after the other. */
  alone<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(change);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Loads the libraries of the network, once. */
  load(): Promise<void> {
    this.#loaded ??= (async () => {
      await setImmediate(); // Whoever asks already is answered first: loading leaves no time for others.
      const began = performance.now();
      await import("./network-runtime.ts");
      // Kept now and not at the end: a daemon that is killed keeps nothing, and the next would take three times as long.
      flushCompileCache();
      this.#parts.log.event("info", "network.loaded", { tookMs: Math.round(performance.now() - began) });
    })();
    return this.#loaded;
  }

  /** With these keys. @throws {CairnError} network-unavailable, network-damaged */
  async start(identity: SavedIdentity): Promise<Running> {
    await this.load();
    const { NetworkRuntime } = await import("./network-runtime.ts");
    await using stack = new AsyncDisposableStack();
    const kept = stack.use(NetworkState.open(this.home.database));
    const logs = { own: new LogFiles(this.home.log), mirrors: new LogFiles(this.home.witnessed) };
    const parts = { ...this.#parts, kept, logs };
    const runtime = stack.use(await NetworkRuntime.start(parts, { ...this.#settings, identity }));
    const started = stack.move();
    this.#running = { identity, runtime, [Symbol.asyncDispose]: () => started.disposeAsync() };
    this.#parts.wordsChanged(); // While this node was away, or by what a crash had left.
    return this.#running;
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.[Symbol.asyncDispose]();
  }

  /** Ends it for good: its keys and all that was kept of it and for its members are thrown away. */
  async leave(): Promise<void> {
    await this.stop();
    this.home.remove();
    this.#parts.localTrees.kept.only(undefined);
  }

  /** The network of this node, started if need be; undefined in none. Keys of an attempt that did not get in do not count. */
  async find(): Promise<Running | undefined> {
    if (this.#running !== undefined || this.#ended) return this.#running;
    const identity = this.home.identity();
    if (identity === undefined) {
      this.#parts.localTrees.kept.only(undefined);
      return undefined;
    }
    const running = await this.start(identity);
    const { members } = running.runtime;
    if (members.standing(members.self) !== "unknown") return running;
    await this.stop();
    return undefined;
  }

  /** @throws {CairnError} network-absent, or why the network does not start */
  async required(): Promise<Running> {
    const running = await this.find();
    if (running === undefined) throw new CairnError("network-absent");
    return running;
  }

  /** The same for what only members can do. @throws {CairnError} network-refused when this node is none any more */
  async active(): Promise<Running> {
    const running = await this.required();
    const { members } = running.runtime;
    const standing = members.standing(members.self);
    if (standing !== "active") throw new CairnError("network-refused", { why: standing });
    return running;
  }

  /** @throws {CairnError} network-present */
  async refuseSecond(): Promise<void> {
    const running = await this.find();
    if (running !== undefined) throw new CairnError("network-present", { name: running.runtime.members.state?.name ?? "" });
  }
}
