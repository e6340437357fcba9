/* SPDX-License-Identifier: MIT */
/*
 * Steps through the objects: what a few processes, with a connection each, can do to objects of every kind, to time, to
 * themselves and to the engine, as six bytes each. The fuzz target takes them from its input, the random walk from its
 * dice. The shell around the core is played as the daemon plays it: answers are written when a turn ends, and a client
 * reads them when it likes; what it has read is known here, whatever the engine knows of it.
 *
 * What goes through queues and pipes is numbered, and followed (struct thing): none is lost, and none comes twice to
 * those who read without a word about it.
 */
#ifndef TESTS_UNIT_OBJSTEPS_H
#define TESTS_UNIT_OBJSTEPS_H

#include "daemon/engine/core/array.h"
#include "daemon/engine/core/barrier.h"
#include "daemon/engine/core/cond.h"
#include "daemon/engine/core/dict.h"
#include "daemon/engine/core/event.h"
#include "daemon/engine/core/pipe.h"
#include "daemon/engine/core/queue.h"
#include "daemon/engine/core/sem.h"
#include "daemon/engine/core/sequence.h"
#include "daemon/engine/core/value.h"
#include "tests/unit/objworld.h"
#include <inttypes.h>

#define CLIENTS 6
#define OTHER_UID_FROM 4 /* clients of a second user */
#define ASKS 64          /* that wait at once, at most */
#define RECORDS_MAX 3000 /* then the journal is written anew */

/* --- what is there ------------------------------------------------------------------------------------------------ */

struct slot {
	enum obj_kind kind;
	const char *name, *foreign; /* as the second user calls it */
	uint16_t mode;
	uint32_t a, b; /* its shape, as slot_shape() takes it */
};

enum { QUEUE_JOINABLE = 1, QUEUE_LIFO = 2, QUEUE_PRIORITY = 4, QUEUE_TTR = 8, QUEUE_DEAD = 16, QUEUE_BYTES = 32 };
enum { SEM_BOUNDED = 1, SEM_UNOWNED = 2 };
enum { LOCK_STRICT = 1, LOCK_KEEP = 2, LOCK_ANY = 4 };

#define SLOT(kind, n, mode, a, b)                                                                                      \
	{                                                                                                              \
		KIND_##kind, "o" #n, "~1000/o" #n, mode, a, b                                                          \
	}
static const struct slot slots[] = {
	SLOT(LOCK, 0, 0707, 0, 0),
	SLOT(LOCK, 1, 0700, LOCK_STRICT, 0),
	SLOT(LOCK, 2, 0707, LOCK_KEEP | LOCK_ANY, 0),
	SLOT(RLOCK, 3, 0707, 0, 0),
	SLOT(RLOCK, 4, 0700, LOCK_STRICT, 0),
	SLOT(SEMAPHORE, 5, 0707, 3, SEM_BOUNDED),
	SLOT(SEMAPHORE, 6, 0700, 2, 0),
	SLOT(SEMAPHORE, 7, 0707, 2, SEM_UNOWNED),
	SLOT(SEMAPHORE, 8, 0700, 3, SEM_UNOWNED | SEM_BOUNDED),
	SLOT(EVENT, 9, 0707, 0, 0),
	SLOT(EVENT, 10, 0707, 1, 0),
	SLOT(CONDITION, 11, 0700, 0, 0),
	SLOT(CONDITION, 12, 0707, 3, 1), /* with the lock of slot 3 */
	SLOT(BARRIER, 13, 0707, 2, 0),
	SLOT(BARRIER, 14, 0700, 3, 1),
	SLOT(QUEUE, 15, 0707, 0, 0),
	SLOT(QUEUE, 16, 0700, QUEUE_JOINABLE, 4),
	SLOT(QUEUE, 17, 0707, QUEUE_LIFO | QUEUE_TTR, 3),
	SLOT(QUEUE, 18, 0700, QUEUE_PRIORITY | QUEUE_TTR | QUEUE_DEAD | QUEUE_BYTES, 0),
	SLOT(QUEUE, 19, 0707, 0, 0), /* dead letters of slot 18 */
	SLOT(PIPE, 20, 0707, 0, 0),
	SLOT(PIPE, 21, 0700, 1, 0),
	SLOT(VALUE, 22, 0707, 0, 0),
	SLOT(VALUE, 23, 0700, 'i', 0),
	SLOT(ARRAY, 24, 0707, 4, 0),
	SLOT(DICT, 25, 0700, 0, 0),
	SLOT(LIST, 26, 0707, 0, 0),
	SLOT(NAMESPACE, 27, 0700, 0, 0),
};
#define SLOTS ARRAY_LEN(slots)
#define SLOT_DEAD 19

struct client {
	struct channel channel;
	pid_t pid;
	uid_t uid;
	bool alive, open;
	bool stuck; /* the kernel takes nothing more for it */
	bool session;
	uint64_t read; /* of its connection's lines, truly */
};

/* What a call was told. */
struct told {
	int code;
	uint64_t v[6]; /* its verb's */
};

struct ask {
	struct client *client; /* NULL: the place is free */
	const struct verb *verb;
	size_t slot;
	uint64_t serial;
	struct want *parked;
	uint64_t first; /* thing that it puts, and how many */
	size_t n;
	struct told told;
};

static struct client clients[CLIENTS];
static struct ask asks[ASKS];

static struct {
	pid_t next_pid;
	uint64_t serial;
	size_t committed;                  /* records of the journal */
	uint64_t tokens, committed_tokens; /* the greatest that was told */
	uint64_t seen[SLOTS];              /* the token or claim that was told last */
	unsigned crashes, steps;
	bool immortal; /* objects have no ttl */
	/* The walk's; NULL: nobody listens. */
	void (*told)(const struct ask *);
} steps;

/* --- things ------------------------------------------------------------------------------------------------------- */

