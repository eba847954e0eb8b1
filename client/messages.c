/*
 * Writing messages for a checkout: see messages.h.
 */
#include "messages.h"

#include "frames.h"
#include "sys.h"

static uint32_t count_marks(struct span text) {
    uint32_t marks = 0;
    for (size_t i = 0; i < text.size; i++) marks += text.at[i] == 0;
    return marks;
}

/* The same as isSpelledOtherwise in src/flows/prove-place.ts. A root with a blank in it is no checkout's. */
static bool is_printed_as_it_is(struct span root) {
    for (size_t i = 0; i < root.size; i++)
        if (root.at[i] <= ' ' || root.at[i] > '~' || root.at[i] == '"' || root.at[i] == '\\') return false;
    return true;
}

bool messages_write(struct span *text, uint32_t marks, struct span root) {
    if (count_marks(*text) != marks) return false;
    if (marks == 0) return true;
    const uint64_t size = text->size - marks + (uint64_t)marks * root.size;
    if (size > FRAME_BYTES_MOST || !is_printed_as_it_is(root)) return false;
    uint8_t *const written = sys_allocate((size_t)size);
    if (written == NULL) return false;
    uint8_t *at = written;
    for (size_t i = 0; i < text->size; i++) {
        if (text->at[i] != 0) {
            *at++ = text->at[i];
            continue;
        }
        for (size_t j = 0; j < root.size; j++) *at++ = root.at[j];
    }
    *text = (struct span){written, (size_t)size};
    return true;
}
