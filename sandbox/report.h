/*
 * What the first process of a sandbox tells: records of a tag (u8), a length (u32, little-endian) and so many bytes.
 */
#ifndef CAIRN_REPORT_H
#define CAIRN_REPORT_H

#include <stddef.h>
#include <stdint.h>

#define CANNOT_START 125 /* The exit code of this program when nothing was run. */
#define SCRATCH "/scratch"

enum { TAG_STATUS = 1, TAG_STDOUT, TAG_STDERR, TAG_OUTPUT, TAG_END, TAG_LEFT, TAG_SHOWN_STDOUT, TAG_SHOWN_STDERR };

extern int broken; /* Who fails before it has become the program writes there; -1: nobody looks. */

_Noreturn void fail(const char *what);

void put(uint8_t *to, uint64_t value, int bytes);
void tell(const void *bytes, size_t size);
void tell_head(int tag, uint64_t size);
/* Exactly `size` bytes of a file that nobody writes to any more. */
void tell_content(int file, uint64_t size);
/* What a file has from `at` on, as records of a tag, while others write to it. Returns where the next call goes on. */
uint64_t tell_grown(int tag, int file, uint64_t at, uint64_t most);

#endif
