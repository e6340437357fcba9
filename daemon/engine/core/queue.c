/* SPDX-License-Identifier: MIT */
/* The queues of queue.h. */
#include "daemon/engine/core/queue.h"
#include "common/scan.h"
#include "daemon/engine/core/core.h"
#include <assert.h>
#include <stdio.h>

static struct queue *queue_of(const struct obj *o) { return (struct queue *)(uintptr_t)o; }
static struct put_want *put_of(const struct want *w) { return (struct put_want *)(uintptr_t)w; }
static struct get_want *get_of(const struct want *w) { return (struct get_want *)(uintptr_t)w; }

/* --- how much a user has in queues -------------------------------------------------------------------------------- */

/* Of the queue's user; there as long as the engine is. */
static size_t *uid_bytes(uid_t uid)
{
	size_t *n = map_get(&core.queued_of, uid);
	if (!n) {
		n = calloc(1, sizeof(*n));
		must(n && map_put(&core.queued_of, uid, n) == 0);
	}
	return n;
}

static void charge(struct queue *q, size_t bytes)
{
	q->all_bytes += bytes;
	*q->uid_bytes += bytes;
}

static void discharge(struct queue *q, size_t bytes)
{
	q->all_bytes -= bytes;
	*q->uid_bytes -= bytes;
}

/* --- the order of what is ready ----------------------------------------------------------------------------------- */

static bool before(const struct queue *q, const struct item *a, const struct item *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return q->i.lifo ? a->id > b->id : a->id < b->id;
}

static void heap_set(struct queue *q, size_t place, struct item *item)
{
	q->heap[place - 1] = item;
	item->place = place;
}

static void heap_up(struct queue *q, size_t place, struct item *item)
{
	for (; place > 1 && before(q, item, q->heap[place / 2 - 1]); place /= 2)
		heap_set(q, place, q->heap[place / 2 - 1]);
	heap_set(q, place, item);
}

static void heap_down(struct queue *q, size_t place, size_t n, struct item *item)
{
	for (size_t child; (child = 2 * place) <= n; place = child) {
		if (child < n && before(q, q->heap[child], q->heap[child - 1]))
			child++;
		if (before(q, item, q->heap[child - 1]))
			break;
		heap_set(q, place, q->heap[child - 1]);
	}
	heap_set(q, place, item);
}

static void heap_push(struct queue *q, struct item *item)
{
	if (q->nready == q->heap_room) {
		q->heap_room = q->heap_room ? 2 * q->heap_room : 64;
		q->heap = realloc(q->heap, q->heap_room * sizeof(*q->heap));
		must(q->heap);
	}
	heap_up(q, q->nready + 1, item);
}

/* Its place is filled by the last one, which may belong above or below it. */
static void heap_remove(struct queue *q, struct item *item)
{
	struct item *last = q->heap[q->nready - 1];
	size_t place = item->place;
	if (item == last)
		return;
	if (place > 1 && before(q, last, q->heap[place / 2 - 1]))
		heap_up(q, place, last);
	else
		heap_down(q, place, q->nready - 1, last);
}

/* By id: a new one at the end; one that comes back near the end at which it left. */
static void list_place(struct queue *q, struct item *item)
{
	struct list *at = &q->ready;
	if (q->i.lifo || list_empty(&q->ready) || LIST_ENTRY(q->ready.prev, struct item, by_queue)->id < item->id) {
		while (at->prev != &q->ready && LIST_ENTRY(at->prev, struct item, by_queue)->id > item->id)
			at = at->prev;
	} else {
		at = q->ready.next;
		while (LIST_ENTRY(at, struct item, by_queue)->id < item->id)
			at = at->next;
	}
	list_push(at, &item->by_queue);
}

static void ready_add(struct queue *q, struct item *item)
{
	if (q->i.priority)
		heap_push(q, item);
	else
		list_place(q, item);
	q->nready++;
	q->bytes += item->payload->n;
	timer_clear(&core.timers, &q->obj.idle);
	subject_touch(&q->getters);
}

const struct item *queue_head(const struct queue *q)
{
	if (q->nready == 0)
		return NULL;
	if (q->i.priority)
		return q->heap[0];
	return LIST_ENTRY(q->i.lifo ? q->ready.prev : q->ready.next, struct item, by_queue);
}

