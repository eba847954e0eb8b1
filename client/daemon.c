/*
 * Asking the daemon: see daemon.h.
 *
 * Knows: frames, deadlines. Does not know: compilers, files of builds.
 */
#include "daemon.h"

#include "frames.h"
#include "start.h"
#include "sys.h"

#define MS ((uint64_t)1000000)
#define GROUP_OR_OTHERS_WRITE 022
#define SOCKET_NAME "/cairn.sock"
#define SOCKET_PATH_MOST 107 /* sockaddr_un has room for so much, and a terminator. */
#define UNRESPONSIVE_NAME "unresponsive"

int daemon_run_directory(const struct settings *settings, struct path *path) {
    struct file_status status;
    if (!settings_run_directory(settings, path)) return -ENOENT;
    int directory = sys_open(AT_FDCWD, path->text, O_PATH | O_DIRECTORY, 0);
    if (directory == -ENOENT && !settings->no_autostart && sys_make_directory(path->text, 0700) == 0)
        directory = sys_open(AT_FDCWD, path->text, O_PATH | O_DIRECTORY, 0); /* It does not survive a reboot. */
    if (directory < 0) return directory;
    /* Whoever can write here decides what our builds contain. */
    const int error = sys_status(directory, "", AT_EMPTY_PATH, &status);
    if (error == 0 && status.owner == sys_user() && (status.mode & GROUP_OR_OTHERS_WRITE) == 0) return directory;
    sys_close(directory);
    return -EPERM;
}

static int64_t remaining_ns(uint64_t deadline) { return (int64_t)(deadline - sys_monotonic_ns()); }

static bool wait_until_ready(int socket, short events, uint64_t deadline) {
    struct pollfd file = {.fd = socket, .events = events};
    for (;;) {
        const int64_t remaining = remaining_ns(deadline);
        if (remaining <= 0) return false;
        const int ready = sys_poll(&file, 1, remaining);
        if (ready > 0) return true;
        if (ready < 0 && ready != -EINTR) return false;
    }
}

static bool send_fully(int socket, const uint8_t *bytes, size_t size, uint64_t deadline) {
    while (size > 0) {
        const long sent = sys_send(socket, bytes, size);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (sent == -EAGAIN) {
            if (!wait_until_ready(socket, POLLOUT, deadline)) return false;
        } else if (sent != -EINTR) {
            return false;
        }
    }
    return true;
}

enum received { RECEIVED, CLOSED, LATE };

static enum received receive_fully(int socket, uint8_t *bytes, size_t size, uint64_t deadline) {
    while (size > 0) {
        const long got = sys_receive(socket, bytes, size);
        if (got > 0) {
            bytes += got;
            size -= (size_t)got;
        } else if (got == -EAGAIN) {
            if (!wait_until_ready(socket, POLLIN, deadline)) return LATE;
        } else if (got != -EINTR) {
            return CLOSED;
        }
    }
    return RECEIVED;
}

struct frame {
    enum frame_type type;
    uint8_t *payload; /* One byte more than `size` belongs to it. */
    size_t size;
};

static enum received receive_frame(int socket, struct frame *frame, uint64_t deadline) {
    uint8_t header[FRAME_HEADER_BYTES];
    enum received received = receive_fully(socket, header, sizeof header, deadline);
    if (received != RECEIVED) return received;
    frame->size = load_u32(header);
    frame->type = (enum frame_type)header[4];
    if (frame->size > FRAME_BYTES_MOST) return CLOSED;
    frame->payload = sys_allocate(frame->size + 1);
    return frame->payload == NULL ? CLOSED : receive_fully(socket, frame->payload, frame->size, deadline);
}

/* Between two frames the daemon may say any number of times that it is alive. */
static enum received receive_answer(int socket, struct frame *frame, uint64_t deadline) {
    for (;;) {
        const enum received received = receive_frame(socket, frame, deadline);
        if (received != RECEIVED || frame->type != FRAME_WORKING) return received;
        sys_release(frame->payload, frame->size + 1);
        deadline = sys_monotonic_ns() + NEXT_FRAME_MS * MS;
    }
}

