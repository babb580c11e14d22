/*
 * Preloaded into "criu lazy-pages", which places the memory of a service that runs already. Two things are mended.
 *
 * 1. While the daemon waits for pages from afar it polls without a timeout and a pause (criu/uffd.c, handle_requests), and takes a
 *    whole core from the service that it serves. A poll that found nothing is followed by one that waits.
 * 2. When the daemon dies, the kernel closes its userfaultfds, and the service reads zeros where pages were still missing: it
 *    would go on, wrongly. A keeper, a child of the daemon, holds a copy of each of them; then a process that needs a missing page
 *    stands still (userfaultfd(2)) until somebody ends it. The keeper leaves when the daemon has ended well, or when no process is
 *    left. What the daemon closes the keeper closes before it: a userfaultfd that nobody reads stops the next fork of its process,
 *    and stays in the daemon's epoll set.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 20, LOOK_SECONDS = 1, PAGE = 4096 };

/* What the keeper is told; HOLD comes with the descriptor, and DROP is answered by a byte. */
enum { HOLD = 'h', DROP = 'd', END = 'e' };
struct order {
	char what;
	int number;
};

static int keeper = -1;
static pid_t daemon_pid;
static fd_set held;

static void tell(char what, int number)
{
	struct order order = { what, number };
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec data = { &order, sizeof(order) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
	struct cmsghdr *header;

	if (what == HOLD) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &number, sizeof(int));
	}
	while (sendmsg(keeper, &message, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static int is_ours(int number)
{
	return keeper >= 0 && getpid() == daemon_pid && number >= 0 && number < FD_SETSIZE;
}

static void hold(int number)
{
	if (is_ours(number)) {
		FD_SET(number, &held);
		tell(HOLD, number);
	}
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
	int kept[FD_SETSIZE], left = 1;

	for (int number = 0; number < FD_SETSIZE; number++)
		kept[number] = -1;
	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		if (signal_number != SIGTERM)
			signal(signal_number, SIG_IGN);
	prctl(PR_SET_NAME, "lazy-keeper");
	for (;;) {
		struct order order;
		char control[CMSG_SPACE(sizeof(int))], done = 0;
		struct iovec data = { &order, sizeof(order) };
		struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

		if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != sizeof(order))
			break;
		switch (order.what) {
		case HOLD:
			kept[order.number] = received(&message);
			break;
		case DROP:
			close(kept[order.number]);
			kept[order.number] = -1;
			if (send(socket, &done, 1, MSG_NOSIGNAL) != 1)
				goto alone;
			break;
		case END:
			_exit(0);
		}
	}
alone:
	while (left) {
		left = 0;
		for (int number = 0; number < FD_SETSIZE; number++)
			left += kept[number] >= 0 && !is_over(kept[number]);
		sleep(LOOK_SECONDS);
	}
	_exit(0);
}

static void leave(int status, void *unused)
{
	(void)unused;
	if (getpid() == daemon_pid && status == 0)
		tell(END, -1);
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

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* How the daemon gets the userfaultfd of a restored process. */
ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
	static __typeof__(&recvmsg) real;
	ssize_t length;

	if (!real)
		real = REAL(recvmsg);
	length = real(socket, message, flags);
	if (length >= 0)
		hold(received(message));
	return length;
}

/* How it gets the one of a process that was forked meanwhile. */
ssize_t read(int file, void *buffer, size_t size)
{
	static __typeof__(&read) real;
	const struct uffd_msg *event = buffer;
	ssize_t length;

	if (!real)
		real = REAL(read);
	length = real(file, buffer, size);
	if (size == sizeof(*event) && length == (ssize_t)size && is_ours(file) && FD_ISSET(file, &held) &&
	    event->event == UFFD_EVENT_FORK)
		hold(event->arg.fork.ufd);
	return length;
}

int close(int file)
{
	static __typeof__(&close) real;
	char done;

	if (!real)
		real = REAL(close);
	if (is_ours(file) && FD_ISSET(file, &held)) {
		FD_CLR(file, &held);
		tell(DROP, file);
		while (recv(keeper, &done, 1, 0) < 0 && errno == EINTR)
			;
	}
	return real(file);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	static __typeof__(&epoll_wait) real;
	static int found_nothing;
	int found;

	if (!real)
		real = REAL(epoll_wait);
	found = real(epoll, events, most, timeout == 0 && found_nothing ? WAIT_MS : timeout);
	found_nothing = timeout == 0 && found == 0;
	return found;
}
