/**
 * Collects what the arguments of a command line say, one by one, in order. invocation-finish.ts draws the conclusions.
 */
import type { Language } from "./command.ts";
import { driverLanguage, languageNamed, languageOf } from "./invocation-language.ts";
import type { Option } from "./options.ts";
import { assemblerArgument, backendArgument, frontendArgument, type Nested } from "./options-nested.ts";
import type { Mark } from "./options-table.ts";
import type { PassReason } from "./pass-reasons.ts";

/** Why the command is passed; undefined: so far it is not. */
export type Verdict = { readonly reason: PassReason; readonly detail: string } | undefined;

type Known = Extract<Option, { kind: "option" }>;

/** Goes on from the name that --sysroot gave: to gcc `=inc` is /w/pinc where that is /w/p. */
const GOES_ON_FROM_SYSROOT = /^(?:=|\$SYSROOT)(?!\/)/;

export class Draft {
  readonly family: "gcc" | "clang";
  readonly portable: (path: string) => string;
  readonly driver: "c" | "c++";

  readonly modes: Set<string> = new Set();
  readonly sources: { path: string; language: Language }[] = [];
  /** Inputs that are not source files by their names: objects, libraries, other languages. */
  readonly strangers: string[] = [];
  readonly outputs: string[] = [];
  readonly keyArgs: string[] = [];
  readonly mapped: string[] = [];
  readonly searchArgs: string[] = [];
  readonly nativeArgs: string[] = [];
  readonly defines: string[] = [];
  readonly forcedIncludes: string[] = [];
  readonly inputFiles: { path: string; optional: boolean }[] = [];
  readonly marks: Set<Mark> = new Set();

  /** Dependency options: name and value, in order. */
  readonly dependencies: { name: string; value: string }[] = [];
  /** -Wp,-MD,file and -Wp,-MMD,file */
  readonly preprocessorDependencies: { headers: "all" | "user"; path: string }[] = [];

  silent = false;
  coverage = false;
  testCoverage = false;
  stackUsage = false;
  lto = false;
  /** The last -g option that sets a level. */
  debugLevel = "";
  /** An option about debugging information followed the last -g0, or there was no -g0. */
  debugging = false;
  dwarfVersion = "";
  splitDwarf = "";

  /** -x; undefined: by the file's name. */
  #language: string | undefined;
  /** An option of clang's front end that awaits its value. */
  #awaiting: Extract<Nested, { kind: "awaits" }>["role"] | undefined;

  constructor(family: "gcc" | "clang", driver: "c" | "c++", portable: (path: string) => string) {
    this.family = family;
    this.driver = driver;
    this.portable = portable;
  }

  /** Whether an option of clang's front end never got its value. */
  get incomplete(): boolean {
    return this.#awaiting !== undefined;
  }

  /** An argument that is no option. */
  input(path: string): Verdict {
    if (path === "" || path.startsWith("@")) return { reason: "bad_arguments", detail: path };
    const named = this.#language === undefined ? languageOf(path, this.family) : languageNamed(this.#language);
    if (named === "header") return { reason: "precompiled_header_creation", detail: path };
    if (named === "module") return { reason: "modules", detail: path };
    if (named === undefined && this.#language === undefined) {
      this.strangers.push(path);
      return undefined;
    }
    if (named === undefined) return { reason: "unsupported_language", detail: path };
    const language = this.#language === undefined && this.driver === "c++" ? driverLanguage(named) : named;
    this.sources.push({ path, language });
    this.keyArgs.push(this.place(path));
    return undefined;
  }

