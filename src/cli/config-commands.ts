/**
 * config: shows where each setting comes from, and changes the file.
 *
 * Knows: the file's text, and that a daemon that runs may have begun with another one.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parse, TomlError } from "smol-toml";
import { CairnError, checkSetting, type Environment, loadConfig, makeDirectories, settingUnknown, systemCode } from "../base/index.ts";
import { type ConfigValue, listIn, readConfig } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { bytes, fittedTable } from "./format.ts";
import { exitCodes } from "./troubles.ts";

interface Json {
  readonly json?: true | undefined;
}

export function configPath(context: Context, options: Json): number {
  answer(context.terminal, options.json, { path: context.home.configFile }, () => [context.home.configFile]);
  return exitCodes.ok;
}

export async function configList(context: Context, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal, home } = context;
  const values = await settings(context, signal);
  answer(terminal, options.json, values, () =>
    fittedTable(
      ["name", "value", "from"].map((title) => terminal.paint.dim(title)),
      values.map(({ name, value, origin, next }) => {
        const from = (origin: string): string => terminal.paint.dim(origin === home.configFile ? "config file" : origin);
        const later = next === undefined ? "" : `; ${terminal.paint.careful(`${display(name, next.value)} later`)}, ${from(next.origin)}`;
        return [terminal.paint.name(name), display(name, value), `${from(origin)}${later}`];
      }),
      terminal.width,
    ),
  );
  if (options.json !== true && values.some(({ next }) => next !== undefined)) terminal.note(terminal.paint.dim(`later: ${ANEW}`));
  return exitCodes.ok;
}

export async function configGet(context: Context, name: string, options: Json, signal: AbortSignal): Promise<number> {
  const values = await settings(context, signal);
  const found = values.find((value) => value.name === name);
  if (found === undefined) throw settingUnknown(name);
  answer(context.terminal, options.json, found, () => [String(found.value)]);
  // Beside the answer, so that $(cairn config get …) is the value alone.
  if (options.json !== true && found.next !== undefined)
    context.terminal.note(context.terminal.paint.dim(`the running daemon's; ${found.next.value} (${found.next.origin}) ${ANEW}`));
  return exitCodes.ok;
}

/** A value that no daemon would take is refused here, and the file stays as it was. */
export async function configSet(context: Context, name: string, text: string, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal, home } = context;
  writeSetting(home.configFile, name, text);
  const inForce = (await namesInForce(context, signal)).includes(name);
  answer(terminal, options.json, { name, value: text, path: home.configFile, inForce }, () => [
    `${name} = ${text}`,
    terminal.paint.dim(inForce ? (name.startsWith("doors.") ? IN_FORCE_AT_DOORS : "in force now") : ANEW),
  ]);
  return exitCodes.ok;
}

/** Settings that the daemon has taken up from the file just now; none without a daemon, or where something else in the file keeps it from that. */
async function namesInForce({ control }: Context, signal: AbortSignal): Promise<readonly unknown[]> {
  try {
    return listIn(await control.post("/config", {}, signal), "inForce");
  } catch (error) {
    if (error instanceof CairnError) return [];
    throw error;
  }
}

/** @throws {CairnError} usage where no daemon would take the value; config-invalid where the file is broken already */
export function writeSetting(file: string, name: string, text: string): void {
  const value = tomlValue(text);
  checkSetting(name, parse(`value = ${value}`).value);
  const before = readText(file);
  parseToml(before, file); // A broken file is not made worse.
  const after = setInToml(before, name, value);
  parseToml(after, file);
  writeText(file, after);
}

const IN_FORCE_AT_DOORS = "in force now; cairn doctor   says whether the door could be opened";
const ANEW = "takes effect when the daemon starts anew: cairn down; cairn up";

/** What holds now, and where the next daemon would have something else, that. */
interface Setting extends ConfigValue {
  readonly next?: Pick<ConfigValue, "value" | "origin">;
}

/** Those of the daemon that runs; without one, those that the next would have. @throws {CairnError} config-invalid */
async function settings({ control, home, env }: Context, signal: AbortSignal): Promise<readonly Setting[]> {
  let running: ConfigValue[];
  try {
    running = readConfig(await control.get("/config", {}, signal));
  } catch (error) {
    if (!(error instanceof CairnError) || error.code !== "daemon-absent") throw error;
    return loadConfig(home.configFile, env).values;
  }
  const later = new Map(nextValues(home.configFile, env).map((value) => [value.name, value]));
  return running.map((now) => {
    const next = later.get(now.name);
    return next === undefined || next.value === now.value ? now : { ...now, next: { value: next.value, origin: next.origin } };
  });
}

/** None where the file is broken by now: what runs can be told all the same. */
function nextValues(file: string, env: Environment): readonly ConfigValue[] {
  try {
    return loadConfig(file, env).values;
  } catch (error) {
    if (error instanceof CairnError) return [];
    throw error;
  }
}

function display(name: string, value: string | number | boolean): string {
  if (name === "work.memberSeconds" && value === 0) return "all";
  return typeof value === "number" && /capacity|plain|bytes|size/i.test(name) ? bytes(value) : String(value);
}

const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** Sets one dotted name and leaves every other line, comments included, as it was. */
export function setInToml(text: string, name: string, value: string): string {
  if (!NAME.test(name)) throw new CairnError("usage", { why: `${name} is not the name of a setting` });
  const dot = name.lastIndexOf(".");
  const [wantedTable, key] = [name.slice(0, Math.max(0, dot)), name.slice(dot + 1)];
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  let table = "";
  let afterTable = -1;
  for (const [i, line] of lines.entries()) {
    table = /^\s*\[\s*([\w.-]+)\s*\]/.exec(line)?.[1] ?? table;
    const found = /^\s*([\w.-]+)\s*=/.exec(line)?.[1];
    if (found !== undefined && (table === "" ? found : `${table}.${found}`) === name)
      return `${lines.with(i, `${found} = ${value}`).join("\n")}\n`;
    if (table === wantedTable && line.trim() !== "") afterTable = i;
  }
  if (afterTable >= 0) return `${lines.toSpliced(afterTable + 1, 0, `${key} = ${value}`).join("\n")}\n`;
  const heading = wantedTable === "" ? [] : [...(lines.length === 0 ? [] : [""]), `[${wantedTable}]`];
  // What belongs to no table must come before the first one.
  return wantedTable === ""
    ? `${[`${key} = ${value}`, ...lines].join("\n")}\n`
    : `${[...lines, ...heading, `${key} = ${value}`].join("\n")}\n`;
}

/** Numbers and truth values as they are, everything else as a string: `20GiB` needs no quotes on a command line. */
function tomlValue(text: string): string {
  return /^(true|false|[+-]?\d+(\.\d+)?)$/.test(text) ? text : JSON.stringify(text);
}

function parseToml(text: string, file: string): object {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new CairnError("config-invalid", { where: file, line: error.line, want: "TOML" }, error);
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "";
    throw new CairnError("config-invalid", { where: file, want: "a readable file" }, error);
  }
}

function writeText(file: string, text: string): void {
  try {
    makeDirectories(dirname(file));
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, file);
  } catch (error) {
    throw new CairnError("home-unwritable", { path: file, system: systemCode(error) ?? "" }, error);
  }
}
