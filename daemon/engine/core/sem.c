/* SPDX-License-Identifier: MIT */
/* The semaphores of sem.h. */
#include "daemon/engine/core/sem.h"
#include "daemon/engine/core/core.h"

static struct sem *sem_of(const struct obj *o) { return (struct sem *)(uintptr_t)o; }
static struct sem_want *want_of(const struct want *w) { return (struct sem_want *)(uintptr_t)w; }

int64_t sem_value(const struct sem *s)
{
	return s->i.unowned ? (int64_t)s->i.number : MAX((int64_t)s->i.initial - s->held, 0);
}

void sem_shape(struct sem *s, uint32_t initial, bool bounded, bool unowned)
{
	s->i = (struct sem_image){
		.initial = initial, .number = unowned ? initial : 0, .bounded = bounded, .unowned = unowned};
	obj_dirty(&s->obj);
}

static void number_set(struct sem *s, uint32_t number)
{
	s->i.number = number;
	obj_dirty(&s->obj);
	subject_touch(&s->queue);
}

/* --- taking ----------------------------------------------------------------------------------------------------- */

int sem_check(const struct sem *s, uint32_t n, struct fault *f)
{
	if (n <= s->i.initial || (s->i.unowned && !s->i.bounded))
		return 0;
	return fault_set(f, FAULT_RANGE, "semaphore %s never has more than %u permits", obj_said(&s->obj),
			 s->i.initial);
}

/* An unowned acquisition whose answer may not have been read. It knows its semaphore by id, for that may go first. */
struct loan {
	struct grant grant;
	uint64_t sem;
	uint32_t n;
};

static void loan_confirm(struct grant *g) { free(CONTAINER_OF(g, struct loan, grant)); }

static void loan_undo(struct grant *g, bool certain)
{
	struct loan *loan = CONTAINER_OF(g, struct loan, grant);
	struct obj *o = obj_by_id(loan->sem);
	struct sem *s = o ? sem_of(o) : NULL;
	(void)certain;
	if (s)
		number_set(s, (uint32_t)MIN((uint64_t)s->i.number + loan->n, s->i.bounded ? s->i.initial : SEM_MAX));
	free(loan);
}

static const struct grant_ops loan_ops = {loan_undo, loan_confirm};

static bool lend(struct sem *s, const struct sem_want *sw)
{
	if (!sw->want.unanswered && sw->want.channel) {
		struct loan *loan = malloc(sizeof(*loan));
		if (!loan)
			return false;
		*loan = (struct loan){.grant.ops = &loan_ops, .sem = s->obj.id, .n = sw->n};
		channel_grant(sw->want.channel, &loan->grant);
	}
	number_set(s, s->i.number - sw->n);
	return true;
}

static enum step sem_attempt(struct want *w, struct fault *f)
{
	struct sem *s = sem_of(w->obj);
	struct sem_want *sw = want_of(w);
	if (sem_value(s) < sw->n)
		return STEP_WAIT;
	if (!s->i.unowned) {
		struct hold *h = hold_new(w->obj, w->thread, sw->n);
		hold_grant(h, w, sw->n);
		s->held += sw->n;
		sw->token = h->token;
	} else if (!lend(s, sw)) {
		fault_set(f, FAULT_OVERLOADED, "out of memory");
		return STEP_FAIL;
	}
	sw->value = sem_value(s);
	return STEP_DONE;
}

static struct subject *sem_subject(const struct want *w) { return &sem_of(w->obj)->queue; }

/* Anybody may release an unowned one. */
static void sem_holders(const struct want *w, struct holders *ret)
{
	const struct hold *h;
	ret->open = sem_of(w->obj)->i.unowned;
	if (ret->open)
		return;
	LIST_EACH (h, &w->obj->holds, by_obj)
		if (!holders_add(ret, h->thread))
			return;
}

const struct want_ops sem_acquire_ops = {
	.size = sizeof(struct sem_want),
	.what = "acquire",
	.attempt = sem_attempt,
	.subject = sem_subject,
	.holders = sem_holders,
};

/* --- returning -------------------------------------------------------------------------------------------------- */

static void hold_return(struct hold *h, uint32_t n)
{
	struct sem *s = sem_of(h->obj);
	s->held -= n;
	subject_touch(&s->queue);
	if (n == h->count) {
		hold_end(h);
		return;
	}
	h->count -= n;
	h->unsure = MIN(h->unsure, h->count);
	hold_dirty(h);
}

/* What T has of S, counted up to ENOUGH. */
static uint64_t count_of(const struct sem *s, const struct thread *t, uint64_t enough)
{
	uint64_t n = 0;
	for (const struct list *l = t->has.prev; l != &t->has && n < enough; l = l->prev) {
		const struct hold *h = LIST_ENTRY(l, struct hold, by_thread);
		if (h->obj == &s->obj)
			n += h->count;
	}
	return n;
}

static uint64_t count_of_owner(const struct sem *s, const struct owner *o, uint64_t enough)
{
	const struct thread *t;
	uint64_t n = 0;
	LIST_EACH (t, &o->threads, by_owner)
		if (n < enough)
			n += count_of(s, t, enough - n);
	return n;
}