  option(option: Known): Verdict {
    const { rule, name, value } = option;
    if (option.separate && value === "") return { reason: "bad_arguments", detail: name };
    if (rule.clangOnly === true && this.family === "gcc") return { reason: "unsupported_option", detail: name };
    for (const mark of rule.marks ?? []) this.marks.add(mark);
    switch (rule.role) {
      case "drop":
        return undefined;
      case "refuse":
        return { reason: rule.reason ?? "unsupported_option", detail: `${name}${value}` };
      case "mode":
        this.modes.add(name);
        return undefined;
      case "output":
        this.outputs.push(value);
        return undefined;
      case "dependency":
        this.dependencies.push({ name, value });
        return undefined;
      case "assembler":
        return this.#keepAnd(option, this.#assembler(value, name === "-Wa,"));
      case "preprocessor":
        return this.#preprocessor(option);
      case "frontend":
        return this.#frontend(option);
      case "backend":
        return this.#keepAnd(option, this.#nested(backendArgument(value), value));
      case "map":
        return this.#map(option);
      case "directory":
        this.#calledDirectory(value);
        return this.#keepAnd(option, undefined);
      case "profile":
        // gcc looks in that directory for a name made from the working directory and the output.
        if (this.family === "gcc") return { reason: "profile_use", detail: `${name}${value}` };
        // clang takes a directory too, and looks for default.profdata in it.
        this.inputFiles.push({ path: value, optional: true }, { path: `${value}/default.profdata`, optional: true });
        return this.#keepAnd(option, undefined);
      case "record":
        // clang records every word of its command line, the dependency file's name included; gcc only what shapes code.
        if (this.family === "clang") return { reason: "unsupported_option", detail: name };
        return this.#keepAnd(option, undefined);
      default:
        this.#note(option);
        return this.#keepAnd(option, this.#machineHelp(option));
    }
  }

  /** A path in portable spelling; relative ones are portable already. */
  place(path: string): string {
    return path.startsWith("/") ? this.portable(path) : path;
  }

