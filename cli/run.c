/* SPDX-License-Identifier: MIT */
/*
 * mpctl run: a command as if the shell had started it. Its stdio is ours, by descriptor, or a pty of its own when we
 * are on a terminal; signals go to all of its tree; its status is ours.
 *
 * 1. From before the start until the end, signals wait in a signalfd: none can end us and leave the process behind.
 * 2. The process's end is the answer to one process.join of its tree; nothing else ends the relay.
 */
#include "cli/launch.h"
#include "cli/proc.h"
#include "cli/render.h"
#include "cli/tty.h"
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

struct run {
	struct client *client;
	struct tty tty;
	sigset_t signals;
	int signal_fd;
	int64_t id, pid; /* of the process */
};

/* --- signals ----------------------------------------------------------------------------------------------------- */

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int our_own[] = {SIGTSTP, SIGCONT, SIGWINCH};

/* What the caller wants ignored stays ignored. */
static void take_signal(sigset_t *set, int signo)
{
	struct sigaction old;
	if (sigaction(signo, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaddset(set, signo);
}

static void take_signals(struct run *r)
{
	sigemptyset(&r->signals);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
		take_signal(&r->signals, passed_on[i]);
	for (size_t i = 0; i < ARRAY_LEN(our_own); i++)
		take_signal(&r->signals, our_own[i]);
	sigprocmask(SIG_BLOCK, &r->signals, NULL);
	r->signal_fd = signalfd(-1, &r->signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->signal_fd < 0)
		die(STATUS_FAILED, "no signalfd: %s", strerror(errno));
}

static void put_target(const struct run *r, struct buf *b)
{
	member(b, "targets");
	buf_printf(b, "[\"#%lld\"]", (long long)r->id);
}

static void put_signal(const struct run *r, struct buf *b, int signo)
{
	put_target(r, b);
	member_int(b, "signal", signo);
	member_raw(b, "tree", "true");
}

static void pass_signal(struct run *r, int signo)
{
	AUTO_BUF members = BUF_INIT;
	put_signal(r, &members, signo);
	client_post(r->client, CMD_process_signal, &members);
}

/* Stops the tree, and waits until that is done. */
static void stop_tree(struct run *r)
{
	AUTO_BUF members = BUF_INIT;
	put_signal(r, &members, SIGSTOP);
	struct call *call = client_send(r->client, CMD_process_signal, &members, NULL, 0);
	client_wait(r->client, call, -1);
	client_drop(call);
}

/* Stops the tree, then ourselves as the shell expects (and with GROUP all it would stop at the key); goes on when it
 * continues us. Where nobody could, the kernel does not stop us. */
static void suspend(struct run *r, bool group)
{
	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	stop_tree(r);
	tty_restore(&r->tty);
	kill(group ? 0 : getpid(), SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &r->signals, NULL);
	if (r->tty.slave >= 0)
		tty_raw(&r->tty);
	pass_signal(r, SIGCONT);
}

static void on_signal(struct run *r)
{
	struct signalfd_siginfo info;
	if (read(r->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGTSTP)
		suspend(r, false);
	else if (info.ssi_signo != SIGCONT && info.ssi_signo != SIGWINCH)
		pass_signal(r, (int)info.ssi_signo);
	else if (r->tty.slave >= 0)
		tty_raw(&r->tty);
}

/* --- the relay --------------------------------------------------------------------------------------------------- */

static void relay(struct run *r, struct call *join)
{
	enum { CLIENT, SIGNALS, TYPED, SHOWN, COUNT };
	while (!join->answered) {
		bool fed = r->tty.at == r->tty.len;
		struct pollfd fds[COUNT] = {
			[CLIENT] = {r->client->fd, POLLIN, 0},
			[SIGNALS] = {r->signal_fd, POLLIN, 0},
			[TYPED] = {tty_wants(&r->tty) ? STDIN_FILENO : -1, POLLIN, 0},
			[SHOWN] = {r->tty.master, (short)(fed ? POLLIN : POLLIN | POLLOUT), 0},
		};
		if (poll(fds, COUNT, -1) < 0)
			continue;
		if (fds[TYPED].revents && tty_type(&r->tty, (pid_t)r->pid))
			suspend(r, true);
		if (fds[SHOWN].revents & POLLOUT)
			tty_feed(&r->tty);
		if (fds[SHOWN].revents & ~POLLOUT)
			tty_show(&r->tty);
		if (fds[SIGNALS].revents)
			on_signal(r);
		if (fds[CLIENT].revents)
			client_read(r->client);
	}
	tty_show(&r->tty);
}

/* --- start and end ----------------------------------------------------------------------------------------------- */

static void put_stdio(struct run *r, struct launch *l)
{
	r->tty = (struct tty){.master = -1, .slave = -1};
	bool terminal = tty_wanted();
	if (terminal) {
		tty_open(&r->tty);
		member_raw(&l->members, "ctty", "true");
	}
	launch_stdio(l, "stdin", terminal ? r->tty.slave : STDIN_FILENO);
	launch_stdio(l, "stdout", terminal ? r->tty.slave : STDOUT_FILENO);
	launch_stdio(l, "stderr", terminal && isatty(STDERR_FILENO) ? r->tty.slave : STDERR_FILENO);
}

static void start(struct run *r, struct args *a)
{
	struct launch l;
	launch_init(&l, a, getpid());
	put_stdio(r, &l);
	struct call *call = launch_send(r->client, &l);
	client_wait(r->client, call, -1);
	launch_done(&l);
	struct span started = client_result(r->client, call);
	if (scan_i64(scan_get(started, "id"), &r->id) < 0 || scan_i64(scan_get(started, "pid"), &r->pid) < 0)
		die(STATUS_FAILED, "the daemon did not say what it has started");
	client_drop(call);
}

static int status_of(const struct args *a, const struct procs procs)
{
	const char *limit = a->param[NTH_process_start_limit];
	if (procs.n == 0)
		return STATUS_FAILED;
	if (limit && proc_ran(&procs.v[0]) >= args_duration(limit)) {
		say("run: ended after its limit of %s%s", limit, strpbrk(limit, "smhd") ? "" : " s");
		return STATUS_TIMEOUT;
	}
	int status = proc_status(&procs.v[0]);
	return status < 0 ? STATUS_FAILED : status;
}

static int run_attached(struct client *c, struct args *a)
{
	AUTO_BUF members = BUF_INIT;
	struct run r = {.client = c};
	take_signals(&r);
	start(&r, a);
	if (r.tty.slave >= 0)
		tty_raw(&r.tty);
	put_target(&r, &members);
	member_raw(&members, "tree", "true");
	struct call *join = client_send(c, CMD_process_join, &members, NULL, 0);
	relay(&r, join);
	tty_close(&r.tty);
	close(r.signal_fd);
	struct procs procs = procs_of(client_result(c, join));
	int status = status_of(a, procs);
	procs_done(&procs);
	return status;
}

static int run_detached(struct client *c, struct args *a)
{
	struct launch l;
	launch_init(&l, a, 0);
	struct call *call = launch_send(c, &l);
	client_wait(c, call, -1);
	launch_done(&l);
	struct span result = client_result(c, call);
	out_json(options.json ? result : scan_get(result, "id"));
	return STATUS_OK;
}

int verb_run(struct client *c, struct args *a) { return a->own[FLAG_DETACH] ? run_detached(c, a) : run_attached(c, a); }
