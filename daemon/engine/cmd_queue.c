/* SPDX-License-Identifier: MIT */
/* queue.*: the JSON of queues. */
#include "common/shape.h"
#include "daemon/engine/core/queue.h"
#include "daemon/engine/payloads.h"

static struct queue *queue_of(struct obj *o) { return (struct queue *)o; }

/* The queue of that name; SHAPE_MISMATCH when it is a simple one and the verb is not for such. */
static int find(const struct req *r, struct span name, unsigned rights, bool simple, struct queue **ret,
		struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_find(&asker, name, KIND_QUEUE, rights, &o, f);
	if (code)
		return code;
	*ret = queue_of(o);
	if ((*ret)->i.simple && !simple)
		return fault_set(f, FAULT_SHAPE_MISMATCH, "queue %s is a simple one: it has put, get and empty",
				 obj_said(o));
	return 0;
}

/* --- creation ----------------------------------------------------------------------------------------------------- */

static struct queue_image shape_of(const struct args_queue_create *a)
{
	return (struct queue_image){
		.next_id = 1,
		.maxsize = a->maxsize,
		.max_bytes = a->max_bytes,
		.max_deliveries = GIVEN(a, queue_create, max_deliveries) ? a->max_deliveries : QUEUE_DELIVERIES,
		.ttr = a->ttr,
		.joinable = a->joinable,
		.simple = a->simple,
		.lifo = a->lifo,
		.priority = a->priority,
	};
}

static bool same_shape(const struct queue *q, const struct queue_image *i, struct span dead)
{
	return q->i.maxsize == i->maxsize && q->i.max_bytes == i->max_bytes &&
	       q->i.max_deliveries == i->max_deliveries && q->i.ttr == i->ttr && q->i.joinable == i->joinable &&
	       q->i.simple == i->simple && q->i.lifo == i->lifo && q->i.priority == i->priority &&
	       span_is(dead, q->dead);
}

int queue_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_queue_create *a = args;
	const char *wrong = shape_wrong(CMD_queue_create, a);
	struct queue_image shape = shape_of(a);
	struct obj *o;
	if (wrong)
		return fault_set(f, FAULT_PARAMS, "%s", wrong);
	if (a->dead_letter.n >= sizeof(queue_of(NULL)->dead))
		return fault_set(f, FAULT_PARAMS, "dead_letter: too long a name");
	int code = create_obj(who, a->name, KIND_QUEUE, &CREATE_ARGS(a, queue_create), &o, ret_created, f);
	if (code)
		return code;
	struct queue *q = queue_of(o);
	if (!*ret_created)
		return same_shape(q, &shape, a->dead_letter) ? 0 : shape_mismatch(o, "shape", f);
	q->i = shape;
	memcpy(q->dead, a->dead_letter.p ? a->dead_letter.p : "", a->dead_letter.n + 1);
	return 0;
}

int cmd_queue_create(struct req *r, const void *args, struct fault *f) { return create_by(queue_make, r, args, f); }

/* --- put ---------------------------------------------------------------------------------------------------------- */

static int add_item(struct put_want *w, struct item ***link, struct span text, bool raw, int64_t priority,
		    struct fault *f)
{
	struct item *item = item_new(text, raw, priority);
	if (!item)
		return fault_set(f, FAULT_OVERLOADED, "out of memory");
	**link = item;
	*link = &item->next;
	w->n++;
	w->bytes += text.n;
	return 0;
}

static int add_items(struct put_want *w, struct span array, int64_t priority, struct fault *f)
{
	struct span key, value;
	struct item **link = &w->items;
	int code = 0;
	if (scan_type(array) != SCAN_ARRAY || scan_count(array) == 0)
		return fault_set(f, FAULT_PARAMS, "items: must be an array of at least one");
	for (struct scan_iter it = scan_iter(array); !code && scan_next(&it, &key, &value);)
		code = add_item(w, &link, value, false, priority, f);
	return code;
}

/* One of item, items, raw bytes. */
static int put_items(const struct req *r, const struct args_queue_put *a, struct put_want *w, struct fault *f)
{
	struct item **link = &w->items;
	bool item = a->item.p != NULL, items = a->items.p != NULL;
	if (item + items + r->has_raw != 1)
		return fault_set(f, FAULT_PARAMS, "item, items or raw bytes: exactly one of them");
	if (items)
		return add_items(w, a->items, a->priority, f);
	return add_item(w, &link, item ? a->item : r->raw, !item, a->priority, f);
}

static void answer_put(struct want *want)
{
	const struct put_want *w = (struct put_want *)want;
	struct req *r = call_req(want);
	struct buf *b = reply_begin(r);
	if (w->many) {
		buf_puts(b, "{\"ids\":[");
		for (size_t i = 0; i < w->n; i++) {
			if (i)
				buf_putc(b, ',');
			buf_u64(b, w->first + i);
		}
		buf_puts(b, "]}");
	} else {
		buf_span(b, SPAN("{\"id\":"));
		buf_u64(b, w->first);
		buf_putc(b, '}');
	}
	reply_end(r);
}

