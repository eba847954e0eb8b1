/**
 * Names of content as IPFS writes them (CIDv1), and directories as DAG-CBOR: docs/protocol/trees.md.
 *
 * Knows: one encoding of each directory, and its bounds. Does not know: files, or where blobs are.
 */
import { type DecodeOptions, decode, type Token, Tokenizer } from "cborg";
import { CID } from "multiformats/cid";
import { create } from "multiformats/hashes/digest";
import { CairnError, type Digest, limits, systemCode } from "../base/index.ts";

/** What a blob is: the bytes of a file, or a directory. */
export type Codec = "raw" | "directory";

/** A blob, and how to read it. */
export interface Root {
  readonly digest: Digest;
  readonly codec: Codec;
}

export type TreeEntry =
  | { readonly kind: "file"; readonly digest: Digest; readonly size: number; readonly executable: boolean }
  /** @property size bytes of its node */
  | { readonly kind: "directory"; readonly digest: Digest; readonly size: number }
  | { readonly kind: "link"; readonly target: string };

/** Entries by name. */
export type Directory = ReadonlyMap<string, TreeEntry>;

const CODES = { raw: 0x55, directory: 0x71 } as const satisfies Record<Codec, number>;
const SHA2_256 = 0x12;
const LINK_TAG = 42;
/** Before a CID in a tag 42: the multibase prefix of bytes. */
const IDENTITY = 0;
const { nodeBytes, nameBytes, targetBytes, directoryEntries } = limits.trees;

/** `bafkrei…` for the bytes of a file, `bafyrei…` for a directory. */
export function formatCid({ digest, codec }: Root): string {
  return cidOf(digest, codec).toString();
}

