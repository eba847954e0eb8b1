/*
 * Starting a daemon: see start.h.
 *
 * Knows: processes, the lock file. Does not know: what `start` does.
 */
#include "start.h"

#include "frames.h"
#include "sys.h"

#define MS ((uint64_t)1000000)
#define LOCK_NAME "starting"

/*
 * Whether it is this process that may start a daemon now. The lock file's mtime says when one was started last. It is looked at and
 * renewed under flock, so that of a hundred parallel compiles one starts a daemon; an empty file was made just now.
 */
static bool may_start(int run_directory) {
    struct file_status status;
    const int lock = sys_open(run_directory, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (lock < 0) return false;
    bool may = sys_try_lock(lock) == 0 && sys_status(lock, "", AT_EMPTY_PATH, &status) == 0;
    may = may && (status.size == 0 || sys_wall_ns() - status.mtime_ns >= STARTING_MS * MS);
    may = may && sys_write(lock, "1", 1) == 1;
    sys_close(lock);
    return may;
}

/* Nothing of the build may stay open in the daemon: its terminal, its pipes, make's job server. */
static _Noreturn void become_daemon(const char *script) {
    char *const argv[] = {(char *)(uintptr_t)script, NULL};
    const int nothing = sys_open(AT_FDCWD, "/dev/null", O_RDWR, 0);
    if (nothing < 0) sys_exit(1);
    for (int stream = 0; stream <= 2; stream++)
        if (stream != nothing) sys_duplicate(nothing, stream);
    sys_close_all_from(3);
    sys_change_directory("/");
    sys_set_signal_mask(0);
    sys_execute(script, argv, environment);
    sys_exit(1);
}

static struct path script;

bool daemon_may_start(int run_directory, const struct settings *settings) {
    if (settings->no_autostart) return false;
    const long length = sys_read_link("/proc/self/exe", script.text, PATH_BYTES - 1);
    if (length <= 0) return false;
    script.text[length] = 0;
    path_cut(&script, (size_t)(text_after_last(script.text, '/') - script.text));
    path_add_text(&script, "start");
    return !script.unfit && sys_may_execute(script.text) >= 0 && may_start(run_directory);
}

void daemon_start(void) {
    struct usage usage;
    const int process = sys_fork();
    if (process == 0) {
        sys_new_session();
        if (sys_fork() == 0) become_daemon(script.text);
        sys_exit(0); /* The daemon is nobody's child now, least of all the compiler's. */
    }
    if (process > 0) sys_wait(process, &usage);
}
