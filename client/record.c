/*
 * Reading and checking hot records: see record.h.
 *
 * Knows: the formats of hot and movable records, stat. Does not know: where outputs go, who wrote the record.
 */
#include "record.h"

#include "contents.h"
#include "frames.h"
#include "hash.h"
#include "messages.h"
#include "rule.h"
#include "sys.h"

#define HEADER_BYTES 64
#define AT_SIZE 8
#define AT_CHECKSUM 12
#define AT_KEY 16
#define AT_FLAGS 48
#define FLAG_VALIDATED 1
#define FLAG_MOVABLE 2
#define FLAG_NAMES_ROOT 4
#define UNLISTED 0xffff /* In the place of a number of names. */

/*
 * Directories of the record that is being looked at. One that holds several inputs is opened once: looking a name up in an open
 * directory saves the kernel the walk to it, a third of a stat's cost.
 */
struct directory {
    uint32_t length;
    uint16_t inputs; /* Saturates. */
    int16_t file;    /* 0: not opened. */
    const uint8_t *name;
};

#define WORTH_OPENING 5 /* Opening costs as much as five walks. */
#define OPEN_MOST 40    /* Below 64 open files the kernel need not enlarge the table of them. */

static struct directory directories[65536]; /* Pages that stay untouched cost nothing. */
static unsigned directory_count;

/* By what a file or directory is known again: its stat fingerprint, or its content. */
struct mark {
    uint32_t words[2];
    const uint8_t *digest; /* NULL: the fingerprint. */
};

static bool read_mark(struct reader *reader, const struct record *record, struct mark *mark) {
    const uint8_t kind = record->movable ? read_u8(reader) : 0;
    *mark = (struct mark){.digest = NULL};
    if (kind == 1) {
        mark->digest = read_bytes(reader, SHA256_BYTES);
    } else {
        mark->words[0] = read_u32(reader);
        mark->words[1] = read_u32(reader);
    }
    return kind <= 1;
}

static void expect_lookups(unsigned directory, unsigned count) {
    const unsigned sum = directories[directory].inputs + count;
    directories[directory].inputs = sum < UINT16_MAX ? (uint16_t)sum : UINT16_MAX;
}

static void read_directories(struct reader *reader, unsigned count) {
    directory_count = count;
    for (unsigned i = 0; i < count; i++) {
        const struct span name = read_span(reader, read_u16(reader));
        directories[i] = (struct directory){.length = (uint32_t)name.size, .name = name.at};
    }
}

/* False when an input names a directory that is not in the table. */
static bool skip_inputs(struct reader *reader, const struct record *record) {
    for (unsigned i = 0; i < record->input_count; i++) {
        struct mark mark;
        const unsigned directory = read_u16(reader);
        const size_t name_size = read_u16(reader);
        if (!read_mark(reader, record, &mark) || directory >= directory_count) return false;
        read_bytes(reader, name_size);
        expect_lookups(directory, 1);
    }
    return true;
}

/* How many names follow, where they are listed. */
static unsigned listed_names(unsigned names) {
    return names == UNLISTED ? 0 : names;
}

static bool skip_absences(struct reader *reader, const struct record *record) {
    for (unsigned i = 0; i < record->absence_count && !reader->short_of; i++) {
        struct mark mark;
        const unsigned directory = read_u16(reader);
        const unsigned names = read_u16(reader);
        if (!read_mark(reader, record, &mark) || directory >= directory_count) return false;
        if (mark.digest != NULL && names == UNLISTED) return false;
        for (unsigned name = 0; name < listed_names(names) && !reader->short_of; name++) read_bytes(reader, read_u16(reader));
        if (mark.digest != NULL) expect_lookups(directory, names);
    }
    return true;
}

/* A dependency file that is written for this checkout. */
static bool write_rule(struct output *output, struct span root) {
    output->content = rule_write(output->content, root);
    output->size = output->content.size;
    output->crc = crc32(0, output->content.at, output->content.size);
    return output->size > 0;
}

static bool read_outputs(struct record *record, struct reader *reader) {
    for (unsigned i = 0; i < record->output_count; i++) {
        struct output *output = &record->outputs[i];
        const uint8_t kind = read_u8(reader), mode = read_u8(reader);
        const size_t path_size = read_u16(reader);
        output->crc = read_u32(reader);
        output->size = read_u64(reader);
        output->digest = read_bytes(reader, SHA256_BYTES);
        output->path = read_span(reader, path_size);
        output->mode = mode == 0 ? OUTPUT_REPLACED : OUTPUT_OVERWRITTEN;
        output->in_record = kind > 0;
        if (kind > (record->movable ? 2 : 1) || mode > 1 || path_size == 0) return false;
        if (output->in_record) output->content = read_span(reader, output->size);
        if (kind == 2 && !write_rule(output, record->root)) return false;
    }
    return true;
}

