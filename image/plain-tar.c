/*
 * What CRIU finds as "tar". CRIU 4.2 packs each tmpfs with "tar --create --gzip" while the service stands still, and unpacks it
 * with "tar --extract --gzip" (criu/filesystems.c).
 *
 * gzip is slower than any link, and the runtime compresses what it sends by itself: it is left out. An archive that is
 * compressed nevertheless, such as one of an older source, is still read.
 *
 * Most of these tmpfs are empty (what runc covers /proc/acpi, /sys/firmware and others with): there is no need to load a
 * program for an archive of one entry. It has the format that tar would have written (POSIX.1-1988, "ustar").
 *
 * The files of others the runtime has sent by itself, most of them before the freeze. PAGURUS_SPARED_TMPFS names a file with the
 * device numbers of these tmpfs, such as 0:57, one a line. In the place of an archive they get a line that says so, and with which
 * number they come back: where CRIU has mounted a new tmpfs and wants it filled, the one that holds the files already,
 * PAGURUS_TMPFS/0:57, is mounted instead, with the options of the new one. No file is copied, whatever its size. A tmpfs with
 * CRIU's own hard links in it (option link-remap) is packed nevertheless: they came after the files were sent.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char program[] = "/usr/bin/tar";

enum { RECORD = 10240, BLOCK = 512 };

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8], rest[247];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

static const char spared_word[] = "pagurus-tmpfs ";

static const char itself[] = "./", directory_type = '5', magic[] = "ustar\00000";

/* The sum of all bytes, those of the sum itself taken as blanks. */
static unsigned long sum(const struct header *header)
{
	struct header copy = *header;
	unsigned long total = 0;

	memset(copy.checksum, ' ', sizeof(copy.checksum));
	for (size_t i = 0; i < sizeof(copy); i++)
		total += ((const unsigned char *)&copy)[i];
	return total;
}

static int is_empty(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int entries = 0;

	if (!directory)
		return 0;
	while ((entry = readdir(directory)))
		entries += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(directory);
	return entries == 0;
}

/* Returns whether the archive is written; nothing is when it is not. */
static int pack_empty(const char *path)
{
	static union {
		struct header header;
		char bytes[RECORD];
	} archive;
	struct header *header = &archive.header;
	struct stat found;

	if (!is_empty(path) || stat(path, &found) != 0 || found.st_uid > 07777777 || found.st_gid > 07777777 || found.st_mtime < 0)
		return 0;
	strcpy(header->name, itself);
	snprintf(header->mode, sizeof(header->mode), "%07o", found.st_mode & 07777);
	snprintf(header->uid, sizeof(header->uid), "%07o", found.st_uid);
	snprintf(header->gid, sizeof(header->gid), "%07o", found.st_gid);
	snprintf(header->size, sizeof(header->size), "%011o", 0);
	snprintf(header->mtime, sizeof(header->mtime), "%011llo", (unsigned long long)found.st_mtime & 077777777777);
	header->type = directory_type;
	memcpy(header->magic, magic, sizeof(header->magic));
	snprintf(header->checksum, sizeof(header->checksum), "%06lo", sum(header));
	header->checksum[7] = ' ';
	if (write(STDOUT_FILENO, archive.bytes, sizeof(archive)) != sizeof(archive)) {
		perror("tar: cannot write");
		exit(2);
	}
	return 1;
}

static long octal(const char *field, size_t length)
{
	char text[16] = "";

	memcpy(text, field, length);
	return strtol(text, NULL, 8);
}

/* Returns whether the input was an archive of nothing but the directory itself, and is unpacked. */
static int unpack_empty(const char *path, off_t at)
{
	static const char zeros[BLOCK];
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW } };
	struct header blocks[2], *header = &blocks[0];

	if (pread(STDIN_FILENO, blocks, sizeof(blocks), at) != sizeof(blocks) || memcmp(&blocks[1], zeros, BLOCK) != 0 ||
	    strcmp(header->name, itself) != 0 || header->type != directory_type || strncmp(header->magic, magic, 5) != 0 ||
	    octal(header->checksum, sizeof(header->checksum)) != (long)sum(header))
		return 0;
	times[1].tv_sec = octal(header->mtime, sizeof(header->mtime));
	/* The owner first: a change of the owner takes set-id bits away. */
	return chown(path, octal(header->uid, sizeof(header->uid)), octal(header->gid, sizeof(header->gid))) == 0 &&
	       chmod(path, octal(header->mode, sizeof(header->mode))) == 0 && utimensat(AT_FDCWD, path, times, 0) == 0;
}

/* CRIU's create_link_remap, criu/files-reg.c: "link_remap.%d". */
static int is_remap(const char *path, const struct stat *found, int type, struct FTW *at)
{
	(void)found;
	return type == FTW_F && strncmp(path + at->base, "link_remap.", 11) == 0;
}

