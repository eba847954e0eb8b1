/*
 * Running the compiler: see run.h.
 *
 * Knows: processes, pipes, terminals, signals. Does not know: why the output is kept.
 */
#include "run.h"

#include <signal.h>

#include "frames.h"
#include "offspring.h"

#define MS ((uint64_t)1000000)
/* How long to wait for more output once the compiler has ended: a process that it left behind may still hold the pipe. */
#define AFTERWARDS_MS 1000
/* How long a compiler that is stopped may take to remove its temporary files. */
#define STOPPING_MS 500

/* One stream of the compiler on its way to the same stream of ours. */
struct stream {
    int ours;   /* Where we read, or -1 once it has ended. */
    int theirs; /* What the compiler writes to. */
    int to;      /* Or -1 when nobody but us wants to see it. */
    bool broken; /* Our reader is gone, or there was too much to keep. */
    uint8_t *kept;
    size_t size, capacity;
};

static bool stream_open(struct stream *stream, int to, bool is_terminal) {
    int ends[2];
    const int error = is_terminal ? sys_open_terminal(to, &ends[0], &ends[1]) : sys_pipe(ends);
    *stream = (struct stream){.ours = -1, .theirs = -1, .to = to};
    if (error < 0) return false;
    stream->ours = ends[0];
    stream->theirs = ends[1];
    return true;
}

static void stream_close(struct stream *stream) {
    if (stream->ours >= 0) sys_close(stream->ours);
    stream->ours = -1;
}

static bool keep(struct stream *stream, const uint8_t *bytes, size_t size) {
    if (stream->size + size > CAPTURED_BYTES_MOST) return false;
    if (stream->size + size > stream->capacity) {
        size_t capacity = stream->capacity == 0 ? 64 * 1024 : stream->capacity;
        while (capacity < stream->size + size) capacity *= 2;
        uint8_t *larger = sys_allocate(capacity);
        if (larger == NULL) return false;
        for (size_t i = 0; i < stream->size; i++) larger[i] = stream->kept[i];
        if (stream->kept != NULL) sys_release(stream->kept, stream->capacity);
        stream->kept = larger;
        stream->capacity = capacity;
    }
    for (size_t i = 0; i < size; i++) stream->kept[stream->size + i] = bytes[i];
    stream->size += size;
    return true;
}

/* Waits as long as a compiler that writes there would. */
static bool show(int to, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        const long put = sys_write(to, bytes, size);
        if (put > 0) {
            bytes += put;
            size -= (size_t)put;
        } else if (put == -EAGAIN) {
            struct pollfd file = {.fd = to, .events = POLLOUT};
            sys_poll(&file, 1, -1);
        } else {
            return false;
        }
    }
    return true;
}

static void stream_move(struct stream *stream) {
    static uint8_t piece[16 * 1024];
    const long got = sys_read(stream->ours, piece, sizeof piece);
    if (got == -EAGAIN) return;
    if (got <= 0) { /* A terminal reports its end as an error. */
        stream_close(stream);
        return;
    }
    if (stream->to >= 0 && !show(stream->to, piece, (size_t)got)) {
        stream->broken = true;
        stream_close(stream); /* The compiler's next write fails as it would have without us. */
    } else if (!stream->broken && !keep(stream, piece, (size_t)got)) {
        stream->broken = true;
    }
}

struct child {
    int process;
    int signals; /* Descriptor that tells of signals. */
    bool ended;
    int stopped_by;     /* What it and all that it has started are sent since the rival was first; 0: nothing. */
    bool nobody_is_left; /* Of all those. */
    uint64_t started, deadline; /* Steady clock. */
};

/* Again each time that one has ended: those whom it had started have become ours. */
static void stop_all(struct child *child) {
    if (child->ended) child->nobody_is_left = offspring_ended();
    offspring_signal(child->stopped_by);
}

static void take_signals(struct child *child, struct run *run) {
    bool sent_by_process;
    int signal;
    while ((signal = sys_next_signal(child->signals, &sent_by_process)) > 0) {
        if (signal != SIGCHLD) {
            run->interrupted_by = signal;
            /* What a terminal sends, it sends to the compiler as well. */
            if (sent_by_process && !child->ended) sys_kill(child->process, signal);
            continue;
        }
        if (!child->ended && sys_wait_now(child->process, &run->usage) == child->process) {
            child->ended = true;
            run->ended_ns = sys_wall_ns();
            run->steady_ns = sys_monotonic_ns() - child->started;
            if (child->stopped_by == 0) child->deadline = sys_monotonic_ns() + AFTERWARDS_MS * MS;
        }
        if (child->stopped_by != 0) stop_all(child);
    }
}

