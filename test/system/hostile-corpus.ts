/**
 * What somebody hostile would have a machine run, as data: one row each, by the number of the threat in docs/execution.md.
 *
 * A `compile` goes the way that others' compiles go. `raw` is the same without the look at its arguments, so that the sandbox alone must
 * hold; `program` is what runs once a compiler has been taken over (hostile-program.c); an `action` goes the way of members' general actions.
 * Knows: attacks. Does not know: how they are run and judged.
 */
import type { ActionLimits, ActionRefusal, CompileRefusal } from "../../src/contracts/index.ts";
import { type MembersAsk, membersActions } from "./hostile-actions.ts";

/** What is there to be read, written or reached and must not be. */
export interface Bait {
  /** A directory with `secret`, `key`, `socket`; in the sandbox an empty one. */
  readonly directory: string;
  /** What the sandbox keeps of another job's source. */
  readonly othersFile: string;
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly abstractName: string;
  /** A process of the user as whom jobs run. */
  readonly process: number;
}

/** Where the project of the corpus lies. */
export const PROJECT = "/project";
/** The program that has taken over, as an input. */
export const PROGRAM: string = `${PROJECT}/hostile`;

export type Ask =
  | { readonly kind: "program"; readonly args: readonly string[]; readonly environment?: Readonly<Record<string, string>> }
  | (CompileAsk & { readonly kind: "compile" | "raw" })
  | MembersAsk;

export interface CompileAsk {
  readonly options?: readonly string[];
  /** Text of the source. */
  readonly text?: string;
  readonly source?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly target?: string;
  /** Text by path. */
  readonly inputs?: Readonly<Record<string, string>>;
  /** Where the program that takes over lies besides. */
  readonly programs?: readonly string[];
  /** An input whose blob nobody has. */
  readonly lost?: string;
  readonly toolchain?: string;
}

export interface Row {
  /** Of the threat. */
  readonly threat: number;
  readonly name: string;
  readonly by: "gcc" | "clang" | "none";
  readonly expect: ActionRefusal | CompileRefusal | "contained";
  readonly ask: Ask;
  readonly limits?: Partial<ActionLimits>;
  readonly outputs?: readonly string[];
  /** Must be in what is known of the end: `killed wall`, or `done 1` and what was printed. It shows that the attack was made at all. */
  readonly end?: RegExp;
}

const KIB = 1_024;
const MIB = 1_048_576;

function refused(threat: number, reason: CompileRefusal, ask: CompileAsk & { readonly by?: "gcc" | "clang" }): Row {
  const { by = "gcc", ...rest } = ask;
  const name = [...Object.keys(ask.environment ?? {}), ...(ask.options ?? []), ask.source === undefined ? "" : `source ${ask.source}`]
    .join(" ")
    .trim();
  return { threat, name: `${by}: ${name || reason}`, by, expect: reason, ask: { kind: "compile", ...rest } };
}

/** The same attack with both compilers. */
function both(threat: number, name: string, ask: CompileAsk, more: Partial<Row> = {}): Row[] {
  return (["gcc", "clang"] as const).map((by) => ({
    threat,
    name: `${by}: ${name}`,
    by,
    expect: "contained",
    ask: { kind: "compile", ...ask },
    ...more,
  }));
}

function raw(threat: number, by: "gcc" | "clang", name: string, ask: CompileAsk, end: RegExp, more: Partial<Row> = {}): Row {
  return { threat, name: `${by}: ${name}, unseen`, by, expect: "contained", ask: { kind: "raw", ...ask }, end, ...more };
}

function program(threat: number, args: readonly string[], end: RegExp = /denied: /, more: Partial<Row> = {}): Row {
  return { threat, name: args.join(" "), by: "none", expect: "contained", ask: { kind: "program", args }, end, ...more };
}

