/* SPDX-License-Identifier: MIT */
/* list.* */
#include "daemon/engine/cmd_data.h"
#include "daemon/engine/core/sequence.h"

static int look(const struct req *r, struct span name, struct sequence **ret, struct fault *f)
{
	struct obj *o;
	int code = data_find(r, name, KIND_LIST, &o, f);
	if (!code)
		*ret = (struct sequence *)o;
	return code;
}

/* What a write goes to. */
struct target {
	struct data_target t;
	struct sequence *list;
};

static int target(const struct req *r, struct span name, struct span fence, bool may_make, struct target *ret,
		  struct fault *f)
{
	int code = data_target(r, name, KIND_LIST, fence, may_make, &ret->t, f);
	if (!code)
		ret->list = (struct sequence *)ret->t.obj;
	return code;
}

static int reply_len(struct req *r, const struct sequence *s) { return reply_count(r, "len", s->has.n); }

/* --- creation ----------------------------------------------------------------------------------------------------- */

static int begin(struct sequence *s, struct span values, struct fault *f)
{
	struct values fresh;
	int code = values_read(&fresh, values, f);
	if (!code)
		code = sequence_splice(s, 0, 0, &fresh, f);
	values_free(&fresh);
	return data_unmade(&s->obj, code);
}

int list_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_list_create *a = args;
	struct obj *o;
	int code = create_obj(who, a->name, KIND_LIST, &CREATE_ARGS(a, list_create), &o, ret_created, f);
	if (code || !*ret_created || !a->values.p)
		return code;
	return begin((struct sequence *)o, a->values, f);
}

int cmd_list_create(struct req *r, const void *args, struct fault *f) { return create_by(list_make, r, args, f); }

/* --- additions ---------------------------------------------------------------------------------------------------- */

/* What was read of the request (CODE: or not) is put in at PLACE. */
static int put_in(struct req *r, const struct target *t, size_t place, struct values *fresh, int code, struct fault *f)
{
	if (!code)
		code = sequence_splice(t->list, place, 0, fresh, f);
	values_free(fresh);
	return code ? data_refused(&t->t, code) : reply_len(r, t->list);
}

int cmd_list_append(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_append *a = args;
	struct values fresh;
	struct target t;
	int code = target(r, a->name, a->fence, !a->no_create, &t, f);
	return code ? code : put_in(r, &t, t.list->has.n, &fresh, values_read_one(&fresh, a->value, f), f);
}

int cmd_list_extend(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_extend *a = args;
	struct values fresh;
	struct target t;
	int code = target(r, a->name, a->fence, !a->no_create, &t, f);
	return code ? code : put_in(r, &t, t.list->has.n, &fresh, values_read(&fresh, a->values, f), f);
}

int cmd_list_insert(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_insert *a = args;
	struct values fresh;
	struct target t;
	int code = target(r, a->name, a->fence, !a->no_create, &t, f);
	if (code)
		return code;
	code = values_read_one(&fresh, a->value, f);
	return put_in(r, &t, slice_bound(a->i, t.list->has.n), &fresh, code, f);
}

int cmd_list_repeat(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_repeat *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code)
		code = sequence_repeat(t.list, a->n, f);
	return code ? code : reply_len(r, t.list);
}

/* --- by place ----------------------------------------------------------------------------------------------------- */

static void put_slice(struct buf *b, const struct sequence *s, const struct slice *slice)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < slice->n; i++) {
		if (i)
			buf_putc(b, ',');
		buf_span(b, s->has.v[slice_at(slice, i)]);
	}
	buf_putc(b, ']');
}

int cmd_list_get(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_get *a = args;
	AUTO_BUF text = BUF_INIT;
	struct sequence *s;
	struct slice slice;
	int code = look(r, a->name, &s, f);
	if (!code)
		code = slice_get(a->i, s->has.n, &slice, f);
	if (code)
		return code;
	buf_puts(&text, slice.is_index ? "{\"value\":" : "{\"values\":");
	if (slice.is_index)
		buf_span(&text, s->has.v[slice.start]);
	else
		put_slice(&text, s, &slice);
	buf_printf(&text, ",\"version\":%llu}", (unsigned long long)s->version);
	return reply_text(r, &text, f);
}

int cmd_list_set(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_set *a = args;
	struct slice slice;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code && GIVEN(a, list_set, version))
		code = sequence_check(t.list, (uint64_t)a->version, f);
	if (!code)
		code = slice_get(a->i, t.list->has.n, &slice, f);
	if (!code)
		code = sequence_set(t.list, &slice, a->value, f);
	return code ? code : reply_len(r, t.list);
}

int cmd_list_del(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_del *a = args;
	struct slice slice;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code)
		code = slice_get(a->i, t.list->has.n, &slice, f);
	if (code)
		return code;
	sequence_del(t.list, &slice);
	return reply_len(r, t.list);
}

static void del_one(struct sequence *s, size_t i)
{
	const struct slice one = {.start = (int64_t)i, .step = 1, .n = 1};
	sequence_del(s, &one);
}

int cmd_list_pop(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_pop *a = args;
	struct target t;
	size_t i = 0;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code)
		code = slice_index(GIVEN(a, list_pop, i) ? a->i : -1, t.list->has.n, &i, f);
	if (code)
		return code;
	reply_json(r, "value", t.list->has.v[i]);
	del_one(t.list, i);
	return 0;
}

int cmd_list_clear(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_clear *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (code)
		return code;
	sequence_del(t.list, &(struct slice){.step = 1, .n = t.list->has.n});
	return reply_len(r, t.list);
}

/* --- by value ----------------------------------------------------------------------------------------------------- */

int cmd_list_remove(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_remove *a = args;
	struct target t;
	size_t i;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code)
		code = sequence_index(t.list, a->value, 0, t.list->has.n, &i, f);
	if (code)
		return code;
	del_one(t.list, i);
	return reply_len(r, t.list);
}

int cmd_list_index(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_index *a = args;
	struct sequence *s;
	size_t i;
	int code = look(r, a->name, &s, f);
	if (code)
		return code;
	size_t from = slice_bound(a->start, s->has.n);
	size_t to = GIVEN(a, list_index, stop) ? slice_bound(a->stop, s->has.n) : s->has.n;
	code = sequence_index(s, a->value, from, to, &i, f);
	return code ? code : reply_count(r, "index", i);
}

int cmd_list_count(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_count *a = args;
	struct sequence *s;
	size_t count = 0;
	int code = look(r, a->name, &s, f);
	if (code)
		return code;
	for (size_t i = 0; (i = sequence_find(s, a->value, i, s->has.n)) < s->has.n; i++)
		count++;
	return reply_count(r, "count", count);
}

int cmd_list_contains(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_contains *a = args;
	struct sequence *s;
	int code = look(r, a->name, &s, f);
	return code ? code : reply_bool(r, "contains", sequence_find(s, a->value, 0, s->has.n) < s->has.n);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

int cmd_list_len(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_len *a = args;
	struct sequence *s;
	int code = look(r, a->name, &s, f);
	return code ? code : reply_len(r, s);
}

int cmd_list_reverse(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_reverse *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (code)
		return code;
	sequence_reverse(t.list);
	return reply_len(r, t.list);
}

int cmd_list_sort(struct req *r, const void *args, struct fault *f)
{
	const struct args_list_sort *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code)
		code = sequence_sort(t.list, a->reverse, f);
	return code ? code : reply_len(r, t.list);
}