static void tell_others_it_is_silent(int run_directory) {
    const int marker = sys_open(run_directory, UNRESPONSIVE_NAME, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
    if (marker < 0) return;
    sys_touch(marker);
    sys_close(marker);
}

static bool others_found_it_silent(int run_directory) {
    struct file_status status;
    if (sys_status(run_directory, UNRESPONSIVE_NAME, AT_SYMLINK_NOFOLLOW, &status) < 0) return false;
    return sys_wall_ns() - status.mtime_ns < UNRESPONSIVE_MS * MS; /* A time in the future is a huge difference. */
}

static int connect_to_daemon(int run_directory, const struct path *run_path) {
    static struct path name;
    const int socket = sys_unix_socket(FIRST_FRAME_MS);
    if (socket < 0) return socket;
    path_cut(&name, 0);
    if (run_path->length + sizeof SOCKET_NAME - 1 <= SOCKET_PATH_MOST) {
        path_add(&name, run_path->text, run_path->length);
    } else { /* The same directory under a shorter name. */
        char digits[12];
        size_t first = sizeof digits;
        for (unsigned rest = (unsigned)run_directory; first == sizeof digits || rest > 0; rest /= 10) digits[--first] = (char)('0' + rest % 10);
        path_add_text(&name, "/proc/self/fd/");
        path_add(&name, digits + first, sizeof digits - first);
    }
    path_add_text(&name, SOCKET_NAME);
    const int error = sys_connect(socket, name.text);
    if (error == 0) return socket;
    sys_close(socket);
    return error;
}

/* Ends each text with a zero, which takes the place of what follows it: that has been read by then. */
static bool terminate(const char **texts, const size_t *lengths, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char *text = (char *)(uintptr_t)texts[i];
        for (size_t j = 0; j < lengths[i]; j++)
            if (text[j] == 0) return false;
        text[lengths[i]] = 0;
    }
    return true;
}

static bool read_texts(struct reader *reader, const char **texts, size_t *lengths, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct span text = read_span(reader, read_u32(reader));
        if (reader->short_of) return false;
        texts[i] = (const char *)text.at;
        lengths[i] = text.size;
    }
    return true;
}

static bool read_run(struct answer *answer, const struct frame *frame) {
    struct reader reader = {frame->payload, frame->payload + frame->size, false};
    answer->job = read_u64(&reader);
    answer->rivalled = (read_u8(&reader) & RUN_RIVALLED) != 0;
    const size_t most = 2 * 65535;
    const char **texts = sys_allocate(most * sizeof *texts); /* Pages that stay untouched cost nothing. */
    size_t *lengths = sys_allocate(most * sizeof *lengths);
    if (texts == NULL || lengths == NULL) return false;
    const size_t arguments = read_u16(&reader);
    if (!read_texts(&reader, texts, lengths, arguments)) return false;
    const size_t variables = read_u16(&reader);
    if (!read_texts(&reader, texts + arguments, lengths + arguments, variables)) return false;
    if (reader.short_of || reader.at != reader.end || !terminate(texts, lengths, arguments + variables)) return false;
    answer->changes = (struct changes){texts, arguments, texts + arguments, variables};
    return true;
}

static enum answer_kind understand(struct answer *answer, const struct frame *frame, const uint8_t *key) {
    if (frame->type == FRAME_RUN && read_run(answer, frame)) return RUN;
    const struct span payload = {frame->payload, frame->size};
    if (frame->type == FRAME_DONE && record_parse(answer->record, payload, key, NO_CHECKOUT) == RECORD_READ) return DONE;
    return NOT_OURS; /* PASS, REFUSED, or something from a future that we do not know. */
}

