/*
 * delay MICROSECONDS NAMESPACE INTERFACE: a cable between this network namespace and another (a path below /run/netns), whose packets are
 * MICROSECONDS on their way. Its ends are TUN devices of that name. Writes a line when both are there, ends when its standard input does.
 *
 * For kernels without netem. Packets that come faster than they can be kept are lost, as on any cable.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKETS 8192
#define PACKET_BYTES 1600

struct packet {
    long long due_ns;
    ssize_t bytes;
    char content[PACKET_BYTES];
};

/* Everything waits equally long, so what came first is due first. */
struct way {
    int from, to;
    unsigned long taken, given;
    struct packet packets[PACKETS];
};

static struct way ways[2];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static int device(const char *name) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    const int file = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) fail("/dev/net/tun");
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(file, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
    return file;
}

static void take(struct way *way, long long due_ns) {
    for (;;) {
        static char lost[PACKET_BYTES];
        struct packet *const packet = &way->packets[way->taken % PACKETS];
        const int full = way->taken - way->given == PACKETS;
        const ssize_t bytes = read(way->from, full ? lost : packet->content, PACKET_BYTES);
        if (bytes <= 0) return;
        if (full) continue;
        packet->bytes = bytes;
        packet->due_ns = due_ns;
        way->taken++;
    }
}

/* Returns in how many ns the next one is due, or -1. */
static long long give(struct way *way, long long now) {
    for (; way->given < way->taken; way->given++) {
        const struct packet *const packet = &way->packets[way->given % PACKETS];
        if (packet->due_ns > now) return packet->due_ns - now;
        if (write(way->to, packet->content, packet->bytes) < 0) continue; /* The other end is down: lost. */
    }
    return -1;
}

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    const long long delay_ns = atoll(argv[1]) * 1000;
    const int near = device(argv[3]);
    const int namespace = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWNET) < 0) fail(argv[2]);
    const int far = device(argv[3]);
    ways[0].from = ways[1].to = near;
    ways[1].from = ways[0].to = far;
    puts("ready");
    fflush(stdout);
    struct pollfd watched[3] = {{near, POLLIN, 0}, {far, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    for (;;) {
        long long wait_ns = -1;
        for (int i = 0; i < 2; i++) {
            const long long next_ns = give(&ways[i], now_ns());
            if (next_ns >= 0 && (wait_ns < 0 || next_ns < wait_ns)) wait_ns = next_ns;
        }
        const struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
        if (ppoll(watched, 3, wait_ns < 0 ? NULL : &wait, NULL) < 0) fail("ppoll");
        if (watched[2].revents != 0) return 0;
        for (int i = 0; i < 2; i++) take(&ways[i], now_ns() + delay_ns);
    }
}
