/* SPDX-License-Identifier: MIT */
/*
 * linear_client SOCKET HISTORY SEED CLIENTS OPS KILL_US SESSIONS SECONDS OBJECT...: what clients that are killed at any
 * moment see of locks, semaphores, queues and values: a history for tests/linear to judge.
 *
 * OBJECT: KIND:NAME:LIMIT:FLAGS. KIND: lock, sem, queue or value; a kind of which none lasts is not used. LIMIT:
 * permits, or the queue's maxsize. FLAGS: `m` its claims are acknowledged by hand, `s` short-lived: used only while its
 * turn among those of its kind lasts.
 *
 * CLIENTS processes do OPS operations in all; about every KILL_US microseconds one of them dies and another takes its
 * place: by kill -9 from outside, or by its own hand where that is rare otherwise (with an answer unread or half read;
 * by an exit with all that it holds). SESSIONS: they outlive the engine's deaths.
 *
 * 1. HISTORY is a shared mapping: what was recorded outlives its writer. A record's invocation is written before its
 *    request is sent, its outcome after its reply was read, its `end` last; without `end` it was not answered.
 * 2. A client is one connection and 1 to 3 fibers, each with a tag of its own, each with at most one request under way
 *    and at most one hold, while which it only asks for what does not wait: so no wait is for ever.
 * 3. What a client sends comes from SEED and its number alone; when it dies by its own hand, too.
 * 4. Each client's first act is to acquire the lock of its place, which it holds while it lives. So it is known when
 * the daemon had done with the one before.
 * 5. When all is done, one more client acquires what can be acquired, and empties the queues.
 *
 * Exit status: 0; 3 a call failed; 4 it took longer than SECONDS: somebody was not answered.
 */
#include "common/buf.h"
#include "common/scan.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define FIBERS_MAX 3
#define LIVES_MAX 65536
#define OBJECTS_MAX 8192
#define CLIENTS_MAX 64
#define FOREVER_US (-1)
#define DRAIN_US 10000000 /* how long the last client waits for what must come */

/* --- the history: tests/linear/history.py reads the same ---------------------------------------------------------- */

enum kind { LOCK, SEM, QUEUE, VALUE, KINDS };
enum verb {
	LOCK_ACQUIRE,
	LOCK_RELEASE,
	LOCK_LOCKED,
	SEM_ACQUIRE,
	SEM_RELEASE,
	SEM_VALUE,
	QUEUE_PUT,
	QUEUE_GET,
	QUEUE_ACK,
	QUEUE_NACK,
	QUEUE_SIZE,
	VALUE_GET,
	VALUE_SET,
	VALUE_ADD,
	VALUE_CAS,
	VALUE_WAIT,
	VERBS,
};
/* How a client ended. UNREAD: killed, and of what was not recorded as answered nothing was read whole. LEFT: it exited
 * with all it held, and had read all there was. */
enum fate { RUNNING, FINISHED, KILLED, UNREAD, LEFT };

struct life {
	int32_t pid;
	uint32_t fibers, fate, place, drains, unused;
	int64_t born, dying, dead; /* it lived until DYING at least, and no longer than DEAD */
	int64_t gone;              /* the daemon had seen its end; 0: that is not known */
};

struct record {
	int64_t begin, end; /* CLOCK_MONOTONIC, ns; end 0: not answered */
	uint32_t life, fiber, verb, object;
	int64_t args[2];
	int32_t timeout_us, code; /* code: 0, or the error's */
	int64_t result[4];
};

struct header {
	uint32_t record_size, life_size, lives_max, objects;
	_Atomic uint32_t lives, stop;
	_Atomic uint64_t records;
	uint64_t records_max, target;
	struct life life[LIVES_MAX];
};

static struct {
	struct header *head;
	struct record *records;
} history;

/* --- what there is, and what was asked for ------------------------------------------------------------------------ */

