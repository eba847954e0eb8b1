/**
 * How V8 counts memory that lies outside of its heap: every piece that goes through a door is some.
 *
 * By itself V8 collects all of its heap for each few MiB of it, which was half of the time that a large blob took. Counted together with the heap,
 * such memory is collected where it has grown by as much as would be done for objects.
 */
import { setFlagsFromString } from "node:v8";

/** May be called again. A V8 that has no such setting says so on stderr, and goes on as before. */
export function countOutsideMemoryWithHeap(): void {
  setFlagsFromString("--external-memory-accounted-in-global-limit");
}
