/**
 * What compilers and archivers are told during a build: scripts of their names, first on PATH, that note it and become the real one.
 *
 * Knows: the form of the notes. Does not know: what the arguments mean. A build that calls a compiler by its full path is not heard.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limits, shellWord } from "../base/index.ts";

/** A program of the user's that is noted, or that answers otherwise in the second surroundings. */
export interface Tool {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly kind: "compiler" | "archiver" | "names";
}

/** One call. */
export interface Call {
  readonly kind: Tool["kind"];
  readonly cwd: string;
  /** The program's absolute path first. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Where a build's calls are noted. */
const RECORDS = "CAIRN_AUDIT_RECORDS";
/** What people and machines are called in the second surroundings. */
const PERSON = "CAIRN_AUDIT_PERSON";

/** Lays the scripts. */
export function layTools(directory: string, tools: readonly Tool[]): void {
  mkdirSync(directory, { recursive: true });
  for (const tool of tools)
    writeFileSync(join(directory, tool.name), tool.kind === "names" ? answering(tool) : noting(tool), { mode: 0o755 });
}

/** What a build is given so that its calls are noted. */
export function recordingVariables(directory: string, records: string, person: string): Record<string, string> {
  mkdirSync(records, { recursive: true });
  return { PATH: directory, [RECORDS]: records, ...(person === "" ? {} : { [PERSON]: person }) };
}

/** Calls in the order of their processes' ends, as good as the directory tells. */
export function callsIn(records: string): Call[] {
  const names = readdirSync(records).slice(0, limits.audit.calls);
  return names.flatMap((name) => readCalls(readFileSync(join(records, name), "utf8")));
}

/** How many processes have been noted so far. */
export function countCalls(records: string): number {
  return readdirSync(records).length;
}

/**
 * Each call is: how many arguments, the directory, the kind, the arguments, the environment, and nothing; all ended by NUL. What a process
 * that was killed had begun to write is left out.
 */
export function readCalls(text: string): Call[] {
  const fields = text.split("\0").slice(0, -1); // What no NUL ends has been cut off.
  const calls: Call[] = [];
  for (let at = 0; at + 3 < fields.length; ) {
    const count = Number(fields[at]);
    const argv = fields.slice(at + 3, at + 3 + count);
    const end = fields.indexOf("", at + 3 + count);
    const [cwd = "", kind = ""] = fields.slice(at + 1, at + 3);
    if (!Number.isSafeInteger(count) || count < 1 || argv.length < count || end < 0) break;
    if (kind === "compiler" || kind === "archiver")
      calls.push({ kind, cwd, argv, environment: environmentOf(fields.slice(at + 3 + count, end)) });
    at = end + 1;
  }
  return calls;
}

function environmentOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.flatMap((line) => {
      const at = line.indexOf("=");
      return at < 1 || line.startsWith("CAIRN_AUDIT_") ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}

/** A process notes itself in a file of its own, so that none waits for another. */
function noting({ path, kind }: Tool): string {
  const real = shellWord(path);
  return `#!/bin/sh
if [ -n "$${RECORDS}" ]; then
  { printf '%s\\0' "$(($# + 1))" "$PWD" ${kind} ${real} "$@"; cat "/proc/$$/environ"; printf '\\0'; } >>"$${RECORDS}/$$" 2>/dev/null
fi
exec ${real} "$@"
`;
}

/** Another name for who asks in the usual way; whatever else is asked is answered as always. */
function answering({ name, path }: Tool): string {
  const real = shellWord(path);
  const asked: Readonly<Record<string, string>> = { hostname: '""|-f|-s', whoami: '""', uname: "-n", id: "-un" };
  return `#!/bin/sh
case "$${PERSON}:$*" in
  :*) ;;
${(asked[name] ?? "")
  .split("|")
  .map(
    (args) => `  *:${args === '""' ? "" : args}) echo "$${PERSON}${name === "hostname" || name === "uname" ? "-machine" : ""}"; exit 0 ;;`,
  )
  .join("\n")}
esac
exec ${real} "$@"
`;
}
