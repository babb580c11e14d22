/*
 * memhog: a service whose memory is all there is to it, and which can prove that none of it changed on the way.
 *
 * usage: memhog [-m MIB] [-r SHARE] [-d MIB_PER_SECOND] [-p PROCESSES] [-s SECONDS]
 *   -m   memory, MiB, shared out among the processes                         (64)
 *   -r   share of pages with random contents, 0 to 1; the rest repeat a word (1)
 *   -d   pages rewritten, MiB/s, all processes together                      (0)
 *   -p   processes                                                           (1)
 *   -s   the memory swings: from a quarter to all of it and back in this time (0: it doesn't). What is given back is
 *        unmapped; what is taken again has new contents
 *
 * Every process looks at the clock every 10 ms and keeps its largest gap. The clock is CLOCK_REALTIME: CRIU restores a
 * container with the monotonic clock of its past, in which the move took no time; the time of day goes on, and is one and
 * the same for two outer containers on one host.
 *
 * It prints "READY <MiB>" when all pages are filled. At SIGUSR1 each process closes its gap and only then compares every
 * byte of its pages with what must be there (a page's contents follow from its number and from how often it was rewritten;
 * so lost, stale, swapped and torn pages all show). When all have done so, one line:
 *
 *   REPORT <n> gap_ms <largest gap since the last report> from <epoch, ms> ticks <n> pages <n, those there now> VERIFY ok|FAILED <bad pages>
 *
 * Nothing else is printed: a log travels too, and must not weigh.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, WORDS = PAGE / 8, TICK_NS = 10 * 1000 * 1000, MAX_PROCESSES = 64 };
enum { CHUNK = 64, CHUNKS_PER_TICK = 4 }; /* pages that come and go at once: 100 MiB/s at most, so that no tick is late */

/* What one process tells; the slots lie in one shared page or two. */
struct slot {
    _Atomic uint32_t filled, answered;
    int64_t gap_ns, gap_from_ns, ticks;
    uint64_t bad_pages, pages;
};