struct object {
	enum kind kind;
	const char *name;
	int64_t limit;
	bool manual, brief;
};

static struct object objects[OBJECTS_MAX];
/* By kind: the numbers of those that stay, and of the short-lived. */
static struct {
	uint32_t lasting[OBJECTS_MAX], brief[OBJECTS_MAX];
	size_t nlasting, nbrief;
} known[KINDS];

static struct {
	const char *socket;
	uint64_t seed, clients, kill_us;
	bool sessions;
	int64_t deadline;
	pid_t pid; /* of who starts and kills */
} run;

static int64_t now(void) { return sys_clock(CLOCK_MONOTONIC); }

static void die(const char *what)
{
	perror(what);
	exit(3);
}

static void must(bool good, const char *what)
{
	if (!good)
		die(what);
}

/* splitmix64 */
static uint64_t chance(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* --- a client ----------------------------------------------------------------------------------------------------- */

/* Of the object HELD; a claim is one, too. */
struct hold {
	bool is;
	uint32_t object;
	int64_t token, count;
};

struct fiber {
	struct record *open; /* the operation under way, or NULL */
	struct buf line;     /* its request */
	struct hold hold;
	int64_t stale; /* a token or claim that was settled, of stale_object */
	uint32_t stale_object;
	int64_t seen, seen_version; /* last of seen_object */
	uint32_t seen_object;
	bool over;
};

static struct {
	struct life *life;
	uint32_t number;
	uint32_t place;
	bool placed;
	uint64_t random;
	int fd;
	uint64_t requests;
	struct fiber fibers[FIBERS_MAX];
	struct buf out, in;
} me;

static uint64_t one_of(uint64_t n) { return chance(&me.random) % n; }

static const char *const methods[VERBS] = {
	[LOCK_ACQUIRE] = "lock.acquire",     [LOCK_RELEASE] = "lock.release",     [LOCK_LOCKED] = "lock.locked",
	[SEM_ACQUIRE] = "semaphore.acquire", [SEM_RELEASE] = "semaphore.release", [SEM_VALUE] = "semaphore.value",
	[QUEUE_PUT] = "queue.put",           [QUEUE_GET] = "queue.get",           [QUEUE_ACK] = "queue.ack",
	[QUEUE_NACK] = "queue.nack",         [QUEUE_SIZE] = "queue.size",         [VALUE_GET] = "value.get",
	[VALUE_SET] = "value.set",           [VALUE_ADD] = "value.add",           [VALUE_CAS] = "value.cas",
	[VALUE_WAIT] = "value.wait",
};

/* What args mean, as parameters; the second %lld is there only where it says so. */
static const char *const parameters[VERBS] = {
	[SEM_ACQUIRE] = ",\"n\":%" PRId64,
	[QUEUE_PUT] = ",\"item\":%" PRId64,
	[QUEUE_ACK] = ",\"claim\":%" PRId64,
	[QUEUE_NACK] = ",\"claim\":%" PRId64,
	[VALUE_SET] = ",\"value\":%" PRId64,
	[VALUE_ADD] = ",\"delta\":%" PRId64,
	[VALUE_CAS] = ",\"expect\":%" PRId64 ",\"value\":%" PRId64,
	[VALUE_WAIT] = ",\"op\":\"!=\",\"x\":%" PRId64,
};

/* Where the results lie in the reply's result, and then in the record's; of errors in their data. */
static const char *const results[VERBS][4] = {
	[LOCK_ACQUIRE] = {"token", NULL, "abandoned"},
	[LOCK_LOCKED] = {"locked"},
	[SEM_ACQUIRE] = {"token", "value"},
	[SEM_RELEASE] = {NULL, "value"},
	[SEM_VALUE] = {NULL, "value"},
	[QUEUE_PUT] = {"id"},
	[QUEUE_GET] = {"id", "item", "claim", "redelivered"},
	[QUEUE_SIZE] = {"size"},
	[VALUE_GET] = {"version", "value"},
	[VALUE_SET] = {"version"},
	[VALUE_ADD] = {"version", "value"},
	[VALUE_CAS] = {"version", "value"},
	[VALUE_WAIT] = {"version", "value"},
};

static bool has_timeout(enum verb v)
{
	return v == LOCK_ACQUIRE || v == SEM_ACQUIRE || v == QUEUE_PUT || v == QUEUE_GET || v == VALUE_WAIT;
}

/* With a tag each fiber is an owner's thread of its own. */
static bool has_tag(enum verb v)
{
	return v == LOCK_ACQUIRE || v == LOCK_RELEASE || v == SEM_ACQUIRE || v == SEM_RELEASE || v == QUEUE_GET;
}

static bool is_release(enum verb v) { return v == LOCK_RELEASE || v == SEM_RELEASE; }

/* The number of the fiber is in the id: what is answered finds its asker. */
static void fiber_write(struct fiber *f, const struct record *r, bool show_token)
{
	uint32_t number = (uint32_t)(f - me.fibers);
	buf_clear(&f->line, SIZE_MAX);
	buf_printf(&f->line, "{\"id\":%" PRIu64 ",\"method\":\"%s\",\"params\":{\"name\":\"%s\"",
		   me.requests++ * FIBERS_MAX + number, methods[r->verb], objects[r->object].name);
	if (parameters[r->verb]) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_printf(&f->line, parameters[r->verb], r->args[0], r->args[1]);
#pragma GCC diagnostic pop
	}
	if (is_release(r->verb) && show_token)
		buf_printf(&f->line, ",\"token\":%" PRId64, r->args[0]);
	if (r->verb == SEM_RELEASE)
		buf_printf(&f->line, ",\"n\":%" PRId64, r->args[1]);
	if (r->verb == QUEUE_GET && objects[r->object].manual)
		buf_puts(&f->line, ",\"ack\":\"manual\"");
	if (has_timeout(r->verb) && r->timeout_us != FOREVER_US)
		buf_printf(&f->line, ",\"timeout\":%d.%06d", r->timeout_us / 1000000, r->timeout_us % 1000000);
	if (has_tag(r->verb))
		buf_printf(&f->line, ",\"tag\":\"%u\"", number);
	buf_puts(&f->line, "}}\n");
}

