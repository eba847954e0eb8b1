/**
 * What the store costs: `node src/store/store.bench.ts [manifests]` (20,000 unless told). Prints medians and a checksum.
 *
 * The manifests have 250 inputs each, out of 3,000 headers, and 200 paths that must be absent: about what a C++ project has.
 */
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf, silentLog } from "../base/index.ts";
import type { ManifestEntry, ManifestInput } from "../contracts/index.ts";
import { openDatabase } from "./database.ts";
import { DiskStore } from "./disk.ts";
import { FileTable } from "./file-table.ts";
import { SqliteIndex } from "./results.ts";
import { resultOf, scratch } from "./store.fixture.ts";

const HEADERS = 3_000;
const INPUTS = 250;
const ABSENT = 200;

export interface BenchRow {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
}

/** @returns the rows of the table; the last one is a checksum of what was read, equal for equal sizes */
export async function benchStore(manifests: number): Promise<BenchRow[]> {
  const directory = scratch();
  try {
    return await measure(directory, manifests);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function measure(directory: string, manifests: number): Promise<BenchRow[]> {
  const parts = { log: silentLog, now: () => Date.now() };
  const file = join(directory, "index.db");
  using database = openDatabase(parts, { file });
  const index = SqliteIndex.open({ ...parts, database });
  const entry = entries();
  const manifest = (at: number): string => digestOf(`manifest ${at}`);

  const before = process.memoryUsage.rss();
  const add = times(manifests, (at) => {
    const [key, made, result] = [manifest(at), entry(at), resultOf(digestOf(`object ${at}`))];
    return () => index.add(key, made, result, new Map());
  });
  const after = process.memoryUsage.rss();
  let checksum = 0;
  const warm = times(manifests, (at) => () => {
    checksum += index.entries(manifest((at * 7_919) % manifests)).reduce((sum, found) => sum + found.inputs.length, 0);
  });
  const cold = times(Math.min(manifests, 50), (at) => {
    const fresh = SqliteIndex.open({ ...parts, database });
    fresh.entries(manifest(manifests));
    return () => fresh.entries(manifest(at));
  });
  const files = new FileTable({ ...parts, database });
  const path = join(directory, "header.h");
  writeFileSync(path, "int a;");
  const old = new FileTable({ now: () => Date.now() + 1_000, database });
  old.state(path);
  const missing = `${path}.missing`;
  const known = times(manifests, () => hundredfold(() => old.state(path))) / 100;
  const absent = times(manifests, () => hundredfold(() => files.absent(missing))) / 100;

  const { capacityBytes, rawBytes } = { capacityBytes: 2 ** 40, rawBytes: 2 ** 40 };
  await using store = DiskStore.open({ ...parts, database }, { directory: join(directory, "blobs"), capacityBytes, rawBytes });
  const blobs = Math.min(manifests, 2_000);
  const write = await timesAsync(blobs, (at) => store.write(Buffer.alloc(20_000, `${at} `)));
  const digests = Array.from({ length: blobs }, (_, at) => digestOf(Buffer.alloc(20_000, `${at} `)));
  const plain = await timesAsync(blobs, (at) => store.plain(digests[at] ?? ""));
  const read = await timesAsync(blobs, (at) => store.read(digests[at] ?? ""));

  index.flush();
  database.statement("PRAGMA wal_checkpoint(TRUNCATE)").all();
  return [
    { what: `add, ${INPUTS} inputs`, value: add, unit: "µs" },
    { what: "entries, warm", value: warm, unit: "µs" },
    { what: "entries, cold", value: cold, unit: "µs" },
    { what: "state of an unchanged file", value: known, unit: "µs" },
    { what: "absent", value: absent, unit: "µs" },
    { what: "write, 20 kB", value: write, unit: "µs" },
    { what: "plain", value: plain, unit: "µs" },
    { what: "read, 20 kB", value: read, unit: "µs" },
    { what: "database per manifest", value: statSync(file).size / manifests, unit: "bytes" },
    { what: "resident set before adding", value: before / 1_048_576, unit: "MiB" },
    { what: "resident set after adding", value: after / 1_048_576, unit: "MiB" },
    { what: "checksum", value: checksum, unit: "inputs" },
  ];
}

/** Entry `at`: its own source and a run of headers with gaps, as programs include them. Strings are shared, as the flows share them. */
function entries(): (at: number) => ManifestEntry {
  const headers: ManifestInput[] = Array.from({ length: HEADERS }, (_, at) => ({
    path: `\0P/src/component${at % 40}/detail/header${at}.hpp`,
    digest: digestOf(`header ${at}`),
  }));
  const absent = Array.from({ length: HEADERS }, (_, at) => `\0P/src/other${at % 40}/header${at}.hpp`);
  return (at) => {
    const chosen = (list: number, step: number): number => (at * 131 + list * (1 + (at % 5)) + step) % HEADERS;
    const inputs = Array.from({ length: INPUTS - 1 }, (_, list) => headers[chosen(list, 0)]).filter((input) => input !== undefined);
    inputs.unshift({ path: `\0P/src/file${at}.cpp`, digest: digestOf(`source ${at}`) });
    const missing = Array.from({ length: ABSENT }, (_, list) => absent[chosen(list, 7)]).filter((one) => one !== undefined);
    return { action: digestOf(`action ${at}`), place: undefined, presumed: false, terminal: undefined, inputs, absent: missing };
  };
}

/** Median of `count` calls, µs; `prepare` makes each call, untimed. */
function times(count: number, prepare: (at: number) => () => unknown): number {
  const taken = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const body = prepare(at);
    const begin = performance.now();
    body();
    taken[at] = performance.now() - begin;
  }
  return median(taken);
}

/** For what takes hardly longer than reading the clock. */
function hundredfold(body: () => unknown): () => void {
  return () => {
    for (let call = 0; call < 100; call++) body();
  };
}

async function timesAsync(count: number, body: (at: number) => Promise<unknown>): Promise<number> {
  const taken = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const begin = performance.now();
    await body(at);
    taken[at] = performance.now() - begin;
  }
  return median(taken);
}

function median(takenMs: Float64Array): number {
  return (takenMs.toSorted()[takenMs.length >> 1] ?? 0) * 1_000;
}

if (import.meta.main) {
  const rows = await benchStore(Number(process.argv[2] ?? 20_000));
  for (const { what, value, unit } of rows) console.log(`${what.padEnd(30)} ${value.toFixed(1).padStart(12)} ${unit}`);
}