static struct item *ready_take(struct queue *q)
{
	struct item *item = (struct item *)(uintptr_t)queue_head(q);
	if (q->i.priority)
		heap_remove(q, item);
	else
		list_del(&item->by_queue);
	q->nready--;
	q->bytes -= item->payload->n;
	subject_touch(&q->putters);
	return item;
}

/* --- items -------------------------------------------------------------------------------------------------------- */

static void item_save(struct part *);
static void gone_save(struct part *);

#define ITEM_ROOM ((sizeof(struct item) + 15) & ~(size_t)15)

struct item *item_new(struct span text, bool raw, int64_t priority)
{
	void *block;
	struct payload *payload = payload_new_behind(ITEM_ROOM, text, raw, &block);
	if (!payload)
		return NULL;
	struct item *item = block;
	*item = (struct item){.payload = payload, .priority = priority, .part.save = item_save};
	list_init(&item->part.dirty);
	list_init(&item->by_queue);
	return item;
}

static void item_free(struct item *item)
{
	list_del(&item->part.dirty);
	payload_unref(item->payload); /* and with the payload the item */
}

void items_free(struct item *item)
{
	while (item) {
		struct item *next = item->next;
		item_free(item);
		item = next;
	}
}

/* It becomes the queue's. */
static void item_enter(struct queue *q, struct item *item, uint64_t id)
{
	item->queue = q;
	item->id = id;
	item->next = NULL;
	charge(q, items_cost(1, item->payload->n));
	ready_add(q, item);
}

static void item_leave(struct item *item)
{
	discharge(item->queue, items_cost(1, item->payload->n));
	item_free(item);
}

size_t queue_unfinished(const struct queue *q) { return q->nready + q->nclaimed; }

