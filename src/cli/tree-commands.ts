/**
 * put, get, ls: files and directories by their CIDs.
 */
import { resolve } from "node:path";
import { CairnError } from "../base/index.ts";
import { listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { follow } from "./follow.ts";
import { bytes, counted, table } from "./format.ts";
import type { Json } from "./network-ask.ts";
import { exitCodes } from "./troubles.ts";

export async function putTree(context: Context, path: string, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal, cwd } = context;
  const put = await followTree(context, "/tree/put", { path: resolve(cwd, path) }, signal);
  answer(terminal, options.json, put, () => {
    // Apart from the answer, so that $(cairn put …) is the CID alone.
    terminal.note(terminal.paint.dim(`${counted(numberIn(put, "files"), "file")}, ${bytes(numberIn(put, "bytes"))}`));
    return [textIn(put, "cid")];
  });
  return exitCodes.ok;
}

export async function getTree(
  context: Context,
  root: string,
  path: string,
  options: Json & { readonly force?: true | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { terminal, cwd } = context;
  const place = resolve(cwd, path);
  if (`${cwd}/`.startsWith(`${place === "/" ? "" : place}/`))
    throw new CairnError("usage", { why: `you are in ${place}: it is not replaced` });
  const question = { root, path: place, force: options.force === true, umask: readUmask() };
  const got = await followTree(context, "/tree/get", question, signal);
  answer(terminal, options.json, got, () => {
    const { fetched } = got as { readonly fetched?: unknown };
    const what = `${counted(numberIn(got, "files"), "file")}, ${bytes(numberIn(got, "bytes"))}`;
    return [`${terminal.paint.good("here")}  ${textIn(got, "path")}  ${what}; ${bytes(numberIn(fetched, "bytes"))} came from members`];
  });
  return exitCodes.ok;
}

export async function listTree(context: Context, root: string, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const list = await followTree(context, "/tree/list", { root }, signal);
  answer(terminal, options.json, list, () => {
    const rows = listIn(list, "entries").map((entry) => {
      const kind = textIn(entry, "kind");
      const isExecutable = (entry as { readonly executable?: unknown }).executable === true;
      const size = kind === "file" ? bytes(numberIn(entry, "size")) : "";
      const name = kind === "link" ? `${shown(textIn(entry, "name"))} -> ${shown(textIn(entry, "target"))}` : shown(textIn(entry, "name"));
      return [isExecutable ? "program" : kind, size, textIn(entry, "cid"), name];
    });
    return rows.length === 0 ? [terminal.paint.dim("it is empty")] : table(rows, ["left", "right"]);
  });
  return exitCodes.ok;
}

/** Asks the daemon, and shows what has been done so far. */
export function followTree(context: Context, path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
  return follow(context, path, body, progressLine, signal);
}

/** It can only be read by setting it. */
function readUmask(): number {
  const umask = process.umask(0o077);
  process.umask(umask);
  return umask;
}

function progressLine(progress: unknown): string {
  const [ofBlobs, files] = [numberIn(progress, "ofBlobs"), numberIn(progress, "files")];
  if (ofBlobs > 0)
    return `${numberIn(progress, "blobs")} of ${counted(ofBlobs, "blob")}, ${bytes(numberIn(progress, "bytes"))} of ${bytes(numberIn(progress, "ofBytes"))}`;
  return files > 0 ? `${counted(files, "file")}, ${bytes(numberIn(progress, "bytes"))}` : "looking …";
}

/** Somebody else's names may hold what moves a terminal's cursor. */
function shown(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}]/gu, "?");
}