/* One thing that was put into a queue or a pipe. */
struct thing {
	uint64_t number;
	bool in;        /* its put was granted */
	bool committed; /* ... and is in the journal */
	bool settled;   /* acknowledged, or read by one who thereby owns it, or its object is gone */
	bool may_go;    /* an engine died between its answer and the client's word about it */
	bool left;      /* who was to read of it has hung up in this turn, and may come back with its session */
	bool seen;      /* by the check that is under way */
	bool read;      /* by one who was not told that it might come twice */
};
#define THINGS 1024
static struct thing things[THINGS];
static size_t nthings;
static uint64_t next_thing = 1;

static struct thing *thing_find(uint64_t number)
{
	for (size_t i = 0; i < nthings; i++)
		if (things[i].number == number)
			return &things[i];
	return NULL;
}

/* A letter's text ends with its item: ...,"item":7} */
static uint64_t thing_number(struct span text)
{
	uint64_t n = 0;
	const char *p = text.p, *end = text.p + text.n;
	for (const char *q = p; q + 7 < end; q++)
		if (!memcmp(q, "\"item\":", 7))
			p = q + 7;
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		n = 10 * n + (uint64_t)(*p - '0');
	return n;
}

static void things_in(uint64_t first, size_t n)
{
	struct thing *t;
	for (size_t i = 0; i < n; i++)
		if ((t = thing_find(first + i)))
			t->in = true;
}

/* They were never put. */
static void things_undo(uint64_t first, size_t n)
{
	struct thing *t;
	for (size_t i = 0; i < n; i++)
		if ((t = thing_find(first + i)))
			*t = things[--nthings];
}

/* What a client was told of and has not read yet; what it reads is its, unless it has to be acknowledged. */
struct delivery {
	struct client *client;
	uint64_t line, number, redelivered;
	bool manual;
};
static struct delivery deliveries[THINGS];
static size_t ndeliveries;

static void deliver(struct client *c, uint64_t number, uint64_t redelivered, bool manual)
{
	if (ndeliveries < THINGS)
		deliveries[ndeliveries++] = (struct delivery){c, c->channel.lines, number, redelivered, manual};
}

static void delivery_drop(size_t i) { deliveries[i] = deliveries[--ndeliveries]; }

static void read_one(const struct delivery *d)
{
	struct thing *t = thing_find(d->number);
	if (!t)
		return;
	assert_false(t->read && !d->redelivered);
	t->read |= !d->redelivered;
	if (!d->manual)
		t->settled = true;
}

/* The client reads all that the kernel has for it. */
static void client_reads(struct client *c)
{
	c->read = c->channel.written;
	for (size_t i = 0; i < ndeliveries;)
		if (deliveries[i].client == c && deliveries[i].line <= c->read) {
			read_one(&deliveries[i]);
			delivery_drop(i);
		} else {
			i++;
		}
}

static void deliveries_forget(const struct client *c, bool session)
{
	for (size_t i = 0; i < ndeliveries;)
		if (deliveries[i].client == c) {
			struct thing *t = thing_find(deliveries[i].number);
			if (t)
				t->left |= session;
			delivery_drop(i);
		} else {
			i++;
		}
}

/* --- who lives ---------------------------------------------------------------------------------------------------- */

static bool pid_alive(pid_t pid)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].pid == pid)
			return clients[i].alive;
	return false;
}

static int watch(struct owner *o) { return pid_alive(o->i.pid) ? 0 : -1; }

static bool all_read(struct channel *ch)
{
	const struct client *c = CONTAINER_OF(ch, struct client, channel);
	return c->read == ch->written;
}

/* Who has inherited a connection may read from it. */
static bool deserted(struct channel *ch) { return !CONTAINER_OF(ch, struct client, channel)->open; }

static struct asker asker_of(const struct client *c) { return (struct asker){.uid = c->uid, .gid = c->uid}; }

static void client_connect(struct client *c)
{
	size_t i = (size_t)(c - clients);
	if (c->open)
		return;
	if (!c->alive)
		c->pid = steps.next_pid++;
	c->alive = c->open = true;
	c->stuck = false;
	c->uid = i < OTHER_UID_FROM ? 1000 : 1001;
	c->session = i % 2;
	c->read = 0;
	channel_init(&c->channel, c->pid, c->uid);
	if (c->session) {
		uint8_t session[16] = {(uint8_t)(i + 1), (uint8_t)c->pid, (uint8_t)(c->pid >> 8)};
		channel_session(&c->channel, session);
	}
	channel_answered(&c->channel);
}

static void asks_drop(const struct client *c)
{
	for (size_t i = 0; i < ASKS; i++)
		if (asks[i].client == c) {
			assert_true(want_cancel(asks[i].parked, true));
			things_undo(asks[i].first, asks[i].n);
			asks[i].client = NULL;
		}
}

static void client_hangs_up(struct client *c, bool cut)
{
	if (!c->open)
		return;
	asks_drop(c);
	cut = cut && c->channel.written < c->channel.lines;
	channel_gone(&c->channel, !cut && c->read == c->channel.written, cut);
	deliveries_forget(c, c->session);
	c->open = false;
}

