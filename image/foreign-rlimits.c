/*
 * Preloaded into criu where the outer container lacks CAP_SYS_RESOURCE: answers prlimit64 for a process with another uid.
 *
 * The kernel lets a process read the resource limits of another only when their uids agree or it holds CAP_SYS_RESOURCE
 * (kernel/sys.c, check_prlimit_permission), whereas /proc/PID/limits (proc_pid_limits(5)) shows the same figures to
 * everybody. criu reads limits from outside and sets them only from inside the restored process, so reads are all it takes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

/* First column of /proc/PID/limits, by RLIMIT_* number (fs/proc/base.c, lnames). */
static const char *const names[] = {
	"Max cpu time", "Max file size", "Max data size", "Max stack size",
	"Max core file size", "Max resident set", "Max processes", "Max open files",
	"Max locked memory", "Max address space", "Max file locks", "Max pending signals",
	"Max msgqueue size", "Max nice priority", "Max realtime priority", "Max realtime timeout",
};

static rlim64_t value(const char *text)
{
	return strcmp(text, "unlimited") == 0 ? RLIM64_INFINITY : strtoull(text, NULL, 10);
}

static int read_limit(pid_t pid, unsigned int resource, struct rlimit64 *limit)
{
	char path[32], line[128], soft[24], hard[24];
	int result = -1;
	FILE *limits;

	if (resource >= sizeof(names) / sizeof(names[0]))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	limits = fopen(path, "re");
	if (!limits)
		return -1;
	while (result != 0 && fgets(line, sizeof(line), limits)) {
		size_t length = strlen(names[resource]);

		/* The name is padded to 25 columns, so that no name is taken for a longer one. */
		if (strncmp(line, names[resource], length) == 0 && line[length] == ' ' &&
		    sscanf(line + length, " %23s %23s", soft, hard) == 2) {
			limit->rlim_cur = value(soft);
			limit->rlim_max = value(hard);
			result = 0;
		}
	}
	fclose(limits);
	return result;
}

/*
 * criu 4.2 makes this call through syscall(2) (criu/cr-dump.c, dump_task_rlimits; criu/include/prlimit.h). Every number comes
 * by here; six arguments are passed on whatever the number, as glibc's own syscall() does, so <unistd.h>, which declares it
 * variadic, stays out.
 */
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
	static long (*real)(long, long, long, long, long, long, long);
	long result;

	if (!real)
		real = (long (*)(long, long, long, long, long, long, long))dlsym(RTLD_NEXT, "syscall");
	result = real(number, a, b, c, d, e, f);
	/* prlimit64(pid a, resource b, new limit c, old limit d) */
	if (result == 0 || number != SYS_prlimit64 || errno != EPERM || c || !d)
		return result;
	if (read_limit(a, b, (struct rlimit64 *)d) == 0)
		return 0;
	errno = EPERM;
	return -1;
}
