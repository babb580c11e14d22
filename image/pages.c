/*
 * Preloaded into the criu of a restore that waits: CRIU may read memory while it still comes.
 *
 * The runtime holds a lock (fcntl(2)) on a pages-N.img that it still writes. Whoever reads at the end of such a file waits for
 * more. Without the lock the end is the end: the file is complete, or the runtime has given up or died, and CRIU fails.
 *
 * CRIU reads private memory with preadv, and without an end where it gets nothing: an error ends it. A page that a process shares
 * with its parent it reads with pread (criu/pagemap.c).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static const struct timespec a_moment = { .tv_nsec = 300 * 1000 };

static int is_written(int file)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK;
}

/* Returns whether there may be more to read; after the last look at the lock there is one more read to do. */
static int await_more(int file, int *last)
{
	if (*last)
		return 0;
	*last = !is_written(file);
	if (!*last)
		nanosleep(&a_moment, NULL);
	return 1;
}

ssize_t preadv64(int file, const struct iovec *parts, int count, off64_t at)
{
	ssize_t got;
	int last = 0;

	do
		got = REAL(preadv64)(file, parts, count, at);
	while (got == 0 && count > 0 && await_more(file, &last));
	if (got == 0 && count > 0) {
		errno = EIO;
		got = -1;
	}
	return got;
}

ssize_t pread64(int file, void *to, size_t size, off64_t at)
{
	ssize_t got;
	int last = 0;

	if (size == 0)
		return 0;
	do
		got = REAL(pread64)(file, to, size, at);
	while (got == 0 && await_more(file, &last));
	return got;
}
