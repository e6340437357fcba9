/* SPDX-License-Identifier: MIT */
/* The conditions of cond.h. */
#include "daemon/engine/core/cond.h"
#include "common/scan.h"
#include "daemon/engine/core/core.h"

static struct cond *cond_of(const struct obj *o) { return (struct cond *)(uintptr_t)o; }
static struct cond_want *want_of(const struct want *w) { return (struct cond_want *)(uintptr_t)w; }

/* --- the lock --------------------------------------------------------------------------------------------------- */

static void lock_removed(struct mutex_user *user, const struct fault *f)
{
	struct cond *c = CONTAINER_OF(user, struct cond, user);
	while (!list_empty(&c->obj.wants))
		want_fail(LIST_ENTRY(c->obj.wants.next, struct want, by_obj), f);
}

/* The lock it goes with; NULL: its own, or one that is no longer there. */
static struct obj *other_lock(const struct cond *c)
{
	struct obj *o = c->lock ? obj_by_id(c->lock) : NULL;
	return o && (o->class == &lock_class || o->class == &rlock_class) ? o : NULL;
}

static void cond_join(struct cond *c)
{
	struct obj *lock = other_lock(c);
	list_del(&c->user.by_mutex);
	if (lock)
		list_push(&obj_mutex(lock)->users, &c->user.by_mutex);
}

void cond_shape(struct cond *c, struct obj *lock)
{
	c->lock = lock ? lock->id : 0;
	cond_join(c);
	obj_dirty(&c->obj);
}

int cond_mutex(struct cond *c, struct mutex **ret, struct fault *f)
{
	struct obj *lock = other_lock(c);
	if (c->lock && !lock)
		return fault_set(f, FAULT_DELETED, "condition %s: its lock was removed", obj_said(&c->obj));
	*ret = lock ? obj_mutex(lock) : &c->own;
	return 0;
}

static int check_holds(const struct cond *c, const struct mutex *m, const struct thread *t, struct fault *f)
{
	AUTO_BUF owner = BUF_INIT;
	if (mutex_held_by(m, t))
		return 0;
	fault_set(f, FAULT_NOT_OWNER, "condition %s: you do not hold its lock", obj_said(&c->obj));
	if (!m->hold || !m->hold->thread)
		return f->code;
	who_put(&owner, m->hold->thread);
	return fault_data(f, "\"owner\":%s", buf_str(&owner));
}

/* --- notifying -------------------------------------------------------------------------------------------------- */

static void wait_lock(struct cond_want *cw, bool notified)
{
	cw->locking = true;
	cw->notified = notified;
	want_timeless(&cw->lock.want);
	want_move(&cw->lock.want);
}

static size_t notify(struct cond *c, size_t n)
{
	size_t woken = 0;
	for (; woken < n && subject_waited(&c->waiting); woken++) {
		struct waiter *first = LIST_ENTRY(c->waiting.waiters.next, struct wait_link, by_subject)->waiter;
		wait_lock(want_of(CONTAINER_OF(first, struct want, waiter)), true);
	}
	return woken;
}

int cond_notify(struct cond *c, const struct thread *t, size_t n, size_t *ret, struct fault *f)
{
	struct mutex *m;
	int code = cond_mutex(c, &m, f);
	if (!code)
		code = check_holds(c, m, t, f);
	if (!code)
		*ret = notify(c, n);
	return code;
}

/* A notify whose receiver may not have read of it. It knows its condition by id, for that may go first. */
struct echo {
	struct grant grant;
	uint64_t cond;
};

static void echo_confirm(struct grant *g) { free(CONTAINER_OF(g, struct echo, grant)); }

static void echo_undo(struct grant *g, bool certain)
{
	struct obj *o = obj_by_id(CONTAINER_OF(g, struct echo, grant)->cond);
	(void)certain;
	if (o)
		notify(cond_of(o), 1);
	echo_confirm(g);
}

static void echo_begin(const struct cond *c, const struct want *w)
{
	static const struct grant_ops ops = {echo_undo, echo_confirm};
	struct echo *echo = w->unanswered || !w->channel ? NULL : malloc(sizeof(*echo));
	if (!echo)
		return;
	*echo = (struct echo){.grant.ops = &ops, .cond = c->obj.id};
	channel_grant(w->channel, &echo->grant);
}

/* --- how deep a lock was held, for the engine after this one ---------------------------------------------------- */

