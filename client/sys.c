/*
 * System calls: see sys.h. One primitive, call(), has three bodies; all else is the kernel's own interface, the same in each.
 */
#include "sys.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <linux/stat.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define KERNEL_SIGNAL_SET_BYTES 8

char **environment;

#ifdef CAIRN_FREESTANDING

static unsigned long hardware;
static const char *own_path;

#define AUXILIARY_END 0
#define AUXILIARY_HARDWARE 16  /* AT_HWCAP */
#define AUXILIARY_EXECUTED 31 /* AT_EXECFN */

#if defined(__x86_64__)

__asm__(".text\n.global _start\n.type _start, @function\n_start:\n"
        "  xor %ebp, %ebp\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call start\n  hlt\n");

static long call(long number, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

__asm__(".text\n.global _start\n.type _start, %function\n_start:\n"
        "  mov x29, #0\n  mov x30, #0\n  mov x0, sp\n  bl start\n  brk #0\n");

static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

#else
#error "No freestanding build for this processor: build without CAIRN_FREESTANDING"
#endif

/* Called by _start with the stack as the kernel laid it out: argc, argv, NULL, environment, NULL, auxiliary vector. */
__attribute__((used)) _Noreturn void start(long *stack) {
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    environment = argv + argc + 1;
    char **end = environment;
    while (*end != NULL) end++;
    for (const unsigned long *entry = (const unsigned long *)(end + 1); entry[0] != AUXILIARY_END; entry += 2) {
        if (entry[0] == AUXILIARY_HARDWARE) hardware = entry[1];
        if (entry[0] == AUXILIARY_EXECUTED) own_path = (const char *)entry[1];
    }
    sys_exit(program(argc, argv));
}

unsigned long sys_hardware(void) { return hardware; }

const char *sys_own_path(void) { return own_path == NULL ? "" : own_path; }

_Noreturn void sys_exit(int code) {
    for (;;) call(SYS_exit_group, code, 0, 0, 0, 0, 0);
}

int sys_fork(void) { return (int)call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0); }

void *sys_allocate(size_t size) {
    const long read_write = 3, private_anonymous = 0x22;
    long address = call(SYS_mmap, 0, (long)size, read_write, private_anonymous, -1, 0);
    return address < 0 && address > -4096 ? NULL : (void *)address;
}

/* The compiler may call these four by itself. */

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
    unsigned char *target = to;
    const unsigned char *source = from;
#if defined(__x86_64__)
    __asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(size) : : "memory");
#else
    for (; size >= 8; size -= 8, target += 8, source += 8) {
        uint64_t word;
        __builtin_memcpy(&word, source, 8);
        __builtin_memcpy(target, &word, 8);
    }
    for (; size > 0; size--) {
        *target++ = *source++;
        __asm__ volatile("" : : : "memory"); /* Or the loop becomes a call of memcpy. */
    }
#endif
    return to;
}

void *memmove(void *to, const void *from, size_t size) {
    if ((uintptr_t)to - (uintptr_t)from >= size) return memcpy(to, from, size);
    unsigned char *target = to;
    const unsigned char *source = from;
    while (size-- > 0) {
        target[size] = source[size];
        __asm__ volatile("" : : : "memory");
    }
    return to;
}

void *memset(void *to, int value, size_t size) {
    unsigned char *target = to;
    for (; size > 0; size--) {
        *target++ = (unsigned char)value;
        __asm__ volatile("" : : : "memory");
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t size) {
    const unsigned char *a = left, *b = right;
    for (; size > 0; size--, a++, b++)
        if (*a != *b) return *a < *b ? -1 : 1;
    return 0;
}

#else /* With a C library. */

#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp) {
    environment = envp;
    return program(argc, argv);
}

static long call(long number, long a, long b, long c, long d, long e, long f) {
    long result = syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
}

unsigned long sys_hardware(void) { return getauxval(AT_HWCAP); }

const char *sys_own_path(void) {
    const char *path = (const char *)getauxval(AT_EXECFN);
    return path == NULL ? "" : path;
}

_Noreturn void sys_exit(int code) { _exit(code); }

