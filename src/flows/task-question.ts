/**
 * What somebody wants to have run, its keys, and how it looks in a sandbox.
 *
 * Knows: everything that may change what comes of a command; what is left out of a key here is a claim that it cannot. No I/O.
 */
import { posix } from "node:path";
import { type Digest, digestOf, limits, type SharingPolicy } from "../base/index.ts";
import type { ExecutorAction, GeneralAction, SentCommand, TaskProgram, TaskSystem } from "../contracts/index.ts";
import { listed, type TaskInput, type TaskInputs } from "./task-inputs.ts";

/** `auto`: in a sandbox where this machine has one; `always`: or not at all. */
export type SandboxWish = "auto" | "always" | "never";

export interface TaskQuestion {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Of the project, and where the command runs in it: absolute, without links. */
  readonly root: string;
  readonly cwd: string;
  /** See Wanted.patterns. */
  readonly inputs: readonly string[];
  /** See Wanted.named. */
  readonly named: readonly string[];
  /** Normal paths below the root. */
  readonly outputs: readonly string[];
  /** Variables that were declared. */
  readonly environment: ReadonlyMap<string, string>;
  /** Of who asks: programs are looked for there. */
  readonly path: string;
  readonly home: string;
  readonly sandbox: SandboxWish;
  /** It wants a network, which no sandbox has. */
  readonly network: boolean;
  /** Whether what ended with an exit code other than 0 is kept, and taken from what is kept. */
  readonly cacheFailures: boolean;
  /** Whether directories are replaced although there is something in them that no run of this has put there. */
  readonly force: boolean;
  /** Permissions that nobody gets. */
  readonly umask: number;
  /** Whether no member is to run it. */
  readonly here: boolean;
}

/** A question, and all that its answer depends on. */
export interface UnderstoodTask {
  readonly question: TaskQuestion;
  readonly inputs: TaskInputs;
  readonly programs: readonly TaskProgram[];
  /** See TaskPrograms.installed. */
  readonly installed: TaskSystem;
  /** What the project demands of others' results; no part of the keys. */
  readonly project?: SharingPolicy | undefined;
  /** Of what comes of it among its inputs alone; of what comes of it in the checkout. */
  readonly keys: { readonly sandboxed: Digest; readonly bare: Digest };
}

/** Changes whenever the meaning of stored results changes. */
const FORMAT = 1;
const PROJECT = "project";
const TOOLS = "tools";
/** As the kernel has it. */
const LINKS_FOLLOWED = 40;
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export function understandTask(
  question: TaskQuestion,
  found: Pick<UnderstoodTask, "inputs" | "programs" | "installed" | "project">,
): UnderstoodTask {
  const { command, root, cwd, outputs, environment, path, home, network } = question;
  const { inputs, programs, installed } = found;
  const common = [
    FORMAT,
    process.platform,
    process.arch,
    command,
    posix.relative(root, cwd),
    [...environment].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    outputs.toSorted(),
    programs.map(({ digest }) => digest),
    installed.digest,
    inputs.digest,
  ];
  const sandboxed = digestOf(JSON.stringify(["cairn.task.sandboxed", ...common, programs.map((program) => placeIn(question, program))]));
  // In the checkout it may read whatever there is, and name it.
  const bare = digestOf(JSON.stringify(["cairn.task.bare", ...common, root, path, home, network]));
  return { question, ...found, keys: { sandboxed, bare } };
}

/** A command in its checkout, whatever its inputs are. */
export function commandKey({ root, cwd, command, environment, outputs }: TaskQuestion): Digest {
  const variables = [...environment].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(JSON.stringify(["cairn.command", root, cwd, command, variables, outputs.toSorted()]));
}

/** By what a result says which programs made it. */
export function toolsDigest({ programs, installed }: Pick<UnderstoodTask, "programs" | "installed">): Digest {
  return digestOf(JSON.stringify(["cairn.task.tools", programs.map(({ digest }) => digest), installed.digest]));
}

/** What the command gets in the checkout: what was declared, and what most programs cannot do without. */
export function bareEnvironment({ environment, path, home }: TaskQuestion): Record<string, string> {
  return { PATH: path, HOME: home, ...Object.fromEntries(environment) };
}

/**
 * The same among its inputs alone: the project below one directory, programs of the user's own below another, both read-only, and a place to
 * write in that looks like them.
 *
 * @param places see the sandbox' workPlaces
 */
export function sandboxedAction(
  { question, inputs, programs }: UnderstoodTask,
  places: { readonly inputs: string; readonly work: string },
): ExecutorAction {
  const { command, root, cwd, outputs, environment } = question;
  const at = (path: string): string => (path === "" ? `${places.inputs}/${PROJECT}` : `${places.inputs}/${PROJECT}/${path}`);
  const below = posix.relative(root, cwd);
  const files = inputs.all.flatMap((input) =>
    input.kind === "file" ? [{ path: at(input.path), digest: input.digest, executable: input.executable, bytes: input.size }] : [],
  );
  const links = new Map(inputs.all.flatMap((input) => (input.kind === "link" ? [[input.path, input.target] as const] : [])));
  const present = new Set(files.map(({ path }) => path));
  const brought = programs.flatMap(({ path, where, digest }) => {
    // What links of the inputs lead to is brought where they lead, so that it is found by them.
    const place =
      where === "project" ? at(behindLinks(posix.relative(root, path), links)) : `${places.inputs}/${TOOLS}/${posix.basename(path)}`;
    if (where === "system" || present.has(place)) return [];
    present.add(place);
    return [{ path: place, digest, executable: true }];
  });
  const [first] = programs;
  return {
    program: first === undefined ? "" : programIn(question, first, places),
    arguments: command.slice(1),
    environment: new Map([["PATH", `${places.inputs}/${TOOLS}:${SYSTEM_PATH}`], ["HOME", posix.dirname(places.work)], ...environment]),
    cwd: at(below),
    toolchain: undefined,
    inputs: [...files, ...brought],
    directories: [at(""), ...inputs.all.flatMap(({ kind, path }) => (kind === "directory" ? [at(path)] : []))],
    outputs: [],
    work: {
      root: places.inputs,
      outputs: outputs.map((path) => `${PROJECT}/${path}`),
      links: [...links].map(([path, target]) => ({ path: at(path), target })),
    },
    usesSystem: true,
    limits: limits.task.action,
  };
}

