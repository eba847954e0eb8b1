/**
 * What somebody hostile would have a machine run that lets members have any program run: commands of `cairn exec` and actions of build tools, as
 * data, one row each. A shell's script, beside what is installed; or the program that takes over (hostile-program.c), which goes along.
 *
 * Knows: attacks. Does not know: how they are run and judged.
 */
import type { ActionLimits } from "../../src/contracts/index.ts";
import { workPlaces } from "../../src/exec/index.ts";
import type { Bait, Row } from "./hostile-corpus.ts";

export interface MembersAsk {
  readonly kind: "action";
  readonly script: string;
  /** What it declares to leave, below the root. */
  readonly leaves?: readonly string[];
  /** Targets of links among its inputs, by their paths below the root. */
  readonly links?: Readonly<Record<string, string>>;
  /** Digests of inputs that it does not bring, by path. */
  readonly named?: Readonly<Record<string, string>>;
  /** Whether the worker signs what comes of it: never where a limit may have been reached. */
  readonly isSigned?: boolean;
}

/** Where the program that takes over lies among the inputs; what it works in. */
export const TAKEN_OVER: string = "project/hostile";
const HOSTILE = `${workPlaces.work}/${TAKEN_OVER}`;
const MIB = 1_048_576;
/** Where nothing is. */
const GONE = /No such file|cannot open|nonexistent|not found/i;
const REFUSED = /denied|not permitted|Read-only|Permission/i;

/** Where a row is other than most. */
type More = Partial<Omit<Row, "ask">> & { readonly ask?: Partial<MembersAsk> };

function script(threat: number, text: string, end: RegExp, more: More = {}): Row {
  const { ask, ...rest } = more;
  return { threat, name: `action: ${text}`, by: "none", expect: "contained", end, ...rest, ask: { kind: "action", script: text, ...ask } };
}

function hostile(threat: number, words: string, end: RegExp = /denied: /, more: More = {}): Row {
  return script(threat, `${HOSTILE} ${words}`, end, { name: `action: ${words}`, ...more });
}

export function membersActions(bait: Bait): Row[] {
  return [
    ...honest(),
    ...reading(bait),
    ...writing(bait),
    ...leaving(bait),
    ...outwards(bait),
    ...limitsSwallowed(),
    ...others(bait),
    ...printing(),
    ...shape(bait),
  ];
}

/** So that rows about signatures can fail. */
function honest(): Row[] {
  return [script(15, "echo made > made", /done 0 left file project\/made/, { ask: { leaves: ["project/made"], isSigned: true } })];
}

/** 15, 4: what is none of its business. */
function reading({ directory, othersFile }: Bait): Row[] {
  const places = [`${directory}/secret`, `${directory}/key`, othersFile, "/etc/passwd", "/etc/shadow", "/root", "/home", "/var", "/run"];
  return [
    ...places.map((place) => script(15, `ls -A ${place} && cat ${place}`, GONE)),
    script(15, "cat /proc/1/environ /proc/self/maps /sys/kernel/notes", GONE),
    script(15, `find / -xdev -name secret 2>/dev/null | grep . || echo nothing`, /done 0 +nothing/),
    script(15, `ln -s ${directory}/secret s; cat s`, GONE),
    script(15, `find /usr -perm -4000 -exec sh -c '"$1" -c id </dev/null; "$1" / /' _ {} \\; 2>&1 | grep "uid=0" || echo nobody`, /nobody/),
    script(15, "sudo -n id || su -c id || mount -t tmpfs x /scratch/work", /done [1-9]/),
  ];
}

/** 15, 7: what is not its own. */
function writing({ directory }: Bait): Row[] {
  return [
    ...["/usr/bin/made", "/etc/made", "/init", "/made", "/inputs/project/a.c", `${directory}/secret`].map((place) =>
      script(7, `echo touched > ${place}`, /done [1-9]/),
    ),
    script(7, "rm -rf /usr/bin /inputs 2>&1 | tail -1", REFUSED),
    script(7, "chmod u+s /usr/bin/env || chmod 777 /inputs/project/a.c", REFUSED),
    script(7, "ln /usr/bin/env mine || ln /inputs/project/a.c mine", /done [1-9]/),
    script(7, "ln -sf /usr/bin/env a.c && echo touched > a.c", REFUSED),
    script(7, "mknod device c 1 1 || mknod /scratch/device b 8 0", REFUSED),
  ];
}