int sys_fork(void) {
    int process = fork();
    return process < 0 ? -errno : process;
}

void *sys_allocate(size_t size) { return calloc(1, size); }

#endif

void sys_release(void *memory, size_t size) {
#ifdef CAIRN_FREESTANDING
    call(SYS_munmap, (long)memory, (long)size, 0, 0, 0, 0);
#else
    (void)size;
    free(memory);
#endif
}

int sys_open(int directory, const char *path, int flags, unsigned mode) {
    return (int)call(SYS_openat, directory, (long)path, flags | O_CLOEXEC, mode, 0, 0);
}

int sys_close(int file) { return (int)call(SYS_close, file, 0, 0, 0, 0, 0); }

long sys_read(int file, void *bytes, size_t size) {
    long got;
    do got = call(SYS_read, file, (long)bytes, (long)size, 0, 0, 0);
    while (got == -EINTR);
    return got;
}

long sys_read_fully(int file, void *bytes, size_t size) {
    size_t have = 0;
    while (have < size) {
        const long got = sys_read(file, (uint8_t *)bytes + have, size - have);
        if (got < 0) return got;
        if (got == 0) break;
        have += (size_t)got;
    }
    return (long)have;
}

long sys_write(int file, const void *bytes, size_t size) {
    long put;
    do put = call(SYS_write, file, (long)bytes, (long)size, 0, 0, 0);
    while (put == -EINTR);
    return put;
}

long sys_read_at(int file, void *bytes, size_t size, uint64_t offset) {
    return call(SYS_pread64, file, (long)bytes, (long)size, (long)offset, 0, 0);
}

long sys_write_at(int file, const void *bytes, size_t size, uint64_t offset) {
    return call(SYS_pwrite64, file, (long)bytes, (long)size, (long)offset, 0, 0);
}

long sys_list(int directory, void *entries, size_t size) { return call(SYS_getdents64, directory, (long)entries, (long)size, 0, 0, 0); }

int sys_rewind(int file) { return (int)call(SYS_lseek, file, 0, 0, 0, 0, 0); }

int sys_cut(int file, uint64_t size) { return (int)call(SYS_ftruncate, file, (long)size, 0, 0, 0, 0); }

int sys_status(int directory, const char *path, int flags, struct file_status *status) {
    struct statx found;
    int result = (int)call(SYS_statx, directory, (long)path, flags, STATX_BASIC_STATS, (long)&found, 0);
    if (result < 0) return result;
    status->device = (uint64_t)found.stx_dev_major << 32 | found.stx_dev_minor;
    status->inode = found.stx_ino;
    status->size = found.stx_size;
    status->mtime_ns = (uint64_t)found.stx_mtime.tv_sec * 1000000000 + found.stx_mtime.tv_nsec;
    status->ctime_ns = (uint64_t)found.stx_ctime.tv_sec * 1000000000 + found.stx_ctime.tv_nsec;
    status->blocks = found.stx_blocks;
    status->mode = found.stx_mode;
    status->links = found.stx_nlink;
    status->owner = found.stx_uid;
    return 0;
}

int sys_unlink(int directory, const char *path) { return (int)call(SYS_unlinkat, directory, (long)path, 0, 0, 0, 0); }

int sys_make_directory(const char *path, unsigned mode) {
    return (int)call(SYS_mkdirat, AT_FDCWD, (long)path, mode, 0, 0, 0);
}

long sys_read_link(const char *path, char *target, size_t size) {
    return call(SYS_readlinkat, AT_FDCWD, (long)path, (long)target, (long)size, 0, 0);
}

int sys_touch(int file) { return (int)call(SYS_utimensat, file, 0, 0, 0, 0, 0); }

int sys_try_lock(int file) {
    const long exclusive_without_waiting = 2 | 4;
    return (int)call(SYS_flock, file, exclusive_without_waiting, 0, 0, 0, 0);
}

int sys_may_execute(const char *path) {
    const long execute = 1;
    return (int)call(SYS_faccessat, AT_FDCWD, (long)path, execute, 0, 0, 0);
}

int sys_change_directory(const char *path) { return (int)call(SYS_chdir, (long)path, 0, 0, 0, 0, 0); }

