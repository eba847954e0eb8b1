/**
 * The doors for build tools: opened where the settings say so, closed when they do not any more, and what there is to tell of them.
 * A door that cannot be opened is said and looked for by the doctor; the daemon serves compilers all the same.
 *
 * Knows: settings, and which door is made of what. Does not know: what tools say.
 */
import { readFileSync } from "node:fs";
import {
  CairnError,
  type Config,
  digestOf,
  isLoopback,
  type ListenAt,
  type Log,
  limits,
  readDoorListen,
  reasonOf,
  systemReason,
  systemWords,
} from "../base/index.ts";
import type { DoorEntries, DoorEntry } from "../contracts/index.ts";
import {
  type ArtifactStore,
  BazelResults,
  CcacheDoor,
  DoorBook,
  type DoorSeen,
  HttpArtifacts,
  HttpDoor,
  loadRemoteDoor,
  type OpenAt,
  RedisDoor,
  type RemoteExecutor,
  type RemoteStore,
} from "../doors/index.ts";
import type { Statistics } from "../flows/index.ts";
import { loadRemoteCodec } from "../wire/index.ts";
import { readTls, type TlsSettings } from "./door-tls.ts";
import { countOutsideMemoryWithHeap } from "./outside-memory.ts";
import type { SharedDoors } from "./receipts.ts";
import { bindable, privateName, publish, removeStale } from "./socket-path.ts";
import { version } from "./version.ts";

export interface DoorsParts {
  readonly store: ArtifactStore & RemoteStore;
  readonly entries: DoorEntries;
  /** How what is left here is shared; undefined in no network. */
  readonly shared?: () => SharedDoors | undefined;
  /** Where actions of build tools run. */
  readonly execution: RemoteExecutor;
  readonly statistics: Pick<Statistics, "count">;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

export type DoorSettings = Pick<
  Config,
  "doorsHttpListen" | "doorsRedisListen" | "doorsCcacheSocket" | "doorsGrpcListen" | "doorsGrpcExecute" | "doorsTokenFile"
> &
  TlsSettings;

/** The doors there may be, and a port for each where nobody has another wish. */
const DOORS = {
  http: { setting: "doorsHttpListen", port: 8337 },
  redis: { setting: "doorsRedisListen", port: 8339 },
  grpc: { setting: "doorsGrpcListen", port: 8338 },
} as const;
type DoorName = keyof typeof DOORS;
const NAMES = Object.keys(DOORS) as DoorName[];

interface OpenDoor extends AsyncDisposable {
  readonly port?: number;
}

export interface DoorsOptions {
  /** Of the socket for ccache. */
  readonly ccacheSocket: string;
}

/** One door: as it is wanted, and what has become of that. */
interface Door {
  readonly name: DoorName | "ccache";
  /** What of the settings it is about; it is opened anew when this changes. */
  readonly wanted: string;
  /** An IP address, or the path of a socket. */
  readonly host: string;
  readonly opened: OpenDoor | undefined;
  /** Why it could not be opened; "" where it was. */
  readonly why: string;
}

/** For people, and for `cairn connect`. */
export interface DoorStatus {
  readonly door: string;
  readonly host: string;
  /** 0 where it is not open. */
  readonly port: number;
  readonly open: boolean;
  /** Why it is not. */
  readonly why: string;
}

export interface DoorCheck {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly advice?: string;
}

/** Shorter tokens could be guessed. */
const TOKEN_LEAST = 16;

export class Doors implements AsyncDisposable {
  readonly #parts: DoorsParts;
  readonly #options: DoorsOptions;
  readonly #book: DoorBook;
  readonly #artifacts: HttpArtifacts;
  #doors: readonly Door[] = [];
  /** One change after the other. */
  #changing: Promise<void> = Promise.resolve();

  constructor(parts: DoorsParts, options: DoorsOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#book = new DoorBook(parts);
    const results = new BazelResults(parts);
    const isComplete = (door: string, entry: DoorEntry, signal: AbortSignal): Promise<boolean> => results.isGivable(door, entry, signal);
    this.#artifacts = new HttpArtifacts({ ...parts, book: this.#book, isComplete });
  }