bool queue_full(const struct queue *q)
{
	return (q->i.maxsize && q->nready >= (size_t)q->i.maxsize) ||
	       (q->i.max_bytes && q->bytes >= (size_t)q->i.max_bytes);
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

static void claim_undo(struct grant *, bool certain);
static void claim_confirm(struct grant *);
static const struct grant_ops claim_grant = {claim_undo, claim_confirm};

static void ttr_over(struct timer *);

static struct claim *claim_new(struct item *item, struct thread *t, bool manual, uint64_t token)
{
	struct queue *q = item->queue;
	struct claim *c = block_get(sizeof(*c));
	must(c);
	*c = (struct claim){.item = item, .manual = manual};
	hold_begin(&c->hold, &q->obj, t, 1, token);
	c->hold.grant.ops = &claim_grant;
	item->claim = c;
	q->nclaimed++;
	list_push(&q->claimed, &c->by_queue);
	if (manual)
		must(map_put(&q->claims, c->hold.token, c) == 0);
	return c;
}

static void claim_end(struct claim *c)
{
	struct queue *q = c->item->queue;
	c->item->claim = NULL;
	q->nclaimed--;
	list_del(&c->by_queue);
	if (c->manual)
		map_del(&q->claims, c->hold.token);
	timer_clear(&core.timers, &c->ttr);
	hold_end(&c->hold);
	block_put(c, sizeof(*c));
}

/* It is done, or a dead letter. */
static void item_done(struct item *item)
{
	struct queue *q = item->queue;
	if (item->claim)
		claim_end(item->claim);
	if (item->saved) {
		buf_put(&q->gone_ids, &item->id, sizeof(item->id));
		part_dirty(&q->gone);
	}
	item_leave(item);
	if (queue_unfinished(q) == 0)
		subject_touch(&q->joiners);
	obj_used(&q->obj);
}

/* Its claim ends without it being done: it is in its old place again. */
static void item_return(struct item *item, uint32_t redelivered)
{
	struct queue *q = item->queue;
	claim_end(item->claim);
	item->redelivered += redelivered;
	q->returned += redelivered;
	ready_add(q, item);
	part_dirty(&item->part);
}

/* --- dead letters ------------------------------------------------------------------------------------------------- */

static void put_letter(struct buf *b, const struct item *item, const char *reason, const struct death *how)
{
	buf_puts(b, "{\"queue\":");
	scan_put_str(b, span_of(obj_said(&item->queue->obj)));
	buf_printf(b, ",\"reason\":\"%s\",\"deliveries\":%u", reason, item->redelivered + 1);
	if (how) {
		buf_puts(b, ",\"who\":");
		death_put(b, how);
	}
	buf_puts(b, ",\"item\":");
	payload_put_json(item->payload, b);
	buf_putc(b, '}');
}

static struct queue *dead_queue(const struct queue *q, struct fault *f)
{
	struct asker who = {.uid = q->obj.uid, .gid = q->obj.gid, .admin = q->obj.uid == 0 || q->obj.uid == core.uid};
	struct obj *o;
	if (!q->dead[0] || obj_get(&who, span_of(q->dead), KIND_QUEUE, true, &o, NULL, f) || o == &q->obj)
		return NULL;
	return queue_of(o);
}

/* Whether the item is a dead letter now. One that could not become one stays an item: nothing is lost. */
static bool item_dies(struct item *item, const char *reason, const struct death *how)
{
	static struct buf letter;
	struct scan_error deep; /* one in one in one ... */
	struct fault f;
	struct queue *q = item->queue;
	if (!q->i.max_deliveries || item->redelivered + 1 < q->i.max_deliveries)
		return false;
	struct queue *dead = dead_queue(q, &f);
	buf_clear(&letter, 65536);
	put_letter(&letter, item, reason, how);
	bool fits = dead && !letter.failed && scan_check(buf_view(&letter), NULL, &deep) == 0;
	struct item *copy = fits ? item_new(buf_view(&letter), false, item->priority) : NULL;
	if (!copy)
		return false;
	item_enter(dead, copy, dead->i.next_id++);
	part_dirty(&copy->part);
	dead->put++;
	q->dead_letters++;
	item_done(item);
	return true;
}

static void item_failed(struct item *item, const char *reason, const struct death *how)
{
	if (!item_dies(item, reason, how))
		item_return(item, 1);
}

static struct claim *claim_of_grant(struct grant *g)
{
	return CONTAINER_OF(CONTAINER_OF(g, struct hold, grant), struct claim, hold);
}

static void claim_undo(struct grant *g, bool certain) { item_return(claim_of_grant(g)->item, !certain); }

static void claim_confirm(struct grant *g)
{
	struct claim *c = claim_of_grant(g);
	c->hold.unsure = 0;
	if (!c->manual)
		item_done(c->item);
}

static void queue_revoke(struct hold *h, const struct death *how)
{
	item_failed(CONTAINER_OF(h, struct claim, hold)->item, "died", how);
}

static void ttr_over(struct timer *t) { item_failed(CONTAINER_OF(t, struct claim, ttr)->item, "ttr", NULL); }

static void claim_clock(struct claim *c, nsec_t ttr)
{
	if (ttr)
		timer_set(&core.timers, &c->ttr, timer_after(core.now, ttr), ttr_over);
}

/* --- put ---------------------------------------------------------------------------------------------------------- */

static enum step fail(int code)
{
	(void)code;
	return STEP_FAIL;
}

static bool over_quota(const struct queue *q, size_t more)
{
	return q->obj.uid != 0 && q->obj.uid != core.uid && *q->uid_bytes + more > QUEUE_BYTES_PER_UID;
}

/* Also of what then waits until there is room. */
static int put_charge(struct queue *q, struct put_want *pw, struct fault *f)
{
	size_t cost = items_cost(pw->n, pw->bytes);
	if (over_quota(q, cost) && pw->want.channel)
		channel_settle(pw->want.channel);
	if (over_quota(q, cost)) {
		fault_set(f, FAULT_QUOTA, "uid %u has %zu bytes in queues; %zu is the most", q->obj.uid, *q->uid_bytes,
			  QUEUE_BYTES_PER_UID);
		return fault_data(f, "\"limit\":\"queue bytes\",\"used\":%zu,\"max\":%zu", *q->uid_bytes,
				  QUEUE_BYTES_PER_UID);
	}
	charge(q, cost);
	pw->charged = cost;
	return 0;
}

static enum step put_enter(struct want *w, struct fault *f)
{
	struct put_want *pw = put_of(w);
	struct queue *q = queue_of(w->obj);
	if (q->i.maxsize && pw->n > (size_t)q->i.maxsize)
		return fail(fault_set(f, FAULT_RANGE, "queue %s holds at most %lld items, never %zu", obj_said(w->obj),
				      (long long)q->i.maxsize, pw->n));
	if (q->i.max_bytes && pw->bytes > (size_t)q->i.max_bytes)
		return fail(fault_set(f, FAULT_TOO_LARGE, "queue %s holds at most %lld bytes, never %zu",
				      obj_said(w->obj), (long long)q->i.max_bytes, pw->bytes));
	return put_charge(q, pw, f) ? STEP_FAIL : STEP_WAIT;
}

static bool put_fits(const struct queue *q, const struct put_want *pw)
{
	return (!q->i.maxsize || q->nready + pw->n <= (size_t)q->i.maxsize) &&
	       (!q->i.max_bytes || q->bytes + pw->bytes <= (size_t)q->i.max_bytes);
}

static enum step put_attempt(struct want *w, struct fault *f)
{
	struct put_want *pw = put_of(w);
	struct queue *q = queue_of(w->obj);
	if (q->i.closed)
		return fail(fault_set(f, FAULT_CLOSED, "queue %s is closed", obj_said(w->obj)));
	if (!put_fits(q, pw))
		return STEP_WAIT;
	pw->first = q->i.next_id;
	while (pw->items) {
		struct item *item = pw->items;
		pw->items = item->next;
		item_enter(q, item, q->i.next_id++);
		part_dirty(&item->part);
	}
	q->put += pw->n;
	return STEP_DONE;
}

static enum step put_expire(struct want *w, struct fault *f)
{
	const struct queue *q = queue_of(w->obj);
	fault_set(f, FAULT_FULL, "queue %s is full: %zu items", obj_said(w->obj), q->nready);
	return fail(fault_data(f, "\"depth\":%zu,\"size\":%zu", w->obj->nwants, q->nready));
}

static void put_done(struct want *w)
{
	discharge(queue_of(w->obj), put_of(w)->charged);
	items_free(put_of(w)->items);
}

static struct subject *put_subject(const struct want *w) { return &queue_of(w->obj)->putters; }

const struct want_ops queue_put_ops = {
	.size = sizeof(struct put_want),
	.what = "put",
	.enter = put_enter,
	.attempt = put_attempt,
	.expire = put_expire,
	.done = put_done,
	.subject = put_subject,
};

/* --- get ---------------------------------------------------------------------------------------------------------- */

static void get_one(struct queue *q, struct get_want *gw, struct claim **link)
{
	struct item *item = ready_take(q);
	struct claim *c = claim_new(item, gw->want.thread, gw->manual || q->i.joinable, 0);
	*link = c;
	if (c->manual)
		claim_clock(c, q->i.ttr);
	hold_grant(&c->hold, &gw->want, 1);
	part_dirty(&item->part);
	q->got++;
}

static enum step get_attempt(struct want *w, struct fault *f)
{
	struct get_want *gw = get_of(w);
	struct queue *q = queue_of(w->obj);
	if (q->i.closed && q->nready == 0)
		return fail(
			fault_set(f, FAULT_CLOSED, "queue %s is closed, and nothing is left in it", obj_said(w->obj)));
	if (q->nready == 0 || q->i.paused)
		return STEP_WAIT;
	struct claim **link = &gw->got;
	size_t bytes = 0;
	for (size_t i = 0; i < gw->max && q->nready > 0 && bytes <= QUEUE_GET_BYTES; i++, link = &(*link)->next) {
		get_one(q, gw, link);
		bytes += (*link)->item->payload->n;
	}
	return STEP_DONE;
}

static enum step get_expire(struct want *w, struct fault *f)
{
	const struct queue *q = queue_of(w->obj);
	fault_set(f, FAULT_EMPTY, "queue %s is %s", obj_said(w->obj), q->i.paused && q->nready ? "paused" : "empty");
	return fail(fault_data(f, "\"depth\":%zu", w->obj->nwants));
}

static struct subject *get_subject(const struct want *w) { return &queue_of(w->obj)->getters; }

const struct want_ops queue_get_ops = {
	.size = sizeof(struct get_want),
	.what = "get",
	.attempt = get_attempt,
	.expire = get_expire,
	.subject = get_subject,
};

void queue_answered(struct get_want *gw)
{
	struct claim *next;
	for (struct claim *c = gw->want.unanswered ? gw->got : NULL; c; c = next) {
		next = c->next;
		claim_confirm(&c->hold.grant);
	}
}

/* --- join --------------------------------------------------------------------------------------------------------- */

static enum step join_attempt(struct want *w, struct fault *f)
{
	(void)f;
	return queue_unfinished(queue_of(w->obj)) == 0 ? STEP_DONE : STEP_WAIT;
}

static enum step join_expire(struct want *w, struct fault *f)
{
	size_t n = queue_unfinished(queue_of(w->obj));
	fault_set(f, w->timeout ? FAULT_TIMEOUT : FAULT_WOULD_BLOCK, "queue %s: %zu item%s not done", obj_said(w->obj),
		  n, n == 1 ? " is" : "s are");
	return fail(fault_data(f, "\"unfinished\":%zu,\"waited\":%.3f", n,
			       (double)(core.now - w->since) / (double)NSEC_PER_SEC));
}

static struct subject *join_subject(const struct want *w) { return &queue_of(w->obj)->joiners; }

const struct want_ops queue_join_ops = {
	.size = sizeof(struct want),
	.what = "join",
	.attempt = join_attempt,
	.expire = join_expire,
	.subject = join_subject,
};

/* --- claims, by their number -------------------------------------------------------------------------------------- */

static int claim_find(const struct queue *q, uint64_t token, struct claim **ret, struct fault *f)
{
	*ret = map_get(&q->claims, token);
	if (*ret)
		return 0;
	return fault_set(f, FAULT_STALE_TOKEN, "queue %s: claim %llu is none (any more)", obj_said(&q->obj),
			 (unsigned long long)token);
}

int queue_ack(struct queue *q, uint64_t token, struct fault *f)
{
	struct claim *c;
	int code = claim_find(q, token, &c, f);
	if (!code)
		item_done(c->item);
	return code;
}

int queue_nack(struct queue *q, uint64_t token, struct fault *f)
{
	struct claim *c;
	int code = claim_find(q, token, &c, f);
	if (!code)
		item_failed(c->item, "nack", NULL);
	return code;
}

int queue_extend(struct queue *q, uint64_t token, nsec_t ttr, struct fault *f)
{
	struct claim *c;
	int code = claim_find(q, token, &c, f);
	if (code)
		return code;
	claim_clock(c, ttr);
	part_dirty(&c->item->part);
	return 0;
}

static struct claim *oldest_claim(const struct queue *q, const struct owner *o)
{
	struct claim *oldest = NULL;
	struct thread *t;
	LIST_EACH (t, &o->threads, by_owner) {
		struct hold *h;
		LIST_EACH (h, &t->has, by_thread) {
			if (h->obj != &q->obj)
				continue;
			struct claim *c = CONTAINER_OF(h, struct claim, hold);
			if (c->manual && (!oldest || h->token < oldest->hold.token))
				oldest = c;
			if (c->manual)
				break;
		}
	}
	return oldest;
}

int queue_task_done(struct queue *q, const struct thread *t, struct fault *f)
{
	struct claim *c = oldest_claim(q, t->owner);
	if (!c)
		return fault_set(f, FAULT_OVER_RELEASE, "queue %s: task_done more often than get", obj_said(&q->obj));
	item_done(c->item);
	return 0;
}

void queue_close(struct queue *q)
{
	q->i.closed = true;
	obj_dirty(&q->obj);
	subject_touch(&q->getters);
	subject_touch(&q->putters);
}

void queue_pause(struct queue *q, bool paused)
{
	q->i.paused = paused;
	obj_dirty(&q->obj);
	subject_touch(&q->getters);
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

/* PUT: followed by the payload. PUT_CLAIMED: by a part_claim, its tag, and the payload. */
enum { PART_PUT = 'P', PART_PUT_CLAIMED = 'Q', PART_CLAIM = 'C', PART_FREE = 'R', PART_GONE = 'G' };

struct part_put {
	uint8_t op, raw, pad[2];
	uint32_t redelivered;
	uint64_t id;
	int64_t priority;
};

struct part_claim { /* followed by the tag */
	uint8_t op, manual, ntag, pad;
	uint32_t redelivered;
	uint64_t id, token, owner;
	nsec_t since, deadline; /* NSEC_NEVER: none */
};

struct part_free {
	uint8_t op, pad[3];
	uint32_t redelivered;
	uint64_t id;
};

struct part_gone { /* followed by the ids */
	uint8_t op, pad[7];
};

static struct part_claim claim_part(const struct item *item)
{
	const struct claim *c = item->claim;
	const struct thread *t = c->hold.thread;
	return (struct part_claim){.op = PART_CLAIM,
				   .manual = c->manual,
				   .ntag = (uint8_t)t->ntag,
				   .redelivered = item->redelivered,
				   .id = item->id,
				   .token = c->hold.token,
				   .owner = t->owner->i.id,
				   .since = c->hold.since,
				   .deadline = timer_is_set(&c->ttr) ? c->ttr.at : NSEC_NEVER};
}

static void save_put(struct item *item)
{
	struct {
		struct part_put put;
		struct part_claim claim;
		char tag[OWNER_TAG_MAX];
	} part;
	size_t n = sizeof(part.put);
	part.put = (struct part_put){.op = item->claim ? PART_PUT_CLAIMED : PART_PUT,
				     .raw = item->payload->raw,
				     .redelivered = item->redelivered,
				     .id = item->id,
				     .priority = item->priority};
	if (item->claim) {
		const struct thread *t = item->claim->hold.thread;
		part.claim = claim_part(item);
		memcpy(part.tag, t->tag, t->ntag);
		n = offsetof(__typeof__(part), tag) + t->ntag;
	}
	obj_part(&item->queue->obj, &part, n, payload_span(item->payload));
	item->saved = true;
}

static void save_claim(struct item *item)
{
	struct part_claim claim = claim_part(item);
	const struct thread *t = item->claim->hold.thread;
	obj_part(&item->queue->obj, &claim, sizeof(claim), (struct span){t->tag, t->ntag});
}

static void save_free(struct item *item)
{
	struct part_free free = {.op = PART_FREE, .redelivered = item->redelivered, .id = item->id};
	obj_part(&item->queue->obj, &free, sizeof(free), (struct span){NULL, 0});
}

static void item_save(struct part *p)
{
	struct item *item = CONTAINER_OF(p, struct item, part);
	if (!item->saved)
		save_put(item);
	else if (item->claim)
		save_claim(item);
	else
		save_free(item);
}

static void gone_save(struct part *p)
{
	struct queue *q = CONTAINER_OF(p, struct queue, gone);
	struct part_gone gone = {.op = PART_GONE};
	must(!q->gone_ids.failed);
	obj_part(&q->obj, &gone, sizeof(gone), buf_view(&q->gone_ids));
	buf_clear(&q->gone_ids, 4096);
}

static void queue_save_parts(struct obj *o)
{
	struct queue *q = queue_of(o);
	struct item *item;
	struct claim *c;
	LIST_EACH (item, &q->ready, by_queue)
		save_put(item);
	for (size_t i = 0; q->i.priority && i < q->nready; i++)
		save_put(q->heap[i]);
	LIST_EACH (c, &q->claimed, by_queue)
		save_put(c->item);
}

static struct item *load_item(struct queue *q, uint64_t id) { return map_get(&q->loading, id); }

static int load_claim(struct queue *q, struct span body);

static int load_put(struct queue *q, struct span body)
{
	struct part_put put;
	if (body.n < sizeof(put))
		return -1;
	memcpy(&put, body.p, sizeof(put));
	struct span text = {body.p + sizeof(put), body.n - sizeof(put)};
	struct scan_error e;
	if (put.id == 0 || put.id > CORE_ID_MAX || load_item(q, put.id) || (!put.raw && scan_check(text, NULL, &e)))
		return -1;
	struct item *item = item_new(text, put.raw, put.priority);
	must(item && map_put(&q->loading, put.id, item) == 0);
	item_enter(q, item, put.id);
	item->redelivered = put.redelivered;
	item->saved = true;
	q->i.next_id = MAX(q->i.next_id, put.id + 1);
	return 0;
}

static void ready_remove(struct queue *q, struct item *item)
{
	if (q->i.priority)
		heap_remove(q, item);
	else
		list_del(&item->by_queue);
	q->nready--;
	q->bytes -= item->payload->n;
}

static int load_claim(struct queue *q, struct span body)
{
	struct part_claim claim;
	if (body.n < sizeof(claim))
		return -1;
	memcpy(&claim, body.p, sizeof(claim));
	struct item *item = load_item(q, claim.id);
	struct owner *owner = owner_by_id(claim.owner);
	if (!item || !owner || claim.ntag != body.n - sizeof(claim) || claim.ntag > OWNER_TAG_MAX || claim.token == 0 ||
	    claim.token >= CORE_ID_MAX)
		return -1;
	const struct claim *same = map_get(&q->claims, claim.token); /* of this item: it was extended */
	if (same && same->item != item)
		return -1;
	struct thread *t = owner_thread(owner, (struct span){body.p + sizeof(claim), claim.ntag});
	must(t);
	if (item->claim)
		claim_end(item->claim);
	else
		ready_remove(q, item);
	struct claim *c = claim_new(item, t, claim.manual, claim.token);
	core.next_token = MAX(core.next_token, claim.token + 1);
	item->redelivered = claim.redelivered;
	c->hold.since = claim.since;
	if (claim.deadline != NSEC_NEVER)
		timer_set(&core.timers, &c->ttr, claim.deadline, ttr_over);
	return 0;
}

static int load_free(struct queue *q, struct span body)
{
	struct part_free part;
	if (body.n != sizeof(part))
		return -1;
	memcpy(&part, body.p, sizeof(part));
	struct item *item = load_item(q, part.id);
	if (!item)
		return -1;
	item->redelivered = part.redelivered;
	if (!item->claim)
		return 0;
	claim_end(item->claim);
	ready_add(q, item);
	return 0;
}

static int load_put_claimed(struct queue *q, struct span body)
{
	struct part_claim claim;
	size_t n = sizeof(struct part_put);
	AUTO_BUF put = BUF_INIT;
	if (body.n < n + sizeof(claim))
		return -1;
	memcpy(&claim, body.p + n, sizeof(claim));
	struct span part = {body.p + n, sizeof(claim) + claim.ntag};
	if (body.n < n + part.n)
		return -1;
	buf_put(&put, body.p, n);
	buf_put(&put, part.p + part.n, body.n - n - part.n);
	must(!put.failed);
	return load_put(q, buf_view(&put)) ? -1 : load_claim(q, part);
}

static void load_gone_one(struct queue *q, uint64_t id)
{
	struct item *item = map_del(&q->loading, id);
	if (!item)
		return; /* the record of its put was damaged */
	if (item->claim)
		claim_end(item->claim);
	else
		ready_remove(q, item);
	item_leave(item);
}

static int load_gone(struct queue *q, struct span body)
{
	size_t at = sizeof(struct part_gone);
	uint64_t id;
	if (body.n < at || (body.n - at) % sizeof(id))
		return -1;
	for (; at < body.n; at += sizeof(id)) {
		memcpy(&id, body.p + at, sizeof(id));
		load_gone_one(q, id);
	}
	return 0;
}

static int queue_load_part(struct obj *o, struct span body)
{
	static int (*const loaders[])(struct queue *, struct span) = {
		[PART_PUT] = load_put,     [PART_PUT_CLAIMED] = load_put_claimed,
		[PART_CLAIM] = load_claim, [PART_FREE] = load_free,
		[PART_GONE] = load_gone,
	};
	size_t op = body.n ? (unsigned char)body.p[0] : 0;
	return op < ARRAY_LEN(loaders) && loaders[op] ? loaders[op](queue_of(o), body) : -1;
}

static void queue_synced(struct obj *o) { map_done(&queue_of(o)->loading); }

static void queue_save(const struct obj *o, struct buf *b)
{
	struct queue *q = queue_of(o);
	q->i.ndead = (uint8_t)strlen(q->dead);
	buf_put(b, &q->i, sizeof(q->i));
	buf_put(b, q->dead, q->i.ndead);
}

static int queue_load(struct obj *o, struct span image)
{
	struct queue *q = queue_of(o);
	struct queue_image i;
	if (image.n < sizeof(i))
		return -1;
	memcpy(&i, image.p, sizeof(i));
	bool reordered = queue_unfinished(q) > 0 && (i.priority != q->i.priority || i.lifo != q->i.lifo);
	if (i.ndead != image.n - sizeof(i) || i.ndead >= sizeof(q->dead) || i.maxsize < 0 || i.max_bytes < 0 ||
	    i.max_deliveries < 0 || i.ttr < 0 || i.next_id == 0 || i.next_id > CORE_ID_MAX || i.priority > 1 ||
	    i.lifo > 1 || reordered)
		return -1;
	i.next_id = MAX(i.next_id, q->i.next_id);
	q->i = i;
	memcpy(q->dead, image.p + sizeof(i), i.ndead);
	q->dead[i.ndead] = '\0';
	return 0;
}

/* --- the class ---------------------------------------------------------------------------------------------------- */

static void queue_init(struct obj *o)
{
	struct queue *q = queue_of(o);
	list_init(&q->ready);
	list_init(&q->claimed);
	subject_init(&q->getters);
	subject_init(&q->putters);
	subject_init(&q->joiners);
	q->getters.fifo = q->putters.fifo = true;
	q->i.next_id = 1;
	q->uid_bytes = uid_bytes(o->uid);
	q->gone.save = gone_save;
	list_init(&q->gone.dirty);
}

static void queue_done(struct obj *o)
{
	struct queue *q = queue_of(o);
	struct list *n;
	*q->uid_bytes -= q->all_bytes;
	while ((n = list_shift(&q->ready)))
		item_free(LIST_ENTRY(n, struct item, by_queue));
	for (size_t i = 0; q->i.priority && i < q->nready; i++)
		item_free(q->heap[i]);
	while ((n = list_shift(&q->claimed))) {
		struct claim *c = LIST_ENTRY(n, struct claim, by_queue);
		timer_clear(&core.timers, &c->ttr);
		item_free(c->item);
		block_put(c, sizeof(*c));
	}
	subject_done(&q->getters);
	subject_done(&q->putters);
	subject_done(&q->joiners);
	map_done(&q->claims);
	map_done(&q->loading);
	list_del(&q->gone.dirty);
	buf_done(&q->gone_ids);
	free(q->heap);
}

static bool queue_busy(const struct obj *o) { return queue_unfinished(queue_of(o)) > 0; }

static void queue_describe(const struct obj *o, struct buf *b)
{
	const struct queue *q = queue_of(o);
	buf_printf(b, "\"size\":%zu,\"bytes\":%zu,\"claimed\":%zu,\"unfinished\":%zu,", q->nready, q->bytes,
		   q->nclaimed, queue_unfinished(q));
	buf_printf(b, "\"maxsize\":%lld,\"max_bytes\":%lld,\"joinable\":%s,\"simple\":%s,\"lifo\":%s,\"priority\":%s,",
		   (long long)q->i.maxsize, (long long)q->i.max_bytes, q->i.joinable ? "true" : "false",
		   q->i.simple ? "true" : "false", q->i.lifo ? "true" : "false", q->i.priority ? "true" : "false");
	buf_printf(b, "\"ttr\":%.3f,\"max_deliveries\":%lld,\"dead_letter\":", (double)q->i.ttr / NSEC_PER_SEC,
		   (long long)q->i.max_deliveries);
	if (q->dead[0])
		scan_put_str(b, span_of(q->dead));
	else
		buf_puts(b, "null");
	buf_printf(b, ",\"closed\":%s,\"paused\":%s", q->i.closed ? "true" : "false", q->i.paused ? "true" : "false");
}

static void queue_summary(const struct obj *o, struct buf *b)
{
	const struct queue *q = queue_of(o);
	buf_printf(b, "%zu", q->nready);
	if (q->i.maxsize)
		buf_printf(b, " of %lld", (long long)q->i.maxsize);
	buf_puts(b, q->nready == 1 && !q->i.maxsize ? " item" : " items");
	if (q->nclaimed)
		buf_printf(b, ", %zu claimed", q->nclaimed);
	buf_puts(b, q->i.closed ? ", closed" : q->i.paused ? ", paused" : "");
}

const struct class queue_class = {
	.kind = KIND_QUEUE,
	.name = "queue",
	.size = sizeof(struct queue),
	.init = queue_init,
	.done = queue_done,
	.revoke = queue_revoke,
	.busy = queue_busy,
	.save = queue_save,
	.load = queue_load,
	.save_parts = queue_save_parts,
	.load_part = queue_load_part,
	.synced = queue_synced,
	.describe = queue_describe,
	.summary = queue_summary,
};