export function corpus(bait: Bait): Row[] {
  const secret = `${bait.directory}/secret`;
  const key = `${bait.directory}/key`;
  return [
    ...codeExecution(secret),
    ...reading(secret, key),
    ...environment(secret),
    ...writing(secret),
    ...outputs(secret),
    ...resources(),
    ...processes(bait, secret),
    ...network(bait),
    ...kernel(),
    ...takenOver(bait, secret),
    ...othersJobs(bait),
    ...messages(),
    ...shape(),
    ...membersActions(bait),
  ];
}

/** 1, 2: the compiler runs somebody's code. */
function codeExecution(secret: string): Row[] {
  const takeOver = [PROGRAM, "read", secret];
  return [
    refused(1, "plugin", { options: [`-fplugin=${PROGRAM}`] }),
    refused(1, "plugin", { options: [`-fpass-plugin=${PROGRAM}`], by: "clang" }),
    refused(1, "nested_option", { options: ["-Xclang", "-load", "-Xclang", PROGRAM], by: "clang" }),
    refused(1, "unknown_option", { options: ["-include-pch", `-fplugin=${PROGRAM}`] }),
    refused(1, "nested_option", { options: ["-mllvm", `-load=${PROGRAM}`], by: "clang" }),
    refused(2, "unknown_option", { options: ["-wrapper", takeOver.join(",")] }),
    refused(2, "unknown_option", { options: ["-B", PROJECT] }),
    refused(2, "unknown_option", { options: [`-B${PROJECT}/`] }),
    refused(2, "other_program", { options: ["-specs=/project/specs"] }),
    refused(2, "other_program", { options: ["--config=/project/clang.cfg"], by: "clang" }),
    refused(2, "unknown_option", { options: [`-fmodule-mapper=|${PROGRAM}`] }),
    refused(2, "other_program", { options: ["-fuse-ld=/project/hostile"] }),
    refused(2, "linker_option", { options: ["--ld-path=/project/hostile"], by: "clang" }),
    refused(2, "linker_option", { options: ["-Wl,-plugin,/project/hostile.so"] }),
    refused(2, "linker_option", { options: ["-Xlinker", "-plugin"] }),
    refused(2, "other_program", { options: ["-no-canonical-prefixes"] }),
    refused(2, "other_program", { options: ["--gcc-toolchain=/project"], by: "clang" }),
    raw(1, "gcc", "-fplugin=", { options: [`-fplugin=${PROGRAM}`] }, /cannot load plugin|fatal error/),
    raw(2, "gcc", "-wrapper", { options: ["-wrapper", takeOver.join(",")] }, /denied: .*secret/),
    raw(2, "gcc", "-B", { options: [`-B${PROJECT}/bin/`], programs: [`${PROJECT}/bin/as`] }, /denied: no such attack/),
    raw(
      2,
      "gcc",
      "-specs=",
      { options: ["-specs=/project/specs"], inputs: { "/project/specs": `*cc1:\n%(system ${takeOver.join(" ")})\n` } },
      /done/,
    ),
    raw(2, "gcc", "-fmodule-mapper=", { options: ["-xc++", "-fmodules-ts", `-fmodule-mapper=|${takeOver.join(" ")}`] }, /done 1/),
  ];
}

