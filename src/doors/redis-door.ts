/**
 * The door for tools that keep artifacts in Redis: as much of its protocol as caches use (docs/doors.md).
 *
 * Guarantees: as HttpDoor. Commands of one connection are answered one after the other, as they came.
 * Knows: commands. Does not know: where artifacts are kept.
 */
import type { Socket } from "node:net";
import { CairnError, type Log, limits, reasonOf, systemCode } from "../base/index.ts";
import type { DoorEntries, DoorEntry } from "../contracts/index.ts";
import { Callers } from "./callers.ts";
import type { DoorBook } from "./door-book.ts";
import type { ArtifactStore } from "./http-artifacts.ts";
import { listening, type OpenAt, portOf, TokenCheck } from "./listening.ts";
import { pour, say } from "./pour.ts";
import { RedisReader } from "./redis-reader.ts";

const DOOR = "redis";
const KEY = /^[\x21-\x7e]{1,512}$/;
/** What a command may have besides a value, and how many of them. */
const WORD_BYTES = 4_096;
const WORDS_MAX = 32;

export interface RedisDoorParts {
  readonly store: ArtifactStore;
  readonly entries: DoorEntries;
  readonly book: DoorBook;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

export class RedisDoor implements AsyncDisposable {
  readonly #parts: RedisDoorParts;
  readonly #callers: Callers;
  readonly #token: TokenCheck;

