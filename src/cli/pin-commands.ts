/**
 * pin, unpin, pins: what stays on this machine.
 */

import { resolve } from "node:path";
import { isDigest } from "../base/index.ts";
import { listIn, numberIn, readStatus, textIn } from "./answers.ts";
import { digestOfFile } from "./attest-commands.ts";
import { answer, type Context } from "./context.ts";
import { counted, table } from "./format.ts";
import type { Json } from "./network-ask.ts";
import { ensureDaemon, startDeadlineMs } from "./start-daemon.ts";
import { followTree } from "./tree-commands.ts";
import { exitCodes } from "./troubles.ts";

/** Digits of a digest that people are shown. */
const SHOWN = 16;
const COPIED = "members of this machine's network fetch copies in the background (sharing.copies); cairn pins counts them";

export async function pin(context: Context, names: readonly string[], options: Json, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const pinned: unknown[] = [];
  for (const name of names) pinned.push(await followTree(context, "/pin", question(context, name), signal));
  const isCopied = options.json !== true && (await isInNetwork(context, signal));
  answer(terminal, options.json, { pinned }, () => {
    if (isCopied) terminal.note(terminal.paint.dim(COPIED));
    return pinned.map((one) => `${terminal.paint.good("pinned")}  ${line(one)}`);
  });
  return exitCodes.ok;
}

/** False also where the daemon does not say: what was pinned is pinned. */
async function isInNetwork({ control }: Context, signal: AbortSignal): Promise<boolean> {
  try {
    return readStatus(await control.get("/status", {}, signal)).network !== undefined;
  } catch {
    return false;
  }
}

export async function unpin(context: Context, names: readonly string[], options: Json, signal: AbortSignal): Promise<number> {
  const { control, terminal } = context;
  await ensureDaemon(context, startDeadlineMs, signal);
  const unpinned: unknown[] = [];
  for (const name of names) unpinned.push(...listIn(await control.post("/unpin", question(context, name), signal), "unpinned"));
  answer(terminal, options.json, { unpinned }, () => unpinned.map((root) => `${terminal.paint.good("unpinned")}  ${String(root)}`));
  return exitCodes.ok;
}

export async function pins(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const { control, terminal } = context;
  await ensureDaemon(context, startDeadlineMs, signal);
  const raw = await control.get("/pins", {}, signal);
  const rows = listIn(raw, "pins");
  answer(terminal, options.json, raw, () =>
    rows.length === 0
      ? ["nothing is pinned; try: cairn pin src/main.c"]
      : table(
          rows.map((row) => {
            const missing = numberIn(row, "missing");
            const state = missing === 0 ? terminal.paint.good("here") : terminal.paint.bad(`${counted(missing, "blob")} missing`);
            const copies = numberIn(row, "copies");
            const elsewhere = copies === 0 ? "" : `and at ${counted(copies, "other member")}`;
            return [textIn(row, "name"), textIn(row, "kind"), called(row), textIn(row, "at"), state, elsewhere];
          }),
        ),
  );
  return rows.every((row) => numberIn(row, "missing") === 0) ? exitCodes.ok : exitCodes.failed;
}

function question({ cwd }: Context, name: string): { name: string; file: string; digest: string } {
  if (isDigest(name)) return { name, file: "", digest: name };
  const file = resolve(cwd, name);
  return { name, file, digest: digestOfFile(file) ?? "" };
}

function line(pinned: unknown): string {
  const kind = textIn(pinned, "kind");
  return `${textIn(pinned, "name")}  ${kind} ${called(pinned)}, ${counted(numberIn(pinned, "blobs"), "blob")}`;
}

/** What can be got has a CID, which is shown whole so that it can be copied. */
function called(pinned: unknown): string {
  return textIn(pinned, "cid") || `${textIn(pinned, "root").slice(0, SHOWN)}…`;
}
