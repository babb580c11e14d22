/*
 * Preloaded into the criu of a dump: another process (image/guard.c) is the tracer of the dumped processes, and does what CRIU
 * asks of ptrace(2) and wait4(2).
 *
 * A tracer that is killed lets its processes go as they are. In the milliseconds in which one of them makes a system call for
 * CRIU (compel/src/lib/infect.c, compel_execute_syscall and compel_run_in_thread) its registers and eight bytes of its code are
 * CRIU's, and what follows is int3: it would die, and its memory with it. The guard outlives CRIU and gives them back first.
 *
 * Where the guard cannot be started CRIU traces by itself, as ever.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guard.h"

/* struct user_desc, get_thread_area(2) */
enum { USER_DESC = 16 };

static int guard = -1;
static struct shared *shared;
static pid_t criu;
/* A handler of SIGCHLD waits too, perhaps in the middle of a question: not there, then. */
static int asking;

/* Nobody's child: CRIU waits for any child of its own, and would wait for this one. */
static void become_guard(int socket, int memory)
{
	char numbers[3][16];

	if (fork() != 0)
		_exit(0);
	setsid();
	snprintf(numbers[0], sizeof(numbers[0]), "%d", dup(socket));
	snprintf(numbers[1], sizeof(numbers[1]), "%d", dup(memory));
	snprintf(numbers[2], sizeof(numbers[2]), "%d", criu);
	unsetenv("LD_PRELOAD");
	execl("/usr/lib/pagurus/guard", "guard", numbers[0], numbers[1], numbers[2], NULL);
	_exit(1);
}

