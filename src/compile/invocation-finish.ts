/**
 * Draws the conclusions from a whole command line: the mode, the names of all outputs, the dependency file, and what of the source can
 * reach an output. The names were compared with what gcc 12 and clang 14 and 19 really write; options-real.test.ts repeats that.
 */
import type { Invocation, Language, Reading } from "./command.ts";
import type { Draft } from "./invocation-draft.ts";
import { isAssembly, isPreprocessed, probeLanguage } from "./invocation-language.ts";
import type { PassReason } from "./pass-reasons.ts";

/** A reason to pass; every step hands on either its finding or this. */
interface Refusal {
  readonly reason: PassReason;
  readonly detail: string;
}

const isRefusal = (value: object): value is Refusal => "reason" in value;

interface Basis {
  readonly source: string;
  readonly language: Language;
  readonly mode: Invocation["mode"];
  readonly output: string | undefined;
}

export function finish(draft: Draft, responseFiles: readonly string[]): Reading {
  const basis = basisOf(draft);
  if (isRefusal(basis)) return { kind: "pass", ...basis };
  const extra = sideOutputs(draft, basis);
  if (isRefusal(extra)) return { kind: "pass", ...extra };
  const dependencies = dependenciesOf(draft, basis);
  if (isRefusal(dependencies)) return { kind: "pass", ...dependencies };

  const { source, language, mode, output } = basis;
  const { depfile, depfileArgs } = dependencies;
  const objects = [...(output === undefined ? [] : [output]), ...extra];
  const paths = [...objects, ...(depfile === undefined ? [] : [depfile.path])];
  const strange = paths.map((path) => strangePath(path)).find((refusal) => refusal !== undefined);
  if (strange !== undefined) return { kind: "pass", ...strange };
  if (new Set([source, ...paths]).size <= paths.length) return { kind: "pass", reason: "bad_arguments", detail: "an output named twice" };

  const marks = draft.marks;
  const lines = draft.debugging || marks.has("lines");
  const hidden = marks.has("hidden");
  // Such an output can contain the name of an output: that of the .dwo or .gcda file.
  const namesOutput = hidden || draft.splitDwarf !== "";
  const invocation: Invocation = {
    family: draft.family,
    source,
    language,
    mode,
    output,
    outputs: [
      ...objects.map((path) => ({ path, role: replaces(draft, path, basis) ? ("object" as const) : ("written" as const) })),
      ...(depfile === undefined ? [] : [{ path: depfile.path, role: "depfile" as const }]),
    ],
    depfile,
    inputFiles: draft.inputFiles,
    responseFiles,
    forcedIncludes: draft.forcedIncludes,
    keyArgs: [modeFlag[mode], ...(namesOutput && output !== undefined ? ["-o", draft.place(output)] : []), ...draft.keyArgs],
    mapped: draft.mapped,
    depfileArgs,
    searchArgs: [...draft.searchArgs, "-x", probeLanguage(language)],
    nativeArgs: draft.nativeArgs,
    lineInfo: lines,
    contentInfo: marks.has("content") || (draft.debugging && draft.family === "clang" && !/[234]$/.test(draft.dwarfVersion)),
    // clang looks at line breaks for warnings that are on by default (an empty body on the same line).
    layoutInfo: !draft.silent && (marks.has("layout") || draft.family === "clang"),
    hidesPaths: hidden,
    defines: draft.defines,
  };
  return { kind: "compile", invocation };
}

/**
 * GNU's assembler, and gcc's objcopy, unlink first; clang renames what it compiled into place. All else is opened and truncated, what
 * clang's own assembler makes of assembly, too.
 */
function replaces({ family }: Draft, path: string, { mode, language, output }: Basis): boolean {
  if (path !== output) return family === "gcc" && path.endsWith(".dwo");
  return family === "clang" ? !isAssembly(language) : mode === "object";
}

const modeFlag: Readonly<Record<Invocation["mode"], string>> = { object: "-c", assembly: "-S", syntax: "-fsyntax-only" };

function basisOf(draft: Draft): Basis | Refusal {
  if (draft.incomplete) return { reason: "bad_arguments", detail: "-Xclang" };
  const [first, second] = draft.sources;
  const [stranger] = draft.strangers;
  if (stranger !== undefined) {
    return draft.modes.size === 0 ? { reason: "called_for_link", detail: stranger } : { reason: "unsupported_language", detail: stranger };
  }
  if (first === undefined) return { reason: "no_input_file", detail: "" };
  if (second !== undefined) return { reason: "multiple_source_files", detail: second.path };
  if (draft.modes.size === 0) return { reason: "called_for_link", detail: first.path };
  if (draft.outputs.length > 1) return { reason: "bad_arguments", detail: "-o given twice" };

  const { path: source, language } = first;
  const mode = draft.modes.has("-fsyntax-only") ? "syntax" : draft.modes.has("-S") ? "assembly" : "object";
  // Assembly is not compiled: with -S it is printed, with -fsyntax-only gcc assembles it all the same.
  if (mode !== "object" && isAssembly(language)) return { reason: "unsupported_language", detail: `${modeFlag[mode]} ${source}` };
  if (mode === "syntax") return { source, language, mode, output: undefined };
  const output = draft.outputs[0] ?? `${stem(source)}${mode === "object" ? ".o" : ".s"}`;
  return { source, language, mode, output };
}

