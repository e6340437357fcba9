/* SPDX-License-Identifier: MIT */
/* array.*: their lock is value.lock. */
#include "common/shape.h"
#include "daemon/engine/core/array.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/objects.h"

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
	struct fault unused;
	int code = array_begin(a, w->type, w->wrap, w->cells, w->n, f);
	if (code)
		obj_delete(&a->obj, true, &unused);
	return code;
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

static int find(const struct req *r, struct span name, unsigned right, struct array **ret, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	engine_now();
	int code = obj_find(&asker, name, KIND_ARRAY, right, &o, f);
	if (code)
		return code;
	obj_used(o);
	*ret = (struct array *)o;
	return 0;
}

static int find_to_write(const struct req *r, struct span name, struct span fence, struct array **ret, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	int code = fence_check(&asker, fence, f);
	return code ? code : find(r, name, RIGHT_USE, ret, f);
}

static int reply_version(struct req *r, const struct array *a)
{
	struct buf *b = reply_begin(r);
	buf_puts(b, "{\"version\":");
	buf_u64(b, a->i.version);
	buf_putc(b, '}');
	reply_end(r);
	return 0;
}

int cmd_array_get(struct req *r, const void *args, struct fault *f)
{
	const struct args_array_get *a = args;
	AUTO_BUF text = BUF_INIT;
	struct array *array;
	struct slice s;
	int code = find(r, a->name, RIGHT_LOOK, &array, f);
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
	int code = find_to_write(r, a->name, a->fence, &array, f);
	if (!code)
		code = slice_get(a->i, array->i.n, &s, f);
	if (!code)
		code = array_set(array, &s, a->value, f);
	return code ? code : reply_version(r, array);
}

int cmd_array_len(struct req *r, const void *args, struct fault *f)
{
	const struct args_array_len *a = args;
	struct array *array;
	int code = find(r, a->name, RIGHT_LOOK, &array, f);
	if (code)
		return code;
	buf_printf(reply_begin(r), "{\"len\":%llu}", (unsigned long long)array->i.n);
	reply_end(r);
	return 0;
}

int cmd_array_fill(struct req *r, const void *args, struct fault *f)
{
	const struct args_array_fill *a = args;
	struct array *array;
	int code = find_to_write(r, a->name, a->fence, &array, f);
	if (!code)
		code = array_fill(array, a->value, f);
	return code ? code : reply_version(r, array);
}
