/*
 * Checksums and digests: SHA-256 (request keys), CRC-32 (records and blobs), the stat fingerprint of docs/protocol/hot-record.md.
 */
#ifndef CAIRN_HASH_H
#define CAIRN_HASH_H

#include "sys.h"

#define SHA256_BYTES 32

void sha256(const uint8_t *bytes, size_t size, uint8_t digest[SHA256_BYTES]);

/* zlib's CRC-32 of `bytes` appended to what `crc` covers; 0 covers nothing. */
uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size);

struct fingerprint {
    uint32_t words[2];
};

struct fingerprint fingerprint_of(const struct file_status *status);

#if defined(__x86_64__)
/* What this processor can do, asked of it once. */
struct processor {
    bool asked;
    bool carryless_multiply; /* With SSE 4.1. */
    bool sha;                /* With SSSE3 and SSE 4.1. */
};
const struct processor *processor(void);
#endif

#endif
