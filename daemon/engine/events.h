/* SPDX-License-Identifier: MIT */
/*
 * Notifications to those who subscribed. An event is rendered once. A reader with more than CONN_UNREAD_SOFT unread
 * loses events and is told with a gap before the next one it gets.
 */
#ifndef MPD_EVENTS_H
#define MPD_EVENTS_H

#include "common/list.h"
#include "common/scan.h"
#include <sys/types.h>

struct conn;

enum topic { TOPIC_PROCESS, TOPIC_JOB, TOPIC_DAEMON, TOPIC_COUNT };

struct sub {
	struct list by_conn, by_all;
	struct conn *conn;
	uint64_t id, seq;
	uint64_t lost_from; /* 0: none lost */
	unsigned topics;    /* bits 1 << enum topic */
};

/* MEMBERS is JSON without braces and without a leading comma: "\"id\":7,\"name\":\"x\"". Only subscribers that are
 * admins or have UID get it. NAME is the event's ("started"). Costs nothing when nobody listens. */
bool events_wanted(enum topic);
void events_emit(enum topic, const char *name, uid_t uid, struct span members);
/* Ends the subscriptions of a connection that goes away. */
void events_conn_gone(struct conn *);

#endif