static struct slot *slots;
static volatile sig_atomic_t asked; /* reports asked for; each process is signalled */

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* splitmix64: each word follows from its place alone, so that the compiler can work on several at once. */
static inline uint64_t mix(uint64_t z) {
    z *= 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

struct memory {
    uint64_t *words;
    uint32_t *version; /* how often a page was rewritten */
    uint64_t pages, seed, random_below;
    uint64_t most; /* pages, when all are there; `pages` are now */
};

static inline uint64_t page_key(const struct memory *m, uint64_t page) {
    return mix(m->seed + page * 0x100000001ULL + ((uint64_t)m->version[page] << 40));
}


static void write_page(struct memory *m, uint64_t page) {
    uint64_t key = page_key(m, page), *words = m->words + page * WORDS;
    if (mix(m->seed ^ page) % 1000000 < m->random_below) {
        for (int i = 0; i < WORDS; i++) words[i] = mix(key + i);
    } else {
        for (int i = 0; i < WORDS; i++) words[i] = key;
    }
}

static uint64_t bad_pages(const struct memory *m) {
    uint64_t bad = 0;
    for (uint64_t page = 0; page < m->pages; page++) {
        uint64_t key = page_key(m, page), difference = 0;
        const uint64_t *words = m->words + page * WORDS;
        if (mix(m->seed ^ page) % 1000000 < m->random_below) {
            for (int i = 0; i < WORDS; i++) difference |= words[i] ^ mix(key + i);
        } else {
            for (int i = 0; i < WORDS; i++) difference |= words[i] ^ key;
        }
        bad += difference != 0;
    }
    return bad;
}

static void *map_at(void *place, size_t bytes, int protection, int flags) {
    void *p = mmap(place, bytes, protection, flags | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("memhog: mmap");
        exit(1);
    }
    return p;
}

static void *map(size_t bytes, int sharing) { return map_at(NULL, bytes, PROT_READ | PROT_WRITE, sharing); }

/* Takes or gives back memory until there is as much as asked for, but not more than a tick allows. */
static void resize(struct memory *m, uint64_t wanted) {
    for (int i = 0; i < CHUNKS_PER_TICK && m->pages + CHUNK <= wanted; i++) {
        map_at(m->words + m->pages * WORDS, CHUNK * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED);
        for (uint64_t end = m->pages + CHUNK; m->pages < end; m->pages++) {
            m->version[m->pages]++;
            write_page(m, m->pages);
        }
    }
    for (int i = 0; i < CHUNKS_PER_TICK && m->pages >= wanted + CHUNK; i++) {
        m->pages -= CHUNK;
        map_at(m->words + m->pages * WORDS, CHUNK * PAGE, PROT_NONE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE);
    }
}

/* How many pages there ought to be: a triangle over the ticks, which stand still while the service does. */
static uint64_t swing(const struct memory *m, int64_t tick, double ticks_per_period) {
    double place = tick / ticks_per_period, height = place - (int64_t)place;
    height = height < 0.5 ? 2 * height : 2 - 2 * height;
    return (uint64_t)(m->most * (0.25 + 0.75 * height));
}

static void on_usr1(int signal) {
    (void)signal;
    asked++;
}

/* One line for all processes, by the first of them. */
static void report(int processes, uint32_t number) {
    struct slot all = {0};
    for (int i = 0; i < processes; i++) {
        all.ticks += slots[i].ticks;
        all.bad_pages += slots[i].bad_pages;
        all.pages += slots[i].pages;
        if (slots[i].gap_ns > all.gap_ns) {
            all.gap_ns = slots[i].gap_ns;
            all.gap_from_ns = slots[i].gap_from_ns;
        }
    }
    printf("REPORT %u gap_ms %.1f from %lld ticks %lld pages %llu VERIFY ", number, all.gap_ns / 1e6,
        (long long)(all.gap_from_ns / 1000000), (long long)all.ticks, (unsigned long long)all.pages);
    if (all.bad_pages == 0) {
        printf("ok\n");
    } else {
        printf("FAILED %llu\n", (unsigned long long)all.bad_pages);
    }
    fflush(stdout);
}

static int answered_by_all(int processes, uint32_t number) {
    for (int i = 0; i < processes; i++) {
        if (atomic_load(&slots[i].answered) < number) return 0;
    }
    return 1;
}

/* What the options ask for, of all processes together. */
struct plan {
    uint64_t pages;
    double share, dirty_pages_per_tick, ticks_per_period;
};

/* The life of process `self`; never returns. `children` is known to the first alone. */
static void live(int self, int processes, const pid_t *children, const struct plan *plan) {
    struct memory m = {.most = plan->pages / processes + (self < (int)(plan->pages % processes)),
        .seed = mix(self + 1), .random_below = (uint64_t)(plan->share * 1000000)};
    m.version = map(m.most * sizeof(uint32_t) + PAGE, MAP_PRIVATE);
    if (plan->ticks_per_period > 0) {
        m.words = map_at(NULL, (m.most + CHUNK) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE);
        while (m.pages + CHUNK <= swing(&m, 0, plan->ticks_per_period)) resize(&m, m.pages + CHUNK);
    } else {
        m.words = map(m.most * PAGE + PAGE, MAP_PRIVATE);
        for (m.pages = 0; m.pages < m.most; m.pages++) write_page(&m, m.pages);
    }
    atomic_store(&slots[self].filled, 1);

    if (self == 0) {
        for (int i = 0; i < processes; i++) {
            while (!atomic_load(&slots[i].filled)) usleep(1000);
        }
        printf("READY %llu\n", (unsigned long long)(plan->pages * PAGE >> 20));
        fflush(stdout);
    }

    struct slot *slot = &slots[self];
    const struct timespec tick = {0, TICK_NS};
    uint32_t done = 0, printed = 0;
    uint64_t cursor = 0;
    double due = 0;
    int64_t last = now_ns();
    for (;;) {
        nanosleep(&tick, NULL);
        int64_t now = now_ns();
        slot->ticks++;
        if (now - last > slot->gap_ns) {
            slot->gap_ns = now - last;
            slot->gap_from_ns = last;
        }
        last = now;

        /* By the tick, not by the time that passed: after a move nothing is made up for. */
        for (due += plan->dirty_pages_per_tick / processes; due >= 1 && m.pages > 0; due--) {
            cursor = (cursor + 1) % m.pages;
            m.version[cursor]++;
            write_page(&m, cursor);
        }
        if (plan->ticks_per_period > 0) resize(&m, swing(&m, slot->ticks, plan->ticks_per_period));

        if (done < (uint32_t)asked) {
            done = (uint32_t)asked;
            for (int i = 1; self == 0 && i < processes; i++) kill(children[i], SIGUSR1);
            slot->bad_pages = bad_pages(&m);
            slot->pages = m.pages;
            last = now_ns(); /* the look at all pages was no gap */
            atomic_store(&slot->answered, done);
        }
        if (self == 0 && printed < done && answered_by_all(processes, done)) {
            printed = done;
            report(processes, done);
            for (int i = 0; i < processes; i++) slots[i].gap_ns = slots[i].gap_from_ns = 0;
        }
    }
}

int main(int argc, char **argv) {
    double mib = 64, share = 1, dirty = 0, swing_seconds = 0;
    int processes = 1, option;
    while ((option = getopt(argc, argv, "m:r:d:p:s:")) != -1) {
        switch (option) {
        case 'm': mib = atof(optarg); break;
        case 'r': share = atof(optarg); break;
        case 'd': dirty = atof(optarg); break;
        case 'p': processes = atoi(optarg); break;
        case 's': swing_seconds = atof(optarg); break;
        default:
            fprintf(stderr, "usage: memhog [-m MIB] [-r SHARE] [-d MIB_PER_SECOND] [-p PROCESSES] [-s SECONDS]\n");
            return 2;
        }
    }
    if (mib < 0 || share < 0 || share > 1 || dirty < 0 || swing_seconds < 0 || processes < 1 || processes > MAX_PROCESSES) {
        fprintf(stderr, "memhog: value out of range\n");
        return 2;
    }
    slots = map(MAX_PROCESSES * sizeof *slots, MAP_SHARED);
    /* Once asked, a process is asked again only after its answer; so a plain counter in a handler is enough. */
    struct sigaction usr1 = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &usr1, NULL);
    /* As PID 1 of a container it would otherwise ignore them. */
    struct sigaction end = {.sa_handler = _exit};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);

    const double ticks_per_second = 1e9 / TICK_NS;
    struct plan plan = {.pages = (uint64_t)(mib * 256), .share = share, .dirty_pages_per_tick = dirty * 256 / ticks_per_second,
        .ticks_per_period = swing_seconds * ticks_per_second};
    pid_t children[MAX_PROCESSES] = {0};
    for (int i = 1; i < processes; i++) {
        children[i] = fork();
        if (children[i] < 0) {
            perror("memhog: fork");
            return 1;
        }
        if (children[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            live(i, processes, NULL, &plan);
        }
    }
    live(0, processes, children, &plan);
}