static void client_dies(struct client *c)
{
	struct owner *next;
	if (!c->alive)
		return;
	c->alive = false;
	for (struct owner *o = owner_by_pid(c->pid); o; o = next) {
		next = owner_next(o);
		owner_die(o);
	}
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct move {
	uint8_t op, who, slot, verb, arg, how;
};
enum { HOW_PROCESS = 2, HOW_OTHER = 3, HOW_TAG = 4, HOW_TIME = 56, HOW_UNANSWERED = 64 };

/* A call of a verb, on its way. */
struct call {
	struct client *client;
	size_t slot;
	const struct verb *verb;
	uint8_t arg;
	nsec_t timeout;
	bool unanswered;
	struct obj *obj;
	struct thread *thread;
	uint64_t first; /* thing that it puts, and how many */
	size_t n;
	struct told told;
	bool waits;
	struct fault fault;
};

struct verb {
	enum obj_kind kind; /* a kind whose objects have it ... */
	enum obj_kind also; /* ... and another one */
	const char *name;
	void (*run)(struct call *);
	void (*put)(struct want *, struct told *); /* what a want was granted, for those that may wait */
};

static nsec_t step_timeout(uint8_t how)
{
	static const nsec_t times[] = {NSEC_NEVER,       0,          NSEC_PER_SEC, 2 * NSEC_PER_SEC,
				       5 * NSEC_PER_SEC, NSEC_NEVER, NSEC_NEVER,   0};
	nsec_t t = times[(how & HOW_TIME) >> 3];
	return t && t != NSEC_NEVER ? t + (nsec_t)steps.serial : t; /* no two end at once */
}

static void ask_tell(struct ask *a, bool answered)
{
	if (answered)
		channel_answered(&a->client->channel);
	if (steps.told)
		steps.told(a);
}

static void check_token(uint64_t token)
{
	assert_true(token > steps.tokens);
	steps.tokens = token;
}

static void want_told(struct want *w, struct told *ret, struct client *c);

static void ask_granted(struct want *w)
{
	struct ask *a = w->call;
	want_told(w, &a->told, a->client);
	a->told.code = 0;
	things_in(a->first, a->n);
	ask_tell(a, !w->unanswered);
	a->client = NULL;
}

static void ask_failed(struct want *w, const struct fault *f)
{
	struct ask *a = w->call;
	a->told = (struct told){.code = f->code};
	things_undo(a->first, a->n);
	ask_tell(a, !w->unanswered);
	a->client = NULL;
}

/* NULL: there is no place to wait. */
static struct ask *ask_free(void)
{
	for (size_t i = 0; i < ASKS; i++)
		if (!asks[i].client)
			return &asks[i];
	return NULL;
}

/* As call_run() does it; the want has its ops, and what its kind needs. */
static void run(struct call *c, struct want *w)
{
	struct want *parked = NULL;
	struct ask *a = ask_free();
	*a = (struct ask){.client = c->client,
			  .verb = c->verb,
			  .slot = c->slot,
			  .serial = steps.serial,
			  .first = c->first,
			  .n = c->n};
	w->call = a;
	w->answer = ask_granted;
	w->obj = c->obj;
	w->thread = c->thread;
	w->channel = &c->client->channel;
	w->timeout = c->timeout;
	w->unanswered = c->unanswered;
	enum step end = want_run(w, &parked, &c->fault);
	a->parked = parked;
	c->waits = true; /* all is told by the ask */
	if (end == STEP_DONE)
		ask_granted(w);
	if (end == STEP_FAIL)
		ask_failed(w, &c->fault);
	if (end != STEP_WAIT && w->ops->done)
		w->ops->done(w);
	if (end != STEP_WAIT)
		thread_unused(c->thread);
}

/* --- locks -------------------------------------------------------------------------------------------------------- */

static struct mutex *mutex_of(struct call *c)
{
	struct mutex *m = NULL;
	if (c->slot != SLOTS && c->obj->class != &cond_class)
		return obj_mutex(c->obj);
	c->told.code = cond_mutex((struct cond *)c->obj, &m, &c->fault);
	return m;
}

static void do_acquire(struct call *c)
{
	struct mutex_want w = {.want.ops = &mutex_acquire_ops, .mutex = mutex_of(c), .count = 1};
	if (!w.mutex)
		return;
	c->obj = w.mutex->obj;
	run(c, &w.want);
}

static void put_acquire(struct want *w, struct told *ret)
{
	const struct mutex_want *mw = (struct mutex_want *)w;
	if (mw->depth == mw->count)
		check_token(mw->token);
	ret->v[0] = mw->token;
	ret->v[1] = mw->depth;
	ret->v[2] = mw->inconsistent;
	ret->v[3] = mw->death.at ? (uint64_t)mw->death.pid : 0;
}

static void do_release(struct call *c)
{
	struct mutex *m = mutex_of(c);
	struct mutex_release how = {.thread = c->thread,
				    .has_token = c->arg % 8 == 1,
				    .force = c->arg % 8 == 2,
				    .token = steps.seen[c->slot]};
	uint32_t depth = 0;
	if (!m)
		return;
	c->told.code = mutex_release(m, &how, &depth, &c->fault);
	c->told.v[0] = depth;
}

static void do_repair(struct call *c)
{
	struct mutex *m = mutex_of(c);
	if (m)
		c->told.code = mutex_repair(m, c->thread, &c->fault);
}

/* --- semaphores, events, conditions, barriers --------------------------------------------------------------------- */

static void do_sem_acquire(struct call *c)
{
	struct sem_want w = {.want.ops = &sem_acquire_ops, .n = 1 + c->arg % 4};
	c->told.code = sem_check((struct sem *)c->obj, w.n, &c->fault);
	if (!c->told.code)
		run(c, &w.want);
}

static void put_sem(struct want *w, struct told *ret)
{
	const struct sem_want *sw = (struct sem_want *)w;
	if (sw->token)
		check_token(sw->token);
	ret->v[0] = sw->token;
	ret->v[1] = (uint64_t)sw->value;
}

static void do_sem_release(struct call *c)
{
	struct sem_release how = {.thread = c->thread,
				  .has_token = c->arg & 4 && steps.seen[c->slot],
				  .token = steps.seen[c->slot],
				  .n = 1 + c->arg % 4};
	c->told.code = sem_release((struct sem *)c->obj, &how, &c->fault);
}

static void do_event_set(struct call *c) { event_set((struct event *)c->obj, c->thread); }
static void do_event_clear(struct call *c) { event_clear((struct event *)c->obj); }

static void do_event_wait(struct call *c)
{
	struct event_want w = {.want.ops = &event_wait_ops};
	run(c, &w.want);
}

static void put_event(struct want *w, struct told *ret) { ret->v[0] = ((struct event_want *)w)->set; }

static void do_cond_wait(struct call *c)
{
	struct cond_want w = {.lock.want.ops = &cond_wait_ops, .lock.mutex = mutex_of(c), .again = c->arg % 16 == 15};
	const struct want *other;
	LIST_EACH (other, &c->thread->wants, by_thread)
		if (other->obj == c->obj)
			w.lock.mutex = NULL; /* what waits there already does not call */
	if (w.lock.mutex)
		run(c, &w.lock.want);
}

static void put_cond(struct want *w, struct told *ret)
{
	put_acquire(w, ret);
	ret->v[4] = ((struct cond_want *)w)->notified;
}

static void do_notify(struct call *c)
{
	size_t woken = 0;
	c->told.code =
		cond_notify((struct cond *)c->obj, c->thread, c->arg % 4 ? c->arg % 4 : SIZE_MAX, &woken, &c->fault);
	c->told.v[0] = woken;
}

static void do_barrier_wait(struct call *c)
{
	struct barrier_want w = {.want.ops = &barrier_wait_ops, .action = c->arg % 4 == 1, .again = c->arg % 32 == 31};
	run(c, &w.want);
}

static void put_barrier(struct want *w, struct told *ret)
{
	const struct barrier_want *bw = (struct barrier_want *)w;
	ret->v[0] = bw->index;
	ret->v[1] = bw->generation;
	ret->v[2] = bw->run_action;
}

static void do_action_done(struct call *c)
{
	struct barrier *b = (struct barrier *)c->obj;
	uint64_t generation = b->i.generation - (c->arg % 8 == 1) + (c->arg % 8 == 2);
	c->told.code = barrier_action_done(b, c->thread, generation, c->arg & 8, &c->fault);
}

static void do_register(struct call *c) { barrier_register((struct barrier *)c->obj, c->thread); }
static void do_unregister(struct call *c)
{
	c->told.code = barrier_unregister((struct barrier *)c->obj, c->thread, &c->fault);
}
static void do_reset(struct call *c) { barrier_reset((struct barrier *)c->obj); }
static void do_abort(struct call *c) { barrier_abort((struct barrier *)c->obj); }

/* --- queues ------------------------------------------------------------------------------------------------------- */

/* The next number, followed from now on; "" when there are too many. */
static struct span thing_text(struct call *c, char room[32])
{
	if (nthings == THINGS)
		return (struct span){room, 0};
	if (c->n++ == 0)
		c->first = next_thing;
	things[nthings++] = (struct thing){.number = next_thing};
	return (struct span){room, (size_t)snprintf(room, 32, "%" PRIu64, next_thing++)};
}

static void do_put(struct call *c)
{
	struct put_want w = {.want.ops = &queue_put_ops, .many = c->arg & 64};
	const struct queue *q = (struct queue *)c->obj;
	struct item **link = &w.items;
	char room[32];
	for (unsigned n = w.many ? 1 + c->arg % 3 : 1; w.n < n; w.n++) {
		struct span text = thing_text(c, room);
		if (!text.n)
			break;
		*link = item_new(text, false, q->i.priority ? c->arg / 8 % 3 : 0);
		link = &(*link)->next;
		w.bytes += text.n;
	}
	if (w.n)
		run(c, &w.want);
	else
		c->told.code = FAULT_OVERLOADED;
}

static void put_put(struct want *w, struct told *ret)
{
	ret->v[0] = ((struct put_want *)w)->first;
	ret->v[1] = ((struct put_want *)w)->n;
}

static void do_get(struct call *c)
{
	const struct queue *q = (struct queue *)c->obj;
	struct get_want w = {.want.ops = &queue_get_ops,
			     .manual = c->arg & 1 || q->i.joinable,
			     .many = c->arg & 2,
			     .max = c->arg & 2 ? 1 + c->arg / 4 % 3 : 1};
	struct owner *own;
	if (!w.manual) { /* it is the connection's */
		thread_unused(c->thread);
		c->told.code = owner_find(&c->client->channel, 0, &own, &c->fault);
		if (c->told.code)
			return;
		c->thread = owner_thread(own, SPAN(""));
	}
	run(c, &w.want);
}

static void thing_told(struct client *c, const struct payload *p, uint64_t redelivered, bool manual, bool unanswered)
{
	uint64_t number = thing_number(payload_span(p));
	struct thing *t = thing_find(number);
	if (unanswered && t && !manual)
		t->settled = true;
	else if (!unanswered)
		deliver(c, number, redelivered || *p->p == '{', manual); /* a letter tells of it */
}

static void get_told(struct want *w, struct told *ret, struct client *client)
{
	struct get_want *gw = (struct get_want *)w;
	client->channel.lines++; /* its answer's line */
	for (const struct claim *c = gw->got; c; c = c->next) {
		check_token(c->hold.token);
		thing_told(client, c->item->payload, c->item->redelivered, c->manual, w->unanswered);
		ret->v[1]++;
		ret->v[4] = 31 * ret->v[4] + thing_number(payload_span(c->item->payload));
	}
	client->channel.lines--;
	ret->v[0] = gw->got->item->id;
	ret->v[2] = gw->got->manual ? gw->got->hold.token : 0;
	ret->v[3] = gw->got->item->redelivered;
	queue_answered(gw);
}

static void do_q_join(struct call *c)
{
	struct want w = {.ops = &queue_join_ops};
	run(c, &w);
}

static void thing_settled(const struct claim *c)
{
	struct thing *t = thing_find(thing_number(payload_span(c->item->payload)));
	if (t)
		t->settled = true;
}

static void settle(struct call *c, int (*how)(struct queue *, uint64_t, struct fault *), bool done)
{
	struct queue *q = (struct queue *)c->obj;
	const struct claim *claim = c->arg & 1 ? LIST_FIRST(&q->claimed, struct claim, by_queue) : NULL;
	uint64_t token = claim && claim->manual ? claim->hold.token : steps.seen[c->slot];
	claim = map_get(&q->claims, token);
	if (claim && done)
		thing_settled(claim);
	c->told.code = how(q, token, &c->fault);
	assert_true((c->told.code == 0) == (claim != NULL));
}

static void do_ack(struct call *c) { settle(c, queue_ack, true); }
static void do_nack(struct call *c) { settle(c, queue_nack, false); }
static int extend(struct queue *q, uint64_t token, struct fault *f) { return queue_extend(q, token, NSEC_PER_SEC, f); }
static void do_extend(struct call *c) { settle(c, extend, false); }

static void do_task_done(struct call *c)
{
	struct queue *q = (struct queue *)c->obj;
	const struct claim *claim, *oldest = NULL;
	LIST_EACH (claim, &q->claimed, by_queue)
		if (claim->manual && claim->hold.thread->owner == c->thread->owner &&
		    (!oldest || claim->hold.token < oldest->hold.token))
			oldest = claim;
	if (oldest)
		thing_settled(oldest);
	c->told.code = queue_task_done(q, c->thread, &c->fault);
	assert_int_equal(c->told.code, oldest ? 0 : FAULT_OVER_RELEASE);
}

static void do_close(struct call *c)
{
	if (c->arg % 4 == 0)
		queue_close((struct queue *)c->obj);
}
static void do_pause(struct call *c) { queue_pause((struct queue *)c->obj, c->arg & 1); }

/* --- pipes -------------------------------------------------------------------------------------------------------- */

static bool pipe_allows(struct call *c, bool send)
{
	c->told.code = pipe_may((struct pipe *)c->obj, c->arg & 1, send, &c->fault);
	return c->told.code == 0;
}

static void do_send(struct call *c)
{
	static char large[500 * 1024];
	struct send_want w = {.want.ops = &pipe_send_ops, .to = !(c->arg & 1)};
	char room[32];
	if (!pipe_allows(c, true))
		return;
	struct span text = thing_text(c, room);
	if (!text.n) {
		c->told.code = FAULT_OVERLOADED;
		return;
	}
	if (c->arg % 8 == 6) { /* 7 and much space: a pipe can be full of few */
		memset(large, ' ', sizeof(large));
		memcpy(large, text.p, text.n);
		text = (struct span){large, sizeof(large)};
	}
	w.payload = payload_new(text, false);
	run(c, &w.want);
}

static void do_recv(struct call *c)
{
	struct recv_want w = {.want.ops = &pipe_recv_ops, .end = c->arg & 1};
	struct owner *own;
	if (!pipe_allows(c, false))
		return;
	thread_unused(c->thread);
	c->told.code = owner_find(&c->client->channel, 0, &own, &c->fault);
	if (c->told.code)
		return;
	c->thread = owner_thread(own, SPAN(""));
	run(c, &w.want);
}

static void recv_told(struct want *w, struct told *ret, struct client *client)
{
	struct recv_want *rw = (struct recv_want *)w;
	check_token(rw->got->hold.token);
	client->channel.lines++;
	thing_told(client, rw->got->payload, rw->got->redelivered, false, w->unanswered);
	client->channel.lines--;
	ret->v[0] = rw->got->id;
	ret->v[1] = thing_number(payload_span(rw->got->payload));
	ret->v[3] = rw->got->redelivered;
	pipe_answered(rw);
}

static void do_poll(struct call *c)
{
	struct poll_want w = {.want.ops = &pipe_poll_ops, .end = c->arg & 1};
	if (pipe_allows(c, false))
		run(c, &w.want);
}

static void put_poll(struct want *w, struct told *ret) { ret->v[0] = ((struct poll_want *)w)->ready; }
static void do_hold(struct call *c) { pipe_hold((struct pipe *)c->obj, c->arg & 1, c->thread); }
static void do_drop(struct call *c)
{
	c->told.code = pipe_drop((struct pipe *)c->obj, c->arg & 1, c->thread, &c->fault);
}
static void do_pipe_close(struct call *c)
{
	if (c->arg % 4 == 0)
		pipe_close((struct pipe *)c->obj, c->arg / 4 & 1);
}

/* --- data --------------------------------------------------------------------------------------------------------- */

static struct span small_json(uint8_t arg)
{
	static const char *const texts[] = {"0", "1", "-7", "3", "2147483647", "{\"a\":[1,null]}", "\"x\"", "100"};
	return span_of(texts[arg % ARRAY_LEN(texts)]);
}

static void do_value_set(struct call *c)
{
	c->told.code = value_set((struct value *)c->obj, small_json(c->arg), &c->fault);
}
static void do_value_add(struct call *c)
{
	c->told.code = value_add((struct value *)c->obj, small_json(c->arg), &c->fault);
}
static void do_value_cas(struct call *c)
{
	struct value *v = (struct value *)c->obj;
	uint64_t version = v->i.version - (c->arg & 64 ? 1 : 0);
	struct span expect = c->arg & 128 ? small_json(c->arg / 8) : (struct span){NULL, 0};
	c->told.code = value_cas(v, expect, c->arg & 32 ? &version : NULL, small_json(c->arg), &c->fault);
}

static void do_value_wait(struct call *c)
{
	struct value_want w = {.want.ops = &value_wait_ops};
	c->told.code = value_want_x(&w, c->arg / 8 % 6, small_json(c->arg % 4), &c->fault);
	if (!c->told.code)
		run(c, &w.want);
}

static void put_value(struct want *w, struct told *ret) { (void)w, (void)ret; }

static void do_array_set(struct call *c)
{
	struct slice s = {.start = c->arg / 8 % 4, .step = 1, .n = 1, .is_index = true};
	c->told.code = array_set((struct array *)c->obj, &s, small_json(c->arg), &c->fault);
}

static struct span small_key(uint8_t arg)
{
	static const char *const keys[] = {"", "a", "b", "key"};
	return span_of(keys[arg / 8 % ARRAY_LEN(keys)]);
}

static void do_dict_set(struct call *c)
{
	c->told.code = dict_set((struct dict *)c->obj, small_key(c->arg), small_json(c->arg), &c->fault);
}
static void do_dict_incr(struct call *c)
{
	c->told.code = dict_incr((struct dict *)c->obj, small_key(c->arg), c->arg % 5 - 2, &c->fault);
}
static void do_dict_del(struct call *c)
{
	struct dict_entry *e;
	c->told.code = dict_find((struct dict *)c->obj, small_key(c->arg), &e, &c->fault);
	if (!c->told.code)
		dict_del((struct dict *)c->obj, e);
}
static void do_dict_clear(struct call *c) { dict_clear((struct dict *)c->obj); }

static void do_list_append(struct call *c)
{
	struct sequence *l = (struct sequence *)c->obj;
	struct values fresh;
	if (l->has.n > 20)
		return;
	c->told.code = values_read_one(&fresh, small_json(c->arg), &c->fault);
	if (!c->told.code)
		c->told.code = sequence_splice(l, c->arg / 8 % (l->has.n + 1), 0, &fresh, &c->fault);
	values_free(&fresh);
}
static void do_list_pop(struct call *c)
{
	struct sequence *l = (struct sequence *)c->obj;
	struct values nothing = {0};
	if (l->has.n)
		sequence_splice(l, c->arg % l->has.n, 1, &nothing, &c->fault);
}
static void do_list_reverse(struct call *c) { sequence_reverse((struct sequence *)c->obj); }
static void do_list_sort(struct call *c)
{
	c->told.code = sequence_sort((struct sequence *)c->obj, c->arg & 1, &c->fault);
}

/* --- all verbs ---------------------------------------------------------------------------------------------------- */

static const struct verb verbs[] = {
	{KIND_LOCK, KIND_RLOCK, "acquire", do_acquire, put_acquire},
	{KIND_LOCK, KIND_RLOCK, "release", do_release, NULL},
	{KIND_LOCK, KIND_RLOCK, "repair", do_repair, NULL},
	{KIND_CONDITION, KIND_CONDITION, "acquire", do_acquire, put_acquire},
	{KIND_CONDITION, KIND_CONDITION, "release", do_release, NULL},
	{KIND_CONDITION, KIND_CONDITION, "wait", do_cond_wait, put_cond},
	{KIND_CONDITION, KIND_CONDITION, "notify", do_notify, NULL},
	{KIND_SEMAPHORE, KIND_SEMAPHORE, "acquire", do_sem_acquire, put_sem},
	{KIND_SEMAPHORE, KIND_SEMAPHORE, "release", do_sem_release, NULL},
	{KIND_EVENT, KIND_EVENT, "set", do_event_set, NULL},
	{KIND_EVENT, KIND_EVENT, "clear", do_event_clear, NULL},
	{KIND_EVENT, KIND_EVENT, "wait", do_event_wait, put_event},
	{KIND_BARRIER, KIND_BARRIER, "wait", do_barrier_wait, put_barrier},
	{KIND_BARRIER, KIND_BARRIER, "wait", do_barrier_wait, put_barrier},
	{KIND_BARRIER, KIND_BARRIER, "action_done", do_action_done, NULL},
	{KIND_BARRIER, KIND_BARRIER, "register", do_register, NULL},
	{KIND_BARRIER, KIND_BARRIER, "unregister", do_unregister, NULL},
	{KIND_BARRIER, KIND_BARRIER, "reset", do_reset, NULL},
	{KIND_BARRIER, KIND_BARRIER, "abort", do_abort, NULL},
	{KIND_QUEUE, KIND_QUEUE, "put", do_put, put_put},
	{KIND_QUEUE, KIND_QUEUE, "get", do_get, NULL},
	{KIND_QUEUE, KIND_QUEUE, "ack", do_ack, NULL},
	{KIND_QUEUE, KIND_QUEUE, "nack", do_nack, NULL},
	{KIND_QUEUE, KIND_QUEUE, "extend", do_extend, NULL},
	{KIND_QUEUE, KIND_QUEUE, "task_done", do_task_done, NULL},
	{KIND_QUEUE, KIND_QUEUE, "join", do_q_join, NULL},
	{KIND_QUEUE, KIND_QUEUE, "close", do_close, NULL},
	{KIND_QUEUE, KIND_QUEUE, "pause", do_pause, NULL},
	{KIND_PIPE, KIND_PIPE, "send", do_send, NULL},
	{KIND_PIPE, KIND_PIPE, "recv", do_recv, NULL},
	{KIND_PIPE, KIND_PIPE, "poll", do_poll, put_poll},
	{KIND_PIPE, KIND_PIPE, "hold", do_hold, NULL},
	{KIND_PIPE, KIND_PIPE, "drop", do_drop, NULL},
	{KIND_PIPE, KIND_PIPE, "close", do_pipe_close, NULL},
	{KIND_VALUE, KIND_ARRAY, "acquire", do_acquire, put_acquire},
	{KIND_VALUE, KIND_ARRAY, "release", do_release, NULL},
	{KIND_VALUE, KIND_VALUE, "set", do_value_set, NULL},
	{KIND_VALUE, KIND_VALUE, "add", do_value_add, NULL},
	{KIND_VALUE, KIND_VALUE, "cas", do_value_cas, NULL},
	{KIND_VALUE, KIND_VALUE, "wait", do_value_wait, put_value},
	{KIND_ARRAY, KIND_ARRAY, "set", do_array_set, NULL},
	{KIND_DICT, KIND_NAMESPACE, "set", do_dict_set, NULL},
	{KIND_DICT, KIND_NAMESPACE, "incr", do_dict_incr, NULL},
	{KIND_DICT, KIND_NAMESPACE, "del", do_dict_del, NULL},
	{KIND_DICT, KIND_NAMESPACE, "clear", do_dict_clear, NULL},
	{KIND_LIST, KIND_LIST, "insert", do_list_append, NULL},
	{KIND_LIST, KIND_LIST, "pop", do_list_pop, NULL},
	{KIND_LIST, KIND_LIST, "reverse", do_list_reverse, NULL},
	{KIND_LIST, KIND_LIST, "sort", do_list_sort, NULL},
};

static void want_told(struct want *w, struct told *ret, struct client *c)
{
	const struct ask *a = w->call;
	*ret = (struct told){0};
	if (w->ops == &queue_get_ops)
		get_told(w, ret, c);
	else if (w->ops == &pipe_recv_ops)
		recv_told(w, ret, c);
	else if (a->verb->put)
		a->verb->put(w, ret);
	if (a->verb->put == put_acquire || a->verb->put == put_cond || a->verb->put == put_sem)
		steps.seen[a->slot] = ret->v[0];
	if (w->ops == &queue_get_ops && ret->v[2])
		steps.seen[a->slot] = ret->v[2];
}

static const struct verb *verb_of(enum obj_kind kind, uint8_t pick)
{
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		n += verbs[i].kind == kind || verbs[i].also == kind;
	n = pick % n;
	for (size_t i = 0;; i++)
		if ((verbs[i].kind == kind || verbs[i].also == kind) && n-- == 0)
			return &verbs[i];
}

/* --- objects ------------------------------------------------------------------------------------------------------ */

static struct obj *slot_obj(size_t slot)
{
	struct fault f;
	struct obj *o;
	return obj_find(&objworld_asker, span_of(slots[slot].name), KIND_ANY, RIGHT_CONTROL, &o, &f) ? NULL : o;
}

static struct obj *slot_make(size_t);

static void shape_lock(struct mutex *m, uint32_t how)
{
	m->i.strict = (how & LOCK_STRICT) != 0;
	m->i.keep = (how & LOCK_KEEP) != 0;
	m->i.any_owner = (how & LOCK_ANY) != 0;
}

static void shape_queue(struct queue *q, const struct slot *s)
{
	q->i = (struct queue_image){.next_id = 1,
				    .maxsize = s->b,
				    .max_bytes = s->a & QUEUE_BYTES ? 12 : 0,
				    .joinable = (s->a & QUEUE_JOINABLE) != 0,
				    .lifo = (s->a & QUEUE_LIFO) != 0,
				    .priority = (s->a & QUEUE_PRIORITY) != 0,
				    .max_deliveries = s->a & QUEUE_DEAD ? 2 : 0,
				    .ttr = s->a & QUEUE_TTR ? 3 * NSEC_PER_SEC : 0};
	strcpy(q->dead, s->a & QUEUE_DEAD ? slots[SLOT_DEAD].name : "");
}

static void slot_shape(struct obj *o, const struct slot *s)
{
	struct fault f;
	if (s->kind == KIND_LOCK || s->kind == KIND_RLOCK)
		shape_lock(obj_mutex(o), s->a);
	if (s->kind == KIND_SEMAPHORE)
		sem_shape((struct sem *)o, s->a, s->b & SEM_BOUNDED, s->b & SEM_UNOWNED);
	if (s->kind == KIND_EVENT)
		((struct event *)o)->i.ephemeral = s->a != 0;
	if (s->kind == KIND_CONDITION) {
		struct obj *lock = s->b ? slot_obj(s->a) : NULL;
		cond_shape((struct cond *)o, s->b && !lock ? slot_make(s->a) : lock);
	}
	if (s->kind == KIND_BARRIER)
		barrier_shape((struct barrier *)o, s->a, s->b, NSEC_NEVER);
	if (s->kind == KIND_QUEUE)
		shape_queue((struct queue *)o, s);
	if (s->kind == KIND_PIPE)
		((struct pipe *)o)->i.duplex = s->a != 0;
	if (s->kind == KIND_VALUE)
		assert_int_equal(value_begin((struct value *)o, (struct value_shape){(char)s->a, true}, SPAN("0"), &f),
				 0);
	if (s->kind == KIND_ARRAY)
		assert_int_equal(array_begin((struct array *)o, ctype_of('i'), true, NULL, s->a, &f), 0);
}

static struct obj *slot_make(size_t slot)
{
	const struct slot *s = &slots[slot];
	const struct make make = {
		.has_mode = true, .mode = s->mode, .ttl_idle = slot % 3 == 0 && !steps.immortal ? 4 * NSEC_PER_SEC : 0};
	struct obj *o;
	struct fault f;
	assert_int_equal(obj_new(&objworld_asker, span_of(s->name), s->kind, &make, &o, &f), 0);
	slot_shape(o, s);
	return o;
}

/* Calls EACH with every thing that lies in O. */
static void things_of(const struct obj *o, void (*each)(const struct payload *))
{
	const struct queue *q = (const struct queue *)o;
	const struct pipe *p = (const struct pipe *)o;
	const struct message *m;
	const struct item *item;
	const struct claim *c;
	for (size_t end = 0; o->class == &pipe_class && end < 2; end++) {
		LIST_EACH (m, &p->ends[end].messages, by_end)
			each(m->payload);
		LIST_EACH (m, &p->ends[end].unsure, by_end)
			each(m->payload);
	}
	if (o->class != &queue_class)
		return;
	LIST_EACH (item, &q->ready, by_queue)
		each(item->payload);
	for (size_t i = 0; q->i.priority && i < q->nready; i++)
		each(q->heap[i]->payload);
	LIST_EACH (c, &q->claimed, by_queue)
		each(c->item->payload);
}

static void thing_goes(const struct payload *p)
{
	struct thing *t = thing_find(thing_number(payload_span(p)));
	if (t)
		t->settled = true;
}

static void slot_delete(size_t slot, bool force, struct told *ret)
{
	struct obj *o = slot_obj(slot);
	struct fault f;
	if (o && force)
		things_of(o, thing_goes);
	ret->code = o ? obj_delete(o, force, &f) : FAULT_NOT_FOUND;
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

enum op {
	OP_CALL,
	OP_TURN,
	OP_READ,
	OP_PASS,
	OP_CANCEL,
	OP_HANG_UP,
	OP_DIE,
	OP_STUCK,
	OP_DELETE,
	OP_COMPACT,
	OP_CRASH,
	OP_COUNT
};

static int call_thread(struct call *c, const struct move *s)
{
	struct owner *owner;
	const struct client *other = &clients[s->arg % CLIENTS];
	pid_t who = (s->how & 3) < HOW_PROCESS ? 0 : c->client->pid;
	if ((s->how & 3) == HOW_OTHER && other->uid == c->client->uid)
		who = other->pid;
	int code = owner_find(&c->client->channel, who, &owner, &c->fault);
	if (!code)
		c->thread = owner_thread(owner, s->how & HOW_TAG ? SPAN("t") : SPAN(""));
	return code;
}

static int call_find(struct call *c)
{
	const struct asker who = asker_of(c->client);
	const struct slot *s = &slots[c->slot];
	if (!slot_obj(c->slot))
		slot_make(c->slot);
	return obj_find(&who, span_of(c->client->uid == 1000 ? s->name : s->foreign), s->kind, RIGHT_USE, &c->obj,
			&c->fault);
}

static void step_call(const struct move *s)
{
	struct call c = {.client = &clients[s->who % CLIENTS],
			 .slot = s->slot % SLOTS,
			 .arg = s->arg,
			 .timeout = step_timeout(s->how),
			 .unanswered = s->how & HOW_UNANSWERED && s->how & 128};
	if (!c.client->open)
		client_connect(c.client);
	c.verb = verb_of(slots[c.slot].kind, s->verb);
	c.told.code = call_find(&c);
	if (!c.told.code && !ask_free())
		c.told.code = FAULT_OVERLOADED;
	if (!c.told.code)
		c.told.code = call_thread(&c, s);
	if (c.told.code) {
		channel_answered(&c.client->channel);
	} else {
		c.verb->run(&c);
		if (c.waits)
			return;
		thread_unused(c.thread);
		if (!c.unanswered)
			channel_answered(&c.client->channel);
	}
	if (steps.told)
		steps.told(&(struct ask){
			.client = c.client, .verb = c.verb, .slot = c.slot, .serial = steps.serial, .told = c.told});
}

static void compact(void)
{
	objworld_forget();
	core_save_all();
	steps.committed = objworld.n;
}

/* The end of a turn: what it has changed is in the journal, and what was answered goes out. */
static void step_turn(void)
{
	objworld_turn();
	steps.committed = objworld.n;
	steps.committed_tokens = steps.tokens;
	for (size_t i = 0; i < nthings; i++) {
		things[i].committed |= things[i].in;
		things[i].left = false;
	}
	if (objworld.n > RECORDS_MAX)
		compact();
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].open && !clients[i].stuck)
			channel_wrote(&clients[i].channel);
}