/* Begins an operation, unless the history is full. */
static void fiber_ask(struct fiber *f, enum verb verb, uint32_t object, int64_t a, int64_t b, int32_t timeout_us,
		      bool show_token)
{
	uint64_t at = atomic_fetch_add(&history.head->records, 1);
	must(at < history.head->records_max, "the history is full");
	struct record *r = f->open = &history.records[at];
	r->life = me.number;
	r->fiber = (uint32_t)(f - me.fibers);
	r->verb = verb;
	r->object = object;
	r->args[0] = a;
	r->args[1] = b;
	r->timeout_us = timeout_us;
	fiber_write(f, r, show_token);
	atomic_thread_fence(memory_order_release);
	r->begin = now();
	buf_span(&me.out, buf_view(&f->line));
}

/* --- what it does next -------------------------------------------------------------------------------------------- */

static int32_t any_timeout(bool may_wait_for_ever)
{
	uint64_t n = one_of(10);
	if (n < 3)
		return 0;
	return n < 6 && may_wait_for_ever ? FOREVER_US : (int32_t)(200 + one_of(4000));
}

static enum kind any_kind(void)
{
	static const enum kind kinds[] = {LOCK, LOCK, SEM, SEM, QUEUE, QUEUE, QUEUE, VALUE};
	enum kind kind;
	do
		kind = kinds[one_of(ARRAY_LEN(kinds))];
	while (known[kind].nlasting == 0);
	return kind;
}

