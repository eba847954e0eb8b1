/*
 * Dependency files that are written for the checkout at hand: docs/protocol/hot-record.md, outputs of kind 2.
 */
#ifndef CAIRN_RULE_H
#define CAIRN_RULE_H

#include "bytes.h"

/* The text that the compiler would have written, in memory that stays; no bytes at all where the rule is none. */
struct span rule_write(struct span rule, struct span root);

#endif
