/*
 * meter TIMES COMMAND ARGUMENT...: runs a command so many times, one after the other. For each run it writes a line to descriptor 3:
 * wall time in ns, CPU time in µs of the command and of all its descendants that were waited for, and the wait status.
 *
 * Node can tell neither: it has no getrusage for children, and its own timers see its event loop.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static long long microseconds(struct timeval time) { return time.tv_sec * 1000000ll + time.tv_usec; }

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    for (long times = atol(argv[1]); times > 0; times--) {
        struct rusage used;
        pid_t child;
        int status;
        const long long began = now_ns();
        if (posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ) != 0) return 127;
        if (wait4(child, &status, 0, &used) != child) return 1;
        dprintf(3, "%lld %lld %d\n", now_ns() - began, microseconds(used.ru_utime) + microseconds(used.ru_stime), status);
    }
    return 0;
}
