/*
 * Putting a record's outputs where the compiler would have put them.
 */
#ifndef CAIRN_PLACE_H
#define CAIRN_PLACE_H

#include "record.h"

enum placed {
    PLACED,
    PLACE_BLOB_DAMAGED, /* Missing or damaged; nothing was touched. */
    PLACE_IMPOSSIBLE,   /* Something is in the way, or the disk is full: only the compiler can tell the user. */
};

/* Every output is verified before the first one is touched, and again while it is written. */
enum placed outputs_place(const struct record *record);

#endif
