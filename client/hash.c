/*
 * SHA-256 (FIPS 180-4), with the processor's own instructions where it has them, and the stat fingerprint (MurmurHash3 x86_32).
 */
#include "hash.h"

#include "bytes.h"

#define BLOCK_BYTES 64

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate_right(uint32_t value, int by) { return value >> by | value << (32 - by); }

static void blocks_portable(uint32_t state[8], const uint8_t *bytes, size_t count) {
    uint32_t w[64];
    for (; count > 0; count--, bytes += BLOCK_BYTES) {
        for (int i = 0; i < 16; i++) w[i] = __builtin_bswap32(load_u32(bytes + 4 * i));
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = rotate_right(w[i - 15], 7) ^ rotate_right(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t s1 = rotate_right(w[i - 2], 17) ^ rotate_right(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i++) {
            uint32_t sum1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
            uint32_t sum0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
            uint32_t t1 = h + sum1 + (g ^ (e & (f ^ g))) + round_constants[i] + w[i];
            uint32_t t2 = sum0 + ((a & b) | (c & (a | b)));
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

const struct processor *processor(void) {
    static struct processor found;
    if (!found.asked) {
        unsigned a, b, c, d;
        __cpuid(1, a, b, c, d);
        const bool sse41 = (c & bit_SSE4_1) != 0 && (c & bit_SSSE3) != 0;
        found.carryless_multiply = sse41 && (c & bit_PCLMUL) != 0;
        /* Asking takes a microsecond under a hypervisor. XSAVE is described by leaf 13, so where it is, leaf 7 is too. */
        if (sse41 && (c & bit_XSAVE) != 0) {
            __cpuid_count(7, 0, a, b, c, d);
            found.sha = (b & bit_SHA) != 0;
        }
        found.asked = true;
    }
    return &found;
}

/*
 * The SHA extensions keep the state as ABEF and CDGH, and each instruction does two rounds. Message words 16 … 63 are made four at a
 * time from the sixteen before; m[] holds those in a ring.
 */
__attribute__((target("sha,sse4.1,ssse3"))) static void blocks_sha(uint32_t state[8], const uint8_t *bytes, size_t count) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i dcba = _mm_loadu_si128((const __m128i *)state);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)(state + 4));
    const __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1), efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; count > 0; count--, bytes += BLOCK_BYTES) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i m[4];
        for (int four = 0; four < 16; four++) {
            __m128i *now = &m[four % 4];
            if (four < 4) {
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(bytes + 16 * four)), big_endian);
            } else {
                const __m128i before2 = m[(four + 2) % 4], before1 = m[(four + 3) % 4];
                __m128i partial = _mm_sha256msg1_epu32(*now, m[(four + 1) % 4]);
                partial = _mm_add_epi32(partial, _mm_alignr_epi8(before1, before2, 4));
                *now = _mm_sha256msg2_epu32(partial, before1);
            }
            const __m128i words = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(round_constants + 4 * four)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }

    const __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

static void blocks(uint32_t state[8], const uint8_t *bytes, size_t count) {
    if (processor()->sha)
        blocks_sha(state, bytes, count);
    else
        blocks_portable(state, bytes, count);
}

#else

static void blocks(uint32_t state[8], const uint8_t *bytes, size_t count) { blocks_portable(state, bytes, count); }

#endif

void sha256(const uint8_t *bytes, size_t size, uint8_t digest[SHA256_BYTES]) {
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const size_t whole = size / BLOCK_BYTES, rest = size % BLOCK_BYTES;
    blocks(state, bytes, whole);

    uint8_t tail[2 * BLOCK_BYTES] = {0};
    for (size_t i = 0; i < rest; i++) tail[i] = bytes[whole * BLOCK_BYTES + i];
    tail[rest] = 0x80;
    const size_t tail_size = rest < BLOCK_BYTES - 8 ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    for (int i = 0; i < 8; i++) tail[tail_size - 1 - (size_t)i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    blocks(state, tail, tail_size / BLOCK_BYTES);

    for (int i = 0; i < 8; i++) store_u32(digest + 4 * i, __builtin_bswap32(state[i]));
}

static uint32_t rotate_left(uint32_t value, int by) { return value << by | value >> (32 - by); }

/* MurmurHash3 x86_32 by Austin Appleby, of eight words. */
static uint32_t murmur(const uint32_t words[8], uint32_t hash) {
    for (int i = 0; i < 8; i++) {
        hash ^= rotate_left(words[i] * 0xcc9e2d51, 15) * 0x1b873593;
        hash = rotate_left(hash, 13) * 5 + 0xe6546b64;
    }
    hash ^= 32;
    hash = (hash ^ hash >> 16) * 0x85ebca6b;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35;
    return hash ^ hash >> 16;
}

struct fingerprint fingerprint_of(const struct file_status *status) {
    const uint64_t fields[4] = {status->inode, status->size, status->mtime_ns, status->ctime_ns};
    uint32_t words[8];
    for (int i = 0; i < 4; i++) {
        words[2 * i] = (uint32_t)fields[i];
        words[2 * i + 1] = (uint32_t)(fields[i] >> 32);
    }
    struct fingerprint print = {{murmur(words, 0x9747b28c), murmur(words, 0x5bd1e995)}};
    if (print.words[0] == 0 && print.words[1] == 0) print.words[1] = 1; /* Two zeros mean "not to be trusted". */
    return print;
}
