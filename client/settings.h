/*
 * What the environment tells this program: its own variables, and those that matter to compilers (environment.h).
 */
#ifndef CAIRN_SETTINGS_H
#define CAIRN_SETTINGS_H

#include "bytes.h"
#include "environment.h"

#define COUNT_ONE(name) +1
enum { VARIABLES_THAT_MATTER = 0 ENVIRONMENT_THAT_MATTERS(COUNT_ONE) };

struct settings {
    /* Whole assignments, K=V, or NULL where unset; in the order of environment.h. */
    const char *variables[VARIABLES_THAT_MATTER];
    size_t variable_count; /* Of all variables, for whoever copies the environment. */
    const char *path;      /* PATH's value, or what a shell takes without it. */
    uint64_t session;      /* CAIRN_SESSION, 0 for none. */
    unsigned depth;        /* CAIRN_DEPTH: wrappers around this one. */
    bool disabled;
    bool no_autostart;
    /* Values of these, NULL where unset or empty. */
    const char *cairn_home, *xdg_runtime_directory, *xdg_state_home, *home;
};

void settings_read(struct settings *settings);

/* The run directory (docs/protocol/compile-socket.md): false when nothing says where it is. */
bool settings_run_directory(const struct settings *settings, struct path *path);

#endif
