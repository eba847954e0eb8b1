/**
 * Which language a source file is in: by `-x`, by the end of its name, and by the driver that was called.
 */
import type { Language } from "./command.ts";

/** `header`: it would be precompiled. `module`: it would be built as a module. undefined: not a language that is cached. */
export type Named = Language | "header" | "module" | undefined;

const byName: Readonly<Record<string, Named>> = {
  c: "c",
  "c++": "c++",
  "objective-c": "objective-c",
  "objective-c++": "objective-c++",
  "cpp-output": "preprocessed-c",
  "c++-cpp-output": "preprocessed-c++",
  "objective-c-cpp-output": "preprocessed-objective-c",
  "objective-c++-cpp-output": "preprocessed-objective-c++",
  assembler: "assembler",
  "assembler-with-cpp": "assembler-with-cpp",
  "c-header": "header",
  "c++-header": "header",
  "objective-c-header": "header",
  "objective-c++-header": "header",
  "c++-system-header": "module",
  "c++-user-header": "module",
  "c++-module": "module",
};

const bySuffix: Readonly<Record<string, Named>> = {
  c: "c",
  cc: "c++",
  cp: "c++",
  cxx: "c++",
  cpp: "c++",
  CPP: "c++",
  "c++": "c++",
  C: "c++",
  i: "preprocessed-c",
  ii: "preprocessed-c++",
  m: "objective-c",
  mm: "objective-c++",
  M: "objective-c++",
  mi: "preprocessed-objective-c",
  mii: "preprocessed-objective-c++",
  s: "assembler",
  S: "assembler-with-cpp",
  h: "header",
  hh: "header",
  H: "header",
  hp: "header",
  hxx: "header",
  hpp: "header",
  HPP: "header",
  "h++": "header",
  tcc: "header",
  cppm: "module",
  ccm: "module",
  cxxm: "module",
  "c++m": "module",
  ixx: "module",
};

/** The language that `-x name` stands for. */
export function languageNamed(name: string): Named {
  return Object.hasOwn(byName, name) ? byName[name] : undefined;
}

/** The language of a file by its name alone. */
export function languageOf(path: string, family: "gcc" | "clang"): Named {
  const suffix = /\.([^./]+)$/.exec(path)?.[1] ?? "";
  if (suffix === "sx") return family === "gcc" ? "assembler-with-cpp" : undefined;
  return Object.hasOwn(bySuffix, suffix) ? bySuffix[suffix] : undefined;
}

/** `g++` and `clang++` take C for C++, unless -x says what it is. */
export function driverLanguage(language: Language): Language {
  if (language === "c") return "c++";
  return language === "preprocessed-c" ? "preprocessed-c++" : language;
}

/** What `-x` calls a language when the compiler is asked where it looks for headers. */
export function probeLanguage(language: Language): string {
  switch (language) {
    case "assembler":
    case "assembler-with-cpp":
      return "assembler-with-cpp";
    default:
      return language.replace("preprocessed-", "");
  }
}

/** Whether the preprocessor runs; where it does not, no dependency file is written. */
export function isPreprocessed(language: Language): boolean {
  return language === "assembler" || language.startsWith("preprocessed-");
}

export function isAssembly(language: Language): boolean {
  return language === "assembler" || language === "assembler-with-cpp";
}
