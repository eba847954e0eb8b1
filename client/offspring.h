/*
 * All that children of this process start, whoever of them starts it: orphans become our children, so that nobody is lost sight of.
 */
#ifndef CAIRN_OFFSPRING_H
#define CAIRN_OFFSPRING_H

#include <stdbool.h>

/* Before the first child. False where others' orphans could not be told from ours, or the kernel does not list children: nothing has changed. */
bool offspring_adopt(void);
void offspring_abandon(void);
/* Sends it to each child. What a child that ends leaves behind is a child of ours by the time that we hear of that end. */
void offspring_signal(int signal);
/* Once whoever counts has been waited for. False while anybody is left. */
bool offspring_ended(void);

#endif
