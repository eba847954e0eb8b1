/**
 * Store: blobs, what is known about compiles, what files contain, and the statements of a network, on this machine.
 *
 * Knows: files, free space, eviction, SQLite.
 * Does not know: peers, actions, compilers. A blob has no meaning here, a manifest is a list of paths and digests.
 */
export { BegunRecalls, type RecallKind } from "./begun-recalls.ts";
export { BoundedIds, type IdBounds } from "./bounded-ids.ts";
export { type Database, type DatabaseOptions, type DatabaseParts, movedAside, openDatabase } from "./database.ts";
export { DiskStore, type DiskStoreOptions, type DiskStoreParts } from "./disk.ts";
export { type DoorEntriesOptions, type DoorEntriesParts, SqliteDoorEntries } from "./door-entries.ts";
export { FileTable, type FileTableParts } from "./file-table.ts";
export { HeardDisputes } from "./heard-disputes.ts";
export type { Inspected, InspectionLimits } from "./inspection.ts";
export { readJson, writeJson, writeText } from "./json-file.ts";
export { KnownAttestations } from "./known-attestations.ts";
export { SHARDS } from "./layout.ts";
export { LogFiles } from "./log-files.ts";
export { MembersWorks } from "./members-works.ts";
export { NetworkState } from "./network-state.ts";
export { type Pin, Pins } from "./pins.ts";
export { SqliteIndex, type SqliteIndexOptions, type SqliteIndexParts } from "./results.ts";
export { SqliteShelf, type SqliteShelfParts } from "./shelf.ts";
export type { RecallSteps } from "./signers-recall.ts";
export { UnsharedCommands } from "./unshared-commands.ts";
export { UnverifiedResults } from "./unverified-results.ts";
