/**
 * What tests of the doors share: a store of their own behind doors at a port of their own, and a client that sends bytes as they are.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Facts } from "../base/index.ts";
import type { RemoteExecutor } from "../doors/index.ts";
import { type Counts, Statistics } from "../flows/index.ts";
import { DiskStore, openDatabase, SqliteDoorEntries, SqliteIndex } from "../store/index.ts";
import { type DoorSettings, Doors } from "./doors.ts";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface OpenDoors extends AsyncDisposable {
  readonly doors: Doors;
  readonly store: DiskStore;
  readonly entries: SqliteDoorEntries;
  /** ms since the epoch; moves only when a test moves it. */
  readonly clock: { at: number };
  readonly events: { readonly name: string; readonly facts: Facts }[];
  readonly directory: string;
  port(door?: string): number;
  counters(): Counts;
  /** Blobs and entries that are kept. */
  kept(): { blobs: unknown; entries: unknown };
  ask(method: string, path: string, headers?: Record<string, string>, body?: Buffer | string): Promise<Reply>;
  /** Sends bytes and gives what comes back until the connection ends; with `isCut` nothing can follow them. */
  raw(bytes: string | Buffer, isCut?: boolean, door?: string): Promise<string>;
}

/** Actions are run elsewhere. */
const NOWHERE: RemoteExecutor = {
  runner: { run: () => Promise.resolve({ kind: "unavailable", reason: "stopping", detail: "" }) },
  root: "/inputs",
};

export const NO_TLS = { doorsTlsCertificate: "", doorsTlsKey: "", doorsTlsClientCa: "" } as const;
export const TOKEN = "a-token-of-more-than-sixteen-signs";

/** @param settings `doorsTokenFile`: any text stands for a file with {@link TOKEN} */
export async function openDoors(settings: Partial<DoorSettings> = {}): Promise<OpenDoors> {
  const directory = mkdtempSync(join(tmpdir(), "cairn-doors-"));
  const events: OpenDoors["events"] = [];
  const log = { event: (_level: string, name: string, facts: Facts = {}): void => void events.push({ name, facts }) };
  const clock = { at: 1_800_000_000_000 };
  const now = (): number => clock.at;
  const database = openDatabase({ log, now }, { file: join(directory, "index.db") });
  const sizes = { capacityBytes: 1e9, rawBytes: 1e9 };
  const store = DiskStore.open({ log, now, database }, { directory: join(directory, "cas"), ...sizes });
  const index = SqliteIndex.open({ log, now, database });
  const entries = new SqliteDoorEntries({ database, blobs: store });
  const doors = new Doors(
    { store, entries, execution: NOWHERE, statistics: new Statistics({ index }), log, now },
    { ccacheSocket: join(directory, "ccache.sock") },
  );
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  const wanted: DoorSettings = {
    doorsHttpListen: "127.0.0.1",
    doorsRedisListen: "127.0.0.1",
    doorsCcacheSocket: "off",
    doorsGrpcListen: "off",
    doorsGrpcExecute: "off",
    doorsTokenFile: "",
    ...NO_TLS,
    ...settings,
  };
  await doors.follow({ ...wanted, doorsTokenFile: wanted.doorsTokenFile === "" ? "" : tokenFile });
  const opened: OpenDoors = {
    doors,
    store,
    entries,
    events,
    directory,
    clock,
    port: (door = "http") => doors.status().find((one) => one.door === door)?.port ?? 0,
    counters: () => index.counters(),
    kept: () => ({ blobs: store.facts().blobs, entries: database.statement("SELECT count(*) FROM door_entries").get()?.[0] }),
    ask: (method, path, headers = {}, body = "") => ask(opened.port(), { method, path, headers }, body),
    raw: (bytes, isCut = false, door = "http") => raw(opened.port(door), bytes, isCut),
    async [Symbol.asyncDispose]() {
      await doors[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return opened;
}

function ask(
  port: number,
  { method, path, headers }: { method: string; path: string; headers: Record<string, string> },
  body: Buffer | string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = body.length > 0 || method === "PUT" ? { "content-length": String(Buffer.byteLength(body)) } : {};
    const asked = httpRequest({ host: "127.0.0.1", port, method, path, headers: { ...length, ...headers }, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

function raw(port: number, bytes: string | Buffer, isCut: boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => (isCut ? socket.end(bytes) : socket.write(bytes)));
    let text = "";
    socket.setEncoding("latin1").on("data", (piece) => {
      text += String(piece);
    });
    socket.on("error", () => undefined); // "close" follows.
    socket.on("close", () => resolve(text));
  });
}
