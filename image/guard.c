/*
 * The tracer of the processes that CRIU dumps, so that they live on when CRIU is killed (image/guarded.c says why).
 *
 * It does what CRIU asks for, and remembers what a process was before CRIU changed it: registers, blocked signals, words of its
 * code. When CRIU has ended it gives back what is still changed and lets every process go.
 *
 * A process whose leader runs CRIU's parasite as a daemon needs nothing: the daemon ends when CRIU's socket does, by a
 * rt_sigreturn to where the process was (compel/plugins/std/infect.c, fini).
 *
 * usage: guard SOCKET MEMORY PID      their numbers (image/guard.h); PID: CRIU
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "guard.h"

/* AMX's tiles make it 11 KiB. */
enum { LARGEST_STATE = 16384 };

/* How long a system call that CRIU let a process make is given to end by itself, and how long it then takes at most, ms. */
enum { CALL_MILLIS = 200, STOP_MILLIS = 10000 };

/* How often CRIU is told again that one of its processes has changed, ms. */
enum { TELL_MILLIS = 500 };

struct tracee {
	struct tracee *next;
	pid_t pid;
	/* Stopped as far as we have been told; the signal that it waits to be given. */
	int stopped, signal;
	/* Its registers are CRIU's, and these are its own. */
	int away;
	/* Since they are: it has run, as the daemon or for one call; it is about to return by rt_sigreturn. */
	int ran, daemon, returning;
	/* Where CRIU lets it run. */
	unsigned long at;
	struct user_regs_struct registers;
	unsigned long mask;
	size_t state_length;
	unsigned char *state;
};

/* A word of memory that CRIU has changed. */
struct word {
	struct word *next;
	pid_t pid;
	unsigned long at, own;
};

static struct tracee *tracees;
static struct word *words;
static struct shared *shared;
static int criu_socket, criu_end;
static sigset_t usual;

static long trace(long request, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

/* Whoever is found comes first: CRIU asks for one many times in a row. */
static struct tracee *find(pid_t pid)
{
	for (struct tracee **at = &tracees; *at; at = &(*at)->next) {
		struct tracee *found = *at;

		if (found->pid == pid) {
			*at = found->next;
			found->next = tracees;
			tracees = found;
			return found;
		}
	}
	return NULL;
}

static void forget_words(pid_t pid)
{
	struct word **word = &words;

	while (*word) {
		struct word *one = *word;

		if (one->pid == pid) {
			*word = one->next;
			free(one);
		} else {
			word = &one->next;
		}
	}
}

static void forget(struct tracee *gone)
{
	struct tracee **at = &tracees;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	forget_words(gone->pid);
	free(gone->state);
	free(gone);
}

static void on_child(int signal)
{
	(void)signal;
}

/* Waits for a process to change or for a byte from CRIU, which is read; so long at most. Returns 0 when CRIU has ended. */
static int sleep_on(int millis)
{
	struct pollfd files[] = { { .fd = criu_end, .events = POLLIN }, { .fd = criu_socket, .events = POLLIN } };
	struct timespec limit = { .tv_sec = millis / 1000, .tv_nsec = millis % 1000 * 1000000L };
	char bytes[64];

	ppoll(files, 2, millis < 0 ? NULL : &limit, &usual);
	if (files[1].revents && recv(criu_socket, bytes, sizeof(bytes), MSG_DONTWAIT) == 0)
		return 0;
	return !files[0].revents;
}

/*
 * CRIU hears of a process that stops or dies by SIGCHLD, which comes to its tracer (criu/parasite-syscall.c, sigchld_handler): it
 * would wait for a dead daemon for ever. Returns whether there is one.
 */
static int tell_of_change(void)
{
	siginfo_t changed = { 0 };

	if (waitid(P_ALL, 0, &changed, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) != 0 || changed.si_pid == 0)
		return 0;
	syscall(SYS_pidfd_send_signal, criu_end, SIGCHLD, NULL, 0);
	return 1;
}

static void keep_registers(struct tracee *tracee)
{
	struct iovec registers = { &tracee->registers, sizeof(tracee->registers) }, state = { NULL, LARGEST_STATE };

	if (!tracee->state)
		tracee->state = malloc(LARGEST_STATE);
	state.iov_base = tracee->state;
	tracee->away = trace(GETREGSET, tracee->pid, PRSTATUS, (unsigned long)&registers) == 0 &&
		       trace(GETSIGMASK, tracee->pid, sizeof(tracee->mask), (unsigned long)&tracee->mask) == 0;
	tracee->state_length = tracee->state && trace(GETREGSET, tracee->pid, X86_XSTATE, (unsigned long)&state) == 0 ? state.iov_len : 0;
	tracee->ran = tracee->daemon = tracee->returning = 0;
}

static void give_registers_back(struct tracee *tracee)
{
	struct iovec registers = { &tracee->registers, sizeof(tracee->registers) }, state = { tracee->state, tracee->state_length };

	trace(SETREGSET, tracee->pid, PRSTATUS, (unsigned long)&registers);
	if (tracee->state_length)
		trace(SETREGSET, tracee->pid, X86_XSTATE, (unsigned long)&state);
	trace(SETSIGMASK, tracee->pid, sizeof(tracee->mask), (unsigned long)&tracee->mask);
	tracee->away = 0;
}

/* Right before a word is written. */
static void keep_word(pid_t pid, unsigned long at, unsigned long now)
{
	struct word **word = &words, *one;

	while (*word && ((*word)->pid != pid || (*word)->at != at))
		word = &(*word)->next;
	if (*word) {
		one = *word;
		if (one->own == now) {
			*word = one->next;
			free(one);
		}
		return;
	}
	one = calloc(1, sizeof(*one));
	if (one && trace(PTRACE_PEEKDATA, pid, at, (unsigned long)&one->own) == 0 && one->own != now) {
		one->pid = pid;
		one->at = at;
		one->next = words;
		words = one;
	} else {
		free(one);
	}
}

/* What a stop tells, whoever waited for it. */
static void note_stop(struct tracee *tracee, int status)
{
	struct user_regs_struct registers;
	struct iovec vector = { &registers, sizeof(registers) };

	if (!WIFSTOPPED(status)) {
		forget(tracee);
		return;
	}
	tracee->stopped = 1;
	/* An event of ptrace is in the third byte, a stop at a system call has bit 7 (PTRACE_O_TRACESYSGOOD). */
	tracee->signal = status >> 16 || WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) & 0x80 ? 0 : WSTOPSIG(status);
	if (!tracee->away || WSTOPSIG(status) != (SIGTRAP | 0x80))
		return;
	if (tracee->returning) {
		/* The kernel has given it its own registers. */
		tracee->away = tracee->returning = 0;
	} else if (trace(GETREGSET, tracee->pid, PRSTATUS, (unsigned long)&vector) == 0) {
		tracee->returning = registers.orig_rax == SYS_rt_sigreturn;
	}
}

