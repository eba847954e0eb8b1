/**
 * The overlay as a source of hints about where members are: what it finds when somebody is missing.
 */
import type { Host } from "../base/index.ts";
import type { Discovery } from "../contracts/index.ts";

export class OverlayDiscovery implements Discovery {
  readonly source = "overlay";
  #found: ((hint: Host) => void) | undefined;

  start(found: (hint: Host) => void): void {
    this.#found = found;
  }

  /** The overlay looks by itself, every few seconds, who is missing. */
  refresh(): void {
    // Nothing to hurry: whoever is missing is looked for already.
  }

  found(hint: Host): void {
    this.#found?.(hint);
  }

  [Symbol.dispose](): void {
    this.#found = undefined;
  }
}