__attribute__((constructor)) static void start_guard(void)
{
	int pair[2], status, memory;
	cpu_set_t here, usual;
	pid_t child;
	char byte;

	criu = getpid();
	if (strcmp(program_invocation_short_name, "criu") != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return;
	memory = memfd_create("guard", MFD_CLOEXEC);
	if (memory >= 0 && ftruncate(memory, sizeof(*shared)) == 0)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	/* Both on one processor: the answer comes without waking another, and without a turn behind whoever runs there. */
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_getaffinity(0, sizeof(usual), &usual);
	sched_setaffinity(0, sizeof(here), &here);
	child = shared && shared != MAP_FAILED ? fork() : -1;
	if (child == 0)
		become_guard(pair[1], memory);
	close(pair[1]);
	close(memory);
	/* One byte says that it is there. */
	if (child > 0 && waitpid(child, &status, 0) == child && recv(pair[0], &byte, 1, 0) == 1) {
		guard = pair[0];
		return;
	}
	sched_setaffinity(0, sizeof(usual), &usual);
	close(pair[0]);
}

/* Returns 0 when the guard is gone, and its processes with it as far as CRIU can tell. */
static int ask(const void *bytes)
{
	unsigned int number = atomic_load(&shared->questions) + 1;
	char byte = '?';
	ssize_t woken;

	memcpy(shared->bytes, bytes, shared->question.length);
	atomic_store(&shared->cancelled, 0);
	atomic_store(&shared->questions, number);
	if (atomic_load(&shared->guard_sleeps))
		send(guard, &byte, 1, MSG_NOSIGNAL);
	atomic_store(&shared->criu_sleeps, 1);
	while (atomic_load(&shared->answers) != number) {
		woken = recv(guard, &byte, 1, 0);
		if (woken < 0 && errno == EINTR) {
			/* CRIU's alarm: the freeze takes too long. The answer may be there; it comes all the same. */
			atomic_store(&shared->cancelled, 1);
			send(guard, &byte, 1, MSG_NOSIGNAL);
		} else if (woken <= 0) {
			shared->answer.error = errno = ESRCH;
			return 0;
		}
	}
	atomic_store(&shared->criu_sleeps, 0);
	return 1;
}

/* Asks, and takes what comes into that place. Returns 0 when the guard is gone or has nothing to do with it. */
static int answered(const void *bytes, void *place, size_t room, int *foreign)
{
	size_t length;
	int there = ask(bytes);

	*foreign = there && shared->answer.foreign;
	if (!there || *foreign)
		return 0;
	length = shared->answer.length < room ? shared->answer.length : room;
	memcpy(place, shared->bytes, length);
	return 1;
}

static int mine(void)
{
	return guard >= 0 && !asking && getpid() == criu;
}

/* Of what data points to. */
static size_t size(int request, unsigned long addr)
{
	switch (request) {
	case PTRACE_GETREGS: case PTRACE_SETREGS: return sizeof(struct user_regs_struct);
	case PTRACE_GETFPREGS: case PTRACE_SETFPREGS: return sizeof(struct user_fpregs_struct);
	case PTRACE_GETSIGINFO: return sizeof(siginfo_t);
	case PTRACE_GETEVENTMSG: return sizeof(long);
	case GET_THREAD_AREA: return USER_DESC;
	case SECCOMP_GET_FILTER: return LARGEST;
	/* GETSIGMASK, SETSIGMASK, SECCOMP_GET_METADATA, GET_RSEQ_CONFIGURATION */
	default: return addr;
	}
}

typedef long tracing(enum __ptrace_request request, ...);

static long trace(tracing *real, enum __ptrace_request request, pid_t pid, void *addr, void *data)
{
	const void *bytes = "";
	struct iovec *vector = NULL;
	unsigned long word = 0;
	void *place = &word;
	size_t room = 0;
	int old = errno, foreign;

	shared->question.request = request;
	shared->question.pid = pid;
	shared->question.addr = (unsigned long)addr;
	shared->question.data = (unsigned long)data;
	shared->question.length = 0;
	shared->question.place = NOWHERE;
	/* ptrace(2): what a request reads, and where it writes. */
	switch ((int)request) {
	case GETREGSET: case SETREGSET:
		shared->question.place = IN_VECTOR;
		vector = data;
		bytes = place = vector->iov_base;
		shared->question.length = room = vector->iov_len;
		break;
	case PEEKSIGINFO:
		shared->question.place = IN_BOTH;
		bytes = addr;
		shared->question.length = sizeof(struct __ptrace_peeksiginfo_args);
		place = data;
		room = ((struct __ptrace_peeksiginfo_args *)addr)->nr * sizeof(siginfo_t);
		break;
	case ARCH_PRCTL:
		shared->question.place = IN_ADDR;
		place = addr;
		room = sizeof(long);
		break;
	case PTRACE_PEEKTEXT: case PTRACE_PEEKDATA: case PTRACE_PEEKUSER:
		shared->question.place = IN_DATA;
		room = sizeof(word);
		break;
	case PTRACE_SETREGS: case PTRACE_SETFPREGS: case SETSIGMASK:
		shared->question.place = IN_DATA;
		bytes = data;
		shared->question.length = size(request, shared->question.addr);
		break;
	case SECCOMP_GET_METADATA:
		bytes = data;
		shared->question.length = size(request, shared->question.addr);
		/* fall through */
	case PTRACE_GETREGS: case PTRACE_GETFPREGS: case PTRACE_GETSIGINFO: case PTRACE_GETEVENTMSG:
	case GET_THREAD_AREA: case GETSIGMASK: case GET_RSEQ_CONFIGURATION: case SECCOMP_GET_FILTER:
		if (data) {
			shared->question.place = IN_DATA;
			place = data;
			room = size(request, shared->question.addr);
		}
		break;
	default: break;
	}
	if (shared->question.length > LARGEST || room > LARGEST) {
		errno = EIO;
		return -1;
	}
	if (!answered(bytes, place, room, &foreign))
		return foreign ? real(request, pid, addr, data) : -1;
	if (shared->answer.result < 0) {
		errno = shared->answer.error;
		return -1;
	}
	errno = old;
	if (vector)
		vector->iov_len = shared->answer.length;
	if (place == &word && room) {
		/* ptrace(2): -1 may be a word, and so errno must tell. */
		errno = 0;
		return word;
	}
	return shared->answer.result;
}

long ptrace(enum __ptrace_request request, ...)
{
	static tracing *real;
	void *addr, *data;
	va_list rest;
	pid_t pid;
	long result;

	va_start(rest, request);
	pid = va_arg(rest, pid_t);
	addr = va_arg(rest, void *);
	data = va_arg(rest, void *);
	va_end(rest);
	if (!real)
		real = (tracing *)dlsym(RTLD_NEXT, "ptrace");
	if (!mine() || request == PTRACE_TRACEME)
		return real(request, pid, addr, data);
	asking = 1;
	result = trace(real, request, pid, addr, data);
	asking = 0;
	return result;
}

/* Returns 0 when the guard has nothing to wait for there. */
static int wait_there(pid_t pid, int *status, int options, pid_t *result)
{
	int foreign;
	char none;

	asking = 1;
	shared->question.request = WAIT;
	shared->question.pid = pid;
	shared->question.options = options;
	shared->question.length = 0;
	*result = answered("", &none, 0, &foreign) ? shared->answer.result : -1;
	if (*result < 0 && !foreign)
		errno = shared->answer.error;
	if (*result > 0 && status)
		*status = shared->answer.status;
	asking = 0;
	return !foreign;
}

/* Who asks for any process, in this way, means those that it traces (criu/seize.c, compel/src/lib/infect.c). */
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
	static __typeof__(&wait4) real;
	pid_t result;

	if (!real)
		real = (__typeof__(&wait4))dlsym(RTLD_NEXT, "wait4");
	if (mine() && !usage && wait_there(pid, status, options, &result))
		return result;
	return real(pid, status, options, usage);
}

/*
 * And in this way its own children, except where none has changed (criu/seize.c, freezer_wait_processes; criu/parasite-syscall.c,
 * sigchld_handler).
 */
pid_t waitpid(pid_t pid, int *status, int options)
{
	static __typeof__(&waitpid) real;
	pid_t result, there;
	int old;

	if (!real)
		real = (__typeof__(&waitpid))dlsym(RTLD_NEXT, "waitpid");
	result = real(pid, status, options);
	old = errno;
	if ((result == 0 || (result < 0 && errno == ECHILD)) && mine() && wait_there(pid, status, options, &there))
		return there;
	errno = old;
	return result;
}
