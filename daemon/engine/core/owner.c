/* SPDX-License-Identifier: MIT */
/* Owners, their threads, and the connections they speak over: owner.h. */
#include "daemon/engine/core/owner.h"
#include "common/scan.h"
#include "common/units.h"
#include "daemon/engine/core/core.h"

#define SESSION_KEY 20 /* bytes: uid and session */

/* --- owners and threads ------------------------------------------------------------------------------------------ */

static struct span session_key(const struct owner_image *i, char room[SESSION_KEY])
{
	memcpy(room, &i->uid, 4);
	memcpy(room + 4, i->session, 16);
	return (struct span){room, SESSION_KEY};
}

/* Sessions are few and asked for once a connection: the key in the map is the image's own bytes, which lie together. */
static struct owner *session_owner(const struct owner_image *i)
{
	char a[SESSION_KEY], b[SESSION_KEY];
	struct owner *o;
	LIST_EACH (o, &core.owners, by_all)
		if (o->i.kind == OWNER_CONN && o->i.has_session && span_eq(session_key(&o->i, a), session_key(i, b)))
			return o;
	return NULL;
}

static void pid_enter(struct owner *o)
{
	struct owner *first = o->i.pid ? map_get(&core.owner_pids, (uint64_t)o->i.pid) : NULL;
	if (first)
		list_push(&first->by_pid, &o->by_pid);
	else if (o->i.pid)
		must(map_put(&core.owner_pids, (uint64_t)o->i.pid, o) == 0);
}

static void pid_leave(struct owner *o)
{
	if (!o->i.pid)
		return;
	if (map_get(&core.owner_pids, (uint64_t)o->i.pid) == o) {
		if (list_linked(&o->by_pid))
			must(map_put(&core.owner_pids, (uint64_t)o->i.pid,
				     LIST_ENTRY(o->by_pid.next, struct owner, by_pid)) == 0);
		else
			map_del(&core.owner_pids, (uint64_t)o->i.pid);
	}
	list_del(&o->by_pid);
}

struct owner *owner_by_pid(pid_t pid) { return map_get(&core.owner_pids, (uint64_t)pid); }

struct owner *owner_next(const struct owner *o)
{
	struct owner *next = LIST_ENTRY(o->by_pid.next, struct owner, by_pid);
	return next == owner_by_pid(o->i.pid) ? NULL : next;
}

struct owner *owner_by_id(uint64_t id) { return map_get(&core.owner_ids, id); }

static struct thread *thread_new(struct owner *o, struct span tag)
{
	struct thread *t = malloc(sizeof(*t) + tag.n);
	if (!t)
		return NULL;
	t->owner = o;
	t->ntag = tag.n;
	if (tag.n)
		memcpy(t->tag, tag.p, tag.n);
	list_init(&t->by_owner);
	list_init(&t->by_idle);
	list_init(&t->wants);
	list_init(&t->has);
	list_push(&o->threads, &t->by_owner);
	return t;
}

struct thread *owner_thread(struct owner *o, struct span tag)
{
	struct thread *t;
	LIST_EACH (t, &o->threads, by_owner)
		if (t->ntag == tag.n && (tag.n == 0 || !memcmp(t->tag, tag.p, tag.n)))
			return t;
	return thread_new(o, tag);
}

static struct owner *owner_make(const struct owner_image *image)
{
	struct owner *o = calloc(1, sizeof(*o));
	must(o);
	o->i = *image;
	list_init(&o->threads);
	list_init(&o->by_pid);
	list_push(&core.owners, &o->by_all);
	must(map_put(&core.owner_ids, o->i.id, o) == 0);
	pid_enter(o);
	must(thread_new(o, SPAN("")));
	core.next_owner = MAX(core.next_owner, o->i.id + 1);
	return o;
}

static void thread_free(struct thread *t)
{
	list_del(&t->by_owner);
	list_del(&t->by_idle);
	free(t);
}

static void threads_free(struct owner *o)
{
	while (!list_empty(&o->threads))
		thread_free(LIST_ENTRY(o->threads.next, struct thread, by_owner));
}

