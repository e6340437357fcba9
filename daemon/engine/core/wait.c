/* SPDX-License-Identifier: MIT */
/* Subjects, waiters and the pump of wait.h. */
#include "daemon/engine/core/wait.h"
#include "daemon/engine/core/core.h"

void subject_init(struct subject *s)
{
	list_init(&s->waiters);
	list_init(&s->ready);
	s->fifo = false;
}

void subject_done(struct subject *s) { list_del(&s->ready); }

void subject_touch(struct subject *s)
{
	if (subject_waited(s) && !list_linked(&s->ready))
		list_push(&core.ready, &s->ready);
}

static void waiter_leave(struct waiter *w)
{
	for (size_t i = 0; i < w->nlinks; i++)
		list_del(&w->links[i].by_subject);
	if (w->links != &w->one)
		free(w->links);
	w->links = NULL;
	w->nlinks = 0;
}

void waiter_drop(struct waiter *w)
{
	timer_clear(&core.timers, &w->timer);
	waiter_leave(w);
}

static void waiter_enter(struct waiter *w, size_t i, struct subject *s)
{
	w->links[i] = (struct wait_link){.waiter = w};
	list_init(&w->links[i].by_subject);
	list_push(&s->waiters, &w->links[i].by_subject);
	subject_touch(s);
}

void waiter_move(struct waiter *w, struct subject *s)
{
	waiter_leave(w);
	w->links = &w->one;
	w->nlinks = 1;
	waiter_enter(w, 0, s);
}

static void waiter_expired(struct timer *t)
{
	struct waiter *w = CONTAINER_OF(t, struct waiter, timer);
	waiter_drop(w);
	w->ops->expire(w);
}

int waiter_park(struct waiter *w, const struct wait_ops *ops, struct subject *const *subjects, size_t n,
		nsec_t deadline)
{
	w->ops = ops;
	w->timer = (struct timer){0};
	w->nlinks = 0;
	w->links = n <= 1 ? &w->one : calloc(n, sizeof(*w->links));
	if (!w->links)
		return -1;
	w->nlinks = n;
	for (size_t i = 0; i < n; i++)
		waiter_enter(w, i, subjects[i]);
	if (deadline != NSEC_NEVER)
		timer_set(&core.timers, &w->timer, deadline, waiter_expired);
	return 0;
}

/* Each link goes to the end before its waiter attempts, so that all have had their turn when the first has. None
 * leaves the list meanwhile: a subject is waited for as long as anybody still looks at it. */
static void serve_all(struct subject *s)
{
	static uint64_t round;
	struct wait_link *link;
	round++;
	while ((link = LIST_FIRST(&s->waiters, struct wait_link, by_subject)) && link->round != round) {
		struct waiter *w = link->waiter;
		link->round = round;
		list_del(&link->by_subject);
		list_push(&s->waiters, &link->by_subject);
		if (w->ops->attempt(w) == STEP_WAIT)
			continue;
		waiter_drop(w);
		w->ops->done(w);
	}
}

static void serve_in_turn(struct subject *s)
{
	struct wait_link *link;
	while ((link = LIST_FIRST(&s->waiters, struct wait_link, by_subject))) {
		struct waiter *w = link->waiter;
		if (w->ops->attempt(w) == STEP_WAIT)
			return;
		waiter_drop(w);
		w->ops->done(w);
	}
}

static void subject_serve(struct subject *s)
{
	if (s->fifo)
		serve_in_turn(s);
	else
		serve_all(s);
}

void wait_pump(void)
{
	struct list *n;
	while ((n = list_shift(&core.ready)))
		subject_serve(LIST_ENTRY(n, struct subject, ready));
}
