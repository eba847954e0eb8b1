/**
 * doctor: looks at everything that Cairn needs on this machine and says what to do about what is missing.
 *
 * Knows: this side of the socket. The daemon adds what only it can see.
 */
import { accessSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { compilersDirectory, findCompilers, findOnPath, loadConfig, systemReason } from "../base/index.ts";
import { type Check, field, listIn, numberIn, readChecks, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { checkLeads, type DoorAt, leads } from "./door-reach.ts";
import { follow } from "./follow.ts";
import { bytes, count, counted, foldedTable, indent } from "./format.ts";
import { clientState, wrapperPath } from "./launcher.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes, explainTrouble } from "./troubles.ts";

const LEAST_FREE_BYTES = 1024 ** 3;
const CLOCK_TOLERANCE_MS = 2_000;

interface DoctorOptions {
  readonly json?: true | undefined;
  readonly network?: true | undefined;
  readonly store?: true | undefined;
}

export async function doctor(context: Context, options: DoctorOptions, signal: AbortSignal): Promise<number> {
  const checks = await checked(context, options, signal);
  const failed = checks.filter((check) => !check.ok).length;
  answer(context.terminal, options.json, checks, () => lines(context, checks, failed));
  return failed === 0 ? exitCodes.ok : exitCodes.failed;
}

async function checked(context: Context, { network, store }: DoctorOptions, signal: AbortSignal): Promise<Check[]> {
  if (store === true) return readChecks(await follow(context, "/doctor/store", {}, storeLine, signal));
  return network === true ? checkDaemon(context, "/network/doctor", signal) : checkAll(context, signal);
}

function storeLine(progress: unknown): string {
  const of = numberIn(progress, "ofBlobs");
  if (of === 0) return "looking …";
  const damaged = numberIn(progress, "damaged");
  const found = damaged === 0 ? "" : `, ${damaged} damaged`;
  return `${count(numberIn(progress, "blobs"))} of ${counted(of, "blob")}, ${bytes(numberIn(progress, "bytes"))} of ${bytes(numberIn(progress, "ofBytes"))}${found}`;
}

async function checkAll(context: Context, signal: AbortSignal): Promise<Check[]> {
  return [
    checkNode(),
    checkHome(context),
    checkConfig(context),
    checkDisk(context),
    ...checkFileSystem(context),
    checkCompilers(context),
    checkClient(context),
    checkPath(context),
    ...(await checkDaemon(context, "/doctor", signal)),
    ...(await checkTools(context, signal)),
  ];
}

/** Whether what build tools were told of a cache leads to this machine's daemon. */
async function checkTools(context: Context, signal: AbortSignal): Promise<Check[]> {
  const all = leads(context);
  if (all.length === 0) return [];
  return checkLeads(all, await doorsOf(context, signal));
}

async function doorsOf({ control }: Context, signal: AbortSignal): Promise<DoorAt[] | undefined> {
  try {
    return listIn(await control.get("/status", {}, signal), "doors").map((door) => ({
      door: textIn(door, "door"),
      host: textIn(door, "host"),
      port: numberIn(door, "port"),
      open: field(door, "open") === true,
    }));
  } catch {
    return undefined; // Said in its own line.
  }
}

function lines({ terminal }: Context, checks: readonly Check[], failed: number): string[] {
  const { paint } = terminal;
  const rows = foldedTable(
    checks.map((one) => [mark(one, paint), paint.bold(one.check), one.detail]),
    terminal.width,
  );
  const told = checks.flatMap(({ check, advice }) => (advice === undefined ? [] : [[paint.bold(check), advice]]));
  return [
    ...rows,
    ...(told.length === 0
      ? []
      : ["", "what to do", ...indent(foldedTable(told, terminal.width === undefined ? undefined : terminal.width - 2))]),
    ...(failed === 0 ? ["", checks.some(({ warns }) => warns === true) ? paint.careful(WELL_BUT) : paint.good("All is well.")] : []),
  ];
}

const WELL_BUT = "Nothing is broken; what is marked !! this machine goes without.";

function mark({ ok, warns }: Check, paint: Paint): string {
  if (!ok) return paint.bad("no");
  return warns === true ? paint.careful("!!") : paint.good("ok");
}

function passed(check: string, detail: string, advice?: string): Check {
  return { check, ok: true, detail, advice };
}

function failedCheck(check: string, detail: string, advice: string): Check {
  return { check, ok: false, detail, advice };
}

function checkNode(): Check {
  return passed("node", `${process.versions.node}, ${process.execPath}`);
}

function checkHome({ home }: Context): Check {
  const directories = [dirname(home.configFile), home.stateDir, home.cacheDir, home.runDir, home.binDir];
  for (const directory of directories) {
    const place = nearest(directory);
    const stats = statSync(place);
    const uid = process.geteuid?.();
    try {
      accessSync(place, constants.W_OK | constants.X_OK);
    } catch {
      return failedCheck(
        "home",
        place === directory ? `${place} is not writable` : `${directory} cannot be made: ${place} is not writable`,
        "make it writable, or choose another place: export CAIRN_HOME=/some/directory",
      );
    }
    if (place !== directory) continue; // Not made yet; it will be ours.
    if (uid !== undefined && stats.uid !== uid)
      return failedCheck("home", `${place} belongs to user ${stats.uid}`, `chown -R ${uid} ${place}`);
    if ((stats.mode & 0o022) !== 0 && place !== home.binDir) {
      return failedCheck("home", `others may write to ${place}`, `chmod go-w ${place}`);
    }
  }
  return passed("home", home.root ?? `${home.cacheDir} and the other XDG directories`);
}

function checkConfig({ home, env }: Context): Check {
  try {
    const { values } = loadConfig(home.configFile, env);
    const set = values.filter(({ origin }) => origin !== "default").length;
    return passed("config", set === 0 ? "nothing is set" : `${set} set in ${home.configFile} or by variables`);
  } catch (error) {
    const { what, advice } = explainTrouble(error);
    return failedCheck("config", what, advice[0] ?? `edit ${home.configFile}`);
  }
}

/** `directory`, or the nearest one above it that exists. */
function nearest(directory: string): string {
  return existsSync(directory) ? directory : nearest(dirname(directory));
}

function checkDisk({ home }: Context): Check {
  const place = nearest(home.cacheDir);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const detail = `${bytes(free)} free for ${home.cacheDir}`;
  return free >= LEAST_FREE_BYTES
    ? passed("disk", detail)
    : failedCheck("disk", detail, "free some space (cairn gc --max-size SIZE), or choose another place: export CAIRN_HOME=/some/directory");
}

/** Writes a small file where the cache is: its time shows whose clock stamps files, a clone of it whether copies are free. */
function checkFileSystem({ home }: Context): Check[] {
  let directory: string | undefined;
  try {
    directory = mkdtempSync(join(nearest(home.cacheDir), ".cairn-doctor-"));
    const file = join(directory, "a");
    const before = Date.now();
    writeFileSync(file, "cairn");
    const aheadMs = statSync(file).mtimeMs - before;
    const clock =
      Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS
        ? passed("clock", "files are stamped with this machine's time")
        : failedCheck(
            "clock",
            `files are stamped ${Math.round(aheadMs / 1000)} s ahead of this machine's clock`,
            "set the clocks (NTP), or put the cache on a local disk: export CAIRN_HOME=/some/directory",
          );
    return [clock, passed("copies", clones(file) ? "are free here (reflinks)" : "are written in full: this file system has no reflinks")];
  } catch (error) {
    return [failedCheck("clock", `no file can be written in ${home.cacheDir} (${systemReason(error)})`, "see disk and home")];
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }
}

function clones(file: string): boolean {
  try {
    copyFileSync(file, `${file}.clone`, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  }
}

function checkCompilers({ env, home }: Context): Check {
  const found = findCompilers(env, compilersDirectory(home.binDir)).map(({ name }) => name);
  return found.length > 0
    ? passed("compilers", found.join(" "))
    : failedCheck("compilers", "PATH has no gcc, clang or cc", "install one (Debian: apt install gcc g++)");
}

function checkClient(context: Context): Check {
  const { home, root } = context;
  const path = wrapperPath(home.binDir);
  switch (clientState({ binDir: home.binDir, root })) {
    case "current":
      return passed("wrapper", path);
    case "outdated":
      return failedCheck("wrapper", `${path} was built from other sources`, "cairn launcher   builds it anew");
    case "missing":
      return failedCheck("wrapper", "not built yet", "cairn launcher   builds it; so does cairn run");
  }
}

/** Whether compilers are masked in this shell is a choice, not a fault. */
function checkPath({ env, home }: Context): Check {
  const directory = compilersDirectory(home.binDir);
  const masked = ["cc", "gcc", "clang"].filter((name) => findOnPath(name, env)?.startsWith(`${directory}/`) === true);
  if (masked.length > 0) return passed("PATH", `${masked.join(", ")} go through Cairn in this shell`);
  return env.PATH?.split(":").includes(directory) === true
    ? failedCheck("PATH", `${directory} comes after the compilers' own directory`, 'eval "$(cairn env)"   puts it first')
    : passed("PATH", "this shell calls the compilers directly; cairn run or cairn env change that");
}

async function checkDaemon({ control, cwd }: Context, path: "/doctor" | "/network/doctor", signal: AbortSignal): Promise<Check[]> {
  try {
    const checks = readChecks(await control.get(path, path === "/network/doctor" ? { directory: cwd } : {}, signal));
    return [passed("daemon", "answers"), ...checks];
  } catch (error) {
    const { what, advice } = explainTrouble(error);
    return [failedCheck("daemon", what, advice.join("; ") || "cairn up --foreground   shows what happens")];
  }
}
