/*
 * What CRIU finds as "tar". CRIU 4.2 packs each tmpfs with "tar --create --gzip" while the service stands still, and unpacks it
 * with "tar --extract --gzip" (criu/filesystems.c).
 *
 * gzip is slower than any link, and the runtime compresses what it sends by itself: it is left out. An archive that is
 * compressed nevertheless, such as one of an older source, is still read.
 *
 * Most of these tmpfs are empty (what runc covers /proc/acpi, /sys/firmware and others with): there is no need to load a
 * program for an archive of one entry. It has the format that tar would have written (POSIX.1-1988, "ustar").
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char program[] = "/usr/bin/tar";

enum { RECORD = 10240, BLOCK = 512 };

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[8], rest[247];
};

_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

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
	if (create && directory && pack_empty(directory))
		return 0;
	at = lseek(STDIN_FILENO, 0, SEEK_CUR);
	if (extract && directory && unpack_empty(directory, at))
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