struct depth_image { /* followed by the tag */
	int32_t pid;
	uint32_t count; /* 0: it waits no more */
	uint8_t session[16];
	uint8_t kind; /* enum owner_kind */
	uint8_t pad[7];
};

struct depth {
	struct list by_cond;
	struct depth_image i;
	size_t ntag;
	char tag[OWNER_TAG_MAX];
};

static void depth_put(struct cond *c, const struct thread *t, uint32_t count)
{
	const struct owner_image *o = &t->owner->i;
	struct depth_image i = {.pid = o->pid, .count = count, .kind = o->kind};
	memcpy(i.session, o->session, sizeof(i.session));
	obj_part(&c->obj, &i, sizeof(i), (struct span){t->tag, t->ntag});
}

static struct depth *depth_find(const struct cond *c, const struct depth_image *i, struct span tag)
{
	struct depth *d;
	LIST_EACH (d, &c->depths, by_cond)
		if (d->i.pid == i->pid && d->i.kind == i->kind &&
		    !memcmp(d->i.session, i->session, sizeof(i->session)) &&
		    span_eq((struct span){d->tag, d->ntag}, tag))
			return d;
	return NULL;
}

static void depth_drop(struct depth *d)
{
	list_del(&d->by_cond);
	free(d);
}

/* How often T held the lock when it began to wait, under an engine before this one. */
static uint32_t depth_take(struct cond *c, const struct thread *t)
{
	const struct owner_image *o = &t->owner->i;
	struct depth_image i = {.pid = o->pid, .kind = o->kind};
	memcpy(i.session, o->session, sizeof(i.session));
	struct depth *d = depth_find(c, &i, (struct span){t->tag, t->ntag});
	uint32_t count = d ? d->i.count : 1;
	if (d)
		depth_drop(d);
	return count;
}

static int cond_load_part(struct obj *o, struct span body)
{
	struct cond *c = cond_of(o);
	struct depth_image i;
	if (body.n < sizeof(i) || body.n > sizeof(i) + OWNER_TAG_MAX)
		return -1;
	memcpy(&i, body.p, sizeof(i));
	struct span tag = {body.p + sizeof(i), body.n - sizeof(i)};
	struct depth *d = depth_find(c, &i, tag);
	if (d)
		depth_drop(d);
	if (i.count == 0)
		return 0;
	if (!(d = malloc(sizeof(*d))))
		return -1;
	d->i = i;
	d->ntag = tag.n;
	memcpy(d->tag, tag.p, tag.n);
	list_init(&d->by_cond);
	list_push(&c->depths, &d->by_cond);
	return 0;
}

static void cond_save_parts(struct obj *o)
{
	struct cond *c = cond_of(o);
	const struct depth *d;
	const struct want *w;
	LIST_EACH (d, &c->depths, by_cond)
		obj_part(o, &d->i, sizeof(d->i), (struct span){d->tag, d->ntag});
	LIST_EACH (w, &o->wants, by_obj)
		if (w->ops == &cond_wait_ops && want_of(w)->lock.count > 1)
			depth_put(c, w->thread, want_of(w)->lock.count);
}

/* --- waiting ---------------------------------------------------------------------------------------------------- */

static enum step wait_enter(struct want *w, struct fault *f)
{
	struct cond_want *cw = want_of(w);
	struct cond *c = cond_of(w->obj);
	cw->locking = cw->notified = cw->again;
	cw->lock.count = cw->again ? depth_take(c, w->thread) : 1;
	if (cw->again) {
		w->timeout = NSEC_NEVER; /* what is left to wait for is its lock */
		return STEP_WAIT;
	}
	if (check_holds(c, cw->lock.mutex, w->thread, f))
		return STEP_FAIL;
	cw->lock.count = mutex_let_go(cw->lock.mutex);
	if (cw->lock.count > 1)
		depth_put(c, w->thread, cw->lock.count);
	return STEP_WAIT;
}

static void wait_done(struct want *w)
{
	if (want_of(w)->lock.count > 1 && !w->obj->deleted)
		depth_put(cond_of(w->obj), w->thread, 0);
}

static bool wait_overtakes(const struct want *w) { return want_of(w)->locking && mutex_overtakes(w); }

static enum step wait_attempt(struct want *w, struct fault *f)
{
	enum step step = want_of(w)->locking ? mutex_attempt(w, f) : STEP_WAIT;
	if (step == STEP_DONE && want_of(w)->notified)
		echo_begin(cond_of(w->obj), w);
	return step;
}

