/*
 * Bytes and text in memory: spans, little-endian numbers, terminated strings. What they mean is their users' business.
 */
#ifndef CAIRN_BYTES_H
#define CAIRN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
    const uint8_t *at;
    size_t size;
};

static inline uint16_t load_u16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static inline uint32_t load_u32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t load_u64(const uint8_t *at) { return load_u32(at) | (uint64_t)load_u32(at + 4) << 32; }

static inline uint8_t *store_u16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static inline uint8_t *store_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
    return at + 4;
}

static inline uint8_t *store_u64(uint8_t *at, uint64_t value) { return store_u32(store_u32(at, (uint32_t)value), (uint32_t)(value >> 32)); }

/* Reads from the front of a span. Running past its end yields zeros and sets `short_of` for good, so it is asked once, at the end. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool short_of;
};

static inline const uint8_t *read_bytes(struct reader *reader, size_t size) {
    static const uint8_t zeros[64];
    if ((size_t)(reader->end - reader->at) < size) {
        reader->short_of = true;
        reader->at = reader->end;
        return zeros; /* No caller reads more than 64 bytes of a result before it has asked `short_of`. */
    }
    const uint8_t *bytes = reader->at;
    reader->at += size;
    return bytes;
}

static inline uint8_t read_u8(struct reader *reader) { return *read_bytes(reader, 1); }
static inline uint16_t read_u16(struct reader *reader) { return load_u16(read_bytes(reader, 2)); }
static inline uint32_t read_u32(struct reader *reader) { return load_u32(read_bytes(reader, 4)); }
static inline uint64_t read_u64(struct reader *reader) { return load_u64(read_bytes(reader, 8)); }

/* `size` bytes, or none at all. */
static inline struct span read_span(struct reader *reader, size_t size) {
    const uint8_t *bytes = read_bytes(reader, size);
    return (struct span){bytes, reader->short_of ? 0 : size};
}

static inline bool bytes_equal(const uint8_t *left, const uint8_t *right, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i]) return false;
    return true;
}

static inline size_t text_length(const char *text) {
    size_t length = 0;
    while (text[length] != 0) length++;
    return length;
}

static inline bool text_equal(const char *left, const char *right) {
    while (*left != 0 && *left == *right) left++, right++;
    return *left == *right;
}

/* Below, equal or above 0, by bytes. */
static inline int text_compare(const char *left, const char *right) {
    while (*left != 0 && *left == *right) left++, right++;
    return (unsigned char)*left - (unsigned char)*right;
}

static inline bool text_begins(const char *text, const char *prefix) {
    while (*prefix != 0)
        if (*text++ != *prefix++) return false;
    return true;
}

static inline const char *text_after_last(const char *text, char separator) {
    const char *after = text;
    for (; *text != 0; text++)
        if (*text == separator) after = text + 1;
    return after;
}

/* A path under construction. What does not fit, or contains a zero byte, sets `unfit`. */
#define PATH_BYTES 4096

struct path {
    size_t length;
    bool unfit;
    char text[PATH_BYTES]; /* Always terminated once something was added. */
};

/* For paths that nobody needs for longer than a function: memory that was touched once costs nothing the second time. */
extern struct path scratch;

static inline void path_cut(struct path *path, size_t length) {
    path->length = length;
    path->unfit = false;
}

static inline void path_add(struct path *path, const void *bytes, size_t size) {
    const char *from = bytes;
    if (size >= PATH_BYTES - path->length) {
        path->unfit = true;
        size = 0;
    }
    char *to = path->text + path->length;
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
        if (from[i] == 0) path->unfit = true;
    }
    to[size] = 0;
    path->length += size;
}

/* What begins with a zero byte lies below `root`, which stands in its place. */
static inline void path_add_located(struct path *path, struct span root, struct span text) {
    if (root.size > 0 && text.size > 0 && text.at[0] == 0) {
        path_add(path, root.at, root.size);
        text.at++, text.size--;
    }
    path_add(path, text.at, text.size);
}

static inline void path_add_text(struct path *path, const char *text) { path_add(path, text, text_length(text)); }

/* "ab/cdef…": records and blobs lie under the 32 bytes of their digest. */
static inline void path_add_key(struct path *path, const uint8_t key[32]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        const char two[3] = {digits[key[i] >> 4], digits[key[i] & 15], '/'};
        path_add(path, two, i == 0 ? 3 : 2);
    }
}

#endif
