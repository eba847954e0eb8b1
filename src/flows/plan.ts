/**
 * A hit, made ready for the one who places it: outputs with their checks, and what must stay true for the same answer next time.
 */
import { crc32 } from "node:zlib";
import { ownBytes } from "../base/index.ts";
import { type Places, readTemplate, renderDepfile } from "../compile/index.ts";
import type { Fingerprint, LocalStore, ManifestEntry, StoredResult } from "../contracts/index.ts";
import { isUntrusted, type Look, nameIn, parentOf, type Sought, type Witness } from "./look.ts";
import { isOfSystem, type Understood } from "./request.ts";
import { isAsRead } from "./understand.ts";

export interface PlannedOutput {
  readonly path: string;
  readonly mode: "replace" | "overwrite";
  readonly crc32: number;
  readonly size: number;
  readonly digest: string;
  /** Unset: a plain blob of the store. */
  readonly content: Buffer | undefined;
}

export interface Placement {
  readonly outputs: readonly PlannedOutput[];
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly compileMs: number;
}

export interface WatchedInput extends Fingerprint {
  readonly path: string;
}

export interface WatchedAbsence extends Fingerprint {
  readonly directory: string;
  /** Unset: when the directory changes, whatever appeared in it may matter. */
  readonly names: readonly string[] | undefined;
}

/** What makes the answer valid, as of now. */
export interface Validity {
  readonly inputs: readonly WatchedInput[];
  readonly absences: readonly WatchedAbsence[];
}

/** Undefined when a blob cannot be had. */
export async function placementOf(
  store: Pick<LocalStore, "plain" | "read">,
  understood: Understood,
  result: StoredResult,
  signal: AbortSignal,
): Promise<Placement | undefined> {
  const outputs: PlannedOutput[] = [];
  for (const { path, digest, role, template } of result.outputs) {
    const target = understood.places.resolve(path);
    if (role !== "depfile") {
      const plain = await store.plain(digest);
      if (plain === undefined) return undefined;
      outputs.push({
        path: target,
        mode: role === "object" ? "replace" : "overwrite",
        crc32: plain.crc32,
        size: plain.size,
        digest,
        content: undefined,
      });
      continue;
    }
    const read = await store.read(digest, signal);
    if (read.kind === "miss") return undefined;
    const text = template ? renderTemplate(read.bytes, understood) : read.bytes;
    if (text === undefined) return undefined;
    const content = ownBytes(text); // An answer that is remembered keeps these for long.
    outputs.push({ path: target, mode: "overwrite", crc32: crc32(content), size: content.length, digest, content });
  }
  return {
    outputs,
    stdout: ownBytes(Buffer.from(result.stdout, "base64")),
    stderr: ownBytes(Buffer.from(result.stderr, "base64")),
    compileMs: result.compileMs,
  };
}

function renderTemplate(bytes: Buffer, understood: Understood): string | undefined {
  const template = readTemplate(bytes.toString("utf8"));
  return template && renderDepfile(template, (name) => understood.places.resolve(name));
}

/** Undefined while a file is too young for its stat to be believed. */
export function validityOf(look: Look, understood: Understood, entry: ManifestEntry): Validity | undefined {
  const { places, toolchain, project } = understood;
  const inputs: WatchedInput[] = [];
  const watch = (path: string): boolean => {
    const fingerprint = look.fingerprint(path);
    if (fingerprint === undefined || isUntrusted(fingerprint)) return false;
    inputs.push({ path, fp0: fingerprint.fp0, fp1: fingerprint.fp1 });
    return true;
  };
  for (const input of entry.inputs) if (!watch(places.resolve(input.path))) return undefined;
  // The entry may be that of a command without them, or with others that said the same.
  for (const path of understood.invocation.responseFiles) if (!watch(path)) return undefined;
  if (!isAsRead(understood, look)) return undefined;
  for (const path of [...toolchain.files, ...(toolchain.gccDirectories ?? [])]) if (!watch(path)) return undefined;
  // Whose work may be used follows from what the project says: for another answer somebody has to ask.
  const unsaid = project.files.filter((path) => look.absent(path));
  for (const path of project.files) if (!unsaid.includes(path) && !watch(path)) return undefined;
  return { inputs, absences: absencesOf(look, places, [entry.absent, toolchain.absent, toolchain.earlierOnPath, unsaid]) };
}

/**
 * Groups paths that must not exist by the nearest directory that does exist: as long as that directory has not changed,
 * none of them can have appeared. Paths of which that is not certain have a group without a fingerprint.
 */
export function absencesOf(look: Look, places: Places, missing: readonly (readonly string[])[]): WatchedAbsence[] {
  const shown = new Map<Witness, string[] | null>(); // Null: the names do not matter.
  const unsure = new Map<string, string[]>();
  const show = (sought: Sought): void => {
    const witness = look.witness(sought);
    if (witness === undefined) {
      const directory = parentOf(sought.path);
      add(unsure, directory, nameIn(directory, sought.path));
      return;
    }
    const names = shown.get(witness);
    if (names === undefined) shown.set(witness, isLeftAlone(witness.directory, places) ? null : [sought.name]);
    else names?.push(sought.name);
  };
  for (const paths of missing) look.sought(places, paths).forEach(show);
  return [
    ...[...shown].map(([{ directory, fp0, fp1 }, names]) => ({ directory, fp0, fp1, names: names ?? undefined })),
    ...[...unsure].map(([directory, names]) => ({ directory, fp0: 0, fp1: 0, names })),
  ];
}

function add(groups: Map<string, string[]>, directory: string, name: string): void {
  const names = groups.get(directory);
  if (names === undefined) groups.set(directory, [name]);
  else names.push(name);
}

/** It changes when packages are installed, and not when something is built: half of all names are looked for in such directories. */
function isLeftAlone(directory: string, places: Places): boolean {
  return isOfSystem(`${directory}/`) && places.portable(directory) === directory;
}
