/* SPDX-License-Identifier: MIT */
/*
 * Waiting: wait.h.
 *
 * 1. While a call is open, the signals that would end us wait in a signalfd; before and after they act as ever.
 * 2. The first of them cancels the call; the answer is waited for all the same, because a grant may have been faster.
 */
#include "cli/wait.h"
#include "cli/args.h"
#include "cli/render.h"
#include "cli/who.h"
#include "common/units.h"
#include <poll.h>
#include <sys/signalfd.h>

#define PATIENCE_MS 1000 /* of a person who is not told what is waited for */

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* What the caller wants ignored stays ignored. */
int wait_signals(sigset_t *ret_old)
{
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		struct sigaction old;
		if (sigaction(endings[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaddset(&set, endings[i]);
	}
	sigprocmask(SIG_BLOCK, &set, ret_old);
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die(STATUS_FAILED, "no signalfd: %s", strerror(errno));
	return fd;
}

static void put_holders(struct buf *b, struct span holds)
{
	struct span key, first;
	nsec_t since;
	struct scan_iter it = scan_iter(holds);
	if (!scan_next(&it, &key, &first))
		return;
	buf_puts(b, ", held by ");
	who_put_all(b, holds);
	if (scan_count(holds) == 1 && scan_seconds(scan_get(first, "since"), &since) == 0) {
		buf_puts(b, " for ");
		units_put_duration(b, since);
	}
}

/* "waiting for lock db, held by pid 17 (python3) for 12s"; where nobody holds it, what its state is. */
static void say_waiting(struct client *c, const char *name)
{
	AUTO_BUF members = BUF_INIT;
	AUTO_BUF text = BUF_INIT;
	member(&members, "name");
	scan_put_str(&members, (struct span){name, strcspn(name, ":")});
	struct call *call = client_send(c, CMD_object_info, &members, NULL, 0);
	client_wait(c, call, -1);
	struct span summary = scan_get(call->result, "summary");
	text_json(&text, scan_get(call->result, "kind"));
	buf_putc(&text, ' ');
	text_json(&text, scan_get(call->result, "name"));
	put_holders(&text, scan_get(call->result, "holds"));
	if (scan_count(scan_get(call->result, "holds")) == 0 && summary.n > 2) {
		buf_puts(&text, ": ");
		text_json(&text, summary);
	}
	if (call->result.p)
		say("waiting for %s", buf_str(&text));
	client_drop(call);
}

static void cancel(struct client *c, const struct call *call)
{
	AUTO_BUF members = BUF_INIT;
	member_int(&members, "id", (int64_t)call->id);
	client_post(c, CMD_cancel, &members);
}

static bool wants_to_know(void)
{
	static bool told;
	bool first = !told;
	told = true;
	return first && !options.quiet && isatty(STDERR_FILENO);
}

/* One step of the wait. False: a second passed in which nothing came. */
static bool step(struct client *c, int signals, int ms, int *signo)
{
	struct signalfd_siginfo info;
	struct pollfd fds[] = {{c->fd, POLLIN, 0}, {signals, POLLIN, 0}};
	if (poll(fds, ARRAY_LEN(fds), ms) == 0)
		return false;
	if (fds[1].revents && read(signals, &info, sizeof(info)) == sizeof(info))
		*signo = (int)info.ssi_signo;
	if (fds[0].revents)
		client_read(c);
	return true;
}

int wait_answer(struct client *c, struct call *call, const char *name)
{
	sigset_t old;
	if (call->answered)
		return 0;
	AUTO_FD signals = wait_signals(&old);
	int first = 0, ms = wants_to_know() ? PATIENCE_MS : -1;
	while (!call->answered) {
		int signo = 0;
		if (!step(c, signals, ms, &signo)) {
			ms = -1;
			if (!call->answered)
				say_waiting(c, name);
		}
		if (signo && !first)
			cancel(c, call);
		first = first ? first : signo;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return first;
}

void wait_die(int signo)
{
	out_flush();
	signal(signo, SIG_DFL);
	raise(signo);
	_exit(STATUS_SIGNAL + signo);
}

struct span wait_result(struct client *c, struct call *call, const char *name)
{
	int signo = wait_answer(c, call, name);
	if (signo && call_failed_with(call, FAULT_CANCELLED))
		wait_die(signo);
	return client_result(c, call);
}