static enum step wait_expire(struct want *w, struct fault *f)
{
	(void)f;
	want_of(w)->locking = true;
	return STEP_WAIT;
}

static enum step wait_cancel(struct want *w)
{
	struct cond_want *cw = want_of(w);
	if (cw->notified)
		notify(cond_of(w->obj), 1);
	if (cw->locking)
		cw->notified = false;
	else
		wait_lock(cw, false);
	return STEP_WAIT;
}

/* One that could not even begin to wait has its lock again: nobody was let in since. */
static void wait_abandon(struct want *w)
{
	struct cond_want *cw = want_of(w);
	struct fault f;
	if (!w->by_thread.next)
		mutex_attempt(w, &f);
	else if (cw->notified)
		notify(cond_of(w->obj), 1);
}

static struct subject *wait_subject(const struct want *w)
{
	return want_of(w)->locking ? mutex_subject(w) : &cond_of(w->obj)->waiting;
}

static void wait_holders(const struct want *w, struct holders *ret)
{
	ret->open = !want_of(w)->locking;
	if (!ret->open)
		mutex_holders(w, ret);
}

const struct want_ops cond_wait_ops = {
	.size = sizeof(struct cond_want),
	.what = "wait",
	.enter = wait_enter,
	.overtakes = wait_overtakes,
	.attempt = wait_attempt,
	.expire = wait_expire,
	.abandon = wait_abandon,
	.done = wait_done,
	.cancel = wait_cancel,
	.subject = wait_subject,
	.holders = wait_holders,
};

/* --- the class -------------------------------------------------------------------------------------------------- */

static void cond_init(struct obj *o)
{
	struct cond *c = cond_of(o);
	mutex_init(&c->own, o, true);
	subject_init(&c->waiting);
	c->waiting.fifo = true;
	c->user.removed = lock_removed;
	list_init(&c->user.by_mutex);
	list_init(&c->depths);
}

static void cond_done(struct obj *o)
{
	mutex_done(&cond_of(o)->own);
	subject_done(&cond_of(o)->waiting);
	list_del(&cond_of(o)->user.by_mutex);
	while (!list_empty(&cond_of(o)->depths))
		depth_drop(LIST_ENTRY(cond_of(o)->depths.next, struct depth, by_cond));
}

static struct mutex *own_mutex(const struct obj *o) { return &cond_of(o)->own; }

static void cond_save(const struct obj *o, struct buf *b)
{
	buf_put(b, &cond_of(o)->lock, sizeof(uint64_t));
	mutex_save(&cond_of(o)->own, b);
}

static int cond_load(struct obj *o, struct span image)
{
	struct cond *c = cond_of(o);
	if (image.n < sizeof(c->lock))
		return -1;
	memcpy(&c->lock, image.p, sizeof(c->lock));
	return mutex_load(&c->own, (struct span){image.p + sizeof(c->lock), image.n - sizeof(c->lock)});
}

static void cond_synced(struct obj *o) { cond_join(cond_of(o)); }

static void cond_describe(const struct obj *o, struct buf *b)
{
	const struct cond *c = cond_of(o);
	const struct obj *lock = other_lock(c);
	buf_printf(b, "\"waiting\":%zu,\"lock\":", list_count(&c->waiting.waiters));
	if (lock)
		scan_put_str(b, span_of(obj_name(lock, o->uid)));
	else
		buf_puts(b, "null");
	if (c->lock)
		return;
	buf_putc(b, ',');
	mutex_describe(&c->own, b);
}

static void cond_summary(const struct obj *o, struct buf *b)
{
	const struct cond *c = cond_of(o);
	const struct obj *lock = other_lock(c);
	buf_printf(b, "%zu wait, ", list_count(&c->waiting.waiters));
	if (lock)
		buf_printf(b, "%s %s", lock->class->name, obj_name(lock, o->uid));
	else if (c->lock)
		buf_puts(b, "its lock was removed");
	else
		mutex_summary(&c->own, b);
}

const struct class cond_class = {
	.kind = KIND_CONDITION,
	.name = "condition",
	.size = sizeof(struct cond),
	.init = cond_init,
	.done = cond_done,
	MUTEX_HOLDS,
	.mutex = own_mutex,
	.save = cond_save,
	.load = cond_load,
	.save_parts = cond_save_parts,
	.load_part = cond_load_part,
	.synced = cond_synced,
	.describe = cond_describe,
	.summary = cond_summary,
};
