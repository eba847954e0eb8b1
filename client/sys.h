/*
 * The system, as this program needs it: a thin layer over Linux system calls.
 *
 * Starting a process that links a C library costs twice to three times as much as starting one that does not (the library
 * asks the processor and the kernel about itself each time), and this program is started for every compile. So on x86_64 and
 * aarch64 it is built without one (CAIRN_FREESTANDING): sys.c has the entry point and the system call instruction. Elsewhere
 * the same source uses the library's syscall().
 *
 * Knows: system calls and their structures. Does not know: compilers, records, daemons.
 *
 * Every function returns a negative errno value when it fails. File descriptors are made close-on-exec.
 */
#ifndef CAIRN_SYS_H
#define CAIRN_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a compiler ended and what it used; see wait4(2). */
struct usage {
    int status;
    uint64_t cpu_us;
    uint64_t resident_kib;
};

struct file_status {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    uint64_t mtime_ns;
    uint64_t ctime_ns;
    uint64_t blocks; /* Of 512 bytes, on the disk. */
    uint32_t mode; /* Type and permission bits. */
    uint32_t links;
    uint32_t owner;
};

struct terminal {
    bool is_terminal;
    uint16_t columns;
};

/* Signals as a set of bits, signal n being bit n - 1. */
typedef uint64_t signal_set;
#define SIGNAL_BIT(number) ((signal_set)1 << ((number) - 1))

extern char **environment; /* As main's third argument. */

/* The path that this program was executed by, or "". */
const char *sys_own_path(void);

int program(int argc, char **argv); /* main.c; its value is the exit code. */

/* Files. `directory` may be AT_FDCWD. */
int sys_open(int directory, const char *path, int flags, unsigned mode);
int sys_close(int file);
long sys_read(int file, void *bytes, size_t size);
long sys_read_fully(int file, void *bytes, size_t size); /* Fewer bytes only where there are no more. */
long sys_write(int file, const void *bytes, size_t size);
long sys_read_at(int file, void *bytes, size_t size, uint64_t offset);
long sys_write_at(int file, const void *bytes, size_t size, uint64_t offset);
long sys_list(int directory, void *entries, size_t size); /* As linux_dirent64; 0 at the end. */
int sys_rewind(int file);
int sys_cut(int file, uint64_t size);
/* `flags`: AT_SYMLINK_NOFOLLOW, or AT_EMPTY_PATH with path "". */
int sys_status(int directory, const char *path, int flags, struct file_status *status);
int sys_unlink(int directory, const char *path);
int sys_make_directory(const char *path, unsigned mode);
long sys_read_link(const char *path, char *target, size_t size);
int sys_touch(int file);
int sys_try_lock(int file);
int sys_may_execute(const char *path);
int sys_change_directory(const char *path);
long sys_working_directory(char *path, size_t size); /* Its length. */
int sys_pipe(int ends[2]);
int sys_duplicate(int from, int to); /* `to` stays open across exec. */
void sys_close_all_from(int first);

/* Terminals. */
int sys_terminal(int file, struct terminal *terminal);
/* A pseudo-terminal with the size of the terminal `like` that passes bytes on unchanged. */
int sys_open_terminal(int like, int *ours, int *theirs);

/* Processes, signals, time. */
uint32_t sys_user(void);
int sys_fork(void);
int sys_execute(const char *path, char *const *argv, char *const *envp);
int sys_wait(int process, struct usage *usage);     /* Waits for its end. */
int sys_wait_now(int process, struct usage *usage); /* 0 when it has not ended; -1 as `process`: any child. */
int sys_kill(int process, int signal);
_Noreturn void sys_die_of(int signal); /* As the compiler did, without a core of our own. */
int sys_new_session(void);
int sys_adopt_orphans(bool adopt); /* Whether orphans among this process's descendants become its children; outlives exec. */
bool sys_adopts_orphans(void);
/* Kills this process when its parent ends. False when the parent, `parent`, has ended already. */
bool sys_end_with_parent(int parent);
int sys_process(void);
signal_set sys_block_signals(signal_set added); /* Returns the mask from before. */
void sys_set_signal_mask(signal_set mask);
/* `before` is opaque; it is there to be given back. */
void sys_default_signal(int signal, uint64_t before[8]);
void sys_restore_signal(int signal, const uint64_t before[8]);
int sys_signal_file(signal_set set); /* Non-blocking. */
int sys_next_signal(int file, bool *sent_by_process); /* The signal's number. */
_Noreturn void sys_exit(int code);
uint64_t sys_wall_ns(void);
uint64_t sys_monotonic_ns(void);

/* Sockets and waiting. */
int sys_unix_socket(unsigned send_timeout_ms);
int sys_connect(int socket, const char *path);
long sys_send(int socket, const void *bytes, size_t size); /* Never waits, never raises SIGPIPE. */
long sys_receive(int socket, void *bytes, size_t size);    /* Never waits. */
int sys_poll(struct pollfd *files, unsigned count, int64_t timeout_ns); /* Negative: without end. */

/* Zeroed memory, or NULL. */
void *sys_allocate(size_t size);
void sys_release(void *memory, size_t size);

/* AT_HWCAP, where the processor's abilities are not asked from the processor itself. */
unsigned long sys_hardware(void);

#endif
