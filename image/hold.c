/*
 * Preloaded into the criu of a dump that waits for the freeze: by the time this runs CRIU is loaded and linked, and has neither
 * read its request nor looked at any process.
 *
 * PAGURUS_HOLD names a directory with two FIFOs, status and go, both open at the runtime. One byte into status says that CRIU
 * waits, one byte from go lets it dump, and the end of go (the runtime gave up or died) ends it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

__attribute__((constructor)) static void wait_for_the_go(void)
{
	const char *directory = getenv("PAGURUS_HOLD");
	int status, go;
	char byte = 'w';

	if (!directory)
		return;
	go = open_in(directory, "go", O_RDONLY);
	status = open_in(directory, "status", O_WRONLY);
	if (go < 0 || write(status, &byte, 1) != 1 || read(go, &byte, 1) != 1) {
		fprintf(stderr, "pagurus: the dump was given up before it began\n");
		_exit(1);
	}
	close(go);
	close(status);
	/* CRIU's own children are not held. */
	unsetenv("PAGURUS_HOLD");
}
