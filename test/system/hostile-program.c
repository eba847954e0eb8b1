/*
 * A program that has taken over a job: tries one thing that it must not be able to do, and says what came of it.
 *
 * hostile-program ATTACK [ARGUMENT...]
 * "denied: ..." is the hoped-for end; "touched" means that a wall has a hole. hostile-corpus.ts has the attacks.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int denied(const char *what) {
    printf("denied: %s: %s\n", what, strerror(errno));
    return 1;
}

static int touched(const char *what) {
    printf("touched %s\n", what);
    return 0;
}

static int judge(long result, const char *what) { return result < 0 ? denied(what) : touched(what); }

static int attack_read(const char *path) {
    char bytes[4096];
    const int file = open(path, O_RDONLY | O_NONBLOCK);
    if (file < 0) return denied(path);
    const ssize_t got = read(file, bytes, sizeof bytes);
    if (got < 0) return denied(path);
    const int loot = open("/out/loot", O_WRONLY | O_CREAT, 0644);
    if (loot >= 0 && write(loot, bytes, (size_t)got) != got) return denied("loot");
    return touched(path);
}

static int attack_write(const char *path) {
    const int file = open(path, O_WRONLY | O_TRUNC);
    if (file < 0) return denied(path);
    return judge(write(file, "touched", 7), path);
}

static int attack_connect(int family, int kind, const void *address, socklen_t size) {
    const int one = socket(family, kind, 0);
    if (one < 0) return denied("socket");
    if (connect(one, address, size) != 0) return denied("connect");
    if (send(one, "touched", 7, MSG_NOSIGNAL) < 0) return denied("send");
    if (kind == SOCK_STREAM) return touched("connection");
    puts("sent, to nobody knows whom"); /* Who listens tells. */
    return 0;
}

static int attack_inet(const char *host, const char *port, int kind) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, host, &address.sin_addr);
    return attack_connect(AF_INET, kind, &address, sizeof address);
}

static int attack_unix(const char *name, int abstract) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path + abstract, name, sizeof address.sun_path - 2);
    return attack_connect(AF_UNIX, SOCK_STREAM, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)abstract + strlen(name)));
}

static int attack_fork(void) {
    for (int i = 0; i < 100000; i++) {
        const pid_t child = fork();
        if (child < 0) return denied("fork");
        if (child == 0) {
            pause();
            _exit(0);
        }
    }
    return touched("processes");
}

static void *sleeper(void *nothing) {
    pause();
    return nothing;
}

static int attack_threads(void) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 16384);
    for (int i = 0; i < 100000; i++) {
        pthread_t thread;
        errno = pthread_create(&thread, &small, sleeper, NULL);
        if (errno != 0) return denied("thread");
    }
    return touched("threads");
}

/* Leaves a process behind that goes on after the job: it would write, long after, to a file that the test looks at. */
static int attack_linger(const char *path) {
    for (int generation = 0; generation < 2; generation++) {
        const pid_t child = fork();
        if (child < 0) return denied("fork");
        if (child > 0) _exit(0);
        setsid();
    }
    for (int signal = 1; signal < 32; signal++) sigaction(signal, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    for (;;) {
        usleep(1000);
        attack_write(path);
    }
}

static int attack_memory(void) {
    const size_t step = 64 << 20;
    for (size_t all = 0; all < (size_t)64 << 30; all += step) {
        char *more = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (more == MAP_FAILED) return denied("memory");
    }
    return touched("memory");
}

static int attack_fill(const char *path) {
    static char bytes[1 << 20];
    const int file = open(path, O_WRONLY | O_CREAT, 0644);
    if (file < 0) return denied(path);
    for (int i = 0; i < 100000; i++)
        if (write(file, bytes, sizeof bytes) < 0) return denied(path);
    return touched(path);
}

/* Many files, each below the limit. */
static int attack_fill_many(const char *directory) {
    static char bytes[1 << 20];
    char name[256];
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%s/%d", directory, i);
        const int file = open(name, O_WRONLY | O_CREAT, 0644);
        if (file < 0) return denied(name);
        for (int j = 0; j < 8; j++)
            if (write(file, bytes, sizeof bytes) < 0) return denied(name);
        close(file);
    }
    return touched(directory);
}

static int attack_names(const char *directory) {
    char name[256];
    for (int i = 0; i < 1000000; i++) {
        snprintf(name, sizeof name, "%s/%d", directory, i);
        const int file = open(name, O_WRONLY | O_CREAT, 0644);
        if (file < 0) return denied(name);
        close(file);
    }
    return touched("a million names");
}

static int attack_print(void) {
    static char bytes[65536];
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 100000; i++)
        if (write(1, bytes, sizeof bytes) < 0) return 1;
    return 0;
}

static int attack_descriptors(void) {
    for (int file = 3; file < 4096; file++)
        if (fcntl(file, F_GETFD) >= 0) return touched("a descriptor");
    errno = EBADF;
    return denied("descriptors");
}

