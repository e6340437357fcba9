/* SPDX-License-Identifier: MIT */
/*
 * What must hold of the objects whatever was done to them, looked at from outside, when a turn is over: everything is
 * counted again, nobody waits who could go on, nobody is served past another, permits and things are conserved, and the
 * journal says what there is.
 */
#ifndef TESTS_UNIT_OBJCHECK_H
#define TESTS_UNIT_OBJCHECK_H

#include "tests/unit/objsteps.h"

/* --- counts ------------------------------------------------------------------------------------------------------- */

static const struct want *waiter_want(const struct list *link)
{
	return CONTAINER_OF(LIST_ENTRY(link, struct wait_link, by_subject)->waiter, struct want, waiter);
}

/* Who waits first; NULL: nobody. */
static const struct want *first_waiter(const struct subject *s)
{
	return subject_waited(s) ? waiter_want(s->waiters.next) : NULL;
}

static void check_subject(const struct subject *s)
{
	assert_false(list_linked(&s->ready));
	for (const struct list *at = s->waiters.next; at != &s->waiters; at = at->next)
		assert_true(waiter_want(at)->ops->subject(waiter_want(at)) == s);
}

static void check_holds(const struct obj *o)
{
	const struct hold *h;
	uint64_t before = 0;
	assert_int_equal(o->nholds, list_count(&o->holds));
	LIST_EACH (h, &o->holds, by_obj) {
		assert_true(h->obj == o && h->count > 0 && h->unsure <= h->count);
		assert_true(h->token < core.next_token);
		assert_true(h->token > before);
		assert_false(list_linked(&h->dirty));
		assert_true(!h->grant.channel || h->thread);
		before = h->token;
		if (!h->thread)
			continue;
		assert_false(h->thread->owner->dying);
		assert_true(h->thread->owner->saved && owner_by_id(h->thread->owner->i.id) == h->thread->owner);
	}
}

static void check_wants(const struct obj *o)
{
	const struct want *w;
	assert_int_equal(o->nwants, list_count(&o->wants));
	LIST_EACH (w, &o->wants, by_obj) {
		const struct ask *a = w->call;
		assert_true(w->obj == o && a->client && a->parked == w);
		assert_false(w->thread->owner->dying);
		assert_true(!timer_is_set(&w->waiter.timer) || w->waiter.timer.at > core.now);
	}
}

static void check_users(void)
{
	const struct owner *owner;
	const struct thread *t;
	const struct obj *o;
	size_t objs[2] = {0}, wants[2] = {0}, bytes[2] = {0}, holds = 0, held = 0;
	LIST_EACH (o, &core.all_objs, by_all) {
		const struct hold *h;
		objs[o->uid == 1001]++;
		bytes[o->uid == 1001] += o->class == &queue_class ? ((const struct queue *)o)->all_bytes : 0;
		LIST_EACH (h, &o->holds, by_obj)
			holds += h->thread != NULL;
	}
	LIST_EACH (owner, &core.owners, by_all)
		LIST_EACH (t, &owner->threads, by_owner) {
			held += list_count(&t->has);
			wants[owner->i.uid == 1001] += list_count(&t->wants);
		}
	assert_int_equal(holds, held);
	for (size_t u = 0; u < 2; u++) {
		const size_t *queued = map_get(&core.queued_of, 1000 + u);
		assert_int_equal((uintptr_t)map_get(&core.objs_of, 1000 + u), objs[u]);
		assert_int_equal((uintptr_t)map_get(&core.wants_of, 1000 + u), wants[u]);
		assert_int_equal(queued ? *queued : 0, bytes[u]);
	}
}

/* --- each kind ---------------------------------------------------------------------------------------------------- */

static void check_mutex(const struct mutex *m, const struct obj *o)
{
	check_subject(&m->queue);
	assert_true(o->nholds <= 1 && (m->hold != NULL) == (o->nholds == 1));
	if (m->hold)
		assert_true(&m->hold->by_obj == o->holds.next && (m->i.reentrant || m->hold->count == 1));
	assert_true(m->hold || !subject_waited(&m->queue));
	if (m->hold && m->hold->thread && m->i.reentrant && subject_waited(&m->queue))
		assert_true(first_waiter(&m->queue)->thread != m->hold->thread);
	assert_true(m->i.strict || m->i.state == MUTEX_GOOD);
}

