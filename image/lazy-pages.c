/*
 * Preloaded into "criu lazy-pages", which places the memory of a service that runs already. Two things are mended.
 *
 * 1. While the daemon waits for pages from afar it polls without a timeout and a pause (criu/uffd.c, handle_requests), and takes a
 *    whole core from the service that it serves. A poll that found nothing is followed by one that waits.
 * 2. When the daemon dies, the kernel closes its userfaultfds, and the service reads zeros where pages were still missing: it
 *    would go on, wrongly. A keeper, a child of the daemon, holds a copy of each of them; then a process that needs a missing page
 *    stands still (userfaultfd(2)) until somebody ends it. The keeper leaves when the daemon has ended well, or when no process is
 *    left.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 20, LOOK_SECONDS = 1, PAGE = 4096 };

/* Descriptors go to the keeper here; one byte without any says that the daemon has ended well. */
static int keeper = -1;
static pid_t daemon_pid;

static void hand_over(int descriptor)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = descriptor < 0 ? 'e' : 'd';
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (descriptor >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
	}
	while (sendmsg(keeper, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static int received(const struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int descriptor = -1;

	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
	return descriptor;
}

/* Whether the process that a userfaultfd belongs to has gone: fs/userfaultfd.c says ENOMEM then, EINVAL to this range otherwise. */
static int is_over(int userfault)
{
	struct uffdio_range nothing = { 0, PAGE };

	return ioctl(userfault, UFFDIO_UNREGISTER, &nothing) != 0 && errno == ENOMEM;
}

static void keep(int socket)
{
	int *kept = NULL, count = 0, left = 1;

	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		if (signal_number != SIGTERM)
			signal(signal_number, SIG_IGN);
	prctl(PR_SET_NAME, "lazy-keeper");
	for (;;) {
		char control[CMSG_SPACE(sizeof(int))], byte;
		struct iovec data = { &byte, 1 };
		struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
		ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
		int descriptor, *more;

		if (length == 1 && byte == 'e')
			_exit(0);
		if (length <= 0)
			break;
		descriptor = received(&message);
		more = realloc(kept, (count + 1) * sizeof(int));
		if (more) {
			kept = more;
			kept[count++] = descriptor;
		}
	}
	while (left) {
		left = 0;
		for (int i = 0; i < count; i++)
			left += !is_over(kept[i]);
		sleep(LOOK_SECONDS);
	}
	_exit(0);
}

static void leave(int status, void *unused)
{
	(void)unused;
	if (getpid() == daemon_pid && status == 0)
		hand_over(-1);
}

__attribute__((constructor)) static void start_keeper(void)
{
	int pair[2];
	pid_t child;

	/* Not in what the daemon itself may start. */
	unsetenv("LD_PRELOAD");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return;
	child = fork();
	if (child == 0) {
		close(pair[1]);
		keep(pair[0]);
	}
	close(pair[0]);
	if (child < 0) {
		close(pair[1]);
		return;
	}
	daemon_pid = getpid();
	keeper = pair[1];
	on_exit(leave, NULL);
}

/* How the daemon gets the userfaultfd of a restored process. */
ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);
	ssize_t length;

	if (!real)
		real = (ssize_t(*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");
	length = real(socket, message, flags);
	if (length >= 0 && keeper >= 0 && getpid() == daemon_pid && received(message) >= 0)
		hand_over(received(message));
	return length;
}

/* How it gets the one of a process that was forked meanwhile. */
ssize_t read(int file, void *buffer, size_t size)
{
	static ssize_t (*real)(int, void *, size_t);
	const struct uffd_msg *event = buffer;
	ssize_t length;

	if (!real)
		real = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
	length = real(file, buffer, size);
	if (size == sizeof(*event) && length == (ssize_t)size && keeper >= 0 && event->event == UFFD_EVENT_FORK)
		hand_over(event->arg.fork.ufd);
	return length;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);
	static int found_nothing;
	int found;

	if (!real)
		real = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
	found = real(epoll, events, most, timeout == 0 && found_nothing ? WAIT_MS : timeout);
	found_nothing = timeout == 0 && found == 0;
	return found;
}