/** Undefined when it is none, or one of content that Cairn does not have: other hashes, other codecs. */
export function parseCid(text: string): Root | undefined {
  try {
    return rootOf(CID.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Undefined when it is larger than a directory may be.
 *
 * @throws {CairnError} usage when a name or a target cannot be told
 */
export function encodeDirectory(directory: Directory): Uint8Array | undefined {
  for (const [name, entry] of directory) {
    if (!isEntryName(name)) throw new CairnError("usage", { why: `${JSON.stringify(name)} cannot be the name of an entry` });
    if (entry.kind === "link" && !isTarget(entry.target))
      throw new CairnError("usage", { why: `${name} leads to what cannot be told: ${JSON.stringify(entry.target)}` });
  }
  const bytes = encodeChecked(directory);
  return directory.size > directoryEntries || bytes.length > nodeBytes ? undefined : bytes;
}

/** @throws {CairnError} frame-invalid when these are not exactly the bytes that {@link encodeDirectory} would write */
export function decodeDirectory(bytes: Uint8Array): Directory {
  if (bytes.length > nodeBytes) throw invalid("too large");
  let node: unknown;
  try {
    node = decode(bytes, { ...DECODING, tokenizer: new BoundedTokenizer(bytes, DECODING) });
  } catch (error) {
    // Nesting that fills the stack ends up here as well.
    if (systemCode(error) !== undefined) throw error;
    throw new CairnError("frame-invalid", { what: "directory" }, error);
  }
  const entries = node instanceof Map && node.size === 1 ? (node.get("entries") as unknown) : undefined;
  if (!(entries instanceof Map) || entries.size > directoryEntries) throw invalid("directory");
  const directory = new Map<string, TreeEntry>();
  for (const [name, entry] of entries as ReadonlyMap<unknown, unknown>) {
    if (typeof name !== "string" || !isEntryName(name)) throw invalid("name");
    directory.set(name, readEntry(entry));
  }
  // Two encodings of one directory would have two names.
  if (!encodeChecked(directory).equals(bytes)) throw invalid("encoding");
  return directory;
}

/** Whether it can be the name of one entry and nothing else: no path, and neither the directory itself nor the one above. */
export function isEntryName(name: string): boolean {
  const isPlain = name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
  return isPlain && name.isWellFormed() && Buffer.byteLength(name) <= nameBytes;
}

function isTarget(target: string): boolean {
  return target !== "" && !target.includes("\0") && target.isWellFormed() && Buffer.byteLength(target) <= targetBytes;
}

function cidOf(digest: Digest, codec: Codec): CID {
  return CID.createV1(CODES[codec], create(SHA2_256, Buffer.from(digest, "hex")));
}

function rootOf(cid: CID): Root | undefined {
  const codec = cid.code === CODES.raw ? "raw" : cid.code === CODES.directory ? "directory" : undefined;
  const { code, digest } = cid.multihash;
  if (cid.version !== 1 || codec === undefined || code !== SHA2_256 || digest.length !== 32) return undefined;
  return { digest: Buffer.from(digest).toString("hex"), codec };
}

/**
 * Written by hand: every directory that is read is written again, and that would be most of the time that reading takes.
 * DAG-CBOR: shorter keys first, then by their bytes.
 */
function encodeChecked(directory: Directory): Buffer {
  const named = [...directory].map(([name, entry]) => ({ name: Buffer.from(name), entry }));
  named.sort(({ name: a }, { name: b }) => a.length - b.length || a.compare(b));
  const parts = [head(MAP, 1), textOf("entries"), head(MAP, named.length)];
  for (const { name, entry } of named) parts.push(head(TEXT, name.length), name, ...writeEntry(entry));
  return Buffer.concat(parts);
}

function writeEntry(entry: TreeEntry): readonly Buffer[] {
  if (entry.kind === "link") return [TARGET, textOf(entry.target)];
  const link = [LINK[entry.kind], Buffer.from(entry.digest, "hex"), SIZE, head(UNSIGNED, entry.size)];
  return entry.kind === "file" && entry.executable ? [head(MAP, 3), ...link, EXECUTABLE] : [head(MAP, 2), ...link];
}

/** Major types of CBOR. */
const [UNSIGNED, BYTES, TEXT, MAP, TAG] = [0, 2, 3, 5, 6] as const;
const TRUE = 0xf5;

/** What every value begins with: its type, and its number or length as short as it can be told. */
function head(major: number, value: number): Buffer {
  const top = major << 5;
  if (value < 24) return Buffer.of(top | value);
  if (value < 0x100) return Buffer.of(top | 24, value);
  const head = Buffer.alloc(value < 0x1_0000 ? 3 : value < 0x1_0000_0000 ? 5 : 9);
  head[0] = top | (head.length === 3 ? 25 : head.length === 5 ? 26 : 27);
  if (head.length === 3) head.writeUInt16BE(value, 1);
  else if (head.length === 5) head.writeUInt32BE(value, 1);
  else head.writeBigUInt64BE(BigInt(value), 1);
  return head;
}

function textOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([head(TEXT, bytes.length), bytes]);
}

/** All of a link but the digest at its end. */
function linkHead(codec: Codec): Buffer {
  const cid = Buffer.of(IDENTITY, 1, CODES[codec], SHA2_256, 32);
  return Buffer.concat([textOf("link"), head(TAG, LINK_TAG), head(BYTES, cid.length + 32), cid]);
}

const TARGET = Buffer.concat([head(MAP, 1), textOf("target")]);
const LINK = { file: linkHead("raw"), directory: linkHead("directory") } as const;
const SIZE = textOf("size");
const EXECUTABLE = Buffer.concat([textOf("executable"), Buffer.of(TRUE)]);

/** Fields that are too many show when the directory is encoded again. */
function readEntry(entry: unknown): TreeEntry {
  if (!(entry instanceof Map)) throw invalid("entry");
  const fields = entry as ReadonlyMap<unknown, unknown>;
  const target = fields.get("target");
  if (typeof target === "string" && isTarget(target)) return { kind: "link", target };
  const [root, size] = [fields.get("link"), fields.get("size")];
  if (!isRoot(root) || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw invalid("entry");
  if (root.codec === "raw") {
    if (size > limits.blobBytes) throw invalid("size");
    return { kind: "file", digest: root.digest, size, executable: fields.get("executable") === true };
  }
  if (size > nodeBytes) throw invalid("size");
  return { kind: "directory", digest: root.digest, size };
}

function isRoot(value: unknown): value is Root {
  return typeof value === "object" && value !== null && "codec" in value && "digest" in value;
}

/** Of what there are several ways to write something, only those of DAG-CBOR. Maps: a name may be `__proto__`. */
const DECODING: DecodeOptions = {
  strict: true,
  useMaps: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
  tags: {
    [LINK_TAG]: (content) => {
      const bytes: unknown = content();
      const root = bytes instanceof Uint8Array && bytes[0] === IDENTITY ? rootOf(CID.decode(bytes.subarray(1))) : undefined;
      if (root === undefined) throw invalid("link");
      return root;
    },
  },
};

/** A file that can be executed has nine tokens: name, map, link, tag, bytes, size, its number, executable, true. */
const MOST_TOKENS = 3 + 9 * directoryEntries;

/** What is not small enough for a directory is not read to its end. */
class BoundedTokenizer extends Tokenizer {
  #left = MOST_TOKENS;

  override next(): Token {
    if (this.#left-- === 0) throw invalid("too many tokens");
    return super.next();
  }
}

function invalid(what: string): CairnError {
  return new CairnError("frame-invalid", { what });
}
