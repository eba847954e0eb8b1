/**
 * Compiler commands, and changes of them.
 *
 * Knows: gcc's and clang's options by what they do to outputs. Does not know: what becomes of a command.
 */
import type { Project, Unit } from "./fuzz-projects.ts";
import type { Chance, Weighted } from "./fuzz-random.ts";

export const compilers: readonly string[] = ["gcc", "g++", "clang-14", "clang-19", "clang++-14", "clang++-19"];

/** A group of options of which one is chosen. `%R`: the checkout. */
type Slot = "optimize" | "debug" | "warn" | "standard" | "dependencies" | "define" | "search" | "map" | "code" | "mode" | "odd";

export interface Command {
  readonly compiler: string;
  readonly unit: Unit;
  readonly options: Readonly<Partial<Record<Slot, string>>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Below the checkout. */
  readonly cwd: string;
  readonly spelling: "relative" | "absolute" | "dotted";
  readonly output: "beside" | "out" | "absolute" | "default";
  readonly umask: number;
  readonly responseFile: boolean;
}

const SLOTS: Readonly<Record<Slot, readonly Weighted<string>[]>> = {
  optimize: [
    [9, ""],
    [3, "-O1"],
    [2, "-O2"],
    [1, "-Os"],
    [1, "-Og"],
  ],
  debug: [
    [10, ""],
    [5, "-g"],
    [1, "-g1"],
    [2, "-g3"],
    [2, "-gdwarf-4"],
    [2, "-g -gsplit-dwarf"],
    [1, "-ggdb -gz"],
    [1, "-g -g0"],
    [1, "-gdwarf-5 -gno-record-gcc-switches"],
    [1, "-gdwarf-4 -gsplit-dwarf"],
  ],
  warn: [
    [10, ""],
    [4, "-Wall"],
    [4, "-Wall -Wextra"],
    [1, "-Wall -Werror"],
    [2, "-Wmisleading-indentation"],
    [2, "-Wimplicit-fallthrough"],
    [1, "-Wimplicit-fallthrough=5"],
    [1, "-Wcomment -pedantic"],
    [1, "-w"],
    [1, "-Wmissing-include-dirs -Inone"],
    [1, "-Wundef -Wunused-macros -Wmissing-declarations"],
    [1, "-Wall -fdiagnostics-color=always"],
    [1, "-Wextra -fno-diagnostics-show-caret"],
    [1, "-Wdate-time -Wtrigraphs"],
  ],
  standard: [
    [14, ""],
    [1, "-ansi"],
    [1, "-std=gnu11"],
    [1, "-std=c99"],
    [1, "-std=c17"],
  ],
  dependencies: [
    [8, ""],
    [3, "-MD"],
    [3, "-MMD"],
    [2, "-MD -MP"],
    [2, "-MMD -MP -MF out/deps.d"],
    [1, "-MD -MT target -MF %R/out/abs.d"],
    [1, "-MD -MQ $odd -MT other"],
    [1, "-Wp,-MD,out/wp.d"],
    [1, "-MD -MT %R/out/place.o"],
  ],
  define: [
    [10, ""],
    [2, "-DLIMIT=9"],
    [2, "-DLIMIT=200"],
    [2, "-DFEATURE"],
    [2, "-DNDEBUG"],
    [1, "-DNDEBUG -UNDEBUG"],
    [1, '-DTEXT="a b"'],
    [1, "-DFEATURE -DLIMIT=5 -DX(a)=a"],
  ],
  search: [
    [10, ""],
    [1, "!reverse"],
    [1, "!isystem"],
    [1, "!iquote"],
    [1, "!absolute"],
    [1, "!slash"],
    [1, "-include config.h"],
    [1, "-imacros inc/config.h"],
    [1, "-idirafter early"],
    [1, "-I. -I.."],
  ],
  map: [
    [12, ""],
    [2, "-ffile-prefix-map=%R=."],
    [1, "-fdebug-prefix-map=%R=/src"],
    [1, "-fmacro-prefix-map=%R/=x/"],
    [1, "-ffile-prefix-map=%R/src=s"],
  ],
  code: [
    [10, ""],
    [2, "-fPIC"],
    [1, "-fstack-usage"],
    [1, "--coverage -frandom-seed=1"],
    [1, "-march=native"],
    [1, "-ffunction-sections -fdata-sections -fno-common"],
    [1, "-frandom-seed=7"],
    [1, "-fvisibility=hidden -fno-exceptions"],
    [1, "-fsanitize=undefined"],
    [1, "-fverbose-asm"],
    [1, "-frecord-gcc-switches"],
  ],
  mode: [
    [16, "-c"],
    [2, "-S"],
    [2, "-fsyntax-only"],
  ],
  odd: [
    [24, ""],
    [2, "-pipe"],
    [1, "-save-temps=obj"],
    [1, "-fno-such-flag"],
    [1, "-H"],
  ],
};

