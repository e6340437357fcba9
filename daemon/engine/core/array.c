/* SPDX-License-Identifier: MIT */
/* Arrays: array.h. */
#include "daemon/engine/core/array.h"
#include "common/scan.h"
#include "daemon/engine/core/core.h"

#define PART_CELLS ((size_t)1 << 20) /* of one record, at most */

/* A record of the journal: `n` cells from `start` on, each `step` after the one before; followed by them, or by one
 * that all of them become. */
struct array_part {
	uint64_t version, start, n;
	int64_t step;
};

static struct array *array_of(const struct obj *o) { return (struct array *)(uintptr_t)o; }

int array_cells(const struct ctype *type, struct span json, bool wrap, union cell **ret, size_t *ret_n, struct fault *f)
{
	struct span key, value;
	size_t n = scan_count(json), i = 0;
	if (scan_type(json) != SCAN_ARRAY)
		return fault_set(f, FAULT_PARAMS, "an array of values is needed");
	union cell *cells = calloc(MAX(n, 1), sizeof(*cells));
	int code = cells ? 0 : fault_set(f, FAULT_OVERLOADED, "out of memory");
	for (struct scan_iter it = scan_iter(json); !code && scan_next(&it, &key, &value); i++)
		code = ctype_get(type, value, wrap, &cells[i], f);
	if (code) {
		free(cells);
		return code;
	}
	*ret = cells;
	*ret_n = n;
	return 0;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void save_cells(struct array *a, const struct slice *s, const union cell *cells, size_t n)
{
	struct array_part part = {a->i.version, (uint64_t)s->start, s->n, s->step};
	obj_part(&a->obj, &part, sizeof(part), (struct span){(const char *)cells, n * sizeof(*cells)});
}

static void store(struct array *a, const struct slice *s, const union cell *cells)
{
	for (size_t from = 0; from < s->n; from += PART_CELLS) {
		struct slice some = {.start = (int64_t)slice_at(s, from), .step = s->step};
		some.n = MIN(PART_CELLS, s->n - from);
		save_cells(a, &some, cells + from, some.n);
	}
	for (size_t i = 0; i < s->n; i++)
		a->cells[slice_at(s, i)] = cells[i];
}

/* Nothing is no write. */
static void array_write(struct array *a, const struct slice *s, const union cell *cells)
{
	a->i.version += s->n > 0;
	store(a, s, cells);
}

static int set_many(struct array *a, const struct slice *s, struct span json, struct fault *f)
{
	AUTO_FREE union cell *cells = NULL;
	size_t n;
	int code = array_cells(a->type, json, a->i.wrap, &cells, &n, f);
	if (code)
		return code;
	if (n != s->n)
		return fault_set(f, FAULT_RANGE, "%zu values do not fit a slice of %zu", n, s->n);
	array_write(a, s, cells);
	return 0;
}

int array_set(struct array *a, const struct slice *s, struct span json, struct fault *f)
{
	union cell cell;
	if (!s->is_index)
		return set_many(a, s, json, f);
	int code = ctype_get(a->type, json, a->i.wrap, &cell, f);
	if (!code)
		array_write(a, s, &cell);
	return code;
}

int array_fill(struct array *a, struct span json, struct fault *f)
{
	const struct slice all = {.start = 0, .step = 1, .n = a->i.n};
	union cell cell;
	int code = ctype_get(a->type, json, a->i.wrap, &cell, f);
	if (code || all.n == 0)
		return code;
	a->i.version++;
	save_cells(a, &all, &cell, 1);
	for (size_t i = 0; i < all.n; i++)
		a->cells[i] = cell;
	return 0;
}

static int shape(struct array *a, const struct ctype *type, bool wrap, size_t n)
{
	a->cells = calloc(MAX(n, 1), sizeof(*a->cells));
	if (!a->cells)
		return -1;
	a->type = type;
	a->i.code = type->code;
	a->i.wrap = wrap;
	a->i.n = n;
	return 0;
}

int array_begin(struct array *a, const struct ctype *type, bool wrap, const union cell *cells, size_t n,
		struct fault *f)
{
	const struct slice all = {.start = 0, .step = 1, .n = n};
	if (n > ARRAY_CELLS_MAX)
		return fault_set(f, FAULT_TOO_LARGE, "an array has at most %d elements", ARRAY_CELLS_MAX);
	if (shape(a, type, wrap, n))
		return fault_set(f, FAULT_OVERLOADED, "out of memory");
	if (cells)
		store(a, &all, cells);
	return 0;
}

void array_put(const struct array *a, const struct slice *s, struct buf *out)
{
	if (s->is_index) {
		ctype_put(a->type, a->cells[s->start], out);
		return;
	}
	buf_putc(out, '[');
	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_putc(out, ',');
		ctype_put(a->type, a->cells[slice_at(s, i)], out);
	}
	buf_putc(out, ']');
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

static void array_save(const struct obj *o, struct buf *image)
{
	buf_put(image, &array_of(o)->i, sizeof(array_of(o)->i));
	mutex_save(&array_of(o)->mutex, image);
}

/* Its shape never changes. */
static int array_load(struct obj *o, struct span image)
{
	struct array *a = array_of(o);
	struct array_image i;
	if (image.n != sizeof(i) + sizeof(a->mutex.i))
		return -1;
	memcpy(&i, image.p, sizeof(i));
	const struct ctype *type = ctype_of(i.code);
	if (!type || i.n > ARRAY_CELLS_MAX || (a->type && (a->type != type || a->i.n != i.n)) ||
	    mutex_load(&a->mutex, (struct span){image.p + sizeof(i), image.n - sizeof(i)}))
		return -1;
	if (!a->type && shape(a, type, i.wrap, i.n))
		return -1;
	a->i.wrap = i.wrap;
	a->i.version = i.version;
	return 0;
}

static bool all_zero(const union cell *cells, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cells[i].u)
			return false;
	return true;
}

