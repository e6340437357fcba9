/* SPDX-License-Identifier: MIT */
/* The events of event.h. */
#include "daemon/engine/core/event.h"
#include "daemon/engine/core/core.h"

static struct event *event_of(const struct obj *o) { return (struct event *)(uintptr_t)o; }
static struct event_want *want_of(const struct want *w) { return (struct event_want *)(uintptr_t)w; }

void event_set(struct event *e, struct thread *t)
{
	e->sets++;
	if (e->i.ephemeral && !hold_find(&e->obj, t))
		hold_new(&e->obj, t, 1);
	if (!e->i.set)
		obj_dirty(&e->obj);
	e->i.set = 1;
	subject_touch(&e->waiters);
}

void event_clear(struct event *e)
{
	while (!list_empty(&e->obj.holds))
		hold_end(LIST_ENTRY(e->obj.holds.next, struct hold, by_obj));
	if (e->i.set)
		obj_dirty(&e->obj);
	e->i.set = 0;
}

/* --- waiting ---------------------------------------------------------------------------------------------------- */

static enum step wait_enter(struct want *w, struct fault *f)
{
	(void)f;
	want_of(w)->sets = event_of(w->obj)->sets;
	return STEP_WAIT;
}

/* Nobody takes anything from anybody here. */
static bool wait_overtakes(const struct want *w)
{
	(void)w;
	return true;
}

static enum step wait_attempt(struct want *w, struct fault *f)
{
	const struct event *e = event_of(w->obj);
	(void)f;
	want_of(w)->set = e->i.set || e->sets != want_of(w)->sets;
	return want_of(w)->set ? STEP_DONE : STEP_WAIT;
}

/* It may have been set in the turn in which the time was over. */
static enum step wait_expire(struct want *w, struct fault *f)
{
	wait_attempt(w, f);
	return STEP_DONE;
}

static struct subject *wait_subject(const struct want *w) { return &event_of(w->obj)->waiters; }

const struct want_ops event_wait_ops = {
	.size = sizeof(struct event_want),
	.what = "wait",
	.enter = wait_enter,
	.overtakes = wait_overtakes,
	.attempt = wait_attempt,
	.expire = wait_expire,
	.subject = wait_subject,
};

/* --- the class -------------------------------------------------------------------------------------------------- */

static void event_init(struct obj *o) { subject_init(&event_of(o)->waiters); }
static void event_done(struct obj *o) { subject_done(&event_of(o)->waiters); }

static void event_revoke(struct hold *h, const struct death *how)
{
	struct event *e = event_of(h->obj);
	(void)how;
	hold_end(h);
	if (e->obj.nholds == 0)
		event_clear(e);
}

static void event_save(const struct obj *o, struct buf *b) { buf_put(b, &event_of(o)->i, sizeof(struct event_image)); }

static int event_load(struct obj *o, struct span image)
{
	if (image.n != sizeof(struct event_image))
		return -1;
	memcpy(&event_of(o)->i, image.p, sizeof(struct event_image));
	return 0;
}

static void event_load_hold(struct hold *h) { (void)h; }

static void event_synced(struct obj *o)
{
	if (event_of(o)->i.ephemeral && o->nholds == 0)
		event_clear(event_of(o));
}

static void event_describe(const struct obj *o, struct buf *b)
{
	const struct event *e = event_of(o);
	buf_printf(b, "\"set\":%s,\"ephemeral\":%s", e->i.set ? "true" : "false", e->i.ephemeral ? "true" : "false");
}

static void event_summary(const struct obj *o, struct buf *b) { buf_puts(b, event_of(o)->i.set ? "set" : "not set"); }

const struct class event_class = {
	.kind = KIND_EVENT,
	.name = "event",
	.size = sizeof(struct event),
	.init = event_init,
	.done = event_done,
	.revoke = event_revoke,
	.save = event_save,
	.load = event_load,
	.load_hold = event_load_hold,
	.drop_hold = event_load_hold,
	.synced = event_synced,
	.describe = event_describe,
	.summary = event_summary,
};
