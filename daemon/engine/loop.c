/* SPDX-License-Identifier: MIT */
/*
 * The event loop of loop.h. What libev cannot do or does badly is made up for here:
 *
 * 1. ev_default_loop() would reap all children and ev_loop_new() alone listens to LIBEV_FLAGS: neither is wanted.
 * 2. libev's timers count in CLOCK_MONOTONIC, which stands still while the machine sleeps: there is one timerfd.
 * 3. libev reports a hang-up as readable and writable, for ever: who waits for nothing but a hang-up does so in an
 *    epoll of ours, of which libev only sees the descriptor.
 * 4. The end of a turn is a prepare watcher: it runs after all callbacks and before every sleep, also the first.
 */
#include "daemon/engine/loop.h"
#include <assert.h>
#include <ev.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

/* The hang-ups taken in one turn; the others are still there in the next. */
#define HUPS_A_TURN 256
#define TURN_LONG (20 * NSEC_PER_MS)

static struct {
	struct ev_loop *lib;
	ev_prepare prepare;
	ev_idle idle;
	struct loop_io timer, hups;
	nsec_t armed, now; /* now: 0 where the clock was not read in this turn */
	nsec_t since;      /* the same of loop_late()'s */
	void (*expired)(void), (*end)(void), (*again)(void);
} loop;

_Static_assert(sizeof(ev_io) <= sizeof(((struct loop_io *)0)->lib), "libev's watcher fits into a loop_io");
_Static_assert((int)LOOP_READ == (int)EV_READ && (int)LOOP_WRITE == (int)EV_WRITE, "events are libev's");

static ev_io *lib_of(struct loop_io *io) { return (ev_io *)(void *)io->lib; }

static void on_io(struct ev_loop *lib, ev_io *w, int events)
{
	(void)lib;
	struct loop_io *io = w->data;
	io->ready(io, (unsigned)events & (LOOP_READ | LOOP_WRITE));
}

void loop_io_start(struct loop_io *io, int fd, unsigned events, void (*ready)(struct loop_io *, unsigned events))
{
	io->ready = ready;
	io->fd = fd;
	io->events = 0;
	ev_io *w = lib_of(io);
	ev_init(w, on_io);
	ev_io_set(w, fd, 0);
	w->data = io;
	loop_io_events(io, events);
}

void loop_io_events(struct loop_io *io, unsigned events)
{
	if (events == io->events)
		return;
	ev_io *w = lib_of(io);
	ev_io_stop(loop.lib, w);
	ev_io_set(w, io->fd, (int)events);
	io->events = events;
	if (events)
		ev_io_start(loop.lib, w);
}

void loop_io_stop(struct loop_io *io) { loop_io_events(io, 0); }

/* One at a time: the callback may end others that hang up in the same turn. */
static void on_hups(struct loop_io *io, unsigned events)
{
	(void)events;
	struct epoll_event got;
	for (int i = 0; i < HUPS_A_TURN && RETRY(epoll_wait(io->fd, &got, 1, 0)) == 1; i++) {
		struct loop_hup *hup = got.data.ptr;
		if (!hup->stays)
			loop_hup_stop(hup);
		hup->gone(hup);
	}
}

static int hup_add(struct loop_hup *hup, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = hup};
	return epoll_ctl(loop.hups.fd, EPOLL_CTL_ADD, hup->fd, &event);
}

int loop_hup_start(struct loop_hup *hup, int fd, void (*gone)(struct loop_hup *))
{
	*hup = (struct loop_hup){.gone = gone, .fd = fd};
	return hup_add(hup, 0); /* HUP and ERR come unasked */
}

int loop_input_start(struct loop_hup *hup, int fd, void (*ready)(struct loop_hup *))
{
	*hup = (struct loop_hup){.gone = ready, .fd = fd, .stays = true};
	return hup_add(hup, EPOLLIN);
}

int loop_drain_start(struct loop_hup *hup, int fd, void (*drained)(struct loop_hup *))
{
	*hup = (struct loop_hup){.gone = drained, .fd = fd, .stays = true};
	return hup_add(hup, EPOLLOUT | EPOLLET);
}

void loop_hup_stop(struct loop_hup *hup)
{
	if (hup->fd >= 0)
		epoll_ctl(loop.hups.fd, EPOLL_CTL_DEL, fd_take(&hup->fd), NULL);
}

static void on_timer(struct loop_io *io, unsigned events)
{
	(void)events;
	uint64_t times;
	if (read(io->fd, &times, sizeof(times)) != (ssize_t)sizeof(times))
		return; /* it was set anew meanwhile */
	loop.armed = NSEC_NEVER;
	if (loop.expired)
		loop.expired();
}

void loop_deadline(nsec_t at)
{
	if (at == loop.armed)
		return;
	struct itimerspec when = {.it_interval = {0, 0}};
	if (at != NSEC_NEVER) {
		at = MAX(at, 1); /* 0 would disarm */
		when.it_value.tv_sec = at / NSEC_PER_SEC;
		when.it_value.tv_nsec = at % NSEC_PER_SEC;
	}
	int rc = timerfd_settime(loop.timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
	assert(rc == 0);
	(void)rc;
	loop.armed = at;
}

static void on_idle(struct ev_loop *lib, ev_idle *w, int events)
{
	(void)events;
	ev_idle_stop(lib, w);
	loop.again();
}

void loop_again(void (*fn)(void))
{
	loop.again = fn;
	ev_idle_start(loop.lib, &loop.idle);
}

static void on_turn_end(struct ev_loop *lib, ev_prepare *w, int events)
{
	(void)lib, (void)w, (void)events;
	if (loop.end)
		loop.end();
	loop.now = loop.since = 0;
}

nsec_t loop_now(void)
{
	if (loop.now == 0)
		loop.now = sys_now();
	return loop.now;
}

/* A clock that ticks is enough, and the cheapest one. */
bool loop_late(void)
{
	nsec_t now = sys_clock(CLOCK_MONOTONIC_COARSE);
	if (loop.since == 0)
		loop.since = now;
	return now - loop.since > TURN_LONG;
}

void loop_hooks(void (*expired)(void), void (*end)(void))
{
	loop.expired = expired;
	loop.end = end;
}

int loop_init(void)
{
	loop.timer.fd = loop.hups.fd = -1;
	loop.armed = NSEC_NEVER;
	AUTO_FD timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	AUTO_FD hups = epoll_create1(EPOLL_CLOEXEC);
	loop.lib = timer >= 0 && hups >= 0 ? ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV) : NULL;
	if (!loop.lib)
		return -1;
	ev_prepare_init(&loop.prepare, on_turn_end);
	ev_prepare_start(loop.lib, &loop.prepare);
	ev_idle_init(&loop.idle, on_idle);
	ev_set_priority(&loop.idle, EV_MAXPRI); /* not only when nothing else is ready */
	loop_io_start(&loop.timer, fd_take(&timer), LOOP_READ, on_timer);
	loop_io_start(&loop.hups, fd_take(&hups), LOOP_READ, on_hups);
	return 0;
}

void loop_run(void) { ev_run(loop.lib, 0); }
