/*
 * The compiler wrapper: `cairn-cc gcc -c hello.c`, or called by a compiler's name.
 *
 * On a hit it needs nobody: it makes the request's key, reads the hot record that the daemon left for that key, compares the inputs'
 * stat identities and places the outputs. In a checkout that is new to it, it takes the record that answers the same in every one, and
 * compares contents. On any doubt it asks the daemon; where no daemon answers, it executes the compiler.
 *
 * Knows: the order of these steps. Does not know: what compiler options mean.
 */
#include "checkout.h"
#include "compiler.h"
#include "contents.h"
#include "daemon.h"
#include "frames.h"
#include "place.h"
#include "record.h"
#include "request.h"
#include "run.h"
#include "settings.h"
#include "sys.h"

#define HITS_LOG_MOST 4194304
#define HIT_BYTES 64
#define HIT_DESERVES_REFRESH 1
#define HIT_IS_MOVED 4
#define NOT_A_HIT 2 /* The compiler was executed without asking; why, stands in the next byte. */
#define WHY_IN_THE_WAY 3 /* Beside the values of enum purpose. */

static const char help[] =
    "usage: cairn-cc COMPILER ARGUMENT...\n"
    "\n"
    "Runs a compiler, or brings back what it wrote the last time nothing was different.\n"
    "Called by another name (gcc, c++, clang-19, ...) it stands for the compiler of that name, the next one on PATH.\n"
    "\n"
    "CAIRN_DISABLE=1 only runs the compiler. `cairn --help` tells the rest.\n";

static int usage_error(void) {
    sys_write(2, help, sizeof help - 1);
    return 2;
}

static int show_help(void) {
    sys_write(1, help, sizeof help - 1);
    return 0;
}

static int show_version(void) {
    static const char version[] = "cairn-cc, the compiler wrapper of Cairn\n";
    sys_write(1, version, sizeof version - 1);
    return 0;
}

/* What a compiler is called for. All but a compile goes to it at once; the others' values are those of docs/protocol/hot-record.md. */
enum purpose { LINK, PREPROCESS, INFORM, COMPILE };

static enum purpose purpose_of(char **argv) {
    bool preprocesses = false, names_input = false;
    for (char **argument = argv + 1; *argument != NULL; argument++) {
        const char *text = *argument;
        if (text[0] == '@') return COMPILE; /* A file of arguments may hold anything. */
        if (text_equal(text, "-c") || text_equal(text, "-S") || text_equal(text, "-fsyntax-only")) return COMPILE;
        if (text_equal(text, "-E") || text_equal(text, "-M") || text_equal(text, "-MM")) preprocesses = true;
        if (text[0] != '-' || text[1] == 0) names_input = true;
    }
    return preprocesses ? PREPROCESS : names_input ? LINK : INFORM;
}

static void replay(int to, struct span text) {
    while (text.size > 0) {
        const long put = sys_write(to, text.at, text.size);
        if (put == -EAGAIN) {
            struct pollfd file = {.fd = to, .events = POLLOUT};
            sys_poll(&file, 1, -1);
        } else if (put <= 0) {
            return; /* As a compiler whose messages nobody reads. */
        } else {
            text.at += put;
            text.size -= (size_t)put;
        }
    }
}

static void finish_with(const struct record *record) {
    replay(1, record->standard_output);
    replay(2, record->standard_error);
}