  /** @throws {CairnError} address-unavailable */
  static async open(parts: RedisDoorParts, options: OpenAt): Promise<RedisDoor> {
    const door = new RedisDoor(parts, options);
    await listening(door.#callers.server, DOOR, options, parts.log);
    return door;
  }

  private constructor(parts: RedisDoorParts, { token, tls }: OpenAt) {
    this.#parts = parts;
    this.#token = new TokenCheck(token);
    const refused = (why: string): void => parts.book.refused(DOOR, why);
    this.#callers = new Callers({ serve: (socket, gone) => this.#serve(socket, gone), refused }, { idleMs: limits.doors.redisIdleMs, tls });
  }

  get port(): number {
    return portOf(this.#callers.server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#callers[Symbol.asyncDispose]();
    this.#parts.log.event("info", "door.closed", { door: DOOR });
  }

  async #serve(socket: Socket, signal: AbortSignal): Promise<void> {
    socket.setNoDelay(true);
    try {
      await new Conversation(this.#parts, { socket, token: this.#token, signal }).run();
      socket.end();
    } catch (error) {
      if (socket.destroyed) return;
      this.#parts.book.refused(DOOR, error instanceof CairnError ? String(error.facts.what ?? error.code) : reasonOf(error));
      if (!(error instanceof CairnError) && systemCode(error) === undefined)
        this.#parts.log.event("error", "door.defect", { door: DOOR, error: reasonOf(error) });
      socket.end("-ERR Protocol error\r\n");
      setTimeout(() => socket.destroy(), limits.doors.lingerMs).unref();
    }
  }
}

interface Client {
  readonly socket: Socket;
  readonly token: TokenCheck;
  readonly signal: AbortSignal;
}

/** What one connection says, and hears. */
class Conversation {
  readonly #parts: RedisDoorParts;
  readonly #client: Client;
  readonly #reader: RedisReader;
  #isAdmitted: boolean;
  /** Commands that came before the token. */
  #strange = 0;
  /** RESP; what differs for us is how nothing and pairs are written. */
  #protocol: 2 | 3 = 2;

  constructor(parts: RedisDoorParts, client: Client) {
    this.#parts = parts;
    this.#client = client;
    this.#reader = new RedisReader(client.socket);
    this.#isAdmitted = !client.token.isNeeded;
  }

  /** Answers until the client goes. @throws {CairnError} frame-invalid: what it says is no Redis, or too much */
  async run(): Promise<void> {
    const { socket } = this.#client;
    while (!socket.destroyed && (await this.#reader.waits())) {
      socket.setTimeout(limits.doors.idleMs);
      const count = await this.#reader.count();
      if (count < 1 || count > WORDS_MAX) throw new CairnError("frame-invalid", { what: "count" });
      const command = (await this.#reader.text(WORD_BYTES)).toUpperCase();
      const isSet = this.#isAdmitted && ((command === "SET" && count >= 3) || (command === "SETEX" && count === 4));
      if (isSet) await this.#set(command, count);
      else {
        const words: string[] = [];
        while (words.length < count - 1) words.push(await this.#reader.text(WORD_BYTES));
        if (command === "QUIT") return this.#say(OK);
        await this.#answer(command, words);
      }
      socket.setTimeout(limits.doors.redisIdleMs);
    }
  }

  async #answer(command: string, words: readonly string[]): Promise<void> {
    if (!this.#isAdmitted && ++this.#strange > limits.doors.strangerCommands) throw new CairnError("frame-invalid", { what: "token" });
    if (command === "AUTH") return this.#say(this.#admit(words.at(-1)) ? OK : WRONG_TOKEN);
    if (command === "HELLO") return this.#say(this.#hello(words));
    if (!this.#isAdmitted) {
      this.#parts.book.refused(DOOR, "token");
      return this.#say("-NOAUTH Authentication required.\r\n");
    }
    const [key = ""] = words;
    switch (command) {
      case "GET":
        return this.#get(key);
      case "EXISTS":
        return this.#say(`:${(await this.#find(key)) === undefined ? 0 : 1}\r\n`);
      case "STRLEN":
        return this.#say(`:${(await this.#find(key))?.size ?? 0}\r\n`);
      case "DEL":
      case "UNLINK":
        return this.#say(`:${words.filter((word) => this.#parts.entries.forget(DOOR, word)).length}\r\n`);
      default:
        return this.#say(
          FIXED[command]?.(words, this.#protocol) ?? `-ERR unknown command '${command.replaceAll(/[^\w]/g, "").slice(0, 32)}'\r\n`,
        );
    }
  }

  async #get(key: string): Promise<void> {
    const { store, book } = this.#parts;
    const { socket, signal } = this.#client;
    const entry = await this.#find(key);
    await using sending = entry === undefined ? undefined : await store.send(entry.blob, undefined, signal);
    book.note(DOOR, sending === undefined ? "miss" : "hit", key, sending?.size, entry?.from);
    if (sending === undefined) return await this.#say(this.#nothing);
    await this.#say(`$${sending.size}\r\n`);
    if (await pour(sending.bytes, socket)) await this.#say("\r\n");
  }

  /** `SET key value [EX s | PX ms] [NX]`, `SETEX key s value`. The value goes to the store as it comes. */
  async #set(command: string, count: number): Promise<void> {
    const { store, entries, book, now } = this.#parts;
    const { signal } = this.#client;
    const key = await this.#reader.text(WORD_BYTES);
    const options = command === "SETEX" ? ["EX", await this.#reader.text(WORD_BYTES)] : [];
    const size = await this.#reader.length();
    if (size > limits.blobBytes || !KEY.test(key)) throw new CairnError("frame-invalid", { what: "value" });
    const received = await store.receive(this.#reader.bytes(size), { size }, limits.blobBytes, signal);
    for (let read = command === "SETEX" ? 4 : 3; read < count; read++) options.push(await this.#reader.text(WORD_BYTES));
    const wish = readOptions(options);
    if (wish === undefined || received.kind !== "kept") return this.#say("-ERR syntax error\r\n");
    if (wish.isNew && (await this.#find(key)) !== undefined) return this.#say(this.#nothing);
    const meta: Record<string, string> = wish.lifeMs === undefined ? {} : { expires: String(now() + wish.lifeMs) };
    entries.keep(DOOR, key, { blob: received.digest, size, meta, at: now() }, true);
    book.note(DOOR, "put", key, size);
    return this.#say(OK);
  }

  /** Who asks and does not read is not asked on. */
  #say(answer: string): Promise<void> {
    return say(Buffer.from(answer, "latin1"), this.#client.socket);
  }

  /** What lies under a key, and is not out of date. */
  async #find(key: string): Promise<DoorEntry | undefined> {
    const { entries, now } = this.#parts;
    const entry = KEY.test(key) ? await entries.find(DOOR, key, this.#client.signal) : undefined;
    return entry !== undefined && Number(entry.meta.expires ?? Number.POSITIVE_INFINITY) <= now() ? undefined : entry;
  }

  get #nothing(): string {
    return this.#protocol === 3 ? "_\r\n" : "$-1\r\n";
  }

  /** `HELLO [2|3 [AUTH user token] …]` */
  #hello([version = String(this.#protocol), auth = "", , token]: readonly string[]): string {
    if (version !== "2" && version !== "3") return "-NOPROTO unsupported protocol version\r\n";
    if (auth.toUpperCase() === "AUTH" && !this.#admit(token)) return WRONG_TOKEN;
    if (!this.#isAdmitted) return "-NOAUTH HELLO must be called with the client already authenticated\r\n";
    this.#protocol = version === "3" ? 3 : 2;
    return pairs({ server: "redis", version: "7.0.0", proto: this.#protocol, mode: "standalone", role: "master" }, this.#protocol);
  }

  #admit(token: string | undefined): boolean {
    const isRight = this.#client.token.admits(token ?? "");
    if (!isRight) this.#parts.book.refused(DOOR, "token");
    this.#isAdmitted ||= isRight;
    return isRight;
  }
}

const OK = "+OK\r\n";
const WRONG_TOKEN = "-WRONGPASS invalid username-password pair\r\n";

/** What clients ask before they begin, and what they hear. */
const FIXED: Readonly<Record<string, (words: readonly string[], protocol: 2 | 3) => string>> = {
  PING: ([word]) => (word === undefined ? "+PONG\r\n" : bulk(word)),
  ECHO: ([word = ""]) => bulk(word),
  SELECT: ([database]) => (database === "0" ? OK : "-ERR DB index is out of range\r\n"),
  CLIENT: ([part = ""]) => (part.toUpperCase() === "ID" ? ":1\r\n" : OK),
  COMMAND: () => array([]),
  CONFIG: (_words, protocol) => pairs({}, protocol),
  INFO: () => bulk("# Server\r\nredis_version:7.0.0\r\nredis_mode:standalone\r\n"),
};

function bulk(text: string): string {
  return `$${Buffer.byteLength(text, "latin1")}\r\n${text}\r\n`;
}

function array(items: readonly (string | number)[]): string {
  return `*${items.length}\r\n${items.map((item) => (typeof item === "number" ? `:${item}\r\n` : bulk(item))).join("")}`;
}

/** The newer protocol has a word for pairs; in the older one they are a list. */
function pairs(all: Readonly<Record<string, string | number>>, protocol: 2 | 3): string {
  const list = array(Object.entries(all).flat());
  return protocol === 3 ? list.replace(/^\*\d+/, `%${Object.keys(all).length}`) : list;
}

/** Undefined where there is one that is not kept to. */
function readOptions(words: readonly string[]): { readonly lifeMs: number | undefined; readonly isNew: boolean } | undefined {
  let lifeMs: number | undefined;
  let isNew = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]?.toUpperCase();
    if (word === "NX") isNew = true;
    else if (word === "EX" || word === "PX") {
      const value = words[++at] ?? "";
      if (!/^[1-9]\d{0,12}$/.test(value)) return undefined;
      lifeMs = Number(value) * (word === "EX" ? 1_000 : 1);
    } else return undefined;
  }
  return { lifeMs, isNew };
}
