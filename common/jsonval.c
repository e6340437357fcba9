/* SPDX-License-Identifier: MIT */
/*
 * Equality and order of jsonval.h.
 *
 * 1. Whole numbers are compared digit by digit, and with a double by all digits of its whole part: nothing is rounded.
 * 2. Recursion goes as deep as scan_check() lets brackets go. Objects are compared in n log n.
 * 3. Where memory is out two values are not equal: nobody then finds what is there, nobody finds what is not.
 */
#include "common/jsonval.h"
#include "common/scan_lex.h"
#include <float.h>
#include <math.h>
#include <stdio.h>

#define DOUBLE_DIGITS 320 /* of the whole part of the largest one, and a NUL */

/* --- numbers ------------------------------------------------------------------------------------------------------ */

/* Its digits, without sign and leading zeros: none is 0. */
struct whole {
	bool negative;
	struct span digits;
};

static struct whole whole_of(struct span text)
{
	struct whole w = {.negative = text.n && *text.p == '-'};
	const char *p = text.p + w.negative, *end = text.p + text.n;
	while (p < end && *p == '0')
		p++;
	w.digits = (struct span){p, (size_t)(end - p)};
	w.negative &= w.digits.n > 0;
	return w;
}

bool jsonval_is_whole(struct span value)
{
	if (scan_type(value) != SCAN_NUMBER)
		return false;
	value = trim(value);
	for (size_t i = 0; i < value.n; i++)
		if (!is_digit(value.p[i]) && value.p[i] != '-')
			return false;
	return true;
}

int jsonval_whole(struct span value, __int128 *ret)
{
	const unsigned __int128 top = (unsigned __int128)1 << 127;
	unsigned __int128 n = 0;
	bool over = false;
	if (!jsonval_is_whole(value))
		return -1;
	struct whole w = whole_of(trim(value));
	for (size_t i = 0; i < w.digits.n; i++) {
		over |= __builtin_mul_overflow(n, 10, &n);
		over |= __builtin_add_overflow(n, (unsigned)(w.digits.p[i] - '0'), &n);
	}
	*ret = (__int128)(w.negative ? -n : n);
	return over || n > top - !w.negative;
}

/* strtod() wants a NUL, and the point of LC_NUMERIC, which no program of ours sets. */
int jsonval_double(struct span value, double *ret)
{
	char room[64];
	AUTO_FREE char *more = NULL;
	char *text = room;
	if (scan_type(value) != SCAN_NUMBER)
		return -1;
	value = trim(value);
	if (value.n >= sizeof(room) && !(text = more = malloc(value.n + 1)))
		return -1;
	memcpy(text, value.p, value.n);
	text[value.n] = '\0';
	*ret = strtod(text, NULL);
	return 0;
}

void jsonval_put_whole(struct buf *out, __int128 v)
{
	char digits[40], *p = digits + sizeof(digits);
	unsigned __int128 rest = v < 0 ? -(unsigned __int128)v : (unsigned __int128)v;
	do
		*--p = (char)('0' + (int)(rest % 10));
	while (rest /= 10);
	if (v < 0)
		buf_putc(out, '-');
	buf_put(out, p, (size_t)(digits + sizeof(digits) - p));
}

/* 15 digits are never too many for a normal double, 17 always enough. */
void jsonval_put_double(struct buf *out, double d)
{
	char text[32];
	int digits = fabs(d) < DBL_MIN ? 1 : DBL_DIG;
	do
		snprintf(text, sizeof(text), "%.*g", digits, d);
	while (digits++ < DBL_DECIMAL_DIG && strtod(text, NULL) != d);
	buf_puts(out, text);
	if (!strpbrk(text, ".e"))
		buf_puts(out, ".0");
}

static int sign(int n) { return (n > 0) - (n < 0); }

static int whole_order(struct whole a, struct whole b)
{
	if (a.negative != b.negative)
		return a.negative ? -1 : 1;
	int order = (a.digits.n > b.digits.n) - (a.digits.n < b.digits.n);
	if (order == 0 && a.digits.n)
		order = sign(memcmp(a.digits.p, b.digits.p, a.digits.n));
	return a.negative ? -order : order;
}

/* Without libm, which not everybody links who links this: a large double is whole. */
static double whole_part(double d) { return fabs(d) < 0x1p53 ? (double)(int64_t)d : d; }

static int mixed_order(struct whole a, double b)
{
	char room[DOUBLE_DIGITS];
	double part = whole_part(b);
	if (isinf(b))
		return b > 0 ? -1 : 1;
	int n = snprintf(room, sizeof(room), "%.0f", part);
	int order = whole_order(a, whole_of((struct span){room, (size_t)n}));
	return order ? order : (part > b) - (part < b);
}

/* What a number or a string is compared by. */
struct key {
	bool is_string, is_whole;
	struct whole whole;
	double d;
	struct span text; /* un-escaped */
	struct buf room;
	size_t place; /* in what is sorted */
};

static int key_text(struct key *k, struct span value)
{
	k->is_string = true;
	if (scan_plain(value, &k->text))
		return 0;
	scan_str(value, &k->room);
	k->text = buf_view(&k->room);
	return k->room.failed ? -1 : 0;
}

/* -1: it has no order, or memory is out. */
static int key_of(struct span value, struct key *ret)
{
	*ret = (struct key){.room = BUF_INIT};
	if (scan_type(value) == SCAN_STRING)
		return key_text(ret, value);
	ret->is_whole = jsonval_is_whole(value);
	if (!ret->is_whole)
		return jsonval_double(value, &ret->d);
	ret->whole = whole_of(trim(value));
	return 0;
}