/** What its action does not say of it, for a member that is to run it. @param signed whether that member is to sign what comes of it */
export function sentCommand({ question, inputs, programs }: UnderstoodTask, signed: boolean): SentCommand {
  const { command, environment } = question;
  const there = new Set(inputs.all.map(({ path }) => `${PROJECT}/${path}`));
  const sent = programs.map((program) => {
    const place = placeIn(question, program);
    return { place, digest: program.digest, brought: program.where !== "system" && !there.has(place) };
  });
  return { name: command[0] ?? "", programs: sent, variables: [...environment.keys()], signed };
}

/**
 * The task of which a command is an action, as whoever runs it for another machine can tell; its root and the places of its own programs are made up.
 * Where {@link sandboxedAction} makes another action of it, it is not that.
 *
 * @param places see sandboxedAction
 */
export function taskBehind(
  action: GeneralAction,
  { name, programs, variables }: SentCommand,
  installed: TaskSystem,
  { inputs }: { readonly inputs: string },
): UnderstoodTask {
  const at = `${inputs}/${PROJECT}`;
  const below = (path: string): string[] => (path.startsWith(`${at}/`) ? [path.slice(at.length + 1)] : []);
  const brought = new Set(programs.flatMap(({ place, brought: goesAlong }) => (goesAlong ? [`${inputs}/${place}`] : [])));
  const files = action.inputs.flatMap(({ path, digest, executable }): TaskInput[] =>
    brought.has(path)
      ? []
      : below(path).map((own) => ({ kind: "file", path: own, source: "", digest, size: 0, executable, changedNs: 0n })),
  );
  const directories = action.directories.flatMap((path) => below(path).map((own): TaskInput => ({ kind: "directory", path: own })));
  const links = action.work.links.flatMap(({ path, target }) => below(path).map((own): TaskInput => ({ kind: "link", path: own, target })));
  const all = [...files, ...directories, ...links].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const question: TaskQuestion = {
    command: [name, ...action.arguments],
    root: ROOT,
    cwd: [ROOT, ...below(action.cwd)].join("/"),
    inputs: [],
    named: [],
    outputs: action.work.outputs.map((path) => projectPath(path) ?? path),
    environment: new Map(variables.map((variable) => [variable, action.environment.get(variable) ?? ""])),
    path: "",
    home: "",
    sandbox: "always",
    network: false,
    cacheFailures: false,
    force: false,
    umask: 0,
    here: true,
  };
  const found = programs.map(({ place, digest }) => ({ ...programAt(place), digest }));
  return understandTask(question, { inputs: listed(all), programs: found, installed });
}

/** Of a project that is somewhere else. */
const ROOT = "/elsewhere";

/** Undoes {@link placeIn}. */
function programAt(place: string): Pick<TaskProgram, "path" | "where"> {
  const own = projectPath(place);
  if (own !== undefined) return { path: `${ROOT}/${own}`, where: "project" };
  return place.startsWith("/") ? { path: place, where: "system" } : { path: `/${place}`, where: "own" };
}

/** Where a path below the root leads by way of the links that are inputs, none of which leads out by itself. */
function behindLinks(path: string, links: ReadonlyMap<string, string>): string {
  const parts = path.split("/").toReversed();
  let at = "";
  let followed = 0;
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    const here = posix.normalize(posix.join(at, part));
    const target = links.get(here);
    if (target === undefined || ++followed > LINKS_FOLLOWED) at = here === "." ? "" : here;
    else parts.push(...target.split("/").toReversed());
  }
  // Several links together may lead out; such a program is not to be had.
  return at === ".." || at.startsWith("../") ? path : at;
}

/** Of a path below the sandbox' place to work in. Undefined: it is not the project's. */
export function projectPath(path: string): string | undefined {
  return path.startsWith(`${PROJECT}/`) ? path.slice(PROJECT.length + 1) : undefined;
}

/** Where a program is for those that run in a sandbox, as far as that differs from machine to machine. */
function placeIn({ root }: TaskQuestion, { path, where }: TaskProgram): string {
  if (where === "own") return `${TOOLS}/${posix.basename(path)}`;
  return where === "project" ? `${PROJECT}/${posix.relative(root, path)}` : path;
}

function programIn(
  question: TaskQuestion,
  program: TaskProgram,
  { inputs, work }: { readonly inputs: string; readonly work: string },
): string {
  const place = placeIn(question, program);
  if (program.where === "system") return place;
  return program.where === "own" ? `${inputs}/${place}` : `${work}/${place}`;
}
