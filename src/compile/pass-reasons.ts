/**
 * Why a compiler invocation is passed through to the compiler untouched: a closed list of names, each with one sentence for people.
 *
 * The names are counters as well; where ccache counts the same thing, the name is ccache's.
 */

export type PassReason =
  | "not_utf8"
  | "computed_lookup"
  | "storing_failed"
  | "bad_arguments"
  | "called_for_information"
  | "called_for_link"
  | "called_for_preprocessing"
  | "configuration_file"
  | "missing_dependency_file_target"
  | "modules"
  | "multiple_source_files"
  | "no_input_file"
  | "output_in_the_way"
  | "output_not_regular"
  | "output_to_stdout"
  | "plugin"
  | "precompiled_header_creation"
  | "profile_use"
  | "response_file"
  | "save_temps"
  | "source_on_stdin"
  | "unclear_source"
  | "unsupported_language"
  | "unsupported_option"
  | "compiler_is_wrapper"
  | "environment"
  | "unknown_compiler"
  | "assembler_include"
  | "clock_stepped"
  | "compiler_failed"
  | "dependency_file_unreadable"
  | "incbin"
  | "input_modified_during_compile"
  | "missing_output"
  | "output_modified"
  | "time_macro"
  | "too_large";

/** One sentence for each reason, as the documentation and `cairn stats` print it. */
export const passReasons: Readonly<Record<PassReason, string>> = {
  // Read from the command line.
  bad_arguments: "The command line is incomplete or contradicts itself; the compiler will say so.",
  called_for_information: "The compiler was asked to tell about itself or about what it does (-v, -###, --version, --help, -print-…).",
  called_for_link: "The compiler was asked to link.",
  called_for_preprocessing: "The compiler was asked to preprocess or to list dependencies only (-E, -M, -MM).",
  configuration_file: "An option names a file with further options (--config, -specs=).",
  missing_dependency_file_target:
    "Only the compiler can tell what the dependency file will be called or contain (-MG, -fsyntax-only -MD …).",
  modules: "Modules are built or used (C++20 modules, header units, clang modules).",
  multiple_source_files: "Several source files are compiled by one command.",
  no_input_file: "The command names no source file.",
  not_utf8: "A path, argument or variable is not UTF-8.",
  output_in_the_way:
    "There was a result, but where an output belongs lies something that only the compiler can deal with, or the disk is full.",
  output_not_regular: "An output is a device, a pipe, a directory or something else that is not a plain file.",
  output_to_stdout: "An output goes to standard output.",
  plugin: "A compiler plugin may read and write files that nobody can foresee (-fplugin=, -fpass-plugin=).",
  precompiled_header_creation: "A header is precompiled.",
  profile_use: "A profile is used whose file only the compiler can find (-fprofile-use without a file, -fauto-profile …).",
  response_file: "A response file is too deep, too large, or quoted in a way that compilers read differently.",
  save_temps: "Intermediate files are kept (-save-temps).",
  source_on_stdin: "The source comes from standard input.",
  unsupported_language: "The source is in a language or of a kind that is not cached.",
  unsupported_option: "An option is not known to be safe to cache.",

  // Read from the surroundings.
  compiler_is_wrapper: "The compiler is itself a wrapper (ccache, distcc, a script), so what it is made of cannot be told.",
  environment: "An environment variable makes the compiler do more than its arguments say (DEPENDENCIES_OUTPUT, CCC_OVERRIDE_OPTIONS …).",
  unknown_compiler: "The program is not a compiler that is known here.",

  // Found in the inputs, or after the compiler ran.
  assembler_include: "Assembly includes another file (.include), which no dependency file names.",
  clock_stepped: "The clock was set back while the compiler ran, so changes of inputs could not be noticed.",
  compiler_failed: "The compiler reported an error or was stopped.",
  computed_lookup: "Whether a header exists decides what is compiled, and only the preprocessor knows its name (__has_include of a macro).",
  dependency_file_unreadable: "The dependency file could not be read or understood.",
  incbin: "Assembly copies a file into the object (.incbin), which no dependency file names.",
  input_modified_during_compile: "A source or header changed while the compiler ran.",
  missing_output: "The compiler succeeded without writing a file that it should have written.",
  output_modified: "Another program wrote to an output as well, before it could be kept.",
  storing_failed: "The result could not be stored; the log says why (a full disk, for example).",
  time_macro: "The source uses __DATE__, __TIME__ or __TIMESTAMP__.",
  unclear_source: "A source could not be understood well enough to know what it reads (#pragma GCC dependency, odd include names).",
  too_large: "The command, an input or an output is larger than what is kept.",
};
