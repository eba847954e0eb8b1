/**
 * Where two objects part ways, as a person would say it: in which section, how far into which function or variable.
 *
 * Objects may come from anybody, so nothing here believes what they say about themselves, and no program is asked that might.
 * Knows: ELF (System V ABI, gABI 4.1, chapter 4), as far as sections and symbols go. Does not know: instructions, debugging information.
 */

export interface ObjectPlace {
  /** "" where the objects have no sections that can be told apart. */
  readonly section: string;
  /** Bytes into the section, or into the file where there is none; undefined where only one of the objects has the section. */
  readonly offset: number | undefined;
  /** The function or variable that lies there, and how far into it; as the object names it, which may be anything. */
  readonly symbol: { readonly name: string; readonly offset: number } | undefined;
  /** Bytes as hexadecimal digits, or the text that they are; "" where there is nothing. */
  readonly before: string;
  readonly after: string;
}

interface Section {
  readonly name: string;
  readonly type: number;
  /** The section that it speaks of. */
  readonly link: number;
  readonly isPacked: boolean;
  readonly content: Buffer;
}

/** Functions, variables and whatever else: looked through, and never listed, as there may be millions. */
interface SymbolTable {
  readonly fields: Fields;
  /** Bytes */
  readonly length: number;
  readonly names: Buffer;
}

interface ObjectFile {
  readonly sections: readonly Section[];
  readonly symbols: SymbolTable | undefined;
}

const NO_BITS = 8;
const SYMBOLS = 2;
/** SHF_COMPRESSED */
const COMPRESSED = 0x800;
/** Types of symbols that are of use to people: variables and functions. */
const NAMED: ReadonlySet<number> = new Set([1, 2]);
/** Of what differs. */
const SHOWN_BYTES = 16;
const SHOWN_TEXT = 60;
/** Printable characters in a row that are taken for text. */
const TEXT_LEAST = 6;
/** Of a name, in bytes: no more is looked at, as a hostile table of names may have no end. */
const NAME_LENGTH = 256;
/** Looked at in a table; what lies in one beyond them has no name. */
const SYMBOLS_MOST = 65_536;

/** @returns undefined where they are the same */
export function objectDifference(before: Buffer, after: Buffer): ObjectPlace | undefined {
  if (before.equals(after)) return undefined;
  const [old, now] = [readObject(before), readObject(after)];
  return (old && now && sectionDifference(old, now)) ?? placeIn("", before, after);
}

/** Whether there is something in an object that cannot be found by searching it, whoever has asked for that. */
export function isCompressed(bytes: Buffer): boolean {
  const object = readObject(bytes);
  return object?.sections.some(({ isPacked, name }) => isPacked || name.startsWith(".zdebug")) === true;
}

/** Undefined where all sections are the same, and the objects differ around them. */
function sectionDifference(before: ObjectFile, after: ObjectFile): ObjectPlace | undefined {
  const [old, now] = [before, after].map(({ sections }) => byName(sections)) as [
    ReadonlyMap<string, Section>,
    ReadonlyMap<string, Section>,
  ];
  const different = [...old].flatMap(([key, section]): Pair[] => {
    const other = now.get(key);
    return other !== undefined && section.content.equals(other.content) ? [] : [[section, other]];
  });
  for (const [key, section] of now) if (!old.has(key)) different.push([undefined, section]);
  // Tables of names and symbols follow from what else there is.
  const [section, other] =
    different.find(([one, another]) => !/^\.(?:sym|str|shstr)tab/.test((one ?? another)?.name ?? "")) ?? different[0] ?? [];
  if (section === undefined) return other && lone(other, false);
  if (other === undefined) return lone(section, true);
  const place = placeIn(section.name, section.content, other.content);
  return { ...place, symbol: symbolAt(before, section, place.offset) ?? symbolAt(after, other, place.offset) };
}

/** A section as it is in either; not in both of them undefined. */
type Pair = readonly [Section | undefined, Section | undefined];

/** Sections of one name, as those of groups are, are told apart by their order. */
function byName(sections: readonly Section[]): ReadonlyMap<string, Section> {
  const counts = new Map<string, number>();
  return new Map(
    sections.map((section) => {
      const count = counts.get(section.name) ?? 0;
      counts.set(section.name, count + 1);
      return [`${section.name} ${count}`, section];
    }),
  );
}

function lone({ name }: Section, isInFirst: boolean): ObjectPlace {
  const [there, away] = ["it is there", "it is not"];
  return { section: name, offset: undefined, symbol: undefined, before: isInFirst ? there : away, after: isInFirst ? away : there };
}

function placeIn(section: string, before: Buffer, after: Buffer): ObjectPlace & { readonly offset: number } {
  let offset = 0;
  while (offset < Math.min(before.length, after.length) && before[offset] === after[offset]) offset++;
  const texts = [before, after].map((bytes) => textAt(bytes, offset));
  const shown = texts.every((text) => text !== undefined)
    ? texts
    : [before, after].map((bytes) => bytes.toString("hex", offset, offset + SHOWN_BYTES));
  return { section, offset, symbol: undefined, before: shown[0] ?? "", after: shown[1] ?? "" };
}

