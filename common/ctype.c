/* SPDX-License-Identifier: MIT */
/* The types of ctype.h. */
#include "common/ctype.h"
#include "common/jsonval.h"
#include <math.h>

#define CHAR_MAX_UNICODE 0x10ffff

static const struct ctype types[] = {
	{'b', CTYPE_INT, 8, true},   {'B', CTYPE_INT, 8, false},   {'h', CTYPE_INT, 16, true},
	{'H', CTYPE_INT, 16, false}, {'i', CTYPE_INT, 32, true},   {'I', CTYPE_INT, 32, false},
	{'l', CTYPE_INT, 64, true},  {'L', CTYPE_INT, 64, false},  {'q', CTYPE_INT, 64, true},
	{'Q', CTYPE_INT, 64, false}, {'f', CTYPE_FLOAT, 32, true}, {'d', CTYPE_FLOAT, 64, true},
	{'c', CTYPE_CHAR, 8, false}, {'u', CTYPE_CHAR, 32, false},
};

const struct ctype *ctype_of(char code)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].code == code)
			return &types[i];
	return NULL;
}

const struct ctype *ctype_find(struct span code) { return code.n == 1 ? ctype_of(*code.p) : NULL; }

/* --- whole numbers ------------------------------------------------------------------------------------------------ */

static __int128 lowest(const struct ctype *t) { return t->is_signed ? -((__int128)1 << (t->bits - 1)) : 0; }
static __int128 highest(const struct ctype *t) { return ((__int128)1 << (t->bits - t->is_signed)) - 1; }

/* What is left of V in so many bits. */
static union cell cut(const struct ctype *t, __int128 v)
{
	unsigned unused = 64 - t->bits;
	uint64_t low = (uint64_t)v << unused;
	if (t->is_signed)
		return (union cell){.i = (int64_t)low >> unused};
	return (union cell){.u = low >> unused};
}

static __int128 whole(const struct ctype *t, union cell c) { return t->is_signed ? (__int128)c.i : (__int128)c.u; }

static int no_fit(const struct ctype *t, struct fault *f)
{
	AUTO_BUF from = BUF_INIT, to = BUF_INIT;
	jsonval_put_whole(&from, lowest(t));
	jsonval_put_whole(&to, highest(t));
	return fault_set(f, FAULT_RANGE, "a value of type %c is from %s to %s", t->code, buf_str(&from), buf_str(&to));
}

static int wrong(const struct ctype *t, struct fault *f)
{
	static const char *const must[] = {
		[CTYPE_INT] = "a whole number, without point or exponent",
		[CTYPE_FLOAT] = "a number",
		[CTYPE_CHAR] = "a string of one character",
	};
	return fault_set(f, FAULT_PARAMS, "a value of type %c must be %s%s", t->code, must[t->class],
			 t->code == 'c' ? " up to U+00FF, or one byte as {\"b64\": ...}" : "");
}

static int int_keep(const struct ctype *t, __int128 v, bool fits, bool wrap, union cell *ret, struct fault *f)
{
	if (!wrap && (!fits || v < lowest(t) || v > highest(t)))
		return no_fit(t, f);
	*ret = cut(t, v);
	return 0;
}

static int int_get(const struct ctype *t, struct span json, bool wrap, union cell *ret, struct fault *f)
{
	__int128 v;
	int fits = jsonval_whole(json, &v);
	return fits < 0 ? wrong(t, f) : int_keep(t, v, fits == 0, wrap, ret, f);
}

/* The sum wraps at 128 bits, of which the type's are the lowest. */
static int int_add(const struct ctype *t, union cell *c, struct span json, bool wrap, struct fault *f)
{
	__int128 delta;
	int fits = jsonval_whole(json, &delta);
	if (fits < 0)
		return wrong(t, f);
	bool over = __builtin_add_overflow(whole(t, *c), delta, &delta);
	return int_keep(t, delta, fits == 0 && !over, wrap, c, f);
}

static void int_put(const struct ctype *t, union cell c, struct buf *out)
{
	if (t->is_signed)
		buf_i64(out, c.i);
	else
		buf_u64(out, c.u);
}

