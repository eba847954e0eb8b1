/**
 * The filter of system calls in a sandbox: a program for the kernel's BPF machine, as seccomp(2) takes it.
 *
 * What it forbids is what a compiler or test never needs, and through which kernels have been broken: io_uring, user faults, BPF,
 * performance events, key rings, mounts, namespaces, other processes' memory, memory that no limit counts. Everything newer than the
 * newest call known here is absent, too. Pure: an architecture in, bytes out.
 */

/**
 * The filter for this processor, or undefined where there is none.
 *
 * @param architecture as `process.arch` names it
 * @param isStrict whether more is refused that compilers, shells, make and interpreters do without, and servers do not: memory that several may share
 *   without a file, which belongs to no process, so that whoever looks at what processes hold does not see it; and to be told of what others read
 */
export function systemCallFilter(architecture: string, isStrict: boolean): Buffer | undefined {
  const machine = machines[architecture];
  return machine === undefined ? undefined : assemble(program(machine, isStrict));
}

interface Machine {
  /** AUDIT_ARCH_… of linux/audit.h */
  readonly audit: number;
  /** Numbers of calls that older kernels numbered by architecture: its column below. */
  readonly column: 0 | 1;
  /** Numbers from here on belong to another way of calling (x32). */
  readonly foreignFrom: number | undefined;
}

const machines: Readonly<Record<string, Machine>> = {
  x64: { audit: 0xc000003e, column: 0, foreignFrom: 0x40000000 },
  arm64: { audit: 0xc00000b7, column: 1, foreignFrom: undefined },
};

/** Name, number on x86-64, number on aarch64; -1 where there is none. */
const forbidden: readonly (readonly [name: string, x64: number, arm64: number])[] = [
  ["acct", 163, 89],
  ["add_key", 248, 217],
  ["adjtimex", 159, 171],
  ["bpf", 321, 280],
  ["chroot", 161, 51],
  ["clock_adjtime", 305, 266],
  ["clock_settime", 227, 112],
  ["create_module", 174, -1],
  ["delete_module", 176, 106],
  ["fanotify_init", 300, 262],
  ["finit_module", 313, 273],
  ["fsconfig", 431, 431],
  ["fsmount", 432, 432],
  ["fsopen", 430, 430],
  ["fspick", 433, 433],
  ["get_kernel_syms", 177, -1],
  ["get_mempolicy", 239, 236],
  ["init_module", 175, 105],
  ["io_uring_enter", 426, 426],
  ["io_uring_register", 427, 427],
  ["io_uring_setup", 425, 425],
  ["ioperm", 173, -1],
  ["iopl", 172, -1],
  ["kcmp", 312, 272],
  ["kexec_file_load", 320, 294],
  ["kexec_load", 246, 104],
  ["keyctl", 250, 219],
  ["lookup_dcookie", 212, 18],
  ["mbind", 237, 235],
  ["memfd_create", 319, 279],
  ["memfd_secret", 447, 447],
  ["migrate_pages", 256, 238],
  ["modify_ldt", 154, -1],
  ["mount", 165, 40],
  ["mount_setattr", 442, 442],
  ["move_mount", 429, 429],
  ["move_pages", 279, 239],
  ["mq_open", 240, 180],
  ["msgget", 68, 186],
  ["name_to_handle_at", 303, 264],
  ["nfsservctl", 180, 42],
  ["open_by_handle_at", 304, 265],
  ["open_tree", 428, 428],
  ["perf_event_open", 298, 241],
  ["personality", 135, 92],
  ["pidfd_getfd", 438, 438],
  ["pivot_root", 155, 41],
  ["process_madvise", 440, 440],
  ["process_vm_readv", 310, 270],
  ["process_vm_writev", 311, 271],
  ["ptrace", 101, 117],
  ["query_module", 178, -1],
  ["quotactl", 179, 60],
  ["quotactl_fd", 443, 443],
  ["reboot", 169, 142],
  ["request_key", 249, 218],
  ["semget", 64, 190],
  ["set_mempolicy", 238, 237],
  ["set_mempolicy_home_node", 450, 450],
  ["setdomainname", 171, 162],
  ["sethostname", 170, 161],
  ["setns", 308, 268],
  ["settimeofday", 164, 170],
  ["shmat", 30, 196],
  ["shmget", 29, 194],
  ["swapoff", 168, 225],
  ["swapon", 167, 224],
  ["sysfs", 139, -1],
  ["syslog", 103, 116],
  ["umount2", 166, 39],
  ["unshare", 272, 97],
  ["uselib", 134, -1],
  ["userfaultfd", 323, 282],
  ["ustat", 136, -1],
  ["vhangup", 153, 58],
];

/** What tells a job that others read a file which both see; one machine has no number for the first. */
const watching: readonly (readonly [x64: number, arm64: number])[] = [
  [253, -1], // inotify_init
  [294, 26], // inotify_init1
  [254, 27], // inotify_add_watch
];

/** Calls of which it is an argument that decides. */
const clone = [56, 220] as const;
const fcntl = [72, 25] as const;
const clone3 = 435;
const ioctl = [16, 29] as const;
const mmap = [9, 222] as const;
const socketCalls = [
  [41, 198],
  [53, 199],
] as const;
/** mseal(2), of Linux 6.10; see linux/unistd.h. */
const newest = 462;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
const namespaceFlags = 0x7e020000;
/** TIOCSTI types into the terminal, TIOCLINUX pastes there. */
const terminalRequests = [0x5412, 0x541c] as const;
/** F_SETLEASE, for which whoever opens the file waits; F_NOTIFY, which tells of what happens in a directory. */
const noticeRequests = [1024, 1026] as const;
/** AF_UNIX, AF_INET, AF_INET6: others, such as AF_VSOCK, end outside the network namespace, or in little used code of the kernel. */
const socketFamilies = [1, 2, 10] as const;

