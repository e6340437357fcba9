/* SPDX-License-Identifier: MIT */
/*
 * Notifications to those who subscribed. An event is rendered once. A reader with more than CONN_UNREAD_SOFT unread
 * loses events and is told with a gap before the next one it gets.
 *
 * Every event of a subscription has the next `seq`, also one that is lost.
 */
#ifndef MPD_EVENTS_H
#define MPD_EVENTS_H

#include "common/fault.h"
#include "common/list.h"
#include <sys/types.h>

struct conn;

#define EVENTS_SUBS_MAX 64 /* of one connection */

enum topic { TOPIC_PROCESS, TOPIC_JOB, TOPIC_DAEMON, TOPIC_COUNT };

struct sub {
	struct list by_conn, by_all;
	struct conn *conn;
	uint64_t id, seq;
	uint64_t lost_from; /* seq of the first that was lost and not told of; 0: none */
	unsigned topics;    /* bits 1 << enum topic */
};

extern const char *const topic_names[TOPIC_COUNT];

/* Subscribes to TOPICS (bits). 0 and the subscription's number, or a code. */
int events_subscribe(struct conn *, unsigned topics, uint64_t *ret_id, struct fault *);
/* 0, or FAULT_NOT_FOUND. */
int events_unsubscribe(struct conn *, uint64_t id, struct fault *);
/* MEMBERS is JSON without braces and without a leading comma: "\"id\":7,\"name\":\"x\"". Only subscribers that are
 * admins or have UID get it. NAME is the event's ("started"); `topic`, `event` and `time` are added here. Costs nothing
 * when nobody listens. */
bool events_wanted(enum topic);
void events_emit(enum topic, const char *name, uid_t uid, struct span members);
/* Ends the subscriptions of a connection that goes away. */
void events_conn_gone(struct conn *);

#endif
