/* SPDX-License-Identifier: MIT */
/*
 * Semaphores: permits that are taken and returned, in the order of arrival; who wants many keeps those behind it
 * waiting, so that it gets them some day.
 *
 * 1. Owned (the default): every acquisition is a hold. What is free is what it began with less what is held, so a
 *    permit can neither be lost nor made; its holder's death returns it.
 * 2. Unowned: a number in the image, that anybody raises and lowers. An acquisition that was never read of is undone
 *    nevertheless.
 */
#ifndef MPD_SEM_H
#define MPD_SEM_H

#include "common/shape.h"
#include "daemon/engine/core/obj.h"

struct sem_image {
	uint32_t initial; /* permits it began with */
	uint32_t number;  /* unowned: free ones */
	uint8_t bounded;  /* never more than it began with */
	uint8_t unowned;
	uint8_t pad[6];
};

struct sem {
	struct obj obj;
	struct sem_image i;
	int64_t held; /* of all its holds */
	struct subject queue;
};

/* Before want_run(): n. */
struct sem_want {
	struct want want;
	uint32_t n;
	/* granted: */
	uint64_t token; /* 0: unowned */
	int64_t value;  /* what was free after it */
};
extern const struct want_ops sem_acquire_ops;

struct sem_release {
	const struct thread *thread; /* who asks */
	bool has_token;
	uint64_t token;
	uint32_t n;
};

/* The shape of a new one. */
void sem_shape(struct sem *, uint32_t initial, bool bounded, bool unowned);
int64_t sem_value(const struct sem *);
/* Can N be had at once, ever? RANGE. */
int sem_check(const struct sem *, uint32_t n, struct fault *);
/* From the asking thread's newest holds, then its owner's; by token from that hold, whoever asks. OVER_RELEASE,
 * NOT_HELD, STALE_TOKEN, RANGE. */
int sem_release(struct sem *, const struct sem_release *, struct fault *);

#endif