/** 3, 4, 5, 11: the compiler reads what is none of the job's business. */
function reading(secret: string, key: string): Row[] {
  const answer = '"tou" "ched"'; // In one piece it would be found in messages that quote the source.
  return [
    refused(3, "response_file", { options: [`@${secret}`] }),
    refused(3, "response_file", { options: ["-I", `@${secret}`] }),
    refused(3, "response_file", { source: `@${secret}` }),
    refused(3, "response_file", { options: [], target: `@${secret}` }),
    refused(3, "nested_option", { options: [`-Wa,@${secret}`] }),
    refused(3, "linker_option", { options: [`-Wl,@${secret}`] }),
    raw(3, "gcc", "@file", { options: [`@${secret}`] }, /done 1/),
    ...both(4, "#include of a secret", { text: `#include "${secret}"\n` }, { end: /No such file|not found/ }),
    ...both(4, "#include of a key by a way up", { text: `#include "../../../../../..${key}"\n` }, { end: /No such file|not found/ }),
    ...both(4, "#include </etc/passwd>", { text: "#include </etc/passwd>\n" }, { end: /No such file|not found/ }),
    ...both(4, "-include of a secret", { options: ["-include", secret] }, { end: /No such file|not found/ }),
    ...both(4, "-imacros of a secret", { options: ["-imacros", secret] }, { end: /No such file|not found/ }),
    ...both(
      4,
      "-I of the bait",
      { options: [`-I${secret.replace("/secret", "")}`], text: "#include <secret>\n" },
      { end: /No such file|not found/ },
    ),
    ...both(
      4,
      "probing by __has_include",
      { text: `#if __has_include("${secret}")\nchar leak[] = ${answer};\n#else\nint none;\n#endif\n` },
      { end: /done 0/ },
    ),
    ...both(4, "#include of /proc/self/environ", { text: '#include "/proc/self/environ"\n' }, { end: /No such file|not found/ }),
    { ...both(4, "#embed", { text: `char leak[] = {\n#embed "${secret}"\n};\n` }, { end: /not found/ })[1] } as Row,
    { ...both(4, "#pragma GCC dependency", { text: `#pragma GCC dependency "${secret}"\nint x;\n` }, { end: /No such file/ })[0] } as Row,
    ...both(
      5,
      ".incbin",
      { text: `__asm__(".incbin \\"${secret}\\"");\n` },
      { end: /Could not find|can't open|No such file|file not found/i },
    ),
    ...both(5, ".include", { text: `__asm__(".include \\"${secret}\\"");\n` }, { end: /Could not find|can't open|No such file/i }),
    ...both(
      5,
      ".incbin in assembly",
      { source: "a.s", text: `.incbin "${secret}"\n` },
      { end: /Could not find|can't open|No such file|file not found/i },
    ),
    ...both(
      5,
      ".incbin of the kernel's log",
      { source: "a.s", text: '.incbin "/proc/kmsg"\n' },
      { end: /Could not find|can't open|No such file|file not found/i },
    ),
    ...both(11, "#include of standard input", { text: '#include "/dev/stdin"\n' }, { end: /No such file|not found/ }),
    ...both(
      11,
      "#include of /dev/zero",
      { text: '#include "/dev/zero"\n' },
      { limits: { cpuMs: 1_000, wallMs: 8_000 }, end: /done|killed/ },
    ),
    refused(11, "bad_source", { source: "-" }),
    refused(11, "bad_source", { source: "-v.c" }),
  ];
}

/** 6: the environment. */
function environment(secret: string): Row[] {
  const names = ["LD_PRELOAD", "LD_LIBRARY_PATH", "GCC_EXEC_PREFIX", "COMPILER_PATH", "CPATH", "CCC_OVERRIDE_OPTIONS", "TMPDIR", "PATH"];
  return [
    ...names.map((name) => refused(6, "environment", { environment: { [name]: "/project" } })),
    refused(6, "environment", { environment: { DEPENDENCIES_OUTPUT: secret } }),
    refused(6, "environment", { environment: { SOURCE_DATE_EPOCH: "1; rm" } }),
    refused(6, "environment", { environment: { LANG: "../../../work" } }),
    raw(6, "gcc", "DEPENDENCIES_OUTPUT", { environment: { DEPENDENCIES_OUTPUT: secret } }, /done/),
    raw(6, "gcc", "LD_PRELOAD", { environment: { LD_PRELOAD: PROGRAM } }, /done/),
    raw(6, "gcc", "GCC_EXEC_PREFIX", { environment: { GCC_EXEC_PREFIX: "/project/" } }, /done/),
    program(6, ["environment"], /TMPDIR=\/scratch/),
  ];
}

/** 7: options that say where something is written. */
function writing(secret: string): Row[] {
  const options: readonly (readonly string[])[] = [
    ["-o", secret],
    [`-o${secret}`],
    ["-MF", secret],
    ["-MD"],
    [`-Wp,-MD,${secret}`],
    ["-dumpdir", secret],
  ];
  return [
    ...options.map((words) => refused(7, words[0]?.startsWith("-Wp") ? "nested_option" : "output_option", { options: words })),
    refused(7, "unknown_option", { options: [`-fdump-tree-all=${secret}`] }),
    refused(7, "profile", { options: ["--coverage"] }),
    refused(7, "profile", { options: [`-fprofile-dir=${secret}`] }),
    refused(7, "output_option", { options: ["-gsplit-dwarf"] }),
    refused(7, "output_option", { options: ["-save-temps=cwd"] }),
    refused(7, "output_option", { options: [`-fcrash-diagnostics-dir=${secret}`], by: "clang" }),
    refused(7, "mode_option", { options: ["-E"] }),
    raw(7, "gcc", "-MF", { options: ["-MD", "-MF", secret] }, /done 1/),
    raw(7, "gcc", "-fdump", { options: [`-fdump-tree-optimized=${secret}`] }, /done/),
    raw(7, "gcc", "--coverage", { options: ["--coverage"] }, /done/),
    raw(7, "clang", "-serialize-diagnostics", { options: ["--serialize-diagnostics", secret] }, /done/),
  ];
}

/** 8: what is left in the place of an output. */
function outputs(secret: string): Row[] {
  const strange = (kind: string): Row => program(8, ["output", kind, secret], /strange loot|denied/, { outputs: ["loot"] });
  return [
    ...["symlink", "hardlink", "fifo", "directory", "device", "socket", "closed"].map(strange),
    program(8, ["output", "setuid"], /plain loot/, { outputs: ["loot"] }),
    program(8, ["output", "sparse"], /killed file_size|denied/, { outputs: ["loot"] }),
    program(8, ["rename", "/out", "/scratch/x"]),
    program(8, ["names", "/out"], /killed files/),
    program(8, ["names", "/scratch"], /killed files/),
    ...["../loot", "/etc/passwd", "a/b", ".", "..", "", "a\0b"].map(
      (name): Row => ({
        ...program(8, ["output", "setuid"], /refused/),
        name: `an output called ${JSON.stringify(name)}`,
        expect: "bad_path",
        outputs: [name],
      }),
    ),
  ];
}

/** 9, 10: as much as possible of everything. */
function resources(): Row[] {
  const short = { cpuMs: 1_000, wallMs: 10_000, memoryBytes: 1_024 * MIB, fileBytes: 8 * MIB, outputBytes: 16 * MIB };
  const bomb =
    "#define A B B B B B B B B\n#define B C C C C C C C C\n#define C D D D D D D D D\n#define D E E E E E E E E\n#define E F F F F F F F F\n#define F G G G G G G G G\n#define G H H H H H H H H\n#define H 1 +\nint x = A 1;\n";
  const depth = "template <int N> struct A { static const int v = A<N - 1>::v + A<N - 2>::v; };\nint x = A<900000>::v;\n";
  const loop =
    "constexpr int f(int n) { int s = 0; for (int i = 0; i < 2000000000; i++) s ^= i; return s + n; }\nconstexpr int x = f(1);\n";
  const endless = /killed|done/;
  return [
    ...both(9, "an object of 3 GB", { text: "char x[3000000000u] = {1};\n" }, { limits: short, end: endless }),
    ...both(9, ".fill of 2 GB", { source: "a.s", text: ".fill 2000000000, 1, 7\n" }, { limits: short, end: endless }),
    program(9, ["fill", "/out/loot"], /killed file_size|denied/, { limits: short, outputs: ["loot"] }),
    program(9, ["fill-many", "/out"], /denied|killed/, { limits: short }),
    // What it prints has no room left, either.
    program(9, ["fill-many", "/scratch"], /done 1|killed/, { limits: short }),
    program(9, ["print"], /killed (output|file_size)/, { limits: { ...short, printedBytes: 64 * KIB } }),
    ...both(10, "macros that grow", { text: bomb }, { limits: short, end: endless }),
    ...both(
      10,
      "templates without end",
      { source: "a.cc", text: depth, options: ["-ftemplate-depth=1000000"] },
      { limits: short, end: endless },
    ),
    ...both(10, "a constant that takes for ever", { source: "a.cc", text: loop, options: ["-std=c++17"] }, { limits: short, end: endless }),
    ...both(10, "a file that includes itself", { text: "#include __FILE__\n#include __FILE__\n" }, { limits: short, end: endless }),
    ...both(
      10,
      "more errors than are kept",
      { text: "#error x\n".repeat(20_000), options: ["-fmax-errors=0", "-ferror-limit=0"].slice(0, 1) },
      { limits: { ...short, printedBytes: 16 * KIB }, end: endless },
    ),
    program(10, ["spin"], /killed cpu/, { limits: { cpuMs: 1_000, wallMs: 10_000 } }),
    program(10, ["memory"], /denied: memory/, { limits: short }),
    program(10, ["shared-memory"]),
    program(11, ["sleep"], /killed wall/, { limits: { wallMs: 500 } }),
  ];
}

/** 12: processes that stay, multiply, or reach others. */
function processes(bait: Bait, secret: string): Row[] {
  return [
    program(12, ["fork"], /denied: fork/),
    program(12, ["threads"], /denied: thread/),
    program(12, ["linger", secret], /done 0/),
    program(12, ["linger", "/project/a.c"], /done 0/),
    program(12, ["kill", String(bait.process)]),
    program(12, ["kill", "-1"], /denied|touched/, { ask: { kind: "program", args: ["init"] }, name: "kill the first process" }),
    program(12, ["ptrace"]),
    program(12, ["call", "pidfd_getfd"]),
  ];
}

/** 13: the network, and whatever else leads to other processes. */
function network(bait: Bait): Row[] {
  return [
    program(13, ["tcp", "127.0.0.1", String(bait.tcpPort)]),
    program(13, ["udp", "127.0.0.1", String(bait.udpPort)], /sent|denied/),
    program(13, ["tcp", "192.0.2.1", "80"]),
    program(13, ["abstract", bait.abstractName]),
    program(13, ["unix", `${bait.directory}/socket`]),
    // AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK
    ...["16", "17", "38", "40"].map((family) => program(13, ["family", family])),
    program(13, ["descriptors"]),
    program(13, ["terminal"]),
  ];
}

/** 14: the kernel's rarely used corners, and ways to more rights. */
function kernel(): Row[] {
  const calls = [
    "io_uring_setup",
    "bpf",
    "perf_event_open",
    "keyctl",
    "add_key",
    "userfaultfd",
    "memfd_create",
    "clone3",
    "name_to_handle_at",
    "fsopen",
    "setns",
  ];
  return [
    ...calls.map((call) => program(14, ["call", call])),
    // CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET
    ...["10000000", "20000", "40000000"].flatMap((flag) => [program(14, ["unshare", flag]), program(14, ["clone", flag])]),
    program(14, ["mount"]),
    program(14, ["remount"]),
    program(14, ["umount"]),
    program(14, ["chroot"]),
    program(14, ["setuid"]),
    program(14, ["foreign", "i386"], /done 159|denied/),
    program(14, ["foreign", "x32"], /done 159|denied/),
  ];
}

/** 15: a compiler that was taken over. */
function takenOver(bait: Bait, secret: string): Row[] {
  return [
    program(15, ["read", secret]),
    program(15, ["read", `${bait.directory}/key`]),
    program(15, ["read", bait.othersFile]),
    program(15, ["read", "/etc/passwd"]),
    program(15, ["read", "/proc/1/environ"]),
    program(15, ["read", "/proc/self/maps"]),
    program(15, ["read", "/sys/kernel/notes"]),
    program(15, ["read", "/dev/mem"]),
    program(15, ["read", "/dev/tty"]),
    program(15, ["write", secret]),
    program(15, ["unlink", secret]),
    program(15, ["write", "/project/a.c"]),
    program(15, ["chmod", "/project/a.c"]),
    program(15, ["unlink", "/project/a.c"]),
    program(15, ["write", "/init"]),
    program(15, ["rename", "/project", "/scratch/work"]),
    program(15, ["forge"], /done 0/, { outputs: ["loot"] }),
    { ...(both(15, "a compiler that crashes", { text: "#pragma clang __debug crash\nint x;\n" }, { end: /done/ })[1] as Row) },
  ];
}

/** 16, 19: what other jobs do, and what they were sent. */
function othersJobs(bait: Bait): Row[] {
  return [
    ...["watch", "notice", "lease"].map((way) => program(16, [way, way === "notice" ? "/project" : "/project/a.c"])),
    program(16, ["watch", "/project"]),
    program(16, ["clock", String(bait.process)]),
    program(16, ["priority"]),
    program(16, ["read", "/proc/stat"]),
    program(16, ["read", "/proc/loadavg"]),
    program(16, ["read", "/sys/devices/system/cpu/online"]),
    program(16, ["call", "perf_event_open"], /denied/, { name: "the processor's counters" }),
    program(19, ["read", bait.othersFile], /denied/, { name: "another job's source, by its content" }),
    program(19, ["read", "/tmp"]),
    program(19, ["read", "/scratch/../tmp"]),
    program(19, ["environment"], /^done 0 +((TMPDIR|PWD)=\S+\s*)+$/, { name: "another job's environment" }),
    ...both(19, "#include of another job's source", { text: `#include "${bait.othersFile}"\n` }, { end: /No such file|not found/ }),
    ...both(
      19,
      ".incbin of another job's source",
      { source: "a.s", text: `.incbin "${bait.othersFile}"\n` },
      { end: /Could not find|can't open|No such file|file not found/i },
    ),
  ];
}

/** 20: what is printed for people to read. */
function messages(): Row[] {
  const escape = "\u001b";
  const title = `${escape}]0;owned\u0007${escape}[2J`;
  return [
    ...both(20, "a title for the terminal in #error", { text: `#error ${title}\n` }, { end: /done 1/ }),
    ...both(20, "the clipboard in a name", { text: `#include "${escape}]52;c;cm0=\u0007.h"\n` }, { end: /done 1/ }),
    ...both(
      20,
      "a message without end",
      { text: `#error ${"x".repeat(60_000)}\n` },
      { limits: { printedBytes: 16 * KIB }, end: /killed|done 1/ },
    ),
    program(20, ["print"], /killed (output|file_size)/, { name: "a gigabyte of messages", limits: { printedBytes: 16 * KIB } }),
  ];
}

/** 17, 18: actions that are not what they must be. */
function shape(): Row[] {
  const path = (name: string, reason: ActionRefusal = "bad_path"): Row => ({
    ...refused(18, reason, { inputs: { [name]: "x" } }),
    name: `an input at ${JSON.stringify(name)}`,
  });
  return [
    { ...refused(17, "toolchain_unknown", { toolchain: "0".repeat(64) }), name: "a toolchain of one's own" },
    ...["/usr/bin/as", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "/lib64/ld-linux-x86-64.so.2"].map((name) => ({
      ...path(name, "input_conflict"),
      threat: 17,
    })),
    { ...path("/usr/lib/gcc/x86_64-linux-gnu/12/specs", "input_conflict"), threat: 17 },
    ...[
      "/project/../etc/x",
      "/project/./x",
      "work/x",
      "/project//x",
      "/",
      "/proc/x",
      "/sys/x",
      "/dev/null",
      "/init",
      "/out/x",
      "/scratch/x",
      "/project/a\0b",
    ].map((name) => path(name, name === "/" ? "input_conflict" : "bad_path")),
    { ...path("/project/a.c/x", "input_conflict"), name: "an input below a file" },
    { ...refused(18, "input_missing", { lost: "/project/lost.h" }), name: "an input that nobody has" },
    { ...refused(18, "too_much", {}), name: "limits beyond all measure", limits: { memoryBytes: 2 ** 50 } },
    { ...refused(18, "too_much", { options: [`-D${"x".repeat(100_000)}`] }), name: "a word without end" },
  ];
}
