/* SPDX-License-Identifier: MIT */
/*
 * A client's connection: bytes in, lines out to rpc; replies back into one buffer, written once a turn.
 *
 * 1. Who the client is comes from the kernel at connect and never changes.
 * 2. After a half-close (EOF) open requests run on; after a full close (HUP) they are cancelled.
 * 3. A connection with more than CONN_UNREAD_SOFT bytes unread is not read from; over CONN_UNREAD_HARD, or with no
 *    progress for CONN_STALL while there is something to write, it is closed.
 * 4. Descriptors that no line claims are closed.
 * 5. It is read from only when none of its lines waits to be handed over, and torn down only from the loop: never
 *    while a line of it is handled, and never in conns_flush().
 * 6. Who is closed by us is first told so (shutdown), and stays until it has read what was written, or CONN_STALL.
 * 7. Descriptors that go out leave with the byte they were given for, or one before it. Of a connection that has as
 * many to send as it may no line is handled, as of one that has too much unread.
 */
#ifndef MPD_CONN_H
#define MPD_CONN_H

#include "common/frame.h"
#include "common/list.h"
#include "daemon/engine/core/owner.h"
#include "daemon/engine/core/wait.h"
#include "daemon/engine/loop.h"
#include <sys/types.h>

/* Whether the client had read all that was written to it when it ended. What was not written is no part of that. */
enum conn_end { CONN_END_READ, CONN_END_UNREAD };

#define CONN_LINE_MAX ((size_t)16 << 20)
#define CONN_UNREAD_SOFT ((size_t)1 << 20)
#define CONN_UNREAD_HARD (CONN_LINE_MAX + ((size_t)8 << 20))
#define CONN_STALL (10 * NSEC_PER_SEC)
#define CONN_INFLIGHT_MAX 1024
#define CONN_PARKED_CHAINS 32
#define CONN_BAD_LINES_MAX 10
#define CONN_BATCH_MAX 1000
#define CONN_FDS_MAX 16  /* unclaimed at once */
#define CONN_DUE_MAX 64  /* to be sent */
#define CONN_PER_UID 256 /* of users who are not admins */

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t *groups; /* SO_PEERGROUPS */
	size_t ngroups;
	bool admin; /* root, or the daemon's own user */
};

/* A descriptor that came and was not claimed yet. */
struct loose_fd {
	int fd;
	uint64_t until; /* lines that begin here in the stream, or later, did not bring it */
};

/* Bytes that go out from where they lie. */
struct due_ref {
	struct list by_conn;
	uint64_t at;      /* before the byte of `out` that has this place in its stream */
	struct span left; /* what is not written yet */
	void (*release)(void *);
	void *arg;
};

/* A descriptor that is ours until the byte it goes with is sent. */
struct due_fd {
	int fd;
	uint64_t at; /* that byte's place in the stream */
};

struct conn {
	uint64_t id;
	struct list by_all;
	struct list by_dirty; /* to be looked at when the turn ends */
	struct list by_again; /* to be looked at in the next turn */
	struct list by_stall; /* in order of `stalled` */
	struct peer peer;
	struct frame in;
	uint64_t taken; /* bytes read, ever */
	size_t want;    /* bytes to read at once */
	struct buf out;
	size_t out_at;      /* bytes of `out` that are written */
	uint64_t written;   /* bytes of `out`, ever */
	uint64_t whole;     /* `written` when all was written the last time */
	struct list refs;   /* struct due_ref.by_conn, oldest first */
	size_t refs_unread; /* bytes */
	struct due_fd *due; /* oldest first; room for CONN_DUE_MAX, made when the first one is given */
	size_t ndue;
	struct loop_io io;
	struct loop_hup hup;
	struct list reqs; /* struct req.by_conn, open requests in order of arrival */
	size_t nreqs;
	struct req *parked[CONN_PARKED_CHAINS]; /* those that wait, by their ids; rpc.c's */
	struct loose_fd loose[CONN_FDS_MAX];    /* oldest first */
	size_t nloose;
	nsec_t stalled; /* since when nothing could be written; 0: not */
	bool eof;       /* nothing more comes */
	bool paused;    /* lines may wait in `in`, until the client has read its answers or others had their turn */
	bool closing;   /* to be torn down when `out` is written */
	bool leaving;   /* told that nothing more comes; it has not read all of it yet */
	bool dead;      /* to be torn down */
	bool reset;     /* the client is gone and has left something unread */
	enum conn_end ended; /* from its end on */
	bool has_session;
	uint8_t session[16];
	struct buf grants; /* rpc's: which answers of its session tell of grants that may not have been read */
	unsigned bad_lines;
	struct list subs; /* struct sub.by_conn, of events.c */
	uint64_t process; /* whose part the peer is, by id; 0: nobody's */
	bool attributed;  /* `process` was looked up */
	bool held;        /* not read from until it is known whose part the peer is: until `awaited` has started */
	uint64_t awaited;
	struct waiter hold;
	struct channel channel;
};

/* Serves the listening socket FD (owned by the keeper as well: never unlinked here). 0, or -1 with errno. */
int conns_init(int fd);
size_t conns_count(void);
/* Writes out what was replied in this turn. Called once, at its end, after the journal and the link. */
void conns_flush(void);
/* The earliest moment at which conns_tick() has something to do (CONN_STALL, accepting again), or NSEC_NEVER. */
nsec_t conns_deadline(void);
void conns_tick(nsec_t now);
/* The peer's socket, for the keeper to ask the kernel whose it is. */
static inline int conn_fd(const struct conn *c) { return c->io.fd; }
static inline size_t conn_unread(const struct conn *c) { return c->out.len - c->out_at + c->refs_unread; }
/* Whether the client has read all that was ever written to it, and that was what there was to write then. */
bool conn_all_read(const struct conn *);
/* Whether its other end is closed. */
bool conn_deserted(const struct conn *);
/* Something was added to c->out, or a request of it has ended. Who is made dirty last is written to first: those the
 * pump woke come before those it answers nothing but "done". */
void conn_dirty(struct conn *);
/* Gives away the oldest N unclaimed descriptors. 0, or -1: there are not so many. */
int conn_claim(struct conn *, size_t n, int *ret_fds);
/* Takes N descriptors, at most CONN_FDS_MAX for a line, to be sent with the byte at AT of `out`. */
void conn_give(struct conn *, size_t at, const int *fds, size_t n);
/* BYTES go out behind what is in `out`, without being copied: RELEASE(ARG) is called when they are written, or will not
 * be. It may not touch a connection. */
void conn_refer(struct conn *, struct span bytes, void (*release)(void *), void *arg);
/* Closes after what is in `out` was written. */
void conn_close_soon(struct conn *);

#endif