static int attack_environment(char **envp) {
    for (; *envp != NULL; envp++) puts(*envp);
    return 0;
}

static int attack_clone(unsigned long flags) {
    const long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return judge(child, "clone");
}

/* The other ways of calling this kernel, which a filter for one does not cover. */
static int attack_foreign_call(const char *way) {
#ifdef __x86_64__
    long result = 0;
    if (strcmp(way, "i386") == 0) __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
    else result = syscall(0x40000000 + 39);
    errno = (int)-result;
    return judge(result, way);
#else
    errno = ENOSYS;
    return denied(way);
#endif
}

static int attack_output(const char *kind, const char *target) {
    const char *out = "/out/loot";
    if (strcmp(kind, "symlink") == 0) return symlink(target, out) < 0 ? denied(kind) : 0;
    if (strcmp(kind, "hardlink") == 0) {
        if (attack_write("/out/own") && open("/out/own", O_CREAT | O_WRONLY, 0644) < 0) return denied(kind);
        return link("/out/own", out) < 0 ? denied(kind) : 0;
    }
    if (strcmp(kind, "fifo") == 0) return mkfifo(out, 0644) < 0 ? denied(kind) : 0;
    if (strcmp(kind, "directory") == 0) return mkdir(out, 0000) < 0 ? denied(kind) : 0;
    if (strcmp(kind, "device") == 0) return judge(mknod(out, S_IFCHR | 0666, 0x0103), kind);
    if (strcmp(kind, "socket") == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/out/loot"};
        return bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address) < 0 ? denied(kind) : 0;
    }
    const int file = open(out, O_CREAT | O_RDWR, 0644);
    if (file < 0) return denied(kind);
    if (strcmp(kind, "setuid") == 0) return fchmod(file, 06755) < 0 ? denied(kind) : 0;
    if (strcmp(kind, "closed") == 0) return fchmod(file, 0) < 0 ? denied(kind) : 0;
    if (strcmp(kind, "sparse") == 0) return judge(ftruncate(file, (off_t)1 << 40), kind);
    return denied("no such attack");
}

/* Outlives a signal to the first process, and shows it. */
static int attack_init(void) {
    kill(1, SIGKILL);
    kill(1, SIGSTOP);
    kill(-1, SIGKILL);
    usleep(20000);
    errno = EPERM;
    return denied("kill");
}

static int attack_call(const char *name) {
    static const struct {
        const char *name;
        long number;
    } calls[] = {{"io_uring_setup", 425}, {"bpf", SYS_bpf}, {"perf_event_open", SYS_perf_event_open}, {"keyctl", SYS_keyctl},
                 {"add_key", SYS_add_key}, {"userfaultfd", SYS_userfaultfd}, {"memfd_create", SYS_memfd_create}, {"clone3", SYS_clone3},
                 {"name_to_handle_at", SYS_name_to_handle_at}, {"fsopen", SYS_fsopen}, {"pidfd_getfd", SYS_pidfd_getfd}, {"setns", SYS_setns}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(name, calls[i].name) == 0) {
            static uint64_t nothing[64];
            errno = 0;
            const long result = syscall(calls[i].number, nothing, nothing, nothing, nothing, nothing);
            /* What the call itself would object to has gone through the filter. */
            if (result < 0 && errno != EPERM && errno != ENOSYS) return touched(name);
            return judge(result, name);
        }
    return denied("no such call");
}

/* Would be told whenever another job opens the same file, which jobs share where its content is the same. */
static int attack_watch(const char *path) {
    const int watch = inotify_init1(IN_NONBLOCK);
    if (watch < 0) return denied("inotify");
    return judge(inotify_add_watch(watch, path, IN_OPEN | IN_ACCESS), path);
}

/* The same by a signal, for a directory; or by a lease, which whoever opens the file waits for. */
static int attack_notice(const char *path, int request, int what) {
    const int file = open(path, O_RDONLY);
    if (file < 0) return denied(path);
    return judge(fcntl(file, request, what), path);
}

/* How much of a processor another process has had. */
static int attack_clock(const char *process) {
    clockid_t clock;
    struct timespec used;
    errno = clock_getcpuclockid(atoi(process), &clock);
    if (errno != 0) return denied(process);
    return judge(clock_gettime(clock, &used), process);
}

/* Runs into a limit, takes no notice, and ends well. */
static int swallow(const char *limit) {
    if (strcmp(limit, "processes") == 0) {
        for (int i = 0; i < 100000; i++) {
            const pid_t child = fork();
            if (child < 0) break;
            if (child == 0) {
                pause();
                _exit(0);
            }
        }
        usleep(3000000);
    }
    if (strcmp(limit, "cpu") == 0) {
        const pid_t child = fork();
        if (child == 0)
            for (;;) (void)clock();
        waitpid(child, NULL, 0);
    }
    if (strcmp(limit, "memory") == 0) {
        const pid_t child = fork();
        if (child == 0) {
            const size_t size = (size_t)768 << 20;
            char *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (all != MAP_FAILED) memset(all, 1, size);
            usleep(2000000);
            _exit(1);
        }
        waitpid(child, NULL, 0);
    }
    puts("as if nothing had happened");
    return 0;
}