static void step_pass(nsec_t time)
{
	core.now += time;
	timers_run(&core.timers, core.now);
}

static void step_cancel(const struct move *s)
{
	struct ask *a = &asks[s->arg % ASKS];
	if (a->client && want_cancel(a->parked, false)) {
		a->told = (struct told){.code = FAULT_CANCELLED};
		things_undo(a->first, a->n);
		ask_tell(a, true);
		a->client = NULL;
	}
}

/* What was not committed has never been, and was not told to anybody; its numbers may come again. */
static void things_crash(void)
{
	for (size_t i = 0; i < nthings;)
		if (things[i].committed) {
			things[i].may_go |= things[i].left;
			i++;
		} else {
			things[i] = things[--nthings];
		}
	for (size_t i = 0; i < ndeliveries; i++) {
		struct thing *t = thing_find(deliveries[i].number);
		if (t && deliveries[i].client->session)
			t->may_go = true;
	}
}

/* The engine dies, with what this turn has done; those who were connected connect again, or not (bits of WHO). */
static void step_crash(unsigned who)
{
	bool open[CLIENTS];
	nsec_t now = core.now;
	void (*told)(const struct ask *) = steps.told;
	steps.told = NULL; /* it tells nobody anything any more */
	for (size_t i = 0; i < CLIENTS; i++)
		if (clients[i].open && (steps.serial + i) % 2)
			client_reads(&clients[i]); /* the kernel has it still */
	things_crash();
	for (size_t i = 0; i < CLIENTS; i++) {
		open[i] = clients[i].open;
		client_hangs_up(&clients[i], false); /* frees what only the dying engine knows */
	}
	while (objworld.n > steps.committed)
		free((char *)objworld.v[--objworld.n].body.p);
	steps.tokens = steps.committed_tokens;
	core_done();
	objworld_start(objworld.v, objworld.n, now, false);
	steps.committed = objworld.n;
	steps.crashes++;
	steps.told = told;
	for (size_t i = 0; i < CLIENTS; i++)
		if (open[i] && who >> i & 1 && clients[i].alive)
			client_connect(&clients[i]);
}

