/**
 * The options of gcc and clang that do more than shape code or messages, as data: how each is spelled, what its value is, and which
 * part of an invocation it bears on. What is in neither this table nor options-flags.ts is not known, and so is not cached.
 */
import type { PassReason } from "./pass-reasons.ts";

/** `flag`: stands alone. `joined`: `-Xvalue`. `separate`: `-X value`. `either`: both. */
export type Form = "flag" | "joined" | "separate" | "either";

/** What an option bears on; invocation-draft.ts gives each a meaning. */
export type Role =
  | "keep" // identifies the compile, nothing else
  | "drop" // changes nothing that can be seen
  | "mode"
  | "output"
  | "language"
  | "define"
  | "search"
  | "include"
  | "dependency"
  | "input" // its value names a file that is read
  | "profile" // its value names a file, or a directory with default.profdata in it
  | "map" // its value is OLD=NEW, a prefix map
  | "directory" // its value is called the working directory
  | "machine"
  | "standard"
  | "debug"
  | "coverage"
  | "test-coverage"
  | "stack-usage"
  | "lto"
  | "sanitize"
  | "record" // -frecord-gcc-switches and its like
  | "silence"
  | "preprocessor" // -Wp,
  | "assembler" // -Wa, and -Xassembler
  | "frontend" // -Xclang
  | "backend" // -mllvm
  | "refuse";

/**
 * What of the source, beyond its tokens, can reach an output or a message because of an option:
 * `lines`: line and column numbers; `content`: every byte; `layout`: white space and comments, in messages;
 * `hidden`: names of places in a form that cannot be found by searching the output.
 */
export type Mark = "lines" | "content" | "layout" | "hidden";

export interface Rule {
  readonly form: Form;
  readonly role: Role;
  /** The value is a path: where it lies in the checkout does not matter, only which file of the checkout it is. */
  readonly path?: true;
  readonly marks?: readonly Mark[];
  /** gcc reads it as another option, and the word after it as one more. */
  readonly clangOnly?: true;
  /** With role `refuse`. */
  readonly reason?: PassReason;
}

/** Names (separated by spaces) and the rule for them. */
type Row = readonly [names: string, rule: Rule];

const linking: readonly Row[] = [
  ["-L", { form: "either", role: "keep", path: true }],
  ["-l -T", { form: "either", role: "keep" }],
  ["-u -z -e -Xlinker", { form: "separate", role: "keep" }],
  ["-Wl, --ld-path= -rtlib= --rtlib= -unwindlib= --unwindlib=", { form: "joined", role: "keep" }],
  [
    `-shared -static -static-pie -pie -no-pie -nopie -r -s -rdynamic -symbolic -nostartfiles -nodefaultlibs -nostdlib -nolibc -nostdlib++
     -static-libgcc -shared-libgcc -static-libstdc++ -static-libasan -static-libtsan -static-libubsan -static-liblsan -static-libsan
     -shared-libsan -static-openmp`,
    { form: "flag", role: "keep" },
  ],
];

/** The rules of options that are the linker's. */
export const linkingRules: ReadonlySet<Rule> = new Set(linking.map(([, rule]) => rule));

const general: readonly Row[] = [
  ["-c -S -fsyntax-only", { form: "flag", role: "mode" }],
  ["-o --output", { form: "either", role: "output" }],
  ["--output=", { form: "joined", role: "output" }],
  ["-x --language", { form: "either", role: "language" }],
  ["--language=", { form: "joined", role: "language" }],
  ["-pipe", { form: "flag", role: "drop" }],
  ["-D -U", { form: "either", role: "define" }],
  ["--define-macro= --undefine-macro=", { form: "joined", role: "define" }],
  ["--define-macro --undefine-macro", { form: "separate", role: "define" }],
  ["-w --no-warnings", { form: "flag", role: "silence" }],
  ["-pedantic -pedantic-errors --pedantic --pedantic-errors -fanalyzer", { form: "flag", role: "keep", marks: ["layout"] }],
  ["-R", { form: "joined", role: "keep", marks: ["layout"] }],
  ["--param", { form: "separate", role: "keep" }],
  ["--param=", { form: "joined", role: "keep" }],
  ["-std= --std= -stdlib= --stdlib=", { form: "joined", role: "standard" }],
  ["-ansi --ansi -undef -traditional-cpp --traditional-cpp -trigraphs --trigraphs", { form: "flag", role: "standard" }],
  ["-p -pg -pthread -pthreads -mthreads -Qn -Qy -Qunused-arguments", { form: "flag", role: "keep" }],
  ["-no-canonical-prefixes -canonical-prefixes --start-no-unused-arguments --end-no-unused-arguments", { form: "flag", role: "keep" }],
  ["-print-objc-runtime-info", { form: "flag", role: "refuse", reason: "called_for_information" }],
];