const SLOT_WEIGHTS: readonly Weighted<Slot>[] = [
  [3, "optimize"],
  [4, "debug"],
  [4, "warn"],
  [2, "standard"],
  [4, "dependencies"],
  [4, "define"],
  [4, "search"],
  [3, "map"],
  [3, "code"],
  [2, "mode"],
  [1, "odd"],
];

const ENVIRONMENTS: readonly Weighted<readonly [string, readonly string[]]>[] = [
  [3, ["CPATH", ["", "early", "inc2", "%R/inc2", "early::inc2"]]],
  [1, ["C_INCLUDE_PATH", ["", "early", "%R/early"]]],
  [2, ["LC_ALL", ["", "C", "C.UTF-8"]]],
  [1, ["LANG", ["", "C.UTF-8", "de_DE"]]],
  [1, ["GCC_COLORS", ["", "warning=01;32:note=01;36"]]],
  [2, ["SOURCE_DATE_EPOCH", ["", "1700000000", "1700000001"]]],
  [1, ["TZ", ["", "UTC", "Asia/Tokyo"]]],
  [1, ["COLUMNS", ["", "40"]]],
  [1, ["TERM", ["", "dumb", "xterm-256color"]]],
  [1, ["NO_COLOR", ["", "1"]]],
  [2, ["PWD", ["!logical", "!physical", "!none", "!wrong"]]],
];

export function firstCommand(project: Project, chance: Chance, only: string | undefined): Command {
  const unit = chance.pick(project.units);
  const plain: Command = {
    compiler: compilerFor(unit, chance, only),
    unit,
    options: { mode: "-c" },
    environment: {},
    cwd: "",
    spelling: "relative",
    output: "out",
    umask: 0o022,
    responseFile: false,
  };
  let command = plain;
  for (let changes = chance.below(4); changes > 0; changes--) command = changedCommand(command, project, chance, only);
  return command;
}

function compilerFor(unit: Unit, chance: Chance, only: string | undefined): string {
  if (only !== undefined) return unit.language === "c++" ? only.replace(/^gcc/, "g++").replace(/^clang(?!\+)/, "clang++") : only;
  return chance.draw(
    unit.language === "c++"
      ? [
          [3, "g++"],
          [1, "clang++-14"],
          [2, "clang++-19"],
        ]
      : [
          [5, "gcc"],
          [1, "clang-14"],
          [2, "clang-19"],
        ],
  );
}

/** One thing about the command is another. */
export function changedCommand(command: Command, project: Project, chance: Chance, only: string | undefined): Command {
  switch (chance.below(14)) {
    case 0:
      return { ...command, unit: chance.pick(project.units.filter(({ language }) => language === command.unit.language)) };
    case 1:
      return { ...command, compiler: compilerFor(command.unit, chance, only) };
    case 2: {
      const [name, values] = chance.draw(ENVIRONMENTS);
      return { ...command, environment: { ...command.environment, [name]: chance.pick(values) } };
    }
    case 3:
      return { ...command, cwd: chance.pick(project.directories) };
    case 4:
      return { ...command, spelling: chance.pick(["relative", "absolute", "dotted"]) };
    case 5:
      return {
        ...command,
        output: chance.pick(["beside", "out", "absolute", "default"]),
        umask: chance.pick([0o022, 0o022, 0o077, 0o002]),
      };
    case 6:
      return { ...command, responseFile: !command.responseFile };
    default: {
      const slot = chance.draw(SLOT_WEIGHTS);
      return { ...command, options: { ...command.options, [slot]: chance.draw(SLOTS[slot]) } };
    }
  }
}