static void owner_free(struct owner *o)
{
	timer_clear(&core.timers, &o->grace);
	core.ops->unwatch(o);
	threads_free(o);
	pid_leave(o);
	map_del(&core.owner_ids, o->i.id);
	list_del(&o->by_all);
	if (o->saved)
		list_push(&core.dead_owners, &o->by_all);
	else
		free(o);
}

/* After the records of what it had: these name it. */
void owners_save_gone(void)
{
	struct list *n;
	while ((n = list_shift(&core.dead_owners))) {
		struct owner *o = LIST_ENTRY(n, struct owner, by_all);
		core_record(JOURNAL_OWNER_GONE, &o->i.id, sizeof(o->i.id), NULL, 0);
		free(o);
	}
}

/* A new one, watched; NULL: its process is not there. */
static struct owner *owner_new(const struct owner_image *self, enum owner_kind kind, struct channel *ch)
{
	struct owner_image image = *self;
	image.kind = (uint8_t)kind;
	image.id = core.next_owner;
	struct owner *o = owner_make(&image);
	if (core.ops->watch(o, ch) == 0)
		return o;
	owner_free(o);
	return NULL;
}

static bool thread_idle(const struct thread *t) { return list_empty(&t->wants) && list_empty(&t->has); }

void owner_unused(struct owner *o)
{
	struct thread *t;
	if (o->channels || o->dying || timer_is_set(&o->grace) || !core.replayed)
		return;
	LIST_EACH (t, &o->threads, by_owner)
		if (!thread_idle(t))
			return;
	owner_free(o);
}

void thread_unused(struct thread *t)
{
	if (!t->ntag && t->owner->channels)
		return; /* it stays for as long as its connection does */
	if (thread_idle(t) && !list_linked(&t->by_idle))
		list_push(&core.idle_threads, &t->by_idle);
}

void owners_reap(void)
{
	struct list *n;
	while ((n = list_shift(&core.idle_threads))) {
		struct thread *t = LIST_ENTRY(n, struct thread, by_idle);
		struct owner *o = t->owner;
		if (!thread_idle(t) || o->dying)
			continue;
		if (t->ntag)
			thread_free(t);
		owner_unused(o);
	}
}

/* --- death -------------------------------------------------------------------------------------------------------- */