static int text_order(struct span a, struct span b)
{
	size_t n = MIN(a.n, b.n);
	int order = n ? memcmp(a.p, b.p, n) : 0;
	return order ? sign(order) : (a.n > b.n) - (a.n < b.n);
}

/* Of two of one sort. Characters have the order of their bytes in UTF-8. */
static int key_order(const struct key *a, const struct key *b)
{
	if (a->is_string)
		return text_order(a->text, b->text);
	if (a->is_whole && b->is_whole)
		return whole_order(a->whole, b->whole);
	if (a->is_whole)
		return mixed_order(a->whole, b->d);
	if (b->is_whole)
		return -mixed_order(b->whole, a->d);
	return (a->d > b->d) - (a->d < b->d);
}

int jsonval_order(struct span a, struct span b, int *ret)
{
	struct key x = {.room = BUF_INIT}, y = {.room = BUF_INIT};
	int failed = key_of(a, &x) || key_of(b, &y) || x.is_string != y.is_string ? -1 : 0;
	if (!failed)
		*ret = key_order(&x, &y);
	buf_done(&x.room);
	buf_done(&y.room);
	return failed;
}

/* --- equality ----------------------------------------------------------------------------------------------------- */

static bool equal_scalars(struct span a, struct span b)
{
	int order;
	return jsonval_order(a, b, &order) == 0 && order == 0;
}

static bool equal_arrays(struct span a, struct span b)
{
	struct scan_iter x = scan_iter(a), y = scan_iter(b);
	struct span key, left, right;
	while (scan_next(&x, &key, &left))
		if (!scan_next(&y, &key, &right) || !jsonval_equal(left, right))
			return false;
	return !scan_next(&y, &key, &right);
}

struct member {
	struct span name, value; /* the name un-escaped */
};

static int by_name(const void *a, const void *b)
{
	return text_order(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* The members of OBJ, N of them, by name; those with escapes have their names in ROOM. NULL without memory. */
static struct member *members_of(struct span obj, size_t n, struct buf *room)
{
	struct scan_iter it = scan_iter(obj);
	struct member *v = calloc(MAX(n, 1), sizeof(*v));
	if (!v || !buf_room(room, obj.n)) { /* it does not move any more */
		free(v);
		return NULL;
	}
	for (size_t i = 0; scan_next(&it, &v[i].name, &v[i].value); i++) {
		size_t from = room->len;
		if (v[i].name.n == 0 || !memchr(v[i].name.p, '\\', v[i].name.n))
			continue;
		scan_unescape(v[i].name, room);
		v[i].name = (struct span){room->p + from, room->len - from};
	}
	qsort(v, n, sizeof(*v), by_name);
	return v;
}

/* Have they as many members? Looks at no more of them than the smaller one has. */
static bool same_count(struct span a, struct span b, size_t *ret)
{
	struct scan_iter x = scan_iter(a), y = scan_iter(b);
	struct span key, value;
	bool more, other;
	size_t n = 0;
	do {
		more = scan_next(&x, &key, &value);
		other = scan_next(&y, &key, &value);
		n += more;
	} while (more && other);
	*ret = n;
	return more == other;
}

static bool equal_objects(struct span a, struct span b)
{
	AUTO_BUF room_a = BUF_INIT, room_b = BUF_INIT;
	size_t n, i = 0;
	if (!same_count(a, b, &n))
		return false;
	AUTO_FREE struct member *x = members_of(a, n, &room_a);
	AUTO_FREE struct member *y = members_of(b, n, &room_b);
	if (!x || !y)
		return false;
	while (i < n && span_eq(x[i].name, y[i].name) && jsonval_equal(x[i].value, y[i].value))
		i++;
	return i == n;
}

bool jsonval_equal(struct span a, struct span b)
{
	enum scan_type type = scan_type(a);
	if (type != scan_type(b))
		return false;
	if (span_eq(a, b) || type < SCAN_NUMBER)
		return true;
	if (type == SCAN_ARRAY)
		return equal_arrays(a, b);
	return type == SCAN_OBJECT ? equal_objects(a, b) : equal_scalars(a, b);
}

/* --- sorting ------------------------------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = key_order(x, y);
	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static int descending(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	int order = key_order(y, x);
	return order ? order : (x->place > y->place) - (x->place < y->place);
}

static void keys_free(struct key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_done(&keys[i].room);
	free(keys);
}

/* *RET_MIXED: some are neither numbers nor strings, or not all are the same. */
static struct key *keys_make(const struct span *v, size_t n, bool *ret_mixed)
{
	struct key *keys = calloc(MAX(n, 1), sizeof(*keys));
	*ret_mixed = false;
	for (size_t i = 0; keys && i < n && !*ret_mixed; i++) {
		enum scan_type type = scan_type(v[i]);
		*ret_mixed = (type != SCAN_NUMBER && type != SCAN_STRING) || type != scan_type(v[0]);
		bool failed = *ret_mixed || key_of(v[i], &keys[i]);
		keys[i].place = i;
		if (failed) {
			keys_free(keys, n);
			return NULL;
		}
	}
	return keys;
}

int jsonval_sort(const struct span *v, size_t n, bool reverse, size_t *ret, bool *ret_mixed)
{
	struct key *keys = keys_make(v, n, ret_mixed);
	if (!keys)
		return -1;
	qsort(keys, n, sizeof(*keys), reverse ? descending : ascending);
	for (size_t i = 0; i < n; i++)
		ret[i] = keys[i].place;
	keys_free(keys, n);
	return 0;
}
