/*
 * All that children of this process start: see offspring.h.
 *
 * Only children are sent signals, never who is further down: a child keeps its number until we have waited for it, so none of them
 * reaches a stranger.
 * Knows: the kernel's list of children, adoption. Does not know: what they do.
 */
#include "offspring.h"

#include "sys.h"

static int open_list(void) { return sys_open(AT_FDCWD, "/proc/thread-self/children", O_RDONLY, 0); }

/* A program that was executed in the place of another one has that one's children. */
static bool has_none(void) {
    char first;
    const int list = open_list();
    if (list < 0) return false;
    const long got = sys_read(list, &first, 1);
    sys_close(list);
    return got == 0;
}

bool offspring_adopt(void) {
    const int first_process = 1; /* Gets all orphans of its namespace. */
    return sys_process() != first_process && !sys_adopts_orphans() && has_none() && sys_adopt_orphans(true) == 0;
}

void offspring_abandon(void) { sys_adopt_orphans(false); }

void offspring_signal(int signal) {
    char piece[4096];
    int process = 0;
    const int list = open_list();
    if (list < 0) return;
    for (long got; (got = sys_read(list, piece, sizeof piece)) > 0;)
        for (long i = 0; i < got; i++) {
            if (piece[i] >= '0' && piece[i] <= '9') {
                process = process * 10 + (piece[i] - '0');
            } else if (process > 0) {
                sys_kill(process, signal);
                process = 0;
            }
        }
    sys_close(list);
}

bool offspring_ended(void) {
    struct usage nobodys;
    int waited;
    do waited = sys_wait_now(-1, &nobodys);
    while (waited > 0);
    return waited < 0;
}
