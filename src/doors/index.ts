/**
 * Doors: everything that asks. The compiler wrapper's socket, its hot records and hits log, and the command line's control socket.
 *
 * Knows: protocols. Does not know: how answers are found.
 */
export { CompileDoor, type CompileDoorParts } from "./compile-socket.ts";
export { ControlDoor, type Controls } from "./control.ts";
export type { NetworkControls } from "./control-network.ts";
export type { ToolchainControls } from "./control-toolchains.ts";
export type { TreeControls } from "./control-trees.ts";
export type { TunnelControls } from "./control-tunnels.ts";
export type { WorkControls } from "./control-work.ts";
export { HitsLog } from "./hits-log.ts";
export { HotRecords } from "./hot-records.ts";
