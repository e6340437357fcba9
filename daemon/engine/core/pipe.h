/* SPDX-License-Identifier: MIT */
/*
 * Pipes: two ends, and messages in both directions (of one that is not duplex from end 1 to end 0 only).
 *
 * 1. An end is dead when it was closed, or was held once and is held by nobody any more. Who sends to a dead end is
 *    told so; who receives from one first gets what is left, then EOF.
 * 2. A message that was received is unsure until its answer was read; else it goes back to its old place.
 */
#ifndef MPD_PIPE_H
#define MPD_PIPE_H

#include "common/map.h"
#include "daemon/engine/core/obj.h"
#include "daemon/engine/core/payload.h"

#define PIPE_BYTES ((size_t)1 << 20) /* that wait in one direction, then send waits; more only as one message */
#define PIPE_MESSAGES 1024u

struct message {
	struct hold hold; /* while it is unsure; its thread is NULL else */
	struct part part;
	struct pipe *pipe;
	struct list by_end;
	uint64_t id; /* its turn */
	struct payload *payload;
	uint32_t redelivered;
	uint8_t end; /* at which it is received */
	bool got;    /* it is unsure */
	bool saved;  /* the journal has it */
};

struct pipe_image {
	uint64_t next_id;
	uint8_t duplex, closed[2], was_held[2], pad[3];
};

struct pipe_end {
	struct list messages;             /* to be received here: struct message.by_end, by id */
	struct list unsure;               /* received here: the same */
	size_t n, bytes;                  /* of the messages */
	struct subject recv, send, polls; /* send: who sends to this end */
	size_t holds;
};

struct pipe {
	struct obj obj;
	struct pipe_image i;
	struct pipe_end ends[2];
	struct map loading; /* struct message by id, until the replay is over */
};

struct send_want {
	struct want want;
	unsigned to;             /* the end that receives */
	struct payload *payload; /* the pipe's once it is granted */
};

struct recv_want {
	struct want want;
	unsigned end;
	bool raw; /* how it is to be answered */
	struct message *got;
};

struct poll_want {
	struct want want;
	unsigned end;
	bool ready;
};

extern const struct want_ops pipe_send_ops, pipe_recv_ops, pipe_poll_ops;

/* May END receive, send? RANGE. */
int pipe_may(const struct pipe *, unsigned end, bool send, struct fault *);
/* After the answer to a receive was made: what nobody will read of is gone. */
void pipe_answered(struct recv_want *);
/* T holds the end from now on; once is enough. */
void pipe_hold(struct pipe *, unsigned end, struct thread *);
int pipe_drop(struct pipe *, unsigned end, const struct thread *, struct fault *);
void pipe_close(struct pipe *, unsigned end);

#endif
