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
#define PERMISSIONS 07777
#define NEW_FILE_MODE 0666

/*
 * Blobs are read in small pieces into the same few pages, once to verify them and once to copy them: under a hypervisor, touching a
 * new page of memory costs more than reading its content a second time.
 */
static uint8_t piece[16 * 1024];

/* An output on its way. */
struct source {
    int blob; /* Open, or -1 when the content is in the record. */
    struct path destination;
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

/* Reads the whole blob, copies it to `target` unless that is negative, and tells whether size and checksum are right. */
static bool pass_blob(const struct output *output, int blob, int target, bool *written) {
    uint32_t crc = 0;
    uint64_t size = 0;
    *written = true;
    for (;;) {
        const long got = sys_read(blob, piece, sizeof piece);
        if (got < 0) return false;
        if (got == 0) break;
        size += (uint64_t)got;
        if (size > output->size) return false;
        crc = crc32(crc, piece, (size_t)got);
        if (target >= 0 && !write_fully(target, piece, (size_t)got)) *written = false;
        if (!*written) return true;
    }
    return size == output->size && crc == output->crc;
}

static int open_blob(const struct record *record, const struct output *output) {
    static const char digits[] = "0123456789abcdef";
    static struct path path;
    path_cut(&path, 0);
    path_add(&path, record->store_directory.at, record->store_directory.size);
    for (int i = 0; i < SHA256_BYTES; i++) {
        const char two[3] = {digits[output->digest[i] >> 4], digits[output->digest[i] & 15], '/'};
        if (i == 0) path_add_text(&path, "/");
        path_add(&path, two, i == 0 ? 3 : 2);
    }
    if (path.unfit || path.text[0] != '/') return -ENAMETOOLONG;
    return sys_open(AT_FDCWD, path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

static bool verify(const struct record *record, const struct output *output, struct source *source) {
    if (output->in_record) return crc32(0, output->content.at, output->content.size) == output->crc;
    bool written;
    source->blob = open_blob(record, output);
    return source->blob >= 0 && pass_blob(output, source->blob, -1, &written);
}

/* An overwriting compiler keeps owner, links and permissions of what is there. Replacing it is the same only where these are what a new
 * file would get. */
static bool like_new(const struct file_status *status) {
    const unsigned mask = sys_umask(077);
    sys_umask(mask);
    return (status->mode & FILE_TYPE) == REGULAR_FILE && status->links == 1 && status->owner == sys_user() &&
           (status->mode & PERMISSIONS) == (NEW_FILE_MODE & ~mask);
}

/* Whether what lies at the destination may be unlinked. Devices, pipes and directories are left to the compiler. */
static bool destination_free(const struct output *output, struct path *destination) {
    struct file_status status;
    path_cut(destination, 0);
    path_add(destination, output->path.at, output->path.size);
    if (destination->unfit) return false;
    const int error = sys_status(AT_FDCWD, destination->text, AT_SYMLINK_NOFOLLOW, &status);
    if (error == -ENOENT) return true;
    if (error < 0) return false;
    if (output->mode == OUTPUT_OVERWRITTEN) return like_new(&status);
    return (status.mode & FILE_TYPE) == REGULAR_FILE || (status.mode & FILE_TYPE) == SYMBOLIC_LINK;
}

/* Unlinking first is also a matter of speed: ext4 flushes a file to the disk that was truncated or renamed over, for a millisecond. */
static bool write_output(const struct output *output, const struct source *source) {
    const char *path = source->destination.text;
    const int error = sys_unlink(AT_FDCWD, path);
    if (error < 0 && error != -ENOENT) return false;
    const int target = sys_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, NEW_FILE_MODE);
    if (target < 0) return false;
    bool written = true, right = true;
    if (output->in_record)
        written = write_fully(target, output->content.at, output->content.size);
    else
        right = sys_rewind(source->blob) == 0 && pass_blob(output, source->blob, target, &written);
    /* Some file systems tell only here that the disk is full. */
    if (sys_close(target) == 0 && written && right) return true;
    sys_unlink(AT_FDCWD, path);
    return false;
}

enum placed outputs_place(struct record *record) {
    static struct source sources[OUTPUTS_MOST];
    for (unsigned i = 0; i < record->output_count; i++) sources[i].blob = -1;
    enum placed result = PLACED;
    for (unsigned i = 0; result == PLACED && i < record->output_count; i++) {
        if (!destination_free(&record->outputs[i], &sources[i].destination)) result = PLACE_IMPOSSIBLE;
        else if (!verify(record, &record->outputs[i], &sources[i])) result = PLACE_BLOB_DAMAGED;
    }
    /* An interrupted build must not keep half an object: the next one would take it for a whole one. */
    const signal_set mask = sys_block_signals(~(signal_set)0);
    for (unsigned i = 0; result == PLACED && i < record->output_count; i++)
        if (!write_output(&record->outputs[i], &sources[i])) result = PLACE_IMPOSSIBLE;
    sys_set_signal_mask(mask);
    for (unsigned i = 0; i < record->output_count; i++)
        if (sources[i].blob >= 0) sys_close(sources[i].blob);
    return result;
}