/* Returns whether the runtime takes care of this tmpfs, and that is written in the place of an archive. */
static int spare(const char *path)
{
	const char *list = getenv("PAGURUS_SPARED_TMPFS");
	FILE *file = list ? fopen(list, "re") : NULL;
	char spared[32], device[32], line[64];
	struct stat found;
	int length, is_spared = 0;

	if (!file)
		return 0;
	if (stat(path, &found) == 0) {
		snprintf(device, sizeof(device), "%u:%u", major(found.st_dev), minor(found.st_dev));
		while (!is_spared && fscanf(file, "%31s", spared) == 1)
			is_spared = strcmp(spared, device) == 0;
	}
	fclose(file);
	/* The path is a link, which is not walked by itself. */
	snprintf(line, sizeof(line), "%.40s/.", path);
	if (!is_spared || nftw(line, is_remap, 32, FTW_PHYS | FTW_MOUNT) != 0)
		return 0;
	length = snprintf(line, sizeof(line), "%s%s\n", spared_word, device);
	if (write(STDOUT_FILENO, line, length) != length) {
		perror("tar: cannot write");
		exit(2);
	}
	return 1;
}

static void require(int holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "tar: cannot put a tmpfs in its place: %s: %m\n", what);
		exit(2);
	}
}

/* What a file system was mounted with, proc_pid_mountinfo(5): after " - " its type, its source, and its options. */
static int options_of(const char *mount_point, char *options, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, point[4096], found[4096];
	size_t room = 0;
	int known = 0;

	while (file && getline(&line, &room, file) > 0) {
		const char *end = strstr(line, " - ");

		/* The last one hides the others. */
		if (end && sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 && strcmp(point, mount_point) == 0 &&
		    sscanf(end, " - %*s %*s %4095s", found) == 1) {
			const char *rest = strchr(found, ',');

			snprintf(options, size, "%s", rest ? rest + 1 : "");
			known = 1;
		}
	}
	free(line);
	if (file)
		fclose(file);
	return known;
}

static unsigned long mount_flags(unsigned long shown)
{
	static const struct {
		unsigned long shown, flag;
	} flags[] = {
		{ ST_RDONLY, MS_RDONLY },   { ST_NOSUID, MS_NOSUID },	      { ST_NODEV, MS_NODEV },	    { ST_NOEXEC, MS_NOEXEC },
		{ ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME }, { ST_RELATIME, MS_RELATIME }, { ST_SYNCHRONOUS, MS_SYNCHRONOUS },
	};
	unsigned long all = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (shown & flags[i].shown)
			all |= flags[i].flag;
	return all & (MS_NOATIME | MS_RELATIME) ? all : all | MS_STRICTATIME;
}

/* Returns whether the input said that the files are here already; then they are in place. */
static int put_in_place(const char *path, off_t at)
{
	char line[64] = "", ready[4096], options[4096] = "", all[4200];
	const char *where = getenv("PAGURUS_TMPFS"), *device = line + sizeof(spared_word) - 1;
	struct statvfs fresh;
	struct statfs staged;

	if (pread(STDIN_FILENO, line, sizeof(line) - 1, at) <= 0 || strncmp(line, spared_word, sizeof(spared_word) - 1) != 0)
		return 0;
	line[strcspn(line, "\n")] = '\0';
	require(where && *device && device[strspn(device, "0123456789:")] == '\0', "nothing was announced");
	snprintf(ready, sizeof(ready), "%s/%s", where, device);
	require(statfs(ready, &staged) == 0 && staged.f_type == TMPFS_MAGIC, ready);
	require(statvfs(path, &fresh) == 0 && options_of(path, options, sizeof(options)), path);
	require(umount2(path, MNT_DETACH) == 0, "umount");
	require(mount(ready, path, NULL, MS_BIND, NULL) == 0, "bind");
	/* What is not among the options has the value that a mount without options would have given it. */
	snprintf(all, sizeof(all), "size=50%%%s%s", *options ? "," : "", options);
	require(mount(NULL, path, NULL, MS_REMOUNT | mount_flags(fresh.f_flag), all) == 0, all);
	return 1;
}

/* CRIU's input is an image file, so looking at it takes nothing away. RFC 1952: a gzip file begins with 1f 8b. */
static int input_is_plain(off_t at)
{
	unsigned char first[2];

	return pread(STDIN_FILENO, first, 2, at) == 2 && !(first[0] == 0x1f && first[1] == 0x8b);
}

int main(int count, char **arguments)
{
	const char *directory = NULL;
	int create = 0, extract = 0, plain, kept = 1;
	off_t at;

	for (int i = 1; i < count; i++) {
		create |= strcmp(arguments[i], "--create") == 0;
		extract |= strcmp(arguments[i], "--extract") == 0;
		if (strcmp(arguments[i], "--directory") == 0)
			directory = arguments[i + 1];
	}
	if (create && directory && (spare(directory) || pack_empty(directory)))
		return 0;
	at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	if (extract && directory && (put_in_place(directory, at) || unpack_empty(directory, at)))
		return 0;
	plain = create || input_is_plain(at);
	for (int i = 1; i < count; i++)
		if (!plain || strcmp(arguments[i], "--gzip") != 0)
			arguments[kept++] = arguments[i];
	arguments[kept] = NULL;
	execv(program, arguments);
	perror(program);
	return 127;
}
