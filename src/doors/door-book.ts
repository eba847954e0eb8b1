/**
 * DoorBook: what came and went through each door, and when a tool was last heard.
 *
 * Knows: counts. Does not know: protocols.
 */
import type { Log } from "../base/index.ts";
import type { Statistics } from "../flows/index.ts";

/** `put`: bytes were kept; `refused`: somebody was sent away, or asked for what there cannot be. */
export type DoorEvent = "hit" | "miss" | "put" | "refused";

export interface DoorBookParts {
  readonly statistics: Pick<Statistics, "count">;
  readonly log: Log;
  /** ms since the epoch */
  readonly now: () => number;
}

/** What has happened at one door since the daemon started. */
export interface DoorSeen {
  readonly door: string;
  readonly requests: number;
  readonly refused: number;
  /** ms since the epoch */
  readonly lastAt: number;
  /** Why the last one that was refused was; "" where none was since the last that was not. */
  readonly lastRefusal: string;
}

export class DoorBook {
  readonly #parts: DoorBookParts;
  readonly #seen = new Map<string, { requests: number; refused: number; lastAt: number; lastRefusal: string }>();

  constructor(parts: DoorBookParts) {
    this.#parts = parts;
  }

  /** @param bytes of content, sent or kept @param from the machine where a tool has left it; "": this one */
  note(door: string, event: Exclude<DoorEvent, "refused">, key: string, bytes = 0, from = ""): void {
    this.#at(door).lastRefusal = "";
    const moved = event === "hit" ? { [`door:${door}:sent_bytes`]: bytes } : event === "put" ? { [`door:${door}:kept_bytes`]: bytes } : {};
    const others = event === "hit" && from !== "" ? { [`door:${door}:others`]: 1 } : {};
    this.#parts.statistics.count({ [`door:${door}:${event}`]: 1, ...moved, ...others });
    this.#parts.log.event("debug", `door.${event}`, { door, key, bytes, ...(from === "" ? {} : { from }) });
  }

  refused(door: string, why: string): void {
    const seen = this.#at(door);
    seen.refused++;
    seen.lastRefusal = why;
    this.#parts.statistics.count({ [`door:${door}:refused`]: 1 });
    this.#parts.log.event("debug", "door.refused", { door, why });
  }

  seen(): DoorSeen[] {
    return [...this.#seen].map(([door, seen]) => ({ door, ...seen }));
  }

  #at(door: string): { requests: number; refused: number; lastAt: number; lastRefusal: string } {
    let seen = this.#seen.get(door);
    if (seen === undefined) this.#seen.set(door, (seen = { requests: 0, refused: 0, lastAt: 0, lastRefusal: "" }));
    seen.requests++;
    seen.lastAt = this.#parts.now();
    return seen;
  }
}