const headers: readonly Row[] = [
  ["-I -iquote -isystem -idirafter -isysroot", { form: "either", role: "search", path: true }],
  // Parts of names, which are put together as they are: /w/p and inc make /w/pinc.
  ["-iprefix -iwithprefix -iwithprefixbefore", { form: "either", role: "search" }],
  ["-iwithsysroot", { form: "either", role: "search", clangOnly: true }],
  ["-cxx-isystem -stdlib++-isystem -isystem-after", { form: "either", role: "search", path: true, clangOnly: true }],
  ["--include-directory --include-directory-after", { form: "separate", role: "search", path: true }],
  ["--include-directory= --include-directory-after= --embed-dir=", { form: "joined", role: "search", path: true }],
  ["--sysroot= --gcc-toolchain= --gcc-install-dir=", { form: "joined", role: "search", path: true }],
  ["--sysroot --gcc-toolchain", { form: "separate", role: "search", path: true }],
  ["-target", { form: "separate", role: "search" }],
  ["--target= --gcc-triple=", { form: "joined", role: "search" }],
  ["-nostdinc -nostdinc++ -nostdlibinc -nobuiltininc -ibuiltininc --no-standard-includes", { form: "flag", role: "search" }],
  ["-include -imacros", { form: "either", role: "include", path: true }],
  ["--include --imacros", { form: "separate", role: "include", path: true }],
  ["--include= --imacros=", { form: "joined", role: "include", path: true }],
  ["-include-pch", { form: "separate", role: "input", path: true, marks: ["lines", "content", "layout", "hidden"], clangOnly: true }],
  ["--system-header-prefix= --no-system-header-prefix=", { form: "joined", role: "keep", marks: ["hidden"] }],
  ["-I-", { form: "flag", role: "refuse" }],
];

const dependencies: readonly Row[] = [
  ["-MD -MMD -MP --write-dependencies --write-user-dependencies", { form: "flag", role: "dependency" }],
  ["-MF -MT -MQ", { form: "either", role: "dependency" }],
  ["-E -M -MM --preprocess --dependencies --user-dependencies", { form: "flag", role: "refuse", reason: "called_for_preprocessing" }],
  ["-MG --print-missing-file-dependencies", { form: "flag", role: "refuse", reason: "missing_dependency_file_target" }],
];

const code: readonly Row[] = [
  ["-Wp,", { form: "joined", role: "preprocessor" }],
  ["-Wa,", { form: "joined", role: "assembler" }],
  ["-Xassembler", { form: "separate", role: "assembler" }],
  ["-Xclang", { form: "separate", role: "frontend" }],
  ["-mllvm", { form: "separate", role: "backend" }],
  ["-mllvm=", { form: "joined", role: "backend" }],
  ["-fno-lto -fno-modules -fno-profile-generate -fno-profile-instr-generate -fno-profile-instr-use", { form: "flag", role: "keep" }],
  ["-fintegrated-as -fno-integrated-cc1 -fno-openacc -fno-record-gcc-switches -fno-verbose-asm", { form: "flag", role: "keep" }],
  ["-flto", { form: "flag", role: "lto" }],
  ["-flto=", { form: "joined", role: "lto" }],
  [
    `-ffat-lto-objects -fno-fat-lto-objects -fwhole-program-vtables -fno-whole-program-vtables -fsplit-lto-unit -fno-split-lto-unit
     -flto-odr-type-merging -fno-lto-odr-type-merging -fvirtual-function-elimination -fno-virtual-function-elimination -funified-lto
     -fno-unified-lto -fembed-bitcode -fdebug-types-section -fno-debug-types-section -funique-internal-linkage-names
     -fno-unique-internal-linkage-names`,
    { form: "flag", role: "keep", marks: ["hidden"] },
  ],
  [
    "-flto-compression-level= -flto-partition= -flto-jobs= -fembed-bitcode= -frandom-seed= -finstrument-functions-exclude-file-list=",
    { form: "joined", role: "keep", marks: ["hidden"] },
  ],
  ["-frecord-gcc-switches -grecord-gcc-switches -grecord-command-line -frecord-command-line", { form: "flag", role: "record" }],
  ["-fverbose-asm", { form: "flag", role: "keep", marks: ["lines", "content"] }],
  ["-fstack-usage", { form: "flag", role: "stack-usage", marks: ["lines"] }],
  ["-fdiagnostics-format=", { form: "joined", role: "keep" }],
  ["-fdiagnostics-format=sarif-file -fdiagnostics-format=json-file", { form: "flag", role: "refuse" }],
  ["-fdebug-compilation-dir= -ffile-compilation-dir= -fcoverage-compilation-dir=", { form: "joined", role: "directory" }],
  // Links decide then what a map is made of.
  ["-fcanon-prefix-map", { form: "flag", role: "keep", marks: ["hidden"] }],
  ["-fno-canon-prefix-map", { form: "flag", role: "keep" }],
  [
    "-fdebug-prefix-map= -ffile-prefix-map= -fmacro-prefix-map= -fcoverage-prefix-map= -fprofile-prefix-map=",
    { form: "joined", role: "map" },
  ],
  ["-frandomize-layout-seed-file=", { form: "joined", role: "input", path: true }],
];