static uint32_t any_object(enum kind kind)
{
	uint64_t done = atomic_load(&history.head->records);
	if (known[kind].nbrief > 0 && one_of(6) == 0) {
		uint64_t turn = done * known[kind].nbrief / (history.head->target + 1);
		return known[kind].brief[MIN(turn, known[kind].nbrief - 1)];
	}
	return known[kind].lasting[one_of(known[kind].nlasting)];
}

/* No two items are the same, and no two that a value is set to. */
static int64_t new_item(void) { return (int64_t)(me.number + 1) << 36 | (int64_t)(me.requests << 12); }

static void lock_next(struct fiber *f, uint32_t object)
{
	uint64_t n = one_of(10);
	if (n == 0)
		fiber_ask(f, LOCK_LOCKED, object, 0, 0, 0, false);
	else if (n == 1 && f->stale && f->stale_object == object)
		fiber_ask(f, LOCK_RELEASE, object, f->stale, 0, 0, true);
	else
		fiber_ask(f, LOCK_ACQUIRE, object, 0, 0, any_timeout(true), false);
}

static void sem_next(struct fiber *f, uint32_t object)
{
	uint64_t n = one_of(10);
	if (n == 0)
		fiber_ask(f, SEM_VALUE, object, 0, 0, 0, false);
	else if (n == 1 && f->stale && f->stale_object == object)
		fiber_ask(f, SEM_RELEASE, object, f->stale, 1, 0, true);
	else
		fiber_ask(f, SEM_ACQUIRE, object, 1 + (int64_t)one_of(2), 0, any_timeout(true), false);
}

/* A little more is taken than put, so that a queue without limit stays short. */
static void queue_next(struct fiber *f, uint32_t object)
{
	uint64_t n = one_of(20);
	if (n == 0)
		fiber_ask(f, QUEUE_SIZE, object, 0, 0, 0, false);
	else if (n == 1 && f->stale && f->stale_object == object)
		fiber_ask(f, QUEUE_ACK, object, f->stale, 0, 0, false);
	else if (n < 10)
		fiber_ask(f, QUEUE_PUT, object, new_item(), 0, any_timeout(false), false);
	else
		fiber_ask(f, QUEUE_GET, object, 0, 0, any_timeout(false), false);
}

/* A value is compared with what was seen of it last, which is often out of date. */
static void value_next(struct fiber *f, uint32_t object)
{
	uint64_t n = one_of(20);
	int64_t seen = f->seen_object == object ? f->seen : 0;
	if (n < 5)
		fiber_ask(f, VALUE_GET, object, 0, 0, 0, false);
	else if (n < 8)
		fiber_ask(f, VALUE_SET, object, new_item(), 0, 0, false);
	else if (n < 13)
		fiber_ask(f, VALUE_ADD, object, 1 + (int64_t)one_of(1000), 0, 0, false);
	else if (n < 19 || f->hold.is)
		fiber_ask(f, VALUE_CAS, object, seen, new_item(), 0, false);
	else
		fiber_ask(f, VALUE_WAIT, object, seen, 0, any_timeout(false), false);
}

static void (*const next[KINDS])(struct fiber *, uint32_t object) = {lock_next, sem_next, queue_next, value_next};

/* Lets go of what it holds; a claim is sometimes given back. */
static void fiber_settle(struct fiber *f)
{
	struct hold h = f->hold;
	static const enum verb verbs[] = {[LOCK] = LOCK_RELEASE, [SEM] = SEM_RELEASE, [QUEUE] = QUEUE_ACK};
	enum verb verb = verbs[objects[h.object].kind];
	if (verb == QUEUE_ACK && one_of(5) == 0)
		verb = QUEUE_NACK;
	f->hold.is = false;
	f->stale = h.token;
	f->stale_object = h.object;
	fiber_ask(f, verb, h.object, h.token, h.count, 0, verb == SEM_RELEASE || one_of(2));
}

static bool stopped(void) { return atomic_load(&history.head->stop) != 0; }

