/*
 * load SOCKET REQUESTS TOTAL CONCURRENT: asks a daemon TOTAL times, at most CONCURRENT connections at once, one connection a question,
 * as the compiler wrapper does. REQUESTS is a file of frames (docs/protocol/compile-socket.md), asked in turn.
 *
 * Prints: questions answered by DONE, wall time in ns, median and 99th percentile of a question's time in ns, bytes received.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WORKING 0x80
#define DONE 0x81
#define HEADER 5

struct connection {
    int socket;
    int64_t began;
    uint8_t header[HEADER];
    size_t received;
};

struct span {
    const uint8_t *at;
    size_t size;
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct span *requests;
static size_t request_count;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static uint32_t frame_size(const uint8_t *frame) {
    uint32_t payload;
    memcpy(&payload, frame, sizeof payload);
    return payload + HEADER;
}

static void read_requests(const char *path) {
    const int file = open(path, O_RDONLY);
    if (file < 0) fail(path);
    const off_t size = lseek(file, 0, SEEK_END);
    uint8_t *bytes = malloc(size);
    if (bytes == NULL || pread(file, bytes, size, 0) != size) fail(path);
    close(file);
    for (off_t at = 0; at + HEADER <= size; at += frame_size(bytes + at)) {
        requests = realloc(requests, ++request_count * sizeof *requests);
        if (requests == NULL) fail("memory");
        requests[request_count - 1] = (struct span){bytes + at, frame_size(bytes + at)};
    }
    if (request_count == 0) exit(2);
}

/* Connects and asks; requests are far smaller than a socket's buffer. */
static void ask(struct connection *connection, int events, size_t number) {
    const struct span request = requests[number % request_count];
    connection->began = now_ns();
    connection->received = 0;
    connection->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->socket < 0) fail("socket");
    if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    if (send(connection->socket, request.at, request.size, MSG_NOSIGNAL) != (ssize_t)request.size) fail("send");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(events, EPOLL_CTL_ADD, connection->socket, &event) < 0) fail("epoll");
}

/* Reads what is there. True once the whole answer has come; that the daemon still works on it is none. */
static int receive(struct connection *connection, int64_t *bytes) {
    static uint8_t buffer[1 << 18];
    const ssize_t got = recv(connection->socket, buffer, sizeof buffer, 0);
    if (got < 0) fail("recv");
    *bytes += got;
    for (size_t at = 0; at < (size_t)got;) {
        if (connection->received < HEADER) {
            connection->header[connection->received++] = buffer[at++];
        } else {
            const size_t missing = frame_size(connection->header) - connection->received, here = (size_t)got - at;
            const size_t taken = missing < here ? missing : here;
            connection->received += taken;
            at += taken;
        }
        if (connection->received < HEADER || connection->received < frame_size(connection->header)) continue;
        if (connection->header[4] != WORKING) return 1;
        connection->received = 0;
    }
    return got == 0;
}

static int ascending(const void *a, const void *b) {
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv) {
    if (argc != 5 || strlen(argv[1]) >= sizeof address.sun_path) return 2;
    strcpy(address.sun_path, argv[1]);
    read_requests(argv[2]);
    const size_t total = strtoul(argv[3], NULL, 10), concurrent = strtoul(argv[4], NULL, 10);
    struct connection *connections = calloc(concurrent, sizeof *connections);
    int64_t *took = calloc(total, sizeof *took), bytes = 0;
    const int events = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || took == NULL || events < 0 || total == 0 || concurrent == 0) fail("start");

    size_t asked = 0, answered = 0, done = 0;
    const int64_t began = now_ns();
    while (asked < concurrent && asked < total) {
        ask(&connections[asked], events, asked);
        asked++;
    }
    while (answered < total) {
        struct epoll_event ready[64];
        const int count = epoll_wait(events, ready, 64, 30000);
        if (count == 0) errno = ETIMEDOUT;
        if (count <= 0) fail("answer");
        for (int i = 0; i < count; i++) {
            struct connection *connection = ready[i].data.ptr;
            if (!receive(connection, &bytes)) continue;
            took[answered++] = now_ns() - connection->began;
            done += connection->received >= HEADER && connection->header[4] == DONE;
            close(connection->socket);
            if (asked < total) ask(connection, events, asked++);
        }
    }
    const int64_t wall = now_ns() - began;
    qsort(took, total, sizeof *took, ascending);
    printf("%zu %lld %lld %lld %lld\n", done, (long long)wall, (long long)took[total / 2], (long long)took[total * 99 / 100],
           (long long)bytes);
    return 0;
}
