/*
 * Reading the environment in one pass: see settings.h.
 */
#include "settings.h"

#include "sys.h"

#define LONGEST_NAME 31 /* With its terminator, two names fill one cache line. */

#define CHECK_NAME(name) _Static_assert(sizeof #name <= LONGEST_NAME + 1, "raise LONGEST_NAME");
ENVIRONMENT_THAT_MATTERS(CHECK_NAME)

#define ONE_NAME(name) #name,
static const char names[VARIABLES_THAT_MATTER][LONGEST_NAME + 1] = {ENVIRONMENT_THAT_MATTERS(ONE_NAME)};

/* Below, equal or above 0 as the assignment's name sorts before, at or after `name`. */
static int compare_name(const char *assignment, const char *name) {
    while (*name != 0 && *assignment == *name) assignment++, name++;
    const unsigned char left = (unsigned char)(*assignment == '=' ? 0 : *assignment);
    return left - (unsigned char)*name;
}

static void keep_if_it_matters(struct settings *settings, const char *assignment) {
    int low = 0, high = VARIABLES_THAT_MATTER;
    while (low < high) {
        const int middle = (low + high) / 2;
        const int order = compare_name(assignment, names[middle]);
        if (order == 0) {
            if (settings->variables[middle] == NULL) settings->variables[middle] = assignment; /* The first counts, as for getenv. */
            return;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
}

/* The value when `assignment` sets `name`, NULL otherwise or when it is empty. */
static const char *value_of(const char *assignment, const char *name) {
    while (*name != 0)
        if (*assignment++ != *name++) return NULL;
    return assignment[0] == '=' && assignment[1] != 0 ? assignment + 1 : NULL;
}

static uint64_t hexadecimal(const char *digits) {
    uint64_t value = 0;
    int count = 0;
    for (; *digits != 0; digits++, count++) {
        const char digit = *digits;
        if (digit >= '0' && digit <= '9')
            value = value << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            value = value << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return 0;
    }
    return count == 16 ? value : 0;
}

static unsigned small_number(const char *digits) {
    unsigned value = 0;
    for (; *digits >= '0' && *digits <= '9' && value < 1000; digits++) value = value * 10 + (unsigned)(*digits - '0');
    return value;
}

static void read_own(struct settings *settings, const char *assignment) {
    const char *value;
    if ((value = value_of(assignment, "CAIRN_HOME"))) settings->cairn_home = value;
    if ((value = value_of(assignment, "CAIRN_SESSION"))) settings->session = hexadecimal(value);
    if ((value = value_of(assignment, "CAIRN_DEPTH"))) settings->depth = small_number(value);
    if ((value = value_of(assignment, "CAIRN_DISABLE"))) settings->disabled = text_equal(value, "1");
    if ((value = value_of(assignment, "CAIRN_NO_AUTOSTART"))) settings->no_autostart = text_equal(value, "1");
}

void settings_read(struct settings *settings) {
    for (char **entry = environment; *entry != NULL; entry++, settings->variable_count++) {
        const char *assignment = *entry, *value;
        keep_if_it_matters(settings, assignment);
        if (text_begins(assignment, "CAIRN_")) read_own(settings, assignment);
        if ((value = value_of(assignment, "HOME"))) settings->home = value;
        if ((value = value_of(assignment, "PATH"))) settings->path = value;
        if ((value = value_of(assignment, "XDG_RUNTIME_DIR"))) settings->xdg_runtime_directory = value;
        if ((value = value_of(assignment, "XDG_STATE_HOME"))) settings->xdg_state_home = value;
    }
    if (settings->path == NULL) settings->path = "/bin:/usr/bin";
}

/* The XDG specification has relative paths ignored. */
static bool absolute(const char *path) { return path != NULL && path[0] == '/'; }

bool settings_run_directory(const struct settings *settings, struct path *path) {
    path_cut(path, 0);
    if (settings->cairn_home != NULL) {
        path_add_text(path, settings->cairn_home);
        path_add_text(path, "/run");
    } else if (absolute(settings->xdg_runtime_directory)) {
        path_add_text(path, settings->xdg_runtime_directory);
        path_add_text(path, "/cairn");
    } else if (absolute(settings->xdg_state_home)) {
        path_add_text(path, settings->xdg_state_home);
        path_add_text(path, "/cairn/run");
    } else if (absolute(settings->home)) {
        path_add_text(path, settings->home);
        path_add_text(path, "/.local/state/cairn/run");
    } else {
        return false;
    }
    return !path->unfit;
}