/** Without the last suffix. */
const withoutSuffix = (path: string): string => path.replace(/\.[^./]*$/, "");

/** The file's name without directory and suffix: what a compiler calls outputs in the working directory. */
const stem = (path: string): string => withoutSuffix(path.slice(path.lastIndexOf("/") + 1));

/** Names of a .dwo, .su, .gcno file beside the main output. */
function sideOutputs(draft: Draft, { source, language, mode, output }: Basis): string[] | Refusal {
  const split = draft.splitDwarf === "-gsplit-dwarf" || draft.splitDwarf === "-gsplit-dwarf=split";
  const notes = draft.coverage || draft.testCoverage;
  if (!split && !notes && !draft.stackUsage) return [];
  const asked = split ? "-gsplit-dwarf" : notes ? "--coverage" : "-fstack-usage";
  // gcc calls these files a-<name> then; with LTO they are written by the linker, or not at all.
  if (output === undefined) return { reason: "unsupported_option", detail: `${asked} with -fsyntax-only` };
  if (draft.lto && (split || draft.stackUsage)) return { reason: "unsupported_option", detail: `${asked} with -flto` };
  // gcc names .o's companions .o.su, clang .su.
  if (/(^|\/)\.[^.]*$/.test(output)) return { reason: "unsupported_option", detail: `${asked} with -o ${output}` };

  const base = withoutSuffix(output);
  const files: string[] = [];
  if (split && (draft.family === "gcc" ? mode === "object" : isAssembly(language) || hasDebugInfo(draft))) {
    if (draft.family === "clang" && /mlt$|tables-only$|^-g1$/.test(draft.debugLevel)) {
      return { reason: "unsupported_option", detail: `${asked} with ${draft.debugLevel}` };
    }
    files.push(`${mode === "object" ? base : stem(source)}.dwo`);
  }
  if (notes && !isAssembly(language)) files.push(`${base}.gcno`);
  if (draft.stackUsage && !isAssembly(language)) files.push(`${base}.su`);
  return files;
}

/** Whether clang writes debugging information that can be split off. */
function hasDebugInfo(draft: Draft): boolean {
  return draft.debugLevel !== "" && !/^-g(0|gdb0|line-directives-only)$/.test(draft.debugLevel);
}

type Dependencies = Pick<Invocation, "depfile" | "depfileArgs">;

function dependenciesOf(draft: Draft, { source, language, output }: Basis): Dependencies | Refusal {
  const flags = new Set(draft.dependencies.map(({ name }) => longNames.get(name) ?? name));
  const targets = draft.dependencies.filter(({ name }) => name === "-MT" || name === "-MQ");
  const [handed, second] = draft.preprocessorDependencies;
  const asked = flags.has("-MD") || flags.has("-MMD");
  if (second !== undefined) return { reason: "unsupported_option", detail: "-Wp,-MD given twice" };
  if (handed !== undefined && (asked || flags.has("-MF"))) return { reason: "unsupported_option", detail: "-Wp,-MD with -MD or -MF" };
  // gcc calls it an error to say how without saying what; clang ignores it and may say so.
  if (!asked && handed === undefined && flags.size > 0 && draft.family === "gcc") {
    return { reason: "bad_arguments", detail: [...flags].join(" ") };
  }

  if ((!asked && handed === undefined) || isPreprocessed(language)) {
    // Nothing is written, but clang tells about each option that it did not use.
    const unused = draft.dependencies.map(({ name, value }) => `${name}${value}`);
    return { depfile: undefined, depfileArgs: [...unused, ...(handed === undefined ? [] : [`-Wp,-MD,${handed.path}`])] };
  }

  const depfileArgs = [
    ...[...flags].filter((flag) => flag === "-MD" || flag === "-MMD" || flag === "-MP"),
    ...(handed === undefined ? [] : [`-Wp,${handed.headers === "user" ? "-MMD" : "-MD"}`]),
    ...targets.flatMap(({ name, value }) => [name, draft.place(value)]),
  ];
  const target = draft.outputs[0];
  // The target is the output; but gcc's preprocessor, when -Wp, hands it the option, does not know of -o.
  if (targets.length === 0 && target !== undefined && !(handed !== undefined && draft.family === "gcc")) {
    depfileArgs.push("-o", draft.place(target));
  }
  const headers = flags.has("-MMD") || handed?.headers === "user" ? "user" : "all";
  const named = handed?.path ?? draft.dependencies.findLast(({ name }) => name === "-MF")?.value;
  if (named !== undefined) return { depfile: { path: named, headers }, depfileArgs };
  if (output === undefined && target === undefined && draft.family === "gcc") {
    return { reason: "missing_dependency_file_target", detail: "-fsyntax-only" }; // gcc calls it a-<name>.d, or not.
  }
  const base = target === undefined ? stem(source) : withoutSuffix(target);
  return { depfile: { path: `${base}.d`, headers }, depfileArgs };
}

const longNames: ReadonlyMap<string, string> = new Map([
  ["--write-dependencies", "-MD"],
  ["--write-user-dependencies", "-MMD"],
]);

function strangePath(path: string): Refusal | undefined {
  if (path === "-" || path === "/dev/stdout") return { reason: "output_to_stdout", detail: path };
  if (path === "" || path.endsWith("/") || /^\/(dev|proc)\//.test(path)) return { reason: "output_not_regular", detail: path };
  return undefined;
}