/* The compiler's streams. */
enum { OUTPUT, MESSAGES, DEPENDENCIES, STREAMS };

static bool all_ended(const struct stream *streams) {
    for (int i = 0; i < STREAMS; i++)
        if (streams[i].ours >= 0) return false;
    return true;
}

static bool has_printed(const struct stream *streams) {
    for (int i = OUTPUT; i <= MESSAGES; i++)
        if (streams[i].size > 0 || streams[i].broken) return true;
    return false;
}

/* The rival is first. What the compiler still prints is seen by nobody: what the rival's has printed is shown instead. */
static void stop(struct child *child, struct run *run, struct stream *streams) {
    run->needless = true;
    for (int i = 0; i < STREAMS; i++) streams[i].to = -1;
    child->deadline = sys_monotonic_ns() + STOPPING_MS * MS;
    child->stopped_by = SIGTERM;
    stop_all(child);
}

/*
 * The deadline has passed. False where nobody is left to wait for, but a stranger who holds a stream; or where the build has been ended.
 * Who is left after SIGKILL waits for a disk: it may write once that comes back, so we wait as well.
 */
static bool stop_harder(struct child *child, const struct run *run) {
    if (child->stopped_by == 0 || child->nobody_is_left || (run->interrupted_by != 0 && child->stopped_by == SIGKILL)) return false;
    child->deadline = sys_monotonic_ns() + AFTERWARDS_MS * MS;
    child->stopped_by = SIGKILL;
    stop_all(child);
    return true;
}

/* Of a compiler that was stopped, all that it has started must have ended: no matter whether it held a stream, it may have had an output open. */
static bool is_over(const struct child *child, const struct stream *streams) {
    return child->ended && all_ended(streams) && (child->stopped_by == 0 || child->nobody_is_left);
}

static void pump(struct child *child, struct run *run, struct stream *streams, struct rival *rival) {
    enum { SIGNALS = STREAMS, RIVAL, FILES };
    while (!is_over(child, streams)) {
        struct pollfd files[FILES] = {[SIGNALS] = {.fd = child->signals, .events = POLLIN}, [RIVAL] = {.fd = -1, .events = POLLIN}};
        for (int i = 0; i < STREAMS; i++) files[i] = (struct pollfd){.fd = streams[i].ours, .events = POLLIN};
        if (rival != NULL && !child->ended && !run->needless && !has_printed(streams)) files[RIVAL].fd = rival->file;
        int64_t remaining = -1;
        if (child->ended || run->needless) {
            remaining = (int64_t)(child->deadline - sys_monotonic_ns());
            if (remaining <= 0) {
                if (!stop_harder(child, run)) break;
                continue;
            }
        }
        const int ready = sys_poll(files, FILES, remaining);
        if (ready < 0 && ready != -EINTR) break;
        if (ready <= 0) continue;
        for (int i = 0; i < STREAMS; i++)
            if (files[i].revents != 0) stream_move(&streams[i]);
        if (files[SIGNALS].revents != 0) take_signals(child, run);
        if (files[RIVAL].revents != 0 && !child->ended && !has_printed(streams) && rival->is_first(rival)) stop(child, run, streams);
    }
    if (!child->ended) sys_wait(child->process, &run->usage); /* Polling failed: nothing is left but to wait. */
}

/*
 * The compiler writes what only the daemon wants to know (which files it read) into a pipe, named by an argument. A file would do on
 * most days, but its disk could be full or its directory be gone, and then the compiler would fail.
 */
