/*
 * What runc finds as "criu": CRIU, with eight things settled before it is loaded.
 *
 * 1. Its surroundings. A tar that knows better comes first in its path (image/plain-tar.c). Where the outer container lacks
 *    CAP_SYS_RESOURCE, CRIU may not ask the kernel for the resource limits of a process with another uid (image/foreign-rlimits.c).
 * 2. Questions about CRIU itself. runc asks for its version and its features before each dump and restore, and CRIU is loaded
 *    anew for each of these questions. Neither answer changes while the outer container lives: they are kept, by question.
 * 3. A dump or restore that is told by PAGURUS_HOLD to wait does so when CRIU is loaded (image/hold.c).
 * 4. The daemon of a lazy restore waits with patience, and dies without harm (image/lazy-pages.c).
 * 5. Shared memory that the runtime moves by itself is left to it (image/shared.c).
 * 6. What CRIU counts in a dump is kept, which it would forget (image/statistics.c).
 * 7. A restore that waits reads memory that still comes (image/pages.c).
 * 8. The processes of a dump outlive a CRIU that is killed (image/guarded.c).
 *
 * usage: criu ARGUMENTS of CRIU
 *
 * Protocol: "criu swrk FD", and over the socket FD one CriuReq and one CriuResp for each of these questions (criu's
 * images/rpc.proto, criu/cr-service.c). Looking at the request leaves it there for CRIU.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWERS "/run/pagurus/criu"

static const char program[] = "/usr/sbin/criu";
static const char shims[] = "/usr/lib/pagurus/";

/* rpc.proto, criu_req_type; the type is the first field of a request: number 1, a varint. */
enum { TYPE_FIELD = 0x08, DUMP = 1, RESTORE = 2, FEATURE_CHECK = 9, VERSION = 10 };
enum { LONGEST_QUESTION = 32, LONGEST_ANSWER = 4096 };

static void preload(const char *shim)
{
	const char *others = getenv("LD_PRELOAD");
	char all[512];

	if (snprintf(all, sizeof(all), "%s%s%s%s", shims, shim, others ? ":" : "", others ? others : "") < (int)sizeof(all))
		setenv("LD_PRELOAD", all, 1);
}

static void become_criu(char **arguments)
{
	execv(program, arguments);
	perror(program);
	_exit(127);
}

/* Asks CRIU. Returns the length of its answer, or -1. */
static ssize_t ask(char **arguments, const void *question, size_t length, char *answer)
{
	char number[16], *worker[] = { arguments[0], arguments[1], number, NULL };
	ssize_t answered;
	int pair[2], status;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0 || (pid = fork()) < 0)
		return -1;
	if (pid == 0) {
		close(pair[0]);
		snprintf(number, sizeof(number), "%d", pair[1]);
		become_criu(worker);
	}
	close(pair[1]);
	if (send(pair[0], question, length, MSG_NOSIGNAL) != (ssize_t)length)
		return -1;
	answered = recv(pair[0], answer, LONGEST_ANSWER, 0);
	close(pair[0]);
	return waitpid(pid, &status, 0) == pid && status == 0 && answered > 0 ? answered : -1;
}

static ssize_t kept(const char *path, char *answer)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, answer, LONGEST_ANSWER);

	if (file >= 0)
		close(file);
	return length > 0 ? length : -1;
}

/* Whole or not at all; an answer that cannot be kept is asked for again. */
static void keep(const char *path, const char *answer, size_t length)
{
	char part[256];
	int file;

	mkdir(ANSWERS, 0700);
	snprintf(part, sizeof(part), "%s.%d", path, getpid());
	file = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return;
	if (write(file, answer, length) != (ssize_t)length || rename(part, path) != 0)
		unlink(part);
	close(file);
}

/* Answers in CRIU's place, or returns. */
static void answer(char **arguments, int socket, const unsigned char *question, size_t length)
{
	char path[sizeof(ANSWERS) + 1 + 2 * LONGEST_QUESTION] = ANSWERS "/";
	char words[LONGEST_ANSWER];
	ssize_t answered;

	for (size_t i = 0; i < length; i++)
		sprintf(path + strlen(path), "%02x", question[i]);
	answered = kept(path, words);
	if (answered < 0) {
		answered = ask(arguments, question, length, words);
		if (answered < 0)
			return;
		keep(path, words, answered);
	}
	/* Left unread, the question would reset the connection before the answer is read. */
	recv(socket, path, sizeof(path), 0);
	_exit(send(socket, words, answered, MSG_NOSIGNAL) == answered ? 0 : 1);
}

int main(int count, char **arguments)
{
	unsigned char request[LONGEST_QUESTION];
	const char *path = getenv("PATH");
	char first[4096];
	int dump = 0, restore = 0;

	if (snprintf(first, sizeof(first), "/usr/lib/pagurus/criu:%s", path ? path : "/usr/sbin:/usr/bin:/sbin:/bin") <
	    (int)sizeof(first))
		setenv("PATH", first, 1);
	if (access("/run/pagurus/foreign-rlimits", F_OK) == 0)
		preload("foreign-rlimits.so");
	if (count == 3 && strcmp(arguments[1], "swrk") == 0) {
		int socket = atoi(arguments[2]);
		/* With MSG_TRUNC the length of the whole request, however little of it fits. */
		ssize_t length = recv(socket, request, sizeof(request), MSG_PEEK | MSG_TRUNC);

		if (length >= 2 && request[0] == TYPE_FIELD) {
			if (length <= (ssize_t)sizeof(request) && (request[1] == VERSION || request[1] == FEATURE_CHECK))
				answer(arguments, socket, request, length);
			dump = request[1] == DUMP;
			restore = request[1] == RESTORE;
		}
	}
	if (count > 1 && strcmp(arguments[1], "lazy-pages") == 0)
		preload("lazy-pages.so");
	if ((dump && getenv("PAGURUS_SPARED")) || (restore && getenv("PAGURUS_PLACED")))
		preload("shared.so");
	if (dump)
		preload("guarded.so");
	if (dump && getenv("PAGURUS_HOLD"))
		preload("statistics.so");
	if (restore && getenv("PAGURUS_HOLD"))
		preload("pages.so");
	if ((dump || restore) && getenv("PAGURUS_HOLD"))
		preload("hold.so");
	else
		unsetenv("PAGURUS_HOLD");
	become_criu(arguments);
}
