/* SPDX-License-Identifier: MIT */
/* Lists: sequence.h. */
#include "daemon/engine/core/sequence.h"
#include "common/jsonval.h"
#include "daemon/engine/core/core.h"

#define VALUE_COST (sizeof(struct span) + 2 * sizeof(void *)) /* of each, beside its bytes */
#define PART_BYTES ((size_t)8 << 20)                          /* after which a record is full */

struct sequence_part { /* followed by each value's length (32 bits) and bytes */
	uint64_t version, start, ndel, n;
};

static struct sequence *sequence_of(const struct obj *o) { return (struct sequence *)(uintptr_t)o; }

static size_t cost(struct span value) { return VALUE_COST + value.n; }

/* --- values ------------------------------------------------------------------------------------------------------- */

void values_free(struct values *v)
{
	for (size_t i = 0; i < v->n; i++)
		free((char *)v->v[i].p);
	free(v->v);
	*v = (struct values){0};
}

static int no_memory(struct fault *f) { return fault_set(f, FAULT_OVERLOADED, "out of memory"); }

/* There is room for it. */
static int values_push(struct values *v, struct span value)
{
	char *copy = malloc(MAX(value.n, 1));
	if (!copy)
		return -1;
	memcpy(copy, value.p, value.n);
	v->v[v->n++] = (struct span){copy, value.n};
	v->bytes += cost(value);
	return 0;
}

static int values_begin(struct values *v, size_t n)
{
	*v = (struct values){.v = calloc(MAX(n, 1), sizeof(*v->v))};
	return v->v ? 0 : -1;
}

int values_read(struct values *v, struct span json, struct fault *f)
{
	struct span key, value;
	*v = (struct values){0};
	if (scan_type(json) != SCAN_ARRAY)
		return fault_set(f, FAULT_PARAMS, "an array of values is needed");
	int failed = values_begin(v, scan_count(json));
	for (struct scan_iter it = scan_iter(json); !failed && scan_next(&it, &key, &value);)
		failed = values_push(v, value);
	return failed ? no_memory(f) : 0;
}