/** 8: what it leaves in the place of outputs. */
function leaving({ directory }: Bait): Row[] {
  const left = (text: string, end: RegExp, more: Partial<Row> = {}): Row =>
    script(8, text, end, { ...more, ask: { leaves: ["project/out"] } });
  return [
    left(`ln -s ${directory}/secret out`, /done 0 left link project\/out/),
    left(`mkdir out; ln -s ${directory} out/way; ln -s ../../../../../../etc/passwd out/up`, /left link project\/out\/way/),
    left("ln -s /inputs/../etc/passwd out", /left link project\/out/),
    left("ln -s /inputs/project out", /left link project\/out/),
    left("ln -s /proc/self/environ out", /left link project\/out/),
    left("mkfifo out", /^done 0$/),
    left("mkdir out; mkfifo out/pipe; echo x > out/x", /done 0/),
    left("mkdir out; echo x > out/x; chmod 000 out/x out", /done 0/),
    left("echo x > out; chmod 6777 out", /done 0 left file project\/out/),
    left("mkdir out; cd out; i=0; while [ $i -lt 400 ]; do mkdir d && cd d || break; i=$((i + 1)); done", /done 0/),
    left("mkdir out; printf x > \"out/$(printf 'a\\nb\\033]0;x\\007')\"", /done 0/),
    left("mkdir out; printf x > \"out/$(printf 'a\\377b')\"", /done|unavailable/),
    left("mkdir out; cd out; seq 200000 | xargs touch", /killed files/),
    left("truncate -s 1T out", /done [1-9]|killed/),
    left("truncate -s 60M out; echo x >> out", /done 0 left file|killed/),
  ];
}

/** 12, 13, 14: other processes, the network, the kernel. */
function outwards({ tcpPort, udpPort, abstractName, directory, process }: Bait): Row[] {
  return [
    hostile(13, `tcp 127.0.0.1 ${tcpPort}`),
    hostile(13, `udp 127.0.0.1 ${udpPort}`, /sent|denied/),
    hostile(13, `abstract ${abstractName}`),
    hostile(13, `unix ${directory}/socket`),
    hostile(13, "descriptors"),
    hostile(12, `kill ${process}`),
    hostile(12, `linger ${directory}/secret`, /done 0/),
    script(12, "setsid sh -c 'sleep 3600' & sleep 3600 & exit 0", /done 0/),
    hostile(12, "init", /done 137|denied/),
    hostile(12, "ptrace"),
    ...["io_uring_setup", "bpf", "perf_event_open", "keyctl", "userfaultfd", "fsopen"].map((call) => hostile(14, `call ${call}`)),
    hostile(14, "unshare 10000000"),
    hostile(14, "clone 40000000"),
    hostile(14, "mount"),
    hostile(14, "chroot"),
    hostile(14, "setuid"),
  ];
}

