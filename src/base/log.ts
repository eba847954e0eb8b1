/**
 * Log: an event name and facts, one JSON object a line. What is written where is the composition root's business.
 */
import type { Facts } from "./errors.ts";

export type Level = "debug" | "info" | "warn" | "error";

export interface Log {
  event(level: Level, name: string, facts?: Facts): void;
  /** An event that is counted and not written, where somebody counts: one of those that strangers could fill a log with. */
  count?(name: string, why: string): void;
}

const ORDER: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/**
 * A log that hands finished lines to `write`.
 *
 * @param now milliseconds since the epoch
 */
export function lineLog(write: (line: string) => void, least: Level, now: () => number): Log {
  return {
    event(level, name, facts = {}) {
      if (ORDER[level] < ORDER[least]) return;
      write(`${JSON.stringify({ at: new Date(now()).toISOString(), level, event: name, ...facts })}\n`);
    },
  };
}

export const silentLog: Log = { event: () => undefined };