static void fiber_next(struct fiber *f)
{
	if (f->hold.is && (stopped() || one_of(3) > 0 || known[VALUE].nlasting == 0))
		fiber_settle(f);
	else if (stopped())
		f->over = true;
	else {
		enum kind kind = f->hold.is ? VALUE : any_kind();
		next[kind](f, any_object(kind));
	}
}

/* --- what it is told ---------------------------------------------------------------------------------------------- */

/* An integer, or a bool; of an object the pid that it names. */
static int64_t number_of(struct span value)
{
	int64_t n = 0;
	switch (scan_type(value)) {
	case SCAN_TRUE:
		return 1;
	case SCAN_OBJECT:
		return number_of(scan_get(value, "pid"));
	default:
		scan_i64(value, &n);
		return n;
	}
}

static void record_result(struct record *r, struct span reply)
{
	struct span from = scan_get(reply, "result");
	if (!from.n) {
		struct span error = scan_get(reply, "error");
		r->code = (int32_t)number_of(scan_get(error, "code"));
		from = scan_get(error, "data");
		must(r->code != 0, "a reply with neither result nor error");
	}
	for (size_t i = 0; i < 4; i++) {
		const char *name = results[r->verb][i];
		struct span value = name && from.n ? scan_get(from, name) : (struct span){NULL, 0};
		if (value.n)
			r->result[i] = number_of(value);
	}
}

static void fiber_answered(struct fiber *f, struct span reply)
{
	struct record *r = f->open;
	record_result(r, reply);
	int64_t end = now();
	atomic_thread_fence(memory_order_release);
	r->end = end;
	f->open = NULL;
	bool takes = r->verb == LOCK_ACQUIRE || r->verb == SEM_ACQUIRE;
	if (r->code == 0 && takes)
		f->hold = (struct hold){true, r->object, r->result[0], r->args[0]};
	if (r->code == 0 && r->verb == QUEUE_GET && objects[r->object].manual)
		f->hold = (struct hold){true, r->object, r->result[2], 0};
	if (objects[r->object].kind == VALUE && r->result[0] && r->verb != VALUE_SET) {
		f->seen_object = r->object;
		f->seen = r->code == 0 && r->verb == VALUE_CAS ? r->args[1] : r->result[1];
	}
}

/* Of mpd.hello, or the place's lock. */
static void line_take_own(struct span line)
{
	must(scan_get(line, "result").n > 0, "an error where there can be none");
	me.placed = me.placed || scan_get(scan_get(line, "result"), "token").n > 0;
}

static void line_take(struct span line)
{
	struct scan_error error;
	int64_t id;
	if (scan_check(line, &line, &error)) {
		fprintf(stderr, "linear_client: %s: %.*s\n", error.what, (int)line.n, line.p);
		exit(3);
	}
	if (scan_i64(scan_get(line, "id"), &id)) {
		line_take_own(line);
		return;
	}
	struct fiber *f = &me.fibers[id % FIBERS_MAX];
	must(id >= 0 && f->open, "an answer that nobody asked for");
	fiber_answered(f, line);
}

