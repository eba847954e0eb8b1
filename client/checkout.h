/*
 * Where a checkout begins: the directory that movable records put in the place of their own. docs/protocol/hot-record.md.
 */
#ifndef CAIRN_CHECKOUT_H
#define CAIRN_CHECKOUT_H

#include "bytes.h"

/*
 * Of the working directory `from`. `home` (which may be NULL) is no checkout. False where it lies in none, or in one whose name make or an option
 * would read as something else.
 */
bool checkout_find(struct path *root, struct span from, const char *home);

#endif
