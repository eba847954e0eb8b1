/*
 * Starting a daemon in the background where none answers.
 */
#ifndef CAIRN_START_H
#define CAIRN_START_H

#include "settings.h"

/* Executes `start` beside this program's real path, at most once in ten seconds, and does not wait for it. */
void daemon_start(int run_directory, const struct settings *settings);

#endif
