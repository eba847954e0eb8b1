/*
 * The table of contents: see contents.h.
 *
 * The table is read and written by system calls and not mapped: where a disk is full, a mapping kills whoever touches it.
 * Knows: stat identities, reading, the table's blocks. Does not know: records, checkouts.
 */
#include "contents.h"

#include "bytes.h"

#define BLOCKS 2048
#define BLOCK_BYTES 4096
#define ENTRIES 51
#define ENTRY_BYTES 80
#define AT_DIGEST 40
#define AT_CHECKSUM 72
#define NEIGHBOURS 32 /* Files that were made one after the other have inodes in a row, and are asked for together. */

#define RACY_NS 20000000
#define LASTING_NS 2000000000 /* A write that stalls has changed the times before the content: what is younger is read each time. */
#define SECOND_NS 1000000000
#define EMPTY_BLOCKS_MOST 1 /* Some file systems count one for an empty file. */
#define FILE_TYPE 0170000
#define REGULAR_FILE 0100000
#define DIRECTORY 0040000
#define FILE_BYTES_MOST (16 * 1024 * 1024)
#define NAMES_MOST 2048 /* Of a directory that is listed. */

struct block {
    bool filled;
    unsigned number;
    uint8_t *bytes;
};

static int table = -1;
static uint64_t opened_ns;
#define BLOCKS_HELD 32
static struct block blocks[BLOCKS_HELD];
static uint8_t block_bytes[BLOCKS_HELD][BLOCK_BYTES] __attribute__((aligned(BLOCK_BYTES))); /* Pages that stay untouched cost nothing. */

bool contents_open(int run_directory) {
    table = sys_open(run_directory, "contents", O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    opened_ns = sys_wall_ns();
    return table >= 0;
}

static unsigned block_number(const struct file_status *status) {
    uint64_t mixed = (status->inode / NEIGHBOURS) ^ status->device * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 33) * 0xff51afd7ed558ccd;
    return (unsigned)(mixed >> 33) % BLOCKS;
}

/* NULL where it cannot be read. */
static struct block *block_of(const struct file_status *status) {
    static unsigned next;
    const unsigned number = block_number(status), at = next % BLOCKS_HELD;
    for (unsigned i = 0; i < BLOCKS_HELD && blocks[i].filled; i++)
        if (blocks[i].number == number) return &blocks[i];
    struct block *block = &blocks[at];
    next++;
    block->number = number;
    block->bytes = block_bytes[at];
    block->filled = sys_read_at(table, block->bytes, BLOCK_BYTES, (uint64_t)number * BLOCK_BYTES) == BLOCK_BYTES;
    return block->filled ? block : NULL;
}

static void store_identity(uint8_t *entry, const struct file_status *status) {
    const uint64_t fields[] = {status->device, status->inode, status->size, status->mtime_ns, status->ctime_ns};
    for (int i = 0; i < 5; i++) entry = store_u64(entry, fields[i]);
}

static bool is_entry(const uint8_t *entry) {
    return load_u64(entry + 8) != 0 && crc32(0, entry, AT_CHECKSUM) == load_u32(entry + AT_CHECKSUM);
}

static bool same_file(const uint8_t *entry, const struct file_status *status) {
    return load_u64(entry) == status->device && load_u64(entry + 8) == status->inode;
}

enum known { KNOWN, UNKNOWN, DOUBTFUL };

static enum known look_up(struct block *block, const struct file_status *status, uint8_t digest[SHA256_BYTES]) {
    uint8_t identity[AT_DIGEST];
    store_identity(identity, status);
    for (unsigned i = 0; i < ENTRIES; i++) {
        const uint8_t *entry = block->bytes + i * ENTRY_BYTES;
        if (!same_file(entry, status) || !is_entry(entry)) continue;
        if (bytes_equal(entry, identity, AT_DIGEST)) {
            for (int byte = 0; byte < SHA256_BYTES; byte++) digest[byte] = entry[AT_DIGEST + byte];
            return KNOWN;
        }
        /* ext4 takes away a file's content a millisecond before it notes that the file has changed. */
        if (load_u64(entry + 24) == status->mtime_ns && load_u64(entry + 32) == status->ctime_ns) return DOUBTFUL;
    }
    return UNKNOWN;
}

static void remember(struct block *block, const struct file_status *status, const uint8_t digest[SHA256_BYTES]) {
    unsigned place = ENTRIES;
    for (unsigned i = 0; i < ENTRIES; i++) {
        const uint8_t *entry = block->bytes + i * ENTRY_BYTES;
        const bool valid = is_entry(entry);
        if (valid && same_file(entry, status)) {
            place = i; /* As it was before. */
            break;
        }
        if (!valid && place == ENTRIES) place = i;
    }
    if (place == ENTRIES) place = (unsigned)(status->inode % ENTRIES);
    uint8_t *entry = block->bytes + place * ENTRY_BYTES;
    store_identity(entry, status);
    for (int byte = 0; byte < SHA256_BYTES; byte++) entry[AT_DIGEST + byte] = digest[byte];
    store_u32(store_u32(entry + AT_CHECKSUM, crc32(0, entry, AT_CHECKSUM)), 0);
    sys_write_at(table, entry, ENTRY_BYTES, (uint64_t)block->number * BLOCK_BYTES + place * ENTRY_BYTES); /* Or the next one reads it again. */
}

