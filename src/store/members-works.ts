/**
 * MembersWorks: which results a member has executed for this node alone, and which member, in the index database beside the results: what rests on
 * one member's word goes when that word does not count any more.
 *
 * Knows: SQL. Does not know: whose word counts, or whether that member has signed it.
 */
import type { Digest, Key } from "../base/index.ts";
import { type Database, textAt, toBytes } from "./database.ts";

export class MembersWorks {
  readonly #database: Database;
  readonly #sql: ReturnType<typeof statements>;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
    this.#sql = statements(database);
    database.attempt("tidy members' works", undefined, () => void this.#sql.tidy.run());
  }

  /** @returns undefined where this node has executed it, or has it by what was signed alone */
  memberOf(action: Digest): Key | undefined {
    return this.#database.attempt("a member's work", undefined, () => textAt(this.#sql.memberOf.get(toBytes(action)), 0) || undefined);
  }

  /** Whoever has works here. */
  members(): Key[] {
    return this.#database.attempt("members with works", [], () => this.#sql.members.all().map((row) => textAt(row, 0)));
  }

  /** Some actions of one member, at most so many, in order, after that one. */
  of(member: Key, after: Digest, most: number): Digest[] {
    const rows = this.#database.attempt("a member's works", [], () => this.#sql.of.all(toBytes(member), toBytes(after), most));
    return rows.map((row) => textAt(row, 0));
  }

  /** To be called before the result is kept. @returns false where it could not be written */
  add(action: Digest, member: Key): boolean {
    return this.#database.attempt("mark a member's work", false, () => {
      this.#sql.add.run(toBytes(action), toBytes(member));
      return true;
    });
  }

  /** This node has executed it. */
  delete(action: Digest): void {
    this.#database.attempt("unmark a member's work", undefined, () => void this.#sql.drop.run(toBytes(action)));
  }
}

function statements(database: Database) {
  const named = (blob: string): string => `lower(hex(${blob}))`;
  return {
    tidy: database.statement(
      "DELETE FROM members_works WHERE NOT EXISTS (SELECT 1 FROM results WHERE results.action = members_works.action)",
    ),
    memberOf: database.statement(`SELECT ${named("member")} FROM members_works WHERE action = ?`),
    // One step of the index a member, however many works each has.
    members: database.statement(`WITH RECURSIVE next (member) AS (SELECT min(member) FROM members_works
      UNION ALL SELECT (SELECT min(member) FROM members_works WHERE member > next.member) FROM next WHERE next.member IS NOT NULL)
      SELECT ${named("member")} FROM next WHERE member IS NOT NULL`),
    of: database.statement(`SELECT ${named("action")} FROM members_works WHERE member = ? AND action > ? ORDER BY action LIMIT ?`),
    add: database.statement(
      "INSERT INTO members_works (action, member) VALUES (?, ?) ON CONFLICT (action) DO UPDATE SET member = excluded.member",
    ),
    drop: database.statement("DELETE FROM members_works WHERE action = ?"),
  };
}