long sys_working_directory(char *path, size_t size) {
    long length = call(SYS_getcwd, (long)path, (long)size, 0, 0, 0, 0);
    return length > 0 ? length - 1 : length;
}

int sys_pipe(int ends[2]) { return (int)call(SYS_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0, 0); }

int sys_duplicate(int from, int to) { return (int)call(SYS_dup3, from, to, 0, 0, 0, 0); }

void sys_close_all_from(int first) {
#ifdef SYS_close_range
    if (call(SYS_close_range, first, -1, 0, 0, 0, 0) == 0) return;
#endif
    for (int file = first; file < 1024; file++) sys_close(file); /* A kernel before 5.9. */
}

int sys_terminal(int file, struct terminal *terminal) {
    struct {
        uint16_t rows, columns, width, height;
    } size = {0, 0, 0, 0};
    int result = (int)call(SYS_ioctl, file, TIOCGWINSZ, (long)&size, 0, 0, 0);
    terminal->is_terminal = result == 0;
    terminal->columns = result == 0 ? size.columns : 0;
    return result == -EBADF ? result : 0;
}

int sys_open_terminal(int like, int *ours, int *theirs) {
    uint16_t size[4];
    struct termios settings;
    int unlocked = 0;
    int master = sys_open(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY, 0);
    if (master < 0) return master;
    long slave = call(SYS_ioctl, master, TIOCSPTLCK, (long)&unlocked, 0, 0, 0);
    if (slave == 0) slave = call(SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC, 0, 0, 0);
    if (slave < 0) {
        sys_close(master);
        return (int)slave;
    }
    if (call(SYS_ioctl, like, TIOCGWINSZ, (long)size, 0, 0, 0) == 0)
        call(SYS_ioctl, slave, TIOCSWINSZ, (long)size, 0, 0, 0);
    if (call(SYS_ioctl, slave, TCGETS, (long)&settings, 0, 0, 0) == 0) {
        settings.c_oflag &= ~(tcflag_t)OPOST; /* The real terminal adds its carriage returns itself. */
        settings.c_lflag &= ~(tcflag_t)ECHO;
        call(SYS_ioctl, slave, TCSETS, (long)&settings, 0, 0, 0);
    }
    *ours = master;
    *theirs = (int)slave;
    return 0;
}

uint32_t sys_user(void) { return (uint32_t)call(SYS_geteuid, 0, 0, 0, 0, 0, 0); }

int sys_execute(const char *path, char *const *argv, char *const *envp) {
    return (int)call(SYS_execve, (long)path, (long)argv, (long)envp, 0, 0, 0);
}

static int wait_for(int process, long options, struct usage *usage) {
    struct {
        long user_s, user_us, system_s, system_us, resident_kib, others[13];
    } kernel = {0};
    int status = 0;
    long result;
    do result = call(SYS_wait4, process, (long)&status, options, (long)&kernel, 0, 0);
    while (result == -EINTR);
    usage->status = status;
    usage->cpu_us = (uint64_t)(kernel.user_s + kernel.system_s) * 1000000 + (uint64_t)(kernel.user_us + kernel.system_us);
    usage->resident_kib = (uint64_t)kernel.resident_kib;
    return (int)result;
}

int sys_wait(int process, struct usage *usage) { return wait_for(process, 0, usage); }

int sys_wait_now(int process, struct usage *usage) {
    const long without_waiting = 1;
    return wait_for(process, without_waiting, usage);
}

int sys_kill(int process, int signal) { return (int)call(SYS_kill, process, signal, 0, 0, 0, 0); }

_Noreturn void sys_die_of(int signal) {
    const long set_dumpable = 4;
    uint64_t before[8];
    call(SYS_prctl, set_dumpable, 0, 0, 0, 0, 0);
    sys_default_signal(signal, before);
    sys_set_signal_mask(0);
    sys_kill(sys_process(), signal);
    sys_exit(128 + signal); /* It was not a signal that kills. */
}

bool sys_end_with_parent(int parent) {
    const long set_signal = 1, kill = 9;
    call(SYS_prctl, set_signal, kill, 0, 0, 0, 0);
    return call(SYS_getppid, 0, 0, 0, 0, 0, 0) == parent;
}