static bool hash_file(int file, const struct file_status *status, uint8_t digest[SHA256_BYTES]) {
    static uint8_t usual[64 * 1024];
    if (status->size > FILE_BYTES_MOST) return false;
    const size_t room = (size_t)status->size + 1; /* For what it may have grown. */
    uint8_t *bytes = room <= sizeof usual ? usual : sys_allocate(room);
    if (bytes == NULL) return false;
    const long have = sys_read_fully(file, bytes, room);
    const bool whole = have >= 0 && (uint64_t)have == status->size;
    if (whole) sha256(bytes, (size_t)have, digest);
    if (bytes != usual) sys_release(bytes, room);
    return whole;
}

static const char *names[NAMES_MOST];

/* Shell's sort: lists are short. */
static void sort_names(unsigned count) {
    for (unsigned gap = count / 2; gap > 0; gap /= 2)
        for (unsigned i = gap; i < count; i++) {
            const char *name = names[i];
            unsigned at = i;
            for (; at >= gap && text_compare(names[at - gap], name) > 0; at -= gap) names[at] = names[at - gap];
            names[at] = name;
        }
}

static bool hash_listing(int directory, uint8_t digest[SHA256_BYTES]) {
    static uint8_t entries[256 * 1024] __attribute__((aligned(8))), listing[256 * 1024];
    const size_t name_at = 19, length_at = 16; /* Of struct linux_dirent64. */
    size_t size = 0, length = 0;
    long got;
    while ((got = sys_list(directory, entries + size, sizeof entries - size)) > 0) size += (size_t)got;
    if (got < 0) return false; /* Also where not all of it fits. */
    unsigned count = 0;
    for (size_t at = 0; at < size; at += load_u16(entries + at + length_at)) {
        const char *name = (const char *)entries + at + name_at;
        if (text_equal(name, ".") || text_equal(name, "..")) continue;
        if (count == NAMES_MOST) return false;
        names[count++] = name;
    }
    sort_names(count);
    for (unsigned i = 0; i < count; i++)
        for (const char *name = names[i];; name++) {
            listing[length++] = (uint8_t)*name; /* Shorter than the entries that it comes from. */
            if (*name == 0) break;
        }
    sha256(listing, length, digest);
    return true;
}

static bool unchanged(int file, const struct file_status *before) {
    struct file_status now;
    uint8_t identity[2][AT_DIGEST];
    if (sys_status(file, "", AT_EMPTY_PATH, &now) < 0) return false;
    store_identity(identity[0], before);
    store_identity(identity[1], &now);
    return bytes_equal(identity[0], identity[1], AT_DIGEST);
}

/* NULL where the times do not tell one state from another: whole seconds are those of file systems that have no others, or make them up. */
static struct block *block_for(const struct file_status *status, uint32_t type) {
    if (table < 0 || (status->mode & FILE_TYPE) != type || status->ctime_ns % SECOND_NS == 0) return NULL;
    return block_of(status);
}

static bool read_contents(int directory, const char *path, const struct file_status *status, struct block *block, uint8_t *digest) {
    const bool is_directory = (status->mode & FILE_TYPE) == DIRECTORY;
    const uint64_t changed_ns = status->mtime_ns > status->ctime_ns ? status->mtime_ns : status->ctime_ns;
    if (changed_ns + RACY_NS > opened_ns) return false;
    const int file = sys_open(directory, path, O_RDONLY | O_NONBLOCK | (is_directory ? O_DIRECTORY : 0), 0);
    if (file < 0) return false;
    bool read = is_directory ? hash_listing(file, digest) : hash_file(file, status, digest);
    read = read && unchanged(file, status); /* Also what lies at the path: it had this identity before it was opened. */
    sys_close(file);
    if (read && changed_ns + LASTING_NS <= opened_ns) remember(block, status, digest);
    return read;
}

bool contents_of_file(int directory, const char *path, const struct file_status *status, uint8_t digest[SHA256_BYTES]) {
    struct block *block = block_for(status, REGULAR_FILE);
    const enum known known = block == NULL ? DOUBTFUL : look_up(block, status, digest);
    if (known != UNKNOWN) return known == KNOWN;
    /* Being truncated: see look_up. */
    if (status->size == 0 && status->blocks > EMPTY_BLOCKS_MOST) return false;
    return read_contents(directory, path, status, block, digest);
}

bool contents_of_directory(int directory, const char *path, const struct file_status *status, bool read, uint8_t digest[SHA256_BYTES]) {
    struct block *block = block_for(status, DIRECTORY);
    const enum known known = block == NULL ? DOUBTFUL : look_up(block, status, digest);
    if (known != UNKNOWN) return known == KNOWN;
    return read && read_contents(directory, path, status, block, digest);
}
