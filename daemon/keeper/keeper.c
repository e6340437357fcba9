/* SPDX-License-Identifier: MIT */
/*
 * The loop, and the way to the end.
 *
 * 1. A turn: what is ready, what is due, the scans that were asked for, then what the engine is to be told.
 * 2. PHASE_STOPPING: the engine leads. PHASE_TERMINATING: it cannot, and all trees got SIGTERM. PHASE_ENDING: whatever
 *    lives is killed until waitid(2) says that we have no child left; as a subreaper we see the last of them.
 */
#include "daemon/keeper/keeper.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

enum { TURN_EVENTS = 64 };

static const nsec_t patience = 10 * NSEC_PER_SEC; /* between TERM and KILL; and for what not even KILL ends */
static const nsec_t engine_exits_in = 2 * NSEC_PER_SEC;

struct keeper keeper = {
	.listener = -1, .null = -1, .ready = -1, .log = -1, .cgroup = -1, .due = {[0 ... DUE_MAX - 1] = NSEC_NEVER}};

static bool done;

int keeper_watch(int fd, uint32_t events, enum keeper_event kind, uint32_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = (uint64_t)kind << 32 | data};
	if (epoll_ctl(keeper.epoll, EPOLL_CTL_MOD, fd, &e) == 0)
		return 0;
	return errno == ENOENT ? epoll_ctl(keeper.epoll, EPOLL_CTL_ADD, fd, &e) : -1;
}

/* --- the end -------------------------------------------------------------------------------------------------- */

static void end_progress(void)
{
	done = keeper.childless;
	if (!done)
		tree_progress();
}

void keeper_end(void)
{
	if (keeper.phase == PHASE_ENDING)
		return;
	keeper.phase = PHASE_ENDING;
	engine_end();
	tree_kill_all();
	keeper_due_in(DUE_STOP, engine_exits_in);
	reap_all();
	end_progress();
}

static void signal_all(int signo)
{
	for (struct slot *s = slot_next(NULL); s; s = slot_next(s))
		tree_signal(s, signo, SCOPE_TREE);
	tree_turn();
}

void keeper_terminate(void)
{
	if (keeper.phase >= PHASE_TERMINATING)
		return;
	keeper.phase = PHASE_TERMINATING;
	keeper.due[DUE_ENGINE] = NSEC_NEVER;
	if (keeper.running == 0) {
		keeper_end();
		return;
	}
	signal_all(SIGTERM);
	signal_all(SIGCONT); /* what is stopped could not act on the first */
	keeper_due_in(DUE_STOP, patience);
}

/* First the engine, which has stayed for its last words, then we: what is left cannot be killed. */
static void end_due(void)
{
	if (keeper.phase < PHASE_ENDING) {
		keeper_end();
	} else if (engine.pid > 0) {
		engine_kill();
		keeper_due_in(DUE_STOP, patience);
	} else {
		log_error("some process cannot be killed: left behind");
		keeper.status = EXIT_FAILURE;
		done = true;
	}
}

static void stop(int signo)
{
	log_info("%s: stopping", signo == SIGINT ? "SIGINT" : "SIGTERM");
	keeper_notify("STOPPING=1");
	if (keeper.phase == PHASE_SERVING && engine.pid > 0) {
		keeper.phase = PHASE_STOPPING;
		link_tell_news(NEWS_STOP);
	} else {
		keeper_terminate();
	}
}

/* --- the loop ------------------------------------------------------------------------------------------------- */

static void children_ended(void)
{
	reap_all();
	if (keeper.phase == PHASE_TERMINATING && keeper.running == 0)
		keeper_end();
	else if (keeper.phase == PHASE_ENDING)
		end_progress();
}

static void on_signal(uint32_t events, uint32_t data)
{
	struct signalfd_siginfo info[8];
	ssize_t n = read(keeper.signals, info, sizeof(info));
	(void)events, (void)data;
	for (size_t i = 0; n > 0 && i < (size_t)n / sizeof(*info); i++)
		if (info[i].ssi_signo == SIGCHLD)
			children_ended();
		else if (info[i].ssi_signo == SIGHUP)
			log_info("SIGHUP: the configuration is not read again");
		else
			stop((int)info[i].ssi_signo);
}

static void on_link(uint32_t events, uint32_t data)
{
	(void)data;
	if (engine.link >= 0)
		link_event(events);
}

static void on_listen(uint32_t events, uint32_t data)
{
	(void)events, (void)data;
	engine_refuse();
}

static void on_cgroup(uint32_t events, uint32_t data)
{
	(void)events;
	if (slot_at(data)->events >= 0)
		cgroup_event(slot_at(data));
}

static void (*const on_event[])(uint32_t, uint32_t) = {
	[EVENT_SIGNAL] = on_signal,
	[EVENT_LINK] = on_link,
	[EVENT_LISTEN] = on_listen,
	[EVENT_CGROUP] = on_cgroup,
};

static void (*const on_due[DUE_MAX])(void) = {
	[DUE_WATCH] = engine_watch, [DUE_ENGINE] = engine_start, [DUE_STOP] = end_due,
	[DUE_TELL] = link_flush,    [DUE_TREES] = tree_again,
};

static nsec_t due_next(void)
{
	nsec_t next = NSEC_NEVER;
	for (int i = 0; i < DUE_MAX; i++)
		next = MIN(next, keeper.due[i]);
	return next;
}

static void due_run(void)
{
	nsec_t now = keeper_clock();
	for (int i = 0; i < DUE_MAX; i++) {
		if (keeper.due[i] > now)
			continue;
		keeper.due[i] = NSEC_NEVER;
		on_due[i]();
	}
}

/* Milliseconds until something is due, rounded up; -1: for ever. */
static int due_wait(void)
{
	nsec_t next = due_next(), now;
	if (next == NSEC_NEVER)
		return -1;
	now = keeper_clock();
	return next <= now ? 0 : (int)MIN((next - now + NSEC_PER_MS - 1) / NSEC_PER_MS, INT_MAX);
}

static void turn(void)
{
	struct epoll_event events[TURN_EVENTS];
	int n = epoll_wait(keeper.epoll, events, TURN_EVENTS, due_wait());
	for (int i = 0; i < n; i++)
		on_event[events[i].data.u64 >> 32](events[i].events, (uint32_t)events[i].data.u64);
	if (due_next() != NSEC_NEVER)
		due_run();
	tree_turn();
	link_flush();
}

static int prepare(void)
{
	sigset_t mask;
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	keeper.epoll = epoll_create1(EPOLL_CLOEXEC);
	keeper.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (keeper.epoll < 0 || keeper.signals < 0 || keeper_watch(keeper.signals, EPOLLIN, EVENT_SIGNAL, 0) < 0)
		return -1;
	return slot_init(keeper.slots) < 0 || spawn_init() < 0 || tree_init() < 0 || engine_init() < 0 ? -1 : 0;
}

int keeper_run(void)
{
	if (prepare() < 0) {
		log_error("cannot start: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	engine_start();
	while (!done)
		turn();
	cgroup_done();
	return keeper.status;
}
