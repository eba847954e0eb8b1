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
 * The content of the file that has `status` at `path` in `directory`. False where it is too young to be believed, changes, cannot be read,
 * or is no file.
 */
bool contents_of_file(int directory, const char *path, const struct file_status *status, uint8_t digest[SHA256_BYTES]);

/* The same of a directory's listing. Without `read`: only where it is known. */
bool contents_of_directory(int directory, const char *path, const struct file_status *status, bool read, uint8_t digest[SHA256_BYTES]);

#endif
