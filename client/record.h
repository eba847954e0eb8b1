/*
 * Hot records: the daemon's answer to a request, left in a file or sent in a DONE frame. docs/protocol/hot-record.md.
 */
#ifndef CAIRN_RECORD_H
#define CAIRN_RECORD_H

#include "bytes.h"

#define OUTPUTS_MOST 64 /* A compile writes two or three files. */

enum output_mode { OUTPUT_REPLACED = 0, OUTPUT_OVERWRITTEN = 1 };

struct output {
    enum output_mode mode;
    struct span path; /* See path_add_located. */
    uint32_t crc;
    uint64_t size;
    const uint8_t *digest; /* 32 bytes; names the blob. */
    bool in_record;
    struct span content; /* When it is in the record. */
};

struct record {
    bool validated; /* The sender has just checked the inputs. Means nothing in a file. */
    uint32_t compile_ms;
    struct span store_directory;
    struct span standard_output, standard_error;
    unsigned output_count;
    struct output outputs[OUTPUTS_MOST];
    /* What record_check goes through. */
    bool movable;
    struct span root; /* Of the checkout at hand, for a movable one. */
    unsigned input_count, absence_count;
    struct reader inputs, absences;
};

enum record_read { RECORD_READ, RECORD_ABSENT, RECORD_DAMAGED, RECORD_TOO_LARGE };

/* No checkout: what the key names is a record of this very request, and no movable one. */
#define NO_CHECKOUT ((struct span){NULL, 0})

/* Reads `<run>/hot/<key>`; its bytes stay in memory that belongs to record.c. `root` is that of the checkout for a movable record. */
enum record_read record_load(struct record *record, int run_directory, const uint8_t key[32], struct span root);

/* Takes the bytes apart; they must outlive the record. Every length is checked here, once. */
enum record_read record_parse(struct record *record, struct span bytes, const uint8_t key[32], struct span root);

/* How the world differs from the record. */
struct record_state {
    bool holds;          /* Inputs are unchanged, and nothing has appeared. */
    bool deserves_refresh; /* It holds, but names had to be looked for one by one. */
};

struct record_state record_check(const struct record *record);

#endif
