/*
 * The compiler itself: finding it, and executing it.
 */
#ifndef CAIRN_COMPILER_H
#define CAIRN_COMPILER_H

#include "bytes.h"
#include "settings.h"

struct compiler {
    const char *name;  /* As it was asked for; for messages. */
    struct path path;  /* Where it is. */
    char **argv;       /* As it is to see it. */
    int argument_count;
};

#define EXIT_NOT_EXECUTABLE 126 /* As a shell says it. */
#define EXIT_NOT_FOUND 127

/* Looks along PATH, past this program itself under any name. A name with a slash is taken as it is. False: not found. */
bool compiler_find(struct compiler *compiler, const char *path_variable);

/* Lists of texts to work into the compiler's arguments and environment; see the frame RUN. */
struct changes {
    const char *const *arguments; /* To go before the first argument. */
    size_t argument_count;
    const char *const *environment; /* K=V sets, K unsets. */
    size_t environment_count;
};

/* Executes the compiler in this process's place; `changes` may be NULL. Comes back only as an exit code, with a message printed. */
int compiler_execute(const struct compiler *compiler, const struct settings *settings, const struct changes *changes);

/* Prints "cairn: <name>: <text>" on stderr. */
void complain(const char *name, const char *text);

#endif
