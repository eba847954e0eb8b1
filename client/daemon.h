/*
 * The conversation with the resident daemon: docs/protocol/compile-socket.md. Whatever goes wrong, the answer is NOT_OURS.
 */
#ifndef CAIRN_DAEMON_H
#define CAIRN_DAEMON_H

#include "compiler.h"
#include "record.h"
#include "request.h"
#include "run.h"

enum answer_kind {
    NOT_OURS, /* Execute the compiler. */
    DONE,     /* Place the record's outputs. */
    RUN,      /* Run the compiler and report. */
};

struct answer {
    enum answer_kind kind;
    struct record *record;
    uint64_t job;
    bool rivalled; /* The compiler of another machine may be first: daemon_overtakes. */
    struct changes changes;
    int socket; /* Open while kind is RUN. */
};

/* The run directory, open; negative when there is none that may be believed. Starts a daemon where there never was one. */
int daemon_run_directory(const struct settings *settings, struct path *path);

void daemon_ask(struct answer *answer, const struct request *request, int run_directory, const struct path *run_path,
                const struct settings *settings);

/*
 * Looks at what the daemon says while the compiler runs. DONE: another machine was first, and the answer's record is what it made.
 * RUN: not so far. NOT_OURS: nothing will come any more.
 */
enum answer_kind daemon_overtakes(struct answer *answer, const struct request *request);

/* Reports a finished run and waits until the daemon has stored what it wants of it. */
void daemon_report(const struct answer *answer, const struct run *run);

#endif
