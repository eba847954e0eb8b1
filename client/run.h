/*
 * Running the compiler as a child, showing what it prints and keeping a copy.
 */
#ifndef CAIRN_RUN_H
#define CAIRN_RUN_H

#include "compiler.h"
#include "request.h"
#include "sys.h"

/* Somebody else who does the same. */
struct rival {
    int file;                               /* To be read when there is something to look at; negative: nothing comes. */
    bool (*is_first)(struct rival *rival); /* Looks. */
    void *context;
};

struct run {
    bool started;       /* False: nothing has happened, the compiler may be executed instead. */
    bool complete;      /* Everything that it printed is here, and nobody interrupted it. */
    bool needless;      /* The rival was first: the compiler was stopped before it had printed anything. What it has written is unfinished. */
    bool settled;       /* Nothing that the compiler started is left, and nobody holds its streams: nobody writes its outputs any more. */
    int interrupted_by; /* The signal that ended the build, 0 for none. */
    struct usage usage;
    uint64_t started_ns, ended_ns; /* Time of day. */
    uint64_t steady_ns;            /* Between them, by the steady clock. */
    struct span standard_output, standard_error;
    struct span dependencies; /* What was written to the file that an empty argument of the daemon's stands for. */
};

/* `rival` may be NULL; it is not heeded where not all that the compiler starts could be stopped. */
void compiler_run(struct run *run, const struct compiler *compiler, const struct settings *settings, const struct changes *changes,
                  const struct request *request, struct rival *rival);

#endif
