/*
 * The report as bytes on standard output. Knows: its layout. Does not know: what is told.
 */
#include "report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define REPORT 1

int broken = -1;

static char buffer[65536];

_Noreturn void fail(const char *what) {
    const char *why = strerror(errno);
    if (broken >= 0) (void)!write(broken, "", 1);
    (void)!write(2, what, strlen(what));
    (void)!write(2, ": ", 2);
    (void)!write(2, why, strlen(why));
    (void)!write(2, "\n", 1);
    _exit(CANNOT_START);
}

void tell(const void *bytes, size_t size) {
    for (const char *at = bytes; size > 0;) {
        const ssize_t written = write(REPORT, at, size);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) _exit(CANNOT_START); /* Nobody listens any more. */
        at += written;
        size -= (size_t)written;
    }
}

void put(uint8_t *to, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

void tell_head(int tag, uint64_t size) {
    uint8_t head[5] = {(uint8_t)tag};
    put(head + 1, size, 4);
    tell(head, sizeof head);
}

uint64_t tell_grown(int tag, int file, uint64_t at, uint64_t most) {
    while (at < most) {
        const ssize_t got = pread(file, buffer, most - at < sizeof buffer ? most - at : sizeof buffer, (off_t)at);
        if (got <= 0) break;
        tell_head(tag, (uint64_t)got);
        tell(buffer, (size_t)got);
        at += (uint64_t)got;
    }
    return at;
}

void tell_content(int file, uint64_t size) {
    for (uint64_t at = 0; at < size;) {
        const uint64_t left = size - at;
        const ssize_t got = pread(file, buffer, left < sizeof buffer ? left : sizeof buffer, (off_t)at);
        if (got <= 0) _exit(CANNOT_START);
        tell(buffer, (size_t)got);
        at += (uint64_t)got;
    }
}
