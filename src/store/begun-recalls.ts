/**
 * BegunRecalls: what is being taken back, in the index database beside the results: whoever dies in the middle of that finishes it before anything
 * is answered again.
 *
 * What is finished like that is forgotten without asking anybody: nobody is there yet who could be asked, and what is forgotten too much is
 * executed or fetched again. What is pinned is not: it is to be judged as soon as somebody can. Knows: SQL. Does not know: why something is taken back.
 */
import type { Digest } from "../base/index.ts";
import type { ResultIndex } from "../contracts/index.ts";
import { type Database, textAt, toBytes } from "./database.ts";
import { SignersRecall } from "./signers-recall.ts";

/**
 * `signer`: what nobody else has signed. `member`: what rests on that member's word. `request`: what others have signed of that request; it is to be
 * judged once more.
 */
export type RecallKind = "signer" | "member" | "request";

export interface BegunRecallsParts {
  readonly database: Database;
  readonly index: Pick<ResultIndex, "entries" | "forget" | "originOf">;
  /** Whether somebody wants the result of an action kept. */
  readonly isPinned: (action: Digest) => boolean;
}

export class BegunRecalls {
  readonly #parts: BegunRecallsParts;
  readonly #sql: ReturnType<typeof statements>;

  constructor(parts: BegunRecallsParts) {
    this.#parts = parts;
    this.#sql = statements(parts.database);
  }

  /** To be called before the first of it is forgotten. Requests count where somebody's signature lies here. */
  begin(kind: RecallKind, all: readonly Digest[]): void {
    const add = kind === "request" ? this.#sql.addRequest : this.#sql.add;
    this.#write((one) => (kind === "request" ? add.run(kind, toBytes(one), toBytes(one)) : add.run(kind, toBytes(one))), all);
  }

  /** All of it is done. */
  end(kind: RecallKind, all: readonly Digest[]): void {
    this.#write((one) => this.#sql.drop.run(kind, toBytes(one)), all);
  }

  /** Whether an earlier process has left some. */
  get isAny(): boolean {
    return this.#parts.database.attempt("recalls", false, () => this.#sql.any.get() !== undefined);
  }

  /** Does what an earlier process has left. To be called before anything is answered. @returns how many results were forgotten */
  async finish(signal: AbortSignal): Promise<number> {
    const { database } = this.#parts;
    const [signers, members, requests] = (["signer", "member", "request"] as const).map((kind) => this.#begun(kind));
    if (signers === undefined || members === undefined || requests === undefined) return 0;
    const { forgotten, isDone } = await new SignersRecall({ database }).run(
      new Set(signers),
      { before: () => undefined, after: () => undefined },
      signal,
    );
    if (isDone) this.end("signer", signers);
    const rested = members.map((member) =>
      database.attempt<number | undefined>("recall of a member", undefined, () => this.#sql.forgetWorks.run(toBytes(member))),
    );
    this.end(
      "member",
      members.filter((_, i) => rested[i] !== undefined),
    );
    const judged = requests.map((manifest) => this.#forgetOthers(manifest));
    this.end(
      "request",
      requests.filter((_, i) => judged[i]?.isDone === true),
    );
    return [...rested.map((count) => count ?? 0), ...judged.map((one) => one.forgotten)].reduce((sum, count) => sum + count, forgotten);
  }

  /** Requests that are to be judged, and have not been yet. */
  left(): readonly Digest[] {
    return this.#begun("request");
  }

  #forgetOthers(manifest: Digest): { readonly forgotten: number; readonly isDone: boolean } {
    const { index, isPinned } = this.#parts;
    const others = this.#others(manifest).filter((action) => !isPinned(action));
    for (const action of others) index.forget(action);
    return { forgotten: others.length, isDone: this.#others(manifest).length === 0 };
  }

  #others(manifest: Digest): Digest[] {
    const { index } = this.#parts;
    return index.entries(manifest).flatMap(({ action }) => (index.originOf(action) === "here" ? [] : [action]));
  }

  #begun(kind: RecallKind): string[] {
    return this.#parts.database.attempt("recalls", [], () => this.#sql.of.all(kind).map((row) => textAt(row, 0)));
  }

  #write(write: (one: string) => void, all: readonly string[]): void {
    if (all.length === 0) return;
    const { database } = this.#parts;
    database.attempt("mark recalls", undefined, () =>
      database.transaction(() => {
        for (const one of all) write(one);
      }),
    );
  }
}

function statements(database: Database) {
  return {
    add: database.statement("INSERT OR IGNORE INTO begun_recalls (kind, what) VALUES (?, ?)"),
    addRequest: database.statement(`INSERT OR IGNORE INTO begun_recalls (kind, what) SELECT ?, ? WHERE EXISTS
      (SELECT 1 FROM entries JOIN attestations ON attestations.entry = entries.id WHERE entries.manifest = ?)`),
    drop: database.statement("DELETE FROM begun_recalls WHERE kind = ? AND what = ?"),
    any: database.statement("SELECT 1 FROM begun_recalls LIMIT 1"),
    of: database.statement("SELECT lower(hex(what)) FROM begun_recalls WHERE kind = ?"),
    forgetWorks: database.statement("DELETE FROM results WHERE action IN (SELECT action FROM members_works WHERE member = ?)"),
  };
}