static void array_save_parts(struct obj *o)
{
	struct array *a = array_of(o);
	for (size_t from = 0; from < a->i.n; from += PART_CELLS) {
		const struct slice some = {.start = (int64_t)from, .step = 1, .n = MIN(PART_CELLS, a->i.n - from)};
		if (!all_zero(a->cells + from, some.n))
			save_cells(a, &some, a->cells + from, some.n);
	}
}

static bool part_fits(const struct array *a, const struct array_part *p, size_t bytes)
{
	int64_t last;
	if (!a->type || p->n == 0 || p->n > a->i.n || p->start >= a->i.n)
		return false;
	if (bytes != sizeof(union cell) && bytes / sizeof(union cell) != p->n)
		return false;
	if (__builtin_mul_overflow((int64_t)(p->n - 1), p->step, &last) ||
	    __builtin_add_overflow(last, (int64_t)p->start, &last))
		return false;
	return bytes % sizeof(union cell) == 0 && last >= 0 && (uint64_t)last < a->i.n;
}

static bool cells_valid(const struct ctype *type, struct span body)
{
	union cell cell;
	for (size_t i = 0; i < body.n; i += sizeof(cell)) {
		memcpy(&cell, body.p + i, sizeof(cell));
		if (!ctype_valid(type, cell))
			return false;
	}
	return body.n > 0;
}

static int array_load_part(struct obj *o, struct span body)
{
	struct array *a = array_of(o);
	struct array_part p;
	union cell cell;
	if (body.n < sizeof(p))
		return -1;
	memcpy(&p, body.p, sizeof(p));
	body = (struct span){body.p + sizeof(p), body.n - sizeof(p)};
	if (!part_fits(a, &p, body.n) || !cells_valid(a->type, body))
		return -1;
	const struct slice s = {.start = (int64_t)p.start, .step = p.step, .n = p.n};
	bool same = body.n == sizeof(cell);
	for (size_t i = 0; i < s.n; i++) {
		memcpy(&cell, body.p + (same ? 0 : i * sizeof(cell)), sizeof(cell));
		a->cells[slice_at(&s, i)] = cell;
	}
	a->i.version = p.version;
	return 0;
}

/* --- the class ---------------------------------------------------------------------------------------------------- */

static void array_init(struct obj *o) { mutex_init(&array_of(o)->mutex, o, true); }

static void array_done(struct obj *o)
{
	mutex_done(&array_of(o)->mutex);
	free(array_of(o)->cells);
}

static struct mutex *array_mutex(const struct obj *o) { return &array_of(o)->mutex; }

static void array_describe(const struct obj *o, struct buf *b)
{
	const struct array *a = array_of(o);
	buf_printf(b, "\"type\":\"%c\",\"wrap\":%s,\"len\":%llu,\"version\":%llu,\"lock\":{", a->i.code,
		   a->i.wrap ? "true" : "false", (unsigned long long)a->i.n, (unsigned long long)a->i.version);
	mutex_describe(&a->mutex, b);
	buf_putc(b, '}');
}

static void array_summary(const struct obj *o, struct buf *b)
{
	const struct array *a = array_of(o);
	buf_printf(b, "%llu of type %c", (unsigned long long)a->i.n, a->i.code);
	if (a->mutex.hold) {
		buf_puts(b, ", ");
		mutex_summary(&a->mutex, b);
	}
}

const struct class array_class = {
	.kind = KIND_ARRAY,
	.name = "array",
	.size = sizeof(struct array),
	.init = array_init,
	.done = array_done,
	MUTEX_HOLDS,
	.mutex = array_mutex,
	.save = array_save,
	.load = array_load,
	.save_parts = array_save_parts,
	.load_part = array_load_part,
	.describe = array_describe,
	.summary = array_summary,
};