/* What was printed, as it is in this checkout. */
static bool write_messages(struct record *record, struct reader *reader) {
    const uint32_t in_output = read_u32(reader), in_error = read_u32(reader);
    return messages_write(&record->standard_output, in_output, record->root) && messages_write(&record->standard_error, in_error, record->root);
}

enum record_read record_parse(struct record *record, struct span bytes, const uint8_t key[32], struct span root) {
    static const uint8_t magic[8] = {'C', 'A', 'I', 'R', 'N', 'H', 'R', '1'};
    if (bytes.size < HEADER_BYTES || !bytes_equal(bytes.at, magic, sizeof magic)) return RECORD_DAMAGED;
    if (load_u32(bytes.at + AT_SIZE) != bytes.size) return RECORD_DAMAGED;
    if (crc32(0, bytes.at + AT_KEY, bytes.size - AT_KEY) != load_u32(bytes.at + AT_CHECKSUM)) return RECORD_DAMAGED;
    if (!bytes_equal(bytes.at + AT_KEY, key, SHA256_BYTES)) return RECORD_DAMAGED;

    struct reader reader = {bytes.at + AT_FLAGS, bytes.at + bytes.size, false};
    const uint32_t flags = read_u32(&reader);
    record->validated = (flags & FLAG_VALIDATED) != 0;
    record->movable = (flags & FLAG_MOVABLE) != 0;
    record->root = root;
    if (record->movable != (root.size > 0)) return RECORD_DAMAGED;
    record->compile_ms = read_u32(&reader);
    record->input_count = read_u16(&reader);
    record->absence_count = read_u16(&reader);
    record->output_count = read_u16(&reader);
    const unsigned count = read_u16(&reader);
    if (record->output_count > OUTPUTS_MOST) return RECORD_TOO_LARGE;

    record->store_directory = read_span(&reader, read_u16(&reader));
    read_directories(&reader, count);
    record->inputs = reader;
    if (!skip_inputs(&reader, record)) return RECORD_DAMAGED;
    record->absences = reader;
    if (!skip_absences(&reader, record)) return RECORD_DAMAGED;
    if (!read_outputs(record, &reader)) return RECORD_DAMAGED;
    record->standard_output = read_span(&reader, read_u32(&reader));
    record->standard_error = read_span(&reader, read_u32(&reader));
    if (record->movable)
        for (int i = 0; i < 3; i++) read_bytes(&reader, read_u16(&reader)); /* Where and of what it was made, for the daemon. */
    if (record->movable && (flags & FLAG_NAMES_ROOT) != 0 && !write_messages(record, &reader)) return RECORD_DAMAGED;
    return reader.short_of || reader.at != reader.end ? RECORD_DAMAGED : RECORD_READ;
}

/* Reads on where `first` is not all. */
static struct span read_large(int file, const uint8_t *first, size_t first_size) {
    const struct span nothing = {first, 0};
    const size_t size = load_u32(first + AT_SIZE);
    if (size <= first_size || size > FRAME_BYTES_MOST) return nothing;
    uint8_t *whole = sys_allocate(size);
    if (whole == NULL) return nothing;
    for (size_t i = 0; i < first_size; i++) whole[i] = first[i];
    const long rest = sys_read_fully(file, whole + first_size, size - first_size);
    if (rest < 0) return nothing;
    return (struct span){whole, first_size + (size_t)rest};
}