static int put_find(const struct req *r, const struct args_queue_put *a, struct want *w, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	int code = fence_check(&asker, a->fence, &w->fence, f);
	if (!code)
		code = obj_get(&asker, a->name, KIND_QUEUE, !a->no_create, &w->obj, NULL, f);
	if (code)
		return code;
	if (GIVEN(a, queue_put, priority) && !queue_of(w->obj)->i.priority)
		return fault_set(f, FAULT_PARAMS, "priority: queue %s has none (it was not created with priority)",
				 obj_said(w->obj));
	return 0;
}

int cmd_queue_put(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_put *a = args;
	struct call_who who = CALL_WHO(a, queue_put);
	struct put_want w = {.want.ops = &queue_put_ops, .many = a->items.p != NULL};
	int code = put_find(r, a, &w.want, f);
	if (!code)
		code = call_thread(r, &who, &w.want.thread, f);
	if (code)
		return code;
	code = put_items(r, a, &w, f);
	if (!code)
		return call_run(r, &w.want, &who, answer_put, f);
	items_free(w.items);
	thread_unused(w.want.thread);
	return code;
}

/* --- get ---------------------------------------------------------------------------------------------------------- */

/* All but the closing brace; without the item where its bytes come behind the line. */
static void put_members(struct buf *b, const struct item *item, const struct claim *c, bool whole)
{
	buf_span(b, SPAN("{\"id\":"));
	buf_u64(b, item->id);
	if (whole) {
		buf_span(b, SPAN(",\"item\":"));
		payload_put_json(item->payload, b);
	}
	if (c && c->manual) {
		buf_span(b, SPAN(",\"claim\":"));
		buf_u64(b, c->hold.token);
	}
	if (item->redelivered) {
		buf_span(b, SPAN(",\"redelivered\":"));
		buf_u64(b, item->redelivered);
	}
}

static void put_item(struct buf *b, const struct item *item, const struct claim *c)
{
	put_members(b, item, c, true);
	buf_putc(b, '}');
}

static void answer_get(struct want *want)
{
	struct get_want *w = (struct get_want *)want;
	struct req *r = call_req(want);
	if (w->raw) {
		struct buf *b = reply_begin(r);
		put_members(b, w->got->item, w->got, false);
		reply_payload(r, b, w->got->item->payload);
	} else if (w->many) {
		struct buf *b = reply_begin(r);
		buf_puts(b, "{\"items\":[");
		for (const struct claim *c = w->got; c; c = c->next) {
			put_item(b, c->item, c);
			buf_puts(b, c->next ? "," : "]}");
		}
		reply_end(r);
	} else {
		put_item(reply_begin(r), w->got->item, w->got);
		reply_end(r);
	}
	queue_answered(w);
}

static int get_check(const struct args_queue_get *a, struct fault *f)
{
	if (!GIVEN(a, queue_get, max))
		return 0;
	if (a->max < 1)
		return fault_set(f, FAULT_PARAMS, "max: at least 1");
	if (a->want == WANT_RAW)
		return fault_set(f, FAULT_PARAMS, "max: not with want raw, which has one item's bytes");
	return 0;
}

int cmd_queue_get(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_get *a = args;
	struct call_who who = CALL_WHO(a, queue_get);
	struct queue *q;
	int code = get_check(a, f);
	if (!code)
		code = find(r, a->name, RIGHT_USE, true, &q, f);
	if (code)
		return code;
	struct get_want w = {.want = {.ops = &queue_get_ops, .obj = &q->obj},
			     .manual = a->ack == 1 || q->i.joinable,
			     .raw = a->want == WANT_RAW,
			     .many = GIVEN(a, queue_get, max),
			     .max = GIVEN(a, queue_get, max) ? (size_t)a->max : 1};
	if (!w.manual) /* done when the connection has read it: it is the connection's */
		who.owner = who.tag = (struct span){NULL, 0};
	code = call_thread(r, &who, &w.want.thread, f);
	return code ? code : call_run(r, &w.want, &who, answer_get, f);
}

