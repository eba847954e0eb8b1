/*
 * Placing outputs: see place.h.
 *
 * Knows: blobs, destinations, checksums. Does not know: why these outputs.
 */
#include "place.h"

#include "hash.h"
#include "sys.h"

#define FILE_TYPE 0170000
#define REGULAR_FILE 0100000
#define SYMBOLIC_LINK 0120000
#define NEW_FILE_MODE 0666

/*
 * Blobs are read in small pieces into the same few pages, once to verify them and once to copy them: under a hypervisor, touching a
 * new page of memory costs more than reading its content a second time.
 */
static uint8_t piece[16 * 1024];

/* An output on its way. */
struct source {
    int blob;               /* Open, or -1 when the content is in the record. */
    uint64_t existing_size; /* Of the file that is to be overwritten. */
};

static bool write_fully(int file, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        const long put = sys_write(file, bytes, size);
        if (put <= 0) return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

/* Reads the whole blob and copies it to `target` unless that is negative. True when it was right and was written. */
static bool pass_blob(const struct output *output, int blob, int target) {
    uint32_t crc = 0;
    uint64_t size = 0;
    while (size <= output->size) {
        const long got = sys_read(blob, piece, sizeof piece);
        if (got < 0) return false;
        if (got == 0) break;
        size += (uint64_t)got;
        crc = crc32(crc, piece, (size_t)got);
        if (target >= 0 && !write_fully(target, piece, (size_t)got)) return false;
    }
    return size == output->size && crc == output->crc;
}

static int open_blob(const struct record *record, const struct output *output) {
    path_cut(&scratch, 0);
    path_add(&scratch, record->store_directory.at, record->store_directory.size);
    path_add_text(&scratch, "/");
    path_add_key(&scratch, output->digest);
    if (scratch.unfit || scratch.text[0] != '/') return -ENAMETOOLONG;
    return sys_open(AT_FDCWD, scratch.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

static bool verify(const struct record *record, const struct output *output, struct source *source) {
    if (output->in_record) return crc32(0, output->content.at, output->content.size) == output->crc;
    source->blob = open_blob(record, output);
    return source->blob >= 0 && pass_blob(output, source->blob, -1);
}

static const char *destination(const struct record *record, const struct output *output) {
    path_cut(&scratch, 0);
    path_add_located(&scratch, record->root, output->path);
    return scratch.unfit ? "" : scratch.text; /* "" is nowhere to the system. */
}

/* Whether the output may go there. Devices, pipes and directories are left to the compiler. */
static bool destination_free(const struct record *record, const struct output *output, struct source *source) {
    struct file_status status;
    const bool overwritten = output->mode == OUTPUT_OVERWRITTEN;
    const int error = sys_status(AT_FDCWD, destination(record, output), overwritten ? 0 : AT_SYMLINK_NOFOLLOW, &status);
    if (error < 0) return error == -ENOENT && !scratch.unfit;
    const uint32_t type = status.mode & FILE_TYPE;
    source->existing_size = status.size;
    if (type != SYMBOLIC_LINK) return type == REGULAR_FILE;
    /* The assembler writes through a link that leads nowhere. */
    return sys_status(AT_FDCWD, destination(record, output), 0, &status) == 0;
}

/*
 * A replaced file is unlinked, as the assembler does it. That is also a matter of speed: ext4 flushes a file to the disk that was
 * truncated to nothing or renamed over, for a millisecond. So a file to be overwritten is cut to its size only in the end.
 */
static int open_target(const struct record *record, const struct output *output) {
    const char *path = destination(record, output);
    if (output->mode == OUTPUT_OVERWRITTEN) return sys_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_NONBLOCK, NEW_FILE_MODE);
    const int error = sys_unlink(AT_FDCWD, path);
    if (error < 0 && error != -ENOENT) return error;
    return sys_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, NEW_FILE_MODE);
}

static bool write_output(const struct record *record, const struct output *output, const struct source *source) {
    const int target = open_target(record, output);
    if (target < 0) return false;
    bool right = output->in_record ? write_fully(target, output->content.at, output->content.size)
                                   : sys_rewind(source->blob) == 0 && pass_blob(output, source->blob, target);
    const bool overwritten = output->mode == OUTPUT_OVERWRITTEN;
    if (overwritten && source->existing_size > output->size) right = right && sys_cut(target, output->size) == 0;
    if (overwritten && !right) sys_cut(target, 0);
    /* Some file systems tell only here that the disk is full. */
    right = sys_close(target) == 0 && right;
    if (!overwritten && !right) sys_unlink(AT_FDCWD, destination(record, output));
    return right;
}

enum placed outputs_place(const struct record *record) {
    struct source sources[OUTPUTS_MOST];
    enum placed result = PLACED;
    for (unsigned i = 0; i < record->output_count; i++) {
        sources[i] = (struct source){.blob = -1};
        if (result != PLACED) continue;
        if (!destination_free(record, &record->outputs[i], &sources[i]))
            result = PLACE_IMPOSSIBLE;
        else if (!verify(record, &record->outputs[i], &sources[i]))
            result = PLACE_BLOB_DAMAGED;
    }
    /* An interrupted build must not keep half an object: the next one would take it for a whole one. */
    const signal_set mask = sys_block_signals(~(signal_set)0);
    for (unsigned i = 0; result == PLACED && i < record->output_count; i++)
        if (!write_output(record, &record->outputs[i], &sources[i])) result = PLACE_IMPOSSIBLE;
    sys_set_signal_mask(mask);
    for (unsigned i = 0; i < record->output_count; i++)
        if (sources[i].blob >= 0) sys_close(sources[i].blob);
    return result;
}