/* One line of the hits log, and the root of the checkout in which a movable record was used. `key` may be NULL, where no request was made. */
static void note(int run_directory, const uint8_t *key, struct span root, const struct settings *settings, uint32_t flags,
                 uint32_t compile_ms, uint64_t began_ns) {
    struct file_status status;
    static uint8_t entry[HIT_BYTES + PATH_BYTES]; /* Zeros. */
    const size_t size = HIT_BYTES + (root.size + HIT_BYTES - 1) / HIT_BYTES * HIT_BYTES;
    const int log = sys_open(run_directory, "hits.log", O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (log < 0) return;
    if (sys_status(log, "", AT_EMPTY_PATH, &status) == 0 && status.size + size <= HITS_LOG_MOST) {
        const uint64_t now_ns = sys_wall_ns();
        uint8_t *at = entry;
        for (int i = 0; i < SHA256_BYTES; i++) *at++ = key == NULL ? 0 : key[i];
        at = store_u64(at, now_ns);
        at = store_u64(at, settings->session);
        at = store_u32(at, now_ns > began_ns ? (uint32_t)((now_ns - began_ns) / 1000) : 0);
        at = store_u32(at, flags);
        at = store_u32(at, compile_ms);
        at = store_u32(at, (uint32_t)root.size);
        for (size_t i = 0; i < root.size; i++) *at++ = root.at[i];
        sys_write(log, entry, size);
    }
    sys_close(log);
}

struct path scratch;

enum outcome { FINISHED, ASK, EXECUTE };

/* A compile on the fast path. */
struct attempt {
    struct record *record;
    int run_directory;
    const struct settings *settings;
    uint64_t began_ns;
};

static enum outcome use_record(const struct attempt *attempt, struct request *request, const uint8_t *key, uint32_t flags) {
    const struct record *record = attempt->record;
    const enum placed placed = outputs_place(record);
    if (placed == PLACE_BLOB_DAMAGED) {
        request_set_why(request, BLOB_DAMAGED);
        return ASK;
    }
    if (placed == PLACE_IMPOSSIBLE) {
        note(attempt->run_directory, NULL, NO_CHECKOUT, attempt->settings, NOT_A_HIT | WHY_IN_THE_WAY << 8, 0, attempt->began_ns);
        return EXECUTE;
    }
    finish_with(record);
    note(attempt->run_directory, key, record->root, attempt->settings, flags, record->compile_ms, attempt->began_ns);
    return FINISHED;
}

/* The fast path: the record that lies there for this very request. */
static enum outcome try_record(const struct attempt *attempt, struct request *request) {
    enum why why = INPUT_CHANGED;
    switch (record_load(attempt->record, attempt->run_directory, request->key, NO_CHECKOUT)) {
    case RECORD_ABSENT: why = NO_RECORD; break;
    case RECORD_DAMAGED: why = RECORD_UNREADABLE; break;
    case RECORD_TOO_LARGE: why = RECORD_UNUSABLE; break;
    default: {
        const struct record_state state = record_check(attempt->record);
        if (state.holds) return use_record(attempt, request, request->key, state.deserves_refresh ? HIT_DESERVES_REFRESH : 0);
    }
    }
    request_set_why(request, why);
    return ASK;
}

/* Where this checkout has no record of its own, the one that answers the same request in every checkout. On any doubt: the daemon knows. */
static enum outcome try_movable(const struct attempt *attempt, struct request *request) {
    static struct path root_path;
    uint8_t key[SHA256_BYTES];
    if (!contents_open(attempt->run_directory)) return ASK;
    if (!checkout_find(&root_path, request_directory(request), attempt->settings->home)) return ASK;
    const struct span root = {(const uint8_t *)root_path.text, root_path.length};
    if (!request_movable_key(request, root, key)) return ASK;
    if (record_load(attempt->record, attempt->run_directory, key, root) != RECORD_READ || !record_check(attempt->record).holds) return ASK;
    return use_record(attempt, request, key, HIT_IS_MOVED);
}

/* The compiler's end becomes ours. */
static int end_as(const struct run *run) {
    const int status = run->usage.status, signal = status & 0x7f;
    if (run->interrupted_by != 0) sys_die_of(run->interrupted_by);
    if (signal != 0) sys_die_of(signal);
    return status >> 8 & 0xff;
}

/* A compile that another machine does, too. */
struct race {
    struct answer *answer;
    const struct request *request;
};

static bool is_first(struct rival *rival) {
    const struct race *race = rival->context;
    const enum answer_kind kind = daemon_overtakes(race->answer, race->request);
    if (kind != RUN) rival->file = -1;
    return kind == DONE;
}

/* Checks once what nobody has checked. */
static bool still_holds(struct record *record) {
    if (!record->validated) record->validated = record_check(record).holds;
    return record->validated;
}

static int compile(const struct compiler *compiler, const struct settings *settings, uint64_t began_ns) {
    static struct path run_path;
    static struct request request;
    static struct record record;
    const int run_directory = daemon_run_directory(settings, &run_path);
    if (run_directory < 0 || !request_make(&request, compiler, settings)) return compiler_execute(compiler, settings, NULL);

    const struct attempt attempt = {&record, run_directory, settings, began_ns};
    enum outcome outcome = try_record(&attempt, &request);
    if (outcome == ASK && request_why(&request) == NO_RECORD) outcome = try_movable(&attempt, &request);
    if (outcome == FINISHED) return 0;

    struct answer answer = {.kind = NOT_OURS, .record = &record};
    if (outcome == ASK) daemon_ask(&answer, &request, run_directory, &run_path, settings);
    if (answer.kind == DONE && !still_holds(&record)) { /* Made from what the daemon remembers of files; now it looks at them. */
        request_set_why(&request, ANSWER_OUTDATED);
        daemon_ask(&answer, &request, run_directory, &run_path, settings);
    }
    bool is_done = answer.kind == DONE && still_holds(&record);
    if (answer.kind == RUN) {
        struct run run = {.started = false};
        struct race race = {&answer, &request};
        struct rival rival = {answer.socket, is_first, &race};
        compiler_run(&run, compiler, settings, &answer.changes, &request, answer.rivalled ? &rival : NULL);
        if (run.complete) daemon_report(&answer, &run);
        if (run.started && (!run.needless || run.interrupted_by != 0)) return end_as(&run);
        is_done = run.needless && run.settled && still_holds(&record);
        if (!is_done && answer.socket >= 0) sys_close(answer.socket);
    }
    /* While outputs are placed the socket stays open: until then no other compile may think that it has them for itself. */
    if (is_done && outputs_place(&record) == PLACED) {
        finish_with(&record);
        return 0;
    }
    return compiler_execute(compiler, settings, NULL);
}

static void note_passed(enum purpose purpose, const struct settings *settings, uint64_t began_ns) {
    struct path run_path;
    const int run_directory = daemon_run_directory(settings, &run_path);
    if (run_directory < 0) return;
    note(run_directory, NULL, NO_CHECKOUT, settings, NOT_A_HIT | (uint32_t)purpose << 8, 0, began_ns);
    sys_close(run_directory);
}

int program(int argc, char **argv) {
    static struct settings settings;
    static struct compiler compiler;
    const uint64_t began_ns = sys_wall_ns();
    if (argc < 1) return EXIT_NOT_EXECUTABLE;

    const char *own_name = text_after_last(argv[0], '/');
    const bool masquerading = !text_begins(own_name, "cairn");
    if (masquerading) {
        compiler = (struct compiler){.name = own_name, .argv = argv, .argument_count = argc};
    } else {
        if (argc < 2 || text_equal(argv[1], "--help")) return argc < 2 ? usage_error() : show_help();
        if (text_equal(argv[1], "--version")) return show_version();
        if (argv[1][0] == '-' || argv[1][0] == 0) return usage_error();
        compiler = (struct compiler){.name = argv[1], .argv = argv + 1, .argument_count = argc - 1};
    }

    settings_read(&settings);
    if (settings.depth >= DEEPEST) {
        complain(compiler.name, "wrappers call each other without end");
        return EXIT_NOT_EXECUTABLE;
    }
    if (!compiler_find(&compiler, settings.path)) {
        complain(compiler.name, "not found on PATH");
        return EXIT_NOT_FOUND;
    }
    if (masquerading) argv[0] = compiler.path.text;
    if (settings.disabled) return compiler_execute(&compiler, &settings, NULL);
    const enum purpose purpose = purpose_of(compiler.argv);
    if (purpose != COMPILE) {
        note_passed(purpose, &settings, began_ns);
        return compiler_execute(&compiler, &settings, NULL);
    }
    return compile(&compiler, &settings, began_ns);
}