  /** What an option that is kept bears on besides. */
  #note({ rule, name, value, separate }: Known): void {
    const literal = separate ? [name, value] : [`${name}${value}`];
    switch (rule.role) {
      case "language":
        this.#language = value === "none" ? undefined : value;
        break;
      case "define":
        this.defines.push(`${/^(-U|--undefine)/.test(name) ? "-U" : "-D"}${value}`);
        break;
      case "search":
        if (GOES_ON_FROM_SYSROOT.test(value)) this.marks.add("hidden");
        this.searchArgs.push(...literal);
        break;
      case "standard":
      case "machine":
        this.searchArgs.push(...literal);
        if (/^-m(arch|cpu|tune)=native/.test(name)) this.nativeArgs.push(name);
        break;
      case "include":
        this.#forcedInclude(value);
        break;
      case "input":
        this.inputFiles.push({ path: value, optional: false });
        break;
      case "silence":
        this.silent = true;
        break;
      case "coverage":
        this.coverage = true;
        break;
      case "test-coverage":
        this.testCoverage = name === "-ftest-coverage";
        break;
      case "stack-usage":
        this.stackUsage = true;
        break;
      case "sanitize":
        // Control flow integrity hashes names; paths with components stripped off are no longer the checkout's.
        if (/^-fsanitize=.*(cfi|type|all)|-cfi-|strip-path/.test(`${name}${value}`)) this.marks.add("hidden");
        break;
      case "lto":
        this.lto = true;
        this.marks.add("lines").add("hidden");
        break;
      case "debug":
        this.#debug(name);
        break;
      default:
        break;
    }
  }

  #keepAnd({ rule, name, value, separate }: Known, verdict: Verdict): Verdict {
    const text = rule.path === true ? this.place(value) : value;
    if (separate) this.keyArgs.push(name, text);
    else this.keyArgs.push(`${name}${text}`);
    return verdict;
  }

  #machineHelp({ rule, name }: Known): Verdict {
    return rule.role === "machine" && /=(help|\?|list)$/.test(name) ? { reason: "called_for_information", detail: name } : undefined;
  }

  #forcedInclude(path: string): void {
    this.forcedIncludes.push(path);
    // A precompiled header beside it is taken instead, unasked.
    this.inputFiles.push({ path: `${path}.gch`, optional: true });
    if (this.family === "clang") this.inputFiles.push({ path: `${path}.pch`, optional: true });
  }

  #debug(name: string): void {
    if (name === "-gno-split-dwarf") this.splitDwarf = "";
    else if (name.startsWith("-gsplit-dwarf")) this.splitDwarf = name;
    else if (/^-g(|[0-3]|gdb[0-3]?|lldb|dwarf(-[2-5])?|mlt|line-.*)$/.test(name)) this.debugLevel = name;
    if (/^-gdwarf(-[2-5])?$/.test(name)) this.dwarfVersion = name;
    if (name.startsWith("-gz") && name !== "-gz=none") this.marks.add("hidden");
    if (name === "-gembed-source" || name.startsWith("-gsrc-hash")) this.marks.add("content");
    this.debugging = !(name === "-g0" || name === "-ggdb0") && (this.debugging || !name.startsWith("-gno-"));
  }

  /** OLD=NEW: where OLD lies in the checkout does not matter; NEW reaches the output as it is. */
  #map({ name, value }: Known): Verdict {
    // gcc splits at the first `=`, clang at the last: let them not differ.
    const [old, now, ...more] = value.split("=");
    if (old === undefined || now === undefined || more.length > 0) return { reason: "bad_arguments", detail: name };
    const portable = this.place(old);
    // A map of some outer directory leaves part of the checkout's own name in the output.
    if (old === "" || (old.startsWith("/") && portable === old)) this.marks.add("hidden");
    if (portable !== old) this.mapped.push(portable);
    this.keyArgs.push(`${name}${portable}=${now}`);
    return undefined;
  }

  /** clang names what lies below the working directory by the rest alone, which then may begin within the checkout's own name. */
  #calledDirectory(path: string): void {
    if (path.startsWith("/") && this.portable(path) === path) this.marks.add("hidden");
  }

  #preprocessor(option: Known): Verdict {
    const [first, second, ...more] = option.value.split(",");
    if ((first === "-MD" || first === "-MMD") && second !== undefined && second !== "" && more.length === 0) {
      this.preprocessorDependencies.push({ headers: first === "-MD" ? "all" : "user", path: second });
      return undefined;
    }
    const parts = option.value.split(",");
    if (!parts.every((part) => /^-[DU]./.test(part))) return { reason: "unsupported_option", detail: `-Wp,${option.value}` };
    this.defines.push(...parts);
    return this.#keepAnd(option, undefined);
  }

  #assembler(value: string, list: boolean): Verdict {
    const args = list ? value.split(",") : [value];
    for (let at = 0; at < args.length; at++) {
      const argument = args[at] ?? "";
      const symbol = list && argument === "--defsym" ? args[++at] : undefined;
      if (symbol !== undefined && /^[\w.$]+=\w+$/.test(symbol)) continue;
      const verdict = this.#nested(assemblerArgument(argument), argument);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  #frontend(option: Known): Verdict {
    const { value } = option;
    const awaiting = this.#awaiting;
    if (awaiting === undefined) {
      this.#calledDirectory(value.replace(/^-fdebug-compilation-dir=/, ""));
      return this.#keepAnd(option, this.#nested(frontendArgument(value), value));
    }
    this.#awaiting = undefined;
    if (awaiting === "backend") return this.#keepAnd(option, this.#nested(backendArgument(value), value));
    if (awaiting === "include") this.#forcedInclude(value);
    if (awaiting === "input") {
      this.inputFiles.push({ path: value, optional: false });
      for (const mark of ["lines", "content", "layout", "hidden"] as const) this.marks.add(mark);
    }
    if (awaiting === "text") this.#calledDirectory(value);
    this.keyArgs.push(option.name, awaiting === "text" ? value : this.place(value));
    return undefined;
  }

  #nested(nested: Nested, argument: string): Verdict {
    if (nested.kind === "refused") return { reason: "unsupported_option", detail: argument };
    if (nested.kind === "awaits") this.#awaiting = nested.role;
    else for (const mark of nested.marks) this.marks.add(mark);
    return undefined;
  }
}
