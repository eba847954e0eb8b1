/*
 * Finding the checkout: see checkout.h. The same as checkoutRoot in src/compile/portable.ts, and isFitRoot in src/base/moving.ts.
 */
#include "checkout.h"

#include "sys.h"

static const char *const version_control[] = {".git", ".hg", ".svn", ".jj", ".bzr", NULL};
static const char *const build_system[] = {
    "CMakeLists.txt", "meson.build",     "configure",      "configure.ac", "Makefile",    "GNUmakefile",
    "build.ninja",    "WORKSPACE",       "MODULE.bazel",   "BUILD.bazel",  "package.json", "Cargo.toml",
    "SConstruct",     "premake5.lua",    "xmake.lua",      NULL,
};

static bool holds_one_of(struct path *directory, const char *const *names) {
    const size_t length = directory->length;
    bool found = false;
    for (; *names != NULL && !found; names++) {
        struct file_status status;
        path_add_text(directory, "/");
        path_add_text(directory, *names);
        found = !directory->unfit && sys_status(AT_FDCWD, directory->text, 0, &status) == 0;
        path_cut(directory, length);
    }
    directory->text[length] = 0;
    return found;
}

/* False at the top. */
static bool climb(struct path *directory) {
    while (directory->length > 0 && directory->text[directory->length - 1] != '/') directory->length--;
    if (directory->length > 0) directory->length--;
    directory->text[directory->length] = 0;
    return directory->length > 0;
}

static bool may_be_one(const struct path *directory, const char *home) {
    return !text_equal(directory->text, "/tmp") && (home == NULL || !text_equal(directory->text, home));
}

/* The length of the nearest directory that holds one of them, or of the topmost; 0 where none does. */
static size_t find(struct path *at, struct span from, const char *home, const char *const *names, bool nearest) {
    size_t found = 0;
    path_cut(at, 0);
    path_add(at, from.at, from.size);
    if (at->unfit || at->length <= 1) return 0;
    do {
        if (may_be_one(at, home) && holds_one_of(at, names)) found = at->length;
    } while (!(nearest && found > 0) && climb(at));
    return found;
}

/* Where compilers and their headers come from: a search path there may leave out what it has elsewhere. */
static const char *const of_packages[] = {"/bin", "/gnu", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/opt", "/sbin", "/usr", NULL};

static bool is_of_packages(const char *root) {
    for (const char *const *place = of_packages; *place != NULL; place++) {
        if (text_begins(*place, root)) return true;
        if (!text_begins(root, *place)) continue;
        const char behind = root[text_length(*place)];
        if (behind == '/' || behind == 0) return true;
    }
    return false;
}

/* Make would read the name as something else, unless it is quoted; of options that map a path to another it would be two. */
static bool is_unfit(const struct path *path) {
    static const char unfit[] = "$# \t=:";
    for (size_t i = 0; i < path->length; i++)
        for (size_t j = 0; j + 1 < sizeof unfit; j++)
            if (path->text[i] == unfit[j]) return true;
    return is_of_packages(path->text);
}

bool checkout_find(struct path *root, struct span from, const char *home) {
    size_t length = find(root, from, home, version_control, true);
    if (length == 0) length = find(root, from, home, build_system, false);
    path_cut(root, 0);
    path_add(root, from.at, length);
    return length > 0 && !is_unfit(root);
}