static void copy_cut(char *to, size_t room, struct span text)
{
	size_t n = MIN(text.n, room - 1);
	while (n > 0 && n < text.n && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	memcpy(to, text.p, n);
	to[n] = '\0';
}

static struct span process_name(pid_t pid)
{
	const struct proc *p = pid ? proc_by_pid(pid) : NULL;
	return p ? p->text[TEXT_NAME] : (struct span){"", 0};
}

void thread_death(const struct thread *t, struct death *ret)
{
	*ret = (struct death){0};
	core.ops->death(t->owner, ret);
	ret->at = core.now;
	ret->pid = t->owner->i.pid;
	ret->kind = t->owner->i.kind;
	copy_cut(ret->process, sizeof(ret->process), process_name(ret->pid));
	copy_cut(ret->tag, sizeof(ret->tag), (struct span){t->tag, t->ntag});
}

static void wants_die(struct thread *t)
{
	struct fault f;
	while (!list_empty(&t->wants)) {
		fault_set(&f, FAULT_LOST, "pid %d, for which this was wanted, has ended", t->owner->i.pid);
		want_fail(LIST_ENTRY(t->wants.next, struct want, by_thread), &f);
	}
}

/* Of what it was granted last it may have read before it ended: the kernel knows, whichever end was heard of first. */
static void grants_settle(struct thread *t)
{
	struct channel *asked = NULL;
	struct list *n = t->has.prev;
	while (n != &t->has) {
		struct channel *ch = LIST_ENTRY(n, struct hold, by_thread)->grant.channel;
		n = n->prev;
		if (!ch || ch == asked || !channel_unsure(ch))
			continue;
		asked = ch;
		channel_settle(ch);
		if (!channel_unsure(ch))
			n = t->has.prev; /* some are done, and gone */
	}
}

/* Lines are read in their order: when anything is unread, then certainly the last one that is written, or written in
 * part with those before it. One that another engine wrote may have been read in any case. */
static bool surely_unread(const struct grant *g, const struct channel *ch)
{
	return g->line && g->line >= (ch->cut ? ch->lines : ch->written);
}

/* What it never read was not its: it goes on as if it had not been granted. */
static bool hold_unread(struct hold *h)
{
	struct channel *ch = h->grant.channel;
	if (!ch)
		return false;
	bool certain = surely_unread(&h->grant, ch) && core.ops->deserted(ch);
	grant_sure(&h->grant);
	h->grant.ops->undo(&h->grant, certain);
	return true;
}

static void thread_die(struct thread *t)
{
	struct death death;
	wants_die(t);
	if (list_empty(&t->has))
		return;
	thread_death(t, &death);
	while (!list_empty(
		&t->has)) { /* the newest first: what goes back to its old place goes before what went before */
		struct hold *h = LIST_ENTRY(t->has.prev, struct hold, by_thread);
		if (hold_unread(h))
			continue;
		list_del(&h->by_thread);
		h->thread = NULL;
		h->obj->class->revoke(h, &death);
	}
}

void owner_die(struct owner *o)
{
	struct thread *t;
	if (o->dying)
		return;
	o->dying = true;
	LIST_EACH (t, &o->threads, by_owner)
		grants_settle(t); /* of all of them, before anything more is said to anybody */
	LIST_EACH (t, &o->threads, by_owner)
		thread_die(t);
	if (o->channels == 0) {
		owner_free(o);
		return;
	}
	/* A connection goes on under whoever inherited it, and owns nothing any more. */
	core.ops->unwatch(o);
}

/* --- channels ----------------------------------------------------------------------------------------------------- */

void channel_init(struct channel *ch, pid_t pid, uid_t uid)
{
	*ch = (struct channel){.self = {.pid = pid, .uid = uid}};
	list_init(&ch->fresh);
	list_init(&ch->sent);
}

/* What an owner was granted by an engine that has died may have been read or not, until it is heard of again. */
static void channel_doubt(struct channel *ch, struct owner *o)
{
	struct thread *t;
	struct hold *h;
	LIST_EACH (t, &o->threads, by_owner)
		LIST_EACH (h, &t->has, by_thread)
			if (!h->grant.channel) {
				channel_grant(ch, &h->grant);
				h->grant.line = 0;
			}
}

static void channel_adopt(struct channel *ch, struct owner *o)
{
	ch->owner = o;
	o->channels++;
	timer_clear(&core.timers, &o->grace);
}

void channel_session(struct channel *ch, const uint8_t session[16])
{
	ch->self.has_session = 1;
	memcpy(ch->self.session, session, 16);
	if (ch->owner) {
		ch->owner->i.has_session = 1;
		memcpy(ch->owner->i.session, session, 16);
		if (ch->owner->saved)
			owner_save(ch->owner);
		return;
	}
	struct owner *o = session_owner(&ch->self);
	if (!o || o->dying)
		return;
	if (timer_is_set(&o->grace))
		channel_doubt(ch, o);
	channel_adopt(ch, o);
}

void channel_name(struct channel *ch, struct span name)
{
	copy_cut(ch->self.client, sizeof(ch->self.client), name);
	if (!ch->owner)
		return;
	memcpy(ch->owner->i.client, ch->self.client, sizeof(ch->self.client));
	if (ch->owner->saved)
		owner_save(ch->owner);
}

static int lost(struct fault *f, pid_t pid)
{
	return fault_set(f, FAULT_LOST, "pid %d is not there (any more)", (int)pid);
}

static int owner_of_channel(struct channel *ch, struct owner **ret, struct fault *f)
{
	if (!ch->owner) {
		struct owner *o = owner_new(&ch->self, OWNER_CONN, ch);
		if (!o)
			return lost(f, ch->self.pid);
		channel_adopt(ch, o);
	}
	if (ch->owner->dying)
		return fault_set(f, FAULT_LOST, "pid %d, which made this connection, has ended; connect anew",
				 ch->self.pid);
	*ret = ch->owner;
	return 0;
}

static struct owner *process_owner(pid_t pid)
{
	for (struct owner *o = owner_by_pid(pid); o; o = owner_next(o))
		if (o->i.kind == OWNER_PROCESS && !o->dying)
			return o;
	return NULL;
}

/* The peer's own is remembered by its connection, so that it is not made anew for every call. */
static void channel_remember(struct channel *ch, struct owner *o)
{
	if (ch->process || o->i.pid != ch->self.pid)
		return;
	ch->process = o;
	o->channels++;
}

int owner_find(struct channel *ch, pid_t who, struct owner **ret, struct fault *f)
{
	if (!who)
		return owner_of_channel(ch, ret, f);
	struct owner *o = ch->process && !ch->process->dying && who == ch->self.pid ? ch->process : process_owner(who);
	if (!o) {
		struct owner_image image = {.pid = who, .uid = ch->self.uid};
		if (who == ch->self.pid)
			memcpy(image.client, ch->self.client, sizeof(image.client));
		o = owner_new(&image, OWNER_PROCESS, who == ch->self.pid ? ch : NULL);
	}
	if (!o)
		return lost(f, who);
	channel_remember(ch, o);
	*ret = o;
	return 0;
}

static void owner_forget_channel(struct owner *o)
{
	if (o && --o->channels == 0) {
		if (o->dying)
			owner_free(o);
		else if (o->i.kind == OWNER_CONN)
			owner_die(o);
		else
			owner_unused(o);
	}
}

/* --- grants that nobody may have read ----------------------------------------------------------------------------- */

void channel_grant(struct channel *ch, struct grant *g)
{
	if (g->channel)
		list_del(&g->by_channel);
	g->channel = ch;
	g->line = ch->lines + 1;
	list_push(&ch->fresh, &g->by_channel);
}

void grant_sure(struct grant *g)
{
	if (!g->channel)
		return;
	list_del(&g->by_channel);
	g->channel = NULL;
}

void channel_wrote(struct channel *ch)
{
	struct list *n;
	ch->written = ch->lines;
	ch->cut = false;
	while ((n = list_shift(&ch->fresh)))
		list_push(&ch->sent, n);
}

bool channel_grants(const struct channel *ch)
{
	return !list_empty(&ch->fresh) && LIST_ENTRY(ch->fresh.prev, struct grant, by_channel)->line == ch->lines + 1;
}

void channel_read(struct channel *ch)
{
	struct list *n;
	ch->read = ch->written;
	while ((n = list_shift(&ch->sent))) {
		struct grant *g = LIST_ENTRY(n, struct grant, by_channel);
		g->channel = NULL;
		g->ops->confirm(g);
	}
}

void channel_settle(struct channel *ch)
{
	if (channel_unsure(ch) && core.ops->all_read(ch))
		channel_read(ch);
}

/* The newest first: so each finds things as it had left them. */
static void undo_all(struct channel *ch, struct list *grants)
{
	while (!list_empty(grants)) {
		struct grant *g = LIST_ENTRY(grants->prev, struct grant, by_channel);
		core.ops->undone(ch, g->line);
		grant_sure(g);
		g->ops->undo(g, surely_unread(g, ch));
	}
}

void channel_gone(struct channel *ch, bool all_read, bool cut)
{
	ch->cut |= cut;
	undo_all(ch, &ch->fresh);
	if (!all_read)
		undo_all(ch, &ch->sent);
	channel_read(ch);
	owner_forget_channel(ch->owner);
	owner_forget_channel(ch->process);
	ch->owner = ch->process = NULL;
}

/* --- who ---------------------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = {
	[OWNER_CONN] = "connection", [OWNER_PROCESS] = "process", [OWNER_LEASE] = "lease"};

static void put_who(struct buf *b, unsigned kind, pid_t pid, struct span process, struct span tag)
{
	buf_printf(b, "\"owner\":\"%s\",\"pid\":%d", kind_names[kind], pid);
	if (process.n) {
		buf_puts(b, ",\"process\":");
		scan_put_str(b, process);
	}
	if (tag.n) {
		buf_puts(b, ",\"tag\":");
		scan_put_str(b, tag);
	}
}

void who_put(struct buf *b, const struct thread *t)
{
	const struct owner_image *i = &t->owner->i;
	buf_putc(b, '{');
	put_who(b, i->kind, i->pid, process_name(i->pid), (struct span){t->tag, t->ntag});
	if (i->client[0]) {
		buf_puts(b, ",\"client\":");
		scan_put_str(b, span_of(i->client));
	}
	buf_putc(b, '}');
}

void who_say(struct buf *b, const struct thread *t)
{
	const struct owner_image *i = &t->owner->i;
	struct span name = process_name(i->pid);
	if (!name.n)
		name = span_of(i->client);
	buf_printf(b, "pid %d", i->pid);
	if (name.n) {
		buf_puts(b, " (");
		buf_span(b, name);
		buf_putc(b, ')');
	}
	if (t->ntag) {
		buf_puts(b, ", ");
		buf_span(b, (struct span){t->tag, t->ntag});
	}
}

void death_put(struct buf *b, const struct death *d)
{
	buf_putc(b, '{');
	put_who(b, d->kind >= OWNER_CONN && d->kind <= OWNER_LEASE ? d->kind : OWNER_CONN, d->pid, span_of(d->process),
		span_of(d->tag));
	if (d->how == DEATH_EXIT)
		buf_printf(b, ",\"exit\":%d", d->status);
	if (d->how == DEATH_SIGNAL)
		buf_printf(b, ",\"signal\":\"%s\"", units_signal_name(d->status));
	buf_printf(b, ",\"at\":%.3f}", (double)(d->at + core.wall) / (double)NSEC_PER_SEC);
}

/* --- the journal's side ------------------------------------------------------------------------------------------- */

void owner_save(struct owner *o)
{
	o->saved = true;
	core_record(JOURNAL_OWNER, &o->i, sizeof(o->i), NULL, 0);
}

int owner_load(struct span body)
{
	struct owner_image i;
	if (body.n != sizeof(i))
		return -1;
	memcpy(&i, body.p, sizeof(i));
	if (i.id == 0 || i.id >= CORE_ID_MAX || i.kind < OWNER_CONN || i.kind > OWNER_LEASE ||
	    i.client[sizeof(i.client) - 1] || i.pid < 0)
		return -1;
	struct owner *o = owner_by_id(i.id);
	if (o) {
		pid_leave(o);
		o->i = i;
		pid_enter(o);
	} else {
		o = owner_make(&i);
	}
	o->saved = true;
	return 0;
}

int owner_load_gone(struct span body)
{
	uint64_t id;
	if (body.n != sizeof(id))
		return -1;
	memcpy(&id, body.p, sizeof(id));
	struct owner *o = owner_by_id(id);
	struct thread *t;
	if (!o)
		return 0;
	LIST_EACH (t, &o->threads, by_owner)
		if (!list_empty(&t->has))
			return -1; /* the records of their ends are damaged: they end with the replay */
	o->saved = false;
	owner_free(o);
	return 0;
}

static void grace_over(struct timer *t) { owner_die(CONTAINER_OF(t, struct owner, grace)); }

static void owner_synced(struct owner *o)
{
	bool there = core.ops->watch(o, NULL) == 0;
	if (!there || (o->i.kind == OWNER_CONN && !o->i.has_session))
		owner_die(o);
	else if (o->i.kind == OWNER_CONN)
		timer_set(&core.timers, &o->grace, timer_after(core.now, OWNER_GRACE), grace_over);
	else
		owner_unused(o);
}

void owners_synced(void)
{
	struct owner *o, *tmp;
	LIST_EACH_SAFE (o, tmp, &core.owners, by_all)
		owner_synced(o);
}

void owners_done(void)
{
	struct list *n;
	owners_save_gone();
	while ((n = list_shift(&core.owners))) {
		struct owner *o = LIST_ENTRY(n, struct owner, by_all);
		threads_free(o);
		free(o);
	}
	map_done(&core.owner_ids);
	map_done(&core.owner_pids);
}