static bool name_pipe(struct path *name, struct changes *changes, int file) {
    char digits[12];
    size_t first = sizeof digits;
    for (unsigned rest = (unsigned)file; first == sizeof digits || rest > 0; rest /= 10) digits[--first] = (char)('0' + rest % 10);
    path_cut(name, 0);
    path_add_text(name, "/proc/self/fd/");
    path_add(name, digits + first, sizeof digits - first);
    struct file_status status;
    if (sys_status(AT_FDCWD, name->text, 0, &status) < 0) return false; /* No /proc here. */

    const char **arguments = sys_allocate(changes->argument_count * sizeof *arguments);
    if (arguments == NULL) return false;
    for (size_t i = 0; i < changes->argument_count; i++)
        arguments[i] = changes->arguments[i][0] == 0 ? name->text : changes->arguments[i];
    changes->arguments = arguments;
    return true;
}

static bool wants_dependencies(const struct changes *changes) {
    for (size_t i = 0; i < changes->argument_count; i++)
        if (changes->arguments[i][0] == 0) return true;
    return false;
}

static _Noreturn void be_compiler(const struct compiler *compiler, const struct settings *settings, const struct changes *changes,
                                  const struct stream *streams) {
    const int output = streams[OUTPUT].theirs;
    sys_duplicate(output, 1);
    sys_duplicate(streams[MESSAGES].theirs, 2);
    /* Its number is taken already, so it is none that the build has open for something else. */
    if (streams[DEPENDENCIES].theirs >= 0) sys_duplicate(streams[DEPENDENCIES].theirs, output);
    sys_exit(compiler_execute(compiler, settings, changes));
}

static bool streams_open(struct stream *streams, struct changes *changes, const struct request *request) {
    static struct path name;
    if (!stream_open(&streams[OUTPUT], 1, request->standard_output.is_terminal)) return false;
    if (!stream_open(&streams[MESSAGES], 2, request->standard_error.is_terminal)) return false;
    if (!wants_dependencies(changes)) return true;
    return stream_open(&streams[DEPENDENCIES], -1, false) && name_pipe(&name, changes, streams[OUTPUT].theirs);
}

static bool captured_all(const struct stream *streams) {
    size_t size = 0;
    for (int i = 0; i < STREAMS; i++) {
        if (streams[i].ours >= 0 || streams[i].broken) return false;
        size += streams[i].size;
    }
    return size <= CAPTURED_BYTES_MOST;
}

static struct span captured(const struct stream *stream) { return (struct span){stream->kept, stream->size}; }

void compiler_run(struct run *run, const struct compiler *compiler, const struct settings *settings, const struct changes *asked,
                  const struct request *request, struct rival *rival) {
    struct stream streams[STREAMS];
    for (int i = 0; i < STREAMS; i++) streams[i] = (struct stream){.ours = -1, .theirs = -1};
    struct changes changes = *asked;
    uint64_t before[8] = {0};
    const signal_set watched = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGTERM) | SIGNAL_BIT(SIGHUP);
    const signal_set mask = sys_block_signals(watched);
    sys_default_signal(SIGCHLD, before); /* Where it is ignored, there is nothing to wait for. */
    struct child child = {.process = -1, .signals = sys_signal_file(watched)};
    const bool adopts = rival != NULL && offspring_adopt();

    if (child.signals >= 0 && streams_open(streams, &changes, request)) {
        run->started_ns = sys_wall_ns();
        child.started = sys_monotonic_ns();
        const int ourselves = sys_process();
        child.process = sys_fork();
        if (child.process == 0) {
            /* Who kills us means the compiler. */
            if (!sys_end_with_parent(ourselves)) sys_exit(EXIT_NOT_EXECUTABLE);
            sys_restore_signal(SIGCHLD, before);
            sys_set_signal_mask(mask);
            be_compiler(compiler, settings, &changes, streams);
        }
    }
    for (int i = 0; i < STREAMS; i++)
        if (streams[i].theirs >= 0) sys_close(streams[i].theirs);
    run->started = child.process > 0;
    if (run->started) pump(&child, run, streams, adopts ? rival : NULL);
    if (adopts) offspring_abandon();
    run->settled = is_over(&child, streams);
    run->complete = child.ended && captured_all(streams) && run->interrupted_by == 0 && !run->needless;
    run->standard_output = captured(&streams[OUTPUT]);
    run->standard_error = captured(&streams[MESSAGES]);
    run->dependencies = captured(&streams[DEPENDENCIES]);

    for (int i = 0; i < STREAMS; i++) stream_close(&streams[i]);
    if (child.signals >= 0) sys_close(child.signals);
    sys_restore_signal(SIGCHLD, before);
    sys_set_signal_mask(mask);
}
