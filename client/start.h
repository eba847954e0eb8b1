/*
 * Starting a daemon in the background where none answers.
 */
#ifndef CAIRN_START_H
#define CAIRN_START_H

#include <stdbool.h>

#include "settings.h"

/* Whether there is a `start` beside this program's real path, and nobody has executed it for ten seconds; then nobody else will for the next ten. */
bool daemon_may_start(int run_directory, const struct settings *settings);

/* Executes it, when that may be, and does not wait for it. */
void daemon_start(void);

#endif
