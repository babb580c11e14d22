/*
 * Preloaded into criu where the outer container lacks CAP_SYS_RESOURCE: answers prlimit() for a process with another uid.
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

int prlimit64(pid_t pid, enum __rlimit_resource resource, const struct rlimit64 *new_limit, struct rlimit64 *old_limit)
{
	static int (*real)(pid_t, enum __rlimit_resource, const struct rlimit64 *, struct rlimit64 *);
	int result, cause;

	if (!real)
		real = dlsym(RTLD_NEXT, "prlimit64");
	result = real(pid, resource, new_limit, old_limit);
	if (result == 0 || errno != EPERM || new_limit || !old_limit)
		return result;
	cause = errno;
	if (read_limit(pid, resource, old_limit) == 0)
		return 0;
	errno = cause;
	return -1;
}
