/* SPDX-License-Identifier: MIT */
/*
 * The event loop: the only user of libev. Everything else sees descriptors, one deadline, and the end of a turn.
 *
 * A turn: descriptors that are ready call back; then the turn's end runs once (pump, journal, link, replies), also
 * when only the deadline came. Nothing ticks when nothing happens (libev's own wake-up a minute aside).
 */
#ifndef MPD_LOOP_H
#define MPD_LOOP_H

#include "common/sys.h"

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop_io {
	void (*ready)(struct loop_io *, unsigned events);
	int fd;
	unsigned events;
	void *lib[8]; /* libev's part; loop.c asserts that it fits */
};

/* 0, or -1 with errno. */
int loop_init(void);
/* Runs for as long as the engine: that ends by _exit(), its state is elsewhere. */
void loop_run(void);

/* Starts watching FD; the loop_io belongs to the caller and must stay where it is until loop_io_stop(). */
void loop_io_start(struct loop_io *, int fd, unsigned events, void (*ready)(struct loop_io *, unsigned events));
/* Changes what is watched for; 0 watches nothing (EOF and HUP do not spin then). */
void loop_io_events(struct loop_io *, unsigned events);
void loop_io_stop(struct loop_io *);

/* Watches FD for a full hang-up (HUP, ERR) only, through a second epoll whose own descriptor libev watches: what
 * libev cannot do. The callback comes once. */
struct loop_hup {
	void (*gone)(struct loop_hup *);
	bool stays; /* called back for as long as there is a reason, not once */
	int fd;
};
int loop_hup_start(struct loop_hup *, int fd, void (*gone)(struct loop_hup *));
/* The same for input as well, again and again. It leaves the kernel's set at once when stopped, so that FD may be
 * closed right after it while somebody else keeps the same pipe open (libev takes it out a turn later, too late then).
 */
int loop_input_start(struct loop_hup *, int fd, void (*ready)(struct loop_hup *));
void loop_hup_stop(struct loop_hup *);
/* The same, and not for ever: called each time the other end of a socket has read what it was sent, or is gone. */
int loop_drain_start(struct loop_hup *, int fd, void (*drained)(struct loop_hup *));

/* The one deadline (CLOCK_BOOTTIME, NSEC_NEVER for none), by timerfd; setting the one that is set costs nothing. */
void loop_deadline(nsec_t at);
/* EXPIRED is called in the loop when the deadline has come; END at the end of every turn, before the loop sleeps. */
void loop_hooks(void (*expired)(void), void (*end)(void));
/* The loop does not sleep before the next turn, and calls FN in it, once. For work that was put off so that others get
 * their turn; one caller (connections). */
void loop_again(void (*fn)(void));
/* CLOCK_BOOTTIME when it was first asked for in this turn: one clock call a turn. */
nsec_t loop_now(void);
/* Has this turn lasted so long, since this was first asked in it, that what can wait should? */
bool loop_late(void);

#endif