static void check_lock(const struct obj *o) { check_mutex(obj_mutex(o), o); }

static void check_sem(const struct obj *o)
{
	const struct sem *s = (const struct sem *)o;
	const struct hold *h;
	int64_t held = 0;
	LIST_EACH (h, &o->holds, by_obj)
		held += h->count;
	check_subject(&s->queue);
	assert_int_equal(held, s->held);
	assert_true(held <= s->i.initial && (!s->i.unowned || held == 0));
	assert_true(!s->i.bounded || sem_value(s) <= s->i.initial);
	assert_true(s->i.unowned || sem_value(s) + held == s->i.initial);
	const struct want *w = first_waiter(&s->queue);
	if (w)
		assert_true(((const struct sem_want *)w)->n > sem_value(s));
}

static void check_event(const struct obj *o)
{
	const struct event *e = (const struct event *)o;
	check_subject(&e->waiters);
	assert_false(e->i.set && subject_waited(&e->waiters));
	assert_true(e->i.ephemeral ? e->i.set == (o->nholds > 0) : o->nholds == 0);
}

static void check_cond(const struct obj *o)
{
	const struct cond *c = (const struct cond *)o;
	const struct want *w;
	struct mutex *m = NULL;
	struct fault f;
	check_subject(&c->waiting);
	check_mutex(&c->own, o);
	if (cond_mutex((struct cond *)(uintptr_t)o, &m, &f))
		assert_int_equal(o->nwants, 0);
	LIST_EACH (w, &o->wants, by_obj)
		if (w->ops == &cond_wait_ops) {
			const struct cond_want *cw = (const struct cond_want *)w;
			assert_true(cw->lock.mutex == m && (cw->locking || !cw->notified));
			assert_true(!cw->locking || !timer_is_set(&w->waiter.timer));
		}
}

static void check_barrier(const struct obj *o)
{
	const struct barrier *b = (const struct barrier *)o;
	const struct want *w;
	check_subject(&b->queue);
	check_subject(&b->lasts);
	assert_true(!b->i.broken.cause || (o->nwants == 0 && b->i.drawn == 0 && !b->action));
	assert_int_equal(b->i.drawn, o->nwants + (b->action != NULL));
	LIST_EACH (w, &o->wants, by_obj) {
		const struct barrier_want *bw = (const struct barrier_want *)w;
		assert_true(!bw->broken.cause && bw->generation >= b->i.generation);
		assert_true(bw->generation > b->i.generation || bw->index + 1 < b->i.parties || b->action);
	}
	assert_true(b->action || b->i.drawn < b->i.parties);
}

static bool item_before(const struct queue *q, const struct item *a, const struct item *b)
{
	return a->priority != b->priority ? a->priority < b->priority : q->i.lifo ? a->id > b->id : a->id < b->id;
}

static void check_ready(const struct queue *q)
{
	const struct item *item;
	size_t n = 0, bytes = 0;
	uint64_t before = 0;
	LIST_EACH (item, &q->ready, by_queue) {
		assert_true(item->id > before && !item->claim && item->saved && item->queue == q);
		before = item->id;
		bytes += item->payload->n;
		n++;
	}
	for (size_t i = 0; q->i.priority && i < q->nready; i++, n++) {
		assert_true(q->heap[i]->place == i + 1 && !q->heap[i]->claim && q->heap[i]->saved);
		assert_true(i == 0 || item_before(q, q->heap[(i + 1) / 2 - 1], q->heap[i]));
		bytes += q->heap[i]->payload->n;
	}
	assert_true(n == q->nready && bytes == q->bytes);
}

