/* SPDX-License-Identifier: MIT */
/* The barriers of barrier.h. */
#include "daemon/engine/core/barrier.h"
#include "daemon/engine/core/core.h"

enum role { ROLE_PARTY = 1, ROLE_ACTION };

static struct barrier *barrier_of(const struct obj *o) { return (struct barrier *)(uintptr_t)o; }
static struct barrier_want *want_of(const struct want *w) { return (struct barrier_want *)(uintptr_t)w; }

void barrier_shape(struct barrier *b, uint32_t parties, bool action, nsec_t timeout)
{
	b->i.parties = parties;
	b->i.action = action;
	b->i.timeout = timeout;
	obj_dirty(&b->obj);
}

static void touch(struct barrier *b)
{
	obj_dirty(&b->obj);
	subject_touch(&b->queue);
	subject_touch(&b->lasts);
}

/* --- how it broke ----------------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *said; /* %s: who */
} causes[CAUSE_COUNT] = {
	[CAUSE_TIMEOUT] = {"timeout", "%s waited no longer"},
	[CAUSE_ABORT] = {"abort", "it was aborted"},
	[CAUSE_RESET] = {"reset", "it was reset"},
	[CAUSE_DEATH] = {"death", "%s died or hung up"},
	[CAUSE_ACTION] = {"action", "the action of %s failed"},
	[CAUSE_CANCEL] = {"cancel", "%s cancelled its wait"},
	[CAUSE_ENGINE] = {"engine", "mpd's engine began anew while somebody waited"},
};

static void say_who(struct buf *b, const struct death *who)
{
	buf_printf(b, "pid %d", who->pid);
	if (who->process[0])
		buf_printf(b, " (%s)", who->process);
	if (who->tag[0])
		buf_printf(b, ", %s", who->tag);
}

static void say_cause(struct buf *b, const struct barrier_break *how)
{
	const char *said = causes[how->cause].said, *at = strstr(said, "%s");
	if (!at) {
		buf_puts(b, said);
		return;
	}
	buf_put(b, said, (size_t)(at - said));
	say_who(b, &how->who);
	buf_puts(b, at + 2);
}

static void put_cause(struct buf *b, const struct barrier_break *how)
{
	buf_printf(b, "\"cause\":\"%s\"", causes[how->cause].name);
	if (how->who.at == 0)
		return;
	buf_puts(b, ",\"who\":");
	death_put(b, &how->who);
}

static int broken(const struct barrier *b, const struct barrier_break *how, struct fault *f)
{
	AUTO_BUF said = BUF_INIT, data = BUF_INIT;
	say_cause(&said, how);
	put_cause(&data, how);
	fault_set(f, FAULT_BROKEN, "barrier %s is broken: %s", obj_said(&b->obj), buf_str(&said));
	return fault_data(f, "%s", buf_str(&data));
}

/* --- breaking, completing --------------------------------------------------------------------------------------- */

static void action_end(struct barrier *b)
{
	struct hold *h = b->action;
	b->action = NULL;
	if (h)
		hold_end(h);
}

/* For all who have a place; the first cause stays. */
static void barrier_break(struct barrier *b, const struct barrier_break *how)
{
	struct want *w;
	if (b->i.broken.cause)
		return;
	LIST_EACH (w, &b->obj.wants, by_obj)
		if (want_of(w)->generation >= b->i.generation)
			want_of(w)->broken = *how;
	b->i.broken = *how;
	b->i.generation++;
	b->i.drawn = 0;
	action_end(b);
	touch(b);
}

static void break_by(struct barrier *b, enum barrier_cause cause, const struct thread *t)
{
	struct barrier_break how = {.cause = cause};
	if (t)
		thread_death(t, &how.who);
	barrier_break(b, &how);
}

static void complete(struct barrier *b)
{
	b->i.generation++;
	b->i.drawn -= MIN(b->i.drawn, b->i.parties);
	action_end(b);
	touch(b);
}

/* --- waiting ---------------------------------------------------------------------------------------------------- */

static enum step wait_enter(struct want *w, struct fault *f)
{
	static const struct barrier_break engine = {.cause = CAUSE_ENGINE};
	struct barrier *b = barrier_of(w->obj);
	struct barrier_want *bw = want_of(w);
	if (bw->again || b->i.broken.cause) {
		broken(b, bw->again ? &engine : &b->i.broken, f);
		return STEP_FAIL;
	}
	bw->generation = b->i.generation + b->i.drawn / b->i.parties;
	bw->index = (uint32_t)(b->i.drawn % b->i.parties);
	b->i.drawn++;
	obj_dirty(w->obj);
	return STEP_WAIT;
}

