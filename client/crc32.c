/*
 * CRC-32 (polynomial 0xedb88320, as zlib): sixteen bytes an instruction where the processor multiplies without carry or has the
 * polynomial built in, eight bytes a step by tables otherwise.
 */
#include "bytes.h"
#include "hash.h"

/* The tables are made when they are first needed: most processors never need them, and most short texts only the first. */
static uint32_t tables[8][256];

static void make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (0xedb88320 & (0 - (value & 1)));
        tables[0][byte] = value;
    }
    for (int distance = 1; distance < 8; distance++)
        for (int byte = 0; byte < 256; byte++) {
            const uint32_t nearer = tables[distance - 1][byte];
            tables[distance][byte] = nearer >> 8 ^ tables[0][nearer & 0xff];
        }
}

/* All of these take and return the complement of what zlib calls the CRC. */
static uint32_t crc32_tables(uint32_t crc, const uint8_t *bytes, size_t size) {
    if (tables[0][1] == 0) make_tables();
    for (; size >= 8; size -= 8, bytes += 8) {
        const uint32_t low = crc ^ load_u32(bytes), high = load_u32(bytes + 4);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
              tables[3][high & 0xff] ^ tables[2][high >> 8 & 0xff] ^ tables[1][high >> 16 & 0xff] ^ tables[0][high >> 24];
    }
    for (; size > 0; size--, bytes++) crc = crc >> 8 ^ tables[0][(crc ^ *bytes) & 0xff];
    return crc;
}

#if defined(__x86_64__)

#include <immintrin.h>

#define FOLDED_BYTES 64

/*
 * Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009, figures 1 and 2, with the
 * bit-reflected constants of its section 6. `size` is a multiple of 16 and at least 64.
 */
__attribute__((target("pclmul,sse4.1"))) static uint32_t crc32_folding(uint32_t crc, const uint8_t *bytes, size_t size) {
    const __m128i fold_512 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4), fold_128 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
    const __m128i fold_64 = _mm_set_epi64x(0, 0x0163cd6124), barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641);
    const __m128i low_words = _mm_setr_epi32(~0, 0, ~0, 0);
    const __m128i *block = (const __m128i *)bytes;
#define FOLD(x, by) _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11))

    __m128i a = _mm_xor_si128(_mm_loadu_si128(block), _mm_cvtsi32_si128((int)crc));
    __m128i b = _mm_loadu_si128(block + 1), c = _mm_loadu_si128(block + 2), d = _mm_loadu_si128(block + 3);
    for (block += 4, size -= 64; size >= 64; block += 4, size -= 64) {
        a = _mm_xor_si128(FOLD(a, fold_512), _mm_loadu_si128(block));
        b = _mm_xor_si128(FOLD(b, fold_512), _mm_loadu_si128(block + 1));
        c = _mm_xor_si128(FOLD(c, fold_512), _mm_loadu_si128(block + 2));
        d = _mm_xor_si128(FOLD(d, fold_512), _mm_loadu_si128(block + 3));
    }
    a = _mm_xor_si128(FOLD(a, fold_128), b);
    a = _mm_xor_si128(FOLD(a, fold_128), c);
    a = _mm_xor_si128(FOLD(a, fold_128), d);
    for (; size >= 16; block++, size -= 16) a = _mm_xor_si128(FOLD(a, fold_128), _mm_loadu_si128(block));
#undef FOLD

    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, fold_128, 0x10)); /* 128 bits to 96, */
    __m128i rest = _mm_clmulepi64_si128(_mm_and_si128(a, low_words), fold_64, 0x00);  /* to 64, */
    a = _mm_xor_si128(_mm_srli_si128(a, 4), rest);
    rest = _mm_clmulepi64_si128(_mm_and_si128(a, low_words), barrett, 0x10); /* to 32. */
    rest = _mm_clmulepi64_si128(_mm_and_si128(rest, low_words), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, rest), 1);
}

/* A last piece of less than 16 bytes: bit by bit costs less than a table in memory that nothing has touched yet. */
static uint32_t crc32_bits(uint32_t crc, const uint8_t *bytes, size_t size) {
    for (; size > 0; size--, bytes++) {
        crc ^= *bytes;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xedb88320 & (0 - (crc & 1)));
    }
    return crc;
}

static uint32_t crc32_best(uint32_t crc, const uint8_t *bytes, size_t size) {
    if (!processor()->carryless_multiply) return crc32_tables(crc, bytes, size);
    if (size < FOLDED_BYTES) return crc32_bits(crc, bytes, size);
    const size_t folded = size - size % 16;
    return crc32_bits(crc32_folding(crc, bytes, folded), bytes + folded, size - folded);
}

#elif defined(__aarch64__) && defined(__linux__)

#define HARDWARE_CRC32 (1ul << 7) /* HWCAP_CRC32 */

#ifdef __clang__
#define WITH_CRC __attribute__((target("crc")))
#else
#define WITH_CRC __attribute__((target("+crc")))
#endif

WITH_CRC static uint32_t crc32_instruction(uint32_t crc, const uint8_t *bytes, size_t size) {
    for (; size >= 8; size -= 8, bytes += 8) __asm__("crc32x %w0, %w0, %1" : "+r"(crc) : "r"(load_u64(bytes)));
    for (; size > 0; size--, bytes++) __asm__("crc32b %w0, %w0, %w1" : "+r"(crc) : "r"(*bytes));
    return crc;
}

static uint32_t crc32_best(uint32_t crc, const uint8_t *bytes, size_t size) {
    return sys_hardware() & HARDWARE_CRC32 ? crc32_instruction(crc, bytes, size) : crc32_tables(crc, bytes, size);
}

#else

static uint32_t crc32_best(uint32_t crc, const uint8_t *bytes, size_t size) { return crc32_tables(crc, bytes, size); }

#endif

uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t size) { return ~crc32_best(~crc, bytes, size); }
