/* SPDX-License-Identifier: MIT */
/*
 * From a line to a request, from the request to its handler, and back to exactly one reply.
 *
 * A handler gets decoded arguments that are valid until it returns. It answers its own request (reply_begin ...
 * reply_end), or returns a code of fault.def with the fault set (rpc answers), or parks the request and answers it
 * later. Only the pump answers for others.
 */
#ifndef MPD_RPC_H
#define MPD_RPC_H

#include "common/api.h"
#include "daemon/engine/conn.h"

#define RPC_ID_MAX 128 /* bytes of an id, as it is written */

struct batch;

/* An open request. Owned by rpc; gone after reply_end(), req_fail() or its `cancel`. */
struct req {
	struct list by_conn;
	struct conn *conn; /* never NULL: a request ends before its connection does */
	const struct api_cmd *cmd;
	struct span id; /* raw JSON, the request's own copy; {NULL, 0}: not to be answered */
	struct batch *batch;
	bool has_raw;    /* bytes came behind the line ... */
	struct span raw; /* ... these; valid until the handler returns */
	size_t nfds;     /* of `fds`; what the handler does not take (sets to -1) is closed */
	/* Set by the handler that parks: called when the request is cancelled, perhaps more than once, or when its
	 * connection is GONE. True: the wait is taken apart; rpc answers (CANCELLED) or not, and frees. False, which is
	 * not for who is gone: it cannot end yet, and will be answered with CANCELLED by who waits. */
	bool (*cancel)(struct req *, bool gone);
	void *wait;              /* the handler's */
	struct req *next_parked; /* whose id has the same hash */
	bool again;              /* an engine before this one accepted it: its effect is there */
	/* Between reply_begin() and reply_end(): where its answer begins in the buffer, and what it sends along. */
	size_t at;
	bool answers_raw;
	struct span answer_raw;
	void (*release)(void *); /* of these bytes; NULL: they stay until reply_end() */
	void *release_arg;
	/* From here on nothing is cleared for a new request. */
	int fds[CONN_FDS_MAX]; /* claimed by "fds": n */
	char id_text[RPC_ID_MAX];
};

typedef int rpc_handler(struct req *, const void *args, struct fault *);
/* One a command, by enum api_id; defined in commands.c. */
extern rpc_handler *const rpc_handlers[CMD_COUNT];

/* A whole line of the connection's. Where its raw bytes have not all come nothing happens; it will come again. */
void rpc_line(struct conn *, struct span line);
void rpc_too_long(struct conn *);
/* The connection is gone (full close): every open request of it is cancelled, silently. */
void rpc_conn_gone(struct conn *);

/* Where to write the result, as one JSON value, at once; then reply_end(), which frees the request. Nothing else may
 * be written to any connection in between. The buffer is the connection's own (or a batch's, or a bin). */
struct buf *reply_begin(struct req *);
void reply_end(struct req *);
/* In between: takes N descriptors, which go with the first byte of the line. Not in a batch. */
void reply_fds(struct req *, const int *fds, size_t n);
/* In between: BYTES follow the line, which says how many they are. They stay until reply_end(). Not in a batch. */
void reply_raw(struct req *, struct span bytes);
/* The same of bytes that stay until RELEASE(ARG) is called, which is once, and perhaps at once: many are not copied. It
 * may not touch a request or a connection. */
void reply_raw_ref(struct req *, struct span bytes, void (*release)(void *), void *arg);
/* The grant that LINE of the connection's has told of was undone, unread. Sent again in its session the request is not
 * answered with it, but waits once more. */
void rpc_undone(struct conn *, uint64_t line);
/* The request ends with the fault, and is freed. */
void req_fail(struct req *, const struct fault *);
/* An error that answers no request: its id is null. */
void rpc_refuse(struct conn *, const struct fault *);
/* The JSON of an error reply, without newline. ID {NULL, 0} becomes null. */
void rpc_put_fault(struct buf *, struct span id, const struct fault *);
/* Parks: the handler returns 0 after it. What must not be done twice counts as accepted from then on: sent again in its
 * session it comes with `again` set, and only waits. */
void req_park(struct req *, bool (*cancel)(struct req *, bool gone), void *wait);
/* The request ends with CANCELLED, now that it may. */
void req_cancelled(struct req *);
/* The `cancel` command: finds the request of C whose id is ID (raw) and ends it with CANCELLED, as soon as that may be.
 * False: none such. */
bool rpc_cancel(struct conn *, struct span id);

/* Counters since the engine's start, for mpd.stats. */
struct rpc_stats {
	uint64_t requests, replies, faults, batches, connections, events;
};
extern struct rpc_stats rpc_stats;

#endif
