/**
 * Where the files of a toolchain really lie, and the links that lead to them: what a worker mounts, and what is packed for one.
 *
 * Knows: paths and links, of this machine or of a pack. Does not know: compilers, or what the files are needed for.
 */
import { lstatSync, readlinkSync } from "node:fs";
import type { Digest } from "../base/index.ts";
import type { Files, Toolchain, ToolchainLayout } from "../contracts/index.ts";
import { canonicalDigest } from "../wire/index.ts";

/** Files and links, of a machine or of a pack. */
export interface Ground {
  /** Where a link leads; undefined for whatever is none. @param path whose parents are no links */
  link(path: string): string | undefined;
  /** Undefined for whatever is no plain file. @param path which is no link, nor its parents */
  file(path: string): Promise<LaidFile | undefined>;
}

export type LaidFile = Omit<ToolchainLayout["files"][number], "path">;

/** Everything of it but what it is called. */
export type Laid = Omit<ToolchainLayout, "root">;

const LINKS_FOLLOWED = 40;

/**
 * @returns `contents`: digests in the order of `paths`; undefined where a file is missing, or no plain one
 * @throws what the ground throws
 */
export async function layOut(
  paths: readonly string[],
  ground: Ground,
): Promise<{ readonly laid: Laid; readonly contents: readonly Digest[] } | undefined> {
  const files = new Map<string, LaidFile>();
  const links = new Map<string, string>();
  const contents: Digest[] = [];
  for (const path of paths) {
    const place = trace(path, ground, links);
    if (place === undefined) return undefined;
    const file = files.get(place) ?? (await ground.file(place));
    if (file === undefined) return undefined;
    files.set(place, file);
    contents.push(file.digest);
  }
  const laid = {
    files: sorted(files).map(([path, file]) => ({ path, ...file })),
    links: sorted(links).map(([path, target]) => ({ path, target })),
  };
  return { laid, contents };
}

/** Follows `path`, and notes the links on the way. @returns where the file itself lies */
function trace(path: string, ground: Ground, links: Map<string, string>): string | undefined {
  const left = partsOf(path).toReversed();
  let at = "";
  let followed = 0;
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (part === ".") continue;
    if (part === "..") {
      at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
      continue;
    }
    const here = `${at}/${part}`;
    const target = ground.link(here);
    if (target === undefined) {
      at = here;
      continue;
    }
    if (++followed > LINKS_FOLLOWED) return undefined;
    links.set(here, target);
    if (target.startsWith("/")) at = "";
    left.push(...partsOf(target).toReversed());
  }
  return at;
}

/** This machine. @param signal ends the hashing */
export function groundHere(files: Files, signal: AbortSignal): Ground {
  return {
    link: (path) => {
      try {
        return readlinkSync(path);
      } catch {
        return undefined; // A plain file or directory.
      }
    },
    file: async (path) => {
      await files.prepare(path, signal); // Hundreds of megabytes the first time.
      const state = files.state(path);
      if (state.kind !== "file") return undefined;
      return { digest: state.digest, size: state.size, executable: (lstatSync(path).mode & 0o111) !== 0 };
    },
  };
}

/**
 * What a toolchain is called by: the same wherever its files lie, so not in the order of their paths.
 *
 * @param contents digests of its files, in their order
 */
export function toolchainDigest(
  toolchain: Pick<Toolchain, "family" | "version" | "target" | "files">,
  compiler: string,
  contents: readonly Digest[],
): Digest {
  const { family, version, target, files } = toolchain;
  const named = files.map((file, i) => [nameOf(file), contents[i] ?? ""] as const);
  const inOrder = named.toSorted(([a, x], [b, y]) => (`${a} ${x}` < `${b} ${y}` ? -1 : 1));
  return canonicalDigest("cairn.toolchain.2", [family, version, target, nameOf(compiler), inOrder]);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function partsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}
