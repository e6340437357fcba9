/* SPDX-License-Identifier: MIT */
/* The mutex of lock.h, and the classes lock and rlock, which are nothing else. */
#include "daemon/engine/core/lock.h"
#include "daemon/engine/core/core.h"

static struct mutex_want *want_of(const struct want *w) { return (struct mutex_want *)(uintptr_t)w; }

void mutex_init(struct mutex *m, struct obj *o, bool reentrant)
{
	m->obj = o;
	m->i.reentrant = reentrant;
	list_init(&m->users);
	subject_init(&m->queue);
	m->queue.fifo = true;
}

void mutex_done(struct mutex *m)
{
	subject_done(&m->queue);
	while (list_shift(&m->users))
		;
}

struct subject *mutex_subject(const struct want *w) { return &want_of(w)->mutex->queue; }

bool mutex_held_by(const struct mutex *m, const struct thread *t)
{
	if (!m->hold || !m->hold->thread || !t)
		return false;
	return m->i.reentrant ? m->hold->thread == t : m->hold->thread->owner == t->owner;
}

bool mutex_overtakes(const struct want *w)
{
	const struct mutex *m = want_of(w)->mutex;
	return m->i.reentrant && m->hold && m->hold->thread == w->thread;
}

void mutex_holders(const struct want *w, struct holders *ret)
{
	const struct mutex *m = want_of(w)->mutex;
	ret->open = m->i.any_owner || !m->hold || !m->hold->thread;
	if (!ret->open)
		holders_add(ret, m->hold->thread);
}

static int not_recoverable(const struct mutex *m, struct fault *f)
{
	return fault_set(f, FAULT_NOT_RECOVERABLE,
			 "%s %s was released without a repair after its holder's death (remove it, or make another)",
			 m->obj->class->name, obj_said(m->obj));
}

enum step mutex_attempt(struct want *w, struct fault *f)
{
	struct mutex_want *mw = want_of(w);
	struct mutex *m = mw->mutex;
	bool again = mutex_overtakes(w);
	if (m->i.state == MUTEX_NOT_RECOVERABLE) {
		not_recoverable(m, f);
		return STEP_FAIL;
	}
	if (m->hold && !again)
		return STEP_WAIT;
	if (!again)
		m->hold = hold_new(m->obj, w->thread, 0);
	m->hold->count += mw->count;
	hold_dirty(m->hold);
	hold_grant(m->hold, w, mw->count);
	mw->depth = m->hold->count;
	mw->token = m->hold->token;
	mw->inconsistent = m->i.state == MUTEX_INCONSISTENT;
	mw->death = again ? (struct death){0} : m->i.death;
	return STEP_DONE;
}

const struct want_ops mutex_acquire_ops = {
	.size = sizeof(struct mutex_want),
	.what = "acquire",
	.overtakes = mutex_overtakes,
	.attempt = mutex_attempt,
	.subject = mutex_subject,
	.holders = mutex_holders,
};

/* --- the ends of holds -------------------------------------------------------------------------------------------- */

static void mutex_free(struct mutex *m)
{
	struct hold *h = m->hold;
	m->hold = NULL;
	hold_end(h);
	subject_touch(&m->queue);
}

static void mutex_forget_death(struct mutex *m)
{
	if (m->i.death.at == 0)
		return;
	m->i.death = (struct death){0};
	obj_dirty(m->obj);
}

uint32_t mutex_let_go(struct mutex *m)
{
	uint32_t count = m->hold->count;
	mutex_forget_death(m);
	if (m->i.state == MUTEX_INCONSISTENT) {
		m->i.state = MUTEX_NOT_RECOVERABLE;
		obj_dirty(m->obj);
	}
	mutex_free(m);
	return count;
}

static int held_by_another(const struct mutex *m, int code, struct fault *f)
{
	AUTO_BUF who = BUF_INIT, said = BUF_INIT;
	const struct hold *h = m->hold;
	if (h->thread) {
		who_put(&who, h->thread);
		who_say(&said, h->thread);
	} else {
		buf_puts(&who, "null");
		buf_puts(&said, "a holder that has died");
	}
	if (code == FAULT_STALE_TOKEN)
		fault_set(f, code, "%s %s: the token is out of date; it is held by %s", m->obj->class->name,
			  obj_said(m->obj), buf_str(&said));
	else
		fault_set(f, code, "%s %s is held by %s", m->obj->class->name, obj_said(m->obj), buf_str(&said));
	return fault_data(f, "\"owner\":%s,\"token\":%llu", buf_str(&who), (unsigned long long)h->token);
}

static int release_check(const struct mutex *m, const struct mutex_release *r, struct fault *f)
{
	if (!m->hold && r->has_token)
		return fault_set(f, FAULT_STALE_TOKEN, "%s %s: the token is out of date; nobody holds it",
				 m->obj->class->name, obj_said(m->obj));
	if (!m->hold)
		return fault_set(f, FAULT_NOT_HELD, "%s %s: nobody holds it", m->obj->class->name, obj_said(m->obj));
	if (r->has_token)
		return r->token == m->hold->token ? 0 : held_by_another(m, FAULT_STALE_TOKEN, f);
	if (r->force || m->i.any_owner || mutex_held_by(m, r->thread))
		return 0;
	return held_by_another(m, FAULT_NOT_OWNER, f);
}

