/* SPDX-License-Identifier: MIT */
/* The verbs about the daemon itself: ping, version, whoami, cpus, describe, events, shutdown, check. */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/render.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>

int verb_ping(struct client *c, struct args *a)
{
	args_most(a, 0);
	struct span result = client_call(c, CMD_mpd_ping, NULL);
	if (options.json)
		out_json(result);
	else if (!options.quiet)
		buf_puts(&out, "pong\n");
	return STATUS_OK;
}

void version_print(void) { buf_puts(&out, "mpctl " MPD_VERSION "\n"); }

int verb_version(struct client *c, struct args *a)
{
	args_most(a, 0);
	if (!options.json)
		version_print();
	struct span hello = client_call(c, CMD_mpd_hello, NULL), version = scan_get(hello, "version");
	struct span protocol = scan_get(hello, "protocol");
	if (options.json) {
		buf_puts(&out, "{\"mpctl\":\"" MPD_VERSION "\",\"mpd\":");
		buf_span(&out, version);
		buf_printf(&out, ",\"protocol\":%.*s}\n", (int)protocol.n, protocol.p);
		return STATUS_OK;
	}
	buf_puts(&out, "mpd ");
	text_json(&out, version);
	buf_putc(&out, '\n');
	return STATUS_OK;
}

int verb_whoami(struct client *c, struct args *a)
{
	args_most(a, 0);
	struct span result = client_call(c, CMD_mpd_whoami, NULL);
	if (options.json)
		out_json(result);
	else
		text_object(&out, result);
	return STATUS_OK;
}

int verb_cpus(struct client *c, struct args *a)
{
	args_most(a, 0);
	struct span cpus = scan_get(client_call(c, CMD_mpd_status, NULL), "cpus");
	out_json(options.json ? cpus : scan_get(cpus, "usable"));
	return STATUS_OK;
}

int verb_describe(struct client *c, struct args *a)
{
	args_most(a, 1);
	if (a->nwords) {
		member(&a->members, "method");
		scan_put_str(&a->members, span_of(a->words[0]));
	}
	out_json(client_call(c, CMD_mpd_describe, &a->members));
	return STATUS_OK;
}

/* --- events ------------------------------------------------------------------------------------------------------ */

static void print_event(struct span params) { out_json(params); }

int verb_events(struct client *c, struct args *a)
{
	if (a->nwords)
		member_words(&a->members, "topics", a->words, a->nwords);
	c->event = print_event;
	struct call *call = client_send(c, CMD_mpd_subscribe, &a->members, NULL, 0);
	call->standing = true;
	client_result(c, call);
	for (;;) {
		out_flush();
		client_read(c);
	}
}

/* --- shutdown ---------------------------------------------------------------------------------------------------- */

/* The keeper, watched from before the request, so that no other process can be taken for it. */
static int open_keeper(struct client *c)
{
	int64_t pid;
	struct call *call = client_send(c, CMD_mpd_status, NULL, NULL, 0);
	int fd = scan_i64(scan_get(client_result(c, call), "keeper_pid"), &pid) == 0 ? sys_pidfd_open((pid_t)pid, 0)
										     : -1;
	client_drop(call);
	return fd;
}

/* Waits for the keeper's end. What is heard meanwhile can only be an error; when the connection ends, the rest is a
 * matter of the keeper alone. False: the time ran out. */
static bool wait_for_end(struct client *c, const struct call *call, int keeper, nsec_t until)
{
	for (;;) {
		struct pollfd fds[] = {{keeper, POLLIN, 0}, {call->answered ? -1 : c->fd, POLLIN, 0}};
		nsec_t left = until == NSEC_NEVER ? -1 : MAX(until - sys_now(), 0);
		if (poll(fds, ARRAY_LEN(fds), left < 0 ? -1 : (int)(left / NSEC_PER_MS)) == 0)
			return false;
		if (fds[0].revents || (call->answered && keeper < 0))
			return true;
		if (fds[1].revents)
			client_read(c);
		if (call->error.p)
			quit(call_complain(call));
	}
}