export interface Placed {
  /** Absolute path of the checkout as this command knows it; may lead through a link. */
  readonly root: string;
  /** Without links. */
  readonly real: string;
}

export interface Ready {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Names in the tree of what may be written, the main output first. */
  readonly outputs: readonly string[];
}

/** The command as it is run in a checkout. */
export function ready(command: Command, project: Project, { root, real }: Placed): Ready {
  const cwd = command.cwd === "" ? root : `${root}/${command.cwd}`;
  const up = command.cwd === "" ? "" : "../";
  const place = (path: string): string =>
    command.spelling === "absolute" ? `${root}/${path}` : command.spelling === "dotted" ? `./${up}${path}` : `${up}${path}`;
  const { mode = "-c", search = "" } = command.options;
  const stem = `out/${command.unit.source.replaceAll("/", "_").replace(/\.[^.]*$/, "")}`;
  const suffix = mode === "-S" ? ".s" : ".o";
  const main = command.output === "default" ? `${command.cwd}/${stemOf(command.unit.source)}${suffix}`.replace(/^\//, "") : stem + suffix;
  const named =
    command.output === "default" || mode === "-fsyntax-only"
      ? []
      : ["-o", command.output === "absolute" ? `${root}/${main}` : `${up}${main}`];
  const options = Object.entries(command.options).flatMap(([slot, text]) =>
    slot === "mode" ? [] : optionsOf(slot, text ?? "", command.unit),
  );
  const args = [mode, ...project.flags, ...options, ...searchOf(search, project.includes, up, root), place(command.unit.source), ...named];
  const bare = main.replace(/\.[^.]*$/, "");
  const companions = [
    /split-dwarf/.test(command.options.debug ?? "") ? [".dwo"] : [],
    /stack-usage/.test(command.options.code ?? "") ? [".su"] : [],
    /coverage/.test(command.options.code ?? "") ? [".gcno"] : [],
    /^-MM?D( -MP)?$/.test(command.options.dependencies ?? "") ? [".d"] : [],
  ].flat();
  return {
    args: args.map((arg) => arg.replaceAll("%R", root)),
    environment: environmentOf(command.environment, cwd, real, root),
    cwd,
    outputs: [main, ...companions.map((companion) => bare + companion)],
  };
}

function stemOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]*$/, "");
}

function optionsOf(slot: string, text: string, unit: Unit): string[] {
  if (text === "" || text.startsWith("!")) return [];
  if (slot === "standard" && unit.language === "c++") return [text.replace(/c(?:99|11|17)$/, "++20").replace("gnu++20", "gnu++17")];
  if (text.includes('"')) return [text];
  return text.split(" ");
}

function searchOf(how: string, directories: readonly string[], up: string, root: string): string[] {
  const flag = how === "!isystem" ? "-isystem" : how === "!iquote" ? "-iquote" : "-I";
  const order = how === "!reverse" ? directories.toReversed() : directories;
  return order.map((directory, at) => {
    const path = how === "!absolute" ? `${root}/${directory}` : `${up}${directory}${how === "!slash" ? "//" : ""}`;
    // Quotes alone would leave angle brackets without a place to look.
    return at % 2 === 0 || flag !== "-iquote" ? flag + path : `-I${path}`;
  });
}

function environmentOf(set: Readonly<Record<string, string>>, cwd: string, real: string, root: string): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(set)) if (value !== "" && name !== "PWD") environment[name] = value.replaceAll("%R", root);
  const pwd = set.PWD ?? "!logical";
  if (pwd === "!logical") environment.PWD = cwd;
  if (pwd === "!physical") environment.PWD = real + cwd.slice(root.length);
  if (pwd === "!wrong") environment.PWD = "/nowhere";
  return environment;
}

/** For people: as one would type it. */
export function describeCommand(command: Command, { args, cwd, environment }: Ready): string {
  const quoted = [command.compiler, ...args].map((arg) => (/^[\w./=+,:@%-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ");
  const variables = Object.entries(environment)
    .map(([name, value]) => `${name}='${value}' `)
    .join("");
  return `cd ${cwd} && umask ${command.umask.toString(8)} && ${variables}${quoted}${command.responseFile ? " (by a response file)" : ""}`;
}