static void check_queue(const struct obj *o)
{
	const struct queue *q = (const struct queue *)o;
	const struct put_want *pw = (const struct put_want *)first_waiter(&q->putters);
	const struct claim *c;
	const struct want *w;
	size_t n = 0, bytes = items_cost(q->nready, q->bytes), manual = 0;
	check_subject(&q->getters);
	check_subject(&q->putters);
	check_subject(&q->joiners);
	check_ready(q);
	LIST_EACH (c, &q->claimed, by_queue) {
		assert_true(c->item->claim == c && c->item->queue == q && c->item->saved && c->hold.thread);
		assert_true(!c->manual || map_get(&q->claims, c->hold.token) == c);
		bytes += items_cost(1, c->item->payload->n);
		manual += c->manual;
		n++;
	}
	LIST_EACH (w, &o->wants, by_obj)
		bytes += w->ops == &queue_put_ops ? ((const struct put_want *)w)->charged : 0;
	assert_true(n == q->nclaimed && n == o->nholds && bytes == q->all_bytes && manual == q->claims.count);
	assert_false(subject_waited(&q->getters) && ((q->nready && !q->i.paused) || (q->i.closed && !q->nready)));
	assert_false(subject_waited(&q->joiners) && queue_unfinished(q) == 0);
	assert_true(!pw || (!q->i.closed && ((q->i.maxsize && q->nready + pw->n > (size_t)q->i.maxsize) ||
					     (q->i.max_bytes && q->bytes + pw->bytes > (size_t)q->i.max_bytes))));
}

static bool end_is_dead(const struct pipe *p, unsigned end)
{
	return p->i.closed[end] || (p->i.was_held[end] && !p->ends[end].holds);
}

static void check_end(const struct pipe *p, unsigned end, size_t *holds)
{
	const struct pipe_end *e = &p->ends[end];
	const struct send_want *sw = (const struct send_want *)first_waiter(&e->send);
	const struct message *m;
	const struct hold *h;
	uint64_t before = 0;
	size_t bytes = 0, n = 0;
	check_subject(&e->recv);
	check_subject(&e->send);
	check_subject(&e->polls);
	LIST_EACH (m, &e->messages, by_end) {
		assert_true(m->id > before && !m->got && m->saved && m->end == end);
		before = m->id;
		bytes += m->payload->n;
		n++;
	}
	assert_true(n == e->n && bytes == e->bytes);
	LIST_EACH (m, &e->unsure, by_end)
		assert_true(m->got && m->saved && m->hold.thread);
	n = 0;
	LIST_EACH (h, &p->obj.holds, by_obj)
		n += !h->inside && h->role == end;
	assert_int_equal(n, e->holds);
	*holds += n + list_count(&e->unsure);
	bool over = e->n > 0 || end_is_dead(p, !end) || p->i.closed[end];
	assert_false(over && (subject_waited(&e->recv) || subject_waited(&e->polls)));
	assert_true(!sw || (!end_is_dead(p, end) && !p->i.closed[!end] && e->n > 0 &&
			    (e->n >= PIPE_MESSAGES || e->bytes + sw->payload->n > PIPE_BYTES)));
}

static void check_pipe(const struct obj *o)
{
	size_t holds = 0;
	check_end((const struct pipe *)o, 0, &holds);
	check_end((const struct pipe *)o, 1, &holds);
	assert_int_equal(holds, o->nholds);
}

static void check_value(const struct obj *o)
{
	const struct want *w;
	struct fault f;
	check_mutex(obj_mutex(o), o);
	LIST_EACH (w, &o->wants, by_obj)
		if (w->ops == &value_wait_ops)
			assert_int_equal(w->ops->attempt((struct want *)(uintptr_t)w, &f), STEP_WAIT);
}

static void check_obj(const struct obj *o)
{
	static void (*const checks[KIND_COUNT])(const struct obj *) = {
		[KIND_LOCK] = check_lock,   [KIND_RLOCK] = check_lock,     [KIND_SEMAPHORE] = check_sem,
		[KIND_EVENT] = check_event, [KIND_CONDITION] = check_cond, [KIND_BARRIER] = check_barrier,
		[KIND_QUEUE] = check_queue, [KIND_PIPE] = check_pipe,      [KIND_VALUE] = check_value,
		[KIND_ARRAY] = check_value,
	};
	assert_false(o->deleted);
	assert_true(obj_by_id(o->id) == o && o->id < core.next_obj);
	assert_false(list_linked(&o->dirty));
	check_holds(o);
	check_wants(o);
	if (checks[o->class->kind])
		checks[o->class->kind](o);
	if (o->ttl_idle && !o->nholds && !o->nwants && !(o->class->busy && o->class->busy(o)))
		assert_true(timer_is_set(&o->idle));
	else
		assert_false(timer_is_set(&o->idle));
}