enum record_read record_load(struct record *record, int run_directory, const uint8_t key[32], struct span root) {
    static uint8_t usual[64 * 1024]; /* Most records fit with one read. */
    path_cut(&scratch, 0);
    path_add_text(&scratch, "hot/");
    path_add_key(&scratch, key);
    const int file = sys_open(run_directory, scratch.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (file < 0) return file == -ENOENT ? RECORD_ABSENT : RECORD_DAMAGED;
    const long size = sys_read(file, usual, sizeof usual);
    struct span bytes = {usual, size < 0 ? 0 : (size_t)size};
    if (bytes.size == sizeof usual && load_u32(usual + AT_SIZE) > sizeof usual) bytes = read_large(file, usual, sizeof usual);
    sys_close(file);
    return record_parse(record, bytes, key, root);
}

static void set_path(struct path *path, const struct directory *directory, const struct record *record) {
    path_cut(path, 0);
    path_add_located(path, record->root, (struct span){directory->name, directory->length});
}

/* "directory/", or nothing where the name stands alone. */
static void start_path(struct path *path, const struct directory *directory, const struct record *record) {
    set_path(path, directory, record);
    if (directory->length > 0) path_add_text(path, "/");
}

/* Where a name is looked for; `path` becomes what it is there. */
static int locate(struct directory *directory, const struct record *record, struct span name, struct path *path) {
    static unsigned open_count;
    if (directory->file == 0 && directory->inputs >= WORTH_OPENING && directory->length > 0 && open_count < OPEN_MOST) {
        start_path(path, directory, record);
        const int file = path->unfit ? -ENAMETOOLONG : sys_open(AT_FDCWD, path->text, O_PATH | O_DIRECTORY, 0);
        directory->file = file > 0 ? (int16_t)file : -1;
        open_count++;
    }
    if (directory->file > 0)
        path_cut(path, 0);
    else
        start_path(path, directory, record);
    path_add(path, name.at, name.size);
    return directory->file > 0 ? directory->file : AT_FDCWD;
}

static int status_at(int directory, const struct path *path, int flags, struct file_status *status) {
    return path->unfit ? -ENAMETOOLONG : sys_status(directory, path->text, flags, status);
}

static bool has_fingerprint(const struct file_status *status, const struct mark *mark) {
    const struct fingerprint print = fingerprint_of(status);
    return print.words[0] == mark->words[0] && print.words[1] == mark->words[1];
}

/* `directory` and `path` lead to what has `status`. */
static bool is_input(const struct mark *mark, int directory, const struct path *path, const struct file_status *status) {
    uint8_t digest[SHA256_BYTES];
    if (mark->digest == NULL) return has_fingerprint(status, mark);
    return contents_of_file(directory, path->text, status, digest) && bytes_equal(digest, mark->digest, SHA256_BYTES);
}

#define LOOKED_FOR_MOST 16 /* So many names are looked for sooner than a directory is listed that may change while a build goes on. */

static bool is_watched(const struct mark *mark, const struct path *path, const struct file_status *status, unsigned names) {
    uint8_t digest[SHA256_BYTES];
    if (mark->digest == NULL) return has_fingerprint(status, mark);
    return contents_of_directory(AT_FDCWD, path->text, status, names > LOOKED_FOR_MOST, digest) &&
           bytes_equal(digest, mark->digest, SHA256_BYTES);
}

/* Of a file too young to be believed, or where it is not known. */
static bool is_blank(const struct mark *mark) {
    static const uint8_t unknown[SHA256_BYTES];
    if (mark->digest != NULL) return bytes_equal(mark->digest, unknown, SHA256_BYTES);
    return (mark->words[0] | mark->words[1]) == 0;
}

static bool inputs_unchanged(const struct record *record, struct path *path) {
    struct reader reader = record->inputs;
    for (unsigned i = 0; i < record->input_count; i++) {
        struct directory *directory = &directories[read_u16(&reader)];
        const size_t name_size = read_u16(&reader);
        struct mark mark;
        struct file_status status;
        if (!read_mark(&reader, record, &mark) || is_blank(&mark)) return false;
        const int at = locate(directory, record, read_span(&reader, name_size), path);
        if (status_at(at, path, 0, &status) < 0 || !is_input(&mark, at, path, &status)) return false;
    }
    return true;
}

static bool is_missing(int error) { return error == -ENOENT || error == -ENOTDIR; }

/* Whether the watched directory is as it was: then nothing has appeared in it. In another checkout it may be missing as a whole. */
static bool watched_unchanged(const struct directory *directory, const struct record *record, struct path *path, const struct mark *mark,
                              unsigned names) {
    struct file_status status;
    if (is_blank(mark)) return false;
    set_path(path, directory, record);
    if (directory->length == 0) path_add_text(path, ".");
    const int error = status_at(AT_FDCWD, path, 0, &status);
    if (error < 0) return mark->digest != NULL && is_missing(error);
    return is_watched(mark, path, &status, names);
}

static bool nothing_appeared(const struct record *record, struct path *path, bool *looked) {
    struct reader reader = record->absences;
    for (unsigned i = 0; i < record->absence_count; i++) {
        struct directory *directory = &directories[read_u16(&reader)];
        const unsigned names = read_u16(&reader);
        struct mark mark;
        if (!read_mark(&reader, record, &mark)) return false;
        const bool unchanged = watched_unchanged(directory, record, path, &mark, names);
        if (!unchanged && names == UNLISTED) return false;
        if (!unchanged) *looked = true;
        for (unsigned name = 0; name < listed_names(names); name++) {
            const struct span text = read_span(&reader, read_u16(&reader));
            struct file_status status;
            if (unchanged) continue;
            const int at = locate(directory, record, text, path);
            /* For a compiler a link that leads nowhere is nothing; what it stands for in another checkout only the daemon can tell. */
            const int flags = record->movable ? AT_SYMLINK_NOFOLLOW : 0;
            if (!is_missing(status_at(at, path, flags, &status))) return false;
        }
    }
    return true;
}

struct record_state record_check(const struct record *record) {
    struct record_state state = {false, false};
    state.holds = inputs_unchanged(record, &scratch) && nothing_appeared(record, &scratch, &state.deserves_refresh);
    return state;
}