static void step_read(const struct move *s)
{
	struct client *c = &clients[s->who % CLIENTS];
	if (!c->open)
		return;
	if (c->alive || s->arg & 1)
		client_reads(c);
	if (c->read == c->channel.written && s->arg & 2)
		channel_read(&c->channel); /* the engine has noticed */
}

static void step(const struct move *s)
{
	struct client *c = &clients[s->who % CLIENTS];
	struct told told;
	steps.serial++;
	steps.steps++;
	switch (s->op % OP_COUNT) {
	case OP_CALL:
		step_call(s);
		break;
	case OP_TURN:
		step_turn();
		break;
	case OP_READ:
		step_read(s);
		break;
	case OP_PASS:
		step_pass((nsec_t)(s->arg % 16) * (NSEC_PER_SEC / 4));
		break;
	case OP_CANCEL:
		step_cancel(s);
		break;
	case OP_HANG_UP:
		client_hangs_up(c, s->arg & 1);
		break;
	case OP_DIE:
		client_dies(c);
		break;
	case OP_STUCK:
		c->stuck = s->arg & 1;
		break;
	case OP_DELETE:
		slot_delete(s->slot % SLOTS, s->arg & 1, &told);
		break;
	case OP_COMPACT:
		step_turn(), compact();
		break;
	case OP_CRASH:
		step_crash(s->arg);
		break;
	}
}

static void steps_begin(void)
{
	steps.next_pid = 5000;
	steps.serial = steps.tokens = steps.committed_tokens = 0;
	steps.crashes = steps.steps = 0;
	memset(steps.seen, 0, sizeof(steps.seen));
	memset(asks, 0, sizeof(asks));
	memset(clients, 0, sizeof(clients));
	nthings = ndeliveries = 0;
	objworld.ceiling = 0;
	objworld.watch = watch;
	objworld.all_read = all_read;
	objworld.deserted = deserted;
	objworld.on_failed = ask_failed;
	objworld_begin();
	steps.committed = objworld.n;
	for (size_t i = 0; i < CLIENTS; i++)
		client_connect(&clients[i]);
}

MAYBE void steps_end(void)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		client_dies(&clients[i]);
		client_hangs_up(&clients[i], false);
	}
	objworld_turn();
	assert_true(list_empty(&core.owners));
	objworld_end();
}

#endif