/** MAP_SHARED, which is in MAP_SHARED_VALIDATE, too; MAP_ANONYMOUS */
const sharedFlag = 0x01;
const anonymousFlag = 0x20;

const EPERM = 1;
const ENOSYS = 38;

/** An instruction; jumps name labels, undefined falls through. */
type Line = { readonly label: string } | { readonly code: number; readonly k: number; readonly yes?: string; readonly no?: string };

const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_GREATER = 0x25;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** Offsets in struct seccomp_data; the lower half of an argument, since both machines are little-endian. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const FIRST_ARGUMENT_AT = 16;
const SECOND_ARGUMENT_AT = 24;
const FOURTH_ARGUMENT_AT = 40;

const KILL_PROCESS = 0x80000000;
const ERROR = 0x00050000;
const ALLOW = 0x7fff0000;

/** What only members' jobs are refused. */
function strictCalls(column: 0 | 1): Line[] {
  const numbers = watching.map((row) => row[column]).filter((number) => number >= 0);
  return [
    { code: IF_EQUAL, k: mmap[column], yes: "mmap" },
    { code: IF_EQUAL, k: fcntl[column], yes: "fcntl" },
    ...numbers.map((number) => ({ code: IF_EQUAL, k: number, yes: "forbidden" })),
  ];
}

function program({ audit, column, foreignFrom }: Machine, isStrict: boolean): Line[] {
  const numbers = forbidden.map((row) => row[column + 1]).filter((number) => typeof number === "number" && number >= 0);
  return [
    { code: LOAD, k: ARCHITECTURE_AT },
    { code: IF_EQUAL, k: audit, no: "kill" },
    { code: LOAD, k: NUMBER_AT },
    ...(foreignFrom === undefined ? [] : [{ code: IF_AT_LEAST, k: foreignFrom, yes: "kill" }]),
    { code: IF_GREATER, k: newest, yes: "absent" },
    // Its flags lie in memory, where a filter cannot look; C libraries then take clone.
    { code: IF_EQUAL, k: clone3, yes: "absent" },
    { code: IF_EQUAL, k: clone[column], yes: "clone" },
    { code: IF_EQUAL, k: ioctl[column], yes: "ioctl" },
    ...(isStrict ? strictCalls(column) : []),
    ...socketCalls.map((call) => ({ code: IF_EQUAL, k: call[column], yes: "socket" })),
    ...numbers.map((number) => ({ code: IF_EQUAL, k: Number(number), yes: "forbidden" })),
    { code: RETURN, k: ALLOW },
    { label: "clone" },
    { code: LOAD, k: FIRST_ARGUMENT_AT },
    { code: IF_ANY_BIT, k: namespaceFlags, yes: "forbidden", no: "allowed" },
    { label: "ioctl" },
    { code: LOAD, k: SECOND_ARGUMENT_AT },
    ...terminalRequests.map((request) => ({ code: IF_EQUAL, k: request, yes: "forbidden" })),
    { code: RETURN, k: ALLOW },
    { label: "fcntl" },
    { code: LOAD, k: SECOND_ARGUMENT_AT },
    ...noticeRequests.map((request) => ({ code: IF_EQUAL, k: request, yes: "forbidden" })),
    { code: RETURN, k: ALLOW },
    { label: "mmap" },
    { code: LOAD, k: FOURTH_ARGUMENT_AT },
    { code: IF_ANY_BIT, k: anonymousFlag, no: "allowed" },
    { code: IF_ANY_BIT, k: sharedFlag, yes: "forbidden", no: "allowed" },
    { label: "socket" },
    { code: LOAD, k: FIRST_ARGUMENT_AT },
    ...socketFamilies.map((family) => ({ code: IF_EQUAL, k: family, yes: "allowed" })),
    { label: "forbidden" },
    { code: RETURN, k: ERROR | EPERM },
    { label: "allowed" },
    { code: RETURN, k: ALLOW },
    { label: "absent" },
    { code: RETURN, k: ERROR | ENOSYS },
    { label: "kill" },
    { code: RETURN, k: KILL_PROCESS },
  ];
}

/** struct sock_filter: code (u16), jump if true, jump if false (u8 each), k (u32). Jumps count instructions and go forward only. */
function assemble(lines: readonly Line[]): Buffer {
  const labels = new Map<string, number>();
  const instructions: Exclude<Line, { label: string }>[] = [];
  for (const line of lines) {
    if ("label" in line) labels.set(line.label, instructions.length);
    else instructions.push(line);
  }
  const distance = (from: number, label: string | undefined): number => (label === undefined ? 0 : (labels.get(label) ?? -1) - from - 1);
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach(({ code, k, yes, no }, at) => {
    bytes.writeUInt16LE(code, at * 8);
    bytes.writeUInt8(distance(at, yes), at * 8 + 2); // Throws where a jump is too far, or to nowhere.
    bytes.writeUInt8(distance(at, no), at * 8 + 3);
    bytes.writeUInt32LE(k >>> 0, at * 8 + 4);
  });
  return bytes;
}
