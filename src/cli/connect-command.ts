/**
 * connect: the few lines that make a build tool use this machine's doors, printed or added to its file.
 *
 * Knows: which door is open, files of tools. Does not know: what tools need to hear; see connect-tools.ts.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CairnError, systemCode, systemReason } from "../base/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { type DoorAddress, type Tool, type ToolWords, tools } from "./connect-tools.ts";
import { answer, type Context } from "./context.ts";
import { exitCodes } from "./troubles.ts";

export interface ConnectOptions {
  readonly write?: true | undefined;
  readonly json?: true | undefined;
}

/** Ports that are proposed where a door is not open; see the daemon's doors. */
const PORTS = { http: 8337, grpc: 8338 } as const;

/** @throws {CairnError} usage where the door is not open, or the file cannot be written; daemon-absent */
export async function connect(context: Context, name: string, options: ConnectOptions, signal: AbortSignal): Promise<number> {
  const { terminal } = context;
  const tool = tools.find((one) => one.name === name);
  if (tool === undefined)
    throw new CairnError("usage", { why: `nothing is known of ${name}`, advice: `there are: ${tools.map((one) => one.name).join(", ")}` });
  const at = await addressOf(context, tool, signal);
  const words = tool.words(at);
  const { lines, notes } = words;
  const file = placeOf(context, tool.name, tool.file);
  const added = options.write === true ? add(file, words) : [];
  answer(terminal, options.json, { tool: name, file, lines, notes, added }, () => {
    if (options.write !== true) return [...lines, ...notes.map((note) => terminal.paint.dim(`# ${note}`))];
    const told = added.length === 0 ? `${file} has all of it already` : `added to ${file}:`;
    return [told, ...added.map((line) => `  ${line}`), ...notes.map((note) => terminal.paint.dim(note))];
  });
  return exitCodes.ok;
}

/** A file of a tool. @throws {CairnError} usage where there is no home */
function placeOf({ cwd, env }: Context, name: string, file: string): string {
  if (!file.startsWith("~/")) return join(cwd, file);
  if (env.HOME === undefined) throw new CairnError("usage", { why: `${name} keeps its settings in ${file}, and HOME is not set` });
  return join(env.HOME, file.slice(2));
}

async function addressOf({ control }: Context, { name, door }: Tool, signal: AbortSignal): Promise<DoorAddress> {
  const [status, config] = await Promise.all([control.get("/status", {}, signal), control.get("/config", {}, signal)]);
  const found = listIn(status, "doors").find((one) => textIn(one, "door") === door);
  const setting = (wanted: string): string =>
    textIn(
      listIn(config, "values").find((one) => textIn(one, "name") === wanted),
      "value",
    );
  if (found === undefined || field(found, "open") !== true) {
    const why = found === undefined ? "it is off" : textIn(found, "why");
    throw new CairnError("usage", {
      why: `the door that ${name} would use is not open: ${why}`,
      advice: `cairn config set doors.${door}.listen 127.0.0.1:${PORTS[door]}   opens it at once`,
    });
  }
  return {
    host: reachable(textIn(found, "host")),
    port: numberIn(found, "port"),
    tokenFile: setting("doors.tokenFile"),
    certificateFile: setting("doors.tls.certificate"),
    clientCaFile: setting("doors.tls.clientCa"),
    executes: door === "grpc" && setting("doors.grpc.execute") === "on",
  };
}

/** One that listens at all addresses of a machine is found at this one. */
function reachable(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** @returns what was not there before. @throws {CairnError} usage */
function add(file: string, { lines, json, toml }: ToolWords): readonly string[] {
  if (json !== undefined) return addFields(file, json);
  return toml === undefined ? addLines(file, lines) : addTable(file, toml);
}

/** A whole table at the end of a file; one that is there already belongs to whoever wrote it. @throws {CairnError} usage */
function addTable(file: string, { table, lines }: Required<ToolWords>["toml"]): readonly string[] {
  const before = textOf(file);
  const known = new Set(before.split("\n").map((line) => line.trim()));
  if (!known.has(table)) return append(file, before, [table, ...lines]);
  if (lines.every((line) => known.has(line))) return [];
  throw new CairnError("usage", { why: `${file} has ${table} already`, advice: `put into it by hand: ${lines.join(", ")}` });
}

/** Those lines that a file does not have yet, after they have been added. @throws {CairnError} usage */
function addLines(file: string, lines: readonly string[]): readonly string[] {
  const before = textOf(file);
  const known = new Set(before.split("\n").map((line) => line.trim()));
  const missing = lines.filter((line) => !known.has(line));
  return missing.length === 0 ? [] : append(file, before, missing);
}

function append(file: string, before: string, lines: readonly string[]): readonly string[] {
  write(file, `${before === "" || before.endsWith("\n") ? before : `${before}\n`}${lines.join("\n")}\n`);
  return lines;
}

/** Those fields of a file of JSON that are not as wanted, after they have been written. @throws {CairnError} usage */
function addFields(file: string, fields: Readonly<Record<string, string>>): readonly string[] {
  const before = fieldsIn(file);
  const missing = Object.entries(fields).filter(([name, value]) => before[name] !== value);
  if (missing.length > 0) write(file, `${JSON.stringify({ ...before, ...Object.fromEntries(missing) }, null, 2)}\n`);
  return missing.map(([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`);
}

function fieldsIn(file: string): Record<string, unknown> {
  const text = textOf(file);
  try {
    const value: unknown = text === "" ? {} : JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Said below.
  }
  throw new CairnError("usage", { why: `${file} holds no JSON object`, advice: "mend it, or put the lines into it by hand" });
}

function write(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } catch (error) {
    throw new CairnError("usage", { why: `${file} cannot be written: ${systemCode(error) ?? String(error)}` }, error);
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw new CairnError("usage", { why: `${file} cannot be read: ${systemReason(error)}` }, error);
  }
}