/* --- floats ------------------------------------------------------------------------------------------------------- */

/* JSON has no word for infinity. */
static int float_keep(const struct ctype *t, double d, union cell *ret, struct fault *f)
{
	if (t->bits == 32)
		d = (double)(float)d;
	if (!isfinite(d))
		return fault_set(f, FAULT_RANGE, "it is too large for a value of type %c", t->code);
	ret->d = d;
	return 0;
}

static int float_get(const struct ctype *t, struct span json, bool wrap, union cell *ret, struct fault *f)
{
	double d;
	(void)wrap;
	return jsonval_double(json, &d) ? wrong(t, f) : float_keep(t, d, ret, f);
}

static int float_add(const struct ctype *t, union cell *c, struct span json, bool wrap, struct fault *f)
{
	double d;
	(void)wrap;
	return jsonval_double(json, &d) ? wrong(t, f) : float_keep(t, c->d + d, c, f);
}

static void float_put(const struct ctype *t, union cell c, struct buf *out)
{
	(void)t;
	jsonval_put_double(out, c.d);
}

/* --- characters --------------------------------------------------------------------------------------------------- */

/* The first character of checked UTF-8; *RET_N: how many bytes it has. */
static uint32_t character(struct span text, size_t *ret_n)
{
	uint8_t lead = (uint8_t)*text.p;
	size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? lead : lead & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((uint8_t)text.p[i] & 0x3f);
	*ret_n = n;
	return c;
}

static void put_character(struct buf *out, uint32_t c)
{
	char utf8[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; c >>= 6)
		utf8[i] = (char)(0x80 | (c & 0x3f));
	utf8[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	scan_put_str(out, (struct span){utf8, n});
}

static int char_get(const struct ctype *t, struct span json, bool wrap, union cell *ret, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	size_t n = 1;
	uint32_t c;
	(void)wrap;
	if (scan_str(json, &text) == 0 && text.len)
		c = character(buf_view(&text), &n);
	else if (t->code == 'c' && scan_bytes(json, &text) == 0 && text.len)
		c = (uint8_t)*text.p;
	else
		return wrong(t, f);
	if (n != text.len || (t->bits == 8 && c > 0xff))
		return wrong(t, f);
	ret->u = c;
	return 0;
}

static int char_add(const struct ctype *t, union cell *c, struct span json, bool wrap, struct fault *f)
{
	(void)c, (void)json, (void)wrap;
	return fault_set(f, FAULT_PARAMS, "nothing can be added to a character (type %c)", t->code);
}

static void char_put(const struct ctype *t, union cell c, struct buf *out)
{
	(void)t;
	put_character(out, (uint32_t)c.u);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static const struct {
	int (*get)(const struct ctype *, struct span json, bool wrap, union cell *ret, struct fault *);
	int (*add)(const struct ctype *, union cell *, struct span json, bool wrap, struct fault *);
	void (*put)(const struct ctype *, union cell, struct buf *);
} rules[] = {
	[CTYPE_INT] = {int_get, int_add, int_put},
	[CTYPE_FLOAT] = {float_get, float_add, float_put},
	[CTYPE_CHAR] = {char_get, char_add, char_put},
};

int ctype_get(const struct ctype *t, struct span json, bool wrap, union cell *ret, struct fault *f)
{
	return rules[t->class].get(t, json, wrap, ret, f);
}

void ctype_put(const struct ctype *t, union cell c, struct buf *out) { rules[t->class].put(t, c, out); }

int ctype_add(const struct ctype *t, union cell *c, struct span json, bool wrap, struct fault *f)
{
	return rules[t->class].add(t, c, json, wrap, f);
}

static bool is_character(uint64_t c) { return c <= CHAR_MAX_UNICODE && (c < 0xd800 || c > 0xdfff); }

bool ctype_valid(const struct ctype *t, union cell c)
{
	if (t->class == CTYPE_INT)
		return cut(t, whole(t, c)).u == c.u;
	if (t->class == CTYPE_FLOAT)
		return isfinite(c.d) && (t->bits == 64 || (double)(float)c.d == c.d);
	return t->bits == 8 ? c.u <= 0xff : is_character(c.u);
}