/* --- things ------------------------------------------------------------------------------------------------------- */

static void thing_see(const struct payload *p)
{
	struct thing *t = thing_find(thing_number(payload_span(p)));
	if (!t)
		return;
	assert_false(t->seen);
	t->seen = true;
}

static void check_things(void)
{
	const struct obj *o;
	for (size_t i = 0; i < nthings; i++)
		things[i].seen = false;
	LIST_EACH (o, &core.all_objs, by_all)
		things_of(o, thing_see);
	for (size_t i = 0; i < nthings;) {
		struct thing *t = &things[i];
		assert_true(!t->in || t->seen || t->settled || t->may_go); /* else it is lost */
		if (t->in && !t->seen && (t->settled || t->may_go))
			*t = things[--nthings];
		else
			i++;
	}
}

MAYBE void check_all(void)
{
	const struct obj *o;
	assert_true(list_empty(&core.ready) && list_empty(&core.dead_objs) && list_empty(&core.dirty_parts));
	LIST_EACH (o, &core.all_objs, by_all)
		check_obj(o);
	check_users();
	check_things();
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

/* Everything, as a compaction writes it: sorted, for some orders are nobody's. */
struct image {
	struct objworld_record *v;
	size_t n;
};

static int record_order(const void *a, const void *b)
{
	const struct objworld_record *x = a, *y = b;
	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	int order = memcmp(x->body.p, y->body.p, MIN(x->body.n, y->body.n));
	return order ? order : (x->body.n > y->body.n) - (x->body.n < y->body.n);
}

/* The next numbers of a queue and of a pipe are those that their items say; who went in the turn in which it came has
 * left none. */
static void forget_next(struct objworld_record *r)
{
	struct obj_image i;
	if (r->type != JOURNAL_OBJECT)
		return;
	memcpy(&i, r->body.p, sizeof(i));
	if (i.kind == KIND_QUEUE || i.kind == KIND_PIPE)
		memset((char *)(uintptr_t)r->body.p + sizeof(i) + i.nkey, 0, sizeof(uint64_t));
}

/* Of objects and owners. Without the next numbers, of which the journal may know fewer: those that nobody has heard of.
 */
static struct image image_take(void)
{
	struct image image;
	const __typeof__(objworld) before = objworld;
	objworld.v = NULL;
	objworld.n = objworld.room = 0;
	core_save_all();
	image = (struct image){objworld.v, 0};
	for (size_t i = 0; i < objworld.n; i++)
		if (objworld.v[i].type == JOURNAL_TOKENS || objworld.v[i].type < JOURNAL_OWNER)
			free((char *)objworld.v[i].body.p);
		else
			image.v[image.n++] = objworld.v[i];
	objworld = before;
	for (size_t i = 0; i < image.n; i++)
		forget_next(&image.v[i]);
	qsort(image.v, image.n, sizeof(*image.v), record_order);
	return image;
}

static void image_free(struct image *image)
{
	while (image->n)
		free((char *)image->v[--image->n].body.p);
	free(image->v);
}

static void image_compare(const struct image *a, const struct image *b)
{
	for (size_t i = 0; i < MIN(a->n, b->n); i++)
		if (record_order(&a->v[i], &b->v[i]))
			fail_msg("record %zu differs: types %d and %d, %zu and %zu bytes", i, (int)a->v[i].type,
				 (int)b->v[i].type, a->v[i].body.n, b->v[i].body.n);
	assert_int_equal(a->n, b->n);
}

/* A second core replays the journal, as far as nothing is done about it yet, and has what the first one has. */
MAYBE void check_replay(void)
{
	struct image here = image_take(), there;
	const struct core live = core;
	core_init(&objworld_ops, live.now);
	for (size_t i = 0; i < objworld.n; i++)
		if (core_load(objworld.v[i].type, objworld.v[i].body))
			fail_msg("record %zu of type %d is refused", i, (int)objworld.v[i].type);
	assert_true(core.next_token >= live.next_token || live.next_token == live.token_ceiling ||
		    core.next_token > steps.committed_tokens);
	core.replayed = true;
	there = image_take();
	core.replayed = false;
	core_done();
	core = live;
	image_compare(&here, &there);
	image_free(&here);
	image_free(&there);
}

#endif