void daemon_ask(struct answer *answer, const struct request *request, int run_directory, const struct path *run_path,
                const struct settings *settings) {
    answer->kind = NOT_OURS;
    if (others_found_it_silent(run_directory)) return;
    const int socket = connect_to_daemon(run_directory, run_path);
    if ((socket == -ENOENT || socket == -ECONNREFUSED) && daemon_may_start(run_directory, settings)) {
        /* One that somebody else has started may have come up since this wrapper looked, and have let go of the lock file. */
        const int again = connect_to_daemon(run_directory, run_path);
        if (again < 0) daemon_start();
        else sys_close(again);
    }
    if (socket == -EAGAIN) tell_others_it_is_silent(run_directory); /* It no longer accepts. */
    if (socket < 0) return;

    const uint64_t deadline = sys_monotonic_ns() + FIRST_FRAME_MS * MS;
    struct frame frame;
    enum received received = LATE;
    bool first_late = true;
    if (send_fully(socket, request->frame, request->size, deadline)) {
        received = receive_frame(socket, &frame, deadline);
        if (received == RECEIVED && frame.type == FRAME_WORKING) {
            first_late = false;
            received = receive_answer(socket, &frame, sys_monotonic_ns() + NEXT_FRAME_MS * MS);
        }
    }
    if (received == RECEIVED) answer->kind = understand(answer, &frame, request->key);
    if (received == LATE && first_late) tell_others_it_is_silent(run_directory);
    answer->socket = socket;
    if (answer->kind != RUN) sys_close(socket);
}

enum answer_kind daemon_overtakes(struct answer *answer, const struct request *request) {
    struct frame frame;
    if (receive_frame(answer->socket, &frame, sys_monotonic_ns() + STORED_MS * MS) == RECEIVED) {
        if (frame.type == FRAME_WORKING) return RUN;
        if (frame.type == FRAME_DONE && understand(answer, &frame, request->key) == DONE) return DONE;
    }
    sys_close(answer->socket); /* Nothing is reported to it either. */
    answer->socket = -1;
    return NOT_OURS;
}

/* A length and bytes. */
static bool send_text(int socket, struct span text, uint64_t deadline) {
    uint8_t length[4];
    store_u32(length, (uint32_t)text.size);
    return send_fully(socket, length, sizeof length, deadline) && send_fully(socket, text.at, text.size, deadline);
}

void daemon_report(const struct answer *answer, const struct run *run) {
    enum { FIXED_BYTES = 8 + 4 + 8 + 8 + 8 + 8 + 4 };
    const struct span texts[] = {run->standard_output, run->standard_error, run->dependencies};
    const size_t count = sizeof texts / sizeof *texts;
    const uint64_t deadline = sys_monotonic_ns() + STORED_MS * MS;
    uint8_t head[FRAME_HEADER_BYTES + FIXED_BYTES];
    size_t size = FIXED_BYTES;
    for (size_t i = 0; i < count; i++) size += 4 + texts[i].size;
    uint8_t *at = store_u32(head, (uint32_t)size);
    *at++ = FRAME_RAN;
    at = store_u64(at, answer->job);
    at = store_u32(at, (uint32_t)run->usage.status);
    at = store_u64(at, run->started_ns);
    at = store_u64(at, run->ended_ns);
    at = store_u64(at, run->steady_ns);
    at = store_u64(at, run->usage.cpu_us);
    store_u32(at, run->usage.resident_kib > UINT32_MAX ? UINT32_MAX : (uint32_t)run->usage.resident_kib);

    struct frame frame;
    bool sent = send_fully(answer->socket, head, sizeof head, deadline);
    for (size_t i = 0; sent && i < count; i++) sent = send_text(answer->socket, texts[i], deadline);
    /* Stored or not, the wrapper's work is done; but whoever waits for it may change the outputs, so not before they have been read. */
    while (sent && receive_frame(answer->socket, &frame, deadline) == RECEIVED && (frame.type == FRAME_WORKING || frame.type == FRAME_DONE))
        sys_release(frame.payload, frame.size + 1); /* Another machine may have been done just after the compiler here. */
}