int sys_process(void) { return (int)call(SYS_getpid, 0, 0, 0, 0, 0, 0); }

int sys_adopt_orphans(bool adopt) {
    const long set_child_subreaper = 36;
    return (int)call(SYS_prctl, set_child_subreaper, adopt, 0, 0, 0, 0);
}

bool sys_adopts_orphans(void) {
    const long get_child_subreaper = 37;
    int adopts = 0;
    call(SYS_prctl, get_child_subreaper, (long)&adopts, 0, 0, 0, 0);
    return adopts != 0;
}

int sys_new_session(void) { return (int)call(SYS_setsid, 0, 0, 0, 0, 0, 0); }

signal_set sys_block_signals(signal_set added) {
    signal_set before = 0;
    call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&added, (long)&before, KERNEL_SIGNAL_SET_BYTES, 0, 0);
    return before;
}

void sys_set_signal_mask(signal_set mask) {
    call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, KERNEL_SIGNAL_SET_BYTES, 0, 0);
}

void sys_default_signal(int signal, uint64_t before[8]) {
    const uint64_t by_default[8] = {0}; /* SIG_DFL is 0 in every layout of the kernel's structure. */
    call(SYS_rt_sigaction, signal, (long)by_default, (long)before, KERNEL_SIGNAL_SET_BYTES, 0, 0);
}

void sys_restore_signal(int signal, const uint64_t before[8]) {
    call(SYS_rt_sigaction, signal, (long)before, 0, KERNEL_SIGNAL_SET_BYTES, 0, 0);
}

int sys_signal_file(signal_set set) {
    return (int)call(SYS_signalfd4, -1, (long)&set, KERNEL_SIGNAL_SET_BYTES, O_CLOEXEC | O_NONBLOCK, 0, 0);
}

int sys_next_signal(int file, bool *sent_by_process) {
    struct {
        uint32_t number;
        int32_t error, code;
        uint8_t others[116];
    } information; /* struct signalfd_siginfo */
    long got = sys_read(file, &information, sizeof information);
    if (got < 0) return (int)got;
    *sent_by_process = information.code <= 0; /* SI_USER and the like; positive when the kernel itself sent it. */
    return got == sizeof information ? (int)information.number : -EAGAIN;
}

static uint64_t clock_ns(int clock) {
    struct {
        long seconds, nanoseconds;
    } now = {0, 0};
    call(SYS_clock_gettime, clock, (long)&now, 0, 0, 0, 0);
    return (uint64_t)now.seconds * 1000000000 + (uint64_t)now.nanoseconds;
}

uint64_t sys_wall_ns(void) { return clock_ns(0); }

uint64_t sys_monotonic_ns(void) { return clock_ns(1); }

int sys_unix_socket(unsigned send_timeout_ms) {
    int socket = (int)call(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, 0, 0, 0);
    if (socket < 0) return socket;
    const long timeout[2] = {send_timeout_ms / 1000, (long)(send_timeout_ms % 1000) * 1000}; /* Bounds connect. */
    call(SYS_setsockopt, socket, SOL_SOCKET, SO_SNDTIMEO, (long)timeout, sizeof timeout, 0);
    return socket;
}

int sys_connect(int socket, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = 0;
    while (path[length] != 0) length++;
    if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
    for (size_t i = 0; i < length; i++) address.sun_path[i] = path[i];
    return (int)call(SYS_connect, socket, (long)&address, sizeof address, 0, 0, 0);
}

long sys_send(int socket, const void *bytes, size_t size) {
    return call(SYS_sendto, socket, (long)bytes, (long)size, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

long sys_receive(int socket, void *bytes, size_t size) {
    return call(SYS_recvfrom, socket, (long)bytes, (long)size, MSG_DONTWAIT, 0, 0);
}

int sys_poll(struct pollfd *files, unsigned count, int64_t timeout_ns) {
    const long timeout[2] = {(long)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000)};
    return (int)call(SYS_ppoll, (long)files, count, timeout_ns < 0 ? 0 : (long)timeout, 0, KERNEL_SIGNAL_SET_BYTES, 0);
}
