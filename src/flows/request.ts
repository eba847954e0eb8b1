/**
 * One compiler invocation on its way through the flows: what was asked, and what has been found out about it so far.
 */
import type { Digest } from "../base/index.ts";
import type { Invocation, Places, SourceScan } from "../compile/index.ts";
import type { CompilerEnvironment, FileState, Toolchain } from "../contracts/index.ts";

/** What a door hands over. */
export interface CompileQuestion {
  /** Names the exact request, byte for byte; 64 hex digits. */
  readonly key: Digest;
  /** Hex; "" where the request belongs to no session. */
  readonly session: string;
  readonly stderrIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly columns: number;
  readonly cwd: string;
  /** The compiler's driver as found on PATH. */
  readonly compiler: string;
  readonly argv: readonly string[];
  readonly environment: CompilerEnvironment;
}

/** A question that has been understood. */
export interface Understood {
  readonly question: CompileQuestion;
  readonly toolchain: Toolchain;
  readonly invocation: Invocation;
  readonly places: Places;
  /** Response files that were read to understand it; absolute. */
  readonly responseFiles: readonly string[];
  readonly manifest: Digest;
  readonly place: Digest;
  readonly terminal: Digest;
  /** Variables that are part of the key, `NAME=value`. */
  readonly keyEnvironment: readonly string[];
  /** The source's absolute path. */
  readonly sourcePath: string;
}

/** Scans of sources by content, shared by all requests. */
export interface Scans {
  /** What `path` holds and, the first time its content is seen, its scan. */
  state(path: string): FileState;
  scan(path: string, digest: Digest): SourceScan | undefined;
}

/** Where the file system has a path that the compiler knows as `path`. */
export function absolutePath(cwd: string, path: string): string {
  return path.startsWith("/") ? path : `${cwd}/${path}`;
}
