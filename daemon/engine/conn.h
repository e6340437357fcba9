/* SPDX-License-Identifier: MIT */
/*
 * A client's connection: bytes in, lines out to rpc; replies back into one buffer, written once a turn.
 *
 * 1. Who the client is comes from the kernel at connect and never changes.
 * 2. After a half-close (EOF) open requests run on; after a full close (HUP) they are cancelled.
 * 3. A connection with more than CONN_UNREAD_SOFT bytes unread is not read from; over CONN_UNREAD_HARD, or with no
 *    progress for CONN_STALL while there is something to write, it is closed.
 * 4. Descriptors that no line claims are closed.
 */
#ifndef MPD_CONN_H
#define MPD_CONN_H

#include "common/frame.h"
#include "common/list.h"
#include "daemon/engine/loop.h"
#include <sys/types.h>

#define CONN_LINE_MAX ((size_t)16 << 20)
#define CONN_UNREAD_SOFT ((size_t)1 << 20)
#define CONN_UNREAD_HARD (CONN_LINE_MAX + ((size_t)8 << 20))
#define CONN_STALL (10 * NSEC_PER_SEC)
#define CONN_INFLIGHT_MAX 1024
#define CONN_BAD_LINES_MAX 10
#define CONN_BATCH_MAX 1000
#define CONN_FDS_MAX 16 /* unclaimed at once */

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	gid_t *groups; /* SO_PEERGROUPS */
	size_t ngroups;
	bool admin; /* root, or the daemon's own user */
};

struct conn {
	uint64_t id;
	struct list by_all, by_dirty;
	struct peer peer;
	struct frame in;
	struct buf out;
	size_t out_at; /* bytes of `out` that are written */
	struct loop_io io;
	struct loop_hup hup;
	struct list reqs; /* struct req.by_conn, open requests in order of arrival */
	size_t nreqs;
	int fds[CONN_FDS_MAX];
	size_t nfds;
	nsec_t stalled; /* since when nothing could be written; 0: not */
	bool eof, closing, has_session;
	uint8_t session[16];
	char tag[64];
	unsigned bad_lines;
	struct list subs; /* struct sub.by_conn, of events.c */
};

/* Serves the listening socket FD (owned by the keeper as well: never unlinked here). */
int conns_init(int fd);
void conns_done(void);
size_t conns_count(void);
/* Writes out what was replied in this turn. Called once, at its end, after the journal and the link. */
void conns_flush(void);
/* The earliest moment at which conns_tick() has something to do (CONN_STALL), or NSEC_NEVER. */
nsec_t conns_deadline(void);
void conns_tick(nsec_t now);
/* The peer's socket, for the keeper to ask the kernel whose it is. */
static inline int conn_fd(const struct conn *c) { return c->io.fd; }
/* Something was added to c->out. */
void conn_dirty(struct conn *);
/* Closes after what is in `out` was written. */
void conn_close_soon(struct conn *);

#endif
