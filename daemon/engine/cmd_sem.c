/* SPDX-License-Identifier: MIT */
/* semaphore.*: the JSON of semaphores. */
#include "daemon/engine/core/sem.h"
#include "daemon/engine/objects.h"

/* A shape as a request says it; what it does not say is not compared. */
struct shape {
	bool has_value, has_bounded, has_unowned;
	int64_t value;
	bool bounded, unowned;
};
#define SHAPE(a, sym)                                                                                                  \
	((struct shape){GIVEN(a, sym, value), GIVEN(a, sym, bounded), GIVEN(a, sym, unowned),                          \
			GIVEN(a, sym, value) ? (a)->value : 1, (a)->bounded, (a)->unowned})

static int check_value(const struct shape *shape, struct fault *f)
{
	if (shape->value >= 0 && shape->value <= SEM_MAX)
		return 0;
	return fault_set(f, FAULT_PARAMS, "value: must be 0 to %d", SEM_MAX);
}

static int check_n(bool given, int64_t n, uint32_t *ret, struct fault *f)
{
	*ret = given ? (uint32_t)n : 1;
	if (!given || (n > 0 && n <= SEM_MAX))
		return 0;
	return fault_set(f, FAULT_PARAMS, "n: must be 1 to %d", SEM_MAX);
}

static int shape_or_compare(struct sem *s, bool made, const struct shape *shape, struct fault *f)
{
	if (made)
		sem_shape(s, (uint32_t)shape->value, shape->bounded, shape->unowned);
	if ((shape->has_value && shape->value != s->i.initial) ||
	    (shape->has_bounded && shape->bounded != s->i.bounded) ||
	    (shape->has_unowned && shape->unowned != s->i.unowned))
		return shape_mismatch(&s->obj, "value, bounded or unowned", f);
	return 0;
}

int semaphore_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_semaphore_create *a = args;
	struct shape shape = SHAPE(a, semaphore_create);
	struct obj *o;
	shape.has_value = shape.has_bounded = shape.has_unowned = true;
	int code = check_value(&shape, f);
	if (!code)
		code = create_obj(who, a->name, KIND_SEMAPHORE, &CREATE_ARGS(a, semaphore_create), &o, ret_created, f);
	return code ? code : shape_or_compare((struct sem *)o, *ret_created, &shape, f);
}

int cmd_semaphore_create(struct req *r, const void *args, struct fault *f)
{
	return create_by(semaphore_make, r, args, f);
}

static void answer_acquire(struct want *w)
{
	const struct sem_want *sw = (struct sem_want *)w;
	struct buf *b = reply_begin(call_req(w));
	buf_putc(b, '{');
	if (sw->token) {
		buf_puts(b, "\"token\":");
		buf_u64(b, sw->token);
		buf_putc(b, ',');
	}
	buf_puts(b, "\"value\":");
	buf_i64(b, sw->value);
	buf_putc(b, '}');
	reply_end(call_req(w));
}

/* The semaphore that is meant, in the shape that is said; made when it is not there and its value is said. */
static int sem_get(const struct req *r, struct span name, const struct shape *shape, struct sem **ret, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	bool made;
	int code = check_value(shape, f);
	if (!code)
		code = obj_get(&asker, name, KIND_SEMAPHORE, shape->has_value, &o, &made, f);
	if (code)
		return code;
	*ret = (struct sem *)o;
	return shape_or_compare(*ret, made, shape, f);
}

int cmd_semaphore_acquire(struct req *r, const void *args, struct fault *f)
{
	const struct args_semaphore_acquire *a = args;
	struct sem_want w = {.want.ops = &sem_acquire_ops};
	struct sem *s;
	int code = check_n(GIVEN(a, semaphore_acquire, n), a->n, &w.n, f);
	if (!code)
		code = sem_get(r, a->name, &SHAPE(a, semaphore_acquire), &s, f);
	if (!code)
		code = sem_check(s, w.n, f);
	if (!code)
		code = call_thread(r, &CALL_WHO(a, semaphore_acquire), &w.want.thread, f);
	if (code)
		return code;
	w.want.obj = &s->obj;
	return call_run(r, &w.want, &CALL_WHO(a, semaphore_acquire), answer_acquire, f);
}

static int reply_value(struct req *r, const struct sem *s)
{
	struct buf *b = reply_begin(r);
	buf_puts(b, "{\"value\":");
	buf_i64(b, sem_value(s));
	buf_putc(b, '}');
	reply_end(r);
	return 0;
}

int cmd_semaphore_release(struct req *r, const void *args, struct fault *f)
{
	const struct args_semaphore_release *a = args;
	struct sem_release how = {.has_token = GIVEN(a, semaphore_release, token), .token = (uint64_t)a->token};
	struct asker asker = asker_of(r->conn);
	struct thread *t;
	struct obj *o;
	int code = check_n(GIVEN(a, semaphore_release, n), a->n, &how.n, f);
	if (!code)
		code = obj_find(&asker, a->name, KIND_SEMAPHORE, RIGHT_USE, &o, f);
	if (!code)
		code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	how.thread = t;
	code = sem_release((struct sem *)o, &how, f);
	thread_unused(t);
	return code ? code : reply_value(r, (struct sem *)o);
}

int cmd_semaphore_value(struct req *r, const void *args, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code =
		obj_find(&asker, ((const struct args_semaphore_value *)args)->name, KIND_SEMAPHORE, RIGHT_LOOK, &o, f);
	return code ? code : reply_value(r, (struct sem *)o);
}