static bool is_last(const struct want *w) { return want_of(w)->index + 1 == barrier_of(w->obj)->i.parties; }

static bool wait_overtakes(const struct want *w) { return is_last(w); }

static void action_begin(struct barrier *b, struct want *w)
{
	b->action = hold_new(w->obj, w->thread, 1);
	b->action->role = ROLE_ACTION;
	hold_grant(b->action, w, 1);
	want_of(w)->run_action = true;
}

static enum step wait_attempt(struct want *w, struct fault *f)
{
	struct barrier *b = barrier_of(w->obj);
	struct barrier_want *bw = want_of(w);
	if (bw->broken.cause) {
		broken(b, &bw->broken, f);
		return STEP_FAIL;
	}
	if (bw->generation < b->i.generation)
		return STEP_DONE;
	if (bw->generation > b->i.generation || !is_last(w) || b->action)
		return STEP_WAIT;
	if (b->i.action || bw->action)
		action_begin(b, w);
	else
		complete(b);
	return STEP_DONE;
}

static enum step wait_expire(struct want *w, struct fault *f)
{
	struct barrier *b = barrier_of(w->obj);
	struct barrier_want *bw = want_of(w);
	if (!bw->broken.cause && bw->generation < b->i.generation)
		return STEP_DONE;
	if (!bw->broken.cause) {
		break_by(b, CAUSE_TIMEOUT, w->thread);
		bw->broken = b->i.broken;
	}
	broken(b, &bw->broken, f);
	return STEP_FAIL;
}

static enum step wait_cancel(struct want *w)
{
	want_of(w)->cancelling = true;
	return STEP_DONE;
}

static void wait_abandon(struct want *w)
{
	struct barrier *b = barrier_of(w->obj);
	const struct barrier_want *bw = want_of(w);
	if (!w->obj->deleted && !bw->broken.cause && bw->generation >= b->i.generation)
		break_by(b, bw->cancelling ? CAUSE_CANCEL : CAUSE_DEATH, w->thread);
}

static struct subject *wait_subject(const struct want *w)
{
	struct barrier *b = barrier_of(w->obj);
	return is_last(w) ? &b->lasts : &b->queue;
}

const struct want_ops barrier_wait_ops = {
	.size = sizeof(struct barrier_want),
	.what = "wait",
	.enter = wait_enter,
	.overtakes = wait_overtakes,
	.attempt = wait_attempt,
	.expire = wait_expire,
	.cancel = wait_cancel,
	.abandon = wait_abandon,
	.subject = wait_subject,
};

/* --- the other verbs -------------------------------------------------------------------------------------------- */

static int action_check(const struct barrier *b, const struct thread *t, uint64_t generation, struct fault *f)
{
	if (b->i.broken.cause)
		return broken(b, &b->i.broken, f);
	if (generation < b->i.generation)
		return fault_set(f, FAULT_STALE_TOKEN, "barrier %s: generation %llu is over", obj_said(&b->obj),
				 (unsigned long long)generation);
	if (!b->action || generation > b->i.generation)
		return fault_set(f, FAULT_NOT_HELD, "barrier %s: nobody runs its action", obj_said(&b->obj));
	if (b->action->thread && b->action->thread->owner == t->owner)
		return 0;
	return fault_set(f, FAULT_NOT_OWNER, "barrier %s: another one runs its action", obj_said(&b->obj));
}

int barrier_action_done(struct barrier *b, const struct thread *t, uint64_t generation, bool ok, struct fault *f)
{
	int code = action_check(b, t, generation, f);
	if (code)
		return code;
	if (ok)
		complete(b);
	else
		break_by(b, CAUSE_ACTION, t);
	return 0;
}

static struct hold *party_find(const struct barrier *b, const struct thread *t)
{
	struct hold *h;
	LIST_EACH (h, &b->obj.holds, by_obj)
		if (h->thread == t && h->role == ROLE_PARTY)
			return h;
	return NULL;
}

void barrier_register(struct barrier *b, struct thread *t)
{
	if (!party_find(b, t))
		hold_new(&b->obj, t, 1)->role = ROLE_PARTY;
}

int barrier_unregister(struct barrier *b, const struct thread *t, struct fault *f)
{
	struct hold *h = party_find(b, t);
	if (!h)
		return fault_set(f, FAULT_NOT_HELD, "barrier %s: you are not registered", obj_said(&b->obj));
	hold_end(h);
	return 0;
}

