/* SPDX-License-Identifier: MIT */
/*
 * Queues.
 *
 * 1. An item is ready, or claimed by who got it; it is gone when it is done. `auto`: done when its answer was read.
 *    `manual`, or of a joinable queue: done when its claim is settled.
 * 2. An item whose claim ends otherwise goes back to its old place: its id (its turn) and priority never change.
 * 3. Of a joinable queue every item counts until it is done: what is unfinished is what is there, ready and claimed.
 * 4. Who gets and who puts is served in the order of arrival.
 */
#ifndef MPD_QUEUE_H
#define MPD_QUEUE_H

#include "common/map.h"
#include "daemon/engine/core/obj.h"
#include "daemon/engine/core/payload.h"

#define QUEUE_BYTES_PER_UID ((size_t)64 << 20) /* with what each item costs; of users who are not admins */
#define QUEUE_DELIVERIES 5
#define QUEUE_GET_BYTES ((size_t)1 << 20) /* who gets many gets no more of them after these */

struct item;
struct queue;

struct claim {
	struct hold hold; /* its token is the claim's number */
	struct item *item;
	struct claim *next; /* of those that one get has got */
	struct list by_queue;
	struct timer ttr;
	bool manual;
};

struct item {
	struct part part;
	struct queue *queue;
	struct list by_queue; /* ready, but not of a queue with priorities */
	size_t place;         /* of such: 1-based in its heap */
	uint64_t id;
	int64_t priority;
	struct payload *payload;
	struct claim *claim; /* NULL: it is ready */
	struct item *next;   /* of those that one put puts; until it is in the queue */
	uint32_t redelivered;
	bool saved; /* the journal has it */
};

struct queue_image { /* followed by the dead letters' name */
	uint64_t next_id;
	int64_t maxsize, max_bytes, max_deliveries;
	nsec_t ttr;
	uint8_t joinable, simple, lifo, priority, closed, paused, ndead, pad;
};

struct queue {
	struct obj obj;
	struct queue_image i;
	char dead[OBJ_NAME_MAX + 16]; /* where dead letters go; "" nowhere */
	struct subject getters, putters, joiners;
	struct list ready;  /* struct item.by_queue, by id */
	struct item **heap; /* instead, with priorities */
	size_t heap_room;
	size_t nready, nclaimed;
	size_t bytes;      /* of the ready ones */
	size_t all_bytes;  /* of all */
	size_t *uid_bytes; /* of all queues of its user */
	struct part gone;  /* those that are done in this turn, for the journal: */
	struct buf gone_ids;
	struct list claimed; /* struct claim.by_queue */
	struct map claims;   /* struct claim by token, the manual ones */
	struct map loading;  /* struct item by id, until the replay is over */
	uint64_t put, got, returned, dead_letters;
};

struct put_want {
	struct want want;
	struct item *items; /* by item.next; the queue's once it is granted */
	size_t n, bytes;
	size_t charged; /* to the queue's user, until they are the queue's */
	bool many;
	uint64_t first; /* granted: the id of the first one, the others follow */
};

struct get_want {
	struct want want;
	bool manual, raw; /* raw: how it is to be answered */
	bool many;
	size_t max;
	struct claim *got; /* granted: by claim.next, at least one */
};

/* What N items of together BYTES are charged to the queue's user. */
static inline size_t items_cost(size_t n, size_t bytes) { return n * sizeof(struct item) + bytes; }

extern const struct want_ops queue_put_ops, queue_get_ops, queue_join_ops;

/* An item for a put; owned by the caller until the put is granted. NULL without memory. */
struct item *item_new(struct span text, bool raw, int64_t priority);
void items_free(struct item *);
/* After the answer to a get was made: what nobody will read of is done. */
void queue_answered(struct get_want *);

size_t queue_unfinished(const struct queue *);
bool queue_full(const struct queue *);
/* The one that would come out next; NULL: none. */
const struct item *queue_head(const struct queue *);
/* STALE_TOKEN: there is no such claim (any more). */
int queue_ack(struct queue *, uint64_t claim, struct fault *);
int queue_nack(struct queue *, uint64_t claim, struct fault *);
int queue_extend(struct queue *, uint64_t claim, nsec_t ttr, struct fault *);
/* The oldest claim of T's owner. OVER_RELEASE: it has none. */
int queue_task_done(struct queue *, const struct thread *, struct fault *);
void queue_close(struct queue *);
void queue_pause(struct queue *, bool paused);

#endif