int cmd_queue_peek(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_peek *a = args;
	struct queue *q;
	int code = find(r, a->name, RIGHT_LOOK, false, &q, f);
	if (code)
		return code;
	const struct item *item = queue_head(q);
	if (!item)
		return fault_set(f, FAULT_EMPTY, "queue %s is empty", obj_said(&q->obj));
	struct buf *b = reply_begin(r);
	if (a->want == WANT_RAW) {
		put_members(b, item, NULL, false);
		reply_payload(r, b, item->payload);
		return 0;
	}
	put_item(b, item, NULL);
	reply_end(r);
	return 0;
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

int cmd_queue_ack(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_ack *a = args;
	struct asker asker = asker_of(r->conn);
	struct queue *q;
	struct fence now;
	int code = find(r, a->name, RIGHT_USE, true, &q, f);
	if (!code)
		code = fence_check(&asker, a->fence, &now, f);
	if (!code)
		code = queue_ack(q, (uint64_t)a->claim, f);
	return code ? code : reply_empty(r);
}

int cmd_queue_nack(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_nack *a = args;
	struct queue *q;
	int code = find(r, a->name, RIGHT_USE, true, &q, f);
	if (!code)
		code = queue_nack(q, (uint64_t)a->claim, f);
	return code ? code : reply_empty(r);
}

int cmd_queue_extend(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_extend *a = args;
	struct queue *q;
	int code = find(r, a->name, RIGHT_USE, false, &q, f);
	nsec_t ttr = code || GIVEN(a, queue_extend, ttr) ? a->ttr : q->i.ttr;
	if (!code && !ttr)
		return fault_set(f, FAULT_PARAMS, "ttr: queue %s has none; say how long", obj_said(&q->obj));
	if (!code)
		code = queue_extend(q, (uint64_t)a->claim, ttr, f);
	return code ? code : reply_empty(r);
}

static int task_done(struct req *r, const struct args_queue_task_done *a, struct queue *q, struct fault *f)
{
	struct thread *t;
	if (GIVEN(a, queue_task_done, claim))
		return queue_ack(q, (uint64_t)a->claim, f);
	int code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	code = queue_task_done(q, t, f);
	thread_unused(t);
	return code;
}

static int reply_size(struct req *r, const char *name, size_t n)
{
	struct buf *b = reply_begin(r);
	buf_printf(b, "{\"%s\":%zu}", name, n);
	reply_end(r);
	return 0;
}

int cmd_queue_task_done(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_task_done *a = args;
	struct queue *q;
	int code = find(r, a->name, RIGHT_USE, false, &q, f);
	if (!code)
		code = task_done(r, a, q, f);
	return code ? code : reply_size(r, "unfinished", queue_unfinished(q));
}

static void answer_join(struct want *w) { reply_size(call_req(w), "unfinished", 0); }

int cmd_queue_join(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_join *a = args;
	struct call_who who = {.timeout = GIVEN(a, queue_join, timeout) ? a->timeout : NSEC_NEVER};
	struct want w = {.ops = &queue_join_ops};
	struct queue *q;
	int code = find(r, a->name, RIGHT_USE, false, &q, f);
	if (!code && !q->i.joinable)
		code = fault_set(f, FAULT_SHAPE_MISMATCH, "queue %s is not joinable", obj_said(&q->obj));
	if (!code)
		code = call_thread(r, &who, &w.thread, f);
	if (code)
		return code;
	w.obj = &q->obj;
	return call_run(r, &w, &who, answer_join, f);
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

int cmd_queue_size(struct req *r, const void *args, struct fault *f)
{
	struct queue *q;
	int code = find(r, ((const struct args_queue_size *)args)->name, RIGHT_LOOK, false, &q, f);
	return code ? code : reply_size(r, "size", q->nready);
}

int cmd_queue_empty(struct req *r, const void *args, struct fault *f)
{
	struct queue *q;
	int code = find(r, ((const struct args_queue_empty *)args)->name, RIGHT_LOOK, true, &q, f);
	return code ? code : reply_bool(r, "empty", q->nready == 0);
}

int cmd_queue_full(struct req *r, const void *args, struct fault *f)
{
	struct queue *q;
	int code = find(r, ((const struct args_queue_full *)args)->name, RIGHT_LOOK, false, &q, f);
	return code ? code : reply_bool(r, "full", queue_full(q));
}

int cmd_queue_close(struct req *r, const void *args, struct fault *f)
{
	struct queue *q;
	int code = find(r, ((const struct args_queue_close *)args)->name, RIGHT_USE, true, &q, f);
	if (code)
		return code;
	queue_close(q);
	return reply_empty(r);
}

int cmd_queue_pause(struct req *r, const void *args, struct fault *f)
{
	const struct args_queue_pause *a = args;
	struct queue *q;
	int code = find(r, a->name, RIGHT_CONTROL, false, &q, f);
	if (code)
		return code;
	queue_pause(q, !GIVEN(a, queue_pause, paused) || a->paused);
	return reply_empty(r);
}

int cmd_queue_stats(struct req *r, const void *args, struct fault *f)
{
	struct queue *q;
	int code = find(r, ((const struct args_queue_stats *)args)->name, RIGHT_LOOK, false, &q, f);
	if (code)
		return code;
	struct buf *b = reply_begin(r);
	buf_printf(b, "{\"size\":%zu,\"bytes\":%zu,\"claimed\":%zu,\"unfinished\":%zu,", q->nready, q->bytes,
		   q->nclaimed, queue_unfinished(q));
	buf_printf(b, "\"put\":%llu,\"got\":%llu,\"redelivered\":%llu,\"dead\":%llu,", (unsigned long long)q->put,
		   (unsigned long long)q->got, (unsigned long long)q->returned, (unsigned long long)q->dead_letters);
	buf_printf(b, "\"getters\":%zu,\"putters\":%zu,\"closed\":%s,\"paused\":%s}", list_count(&q->getters.waiters),
		   list_count(&q->putters.waiters), q->i.closed ? "true" : "false", q->i.paused ? "true" : "false");
	reply_end(r);
	return 0;
}
