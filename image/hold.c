/*
 * Preloaded into the criu of a dump or restore that waits: by the time this runs CRIU is loaded and linked, and runc has done
 * what it does before CRIU. CRIU has neither read its request nor looked at any process or image.
 *
 * PAGURUS_HOLD names a directory with two FIFOs, status and go, both open at the runtime. One byte into status says that CRIU
 * waits, one byte from go lets it go on, and the end of go (the runtime gave up or died) ends it.
 *
 * runc asks for a lazy restore, since nobody knows yet how much memory will be missing. The byte EAGER takes that back, in the
 * request: CriuReq.opts.lazy_pages (images/rpc.proto), which CRIU reads with one recv (criu/cr-service.c, recv_criu_msg).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EAGER = 'e' };
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
enum { REQUEST_OPTS = 2, OPTS_LAZY_PAGES = 48 };

static int eager;

static int open_in(const char *directory, const char *name, int how)
{
	char path[4096];
	int file = -1;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) < (int)sizeof(path)) {
		/* Never waits for the other side; only reading may. */
		file = open(path, how | O_NONBLOCK | O_CLOEXEC);
		if (file >= 0)
			fcntl(file, F_SETFL, 0);
	}
	return file;
}

static void give_up(const char *why)
{
	fprintf(stderr, "pagurus: %s\n", why);
	_exit(1);
}

__attribute__((constructor)) static void wait_for_the_go(void)
{
	const char *directory = getenv("PAGURUS_HOLD");
	void (*place)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "place_shared_memory");
	int status, go;
	char byte = 'w';

	if (!directory)
		return;
	go = open_in(directory, "go", O_RDONLY);
	status = open_in(directory, "status", O_WRONLY);
	if (go < 0 || write(status, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		give_up("the migration was given up before CRIU began");
	close(go);
	close(status);
	/* CRIU's own children are not held. */
	unsetenv("PAGURUS_HOLD");
	eager = byte == EAGER;
	if (place)
		place();
}

static const unsigned char *number(const unsigned char *at, const unsigned char *end, unsigned long *value)
{
	*value = 0;
	for (int shift = 0; at < end && shift < 64; shift += 7) {
		*value |= (unsigned long)(*at & 0x7f) << shift;
		if (!(*at++ & 0x80))
			return at;
	}
	return NULL;
}

/* Finds a field of this number; returns where its value begins, or NULL. */
static unsigned char *field(const unsigned char *at, const unsigned char *end, unsigned long wanted, unsigned long *length)
{
	unsigned long key, value;

	while (at && at < end) {
		at = number(at, end, &key);
		if (!at)
			break;
		const unsigned char *begin = at;
		switch (key & 7) {
		case VARINT: at = number(at, end, &value); break;
		case FIXED64: at += 8; break;
		case FIXED32: at += 4; break;
		case BYTES:
			begin = at = number(at, end, &value);
			at = at && value <= (unsigned long)(end - at) ? at + value : NULL;
			break;
		default: at = NULL;
		}
		if (at && at <= end && key >> 3 == wanted) {
			*length = at - begin;
			return (unsigned char *)begin;
		}
	}
	return NULL;
}

ssize_t recv(int socket, void *buffer, size_t size, int flags)
{
	ssize_t (*real)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");
	ssize_t got = real(socket, buffer, size, flags);
	unsigned long length;

	if (eager && got > 0 && !(flags & MSG_PEEK)) {
		unsigned char *opts = field(buffer, (unsigned char *)buffer + got, REQUEST_OPTS, &length);
		unsigned char *lazy = opts ? field(opts, opts + length, OPTS_LAZY_PAGES, &length) : NULL;

		if (!lazy || length != 1)
			give_up("runc did not ask for a lazy restore");
		*lazy = 0;
		eager = 0;
	}
	return got;
}
