/*
 * What a compiler printed, for the checkout at hand: docs/protocol/hot-record.md, movable records with flag bit 2.
 */
#ifndef CAIRN_MESSAGES_H
#define CAIRN_MESSAGES_H

#include "bytes.h"

/*
 * Puts `root` in the place of each of the `marks` zero bytes of the text, which is then in memory that stays. False where there are not so many, where
 * it would become too long, and where compilers may print that root in another way.
 */
bool messages_write(struct span *text, uint32_t marks, struct span root);

#endif