static void lines_take(void)
{
	char *end, *p = me.in.p;
	size_t left = me.in.len;
	while ((end = memchr(p, '\n', left))) {
		line_take((struct span){p, (size_t)(end - p)});
		left -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	buf_eat(&me.in, me.in.len - left);
}

/* --- its connection ----------------------------------------------------------------------------------------------- */

static bool try_connect(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	must(strlen(run.socket) < sizeof(addr.sun_path), run.socket);
	strcpy(addr.sun_path, run.socket);
	me.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(me.fd >= 0, "socket");
	if (connect(me.fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return true;
	close(me.fd);
	return false;
}

/* A place's lock is acquired once in a life: its number can be the id. */
static void place_ask(void)
{
	buf_printf(&me.out, "{\"id\":\"%u\",\"method\":\"lock.acquire\",\"params\":{\"name\":\"place-%u\"}}\n",
		   me.place, me.place);
}

/* Says its session, and asks again for what was not answered. */
static void client_connect(void)
{
	while (!try_connect())
		must(run.sessions && now() < run.deadline && poll(NULL, 0, 1) == 0, run.socket);
	buf_clear(&me.in, SIZE_MAX);
	buf_clear(&me.out, SIZE_MAX);
	if (run.sessions)
		buf_printf(&me.out,
			   "{\"id\":\"hello\",\"method\":\"mpd.hello\",\"params\":{\"session\":\"%016" PRIx64
			   "%016" PRIx64 "\"}}\n",
			   run.seed, (uint64_t)me.number);
	if (!me.placed)
		place_ask();
	for (size_t i = 0; i < me.life->fibers; i++)
		if (me.fibers[i].open)
			buf_span(&me.out, buf_view(&me.fibers[i].line));
}

static void client_lost(void)
{
	must(run.sessions, "the connection was lost");
	close(me.fd);
	client_connect();
}

static void client_send(void)
{
	while (me.out.len > 0) {
		ssize_t n = RETRY(send(me.fd, me.out.p, me.out.len, MSG_NOSIGNAL));
		if (n < 0)
			client_lost();
		else
			buf_eat(&me.out, (size_t)n);
	}
}

static void client_read(void)
{
	char *room = buf_room(&me.in, 65536);
	must(room, "memory");
	ssize_t n = RETRY(read(me.fd, room, 65536));
	if (n <= 0) {
		client_lost();
		return;
	}
	me.in.len += (size_t)n;
	lines_take();
}

/* Once the place's lock is ours, the end of who held it has been seen. */
static void place_take(uint32_t place, struct life *before)
{
	me.place = place;
	me.placed = false;
	place_ask();
	while (!me.placed) {
		client_send();
		client_read();
	}
	if (before)
		before->gone = now();
}

/* --- how it ends -------------------------------------------------------------------------------------------------- */

static void client_die(enum fate fate)
{
	me.life->dying = now();
	me.life->fate = fate;
	if (fate == LEFT)
		_exit(0);
	raise(SIGKILL);
}

/* One of so many answers is the last. */
static bool is_last(void) { return run.kill_us && one_of(1200) == 0; }

static void maybe_die_unread(void)
{
	char some[16];
	if (!is_last())
		return;
	/* No reply is that short. Where the engine has died there is none. */
	if (one_of(3) == 0 && read(me.fd, some, 1 + one_of(sizeof(some))) < 0)
		must(run.sessions, "read");
	client_die(UNREAD);
}

static void maybe_die_after_reading(void)
{
	if (is_last() && me.in.len == 0)
		client_die(one_of(2) ? LEFT : KILLED);
}

static bool client_turn(void)
{
	bool busy = false;
	for (size_t i = 0; i < me.life->fibers; i++) {
		struct fiber *f = &me.fibers[i];
		if (!f->open && !f->over)
			fiber_next(f);
		busy = busy || f->open;
	}
	client_send();
	if (!busy)
		return false;
	struct pollfd fd = {me.fd, POLLIN, 0};
	must(RETRY(poll(&fd, 1, -1)) > 0, "poll");
	maybe_die_unread();
	client_read();
	maybe_die_after_reading();
	return true;
}

/* --- the last one ------------------------------------------------------------------------------------------------- */

static const struct record *drain_ask(enum verb verb, uint32_t object, int64_t a, int64_t b, int32_t timeout_us)
{
	struct fiber *f = &me.fibers[0];
	fiber_ask(f, verb, object, a, b, timeout_us, true);
	const struct record *r = f->open;
	do {
		client_send();
		client_read();
	} while (f->open);
	return r;
}

static void drain_hold(enum verb acquire, uint32_t object, int64_t n)
{
	const struct record *r = drain_ask(acquire, object, n, 0, DRAIN_US);
	if (r->code == 0)
		drain_ask(acquire == LOCK_ACQUIRE ? LOCK_RELEASE : SEM_RELEASE, object, r->result[0], n, 0);
}

static void drain_queue(uint32_t object)
{
	const struct record *r;
	while ((r = drain_ask(QUEUE_GET, object, 0, 0, objects[object].brief ? 0 : 100000))->code == 0)
		if (objects[object].manual)
			drain_ask(QUEUE_ACK, object, r->result[2], 0, 0);
}

static void drain(uint32_t object)
{
	switch (objects[object].kind) {
	case LOCK:
		drain_hold(LOCK_ACQUIRE, object, 0);
		drain_ask(LOCK_LOCKED, object, 0, 0, 0);
		break;
	case SEM:
		drain_hold(SEM_ACQUIRE, object, objects[object].limit);
		drain_ask(SEM_VALUE, object, 0, 0, 0);
		break;
	case QUEUE:
		drain_queue(object);
		break;
	default:
		drain_ask(VALUE_GET, object, 0, 0, 0);
	}
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

struct place {
	pid_t pid; /* 0: empty */
	struct life *life;
};

/* One for each client, and one for the last of all. */
static struct place places[CLIENTS_MAX + 1];

static void drain_all(void)
{
	for (uint32_t i = 0; i < run.clients; i++)
		place_take(i, places[i].life);
	for (uint32_t i = 0; i < history.head->objects; i++)
		drain(i);
}

static void client_main(struct life *before)
{
	me.random = run.seed * 1000003 + me.number;
	chance(&me.random);
	if (!me.life->drains)
		me.life->fibers = 1 + (uint32_t)one_of(FIBERS_MAX);
	me.placed = true;
	client_connect();
	if (me.life->drains) {
		drain_all();
	} else {
		place_take(me.life->place, before);
		while (client_turn())
			;
	}
	me.life->dying = now();
	me.life->fate = FINISHED;
	_exit(0);
}

/* --- who starts and kills them ------------------------------------------------------------------------------------ */

static void place_fill(struct place *p, bool drains)
{
	uint32_t number = atomic_fetch_add(&history.head->lives, 1);
	must(number < LIVES_MAX, "too many lives");
	struct life *before = p->life;
	p->life = me.life = &history.head->life[number];
	me.number = number;
	p->life->born = now();
	p->life->fibers = 1;
	p->life->place = (uint32_t)(p - places);
	p->life->drains = drains;
	p->pid = fork();
	must(p->pid >= 0, "fork");
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		me.life->pid = getpid();
		client_main(before);
	}
	p->life->pid = p->pid;
}

static void place_kill(struct place *p)
{
	if (p->pid <= 0)
		return;
	/* Where it has already written how it ends, that stands. */
	int64_t at = now();
	kill(p->pid, SIGKILL);
	RETRY(waitpid(p->pid, NULL, 0));
	p->life->dead = now();
	if (p->life->fate == RUNNING) {
		p->life->dying = at;
		p->life->fate = KILLED;
	}
	p->pid = 0;
}

static void check_end(const struct place *p, int status)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		fprintf(stderr, "linear_client: client %d ended with status %d\n", p->pid, status);
		exit(3);
	}
}

/* Notes who has ended; the number of those who live. */
static size_t places_reap(void)
{
	size_t living = 0;
	for (size_t i = 0; i <= run.clients; i++) {
		struct place *p = &places[i];
		int status;
		if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid) {
			p->life->dead = now();
			check_end(p, status);
			p->pid = 0;
		}
		living += p->pid > 0;
	}
	return living;
}

