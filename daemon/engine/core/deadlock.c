/* SPDX-License-Identifier: MIT */
/*
 * Deadlocks: who waits for whom, and whether a wait can still end.
 *
 * An owner is stuck when each of its threads that wants or has anything waits, and each of those waits could be ended
 * only by stuck ones. That is the greatest fixpoint, found by a walk that takes whom it has met before for stuck; what
 * it finds is exact where an owner has one thread. A thread that holds something and waits for nothing can still act.
 * A wait with a deadline ends by itself: a ring with one in it is told of, and nobody is refused for it.
 */
#include "common/scan.h"
#include "daemon/engine/core/core.h"

#define CYCLE_MAX 64
#define TOLD_MAX 16 /* holders of one thing that are told of */

/* One step of a cycle: the waiter waits for what the holder has. */
struct edge {
	const struct want *want;
	const struct thread *holder;
};

struct walk {
	const struct owner *met[256];
	size_t nmet;
	struct edge path[CYCLE_MAX];
	size_t npath, ncycle; /* ncycle: of the first cycle that was closed */
	struct edge cycle[CYCLE_MAX];
	const struct want *extra; /* a want that is about to wait */
	bool full;                /* too large to be told: nobody is accused */
	bool timed;               /* waits with a deadline count as well */
};

bool holders_add(struct holders *hs, struct thread *t)
{
	if (hs->most && hs->n == hs->most) {
		hs->more = true;
		return false;
	}
	if (hs->n == hs->room) {
		size_t room = hs->room ? 2 * hs->room : 8;
		struct thread **v = realloc(hs->v, room * sizeof(*v));
		if (!v) {
			hs->open = true;
			return false;
		}
		hs->v = v;
		hs->room = room;
	}
	hs->v[hs->n++] = t;
	return true;
}

static bool stuck(struct walk *, const struct owner *);

static bool ends_by_itself(const struct want *w)
{
	return w->obj ? timer_is_set(&w->waiter.timer) : w->timeout != NSEC_NEVER;
}

static bool wants_anything(const struct walk *walk, const struct owner *o)
{
	const struct thread *t;
	if (walk->extra && walk->extra->thread->owner == o)
		return true;
	LIST_EACH (t, &o->threads, by_owner)
		if (!list_empty(&t->wants))
			return true;
	return false;
}

static bool has_anything(const struct owner *o)
{
	const struct thread *t;
	LIST_EACH (t, &o->threads, by_owner)
		if (!list_empty(&t->has))
			return true;
	return false;
}

/* Has this owner of a process's nothing to do with whether that ends? */
static bool idle(const struct walk *walk, const struct owner *o)
{
	return !wants_anything(walk, o) && !has_anything(o);
}

static bool holder_stuck(struct walk *walk, const struct want *w, const struct thread *holder)
{
	if (walk->npath == CYCLE_MAX) {
		walk->full = true;
		return false;
	}
	walk->path[walk->npath++] = (struct edge){w, holder};
	bool is = stuck(walk, holder->owner);
	walk->npath--;
	return is;
}

/* Could nobody but stuck ones end this wait? */
static bool want_stuck(struct walk *walk, const struct want *w)
{
	struct holders hs = {.open = !w->ops->holders || (!walk->timed && ends_by_itself(w))};
	if (!hs.open)
		w->ops->holders(w, &hs);
	bool all = !hs.open;
	size_t n = 0;
	for (size_t i = 0; all && i < hs.n; i++) {
		if (!w->obj && idle(walk, hs.v[i]->owner))
			continue;
		all = holder_stuck(walk, w, hs.v[i]);
		n++;
	}
	free(hs.v);
	return all && n > 0;
}

/* The cycle is what of the path lies behind the last edge into O. */
static void cycle_close(struct walk *walk, const struct owner *o)
{
	size_t from = 0;
	for (size_t e = 0; e + 1 < walk->npath; e++)
		if (walk->path[e].holder->owner == o)
			from = e + 1;
	walk->ncycle = walk->npath - from;
	memcpy(walk->cycle, walk->path + from, walk->ncycle * sizeof(walk->path[0]));
}

