/**
 * What a general action has left, as bytes and back: a list of files, directories and links, and the files' contents after it.
 *
 * Knows: bounds, and that nothing may be named that was not declared. Does not know: frames, or where contents go.
 */
import { posix } from "node:path";
import { limits } from "../base/index.ts";
import type { Left } from "../contracts/index.ts";
import { type WorkLeftOneSchema, WorkLeftSchema } from "./generated/work_pb.ts";
import { decodeAny, encode, type Init, invalid, list } from "./message-fields.ts";
import { sizeOf } from "./shared-result.ts";

/** One by one what was left; a file's content comes apart from it. */
type Listed = Exclude<Left, { kind: "file" }> | (Omit<Extract<Left, { kind: "file" }>, "content"> & { readonly size: number });

/** The list; contents of files follow it, in its order. */
export function encodeWorkLeft(left: readonly Left[]): Uint8Array {
  return encode(WorkLeftSchema, {
    left: left.map((one): Init<typeof WorkLeftOneSchema> => {
      const { path } = one;
      switch (one.kind) {
        case "file":
          return { path, what: { case: "file", value: { size: BigInt(one.content.length), executable: one.executable } } };
        case "directory":
          return { path, what: { case: "directory", value: {} } };
        case "link":
          return { path, what: { case: "target", value: one.target } };
      }
    }),
  });
}

/**
 * @param outputs those that were declared
 * @param content of all files, one after the other
 * @throws {CairnError} frame-invalid: no such list, or something in it that was not declared, or twice, or whose content is not there
 */
export function decodeWorkLeft(bytes: Uint8Array, content: Buffer, outputs: readonly string[]): Left[] {
  let at = 0;
  const left = listedIn(bytes).map((one): Left => {
    if (one.kind !== "file") return one;
    const { kind, path, executable, size } = one;
    if (size > content.length - at) throw invalid("left");
    return { kind, path, executable, content: content.subarray(at, (at += size)) };
  });
  if (at !== content.length) throw invalid("left");
  checkPlaces(left, new Set(outputs));
  return left;
}

function listedIn(bytes: Uint8Array): Listed[] {
  const { left } = decodeAny(WorkLeftSchema, bytes, limits.work.leftListBytes);
  return list(left, limits.action.workLeft).map(({ path, what }) => {
    if (path === "" || !isNormal(path)) throw invalid("left");
    switch (what.case) {
      case "file":
        return { kind: "file", path, executable: what.value.executable, size: sizeOf(what.value.size) };
      case "directory":
        return { kind: "directory", path };
      case "target":
        if (what.value === "" || what.value.includes("\0") || what.value.length > limits.action.pathBytes) throw invalid("target");
        return { kind: "link", path, target: what.value };
      case undefined:
        throw invalid("left");
    }
  });
}

/** Each is a declared output, or lies in a directory that is told of before it. */
function checkPlaces(left: readonly Left[], outputs: ReadonlySet<string>): void {
  const directories = new Set<string>();
  const all = new Set<string>();
  for (const { kind, path } of left) {
    if (all.has(path) || !(outputs.has(path) || directories.has(posix.dirname(path)))) throw invalid("left");
    all.add(path);
    if (kind === "directory") directories.add(path);
  }
}

function isNormal(path: string): boolean {
  if (path.length > limits.action.pathBytes || path.includes("\0")) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
