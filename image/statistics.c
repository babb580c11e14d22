/*
 * Preloaded into the criu of a dump: its own figures about the dump are kept.
 *
 * CRIU 4.2 counts anew when it starts to serve pages (criu/page-xfer.c, cr_page_server), which after a dump without private memory
 * leaves zeros in its stats-dump. Right before it does so it says "Starting lazy pages server" in its log (criu/mem.c or
 * criu/cr-dump.c, cr_lazy_mem_dump): at that line CRIU is asked to write its figures, by its own functions, which it exports to its
 * plugins, and the file is kept under another name. The time frozen is still running then, and is ended by the same means.
 *
 * Where CRIU has none of these, there is no file, and nothing else is different.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* criu/include/stats.h */
enum { DUMP_STATS = 1, TIME_FROZEN = 1 };

static const char moment[] = "Starting lazy pages server";

static void keep_statistics(void)
{
	void (*timing_stop)(int time) = (void (*)(int))dlsym(RTLD_DEFAULT, "timing_stop");
	void (*write_stats)(int what) = (void (*)(int))dlsym(RTLD_DEFAULT, "write_stats");

	if (timing_stop && write_stats) {
		timing_stop(TIME_FROZEN);
		write_stats(DUMP_STATS);
		/* CRIU's own end overwrites the name that it was written under. */
		rename("stats-dump", "stats-frozen");
	}
}

ssize_t write(int file, const void *bytes, size_t length)
{
	static __typeof__(&write) real;
	static int kept;

	if (!real)
		real = (__typeof__(&write))dlsym(RTLD_NEXT, "write");
	if (!kept && length < 256 && memmem(bytes, length, moment, sizeof(moment) - 1)) {
		kept = 1;
		keep_statistics();
	}
	return real(file, bytes, length);
}
