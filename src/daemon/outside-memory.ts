/**
 * How V8 counts memory that lies outside of its heap: every piece that goes through a door is some.
 *
 * By itself V8 collects all of its heap for each few MiB of it, which was half of the time that a large blob took. Counted together with the heap,
 * such memory is collected where it has grown by as much as would be done for objects; and a daemon's heap may grow by little before that. So there
 * may be more of what nobody needs any more while there is little in all, and little while many clients make much of it.
 */
import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** By how much memory may grow, %: while there is little outside of the heap, and else, which is as the daemon was started. */
const GROWING = { little: 150, much: 30 } as const;
/** Little is what one client or a few have on the way. What lies between is what it was before, or each collection would change it. */
const LITTLE_BYTES = 16_777_216;
const MUCH_BYTES = 50_331_648;

let isWatching = false;

/** May be called again. A V8 that has no such setting says so on stderr, and goes on as before. */
export function countOutsideMemoryWithHeap(): void {
  if (isWatching) return;
  isWatching = true;
  setFlagsFromString("--external-memory-accounted-in-global-limit");
  let growing: number = GROWING.much;
  const choose = (): void => {
    const bytes = getHeapStatistics().external_memory;
    const wanted = bytes <= LITTLE_BYTES ? GROWING.little : bytes > MUCH_BYTES ? GROWING.much : growing;
    if (wanted !== growing) setFlagsFromString(`--heap-growing-percent=${wanted}`);
    growing = wanted;
  };
  choose();
  // What is chosen after one collection holds from the next one on.
  const observer = new PerformanceObserver((list) => {
    if (list.getEntries().some((entry) => isMajor(entry))) choose();
  });
  observer.observe({ entryTypes: ["gc"] });
}

function isMajor(entry: object): boolean {
  const detail = "detail" in entry ? entry.detail : undefined;
  return typeof detail === "object" && detail !== null && "kind" in detail && detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
