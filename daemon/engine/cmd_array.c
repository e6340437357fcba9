/* SPDX-License-Identifier: MIT */
/* array.*: their lock is value.lock. */
#include "common/shape.h"
#include "daemon/engine/cmd_data.h"
#include "daemon/engine/core/array.h"

/* --- creation ----------------------------------------------------------------------------------------------------- */

/* What a create asks for. */
struct wanted {
	const struct ctype *type;
	bool wrap;
	union cell *cells; /* NULL: all are 0 */
	size_t n;
};

static int wanted_of(const struct args_array_create *a, struct wanted *ret, struct fault *f)
{
	const char *wrong = shape_wrong(CMD_array_create, a);
	*ret = (struct wanted){.type = ctype_find(a->type), .wrap = a->wrap, .n = (size_t)a->size};
	if (wrong)
		return fault_set(f, FAULT_PARAMS, "%s", wrong);
	if (!ret->type)
		return fault_set(f, FAULT_PARAMS, "type: must be one of b B h H i I l L q Q f d c u");
	if (a->size < 0)
		return fault_set(f, FAULT_RANGE, "size: an array cannot have %lld elements", (long long)a->size);
	return a->values.p ? array_cells(ret->type, a->values, a->wrap, &ret->cells, &ret->n, f) : 0;
}

static int begin(struct array *a, const struct wanted *w, struct fault *f)
{
	return data_unmade(&a->obj, array_begin(a, w->type, w->wrap, w->cells, w->n, f));
}

static int same_shape(const struct array *a, const struct wanted *w, struct fault *f)
{
	if (a->type == w->type && a->i.wrap == w->wrap && a->i.n == w->n)
		return 0;
	return shape_mismatch(&a->obj, "type, size or wrap", f);
}

int array_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_array_create *a = args;
	struct wanted w;
	struct obj *o;
	int code = wanted_of(a, &w, f);
	if (!code)
		code = create_obj(who, a->name, KIND_ARRAY, &CREATE_ARGS(a, array_create), &o, ret_created, f);
	if (!code && *ret_created)
		code = begin((struct array *)o, &w, f);
	else if (!code)
		code = same_shape((struct array *)o, &w, f);
	free(w.cells);
	return code;
}

int cmd_array_create(struct req *r, const void *args, struct fault *f) { return create_by(array_make, r, args, f); }

/* --- reading and writing ------------------------------------------------------------------------------------------ */

static int find(const struct req *r, struct span name, struct array **ret, struct fault *f)
{
	struct obj *o;
	int code = data_find(r, name, KIND_ARRAY, &o, f);
	if (!code)
		*ret = (struct array *)o;
	return code;
}

static int target(const struct req *r, struct span name, struct span fence, struct array **ret, struct fault *f)
{
	struct data_target t;
	int code = data_target(r, name, KIND_ARRAY, fence, false, &t, f);
	if (!code)
		*ret = (struct array *)t.obj;
	return code;
}

int cmd_array_get(struct req *r, const void *args, struct fault *f)
{
	const struct args_array_get *a = args;
	AUTO_BUF text = BUF_INIT;
	struct array *array;
	struct slice s;
	int code = find(r, a->name, &array, f);
	if (!code)
		code = slice_get(a->i, array->i.n, &s, f);
	if (code)
		return code;
	buf_puts(&text, s.is_index ? "{\"value\":" : "{\"values\":");
	array_put(array, &s, &text);
	buf_putc(&text, '}');
	return reply_text(r, &text, f);
}

int cmd_array_set(struct req *r, const void *args, struct fault *f)
{
	const struct args_array_set *a = args;
	struct array *array;
	struct slice s;
	int code = target(r, a->name, a->fence, &array, f);
	if (!code)
		code = slice_get(a->i, array->i.n, &s, f);
	if (!code)
		code = array_set(array, &s, a->value, f);
	return code ? code : reply_count(r, "version", array->i.version);
}

int cmd_array_len(struct req *r, const void *args, struct fault *f)
{
	const struct args_array_len *a = args;
	struct array *array;
	int code = find(r, a->name, &array, f);
	return code ? code : reply_count(r, "len", array->i.n);
}

int cmd_array_fill(struct req *r, const void *args, struct fault *f)
{
	const struct args_array_fill *a = args;
	struct array *array;
	int code = target(r, a->name, a->fence, &array, f);
	if (!code)
		code = array_fill(array, a->value, f);
	return code ? code : reply_count(r, "version", array->i.version);
}
