/**
 * A process that writes blobs, entries and signatures until it is killed, and says on stdout which ones are acknowledged: one digest a line.
 * Arguments: directory, a number that makes its content unlike that of others.
 */
import { writeSync } from "node:fs";
import { join } from "node:path";
import { digestOf, silentLog } from "../base/index.ts";
import { openDatabase } from "./database.ts";
import { DiskStore } from "./disk.ts";
import { SqliteIndex } from "./results.ts";
import { SqliteShelf } from "./shelf.ts";
import { entryOf, resultOf, signedOf } from "./store.fixture.ts";

const [directory = "", round = ""] = process.argv.slice(2);
const parts = { log: silentLog, now: () => Date.now() };
const database = openDatabase(parts, { file: join(directory, "index.db") });
const store = DiskStore.open({ ...parts, database }, { directory: join(directory, "blobs"), capacityBytes: 2 ** 30, rawBytes: 200_000 });
const index = SqliteIndex.open({ ...parts, database });
const shelf = new SqliteShelf({ ...parts, database, index, blobs: store }, { network: digestOf("network") });

// Bounded, should nobody kill it.
for (let count = 0; count < 100_000; count++) {
  const name = `${round} ${count}`;
  const digest = await store.write(Buffer.alloc(500 + (count % 7) * 9_000, `${name} `));
  const manifest = digestOf(`manifest ${digest}`);
  index.add(manifest, entryOf(name), resultOf(digest), new Map());
  shelf.put([signedOf(manifest, entryOf(name), resultOf(digest))]);
  writeSync(1, `${digest}\n`);
  if (count % 5 === 0) await store.tidy(5); // Compression and the janitor are interrupted, too.
}