/* Returns 0 when CRIU has ended. */
static int wait_for(void)
{
	while (1) {
		struct tracee *tracee;

		shared->answer.result =
			wait4(shared->question.pid, &shared->answer.status, shared->question.options | WNOHANG, NULL);
		shared->answer.error = errno;
		if (shared->answer.result > 0 && (tracee = find(shared->answer.result)))
			note_stop(tracee, shared->answer.status);
		if (shared->answer.result != 0 || shared->question.options & WNOHANG)
			return 1;
		if (atomic_load(&shared->cancelled)) {
			shared->answer.result = -1;
			shared->answer.error = EINTR;
			return 1;
		}
		atomic_store(&shared->guard_sleeps, 1);
		/* Asked of it since? Then it has sent no byte. */
		if (!atomic_load(&shared->cancelled) && !sleep_on(-1))
			return 0;
		atomic_store(&shared->guard_sleeps, 0);
	}
}

/* What must be known before it is done, and what is known of it afterwards. */
static void before(struct tracee *tracee)
{
	switch (shared->question.request) {
	case SETSIGMASK:
		/* CRIU sets it first when it takes a process, and last when it gives it back (parasite_run, restore_thread_ctx). */
		if (!tracee->away)
			keep_registers(tracee);
		break;
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA: keep_word(shared->question.pid, shared->question.addr, shared->question.data); break;
	default: break;
	}
}

/* Only a first thread does, and where it runs no code was replaced (compel_execute_syscall, parasite_init_daemon). */
static int becomes_daemon(const struct tracee *tracee)
{
	const struct word *word = words;

	while (word && (word->pid != tracee->pid || word->at != tracee->at))
		word = word->next;
	return !word && syscall(SYS_tgkill, tracee->pid, tracee->pid, 0) == 0;
}

static void after(struct tracee *tracee)
{
	switch (shared->question.request) {
	case SETSIGMASK:
		if (tracee->ran && tracee->stopped)
			tracee->away = 0;
		break;
	case SETREGSET:
		if (shared->question.addr == PRSTATUS)
			tracee->at = ((struct user_regs_struct *)shared->bytes)->rip;
		break;
	case PTRACE_CONT:
	case PTRACE_SYSCALL:
		if (tracee->away && !tracee->ran)
			tracee->daemon = becomes_daemon(tracee);
		/* It will need what CRIU has put onto its shadow stack. */
		if (tracee->daemon)
			forget_words(tracee->pid);
		tracee->ran = 1;
		tracee->stopped = tracee->signal = 0;
		break;
	case PTRACE_DETACH: forget(tracee); break;
	default: break;
	}
}

static void adopt(pid_t pid)
{
	struct tracee *tracee = calloc(1, sizeof(*tracee));

	if (!tracee)
		return;
	tracee->pid = pid;
	tracee->next = tracees;
	tracees = tracee;
}

