/*
 * The first process in a sandbox: sets the limits, starts the program, waits, ends everything that is left, tells what came of it.
 *
 * bubblewrap has made the walls; this is process 1 of a namespace of processes. The program, and all that it starts, can therefore
 * neither end this process nor outlive it. Outputs are read here, after everything else is dead, where a link can lead nowhere.
 *
 * Knows: limits, Landlock, what the report holds (src/exec/sandbox-report.ts reads it). Does not know: compilers, daemons.
 *
 * With "work" as the first word the program works in a directory that looks like INPUTS and in which it may write; outputs are paths below it.
 * With "shown" instead, what it prints is also told while it runs.
 *
 * init walls
 * init [work|shown] CPU_S MEMORY PROCESSES FILE_BYTES PRINTED OUTPUTS_BYTES FILES CWD OUTPUT_COUNT OUTPUT... PROGRAM ARGUMENT...
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report.h"
#include "work.h"

#define OUT "/out"
#define LOOK_EVERY_MS 10
#define SHOW_EVERY_MS 50

enum { OUTPUT_FILE, OUTPUT_MISSING, OUTPUT_STRANGE, OUTPUT_TOO_LARGE };
enum { WITHIN_LIMITS, TOO_MANY_FILES, GIVEN_UP };

struct limits {
    uint64_t cpu_s, memory, processes, file_bytes, printed, output_bytes, files;
};

/* Landlock: a second wall behind the mounts. */

#define READ_RIGHTS (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define TRUNCATE_RIGHT (1ULL << 14)      /* From ABI 3 on. */
#define REFER_RIGHT (1ULL << 13)         /* From ABI 2 on. */
#define DEVICE_RIGHT (1ULL << 15)        /* ioctl of devices, from ABI 5 on. */
#define TCP_RIGHTS 3ULL                  /* bind, connect; from ABI 4 on. */
#define SCOPES 3ULL                      /* Abstract sockets and signals outside; from ABI 6 on. */
#define WRITE_RIGHTS                                                                                                           \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)
#define OTHER_MAKES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK)

struct ruleset {
    uint64_t files, network, scoped; /* As struct landlock_ruleset_attr in newer headers. */
};

static bool allow(int ruleset, const char *path, uint64_t rights) {
    const int place = open(path, O_PATH | O_CLOEXEC);
    if (place < 0) return false;
    const struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = place};
    const bool allowed = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(place);
    return allowed;
}

/* Returns the ABI that holds, 0 where the kernel has none. A kernel that has it and does not do it is a failure. */
static int landlock(void) {
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi <= 0) return 0;
    const uint64_t late = (abi >= 2 ? REFER_RIGHT : 0) | (abi >= 3 ? TRUNCATE_RIGHT : 0);
    const uint64_t writes = WRITE_RIGHTS | late;
    const struct ruleset wanted = {
        .files = READ_RIGHTS | OTHER_MAKES | writes | (abi >= 5 ? DEVICE_RIGHT : 0),
        .network = abi >= 4 ? TCP_RIGHTS : 0,
        .scoped = abi >= 6 ? SCOPES : 0,
    };
    const size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8; /* Older kernels know less of the structure. */
    const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, size, 0);
    if (ruleset < 0) fail("landlock");
    const uint64_t device = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | (late & TRUNCATE_RIGHT);
    if (!allow(ruleset, "/", READ_RIGHTS) || !allow(ruleset, OUT, READ_RIGHTS | writes) ||
        !allow(ruleset, SCRATCH, READ_RIGHTS | writes) || !allow(ruleset, "/dev/null", device) ||
        syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        fail("landlock");
    close(ruleset);
    return (int)abi;
}

/* The program. */

static void limit(int resource, uint64_t most, uint64_t hard) {
    const struct rlimit value = {.rlim_cur = most, .rlim_max = hard};
    if (setrlimit((unsigned)resource, &value) != 0) fail("setrlimit");
}

/* This machine's user comes first, with whatever priority the daemon was started; others' jobs still get on beside a busy build. */
enum { NICER = 5 };

static _Noreturn void run(const struct limits *limits, const char *cwd, char **argv, int out, int err) {
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    limit(RLIMIT_CPU, limits->cpu_s, limits->cpu_s + 1); /* One second between SIGXCPU and SIGKILL. */
    limit(RLIMIT_AS, limits->memory, limits->memory);
    limit(RLIMIT_FSIZE, limits->file_bytes, limits->file_bytes);
    limit(RLIMIT_NPROC, limits->processes, limits->processes);
    limit(RLIMIT_NOFILE, 1024, 1024);
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_MEMLOCK, 0, 0);
    (void)!nice(NICER);
    landlock();
    if (chdir(cwd) != 0) fail(cwd);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) fail("dup2");
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) fail("close_range");
    execv(argv[0], argv);
    /* That it cannot be executed is the action's own affair, and told as shells do. */
    const char *why = strerror(errno);
    (void)!write(2, why, strlen(why));
    _exit(127);
}