int verb_shutdown(struct client *c, struct args *a)
{
	args_most(a, 0);
	const char *limit = a->own[FLAG_TIMEOUT];
	nsec_t until = limit ? sys_now() + args_duration(limit) : NSEC_NEVER;
	AUTO_FD keeper = open_keeper(c);
	struct call *call = client_send(c, CMD_mpd_shutdown, NULL, NULL, 0);
	bool told = options.quiet || !isatty(STDERR_FILENO);
	bool ended = wait_for_end(c, call, keeper, told ? until : MIN(until, sys_now() + NSEC_PER_SEC));
	if (!ended && !told) {
		say("waiting for all processes to end");
		ended = wait_for_end(c, call, keeper, until);
	}
	if (ended) {
		if (options.json && call->result.p)
			out_json(call->result);
		return STATUS_OK;
	}
	say("shutdown: timed out, mpd still runs");
	return STATUS_TIMEOUT;
}

/* --- check ------------------------------------------------------------------------------------------------------- */

/* mpd-engine lies beside mpctl where both were built, and in a folder of its own where they are installed. */
static void engine_path(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - sizeof("mpd-engine"));
	while (n > 0 && path[n - 1] != '/')
		n--;
	if (n > 0) {
		strcpy(path + n, "mpd-engine");
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, size, "%s/mpd-engine", MPD_LIBEXECDIR);
}

static void __attribute__((noreturn)) exec_loader(const struct args *a)
{
	char path[4096];
	char *argv[] = {
		"mpd-engine", "--load", "--check", a->nwords ? "--config" : NULL, a->nwords ? a->words[0] : NULL, NULL};
	engine_path(path, sizeof(path));
	execv(path, argv);
	die(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE, "check: %s: %s", path, strerror(errno));
}

struct finding {
	struct span file; /* {NULL, 0}: not about a place in a file */
	long line;
	const char *message;
};

/* "mpd.conf:12: [job:web] unknown key" taken apart. */
static struct finding finding_of(const char *text)
{
	for (const char *p = strchr(text, ':'); p; p = strchr(p + 1, ':')) {
		size_t digits = strspn(p + 1, "0123456789");
		const char *end = p + 1 + digits;
		if (digits && end[0] == ':' && end[1] == ' ')
			return (struct finding){{text, (size_t)(p - text)}, strtol(p + 1, NULL, 10), end + 2};
	}
	return (struct finding){.message = text};
}

static void print_finding(const char *text)
{
	struct finding f = finding_of(text);
	buf_putc(&out, '{');
	if (f.file.p) {
		buf_puts(&out, "\"file\":");
		scan_put_bytes(&out, f.file);
		buf_printf(&out, ",\"line\":%ld,", f.line);
	}
	buf_puts(&out, "\"message\":");
	scan_put_bytes(&out, span_of(f.message));
	buf_puts(&out, "}\n");
}

/* The loader, with both of its outputs into FD. */
static pid_t spawn_loader(const struct args *a, int fd)
{
	pid_t pid = fork();
	if (pid < 0)
		die(STATUS_FAILED, "check: %s", strerror(errno));
	if (pid > 0)
		return pid;
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	exec_loader(a);
}

static int check_json(const struct args *a)
{
	int ends[2], code = 0;
	char *line = NULL;
	size_t room = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		die(STATUS_FAILED, "check: %s", strerror(errno));
	pid_t pid = spawn_loader(a, ends[1]);
	close(ends[1]);
	FILE *said = fdopen(ends[0], "r");
	for (ssize_t n; said && (n = getline(&line, &room, said)) > 0;) {
		line[n - (line[n - 1] == '\n')] = '\0';
		print_finding(line);
	}
	free(line);
	if (said)
		fclose(said);
	return RETRY(waitpid(pid, &code, 0)) == pid && WIFEXITED(code) ? WEXITSTATUS(code) : STATUS_FAILED;
}

int verb_check(struct client *c, struct args *a)
{
	(void)c;
	args_most(a, 1);
	if (options.json)
		return check_json(a);
	exec_loader(a);
}