  /** Opens and closes doors until they are as the settings say, and the token as it is in its file now. */
  follow(settings: DoorSettings): Promise<void> {
    this.#changing = this.#changing
      .then(() => this.#change(settings))
      .catch((error: unknown) => this.#parts.log.event("error", "door.defect", { door: "all", why: reasonOf(error) }));
    return this.#changing;
  }

  status(): DoorStatus[] {
    return this.#doors.map(({ name, host, opened, why }) => ({
      door: name,
      host,
      port: opened?.port ?? 0,
      open: opened !== undefined,
      why,
    }));
  }

  /** What tools have done here since the daemon started. */
  seen(): readonly DoorSeen[] {
    return this.#book.seen();
  }

  checks(): DoorCheck[] {
    const shared = this.#doors.length === 0 ? undefined : this.#parts.shared?.();
    const sharing = shared === undefined ? [] : [checkShared(shared)];
    return [...this.#doors.map(checkOpen), ...sharing, ...this.#book.seen().map((seen) => checkSeen(seen, this.#parts.now()))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#changing;
    for (const { opened } of this.#doors) await opened?.[Symbol.asyncDispose]();
    this.#doors = [];
  }

  async #change(settings: DoorSettings): Promise<void> {
    for (const name of NAMES) {
      const before = this.#doors.find((door) => door.name === name);
      const now = await this.#changed(name, before, settings);
      this.#put(name, now);
    }
    const ccache = this.#doors.find(({ name }) => name === "ccache");
    if (settings.doorsCcacheSocket === "on") this.#put("ccache", ccache?.opened === undefined ? await this.#openCcache() : ccache);
    else {
      await ccache?.opened?.[Symbol.asyncDispose]();
      this.#put("ccache", undefined);
    }
  }

  #put(name: Door["name"], door: Door | undefined): void {
    this.#doors = [...this.#doors.filter((one) => one.name !== name), ...(door === undefined ? [] : [door])];
  }

  /** Whoever may open the socket may use it, and that is its owner. */
  async #openCcache(): Promise<Door> {
    const path = this.#options.ccacheSocket;
    const door = { name: "ccache", wanted: "on", host: path } as const;
    try {
      removeStale(path);
      await using stack = new AsyncDisposableStack();
      const parts = { ...this.#parts, book: this.#book };
      stack.use(await CcacheDoor.open(parts, { path: bindable(privateName(path)), identity: `Cairn ${version}` }));
      stack.use(publish(path));
      const opened = stack.move();
      return { ...door, opened: { [Symbol.asyncDispose]: () => opened.disposeAsync() }, why: "" };
    } catch (error) {
      const why = reasonOf(error);
      this.#parts.log.event("error", "door.unavailable", { door: "ccache", path, why });
      return { ...door, opened: undefined, why };
    }
  }

