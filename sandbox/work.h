/*
 * A directory to work in: it looks like that of the inputs, and the program may write in it.
 */
#ifndef CAIRN_WORK_H
#define CAIRN_WORK_H

#include <stdint.h>

/* `outputs` are paths below it; the directories that lead there are made. Returns how many files, directories and links it has made. */
uint64_t lay_out_work(char **outputs, int count);

/* Tells what lies at the outputs, directories with all that is in them, up to so many bytes. Everything else must be dead. */
void tell_work(char **outputs, int count, uint64_t most);

#endif
