/**
 * A process that takes results back, as a daemon does, and kills itself before or after one of the writes that this consists of.
 * Arguments: directory, which of the writes; 0 for none. What it takes back is all that {@link prepare} has kept. Says how many writes there were.
 */
import { join } from "node:path";
import { executed, type Signer, sharedBy, trustWorld } from "../../test/compliance/trust-world.ts";
import { type Digest, digestOf, silentLog } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { HotRecords } from "../doors/index.ts";
import { BegunRecalls, type Database, DiskStore, MembersWorks, openDatabase, SqliteIndex, SqliteShelf } from "../store/index.ts";
import { Contradictions } from "./contradictions.ts";
import { Recalls } from "./recalls.ts";
import { WorkersWords } from "./workers-words.ts";

/** More than is forgotten in one step. */
const OF_EACH = 70;
const MEMBER = digestOf("member");
const world = trustWorld([1, 1], 830);
const [revoked, other] = world.signers.flat() as [Signer, Signer];
/** What is taken back, by why that is. */
export const WHYS = ["alone", "member", "request", "signer"] as const;

export interface Home {
  readonly database: Database;
  readonly index: SqliteIndex;
  readonly begun: BegunRecalls;
  readonly shelf: SqliteShelf;
  readonly works: MembersWorks;
  readonly records: () => HotRecords;
  readonly hotKind: string;
  /** Where wrappers look for records. */
  readonly hot: string;
  readonly store: DiskStore;
}

export function openHome(directory: string, isPinned: (action: Digest) => boolean = () => false): Home {
  const parts = { log: silentLog, now: () => Date.now() };
  const database = openDatabase(parts, { file: join(directory, "index.db") });
  const blobs = join(directory, "blobs");
  const store = DiskStore.open({ ...parts, database }, { directory: blobs, capacityBytes: 2 ** 30, rawBytes: 2 ** 30 });
  const index = SqliteIndex.open({ ...parts, database });
  const shelf = new SqliteShelf({ ...parts, database, index, blobs: store }, { network: digestOf("network") });
  const hotKind = join(directory, "hot-kind");
  const hot = {
    directory: join(directory, "hot"),
    kindFile: hotKind,
    contentsFile: join(directory, "contents"),
    storeDirectory: blobs,
    capacityBytes: 2 ** 30,
  };
  let records: HotRecords | undefined;
  return {
    database,
    index,
    begun: new BegunRecalls({ database, index, isPinned }),
    shelf,
    works: new MembersWorks({ database }),
    records: () => (records ??= HotRecords.open(parts, hot)),
    hotKind,
    hot: hot.directory,
    store,
  };
}

/** Actions that are taken back for one reason. */
export function actionsOf(why: (typeof WHYS)[number]): readonly Digest[] {
  return namesOf(why).map((name) => executed(name, "x").entry.action);
}

function namesOf(why: (typeof WHYS)[number]): string[] {
  return Array.from({ length: why === "alone" || why === "request" ? 1 : OF_EACH }, (_, at) => `${why} ${at}`);
}

function resultsOf(why: (typeof WHYS)[number]): SharedResult[] {
  return namesOf(why).map((name) => sharedBy(world.state.network, why === "signer" ? revoked : other, executed(name, "x")));
}

/** Keeps results of others, and leaves a record of each. */
export function prepare({ index, shelf, works, records }: Pick<Home, "index" | "shelf" | "works" | "records">): void {
  for (const why of WHYS)
    for (const shared of resultsOf(why)) {
      index.add(shared.manifest, shared.entry, shared.result, new Map());
      if (why === "member") works.add(shared.entry.action, MEMBER);
      else shelf.put([shared]);
      records().leaveBytes(shared.entry.action, Buffer.from(why));
    }
}

/** @returns how many writes there were */
async function takeBackAll(home: Home, strike: number): Promise<number> {
  let writes = 0;
  const write = <T>(body: () => T): T => {
    if (++writes === strike) process.kill(process.pid, "SIGKILL");
    const value = body();
    if (++writes === strike) process.kill(process.pid, "SIGKILL");
    return value;
  };
  const { index, begun, shelf, works, records } = home;
  const recalls = new Recalls({
    index: { forget: (action) => write(() => index.forget(action)) },
    marks: {
      begin: (kind, all) => write(() => begun.begin(kind, all)),
      end: (kind, all) => write(() => begun.end(kind, all)),
      left: () => begun.left(),
    },
    isUnverified: () => false,
    gone: () => true,
    records: () => ({ doubt: () => write(() => records().doubt()) }),
    clearSoon: () => setImmediate(() => write(() => records().removeDoubted())),
  });
  const { signal } = new AbortController();
  for (const action of actionsOf("alone")) recalls.takeBack(action);
  const isBelieved = (): boolean => false;
  const words = new WorkersWords({ works, recalls, isBelieved, wordOf: () => undefined, log: silentLog });
  await words.recall(signal);
  using contradictions = new Contradictions({ shelf, recalls, isBelieved, isAskedFor: () => false, self: "", log: silentLog });
  const requests = resultsOf("request").map(({ manifest }) => manifest);
  contradictions.expect(requests);
  await contradictions.look(requests);
  await recalls.bySigners(shelf, new Set([revoked.attestationKey]), false, signal);
  await new Promise(setImmediate);
  return writes;
}

if (import.meta.main) {
  const [directory = "", strike = "0"] = process.argv.slice(2);
  const home = openHome(directory);
  home.records();
  process.stdout.write(String(await takeBackAll(home, Number(strike))));
}
