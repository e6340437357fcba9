/* SPDX-License-Identifier: MIT */
/* value.*: values, and the lock that values and arrays have. */
#include "daemon/engine/cmd_data.h"
#include "daemon/engine/cmd_lock.h"
#include "daemon/engine/core/value.h"

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void put_version(struct buf *b, const struct value *v)
{
	buf_puts(b, "\"version\":");
	buf_u64(b, v->i.version);
	buf_putc(b, '}');
}

static int reply_value(struct req *r, const struct value *v)
{
	struct buf *b = reply_begin(r);
	buf_puts(b, "{\"value\":");
	value_put(v, b);
	buf_putc(b, ',');
	put_version(b, v);
	reply_end(r);
	return 0;
}

/* --- creation ----------------------------------------------------------------------------------------------------- */

static int same_shape(const struct value *v, struct value_shape shape, struct fault *f)
{
	return v->i.code == shape.code && v->i.wrap == shape.wrap ? 0 : shape_mismatch(&v->obj, "type or wrap", f);
}

static int begin(struct value *v, struct value_shape shape, struct span json, struct fault *f)
{
	return data_unmade(&v->obj, value_begin(v, shape, json, f));
}

int value_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_value_create *a = args;
	struct span json = GIVEN(a, value_create, value) ? a->value : (struct span){NULL, 0};
	struct value_shape shape = {.wrap = a->wrap};
	struct obj *o;
	int code = a->type.p ? value_code(a->type, &shape.code, f) : 0;
	if (!code)
		code = create_obj(who, a->name, KIND_VALUE, &CREATE_ARGS(a, value_create), &o, ret_created, f);
	if (code)
		return code;
	struct value *v = (struct value *)o;
	return *ret_created ? begin(v, shape, json, f) : same_shape(v, shape, f);
}

int cmd_value_create(struct req *r, const void *args, struct fault *f) { return create_by(value_make, r, args, f); }

/* --- reading and writing ------------------------------------------------------------------------------------------ */

static int find(const struct req *r, struct span name, struct value **ret, struct fault *f)
{
	struct obj *o;
	int code = data_find(r, name, KIND_VALUE, &o, f);
	if (!code)
		*ret = (struct value *)o;
	return code;
}

/* What a write goes to. */
struct target {
	struct data_target t;
	struct value *value;
};

/* Makes it when TYPE is given and it is not there. */
static int target(const struct req *r, struct span name, struct span type, struct span fence, struct target *ret,
		  struct fault *f)
{
	struct value_shape shape = {0};
	int code = type.p ? value_code(type, &shape.code, f) : 0;
	if (!code)
		code = data_target(r, name, KIND_VALUE, fence, type.p != NULL, &ret->t, f);
	if (code)
		return code;
	ret->value = (struct value *)ret->t.obj;
	if (ret->t.made)
		return begin(ret->value, shape, (struct span){NULL, 0}, f);
	return type.p && shape.code != ret->value->i.code ? shape_mismatch(ret->t.obj, "type", f) : 0;
}

int cmd_value_get(struct req *r, const void *args, struct fault *f)
{
	const struct args_value_get *a = args;
	struct value *v;
	int code = find(r, a->name, &v, f);
	return code ? code : reply_value(r, v);
}

int cmd_value_set(struct req *r, const void *args, struct fault *f)
{
	const struct args_value_set *a = args;
	struct target t;
	int code = target(r, a->name, a->type, a->fence, &t, f);
	if (code)
		return code;
	code = value_set(t.value, a->value, f);
	return code ? data_refused(&t.t, code) : reply_count(r, "version", t.value->i.version);
}

int cmd_value_add(struct req *r, const void *args, struct fault *f)
{
	const struct args_value_add *a = args;
	struct target t;
	int code = target(r, a->name, a->type, a->fence, &t, f);
	if (code)
		return code;
	code = value_add(t.value, a->delta.p ? a->delta : SPAN("1"), f);
	return code ? data_refused(&t.t, code) : reply_value(r, t.value);
}

int cmd_value_cas(struct req *r, const void *args, struct fault *f)
{
	const struct args_value_cas *a = args;
	uint64_t version = (uint64_t)a->version;
	bool versioned = GIVEN(a, value_cas, version);
	struct target t;
	if (!versioned && !a->expect.p)
		return fault_set(f, FAULT_PARAMS, "value.cas needs \"expect\" or \"version\"");
	int code = target(r, a->name, (struct span){NULL, 0}, a->fence, &t, f);
	if (!code)
		code = value_cas(t.value, a->expect, versioned ? &version : NULL, a->value, f);
	return code ? code : reply_value(r, t.value);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static void answer_wait(struct want *w) { reply_value(call_req(w), (struct value *)w->obj); }

int cmd_value_wait(struct req *r, const void *args, struct fault *f)
{
	const struct args_value_wait *a = args;
	const struct call_who who = CALL_WHO(a, value_wait);
	struct value_want w = {.want = {.ops = &value_wait_ops}};
	struct value *v;
	int code = find(r, a->name, &v, f);
	if (!code)
		code = call_thread(r, &who, &w.want.thread, f);
	if (code)
		return code;
	w.want.obj = &v->obj;
	code = value_want_x(&w, (enum value_op)a->op, a->x, f);
	if (!code)
		return call_run(r, &w.want, &who, answer_wait, f);
	thread_unused(w.want.thread);
	return code;
}

/* --- the lock ----------------------------------------------------------------------------------------------------- */

static int find_lock(const struct req *r, struct span name, struct obj **ret, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	int code = obj_find(&asker, name, KIND_ANY, RIGHT_USE, ret, f);
	if (code || (*ret)->class->kind == KIND_VALUE || (*ret)->class->kind == KIND_ARRAY)
		return code;
	return fault_set(f, FAULT_WRONG_KIND, "%.*s is a %s, neither a value nor an array", (int)name.n, name.p,
			 (*ret)->class->name);
}

int cmd_value_lock(struct req *r, const void *args, struct fault *f)
{
	const struct args_value_lock *a = args;
	struct obj *o;
	int code = find_lock(r, a->name, &o, f);
	return code ? code : mutex_call_acquire(r, o, obj_mutex(o), &CALL_WHO(a, value_lock), f);
}

int cmd_value_unlock(struct req *r, const void *args, struct fault *f)
{
	const struct args_value_unlock *a = args;
	struct mutex_release how = {.has_token = GIVEN(a, value_unlock, token), .token = (uint64_t)a->token};
	struct obj *o;
	int code = find_lock(r, a->name, &o, f);
	return code ? code : mutex_call_release(r, obj_mutex(o), &CALL_OWNER(a), &how, f);
}
