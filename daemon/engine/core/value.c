/* SPDX-License-Identifier: MIT */
/* Values: value.h. */
#include "daemon/engine/core/value.h"
#include "common/jsonval.h"
#include "daemon/engine/core/core.h"
#include <math.h>

#define TOLD_MAX 3000 /* bytes of JSON in an error's data, and where a value is described */

static struct value *value_of(const struct obj *o) { return (struct value *)(uintptr_t)o; }

int value_code(struct span type, char *ret, struct fault *f)
{
	*ret = 0;
	if (span_is(type, "json"))
		return 0;
	if (!ctype_find(type))
		return fault_set(f, FAULT_PARAMS, "type: must be one of b B h H i I l L q Q f d c u, or json");
	*ret = *type.p;
	return 0;
}

void value_put(const struct value *v, struct buf *out)
{
	if (v->i.code)
		ctype_put(ctype_of(v->i.code), v->i.cell, out);
	else
		buf_span(out, buf_view(&v->json));
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void value_changed(struct value *v)
{
	v->i.version++;
	obj_dirty(&v->obj);
	subject_touch(&v->changed);
}

static int keep_json(struct value *v, struct span json, struct fault *f)
{
	struct buf fresh = BUF_INIT;
	buf_span(&fresh, json);
	if (fresh.failed) {
		buf_done(&fresh);
		return fault_set(f, FAULT_OVERLOADED, "out of memory");
	}
	buf_done(&v->json);
	v->json = fresh;
	return 0;
}

static int value_keep(struct value *v, struct span json, struct fault *f)
{
	if (!v->i.code)
		return keep_json(v, json, f);
	return ctype_get(ctype_of(v->i.code), json, v->i.wrap, &v->i.cell, f);
}

int value_set(struct value *v, struct span json, struct fault *f)
{
	int code = value_keep(v, json, f);
	if (!code)
		value_changed(v);
	return code;
}

/* Two whole numbers have a whole sum, all others a double. */
static int json_sum(struct span json, struct span delta, struct buf *sum, struct fault *f)
{
	__int128 a, b;
	double x, y;
	int over_a = jsonval_whole(json, &a), over_b = jsonval_whole(delta, &b);
	if (over_a >= 0 && over_b >= 0) {
		if (over_a || over_b || __builtin_add_overflow(a, b, &a))
			return fault_set(f, FAULT_RANGE, "the sum does not fit 128 bits");
		jsonval_put_whole(sum, a);
		return 0;
	}
	if (jsonval_double(json, &x) || jsonval_double(delta, &y))
		return fault_set(f, FAULT_PARAMS, "only numbers are added, and only to a number");
	if (!isfinite(x + y))
		return fault_set(f, FAULT_RANGE, "the sum does not fit a double");
	jsonval_put_double(sum, x + y);
	return 0;
}

static int json_add(struct value *v, struct span delta, struct fault *f)
{
	AUTO_BUF sum = BUF_INIT;
	int code = json_sum(buf_view(&v->json), delta, &sum, f);
	return code ? code : keep_json(v, buf_view(&sum), f);
}

int value_add(struct value *v, struct span delta, struct fault *f)
{
	int code = v->i.code ? ctype_add(ctype_of(v->i.code), &v->i.cell, delta, v->i.wrap, f) : json_add(v, delta, f);
	if (!code)
		value_changed(v);
	return code;
}

static bool value_equals(const struct value *v, struct span json)
{
	AUTO_BUF text = BUF_INIT;
	if (!v->i.code)
		return jsonval_equal(buf_view(&v->json), json);
	value_put(v, &text);
	return !text.failed && jsonval_equal(buf_view(&text), json);
}

static int conflict(const struct value *v, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	unsigned long long version = v->i.version;
	value_put(v, &text);
	fault_set(f, FAULT_CONFLICT, "value %s was changed meanwhile: it has version %llu", obj_said(&v->obj), version);
	if (text.len > TOLD_MAX)
		return fault_data(f, "\"version\":%llu", version);
	return fault_data(f, "\"version\":%llu,\"value\":%s", version, buf_str(&text));
}

int value_cas(struct value *v, struct span expect, const uint64_t *version, struct span json, struct fault *f)
{
	if ((version && *version != v->i.version) || (expect.p && !value_equals(v, expect)))
		return conflict(v, f);
	return value_set(v, json, f);
}

int value_begin(struct value *v, struct value_shape shape, struct span json, struct fault *f)
{
	v->i.code = shape.code;
	v->i.wrap = shape.wrap;
	v->i.cell = (union cell){0};
	if (!json.p && shape.code)
		return 0;
	return value_keep(v, json.p ? json : SPAN("0"), f);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static struct value_want *want_of(const struct want *w) { return (struct value_want *)(uintptr_t)w; }

static bool op_holds(enum value_op op, int order)
{
	static const bool holds[][3] = {
		/* below, equal, above */
		[VALUE_EQ] = {false, true, false}, [VALUE_NE] = {true, false, true},  [VALUE_LT] = {true, false, false},
		[VALUE_LE] = {true, true, false},  [VALUE_GT] = {false, false, true}, [VALUE_GE] = {false, true, true},
	};
	return holds[op][order < 0 ? 0 : order == 0 ? 1 : 2];
}

/* What has no order with X is neither below nor above it. */
static bool value_compares(const struct value *v, enum value_op op, struct span x)
{
	AUTO_BUF text = BUF_INIT;
	int order;
	if (op == VALUE_EQ || op == VALUE_NE)
		return value_equals(v, x) == (op == VALUE_EQ);
	value_put(v, &text);
	return jsonval_order(buf_view(&text), x, &order) == 0 && op_holds(op, order);
}

int value_want_x(struct value_want *w, enum value_op op, struct span x, struct fault *f)
{
	enum scan_type type = scan_type(x);
	if (op != VALUE_EQ && op != VALUE_NE && type != SCAN_NUMBER && type != SCAN_STRING)
		return fault_set(f, FAULT_PARAMS, "x: only numbers and strings have an order");
	w->op = op;
	w->nx = x.n;
	w->x = malloc(MAX(x.n, 1));
	if (!w->x)
		return fault_set(f, FAULT_OVERLOADED, "out of memory");
	memcpy(w->x, x.p, x.n);
	return 0;
}

static enum step wait_attempt(struct want *w, struct fault *f)
{
	const struct value_want *vw = want_of(w);
	(void)f;
	return value_compares(value_of(w->obj), vw->op, (struct span){vw->x, vw->nx}) ? STEP_DONE : STEP_WAIT;
}

static void wait_done(struct want *w) { free(want_of(w)->x); }
static struct subject *wait_subject(const struct want *w) { return &value_of(w->obj)->changed; }
/* Whatever it is now, it is seen before it changes again. */
static bool wait_overtakes(const struct want *w)
{
	(void)w;
	return true;
}

const struct want_ops value_wait_ops = {
	.size = sizeof(struct value_want),
	.what = "wait",
	.overtakes = wait_overtakes,
	.attempt = wait_attempt,
	.done = wait_done,
	.subject = wait_subject,
};

/* --- the class ---------------------------------------------------------------------------------------------------- */

static void value_init(struct obj *o)
{
	struct value *v = value_of(o);
	mutex_init(&v->mutex, o, true);
	subject_init(&v->changed);
}

static void value_done(struct obj *o)
{
	struct value *v = value_of(o);
	mutex_done(&v->mutex);
	subject_done(&v->changed);
	buf_done(&v->json);
}

static struct mutex *value_mutex(const struct obj *o) { return &value_of(o)->mutex; }

static void value_save(const struct obj *o, struct buf *image)
{
	const struct value *v = value_of(o);
	buf_put(image, &v->i, sizeof(v->i));
	mutex_save(&v->mutex, image);
	buf_span(image, buf_view(&v->json));
}

static int value_load(struct obj *o, struct span image)
{
	struct value *v = value_of(o);
	struct value_image i;
	struct scan_error error;
	struct fault f;
	if (image.n < sizeof(i) + sizeof(v->mutex.i))
		return -1;
	memcpy(&i, image.p, sizeof(i));
	struct span rest = {image.p + sizeof(i), image.n - sizeof(i)};
	struct span json = {rest.p + sizeof(v->mutex.i), rest.n - sizeof(v->mutex.i)};
	const struct ctype *type = i.code ? ctype_of(i.code) : NULL;
	if (i.code ? !type || json.n || !ctype_valid(type, i.cell) : scan_check(json, NULL, &error) != 0)
		return -1;
	if (mutex_load(&v->mutex, rest) || (!i.code && keep_json(v, json, &f)))
		return -1;
	v->i = i;
	return 0;
}

static void value_describe(const struct obj *o, struct buf *b)
{
	const struct value *v = value_of(o);
	buf_printf(b, "\"type\":\"%s\",\"wrap\":%s,\"version\":%llu,\"lock\":{",
		   v->i.code ? (char[]){v->i.code, '\0'} : "json", v->i.wrap ? "true" : "false",
		   (unsigned long long)v->i.version);
	mutex_describe(&v->mutex, b);
	buf_putc(b, '}');
	if (v->json.len <= TOLD_MAX) {
		buf_puts(b, ",\"value\":");
		value_put(v, b);
	}
}

static void value_summary(const struct obj *o, struct buf *b)
{
	const struct value *v = value_of(o);
	if (!v->i.code && v->json.len > 60)
		buf_printf(b, "%zu bytes of JSON", v->json.len);
	else
		value_put(v, b);
	if (v->mutex.hold) {
		buf_puts(b, ", ");
		mutex_summary(&v->mutex, b);
	}
}

const struct class value_class = {
	.kind = KIND_VALUE,
	.name = "value",
	.size = sizeof(struct value),
	.init = value_init,
	.done = value_done,
	MUTEX_HOLDS,
	.mutex = value_mutex,
	.save = value_save,
	.load = value_load,
	.describe = value_describe,
	.summary = value_summary,
};
