/*
 * Hands a container's network namespace to the engine, as "dockerd libnetwork-setkey" does, without loading dockerd: a
 * process of 94 MB and many Go packages' initialisers, in the window in which a service that arrives stands still.
 *
 * usage: argv[0] = the engine's program, argv[1...] = its own arguments:
 *     /proc/PID/exe libnetwork-setkey -exec-root=DIRECTORY CONTAINER CONTROLLER     (an OCI hook: its state on stdin)
 *
 * Protocol: moby 26.1, libnetwork/sandbox_externalkey_unix.go. One JSON object to DIRECTORY/libnetwork/CONTROLLER.sock in one
 * write; the answer is "success" or the words of an error. What differs from that in any way, before a byte was sent, is left
 * to the engine's program, with the same arguments and the same input.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char exec_root[] = "-exec-root=";

/* Keeps the input for whoever comes next: stdin is a file afterwards. Returns its first bytes. */
static const char *keep_input(void)
{
	static char text[65536];
	char chunk[4096];
	ssize_t length;
	int copy = memfd_create("state", 0);

	if (copy < 0)
		return NULL;
	while ((length = read(STDIN_FILENO, chunk, sizeof(chunk))) > 0)
		if (write(copy, chunk, length) != length)
			return NULL;
	dup2(copy, STDIN_FILENO);
	lseek(STDIN_FILENO, 0, SEEK_SET);
	length = pread(STDIN_FILENO, text, sizeof(text) - 1, 0);
	return length > 0 ? text : NULL;
}

/*
 * The process id of an OCI state, 0 when in doubt. All the rest of a state is strings, wherein a quote is escaped, and a list of
 * annotations, whose values are strings: a number comes after this name once only.
 */
static long process_of(const char *state)
{
	static const char name[] = "\"pid\":";
	long pid = 0;

	for (const char *at = state; (at = strstr(at, name)); ) {
		at += strlen(name);
		if (*at < '0' || *at > '9')
			continue;
		if (pid)
			return 0;
		pid = strtol(at, NULL, 10);
	}
	return pid;
}

static int is_hexadecimal(const char *text)
{
	return *text && text[strspn(text, "0123456789abcdef")] == '\0';
}

static int engine(const char *root, const char *controller)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s/libnetwork/%s.sock", root, controller);
	int connection;

	if (length >= (int)sizeof(address.sun_path))
		return -1;
	connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof(address)) == 0)
		return connection;
	return -1;
}

int main(int count, char **arguments)
{
	char message[256], answer[1024];
	const char *state;
	int connection = -1;
	int length = 0;
	ssize_t answered;

	if (count < 2)
		return 2;
	state = keep_input();
	if (state && count == 5 && strcmp(arguments[1], "libnetwork-setkey") == 0 &&
	    strncmp(arguments[2], exec_root, strlen(exec_root)) == 0 &&
	    is_hexadecimal(arguments[3]) && is_hexadecimal(arguments[4])) {
		long pid = process_of(state);

		length = snprintf(message, sizeof(message), "{\"ContainerID\":\"%s\",\"Key\":\"/proc/%ld/ns/net\"}\n",
				  arguments[3], pid);
		if (pid > 0 && length < (int)sizeof(message))
			connection = engine(arguments[2] + strlen(exec_root), arguments[4]);
	}
	if (connection < 0 || send(connection, message, length, MSG_NOSIGNAL) != length) {
		execv(arguments[0], arguments + 1);
		perror(arguments[0]);
		return 1;
	}
	answered = recv(connection, answer, sizeof(answer), 0);
	if (answered == 7 && memcmp(answer, "success", 7) == 0)
		return 0;
	if (answered > 0)
		fprintf(stderr, "%.*s\n", (int)answered, answer);
	else
		fputs("The engine did not answer\n", stderr);
	return 1;
}