int main(int argc, char **argv, char **envp) {
    setvbuf(stdout, NULL, _IONBF, 0);
    const char *attack = argc > 1 ? argv[1] : "";
    const char *first = argc > 2 ? argv[2] : "";
    const char *second = argc > 3 ? argv[3] : "";
    if (strcmp(attack, "read") == 0) return attack_read(first);
    if (strcmp(attack, "write") == 0) return attack_write(first);
    if (strcmp(attack, "unlink") == 0) return judge(unlink(first), first);
    if (strcmp(attack, "chmod") == 0) return judge(chmod(first, 0777), first);
    if (strcmp(attack, "rename") == 0) return judge(rename(first, second), first);
    if (strcmp(attack, "tcp") == 0) return attack_inet(first, second, SOCK_STREAM);
    if (strcmp(attack, "udp") == 0) return attack_inet(first, second, SOCK_DGRAM);
    if (strcmp(attack, "abstract") == 0) return attack_unix(first, 1);
    if (strcmp(attack, "unix") == 0) return attack_unix(first, 0);
    if (strcmp(attack, "family") == 0) return judge(socket(atoi(first), SOCK_RAW, 0), "socket");
    if (strcmp(attack, "fork") == 0) return attack_fork();
    if (strcmp(attack, "threads") == 0) return attack_threads();
    if (strcmp(attack, "linger") == 0) return attack_linger(first);
    if (strcmp(attack, "memory") == 0) return attack_memory();
    if (strcmp(attack, "shared-memory") == 0) return judge(shmget(IPC_PRIVATE, 1 << 30, IPC_CREAT | 0600), "shmget");
    if (strcmp(attack, "fill") == 0) return attack_fill(first);
    if (strcmp(attack, "fill-many") == 0) return attack_fill_many(first);
    if (strcmp(attack, "names") == 0) return attack_names(first);
    if (strcmp(attack, "print") == 0) return attack_print();
    if (strcmp(attack, "descriptors") == 0) return attack_descriptors();
    if (strcmp(attack, "environment") == 0) return attack_environment(envp);
    if (strcmp(attack, "clone") == 0) return attack_clone(strtoul(first, NULL, 16));
    if (strcmp(attack, "unshare") == 0) return judge(unshare((int)strtoul(first, NULL, 16)), "unshare");
    if (strcmp(attack, "mount") == 0) return judge(mount("none", "/scratch", "tmpfs", 0, NULL), "mount");
    if (strcmp(attack, "remount") == 0) return judge(mount("none", "/", NULL, MS_REMOUNT | MS_BIND, NULL), "remount");
    if (strcmp(attack, "umount") == 0) return judge(umount2("/scratch", MNT_DETACH), "umount");
    if (strcmp(attack, "chroot") == 0) return judge(chroot("/scratch"), "chroot");
    if (strcmp(attack, "setuid") == 0) return judge(setresuid(0, 0, 0), "setresuid");
    if (strcmp(attack, "ptrace") == 0) return judge(ptrace(PTRACE_ATTACH, 1, NULL, NULL), "ptrace");
    if (strcmp(attack, "terminal") == 0) return judge(ioctl(2, TIOCSTI, "x"), "TIOCSTI");
    if (strcmp(attack, "foreign") == 0) return attack_foreign_call(first);
    if (strcmp(attack, "call") == 0) return attack_call(first);
    if (strcmp(attack, "kill") == 0) return judge(kill(atoi(first), SIGKILL), first);
    if (strcmp(attack, "init") == 0) return attack_init();
    if (strcmp(attack, "output") == 0) return attack_output(first, second);
    if (strcmp(attack, "watch") == 0) return attack_watch(first);
    if (strcmp(attack, "notice") == 0) return attack_notice(first, F_NOTIFY, DN_ACCESS | DN_CREATE);
    if (strcmp(attack, "lease") == 0) return attack_notice(first, F_SETLEASE, F_RDLCK);
    if (strcmp(attack, "clock") == 0) return attack_clock(first);
    if (strcmp(attack, "priority") == 0) return judge(setpriority(PRIO_PROCESS, 0, -20), "priority");
    if (strcmp(attack, "swallow") == 0) return swallow(first);
    if (strcmp(attack, "spin") == 0) for (;;) (void)clock();
    if (strcmp(attack, "sleep") == 0) for (;;) pause();
    if (strcmp(attack, "forge") == 0) return write(1, "\1\40\0\0\0", 5) == 5 ? 0 : 1;
    return denied("no such attack");
}
