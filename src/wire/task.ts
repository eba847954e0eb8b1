/**
 * Outcomes of tasks as bytes and back: schema/task.proto. They travel between members as blobs.
 *
 * Knows: what a path and a link may be. Does not know: which outputs were declared.
 */
import { type Digest, limits } from "../base/index.ts";
import type { TaskLeft, TaskOutcome } from "../contracts/index.ts";
import { type Left, type LeftSchema, TaskOutcomeSchema } from "./generated/task_pb.ts";
import { bytesOf, decodeAny, encode, hexOf, type Init, invalid, list } from "./message-fields.ts";

const { outcomeBytes, left: mostLeft, pathBytes, targetBytes } = limits.task;

export function encodeTaskOutcome({ exitCode, left, stdout, stderr }: TaskOutcome): Uint8Array {
  return encode(TaskOutcomeSchema, { exitCode, left: left.map(messageOf), stdout, stderr });
}

/** @throws {CairnError} frame-invalid: larger than one may be, or none */
export function decodeTaskOutcome(bytes: Uint8Array): TaskOutcome {
  const { exitCode, left, stdout, stderr } = decodeAny(TaskOutcomeSchema, bytes, outcomeBytes);
  if (exitCode > 255) throw invalid("exit code");
  return { exitCode, left: list(left, mostLeft).map(leftOf), stdout, stderr };
}

function messageOf(left: TaskLeft): Init<typeof LeftSchema> {
  const { path } = left;
  switch (left.kind) {
    case "file":
      return { path, executable: left.executable, what: { case: "content", value: left.content } };
    case "apart":
      return {
        path,
        executable: left.executable,
        what: { case: "apart", value: { digest: bytesOf(left.digest), size: BigInt(left.size) } },
      };
    case "directory":
      return { path, what: { case: "directory", value: true } };
    case "link":
      return { path, what: { case: "target", value: left.target } };
  }
}

function leftOf({ path, executable, what }: Left): TaskLeft {
  if (!isBelow(path)) throw invalid("path");
  switch (what.case) {
    case "content":
      return { kind: "file", path, executable, content: what.value };
    case "apart": {
      const digest: Digest = hexOf(what.value.digest, 32);
      if (what.value.size > BigInt(limits.blobBytes)) throw invalid("size");
      return { kind: "apart", path, executable, digest, size: Number(what.value.size) };
    }
    case "directory":
      if (!what.value) throw invalid("directory");
      return { kind: "directory", path };
    case "target":
      if (what.value === "" || what.value.includes("\0") || Buffer.byteLength(what.value) > targetBytes) throw invalid("target");
      return { kind: "link", path, target: what.value };
    case undefined:
      throw invalid("left");
  }
}

/** Normal, and with something in it. */
function isBelow(path: string): boolean {
  if (path.includes("\0") || Buffer.byteLength(path) > pathBytes) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}
