/*
 * The demo's memory service: one parent and three workers in a ring of pipes. Every 20 ms a token goes round; each worker
 * rewrites one page of its private memory, depending on the token, and passes on a token that depends on the page. Every 50
 * steps each worker puts a digest of all its memory into shared memory, and the parent logs
 *
 *     step 150 digest 0123456789abcdef pause 21
 *
 * where pause is the longest time between two steps since the last line, in ms of the wall clock: what a migration costs.
 *
 * All of it follows from the number of steps, so `memory --expect STEP` computes the digest that a service whose memory,
 * pipes and processes have survived must log.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 3, PAGE_WORDS = 512, PAGES = 8192 /* 32 MiB each */, STEPS_PER_LINE = 50 };

static uint64_t mix(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void *map(size_t bytes, int sharing) {
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) fail("mmap");
    return block;
}

static uint64_t *first_memory(int worker) {
    uint64_t *memory = map(PAGES * PAGE_WORDS * sizeof *memory, MAP_PRIVATE);
    for (uint64_t i = 0; i < PAGES * PAGE_WORDS; i++) memory[i] = mix((uint64_t)worker << 32 | i);
    return memory;
}

static uint64_t rewrite_page(uint64_t *memory, uint64_t step, uint64_t token) {
    uint64_t *page = memory + step % PAGES * PAGE_WORDS;
    for (int i = 0; i < PAGE_WORDS; i++) page[i] = token = mix(page[i] ^ token);
    return token;
}

static uint64_t digest(const uint64_t *memory) {
    uint64_t h = 0;
    for (size_t i = 0; i < PAGES * PAGE_WORDS; i++) h = (h ^ memory[i]) * 0x9e3779b97f4a7c15, h ^= h >> 32;
    return h;
}

static uint64_t combine(const uint64_t *digests) {
    uint64_t h = 0;
    for (int worker = 0; worker < WORKERS; worker++) h = mix(h ^ digests[worker]);
    return h;
}

static int expect(uint64_t steps) {
    uint64_t *memory[WORKERS], digests[WORKERS], token = 0;
    for (int worker = 0; worker < WORKERS; worker++) memory[worker] = first_memory(worker);
    for (uint64_t step = 1; step <= steps; step++)
        for (int worker = 0; worker < WORKERS; worker++) token = rewrite_page(memory[worker], step, token);
    for (int worker = 0; worker < WORKERS; worker++) digests[worker] = digest(memory[worker]);
    printf("%016" PRIx64 "\n", combine(digests));
    return 0;
}

struct token {
    uint64_t step, value;
};

static void pass(int fd, struct token token) {
    if (write(fd, &token, sizeof token) != sizeof token) exit(1);
}

static struct token receive(int fd) {
    struct token token;
    if (read(fd, &token, sizeof token) != sizeof token) exit(1);
    return token;
}

static void work(int worker, int in, int out, uint64_t *digests) {
    uint64_t *memory = first_memory(worker);
    for (;;) {
        struct token token = receive(in);
        token.value = rewrite_page(memory, token.step, token.value);
        if (token.step % STEPS_PER_LINE == 0) digests[worker] = digest(memory);
        pass(out, token);
    }
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now); /* the monotonic clock stands still while the service does */
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void stop(int signal) { _exit(128 + signal); }

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--expect") == 0) return expect(strtoull(argv[2], NULL, 10));
    signal(SIGTERM, stop); /* the first process of a container has no default action */
    uint64_t *digests = map(WORKERS * sizeof *digests, MAP_SHARED);
    int ring[WORKERS + 1][2];
    for (int i = 0; i <= WORKERS; i++)
        if (pipe(ring[i]) != 0) fail("pipe");
    for (int worker = 0; worker < WORKERS; worker++) {
        switch (fork()) {
        case -1: fail("fork"); break;
        case 0: work(worker, ring[worker][0], ring[worker + 1][1], digests);
        }
    }
    struct token token = {0, 0};
    int64_t last = now_ms(), pause = 0;
    for (;;) {
        token.step++;
        pass(ring[0][1], token);
        token = receive(ring[WORKERS][0]);
        int64_t now = now_ms();
        if (now - last > pause && token.step > 1) pause = now - last;
        last = now;
        if (token.step % STEPS_PER_LINE == 0) {
            printf("step %" PRIu64 " digest %016" PRIx64 " pause %" PRId64 "\n", token.step, combine(digests), pause);
            fflush(stdout);
            pause = 0;
        }
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    }
}