/** The row of printable characters in which that byte lies; undefined where there is none that is long enough. */
function textAt(bytes: Buffer, at: number): string | undefined {
  const isPrintable = (place: number): boolean => {
    const byte = bytes[place] ?? 0;
    return byte >= 0x20 && byte < 0x7f;
  };
  let [begin, end] = [at, at];
  while (begin > 0 && at - begin < SHOWN_TEXT / 2 && isPrintable(begin - 1)) begin--;
  while (end < bytes.length && end - begin < SHOWN_TEXT && isPrintable(end)) end++;
  return end - begin < TEXT_LEAST ? undefined : bytes.toString("latin1", begin, end);
}

/** How the fields of a file are read: by its class and its order of bytes. @throws {RangeError} outside of it */
class Fields {
  readonly is64: boolean;
  readonly #view: DataView;
  readonly #isLittle: boolean;

  constructor(bytes: Buffer, is64: boolean, isLittle: boolean) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.is64 = is64;
    this.#isLittle = isLittle;
  }

  byte(at: number): number {
    return this.#view.getUint8(at);
  }

  half(at: number): number {
    return this.#view.getUint16(at, this.#isLittle);
  }

  word(at: number): number {
    return this.#view.getUint32(at, this.#isLittle);
  }

  /** An address, an offset or a size. */
  wide(at64: number, at32: number): number {
    return this.is64 ? Number(this.#view.getBigUint64(at64, this.#isLittle)) : this.word(at32);
  }
}

/** Undefined for what is no object, or says of itself what cannot be. */
function readObject(bytes: Buffer): ObjectFile | undefined {
  const [width, order] = [bytes[4], bytes[5]];
  const isElf = bytes.length >= 52 && bytes.readUInt32BE(0) === 0x7f454c46;
  if (!isElf || (width !== 1 && width !== 2) || (order !== 1 && order !== 2)) return undefined;
  try {
    const fieldsOf = (some: Buffer): Fields => new Fields(some, width === 2, order === 1);
    const sections = readSections(bytes, fieldsOf(bytes));
    const table = sections.find(({ type }) => type === SYMBOLS);
    const names = sections[table?.link ?? -1]?.content ?? Buffer.alloc(0);
    return { sections, symbols: table && { fields: fieldsOf(table.content), length: table.content.length, names } };
  } catch (error) {
    if (error instanceof RangeError) return undefined; // Something lies outside of it.
    throw error;
  }
}

/** @throws {RangeError} where heads, or sections, lie one over the other: each would be read as often as there are of them */
function readSections(bytes: Buffer, fields: Fields): Section[] {
  const { is64 } = fields;
  const start = fields.wide(0x28, 0x20);
  const [size, count, names] = (is64 ? [0x3a, 0x3c, 0x3e] : [0x2e, 0x30, 0x32]).map((at) => fields.half(at)) as [number, number, number];
  if (size < (is64 ? 64 : 40)) throw new RangeError("heads of sections overlap");
  const heads = Array.from({ length: count }, (_, i) => headAt(fields, start + i * size));
  const table = heads[names] ?? { start: 0, bytes: 0 };
  const sections = heads.map(({ name, type, link, isPacked, start: from, bytes: length }) => ({
    name: nameAt(bytes.subarray(table.start, table.start + table.bytes), name),
    type,
    link,
    isPacked,
    content: type === NO_BITS ? Buffer.alloc(0) : bytes.subarray(from, from + length),
  }));
  if (sections.reduce((sum, { content }) => sum + content.length, 0) > bytes.length) throw new RangeError("sections overlap");
  return sections;
}

function headAt(fields: Fields, at: number) {
  const link = fields.word(at + (fields.is64 ? 0x28 : 0x18));
  const [start, bytes] = [fields.wide(at + 0x18, at + 0x10), fields.wide(at + 0x20, at + 0x14)];
  const isPacked = (fields.wide(at + 8, at + 8) & COMPRESSED) !== 0;
  return { name: fields.word(at), type: fields.word(at + 4), link, isPacked, start, bytes };
}

function nameAt(names: Buffer, at: number): string {
  const name = names.subarray(at, at + NAME_LENGTH);
  const end = name.indexOf(0);
  return name.toString("utf8", 0, end < 0 ? name.length : end);
}

/** The function or variable around a place, where the object tells of one. */
function symbolAt({ sections, symbols }: ObjectFile, section: Section, offset: number): ObjectPlace["symbol"] {
  if (symbols === undefined) return undefined;
  const { fields, length, names } = symbols;
  const { is64 } = fields;
  const size = is64 ? 24 : 16;
  const number = sections.indexOf(section);
  for (let at = 0; at + size <= Math.min(length, SYMBOLS_MOST * size); at += size) {
    const isHere = fields.half(at + (is64 ? 6 : 14)) === number && NAMED.has(fields.byte(at + (is64 ? 4 : 12)) & 0xf);
    if (!isHere) continue;
    const [start, bytes] = [fields.wide(at + 8, at + 4), fields.wide(at + 16, at + 8)];
    if (start <= offset && offset < start + bytes) return { name: nameAt(names, fields.word(at)), offset: offset - start };
  }
  return undefined;
}
