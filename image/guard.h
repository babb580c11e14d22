/*
 * What image/guarded.c, inside CRIU, says to image/guard.c, beside it: one question for each ptrace(2) or wait4(2), one answer.
 * They lie in memory that both share; a byte over a socket wakes whoever sleeps. Both run on one processor: a dump asks two
 * hundred times for each process while the service stands still, and to wake another processor takes some 40 us.
 *
 * Both are compiled from this tree, so that the layout is theirs.
 */
#include <stdatomic.h>
#include <sys/types.h>

/* linux/ptrace.h, linux/elf.h; glibc has some of them, by names that differ between versions. */
enum {
	GET_THREAD_AREA = 25, ARCH_PRCTL = 30, GETREGSET = 0x4204, SETREGSET, SEIZE, INTERRUPT, LISTEN, PEEKSIGINFO, GETSIGMASK, SETSIGMASK,
	SECCOMP_GET_FILTER, SECCOMP_GET_METADATA, GET_RSEQ_CONFIGURATION = 0x420f
};
enum { PRSTATUS = 1, X86_XSTATE = 0x202 };

/* wait4(2): no request of ptrace has this number. */
enum { WAIT = -1 };

/* The largest thing that a request reads or writes: a seccomp filter of 4096 instructions, 8 bytes each. */
enum { LARGEST = 32768 };

/* Which arguments of ptrace were pointers of CRIU's, and stand for the bytes that both share; IN_VECTOR: behind a struct iovec. */
enum place { NOWHERE, IN_ADDR, IN_DATA, IN_BOTH, IN_VECTOR };

struct shared {
	/* How many there have been. */
	atomic_uint questions, answers;
	/* Who must be woken. */
	atomic_int guard_sleeps, criu_sleeps;
	/* The question is taken back: a wait ends with EINTR. */
	atomic_int cancelled;

	struct {
		long request;
		pid_t pid;
		int options;
		unsigned long addr, data;
		enum place place;
		/* Of what it reads, or of the vector. */
		unsigned int length;
	} question;

	struct {
		long result;
		int error;
		int status;
		/* None of the guard's: whoever asks is the tracer or the parent. */
		int foreign;
		unsigned int length;
	} answer;

	unsigned char bytes[LARGEST];
};