static bool met_before(struct walk *walk, const struct owner *o)
{
	for (size_t i = 0; i < walk->nmet; i++) {
		if (walk->met[i] != o)
			continue;
		if (!walk->ncycle)
			cycle_close(walk, o);
		return true;
	}
	return false;
}

static bool thread_stuck(struct walk *walk, const struct thread *t)
{
	const struct want *extra = walk->extra && walk->extra->thread == t ? walk->extra : NULL;
	const struct want *w;
	if (list_empty(&t->wants) && !extra)
		return list_empty(&t->has);
	if (extra && !want_stuck(walk, extra))
		return false;
	LIST_EACH (w, &t->wants, by_thread)
		if (!want_stuck(walk, w))
			return false;
	return true;
}

static bool stuck(struct walk *walk, const struct owner *o)
{
	const struct thread *t;
	if (met_before(walk, o))
		return true;
	if (walk->nmet == ARRAY_LEN(walk->met))
		walk->full = true;
	if (walk->full || !wants_anything(walk, o))
		return false;
	walk->met[walk->nmet++] = o;
	LIST_EACH (t, &o->threads, by_owner)
		if (!thread_stuck(walk, t))
			return false;
	return true;
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

static void put_edge(struct buf *b, const struct edge *e, uid_t uid)
{
	buf_puts(b, "{\"waiter\":");
	who_put(b, e->want->thread);
	if (e->want->obj) {
		buf_puts(b, ",\"object\":");
		scan_put_str(b, span_of(obj_name(e->want->obj, uid)));
		buf_printf(b, ",\"kind\":\"%s\"", e->want->obj->class->name);
	} else {
		const struct proc *p = proc_by_pid(e->holder->owner->i.pid);
		buf_puts(b, ",\"process\":");
		scan_put_str(b, p ? p->text[TEXT_NAME] : SPAN(""));
	}
	buf_puts(b, ",\"holder\":");
	who_put(b, e->holder);
	buf_putc(b, '}');
}

static void put_cycle(struct buf *b, const struct walk *walk, uid_t uid)
{
	buf_puts(b, "\"cycle\":[");
	for (size_t i = 0; i < walk->ncycle; i++) {
		if (i)
			buf_putc(b, ',');
		put_edge(b, &walk->cycle[i], uid);
	}
	buf_putc(b, ']');
}

static void say_cycle(struct buf *b, const struct walk *walk, uid_t uid)
{
	for (size_t i = 0; i < walk->ncycle; i++) {
		const struct edge *e = &walk->cycle[i];
		buf_puts(b, i ? "; " : "");
		who_say(b, e->want->thread);
		if (e->want->obj)
			buf_printf(b, " waits for %s, held by ", obj_name(e->want->obj, uid));
		else
			buf_puts(b, " waits for the end of ");
		who_say(b, e->holder);
	}
}

/* Nobody waits for one that has nothing, but perhaps for its end: no walk is needed for it. */
static bool waited_for(const struct owner *o) { return core.njoins || has_anything(o); }

static bool in_cycle(const struct walk *walk, const struct want *w)
{
	for (size_t i = 0; i < walk->ncycle; i++)
		if (walk->cycle[i].want == w)
			return true;
	return false;
}

/* Is W part of a ring? */
static bool look(struct walk *walk, const struct want *w, bool timed)
{
	walk->nmet = walk->npath = walk->ncycle = 0;
	walk->full = false;
	walk->timed = timed;
	walk->extra = w;
	bool is = stuck(walk, w->thread->owner) && !walk->full && in_cycle(walk, w);
	walk->extra = NULL;
	return is;
}

void deadlock_put(const struct want *w, struct buf *b)
{
	static struct walk walk;
	if (!w->ops->holders || !waited_for(w->thread->owner) || !look(&walk, w, true))
		return;
	buf_putc(b, ',');
	put_cycle(b, &walk, w->thread->owner->i.uid);
}

int deadlock_check(const struct want *w, struct fault *f)
{
	static struct walk walk;
	if (!w->ops->holders || w->timeout != NSEC_NEVER || !waited_for(w->thread->owner) || !look(&walk, w, false))
		return 0;
	AUTO_BUF said = BUF_INIT, data = BUF_INIT;
	uid_t uid = w->thread->owner->i.uid;
	say_cycle(&said, &walk, uid);
	put_cycle(&data, &walk, uid);
	if (w->obj)
		fault_set(f, FAULT_DEADLOCK, "%s.%s %s would wait for ever: %s", w->obj->class->name, w->ops->what,
			  obj_said(w->obj), buf_str(&said));
	else
		fault_set(f, FAULT_DEADLOCK, "process.%s would wait for ever: %s", w->ops->what, buf_str(&said));
	return fault_data(f, "%s", buf_str(&data));
}

/* --- the graph ---------------------------------------------------------------------------------------------------- */

static bool may_see(uid_t uid, const struct owner *o) { return uid == 0 || uid == core.uid || o->i.uid == uid; }

static void put_wait(struct buf *b, const struct want *w, uid_t uid)
{
	static const struct walk none;
	struct holders hs = {.most = TOLD_MAX};
	const char *sep = "";
	if (w->ops->holders)
		w->ops->holders(w, &hs);
	buf_puts(b, "{\"waiter\":");
	who_put(b, w->thread);
	buf_printf(b, ",\"what\":\"%s.%s\",\"since\":%.3f", w->obj ? w->obj->class->name : "process", w->ops->what,
		   (double)(core.now - w->since) / (double)NSEC_PER_SEC);
	if (w->obj) {
		buf_puts(b, ",\"object\":");
		scan_put_str(b, span_of(obj_name(w->obj, uid)));
		buf_printf(b, ",\"kind\":\"%s\"", w->obj->class->name);
	}
	buf_puts(b, ",\"holders\":[");
	for (size_t i = 0; i < hs.n; i++) {
		if (!w->obj && idle(&none, hs.v[i]->owner))
			continue;
		buf_puts(b, sep);
		who_put(b, hs.v[i]);
		sep = ",";
	}
	buf_puts(b, hs.more ? "],\"more\":true}" : "]}");
	free(hs.v);
}

static void put_waits(struct buf *b, uid_t uid)
{
	const struct owner *o;
	const struct thread *t;
	const struct want *w;
	const char *sep = "";
	LIST_EACH (o, &core.owners, by_all)
		LIST_EACH (t, &o->threads, by_owner)
			LIST_EACH (w, &t->wants, by_thread) {
				if (!may_see(uid, o))
					continue;
				buf_puts(b, sep);
				put_wait(b, w, uid);
				sep = ",";
			}
}

/* Each cycle once: at the oldest owner in it. */
static bool tells(const struct walk *walk, const struct owner *o)
{
	bool own = false;
	for (size_t i = 0; i < walk->ncycle; i++) {
		const struct owner *other = walk->cycle[i].want->thread->owner;
		own |= other == o;
		if (other->i.id < o->i.id)
			return false;
	}
	return own;
}

static void put_deadlocks(struct buf *b, uid_t uid)
{
	static struct walk walk;
	const struct owner *o;
	const char *sep = "";
	LIST_EACH (o, &core.owners, by_all) {
		walk = (struct walk){.timed = true};
		if (!may_see(uid, o) || !stuck(&walk, o) || walk.full || !tells(&walk, o))
			continue;
		buf_printf(b, "%s{", sep);
		put_cycle(b, &walk, uid);
		buf_putc(b, '}');
		sep = ",";
	}
}

void graph_put(struct buf *b, uid_t uid)
{
	buf_puts(b, "{\"waits\":[");
	put_waits(b, uid);
	buf_puts(b, "],\"deadlocks\":[");
	put_deadlocks(b, uid);
	buf_puts(b, "]}");
}