int mutex_release(struct mutex *m, const struct mutex_release *r, uint32_t *ret_depth, struct fault *f)
{
	int code = release_check(m, r, f);
	if (code)
		return code;
	struct hold *h = m->hold;
	*ret_depth = h->count - 1;
	if (h->count == 1 || r->force) {
		*ret_depth = 0;
		mutex_let_go(m);
		return 0;
	}
	h->count--;
	h->unsure = MIN(h->unsure, h->count);
	hold_dirty(h);
	return 0;
}

int mutex_repair(struct mutex *m, const struct thread *t, struct fault *f)
{
	struct mutex_release r = {.thread = t};
	int code = release_check(m, &r, f);
	if (code || m->i.state != MUTEX_INCONSISTENT)
		return code;
	m->i.state = MUTEX_GOOD;
	obj_dirty(m->obj);
	return 0;
}

/* `lock NAME -- CMD` holds for as long as CMD runs: its success is the release. */
static bool has_finished(const struct death *how)
{
	return how->kind == OWNER_PROCESS && how->how == DEATH_EXIT && how->status == 0;
}

void mutex_revoke(struct hold *h, const struct death *how)
{
	struct mutex *m = obj_mutex(h->obj);
	if (m->i.keep) {
		hold_dirty(h);
		return;
	}
	if (has_finished(how)) {
		mutex_let_go(m);
		return;
	}
	m->i.death = *how;
	if (m->i.strict)
		m->i.state = MUTEX_INCONSISTENT;
	obj_dirty(m->obj);
	mutex_free(m);
}

void mutex_undo(struct hold *h, bool certain)
{
	(void)certain;
	h->count -= MIN(h->unsure, h->count);
	h->unsure = 0;
	if (h->count > 0)
		hold_dirty(h);
	else
		mutex_free(obj_mutex(h->obj));
}

/* --- the journal, and what is told -------------------------------------------------------------------------------- */

/* There is one: of two, whose end between them is damaged, the later. */
void mutex_load_hold(struct hold *h)
{
	struct mutex *m = obj_mutex(h->obj);
	if (m->hold && m->hold != h)
		hold_end(m->hold);
	m->hold = h;
}

void mutex_drop_hold(struct hold *h)
{
	struct mutex *m = obj_mutex(h->obj);
	if (m->hold == h)
		m->hold = NULL;
}

void mutex_save(const struct mutex *m, struct buf *image) { buf_put(image, &m->i, sizeof(m->i)); }

int mutex_load(struct mutex *m, struct span image)
{
	struct mutex_image i;
	if (image.n < sizeof(i))
		return -1;
	memcpy(&i, image.p, sizeof(i));
	if (i.state > MUTEX_NOT_RECOVERABLE || i.death.process[sizeof(i.death.process) - 1] ||
	    i.death.tag[sizeof(i.death.tag) - 1])
		return -1;
	m->i = i;
	return 0;
}

void mutex_describe(const struct mutex *m, struct buf *b)
{
	static const char *const states[] = {"good", "inconsistent", "not recoverable"};
	buf_printf(
		b,
		"\"held\":%s,\"depth\":%u,\"state\":\"%s\",\"robust\":\"%s\",\"any_owner\":%s,\"owner_death\":\"%s\"",
		m->hold ? "true" : "false", m->hold ? m->hold->count : 0, states[m->i.state],
		m->i.strict ? "strict" : "normal", m->i.any_owner ? "true" : "false", m->i.keep ? "keep" : "release");
	if (m->i.death.at) {
		buf_puts(b, ",\"abandoned\":");
		death_put(b, &m->i.death);
	}
}

void mutex_summary(const struct mutex *m, struct buf *b)
{
	if (m->hold && m->hold->thread) {
		buf_puts(b, "held by ");
		who_say(b, m->hold->thread);
	} else {
		buf_puts(b, m->hold ? "held by one that has died" : "free");
	}
	if (m->i.state == MUTEX_INCONSISTENT)
		buf_puts(b, ", inconsistent");
	if (m->i.state == MUTEX_NOT_RECOVERABLE)
		buf_puts(b, ", not recoverable");
}

/* --- the classes -------------------------------------------------------------------------------------------------- */

static struct mutex *lock_mutex(const struct obj *o) { return &((struct lock *)(uintptr_t)o)->mutex; }

static void lock_init(struct obj *o) { mutex_init(lock_mutex(o), o, o->class == &rlock_class); }
static void lock_done(struct obj *o) { mutex_done(lock_mutex(o)); }

static void lock_removed(struct obj *o, const struct fault *f)
{
	struct list *n;
	while ((n = list_shift(&lock_mutex(o)->users))) {
		struct mutex_user *user = LIST_ENTRY(n, struct mutex_user, by_mutex);
		user->removed(user, f);
	}
}

static void lock_save(const struct obj *o, struct buf *b) { mutex_save(lock_mutex(o), b); }
static int lock_load(struct obj *o, struct span image) { return mutex_load(lock_mutex(o), image); }
static void lock_describe(const struct obj *o, struct buf *b) { mutex_describe(lock_mutex(o), b); }
static void lock_summary(const struct obj *o, struct buf *b) { mutex_summary(lock_mutex(o), b); }

#define LOCK_CLASS(kind_, name_)                                                                                       \
	{                                                                                                              \
		.kind = kind_, .name = name_, .size = sizeof(struct lock), .init = lock_init, .done = lock_done,       \
		.removed = lock_removed, MUTEX_HOLDS, .mutex = lock_mutex, .save = lock_save, .load = lock_load,       \
		.describe = lock_describe, .summary = lock_summary,                                                    \
	}

const struct class lock_class = LOCK_CLASS(KIND_LOCK, "lock");
const struct class rlock_class = LOCK_CLASS(KIND_RLOCK, "rlock");