/** 9, 10, 11: limits, and programs that take no notice of them. */
function limitsSwallowed(): Row[] {
  const short: Partial<ActionLimits> = { cpuMs: 1_000, wallMs: 20_000 };
  const room: Partial<ActionLimits> = { fileBytes: 8 * MIB, outputBytes: 8 * MIB };
  const unnoticed = (text: string, end: RegExp, limits: Partial<ActionLimits>): Row =>
    script(9, text, end, { limits, ask: { leaves: ["project/out"], isSigned: false } });
  return [
    unnoticed("head -c 100M /dev/zero > out; exit 0", /killed (output|file_size)/, { outputBytes: 8 * MIB }),
    unnoticed("i=0; while head -c 1M /dev/zero > f$i; do i=$((i + 1)); done; echo x > out; exit 0", /killed output/, room),
    unnoticed("for i in 1 2 3 4 5 6; do head -c 1M /dev/zero > f$i; sleep 0.05; done; rm f*; echo x > out", /done 0 left file/, room),
    unnoticed(
      `perl -e '$SIG{XFSZ} = "IGNORE"; open F, ">", "out"; binmode F; $n = 0; $n++ while $n < 32 && syswrite F, "x" x 1048576; sleep 1'; exit 0`,
      /killed output|done 0 left file/,
      room,
    ),
    hostile(10, "swallow processes", /done 0 +as if/, { limits: { processes: 64 }, ask: { isSigned: false } }),
    hostile(10, "swallow cpu", /done 0 +as if/, { limits: short, ask: { isSigned: false } }),
    hostile(10, "swallow memory", /killed memory/, { ask: { isSigned: false } }),
    hostile(10, "fork", /denied: fork/),
    hostile(10, "shared-memory"),
    hostile(9, "fill /scratch/loot", /denied|killed/, { limits: room }),
    script(11, "cat; read x; exec sleep 3600", /killed wall/, { limits: { wallMs: 500 } }),
    script(10, "while :; do :; done", /killed cpu/, { limits: short }),
  ];
}

/** 16, 19: what other jobs do, and what they were sent. */
function others({ process, othersFile }: Bait): Row[] {
  return [
    hostile(16, "watch /usr/bin/env"),
    hostile(16, "notice /usr/bin"),
    hostile(16, "lease /inputs/project/a.c"),
    hostile(16, `clock ${process}`),
    script(16, "cat /proc/loadavg /proc/stat /proc/uptime", GONE),
    script(16, "ps ax || cat /proc/[0-9]*/cmdline", /done [1-9]/),
    script(19, `cat ${othersFile}`, GONE),
    script(19, "find /tmp/ /var/tmp /dev/shm /scratch/ -mindepth 1 2>/dev/null | grep -v /work || echo nothing", /nothing/),
    script(19, "env | grep -Ev '^(PWD|PATH|TMPDIR|OLDPWD|SHLVL|_)=' || echo nothing", /nothing/),
    script(19, "ls /inputs | grep -v project || echo nothing", /nothing/),
  ];
}

/** 20: what it prints. */
function printing(): Row[] {
  return [
    script(20, "printf '\\033]0;owned\\007\\033[2J\\033[1;1H$ '", /done 0/),
    script(20, "printf '\\033]52;c;cm0gLXJm\\007'; printf '\\033P+q544e\\033\\134'", /done 0/),
    script(20, "yes cached", /killed (output|file_size)/, { limits: { printedBytes: 65_536, wallMs: 20_000 } }),
    script(20, "yes cached >&2 & sleep 3600", /killed (output|file_size|wall)/, { limits: { printedBytes: 65_536, wallMs: 3_000 } }),
  ];
}

/** 18: actions that are not what they must be. */
function shape({ directory }: Bait): Row[] {
  const bad = (name: string, expect: Row["expect"], ask: Partial<MembersAsk>, limits?: Partial<ActionLimits>): Row =>
    script(18, "true", /refused/, { name: `action: ${name}`, expect, ask, ...(limits !== undefined && { limits }) });
  return [
    ...["../loot", "/etc/passwd", "a/../../b", "", "a//b", "./a", "a\0b"].map((path) =>
      bad(`an output at ${JSON.stringify(path)}`, "bad_path", { leaves: [path] }),
    ),
    script(18, "cat way", GONE, { ask: { links: { "project/way": `${directory}/secret` } } }),
    bad("a link out of the root", "bad_path", { links: { "../way": "/etc/passwd" } }),
    bad("more memory than there is", "too_much", {}, { memoryBytes: 2 ** 50 }),
    bad("more processes than any", "too_much", {}, { processes: 1_000_000 }),
    bad("a day", "too_much", {}, { wallMs: 86_400_000 }),
    bad("an input that nobody has", "input_missing", { named: { "project/lost": "ab".repeat(32) } }),
  ];
}
