/* SPDX-License-Identifier: MIT */
/*
 * Events: a flag that stays, and those who wait for it.
 *
 * 1. All who wait when it is set go on, also when it is cleared before they could look.
 * 2. An ephemeral one is set as long as one of those lives who have set it: each of them has a hold.
 */
#ifndef MPD_EVENT_H
#define MPD_EVENT_H

#include "daemon/engine/core/obj.h"

struct event_image {
	uint8_t set, ephemeral;
	uint8_t pad[6];
};

struct event {
	struct obj obj;
	struct event_image i;
	uint64_t sets; /* how often it was set by this engine */
	struct subject waiters;
};

struct event_want {
	struct want want;
	uint64_t sets; /* of the event when the wait began */
	/* granted: */
	bool set;
};
extern const struct want_ops event_wait_ops;

/* By T, whose life counts for an ephemeral one; else it may be NULL. */
void event_set(struct event *, struct thread *);
void event_clear(struct event *);

#endif
