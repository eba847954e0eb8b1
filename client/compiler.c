/*
 * Finding and executing the compiler: see compiler.h.
 *
 * Knows: PATH, arguments, environment. Does not know: daemons, caches.
 */
#include "compiler.h"

#include "sys.h"

#define FILE_TYPE 0170000
#define REGULAR_FILE 0100000
#define ANYONE_EXECUTES 0111

void complain(const char *name, const char *text) {
    path_cut(&scratch, 0); /* One write, so that lines of parallel compiles do not mix. */
    path_add_text(&scratch, "cairn: ");
    path_add_text(&scratch, name);
    path_add_text(&scratch, ": ");
    path_add_text(&scratch, text);
    path_add_text(&scratch, "\n");
    sys_write(2, scratch.text, scratch.length);
}

static bool is_program(const struct file_status *status) {
    return (status->mode & FILE_TYPE) == REGULAR_FILE && (status->mode & ANYONE_EXECUTES) != 0;
}

/* The path that we were executed by leads to us even while an upgrade replaces us; /proc costs more and may be missing. */
static bool is_this_program(const struct file_status *status) {
    static struct file_status self;
    if (self.inode == 0 && sys_status(AT_FDCWD, sys_own_path(), 0, &self) < 0 && sys_status(AT_FDCWD, "/proc/self/exe", 0, &self) < 0)
        return false;
    return status->inode == self.inode && status->device == self.device;
}

bool compiler_find(struct compiler *compiler, const char *path_variable) {
    struct path *candidate = &compiler->path;
    path_cut(candidate, 0);
    if (text_after_last(compiler->name, '/') != compiler->name) {
        path_add_text(candidate, compiler->name);
        return !candidate->unfit;
    }
    for (const char *directory = path_variable;; directory++) {
        const char *end = directory;
        while (*end != 0 && *end != ':') end++;
        path_cut(candidate, 0);
        if (end == directory)
            path_add_text(candidate, "."); /* An empty element is the working directory. */
        else
            path_add(candidate, directory, (size_t)(end - directory));
        if (end == directory || end[-1] != '/') path_add_text(candidate, "/");
        path_add_text(candidate, compiler->name);
        struct file_status status;
        if (!candidate->unfit && sys_status(AT_FDCWD, candidate->text, 0, &status) == 0 && is_program(&status) && !is_this_program(&status))
            return true;
        if (*end == 0) return false;
        directory = end;
    }
}

static size_t name_length(const char *assignment) {
    size_t length = 0;
    while (assignment[length] != 0 && assignment[length] != '=') length++;
    return length;
}

static bool same_name(const char *left, const char *right) {
    const size_t length = name_length(left);
    if (length != name_length(right)) return false;
    for (size_t i = 0; i < length; i++)
        if (left[i] != right[i]) return false;
    return true;
}

static bool is_changed(const char *assignment, const struct changes *changes) {
    if (same_name(assignment, "CAIRN_DEPTH")) return true;
    for (size_t i = 0; changes != NULL && i < changes->environment_count; i++)
        if (same_name(assignment, changes->environment[i])) return true;
    return false;
}

/* CAIRN_DEPTH tells wrappers inside this compiler how deep they are: a compiler that calls itself through us must end. */
static char **child_environment(const struct settings *settings, const struct changes *changes) {
    static char depth[sizeof "CAIRN_DEPTH=" + 1]; /* Not initialized: a page with data in it is copied at every start. */
    const size_t added = 1 + (changes == NULL ? 0 : changes->environment_count);
    char **copy = sys_allocate((settings->variable_count + added + 1) * sizeof *copy);
    if (copy == NULL) return environment;
    char **next = copy;
    for (char **entry = environment; *entry != NULL; entry++)
        if (!is_changed(*entry, changes)) *next++ = *entry;
    for (size_t i = 0; changes != NULL && i < changes->environment_count; i++)
        if (changes->environment[i][name_length(changes->environment[i])] == '=') *next++ = (char *)(uintptr_t)changes->environment[i];
    for (size_t i = 0; i < sizeof depth - 2; i++) depth[i] = "CAIRN_DEPTH="[i];
    depth[sizeof depth - 2] = (char)('0' + (settings->depth + 1) % 10); /* main.c stops before two digits are needed. */
    *next = depth;
    return copy;
}

/* The compiler's arguments with the added ones right behind argv[0]; NULL without memory. */
static char **arguments_with(const struct compiler *compiler, const struct changes *changes) {
    if (changes == NULL || changes->argument_count == 0) return compiler->argv;
    const size_t count = (size_t)compiler->argument_count + changes->argument_count;
    char **argv = sys_allocate((count + 1) * sizeof *argv);
    if (argv == NULL) return NULL;
    char **next = argv;
    *next++ = compiler->argv[0];
    for (size_t i = 0; i < changes->argument_count; i++) *next++ = (char *)(uintptr_t)changes->arguments[i];
    for (int i = 1; i < compiler->argument_count; i++) *next++ = compiler->argv[i];
    return argv;
}

/* A script without "#!" is given to the shell, as execvp and every shell do. */
static int execute_script(const struct compiler *compiler, char **argv, char **envp) {
    size_t count = 0;
    while (argv[count] != NULL) count++;
    char **script = sys_allocate((count + 2) * sizeof *script);
    if (script == NULL) return -ENOMEM;
    script[0] = (char[]){"/bin/sh"};
    script[1] = (char *)(uintptr_t)compiler->path.text;
    for (size_t i = 1; i < count; i++) script[i + 1] = argv[i];
    return sys_execute("/bin/sh", script, envp);
}

int compiler_execute(const struct compiler *compiler, const struct settings *settings, const struct changes *changes) {
    char **envp = child_environment(settings, changes);
    char **argv = arguments_with(compiler, changes);
    int error = argv == NULL ? -ENOMEM : sys_execute(compiler->path.text, argv, envp);
    if (error == -ENOEXEC) error = execute_script(compiler, argv, envp);
    switch (error) {
    case -ENOENT:
    case -ENOTDIR: complain(compiler->name, "not found"); return EXIT_NOT_FOUND;
    case -EACCES: complain(compiler->name, "permission denied"); return EXIT_NOT_EXECUTABLE;
    case -E2BIG: complain(compiler->name, "argument list too long"); return EXIT_NOT_EXECUTABLE;
    case -ENOMEM: complain(compiler->name, "out of memory"); return EXIT_NOT_EXECUTABLE;
    default: complain(compiler->name, "cannot be executed"); return EXIT_NOT_EXECUTABLE;
    }
}