const measured: Mark[] = ["lines", "hidden"];

const measuring: readonly Row[] = [
  ["--coverage -coverage", { form: "flag", role: "coverage", marks: measured }],
  ["-ftest-coverage -fno-test-coverage", { form: "flag", role: "test-coverage", marks: measured }],
  [
    `-fprofile-arcs -fno-profile-arcs -fprofile-generate -fcs-profile-generate -fprofile-instr-generate -fcoverage-mapping
     -fno-coverage-mapping -fcoverage-mcdc -fno-coverage-mcdc -fprofile-abs-path -fprofile-values -fno-profile-values -fvpt
     -fprofile-reorder-functions -fno-profile-reorder-functions -fprofile-correction -fprofile-partial-training -fmemory-profile
     -fno-memory-profile`,
    { form: "flag", role: "keep", marks: measured },
  ],
  [
    `-fprofile-generate= -fcs-profile-generate= -fprofile-instr-generate= -fprofile-update= -fprofile-dir= -fprofile-filter-files=
     -fprofile-exclude-files= -fprofile-reproducible= -fprofile-prefix-path= -fprofile-function-groups=
     -fprofile-selected-function-group= -fmemory-profile=`,
    { form: "joined", role: "keep", marks: measured },
  ],
  ["-fprofile-use= -fprofile-instr-use=", { form: "joined", role: "profile", path: true, marks: measured }],
  [
    "-fprofile-sample-use= -fprofile-list= -fprofile-remapping-file= -fmemory-profile-use=",
    { form: "joined", role: "input", path: true, marks: measured },
  ],
  [
    "-fprofile-use -fprofile-instr-use -fprofile-sample-use -fauto-profile -fbranch-probabilities",
    { form: "flag", role: "refuse", reason: "profile_use" },
  ],
  ["-fauto-profile=", { form: "joined", role: "refuse", reason: "profile_use" }],
  ["-fsanitize=", { form: "joined", role: "sanitize", marks: ["lines"] }],
  ["-fno-sanitize=", { form: "joined", role: "keep" }],
  [
    `-fsanitize-ignorelist= -fsanitize-blacklist= -fsanitize-system-ignorelist= -fsanitize-system-blacklist=
     -fsanitize-coverage-allowlist= -fsanitize-coverage-ignorelist= -fsanitize-coverage-whitelist= -fsanitize-coverage-blacklist=`,
    { form: "joined", role: "input", path: true, marks: measured },
  ],
  ["-fno-sanitize-ignorelist -fno-sanitize-blacklist", { form: "flag", role: "keep" }],
];

const refused: readonly Row[] = [
  [
    "-v -### --version --help --target-help --verbose -help -H --trace-includes",
    { form: "flag", role: "refuse", reason: "called_for_information" },
  ],
  ["--help= -print- --print- -dump", { form: "joined", role: "refuse", reason: "called_for_information" }],
  ["-dumpdir -dumpbase -dumpbase-ext --dumpdir --dumpbase --dumpbase-ext", { form: "flag", role: "refuse" }],
  ["-save-temps --save-temps", { form: "flag", role: "refuse", reason: "save_temps" }],
  ["-save-temps= --save-temps=", { form: "joined", role: "refuse", reason: "save_temps" }],
  ["-fplugin= -fplugin-arg- -fpass-plugin=", { form: "joined", role: "refuse", reason: "plugin" }],
  ["--config -specs --specs", { form: "flag", role: "refuse", reason: "configuration_file" }],
  ["--config= -specs= --specs= --config-system-dir= --config-user-dir=", { form: "joined", role: "refuse", reason: "configuration_file" }],
  ["--precompile -gmodules", { form: "flag", role: "refuse", reason: "modules" }],
  ["-fmodule -fcxx-modules -fimplicit-module -fprebuilt- -fbuiltin-module-map", { form: "joined", role: "refuse", reason: "modules" }],
  // These begin like an option that is accepted, and are none of it.
  ["-objcmt- -object-file-name= -remap", { form: "joined", role: "refuse" }],
  ["-lang-asm", { form: "flag", role: "refuse" }],
];

function index(rows: readonly Row[], forms: readonly Form[]): ReadonlyMap<string, Rule> {
  const entries = rows
    .filter(([, rule]) => forms.includes(rule.form))
    .flatMap(([names, rule]) =>
      names
        .trim()
        .split(/\s+/)
        .map((name): [string, Rule] => [name, rule]),
    );
  return new Map(entries);
}

const rows = [...linking, ...general, ...headers, ...dependencies, ...code, ...measuring, ...refused];

/** Options whose whole argument is the name. */
export const wholeRules: ReadonlyMap<string, Rule> = index(rows, ["flag", "separate", "either"]);

/** Options whose argument begins with the name; the longest name counts. */
export const joinedRules: ReadonlyMap<string, Rule> = index(rows, ["joined", "either"]);