/* A file without a name, for what is printed: it counts as scratch space. */
static int unnamed(void) {
    const int file = open(SCRATCH, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (file < 0) fail(SCRATCH);
    return file;
}

/*
 * How much of the room for what it writes was taken at most, as far as anybody looked. A program may take no notice of there being no more, and exit
 * with 0: then nobody else would ever know. Half of the room is not written in a moment, so who has had all of it was seen with more than half.
 */
enum { ROOM_LEFT, ROOM_HALF_TAKEN, ROOM_FULL };

/* What was seen of one of the places, as far as it is more than what had been seen. Returns whether there are too many files. */
static bool look_at(const char *path, uint64_t files, int *room) {
    struct statfs facts;
    if (statfs(path, &facts) != 0) return false;
    const int now = facts.f_bavail == 0 ? ROOM_FULL : facts.f_bavail < facts.f_blocks / 2 ? ROOM_HALF_TAKEN : ROOM_LEFT;
    if (now > *room) *room = now;
    return (uint64_t)(facts.f_files - facts.f_ffree) > files;
}

static bool made_too_many(const struct limits *limits, int *room) {
    const bool out = look_at(OUT, limits->files, room);
    return look_at(SCRATCH, limits->files, room) || out;
}

/* What is printed, as files; how much of each has been told, and where they end for who watches: 0 where nobody does. */
struct printed {
    int out, err;
    uint64_t out_told, err_told, most;
};

static void show(struct printed *printed) {
    printed->out_told = tell_grown(TAG_SHOWN_STDOUT, printed->out, printed->out_told, printed->most);
    printed->err_told = tell_grown(TAG_SHOWN_STDERR, printed->err, printed->err_told, printed->most);
}

static void wake(int signal) { (void)signal; }

/*
 * Waits a moment, or until a child has ended. Standard input is open for as long as somebody wants this to go on: bubblewrap alone would leave
 * behind what it was just making when it was killed, and then nobody would end this.
 *
 * Returns whether somebody still does.
 */
static bool rest(const sigset_t *waiting) {
    struct pollfd asker = {.fd = 0, .events = POLLRDHUP};
    const struct timespec moment = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    return ppoll(&asker, 1, &moment, waiting) <= 0;
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * Waits for the program; whatever else ends meanwhile is buried. Looks now and then how many files there are, how much room, and what was printed: the
 * last no more often where many processes end, each of which wakes this one.
 */
static int await(pid_t program, const struct limits *limits, struct printed *printed, const sigset_t *waiting, int *status, int *room) {
    uint64_t shown_us = 0;
    for (;;) {
        int ended;
        for (pid_t process; (process = waitpid(-1, &ended, WNOHANG)) > 0;)
            if (process == program) {
                *status = ended;
                return made_too_many(limits, room) ? TOO_MANY_FILES : WITHIN_LIMITS; /* It may have been quicker than the looks. */
            }
        if (made_too_many(limits, room)) return TOO_MANY_FILES;
        const uint64_t at_us = now_us();
        if (at_us - shown_us >= SHOW_EVERY_MS * 1000) {
            show(printed);
            shown_us = at_us;
        }
        if (!rest(waiting)) return GIVEN_UP;
    }
}

/* In a namespace of processes -1 means all but this one. */
static void end_all(void) {
    do kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
}

/* What it left. */

static void tell_status(int status, int verdict, int room, uint64_t wall_us) {
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    const uint64_t cpu_us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + (uint64_t)used.ru_utime.tv_usec +
                            (uint64_t)used.ru_stime.tv_usec;
    uint8_t record[36];
    put(record, (uint64_t)(uint32_t)status, 4);
    put(record + 4, (uint64_t)verdict, 4);
    put(record + 8, wall_us, 8);
    put(record + 16, cpu_us, 8);
    put(record + 24, (uint64_t)used.ru_maxrss * 1024, 8);
    put(record + 32, (uint64_t)room, 4);
    tell_head(TAG_STATUS, sizeof record);
    tell(record, sizeof record);
}

static void tell_printed(int tag, int file, uint64_t most) {
    struct stat status;
    if (fstat(file, &status) != 0) fail("fstat");
    const uint64_t size = (uint64_t)status.st_size;
    tell_head(tag, size < most ? size : most + 1); /* One more tells that it was too much. */
    tell_content(file, size < most ? size : most + 1);
}

/* Opens a declared name in OUT; no link is followed, and nothing is opened that could wait. Negative: how it is not a plain file. */
static int open_output(int directory, const char *name, struct stat *status, int *state) {
    const struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    const int file = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
    if (file < 0) {
        if (errno == ENOSYS) fail("openat2");
        *state = errno == ENOENT ? OUTPUT_MISSING : OUTPUT_STRANGE;
        return -1;
    }
    if (fstat(file, status) == 0 && S_ISREG(status->st_mode) && status->st_nlink == 1) return file;
    *state = OUTPUT_STRANGE;
    close(file);
    return -1;
}

/* A record of an output: its state and whether it may be executed (u8 each), then its content. */
static uint64_t tell_output(int directory, const char *name, uint64_t left) {
    struct stat status;
    int state = OUTPUT_FILE;
    const int file = open_output(directory, name, &status, &state);
    uint64_t size = file < 0 ? 0 : (uint64_t)status.st_size;
    if (size > left) state = OUTPUT_TOO_LARGE, size = 0;
    const uint8_t head[2] = {(uint8_t)state, file >= 0 && (status.st_mode & 0111) != 0};
    tell_head(TAG_OUTPUT, sizeof head + size);
    tell(head, sizeof head);
    if (file < 0) return left;
    tell_content(file, size);
    close(file);
    return left - size;
}

static void tell_outputs(char **names, int count, uint64_t most) {
    const int directory = open(OUT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail(OUT);
    for (int i = 0; i < count; i++) most = tell_output(directory, names[i], most);
}

/* Returns how many words it has read. */
static int read_limits(char **words, struct limits *limits) {
    uint64_t *const fields[] = {&limits->cpu_s,   &limits->memory,       &limits->processes, &limits->file_bytes,
                                &limits->printed, &limits->output_bytes, &limits->files};
    const int count = (int)(sizeof fields / sizeof *fields);
    for (int i = 0; i < count; i++) {
        if (words[i] == NULL) fail("too few arguments");
        *fields[i] = strtoull(words[i], NULL, 10);
    }
    return count;
}

/* For the daemon's own question whether the walls stand: what this process finds around itself. */
static int tell_walls(void) {
    const long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    const bool alone = getpid() == 1 && access("/proc", F_OK) != 0 && access("/sys", F_OK) != 0;
    const bool filtered = prctl(PR_GET_SECCOMP) == 2 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    const bool closed = syscall(SYS_unshare, CLONE_NEWUSER) != 0;
    char text[64];
    const int length = snprintf(text, sizeof text, "alone %d filtered %d closed %d landlock %ld\n", alone, filtered, closed, abi > 0 ? abi : 0);
    return write(1, text, (size_t)length) == length ? 0 : CANNOT_START;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "walls") == 0) return tell_walls();
    struct limits limits;
    const bool shows = argc > 1 && strcmp(argv[1], "shown") == 0;
    const bool works = shows || (argc > 1 && strcmp(argv[1], "work") == 0);
    const int first = works ? 2 : 1;
    const int head = first + read_limits(argv + first, &limits);
    if (argc < head + 3) fail("too few arguments");
    const char *cwd = argv[head];
    const int outputs = atoi(argv[head + 1]);
    char **names = argv + head + 2;
    if (outputs < 0 || argc < head + 3 + outputs || getpid() != 1) fail("not the first process");
    prctl(PR_SET_DUMPABLE, 0); /* Nobody in here looks into this process. */
    umask(022);

    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigset_t before;
    const struct sigaction waking = {.sa_handler = wake};
    if (sigaction(SIGCHLD, &waking, NULL) != 0) fail("sigaction");
    sigprocmask(SIG_BLOCK, &child, &before);
    if (works) limits.files += lay_out_work(names, outputs);
    struct printed printed = {.out = unnamed(), .err = unnamed(), .most = shows ? limits.printed : 0};
    int failed[2];
    if (pipe2(failed, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe"); /* The filter may refuse memory that is shared. */
    broken = failed[1];
    const uint64_t began = now_us();
    const pid_t program = fork();
    if (program < 0) fail("fork");
    if (program == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        run(&limits, cwd, names + outputs, printed.out, printed.err);
    }
    int status = 0;
    int room = ROOM_LEFT;
    const int verdict = await(program, &limits, &printed, &before, &status, &room);
    const uint64_t took_us = now_us() - began;
    end_all();
    char byte;
    if (read(failed[0], &byte, 1) == 1) return CANNOT_START;

    show(&printed); /* Of a job that is refused or given up nobody sees the rest otherwise. */
    if (verdict == GIVEN_UP) return CANNOT_START;
    tell_status(status, verdict, room, took_us);
    tell_printed(TAG_STDOUT, printed.out, limits.printed);
    tell_printed(TAG_STDERR, printed.err, limits.printed);
    if (verdict == WITHIN_LIMITS && works) tell_work(names, outputs, limits.output_bytes);
    else if (verdict == WITHIN_LIMITS) tell_outputs(names, outputs, limits.output_bytes);
    tell_head(TAG_END, 0);
    return 0;
}
