/**
 * Discovery: where members may be dialled. Several sources know a little each, and none of them proves anything.
 */
import type { Host } from "../base/index.ts";

export interface Discovery extends Disposable {
  /** Where its hints come from, for logs and people: `mdns`, `saved`, `static`. */
  readonly source: string;
  /**
   * Begins. Calls `found`, possibly before it returns, for whatever turns up until it is disposed of; the same may be found again.
   * Hints are about members only, never about this node, and each of their addresses is one that `net` can dial.
   * Whoever answers there has still to prove who it is.
   */
  start(found: (hint: Host) => void): void;
  /** This machine's networks, or who is a member, have changed: look again at once. */
  refresh(): void;
}
