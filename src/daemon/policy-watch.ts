/**
 * Follows what the reader goes by, the network's policy and this machine's: what was taken under a laxer one is judged again.
 *
 * Knows: what was judged last, on disk. Does not know: which policy is right, or how results are judged.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { type Digest, type Log, limits, type SharingPolicy } from "../base/index.ts";
import { type Members, sharingUnder } from "../trust/index.ts";

export interface PolicyWatchParts {
  readonly members: Pick<Members, "state" | "onChange">;
  readonly kept: { setting(name: string): string | undefined; set(name: string, value: string): void };
  /** The next after that one, in order. Throws where they cannot be read. */
  readonly shelf: { manifestsToJudge(manifest: Digest, most: number): readonly Digest[] };
  /** Judges what is here for a request once more, now. */
  readonly again: (manifest: Digest) => void;
  readonly log: Log;
}

const SETTING = "judged-under";
const AT_ONCE = 256;

export class PolicyWatch implements Disposable {
  readonly #parts: PolicyWatchParts;
  readonly #own: SharingPolicy;
  #number: number | undefined;
  #isJudging = false;
  #isOver = false;

  /** @param options `policy`: this machine's own */
  constructor(parts: PolicyWatchParts, options: { readonly policy: SharingPolicy }) {
    this.#parts = parts;
    this.#own = options.policy;
    parts.members.onChange(() => this.look());
  }

  /** The reader's tier here and now. */
  get policy(): SharingPolicy {
    return sharingUnder(this.#parts.members.state?.policy.rules ?? {}, this.#own);
  }

  /** To be called once, when results can be judged. */
  look(): void {
    const { members, kept, log } = this.#parts;
    if (members.state === undefined || this.#isOver) return;
    const { number, rules, epoch } = members.state.policy;
    if (this.#number !== undefined && number !== this.#number)
      log.event("info", "policy.changed", { number, epoch: epoch ?? 0, rules: JSON.stringify(rules), sharing: this.policy });
    this.#number = number;
    // A home of before was judged under its own policy alone.
    const before = kept.setting(SETTING) ?? (number === 0 ? this.#held : "");
    if (before === this.#held) kept.set(SETTING, before);
    else if (!this.#isJudging) void this.#judge();
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
  }

  /** All that a verdict of the reader follows from, but for members and attestations. */
  get #held(): string {
    return `${this.policy} ${this.#parts.members.state?.policy.rules.quorum ?? 0}`;
  }

  /** Only what was judged to the end is kept as such: a crash begins anew, and so does the next start after a failure. */
  async #judge(): Promise<void> {
    const { shelf, again, kept, log } = this.#parts;
    this.#isJudging = true;
    const held = this.#held;
    try {
      let judged = 0;
      let failed = "";
      await otherWork();
      for (let last: Digest = ""; !this.#isOver && judged < limits.trust.judgedAgain; ) {
        const some = shelf.manifestsToJudge(last, AT_ONCE);
        if (some.length === 0) break;
        for (const manifest of some) {
          if (this.#isOver) return;
          try {
            again(manifest);
            judged++;
          } catch (error) {
            failed ||= String(error);
          }
          await otherWork();
        }
        last = some.at(-1) ?? last;
      }
      if (this.#isOver) return;
      if (failed !== "") return log.event("warn", "policy.not-judged", { error: failed });
      kept.set(SETTING, held);
      log.event("info", "policy.judged-again", { requests: judged, held });
    } catch (error) {
      log.event("warn", "policy.not-judged", { error: String(error) });
      return;
    } finally {
      this.#isJudging = false;
    }
    if (held !== this.#held) this.look(); // It has changed meanwhile.
  }
}
