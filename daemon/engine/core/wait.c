/* SPDX-License-Identifier: MIT */
/* Subjects, waiters and the pump of wait.h. */
#include "daemon/engine/core/wait.h"
#include "daemon/engine/core/core.h"

void subject_init(struct subject *s)
{
	list_init(&s->waiters);
	list_init(&s->ready);
}

void subject_done(struct subject *s) { list_del(&s->ready); }

void subject_touch(struct subject *s)
{
	if (subject_waited(s) && !list_linked(&s->ready))
		list_push(&core.ready, &s->ready);
}

void waiter_drop(struct waiter *w)
{
	timer_clear(&core.timers, &w->timer);
	for (size_t i = 0; i < w->nlinks; i++)
		list_del(&w->links[i].by_subject);
	free(w->links);
	w->links = NULL;
	w->nlinks = 0;
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
	w->links = calloc(MAX(n, 1), sizeof(*w->links));
	if (!w->links)
		return -1;
	w->nlinks = n;
	for (size_t i = 0; i < n; i++) {
		w->links[i].waiter = w;
		list_init(&w->links[i].by_subject);
		list_push(&subjects[i]->waiters, &w->links[i].by_subject);
		subject_touch(subjects[i]);
	}
	if (deadline != NSEC_NEVER)
		timer_set(&core.timers, &w->timer, deadline, waiter_expired);
	return 0;
}

/* Each link goes to the end before its waiter attempts, so that all have had their turn when the first has. None
 * leaves the list meanwhile: a subject is waited for as long as anybody still looks at it. */
static void subject_serve(struct subject *s)
{
	static uint64_t round;
	struct wait_link *link;
	round++;
	while ((link = LIST_FIRST(&s->waiters, struct wait_link, by_subject)) && link->round != round) {
		struct waiter *w = link->waiter;
		link->round = round;
		list_del(&link->by_subject);
		list_push(&s->waiters, &link->by_subject);
		if (w->ops->attempt(w) != STEP_DONE)
			continue;
		waiter_drop(w);
		w->ops->done(w);
	}
}

void wait_pump(void)
{
	struct list *n;
	while ((n = list_shift(&core.ready)))
		subject_serve(LIST_ENTRY(n, struct subject, ready));
}
