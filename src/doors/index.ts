/**
 * Doors: everything that asks. The compiler wrapper's socket, its hot records and hits log, and the command line's control socket.
 *
 * Knows: protocols. Does not know: how answers are found.
 */
export { BazelResults } from "./bazel-results.ts";
export { CcacheDoor } from "./ccache-door.ts";
export { CompileDoor, type CompileDoorParts } from "./compile-socket.ts";
export { ControlDoor, type Controls, type ResultNamed } from "./control.ts";
export type { NetworkControls } from "./control-network.ts";
export type { ToolchainControls } from "./control-toolchains.ts";
export type { Tell, TreeControls } from "./control-trees.ts";
export type { CompileNamed } from "./control-trust.ts";
export type { TunnelControls } from "./control-tunnels.ts";
export type { WorkControls } from "./control-work.ts";
export { DoorBook, type DoorSeen } from "./door-book.ts";
export { HitsLog } from "./hits-log.ts";
export { HotRecords } from "./hot-records.ts";
export { type ArtifactStore, HttpArtifacts } from "./http-artifacts.ts";
export { HttpDoor } from "./http-door.ts";
export type { DoorTls, OpenAt } from "./listening.ts";
export { RecordsAhead, type RecordsAheadParts } from "./records-ahead.ts";
export { RedisDoor } from "./redis-door.ts";

export type { RemoteStore } from "./remote-blobs.ts";
export type { RemoteExecutor } from "./remote-door.ts";

/** The door of the Remote Execution API; see remote-door.ts. */
type RemoteDoors = typeof import("./remote-door.ts");

/** Loads the libraries for gRPC, which only those need who have such a door. */
export function loadRemoteDoor(): Promise<RemoteDoors> {
  return import("./remote-door.ts");
}