  async #changed(name: DoorName, before: Door | undefined, settings: DoorSettings): Promise<Door | undefined> {
    const at = readDoorListen(settings[DOORS[name].setting]);
    const { doorsTokenFile, doorsTlsCertificate, doorsTlsKey, doorsTlsClientCa } = settings;
    const files = [doorsTokenFile, doorsTlsCertificate, doorsTlsKey, doorsTlsClientCa].map(fingerprint);
    const wanted = [settings[DOORS[name].setting], ...files, name === "grpc" ? settings.doorsGrpcExecute : ""].join(" ");
    if (before?.opened !== undefined && before.wanted === wanted) return before;
    await before?.opened?.[Symbol.asyncDispose]();
    if (at === undefined || at === "off") return undefined;
    this.#put(name, { name, wanted, host: at.host, opened: undefined, why: "it is being opened" });
    return this.#open(name, wanted, at, settings);
  }

  async #open(name: DoorName, wanted: string, { host, port }: ListenAt, settings: DoorSettings): Promise<Door> {
    const { doorsTokenFile: tokenFile, doorsGrpcExecute: execute } = settings;
    try {
      const token = tokenFile === "" ? undefined : readToken(tokenFile);
      const tls = readTls(settings, this.#parts.now());
      if (token === undefined && tls?.clientCa === undefined && !isLoopback(host))
        throw new CairnError("usage", {
          why: `${host} can be reached from other machines: set doors.tokenFile or doors.tls.clientCa first`,
        });
      const opened = await this.#make(name, { host, port, token, tls }, execute === "on");
      return { name, wanted, host, opened, why: "" };
    } catch (error) {
      const why = systemWords(error instanceof CairnError ? String(error.facts.why ?? error.facts.system) : reasonOf(error));
      this.#parts.log.event("error", "door.unavailable", { door: name, host, port, why });
      return { name, wanted, host, opened: undefined, why };
    }
  }

  async #make(name: DoorName, options: OpenAt, executes: boolean): Promise<OpenDoor> {
    countOutsideMemoryWithHeap();
    const parts = { ...this.#parts, book: this.#book };
    if (name === "http") return HttpDoor.open({ ...parts, artifacts: this.#artifacts }, options);
    if (name === "redis") return RedisDoor.open(parts, options);
    const [{ RemoteDoor }, codec] = await Promise.all([loadRemoteDoor(), loadRemoteCodec()]);
    return RemoteDoor.open({ ...parts, codec, execution: executes ? parts.execution : undefined }, options);
  }
}

/** Of a file and what is in it, so that another token or certificate is noticed; of one that cannot be read, the file's name alone. */
function fingerprint(file: string): string {
  try {
    return file === "" ? "" : `${file} ${digestOf(readFileSync(file))}`;
  } catch {
    return file;
  }
}

/** @throws {CairnError} usage: the file cannot be read, or what is in it is no token */
function readToken(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new CairnError("usage", { why: `${file} cannot be read: ${systemReason(error)}` }, error);
  }
  if (text.length >= TOKEN_LEAST && text.length <= limits.doors.tokenBytes && /^[\x21-\x7e]+$/.test(text)) return text;
  throw new CairnError("usage", { why: `${file} is to hold a token of ${TOKEN_LEAST} signs or more, without spaces` });
}

function checkOpen({ name, host, opened, why }: Door): DoorCheck {
  const check = `${name} door`;
  if (opened !== undefined) return { check, ok: true, detail: `open at ${host}${opened.port === undefined ? "" : `:${opened.port}`}` };
  const advice =
    name === "ccache"
      ? "cairn config set doors.ccache.socket off   closes it for good"
      : `cairn config set doors.${name}.listen 127.0.0.1:${DOORS[name].port}   or another address, or off`;
  return { check, ok: false, detail: `not open: ${why}`, advice };
}

function checkShared({ kind, brought, signed }: SharedDoors): DoorCheck {
  const check = "doors and other machines";
  const moved = `since the start ${signed} entries were signed for them, and ${brought} came from them`;
  switch (kind) {
    case "off":
      return {
        check,
        ok: true,
        detail: "nothing that tools leave here goes to other machines, and nothing of theirs is taken (doors.share off)",
      };
    case "taken":
      return { check, ok: true, detail: `what tools leave here is for all machines of this domain; ${moved}` };
    case "not-taken":
      return {
        check,
        ok: true,
        detail: `nothing that tools have left at other machines is taken: it was received, not executed, and more domains than one are wanted; ${moved}`,
        advice:
          "cairn config set doors.share domain   takes what machines of this domain have, unless the network demands more (cairn policy)",
      };
  }
}

function checkSeen({ door, requests, refused, lastAt, lastRefusal }: DoorSeen, now: number): DoorCheck {
  const detail = `${requests} requests, the last ${Math.round((now - lastAt) / 1_000)} s ago${refused === 0 ? "" : `; ${refused} refused`}`;
  const check = `door: ${door}`;
  if (lastRefusal === "") return { check, ok: true, detail };
  return {
    check,
    ok: true, // Whoever knocks can make one be refused: that is to be seen, and is no fault of this machine.
    detail: `${detail}, the last one too (${lastRefusal})`,
    advice: "cairn connect TOOL   tells what a tool needs; docs/doors.md, who is let in",
  };
}
