/*
 * What files contain, and which names directories list, as SHA-256: remembered by stat identity in a table that all wrappers share.
 * docs/protocol/hot-record.md.
 */
#ifndef CAIRN_CONTENTS_H
#define CAIRN_CONTENTS_H

#include "hash.h"
#include "sys.h"

/* False where there is no table: then contents are not known. */
bool contents_open(int run_directory);

/*
 * The content of a file, or the listing of a directory, that has `status` at `path` in `directory`. False where it is too young to be
 * believed, changes, cannot be read, or is neither.
 */
bool contents_of(int directory, const char *path, const struct file_status *status, uint8_t digest[SHA256_BYTES]);

#endif