/* At most N, of T's newest. Returns how many. */
static uint32_t return_of(struct sem *s, const struct thread *t, uint32_t n)
{
	uint32_t left = n;
	for (struct list *l = t->has.prev, *prev; l != &t->has && left; l = prev) {
		struct hold *h = LIST_ENTRY(l, struct hold, by_thread);
		prev = l->prev;
		if (h->obj != &s->obj)
			continue;
		uint32_t part = MIN(left, h->count);
		left -= part;
		hold_return(h, part);
	}
	return n - left;
}

static int over_release(const struct sem *s, struct fault *f)
{
	return fault_set(f, FAULT_OVER_RELEASE, "semaphore %s: released more often than acquired", obj_said(&s->obj));
}

static int release_number(struct sem *s, uint32_t n, struct fault *f)
{
	if (s->i.bounded && (uint64_t)s->i.number + n > s->i.initial)
		return over_release(s, f);
	if ((uint64_t)s->i.number + n > SEM_MAX)
		return fault_set(f, FAULT_RANGE, "semaphore %s: more than %d permits", obj_said(&s->obj), SEM_MAX);
	number_set(s, s->i.number + n);
	return 0;
}

static int not_held(const struct sem *s, uint64_t held, struct fault *f)
{
	fault_set(f, FAULT_NOT_HELD, "semaphore %s: of its permits you hold %llu", obj_said(&s->obj),
		  (unsigned long long)held);
	return fault_data(f, "\"held\":%llu", (unsigned long long)held);
}

static int release_token(struct sem *s, const struct sem_release *r, struct fault *f)
{
	struct hold *h;
	LIST_EACH (h, &s->obj.holds, by_obj) {
		if (h->token != r->token)
			continue;
		if (r->n > h->count)
			return s->i.bounded ? over_release(s, f) : not_held(s, h->count, f);
		hold_return(h, r->n);
		return 0;
	}
	return fault_set(f, FAULT_STALE_TOKEN, "semaphore %s: the token is out of date", obj_said(&s->obj));
}

static int release_owned(struct sem *s, const struct sem_release *r, struct fault *f)
{
	struct owner *o = r->thread->owner;
	struct thread *t;
	uint64_t held = count_of_owner(s, o, r->n);
	if (held < r->n)
		return s->i.bounded && s->held < r->n ? over_release(s, f) : not_held(s, held, f);
	uint32_t left = r->n - return_of(s, r->thread, r->n);
	LIST_EACH (t, &o->threads, by_owner)
		left -= return_of(s, t, left);
	return 0;
}

int sem_release(struct sem *s, const struct sem_release *r, struct fault *f)
{
	if (r->has_token)
		return release_token(s, r, f);
	return s->i.unowned ? release_number(s, r->n, f) : release_owned(s, r, f);
}

/* --- the class -------------------------------------------------------------------------------------------------- */

static void sem_init(struct obj *o)
{
	struct sem *s = sem_of(o);
	s->i.initial = 1;
	subject_init(&s->queue);
	s->queue.fifo = true;
}

static void sem_done(struct obj *o) { subject_done(&sem_of(o)->queue); }

static void sem_revoke(struct hold *h, const struct death *how)
{
	(void)how;
	hold_return(h, h->count);
}

static void sem_undo(struct hold *h, bool certain)
{
	(void)certain;
	hold_return(h, h->count);
}

static void sem_save(const struct obj *o, struct buf *b) { buf_put(b, &sem_of(o)->i, sizeof(struct sem_image)); }

static int sem_load(struct obj *o, struct span image)
{
	struct sem_image i;
	if (image.n != sizeof(i))
		return -1;
	memcpy(&i, image.p, sizeof(i));
	if (i.initial > SEM_MAX || i.number > SEM_MAX)
		return -1;
	sem_of(o)->i = i;
	return 0;
}

/* Counted when all have come back: until then a hold's count can change. */
static void sem_load_hold(struct hold *h) { (void)h; }

static void sem_synced(struct obj *o)
{
	const struct hold *h;
	sem_of(o)->held = 0;
	LIST_EACH (h, &o->holds, by_obj)
		sem_of(o)->held += h->count;
}

static void sem_describe(const struct obj *o, struct buf *b)
{
	const struct sem *s = sem_of(o);
	buf_printf(b, "\"value\":%lld,\"initial\":%u,\"bounded\":%s,\"unowned\":%s", (long long)sem_value(s),
		   s->i.initial, s->i.bounded ? "true" : "false", s->i.unowned ? "true" : "false");
}

static void sem_summary(const struct obj *o, struct buf *b)
{
	const struct sem *s = sem_of(o);
	buf_printf(b, "%lld", (long long)sem_value(s));
	if (!s->i.unowned || s->i.bounded)
		buf_printf(b, " of %u", s->i.initial);
	buf_puts(b, " free");
}

const struct class sem_class = {
	.kind = KIND_SEMAPHORE,
	.name = "semaphore",
	.size = sizeof(struct sem),
	.init = sem_init,
	.done = sem_done,
	.revoke = sem_revoke,
	.undo = sem_undo,
	.save = sem_save,
	.load = sem_load,
	.load_hold = sem_load_hold,
	.drop_hold = sem_load_hold,
	.synced = sem_synced,
	.describe = sem_describe,
	.summary = sem_summary,
};