static void do_it(void)
{
	struct tracee *tracee = find(shared->question.pid);
	long request = shared->question.request;
	unsigned long addr = shared->question.addr, data = shared->question.data, bytes = (unsigned long)shared->bytes;
	struct iovec vector = { shared->bytes, shared->question.length };
	struct __ptrace_peeksiginfo_args wanted;

	if (!tracee && request != SEIZE) {
		shared->answer.foreign = 1;
		return;
	}
	/* Where there was a pointer of CRIU's there is one to what is shared. */
	switch (shared->question.place) {
	case NOWHERE: break;
	case IN_ADDR: addr = bytes; break;
	case IN_DATA: data = bytes; break;
	case IN_BOTH:
		memcpy(&wanted, shared->bytes, sizeof(wanted));
		addr = (unsigned long)&wanted;
		data = bytes;
		break;
	case IN_VECTOR: data = (unsigned long)&vector; break;
	}
	if (tracee)
		before(tracee);
	shared->answer.result = trace(request, shared->question.pid, addr, data);
	shared->answer.error = errno;
	if (shared->answer.result < 0)
		return;
	if (tracee)
		after(tracee);
	else
		adopt(shared->question.pid);
	/* CRIU takes no more than it has room for. */
	shared->answer.length = shared->question.place == IN_VECTOR ? vector.iov_len : LARGEST;
}

/* Does what CRIU asks for until CRIU ends. */
static void serve(void)
{
	for (unsigned int number = 1;; number++) {
		while (atomic_load(&shared->questions) != number) {
			atomic_store(&shared->guard_sleeps, 1);
			/* Asked since? Then it has sent no byte. */
			if (atomic_load(&shared->questions) != number && !sleep_on(tell_of_change() ? TELL_MILLIS : -1))
				return;
			atomic_store(&shared->guard_sleeps, 0);
		}
		memset(&shared->answer, 0, sizeof(shared->answer));
		if (shared->question.request != WAIT)
			do_it();
		else if (shared->question.pid > 0 ? !find(shared->question.pid) : !tracees)
			shared->answer.foreign = 1;
		else if (!wait_for())
			return;
		atomic_store(&shared->answers, number);
		if (atomic_load(&shared->criu_sleeps))
			send(criu_socket, "!", 1, MSG_NOSIGNAL);
	}
}

/* Waits until it has stopped; 0: it has not within that time, or it is gone. */
static int stop_within(struct tracee *tracee, int millis)
{
	int status;

	for (int waited = 0; !tracee->stopped && waited < millis; waited++) {
		pid_t changed = wait4(tracee->pid, &status, __WALL | WNOHANG, NULL);

		if ((changed < 0 && errno != EINTR) || (changed == tracee->pid && !WIFSTOPPED(status)))
			return 0;
		if (changed == tracee->pid)
			note_stop(tracee, status);
		else
			usleep(1000);
	}
	return tracee->stopped;
}

/* Its own registers again, unless the daemon sees to that. */
static void bring_home(struct tracee *tracee)
{
	if (!tracee->away || tracee->daemon)
		return;
	if (!stop_within(tracee, CALL_MILLIS))
		trace(INTERRUPT, tracee->pid, 0, 0);
	if (stop_within(tracee, STOP_MILLIS))
		give_registers_back(tracee);
}

static void let_go_of(struct tracee *tracee)
{
	/* A breakpoint at the end of the daemon (compel_stop_pie) would kill it when nobody traces. */
	trace(PTRACE_POKEUSER, tracee->pid, offsetof(struct user, u_debugreg[7]), 0);
	trace(PTRACE_DETACH, tracee->pid, 0, tracee->signal);
}

/* The kernel lets go of whoever is left when this process ends: those that run. */
static void let_go(void)
{
	struct tracee *tracee;
	struct word *word;

	for (tracee = tracees; tracee; tracee = tracee->next)
		bring_home(tracee);
	for (word = words; word; word = word->next)
		trace(PTRACE_POKEDATA, word->pid, word->at, word->own);
	for (tracee = tracees; tracee; tracee = tracee->next)
		if (tracee->stopped)
			let_go_of(tracee);
	for (tracee = tracees; tracee; tracee = tracee->next)
		if (!tracee->stopped && tracee->daemon && trace(INTERRUPT, tracee->pid, 0, 0) == 0 &&
		    stop_within(tracee, CALL_MILLIS))
			let_go_of(tracee);
}

int main(int count, char **arguments)
{
	sigset_t child;
	struct sigaction action = { .sa_handler = on_child };

	if (count != 4)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, atoi(arguments[2]), 0);
	criu_end = syscall(SYS_pidfd_open, atoi(arguments[3]), 0);
	if (shared == MAP_FAILED || criu_end < 0)
		return 1;
	if (chdir("/") != 0)
		return 1;
	/* Told of a change only while it waits for one, so that none is missed in between. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &usual);
	sigdelset(&usual, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
	/* Whoever waits for the end of what CRIU holds open must not wait for us. */
	criu_socket = dup2(fcntl(atoi(arguments[1]), F_DUPFD, 3), 0);
	criu_end = dup2(fcntl(criu_end, F_DUPFD, 3), 1);
	syscall(SYS_close_range, 2, ~0U, 0);
	if (send(criu_socket, "!", 1, MSG_NOSIGNAL) != 1)
		return 1;
	serve();
	let_go();
	return 0;
}