int values_read_one(struct values *v, struct span json, struct fault *f)
{
	return values_begin(v, 1) || values_push(v, json) ? no_memory(f) : 0;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* As many of the values from START on as a record takes, at most N; returns how many. */
static size_t save_some(struct sequence *s, struct sequence_part part, struct buf *room)
{
	size_t n = part.n;
	buf_clear(room, 2 * PART_BYTES);
	for (part.n = 0; part.n < n && room->len < PART_BYTES; part.n++) {
		struct span value = s->has.v[part.start + part.n];
		uint32_t length = (uint32_t)value.n;
		buf_put(room, &length, sizeof(length));
		buf_span(room, value);
	}
	if (room->failed)
		abort(); /* the next engine replays what was told */
	obj_part(&s->obj, &part, sizeof(part), buf_view(room));
	return part.n;
}

/* In the journal: from START on NDEL values went, and what are N now came. */
static void save(struct sequence *s, size_t start, size_t ndel, size_t n)
{
	AUTO_BUF room = BUF_INIT;
	struct sequence_part part = {s->version, start, ndel, n};
	do {
		size_t saved = save_some(s, part, &room);
		part.start += saved;
		part.n -= saved;
		part.ndel = 0;
	} while (part.n);
}

static void changed(struct sequence *s, size_t start, size_t ndel, size_t n)
{
	s->version++;
	save(s, start, ndel, n);
	obj_used(&s->obj);
}

static int make_room(struct sequence *s, size_t n)
{
	if (n <= s->room)
		return 0;
	size_t room = MAX(n, s->room + s->room / 2 + 8);
	struct span *v = reallocarray(s->has.v, room, sizeof(*v));
	if (!v)
		return -1;
	s->has.v = v;
	s->room = room;
	return 0;
}

static void drop(struct sequence *s, size_t i)
{
	s->has.bytes -= cost(s->has.v[i]);
	free((char *)s->has.v[i].p);
}

/* There is room. */
static void move_in(struct sequence *s, size_t start, size_t ndel, struct values *fresh)
{
	struct span *at = s->has.v + start;
	for (size_t i = 0; i < ndel; i++)
		drop(s, start + i);
	if (s->has.v)
		memmove(at + fresh->n, at + ndel, (s->has.n - start - ndel) * sizeof(*at));
	if (fresh->n)
		memcpy(at, fresh->v, fresh->n * sizeof(*at));
	s->has.n += fresh->n - ndel;
	s->has.bytes += fresh->bytes;
	fresh->n = 0;
	values_free(fresh);
}

static int too_large(const struct sequence *s, struct fault *f)
{
	return fault_set(f, FAULT_TOO_LARGE, "list %s holds %zu bytes; it cannot hold more than %zu", obj_said(&s->obj),
			 s->has.bytes, SEQUENCE_BYTES_MAX);
}

int sequence_splice(struct sequence *s, size_t start, size_t ndel, struct values *fresh, struct fault *f)
{
	size_t bytes = s->has.bytes + fresh->bytes, n = fresh->n;
	for (size_t i = 0; i < ndel; i++)
		bytes -= cost(s->has.v[start + i]);
	if (bytes > SEQUENCE_BYTES_MAX)
		return too_large(s, f);
	if (make_room(s, s->has.n + n))
		return no_memory(f);
	move_in(s, start, ndel, fresh);
	if (n || ndel)
		changed(s, start, ndel, n);
	return 0;
}

/* The places of a slice reach from FROM on over N places. */
static void reach(const struct slice *slice, size_t *ret_from, size_t *ret_n)
{
	size_t first = slice_at(slice, 0), last = slice_at(slice, slice->n - 1);
	*ret_from = MIN(first, last);
	*ret_n = MAX(first, last) - *ret_from + 1;
}

/* One for one, in places that lie apart or the other way round. */
static int set_apart(struct sequence *s, const struct slice *slice, struct values *fresh, struct fault *f)
{
	size_t from, n, bytes = s->has.bytes + fresh->bytes;
	if (fresh->n != slice->n)
		return fault_set(f, FAULT_RANGE, "%zu values do not fit a slice of %zu", fresh->n, slice->n);
	if (slice->n == 0)
		return 0;
	for (size_t i = 0; i < slice->n; i++)
		bytes -= cost(s->has.v[slice_at(slice, i)]);
	if (bytes > SEQUENCE_BYTES_MAX)
		return too_large(s, f);
	for (size_t i = 0; i < slice->n; i++) {
		drop(s, slice_at(slice, i));
		s->has.v[slice_at(slice, i)] = fresh->v[i];
	}
	s->has.bytes = bytes;
	fresh->n = 0;
	reach(slice, &from, &n);
	changed(s, from, n, n);
	return 0;
}

int sequence_set(struct sequence *s, const struct slice *slice, struct span json, struct fault *f)
{
	struct values fresh;
	int code = slice->is_index ? values_read_one(&fresh, json, f) : values_read(&fresh, json, f);
	if (!code && slice->step == 1)
		code = sequence_splice(s, (size_t)slice->start, slice->n, &fresh, f);
	else if (!code)
		code = set_apart(s, slice, &fresh, f);
	values_free(&fresh);
	return code;
}

/* The places of the slice, upwards. */
static struct slice upwards(const struct slice *slice)
{
	if (slice->step > 0)
		return *slice;
	return (struct slice){.start = (int64_t)slice_at(slice, slice->n - 1), .step = -slice->step, .n = slice->n};
}

void sequence_del(struct sequence *s, const struct slice *slice)
{
	size_t from, reached, to, next = 0;
	if (slice->n == 0)
		return;
	const struct slice up = upwards(slice);
	reach(&up, &from, &reached);
	to = from;
	for (size_t i = from; i < s->has.n; i++) {
		if (next < up.n && i == slice_at(&up, next)) {
			drop(s, i);
			next++;
		} else {
			s->has.v[to++] = s->has.v[i];
		}
	}
	s->has.n = to;
	changed(s, from, reached, reached - up.n);
}

void sequence_reverse(struct sequence *s)
{
	if (s->has.n < 2)
		return;
	for (size_t i = 0, j = s->has.n - 1; i < j; i++, j--) {
		struct span value = s->has.v[i];
		s->has.v[i] = s->has.v[j];
		s->has.v[j] = value;
	}
	changed(s, 0, s->has.n, s->has.n);
}

/* ORDER[i] is the place of what comes i-th. */
static void arrange(struct sequence *s, const size_t *order, struct span *old)
{
	memcpy(old, s->has.v, s->has.n * sizeof(*old));
	for (size_t i = 0; i < s->has.n; i++)
		s->has.v[i] = old[order[i]];
}

int sequence_sort(struct sequence *s, bool reverse, struct fault *f)
{
	size_t n = s->has.n;
	bool mixed = false;
	if (n < 2)
		return 0;
	AUTO_FREE size_t *order = calloc(n, sizeof(*order));
	AUTO_FREE struct span *old = calloc(n, sizeof(*old));
	int failed = order && old ? jsonval_sort(s->has.v, n, reverse, order, &mixed) : -1;
	if (mixed)
		return fault_set(f, FAULT_PARAMS, "list %s: only numbers, or only strings, can be sorted",
				 obj_said(&s->obj));
	if (failed)
		return no_memory(f);
	arrange(s, order, old);
	changed(s, 0, n, n);
	return 0;
}

/* The sequence N - 1 times, N > 1. */
static int copies(const struct sequence *s, size_t n, struct values *ret)
{
	int failed = values_begin(ret, s->has.n * (n - 1));
	for (size_t i = 0; !failed && i < s->has.n * (n - 1); i++)
		failed = values_push(ret, s->has.v[i % s->has.n]);
	return failed;
}

int sequence_repeat(struct sequence *s, int64_t n, struct fault *f)
{
	const struct slice all = {.step = 1, .n = s->has.n};
	struct values fresh;
	if (n == 1 || s->has.n == 0)
		return 0;
	if (n <= 0) {
		sequence_del(s, &all);
		return 0;
	}
	if ((uint64_t)n > SEQUENCE_BYTES_MAX / s->has.bytes)
		return too_large(s, f);
	int code = copies(s, (size_t)n, &fresh) ? no_memory(f) : sequence_splice(s, s->has.n, 0, &fresh, f);
	values_free(&fresh);
	return code;
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

size_t sequence_find(const struct sequence *s, struct span json, size_t from, size_t to)
{
	while (from < to && !jsonval_equal(s->has.v[from], json))
		from++;
	return MIN(from, to);
}

int sequence_index(const struct sequence *s, struct span json, size_t from, size_t to, size_t *ret, struct fault *f)
{
	*ret = sequence_find(s, json, from, to);
	if (*ret < to)
		return 0;
	return fault_set(f, FAULT_RANGE, "list %s has no such value", obj_said(&s->obj));
}

int sequence_check(const struct sequence *s, uint64_t version, struct fault *f)
{
	unsigned long long now = s->version;
	if (now == version)
		return 0;
	fault_set(f, FAULT_CONFLICT, "list %s was changed meanwhile: it has version %llu", obj_said(&s->obj), now);
	return fault_data(f, "\"version\":%llu", now);
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

static void sequence_save(const struct obj *o, struct buf *image)
{
	buf_put(image, &sequence_of(o)->version, sizeof(sequence_of(o)->version));
}

static int sequence_load(struct obj *o, struct span image)
{
	struct sequence *s = sequence_of(o);
	if (image.n != sizeof(s->version))
		return -1;
	memcpy(&s->version, image.p, sizeof(s->version));
	return 0;
}

static void sequence_save_parts(struct obj *o)
{
	struct sequence *s = sequence_of(o);
	if (s->has.n)
		save(s, 0, 0, s->has.n);
}

/* One value off the front of BODY; -1: there is none. */
static int load_value(struct span *body, struct values *to)
{
	struct scan_error error;
	uint32_t length;
	if (body->n < sizeof(length))
		return -1;
	memcpy(&length, body->p, sizeof(length));
	*body = (struct span){body->p + sizeof(length), body->n - sizeof(length)};
	if (length > body->n || scan_check((struct span){body->p, length}, NULL, &error))
		return -1;
	int failed = values_push(to, (struct span){body->p, length});
	*body = (struct span){body->p + length, body->n - length};
	return failed;
}

static int load_values(struct span body, uint64_t n, struct values *to)
{
	int failed = n > body.n ? -1 : values_begin(to, n);
	for (uint64_t i = 0; !failed && i < n; i++)
		failed = load_value(&body, to);
	return failed || body.n ? -1 : 0;
}

static int sequence_load_part(struct obj *o, struct span body)
{
	struct sequence *s = sequence_of(o);
	struct values fresh = {0};
	struct sequence_part p;
	if (body.n < sizeof(p))
		return -1;
	memcpy(&p, body.p, sizeof(p));
	body = (struct span){body.p + sizeof(p), body.n - sizeof(p)};
	if (p.start > s->has.n || p.ndel > s->has.n - p.start)
		return -1;
	int failed = load_values(body, p.n, &fresh) || make_room(s, s->has.n + fresh.n);
	if (!failed) {
		move_in(s, p.start, p.ndel, &fresh);
		s->version = p.version;
	}
	values_free(&fresh);
	return failed ? -1 : 0;
}

/* --- the class ---------------------------------------------------------------------------------------------------- */

static void sequence_done(struct obj *o) { values_free(&sequence_of(o)->has); }
static bool sequence_busy(const struct obj *o) { return sequence_of(o)->has.n > 0; }

static void sequence_describe(const struct obj *o, struct buf *b)
{
	const struct sequence *s = sequence_of(o);
	buf_printf(b, "\"len\":%zu,\"bytes\":%zu,\"version\":%llu", s->has.n, s->has.bytes,
		   (unsigned long long)s->version);
}

static void sequence_summary(const struct obj *o, struct buf *b)
{
	size_t n = sequence_of(o)->has.n;
	buf_printf(b, n == 1 ? "%zu value" : "%zu values", n);
}

const struct class list_class = {
	.kind = KIND_LIST,
	.name = "list",
	.size = sizeof(struct sequence),
	.done = sequence_done,
	.busy = sequence_busy,
	.save = sequence_save,
	.load = sequence_load,
	.save_parts = sequence_save_parts,
	.load_part = sequence_load_part,
	.describe = sequence_describe,
	.summary = sequence_summary,
};
