/*
 * The request: everything about one compiler invocation that the daemon must know, as the COMPILE frame's bytes.
 * Its key also names the hot record. docs/protocol/compile-socket.md.
 */
#ifndef CAIRN_REQUEST_H
#define CAIRN_REQUEST_H

#include "compiler.h"
#include "hash.h"

/* Why the daemon is asked; the numbers are the protocol's. */
enum why {
    NO_RECORD = 0,
    INPUT_CHANGED = 1,
    BLOB_DAMAGED = 2,
    RECORD_UNREADABLE = 3,
    RECORD_UNUSABLE = 4,
    ANSWER_OUTDATED = 5,
};

struct request {
    uint8_t *frame;
    size_t size;
    const uint8_t *key; /* SHA256_BYTES, inside the frame. */
    struct terminal standard_output, standard_error;
};

/* False when no request can be made of this invocation: run the compiler. */
bool request_make(struct request *request, const struct compiler *compiler, const struct settings *settings);

/*
 * The key that the request has in every checkout, where `root` is this one's: of a movable record. docs/protocol/hot-record.md.
 * False where there is no memory for it.
 */
bool request_movable_key(const struct request *request, struct span root, uint8_t key[SHA256_BYTES]);

/* The working directory, absolute. */
struct span request_directory(const struct request *request);

void request_set_why(struct request *request, enum why why);
enum why request_why(const struct request *request);

#endif
