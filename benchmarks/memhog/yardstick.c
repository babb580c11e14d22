/*
 * yardstick: how fast a container computes, uses memory, writes to its disk and talks to the network.
 *
 * usage: yardstick cpu SECONDS            prints "cpu <million mixed words per second>"
 *        yardstick memory SECONDS         prints "memory <MiB/s>": fresh pages are mapped, written and given back
 *        yardstick disk FILE MIB          prints "disk <MiB/s>": written in pieces of 1 MiB and synced, then removed
 *        yardstick network ADDRESS PORT SECONDS
 *                                         prints "network <MiB/s>" sent to a server, and "round_trip <microseconds>", the
 *                                         median of a thousand exchanges of one byte
 *        yardstick serve PORT             is that server; never ends
 *
 * Exit code 1 with a word on stderr when something fails.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, EXCHANGES = 1000 };
static char buffer[MIB];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void cpu(double limit) {
    volatile uint64_t sink;
    uint64_t z = 1, words = 0;
    double from = seconds(), now;
    do {
        for (int i = 0; i < 1000000; i++) {
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL + i;
        }
        words += 1000000;
        now = seconds();
    } while (now - from < limit);
    sink = z;
    (void)sink;
    printf("cpu %.1f\n", words / 1e6 / (now - from));
}

static void memory(double limit) {
    const size_t bytes = 64 * MIB;
    double from = seconds(), now;
    uint64_t mib = 0;
    do {
        char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) fail("yardstick: mmap");
        memset(p, (int)mib | 1, bytes);
        munmap(p, bytes);
        mib += 64;
        now = seconds();
    } while (now - from < limit);
    printf("memory %.1f\n", mib / (now - from));
}

static void disk(const char *file, int mib) {
    memset(buffer, 0x5a, sizeof buffer);
    double from = seconds();
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) fail(file);
    for (int i = 0; i < mib; i++) {
        if (write(fd, buffer, sizeof buffer) != sizeof buffer) fail(file);
    }
    if (fsync(fd) != 0) fail(file);
    printf("disk %.1f\n", mib / (seconds() - from));
    close(fd);
    unlink(file);
}

static int connection(const char *address, int port, char kind) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1) fail(address);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) fail(address);
    if (write(fd, &kind, 1) != 1) fail("yardstick: write");
    return fd;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The server says one byte when it has read to the end: only what arrived is counted. */
static void network(const char *address, int port, double limit) {
    int fd = connection(address, port, 'S');
    double from = seconds();
    uint64_t bytes = 0;
    char byte = 'x';
    while (seconds() - from < limit) {
        ssize_t n = write(fd, buffer, 256 * 1024);
        if (n < 0) fail("yardstick: write");
        bytes += n;
    }
    shutdown(fd, SHUT_WR);
    if (read(fd, &byte, 1) != 1) fail("yardstick: read");
    printf("network %.1f\n", bytes / (double)MIB / (seconds() - from));
    close(fd);

    static double taken[EXCHANGES];
    fd = connection(address, port, 'E');
    for (int i = 0; i < EXCHANGES; i++) {
        from = seconds();
        if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) fail("yardstick: exchange");
        taken[i] = (seconds() - from) * 1e6;
    }
    qsort(taken, EXCHANGES, sizeof *taken, by_size);
    printf("round_trip %.1f\n", taken[EXCHANGES / 2]);
    close(fd);
}

static void serve(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 8) != 0) {
        fail("yardstick: listen");
    }
    printf("READY\n");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char kind;
        if (fd < 0) fail("yardstick: accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (read(fd, &kind, 1) == 1) {
            ssize_t n;
            while ((n = read(fd, buffer, sizeof buffer)) > 0) {
                if (kind == 'E' && write(fd, buffer, n) != n) break;
            }
            if (kind == 'S' && write(fd, &kind, 1) != 1) perror("yardstick: write");
        }
        close(fd);
    }
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "cpu") == 0 && argc == 3) {
        cpu(atof(argv[2]));
    } else if (strcmp(what, "memory") == 0 && argc == 3) {
        memory(atof(argv[2]));
    } else if (strcmp(what, "disk") == 0 && argc == 4) {
        disk(argv[2], atoi(argv[3]));
    } else if (strcmp(what, "network") == 0 && argc == 5) {
        network(argv[2], atoi(argv[3]), atof(argv[4]));
    } else if (strcmp(what, "serve") == 0 && argc == 3) {
        serve(atoi(argv[2]));
    } else {
        fprintf(stderr, "usage: yardstick cpu SECONDS | memory SECONDS | disk FILE MIB | network ADDRESS PORT SECONDS | serve PORT\n");
        return 2;
    }
    return 0;
}