/* All that is still there goes when this process does, however it ends. */
static void places_clear(void)
{
	if (getpid() != run.pid)
		return;
	for (size_t i = 0; i <= run.clients; i++)
		place_kill(&places[i]);
}

static void stuck(void)
{
	places_clear();
	fprintf(stderr, "linear_client: not all was answered in time\n");
	exit(4);
}

static void pause_us(uint64_t us)
{
	struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
	nanosleep(&t, NULL);
}

/* Keeps all places filled and kills in them until enough was asked. */
static void keep_going(uint64_t *random)
{
	int64_t next_kill = now();
	while (atomic_load(&history.head->records) < history.head->target) {
		if (now() > run.deadline)
			stuck();
		places_reap();
		for (size_t i = 0; i < run.clients; i++)
			if (places[i].pid == 0)
				place_fill(&places[i], false);
		if (run.kill_us && now() >= next_kill) {
			place_kill(&places[chance(random) % run.clients]);
			next_kill = now() + (int64_t)(1000 * (run.kill_us / 2 + chance(random) % run.kill_us));
		}
		pause_us(1000);
	}
}

static void wait_for_all(void)
{
	while (places_reap() > 0) {
		if (now() > run.deadline)
			stuck();
		pause_us(1000);
	}
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static void history_make(const char *path, uint64_t ops)
{
	size_t records_max = ops + ops / 2 + 100000;
	size_t size = sizeof(struct header) + records_max * sizeof(struct record);
	AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	must(fd >= 0 && ftruncate(fd, (off_t)size) == 0, path);
	history.head = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(history.head != MAP_FAILED, "mmap");
	history.records = (struct record *)(history.head + 1);
	history.head->record_size = sizeof(struct record);
	history.head->life_size = sizeof(struct life);
	history.head->lives_max = LIVES_MAX;
	history.head->records_max = records_max;
	history.head->target = ops;
}

static void object_add(char *text)
{
	static const char *const kinds[KINDS] = {"lock", "sem", "queue", "value"};
	uint32_t number = history.head->objects++;
	must(number < OBJECTS_MAX, "too many objects");
	struct object *o = &objects[number];
	const char *kind = strsep(&text, ":"), *name = strsep(&text, ":"), *limit = strsep(&text, ":");
	must(limit && text, "OBJECT: KIND:NAME:LIMIT:FLAGS");
	while (o->kind < KINDS && strcmp(kind, kinds[o->kind]))
		o->kind++;
	must(o->kind < KINDS, kind);
	o->name = name;
	o->limit = atoll(limit);
	o->manual = strchr(text, 'm');
	o->brief = strchr(text, 's');
	if (o->brief)
		known[o->kind].brief[known[o->kind].nbrief++] = number;
	else
		known[o->kind].lasting[known[o->kind].nlasting++] = number;
}

static void check_arguments(void)
{
	must(run.clients >= 1 && run.clients <= CLIENTS_MAX, "CLIENTS");
	size_t lasting = 0;
	for (size_t i = 0; i < KINDS; i++)
		lasting += known[i].nlasting;
	must(lasting > 0, "an object that is not short-lived");
}

int main(int argc, char **argv)
{
	if (argc < 10) {
		fprintf(stderr,
			"usage: linear_client SOCKET HISTORY SEED CLIENTS OPS KILL_US SESSIONS SECONDS OBJECT...\n");
		return 3;
	}
	run.pid = getpid();
	run.socket = argv[1];
	run.seed = strtoull(argv[3], NULL, 10);
	run.clients = strtoull(argv[4], NULL, 10);
	run.kill_us = strtoull(argv[6], NULL, 10);
	run.sessions = atoi(argv[7]);
	run.deadline = now() + atoll(argv[8]) * NSEC_PER_SEC;
	history_make(argv[2], strtoull(argv[5], NULL, 10));
	for (int i = 9; i < argc; i++)
		object_add(argv[i]);
	check_arguments();
	atexit(places_clear);
	uint64_t random = run.seed;
	keep_going(&random);
	atomic_store(&history.head->stop, 1);
	wait_for_all();
	place_fill(&places[run.clients], true);
	wait_for_all();
	return 0;
}