void barrier_reset(struct barrier *b)
{
	if (b->i.drawn > 0)
		break_by(b, CAUSE_RESET, NULL);
	b->i.broken = (struct barrier_break){.cause = CAUSE_NONE};
	obj_dirty(&b->obj);
}

void barrier_abort(struct barrier *b) { break_by(b, CAUSE_ABORT, NULL); }

/* --- the class -------------------------------------------------------------------------------------------------- */

static void barrier_init(struct obj *o)
{
	struct barrier *b = barrier_of(o);
	b->i.parties = 1;
	b->i.timeout = NSEC_NEVER;
	subject_init(&b->queue);
	subject_init(&b->lasts);
	b->queue.fifo = true;
}

static void barrier_done(struct obj *o)
{
	subject_done(&barrier_of(o)->queue);
	subject_done(&barrier_of(o)->lasts);
}

static void barrier_revoke(struct hold *h, const struct death *how)
{
	struct barrier *b = barrier_of(h->obj);
	struct barrier_break death = {.who = *how, .cause = CAUSE_DEATH};
	if (h == b->action)
		b->action = NULL;
	hold_end(h);
	barrier_break(b, &death);
}

/* Who should run the action never heard of it. */
static void barrier_undo(struct hold *h, bool certain)
{
	(void)certain;
	if (h->role == ROLE_ACTION)
		break_by(barrier_of(h->obj), CAUSE_DEATH, h->thread);
}

static void barrier_save(const struct obj *o, struct buf *b)
{
	buf_put(b, &barrier_of(o)->i, sizeof(struct barrier_image));
}

static int barrier_load(struct obj *o, struct span image)
{
	struct barrier_image i;
	if (image.n != sizeof(i))
		return -1;
	memcpy(&i, image.p, sizeof(i));
	if (i.parties == 0 || i.parties > BARRIER_PARTIES_MAX || i.broken.cause >= CAUSE_COUNT || i.timeout < 0 ||
	    i.broken.who.process[sizeof(i.broken.who.process) - 1] || i.broken.who.tag[sizeof(i.broken.who.tag) - 1])
		return -1;
	barrier_of(o)->i = i;
	return 0;
}

static void barrier_load_hold(struct hold *h)
{
	if (h->role == ROLE_ACTION)
		barrier_of(h->obj)->action = h;
}

static void barrier_drop_hold(struct hold *h)
{
	if (h == barrier_of(h->obj)->action)
		barrier_of(h->obj)->action = NULL;
}

static void barrier_synced(struct obj *o)
{
	struct barrier *b = barrier_of(o);
	if (b->i.drawn > 0 || b->action)
		break_by(b, CAUSE_ENGINE, NULL);
}

static size_t registered(const struct barrier *b) { return b->obj.nholds - (b->action != NULL); }
static uint64_t waiting(const struct barrier *b) { return b->action ? 0 : b->i.drawn; }

void barrier_describe(const struct obj *o, struct buf *buf)
{
	const struct barrier *b = barrier_of(o);
	buf_printf(buf, "\"parties\":%u,\"n_waiting\":%llu,\"broken\":%s,\"generation\":%llu,\"registered\":%zu",
		   b->i.parties, (unsigned long long)waiting(b), b->i.broken.cause ? "true" : "false",
		   (unsigned long long)b->i.generation, registered(b));
	if (!b->i.broken.cause)
		return;
	buf_putc(buf, ',');
	put_cause(buf, &b->i.broken);
}

static void barrier_summary(const struct obj *o, struct buf *buf)
{
	const struct barrier *b = barrier_of(o);
	if (b->i.broken.cause) {
		buf_puts(buf, "broken: ");
		say_cause(buf, &b->i.broken);
	} else {
		buf_printf(buf, "%llu of %u wait", (unsigned long long)waiting(b), b->i.parties);
	}
}

const struct class barrier_class = {
	.kind = KIND_BARRIER,
	.name = "barrier",
	.size = sizeof(struct barrier),
	.init = barrier_init,
	.done = barrier_done,
	.revoke = barrier_revoke,
	.undo = barrier_undo,
	.save = barrier_save,
	.load = barrier_load,
	.load_hold = barrier_load_hold,
	.drop_hold = barrier_drop_hold,
	.synced = barrier_synced,
	.describe = barrier_describe,
	.summary = barrier_summary,
};
