/**
 * Archives of objects (ar), read as far as it takes to tell why two of them differ.
 */
export interface Member {
  readonly name: string;
  /** Time, owner, group and mode, as they stand there. */
  readonly facts: string;
  readonly content: Buffer;
}

export type ArchiveDifference =
  /** Other content: of these members, or of all that only one of them has. */
  | { readonly kind: "members"; readonly names: readonly string[] }
  | { readonly kind: "order" }
  /** @property isMode whether it is nothing but modes */
  | { readonly kind: "facts"; readonly isMode: boolean };

const MAGIC = "!<arch>\n";
const HEADER_BYTES = 60;
/** Of the facts, where the mode begins, and their end. */
const MODE_AT = 24;
const FACTS_CHARS = 32;

export function isArchive(content: Buffer): boolean {
  return content.toString("latin1", 0, MAGIC.length) === MAGIC;
}

/** Undefined for what is no archive, or a broken one. The table of symbols and that of long names are left out. */
export function membersOf(content: Buffer): readonly Member[] | undefined {
  if (!isArchive(content)) return undefined;
  const members: Member[] = [];
  let longNames = "";
  for (let at = MAGIC.length; at < content.length; ) {
    const header = content.toString("latin1", at, at + HEADER_BYTES);
    const size = Number(header.slice(48, 58));
    if (header.length < HEADER_BYTES || !Number.isSafeInteger(size) || size < 0 || at + HEADER_BYTES + size > content.length)
      return undefined;
    const body = content.subarray(at + HEADER_BYTES, at + HEADER_BYTES + size);
    const name = header.slice(0, 16).trimEnd();
    if (name === "//") longNames = body.toString("latin1");
    else if (name !== "/" && name !== "/SYM64/")
      members.push({ name: nameOf(name, longNames), facts: header.slice(16, 48), content: body });
    at += HEADER_BYTES + size + (size % 2);
  }
  return members;
}

/** Undefined where nothing but the table of symbols differs, or one is no archive. */
export function archiveDifference(one: Buffer, other: Buffer): ArchiveDifference | undefined {
  const [mine, theirs] = [membersOf(one), membersOf(other)];
  if (mine === undefined || theirs === undefined) return undefined;
  const rest = new Map(Map.groupBy(theirs, ({ name }) => name));
  const names = mine.filter((member) => {
    const [same, ...more] = rest.get(member.name) ?? [];
    rest.set(member.name, more);
    return same === undefined || !same.content.equals(member.content);
  });
  const left = [...rest.values()].flat();
  if (names.length + left.length > 0) return { kind: "members", names: [...new Set([...names, ...left].map(({ name }) => name))] };
  if (mine.some(({ name }, at) => theirs[at]?.name !== name)) return { kind: "order" };
  const differ = (from: number, to: number): boolean =>
    mine.some(({ facts }, at) => theirs[at]?.facts.slice(from, to) !== facts.slice(from, to));
  const isMore = differ(0, MODE_AT);
  return isMore || differ(MODE_AT, FACTS_CHARS) ? { kind: "facts", isMode: !isMore } : undefined;
}

/** GNU's: `name/`, or `/offset` into the table of long names. */
function nameOf(name: string, longNames: string): string {
  const offset = /^\/(\d+)$/.exec(name)?.[1];
  return offset === undefined ? name.replace(/\/$/, "") : (longNames.slice(Number(offset)).split("/\n", 1)[0] ?? "");
}
