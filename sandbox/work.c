/*
 * A directory to work in, and what is left of it in the end.
 *
 * Inputs lie read-only in INPUTS. What a program wants to write lies beside them, so it gets a directory in memory with links to them: as build
 * tools do it themselves. Knows: files. Does not know: the program.
 */
#include "work.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report.h"

#define INPUTS "/inputs"
#define WORK SCRATCH "/work"

enum { LEFT_FILE, LEFT_DIRECTORY, LEFT_LINK, LEFT_STRANGE, LEFT_TOO_LARGE };

/* A directory to work in. Nothing runs yet: what lies in INPUTS is what the daemon has laid out, and changes no more. */

enum { DEEPEST = 256 };

static char path[PATH_MAX];
static char target[PATH_MAX];

static int enter(int directory, const char *name) {
    const int entered = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (entered < 0) fail(path);
    return entered;
}

/* Makes directories like those of `path`, and links to its files; links stay what they are. Returns how many of all. */
static uint64_t imitate(int from, int to, size_t length) {
    DIR *const listing = fdopendir(from);
    if (listing == NULL) fail(path);
    uint64_t made = 0;
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        const char *const name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        const size_t longer = length + 1 + strlen(name);
        if (longer >= sizeof path) fail("path");
        path[length] = '/';
        strcpy(path + length + 1, name);
        struct stat status;
        if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) != 0) fail(path);
        made++;
        if (S_ISDIR(status.st_mode)) {
            if (mkdirat(to, name, 0755) != 0) fail(path);
            const int into = enter(to, name);
            made += imitate(enter(from, name), into, longer);
            close(into);
        } else if (S_ISLNK(status.st_mode)) {
            const ssize_t bytes = readlinkat(from, name, target, sizeof target - 1);
            if (bytes < 0) fail(path);
            target[bytes] = 0;
            if (symlinkat(target, to, name) != 0) fail(path);
        } else if (symlinkat(path, to, name) != 0)
            fail(path);
        path[length] = 0;
    }
    closedir(listing);
    return made;
}

/* The directories that lead to an output; where something else is in the way the program will notice. */
static void make_parents(int work, const char *output) {
    for (const char *slash = output; (slash = strchr(slash, '/')) != NULL; slash++) {
        if ((size_t)(slash - output) >= sizeof path) fail("path");
        memcpy(path, output, (size_t)(slash - output));
        path[slash - output] = 0;
        (void)mkdirat(work, path, 0755);
    }
}

uint64_t lay_out_work(char **outputs, int count) {
    if (mkdir(WORK, 0755) != 0) fail(WORK);
    const int work = open(WORK, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int inputs = open(INPUTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (work < 0 || inputs < 0) fail(INPUTS);
    strcpy(path, INPUTS);
    const uint64_t made = imitate(inputs, work, strlen(INPUTS));
    for (int i = 0; i < count; i++) make_parents(work, outputs[i]);
    close(work);
    return made + (uint64_t)count;
}

/* A record of something below WORK: what it is and whether it may be executed (u8 each), its path with its length (u16), its content. */
static void tell_left_head(int kind, bool executable, uint64_t content) {
    const size_t length = strlen(path);
    uint8_t head[4] = {(uint8_t)kind, executable};
    put(head + 2, length, 2);
    tell_head(TAG_LEFT, sizeof head + length + content);
    tell(head, sizeof head);
    tell(path, length);
}

static uint64_t tell_left_file(int file, const struct stat *status, uint64_t left) {
    const uint64_t size = (uint64_t)status->st_size;
    const bool fits = size <= left;
    tell_left_head(fits ? LEFT_FILE : LEFT_TOO_LARGE, (status->st_mode & 0111) != 0, fits ? size : 0);
    if (!fits) return left;
    tell_content(file, size);
    return left - size;
}

static int open_below(int directory, const char *name, uint64_t flags) {
    const struct open_how how = {
        .flags = flags | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
}

/* A link to an input stands for that input; any other is told as it is. */
static uint64_t tell_left_link(int link, uint64_t left) {
    const ssize_t length = readlinkat(link, "", target, sizeof target - 1);
    if (length <= 0) return tell_left_head(LEFT_STRANGE, false, 0), left;
    target[length] = 0;
    if (strncmp(target, INPUTS "/", sizeof INPUTS) == 0) {
        const int inputs = open(INPUTS, O_PATH | O_DIRECTORY | O_CLOEXEC);
        const int file = inputs < 0 ? -1 : open_below(inputs, target + sizeof INPUTS, O_RDONLY | O_NONBLOCK);
        if (inputs >= 0) close(inputs);
        struct stat status;
        const bool plain = file >= 0 && fstat(file, &status) == 0 && S_ISREG(status.st_mode);
        if (plain) left = tell_left_file(file, &status, left);
        if (file >= 0) close(file);
        if (plain) return left;
    }
    tell_left_head(LEFT_LINK, false, (uint64_t)length);
    tell(target, (size_t)length);
    return left;
}

/* What lies at `path` below WORK, directories with all that is in them. Links lead nowhere, and nothing is opened that could wait. */
static uint64_t tell_left(int work, int depth, uint64_t left) {
    const int found = open_below(work, path, O_PATH);
    if (found < 0) return left;
    struct stat status;
    const bool known = fstat(found, &status) == 0;
    if (known && S_ISLNK(status.st_mode)) left = tell_left_link(found, left);
    else if (known && S_ISREG(status.st_mode)) {
        const int file = open_below(work, path, O_RDONLY | O_NONBLOCK);
        if (file < 0) tell_left_head(LEFT_STRANGE, false, 0);
        else left = tell_left_file(file, &status, left), close(file);
    } else if (known && S_ISDIR(status.st_mode) && depth < DEEPEST) {
        tell_left_head(LEFT_DIRECTORY, false, 0);
        const int directory = open_below(work, path, O_RDONLY | O_DIRECTORY);
        DIR *const listing = directory < 0 ? NULL : fdopendir(directory);
        const size_t length = strlen(path);
        for (const struct dirent *entry; listing != NULL && (entry = readdir(listing)) != NULL;) {
            const char *const name = entry->d_name;
            if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
            if (length + 1 + strlen(name) >= sizeof path) continue; /* Nobody could name it either. */
            path[length] = '/';
            strcpy(path + length + 1, name);
            left = tell_left(work, depth + 1, left);
            path[length] = 0;
        }
        if (listing != NULL) closedir(listing);
    } else
        tell_left_head(LEFT_STRANGE, false, 0);
    close(found);
    return left;
}

void tell_work(char **outputs, int count, uint64_t most) {
    const int work = open(WORK, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (work < 0) fail(WORK);
    for (int i = 0; i < count; i++) {
        if (strlen(outputs[i]) >= sizeof path) fail("path");
        strcpy(path, outputs[i]);
        most = tell_left(work, 0, most);
    }
}
