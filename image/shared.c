/*
 * Preloaded into CRIU: shared memory that the runtime moves by itself is neither copied by a dump nor by a restore.
 *
 * CRIU 4.2 treats anonymous shared memory as it treats a memfd (criu/proc_parse.c, handle_vma): a dump copies each into
 * pages-N.img (criu/memfd.c, criu/shmem.c), a restore makes a new memfd and reads them into it, both while the service stands
 * still. The runtime has sent them before, and holds memfds with the contents at the destination. So
 *
 *   - a dump leaves a hole in the place of the pages. PAGURUS_SPARED names a file with the inode numbers of the memfds that the
 *     runtime takes care of, in decimal, one a line; written before the dump is let go. CRIU maps the memfd, and moves its pages
 *     through a pipe into the file: vmsplice, then splice.
 *   - a restore takes the runtime's memfd instead of its own. PAGURUS_PLACED names a file with lines "INODE PATH": the number that
 *     the memfd had at the source, and a path under which it opens here. They are mapped when CRIU is loaded: a mapping is
 *     inherited by the processes that CRIU makes, and goes away when it gives them their own memory, which is true of no
 *     descriptor. CRIU makes a memfd and then opens pagemap-shmem-INODE.img: there its descriptor becomes ours. That pagemap names
 *     no pages any more, so nothing is read.
 *
 * Whatever the files do not name goes CRIU's way.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST = 4096, PROC_SELF = 0 };

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

struct placed {
	unsigned long inode;
	char *address;
	size_t length;
};

static unsigned long spared[MOST];
static int spared_count = -1;

/* The device that all of them lie on. */
static dev_t memfds;

static struct placed placed[MOST];
static int placed_count;

/* The mapping of a spared memfd in CRIU, while it dumps it. */
static char *from;
static size_t length;

/* The memfd that CRIU made last, until it has contents. */
static int made = -1;

static void give_up(const char *what)
{
	fprintf(stderr, "pagurus: %s: %m\n", what);
	_exit(1);
}

static void read_spared(void)
{
	const char *path = getenv("PAGURUS_SPARED");
	FILE *file = path ? fopen(path, "re") : NULL;
	int memfd = REAL(memfd_create)("", MFD_CLOEXEC);
	struct stat found;

	spared_count = 0;
	if (file && memfd >= 0 && fstat(memfd, &found) == 0) {
		memfds = found.st_dev;
		while (spared_count < MOST && fscanf(file, "%lu", &spared[spared_count]) == 1)
			spared_count++;
	}
	if (file)
		fclose(file);
	if (memfd >= 0)
		close(memfd);
}

static int is_spared(const struct stat *file)
{
	if (spared_count < 0)
		read_spared();
	for (int i = 0; i < spared_count; i++)
		if (spared[i] == file->st_ino && memfds == file->st_dev)
			return 1;
	return 0;
}

void *mmap64(void *address, size_t size, int protection, int flags, int file, off64_t offset)
{
	void *mapped = REAL(mmap64)(address, size, protection, flags, file, offset);
	struct stat found;

	if (mapped != MAP_FAILED && file >= 0 && spared_count != 0) {
		from = fstat(file, &found) == 0 && is_spared(&found) ? mapped : NULL;
		length = size;
	}
	return mapped;
}

int munmap(void *address, size_t size)
{
	if (address == from)
		from = NULL;
	return REAL(munmap)(address, size);
}

ssize_t vmsplice(int pipe, const struct iovec *parts, size_t count, unsigned int flags)
{
	size_t total = 0;

	if (!from || count == 0 || (char *)parts->iov_base < from || (char *)parts->iov_base >= from + length)
		return REAL(vmsplice)(pipe, parts, count, flags);
	for (size_t i = 0; i < count; i++)
		total += parts[i].iov_len;
	return total;
}

ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned int flags)
{
	if (!from)
		return REAL(splice)(in, in_at, out, out_at, size, flags);
	return lseek(out, size, SEEK_CUR) < 0 ? -1 : (ssize_t)size;
}

/* Also called by image/hold.c. */
void place_shared_memory(void)
{
	const char *path = getenv("PAGURUS_PLACED");
	FILE *file = path ? fopen(path, "re") : NULL;
	char memfd[256];
	struct stat found;

	while (file && placed_count < MOST && fscanf(file, "%lu %255s", &placed[placed_count].inode, memfd) == 2) {
		struct placed *next = &placed[placed_count++];
		int open = REAL(open64)(memfd, O_RDWR | O_CLOEXEC);

		if (open < 0 || fstat(open, &found) != 0)
			give_up(memfd);
		next->length = found.st_size;
		/* Private: a shared mapping of ours would keep a memfd from being sealed. */
		next->address = REAL(mmap64)(NULL, next->length, PROT_READ, MAP_PRIVATE, open, 0);
		if (next->address == MAP_FAILED)
			give_up(memfd);
		close(open);
	}
	if (file)
		fclose(file);
	unsetenv("PAGURUS_PLACED");
}

/* A restore that waits has nothing in place yet: image/hold.c sees to it then. */
__attribute__((constructor)) static void place_at_once(void)
{
	if (!getenv("PAGURUS_HOLD"))
		place_shared_memory();
}

int memfd_create(const char *name, unsigned int flags)
{
	made = REAL(memfd_create)(name, flags);
	return made;
}

/* Makes this memfd of CRIU's the one that has the contents already. */
static int replace(int memfd, const struct placed *ready)
{
	int (*open_proc)(pid_t pid, int flags, const char *format, ...) = dlsym(RTLD_DEFAULT, "do_open_proc");
	struct stat wanted;
	int ours;

	if (!open_proc || fstat(memfd, &wanted) != 0)
		return -1;
	ours = open_proc(PROC_SELF, O_RDWR, "map_files/%lx-%lx", (unsigned long)ready->address,
			 (unsigned long)ready->address + ((ready->length + 4095) & ~4095UL));
	if (ours < 0 || ftruncate(ours, wanted.st_size) != 0 || dup2(ours, memfd) < 0)
		return -1;
	return close(ours);
}

int openat64(int directory, const char *path, int flags, ...)
{
	unsigned long inode;
	va_list more;
	mode_t mode;
	int end = 0;

	va_start(more, flags);
	mode = va_arg(more, mode_t);
	va_end(more);
	if (placed_count > 0 && made >= 0 && sscanf(path, "pagemap-shmem-%lu.img%n", &inode, &end) == 1 && end > 0) {
		int memfd = made;

		made = -1;
		for (int i = 0; i < placed_count; i++)
			if (placed[i].inode == inode && replace(memfd, &placed[i]) != 0)
				return -1;
	}
	return REAL(openat64)(directory, path, flags, mode);
}
