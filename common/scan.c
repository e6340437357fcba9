/* SPDX-License-Identifier: MIT */
/*
 * Strict JSON in one pass, and views into what has passed.
 *
 * 1. scan_check() reads each byte once and trusts none; all else trusts what it has let through and looks at bounds
 *    only where the end of a span is a legal place to stop.
 * 2. Its stack is bounded by SCAN_DEPTH. It allocates only for objects of many members or with escapes in their
 *    names, in proportion to these, and has given it all back when it returns.
 * 3. What a tape does not tell is read from the text: of arrays, of what lies deeper, of objects of many members.
 * 4. No text makes it take more than linear time: repeated names are names.h's.
 */
#include "common/names.h"
#include "common/scan_lex.h"

#define NAMES_ON_STACK 64

static const uint8_t type_of[256] = {
	['n'] = SCAN_NULL,           ['f'] = SCAN_FALSE,  ['t'] = SCAN_TRUE,  ['-'] = SCAN_NUMBER,
	['0' ... '9'] = SCAN_NUMBER, ['"'] = SCAN_STRING, ['['] = SCAN_ARRAY, ['{'] = SCAN_OBJECT,
};

/* What stands behind a backslash, and what it stands for. */
static const char escape_of[256] = {
	['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
};

static inline bool is_high(int32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
static inline bool is_low(int32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

/* --- escapes ----------------------------------------------------------------------------------------------------- */

static char *utf8_put(char *to, uint32_t c)
{
	if (c < 0x80) {
		*to++ = (char)c;
		return to;
	}
	int shift = c < 0x800 ? 6 : c < 0x10000 ? 12 : 18;
	*to++ = (char)((0xff00 >> (shift / 6 + 1)) | c >> shift);
	while ((shift -= 6) >= 0)
		*to++ = (char)(0x80 | (c >> shift & 0x3f));
	return to;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	char lower = (char)(c | 0x20);
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The UTF-16 unit that a whole \uXXXX at P says, or -1. */
static int32_t unit_at(const char *p, const char *end)
{
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	int32_t unit = 0;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(p[i]);
		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

/* Un-escapes the checked escape (or pair of surrogates) at *P and steps over it. Returns the end of what it wrote. */
static char *escape_take(const char **p, const char *end, char *to)
{
	if ((*p)[1] != 'u') {
		*to++ = escape_of[byte_at(*p + 1)];
		*p += 2;
		return to;
	}
	int32_t c = unit_at(*p, end);
	*p += 6;
	if (is_high(c)) {
		c = 0x10000 + ((c - 0xd800) << 10) + (unit_at(*p, end) - 0xdc00);
		*p += 6;
	}
	return utf8_put(to, (uint32_t)c);
}

/* Writes the checked RAW un-escaped to TO, which takes at most RAW.n bytes: no escape is shorter than what it says. */
static char *unescape(struct span raw, char *to)
{
	const char *p = raw.p, *end = raw.p + raw.n;
	while (p < end) {
		const char *escape = memchr(p, '\\', (size_t)(end - p));
		size_t n = (size_t)((escape ? escape : end) - p);
		memcpy(to, p, n);
		to += n;
		p += n;
		if (escape)
			to = escape_take(&p, end, to);
	}
	return to;
}

/* --- the check --------------------------------------------------------------------------------------------------- */

struct check {
	const char *text, *p, *end;
	struct scan_error *err;
	unsigned depth;
	bool escaped; /* the string read last has an escape */
	/* The names of all open objects, raw, as one stack: an inner object's lie above its outer's, and go with it. */
	struct span *names, *few;
	size_t nnames, cap;
	struct scan_tape *tape; /* NULL: nobody wants one */
};

static int check_value(struct check *);
static int check_bare(struct check *);

static int wrong_at(struct check *c, const char *at, const char *what)
{
	*c->err = (struct scan_error){(size_t)(at - c->text), what};
	return -1;
}
static int wrong(struct check *c, const char *what) { return wrong_at(c, c->p, what); }

static inline bool next_is(const struct check *c, char byte) { return c->p < c->end && *c->p == byte; }

static inline bool take(struct check *c, char byte)
{
	bool is = next_is(c, byte);
	c->p += is;
	return is;
}

static bool take_digits(struct check *c)
{
	const char *from = c->p;
	while (c->p < c->end && is_digit(*c->p))
		c->p++;
	return c->p > from;
}

static int check_number(struct check *c)
{
	take(c, '-');
	if (!take(c, '0') && !take_digits(c))
		return wrong(c, "a digit is missing");
	if (take(c, '.') && !take_digits(c))
		return wrong(c, "a digit is missing after the point");
	if (!take(c, 'e') && !take(c, 'E'))
		return 0;
	if (!take(c, '+'))
		take(c, '-');
	return take_digits(c) ? 0 : wrong(c, "a digit is missing in the exponent");
}

static int check_escape(struct check *c)
{
	c->escaped = true;
	if (c->end - c->p >= 2 && escape_of[byte_at(c->p + 1)]) {
		c->p += 2;
		return 0;
	}
	int32_t unit = unit_at(c->p, c->end);
	if (unit < 0)
		return wrong(c, "no valid escape");
	if (is_low(unit) || (is_high(unit) && !is_low(unit_at(c->p + 6, c->end))))
		return wrong(c, "half of a surrogate pair");
	c->p += is_high(unit) ? 12 : 6;
	return 0;
}

static int check_string_rest(struct check *c)
{
	while ((c->p = skip_text(c->p, c->end)) < c->end) {
		if (take(c, '"'))
			return 0;
		if (*c->p != '\\')
			return wrong(c, byte_at(c->p) < 0x20 ? "control character in a string" : "invalid UTF-8");
		if (check_escape(c))
			return -1;
	}
	return wrong(c, "the string has no end");
}

static inline int check_string(struct check *c)
{
	c->escaped = false;
	c->p = skip_plain(c->p + 1, c->end, ASCII_ONLY);
	return take(c, '"') ? 0 : check_string_rest(c);
}

static int check_word(struct check *c, struct span word)
{
	if ((size_t)(c->end - c->p) < word.n || memcmp(c->p, word.p, word.n))
		return wrong(c, "no value begins like this");
	c->p += word.n;
	return 0;
}
static int check_null(struct check *c) { return check_word(c, SPAN("null")); }
static int check_true(struct check *c) { return check_word(c, SPAN("true")); }
static int check_false(struct check *c) { return check_word(c, SPAN("false")); }

static int check_none(struct check *c)
{
	return wrong(c, c->p < c->end ? "no value begins like this" : "a value is missing");
}

/* Steps over the opening bracket, and over the closing one when nothing is between: *RET_EMPTY. */
static int enter(struct check *c, char closing, bool *ret_empty)
{
	if (c->depth == SCAN_DEPTH)
		return wrong(c, "nested too deeply");
	c->depth++;
	c->p = skip_space(c->p + 1, c->end);
	*ret_empty = next_is(c, closing);
	return 0;
}

static int leave(struct check *c, char closing, const char *what)
{
	if (!take(c, closing))
		return wrong(c, what);
	c->depth--;
	return 0;
}

static int check_array(struct check *c)
{
	bool empty;
	if (enter(c, ']', &empty))
		return -1;
	if (!empty)
		do
			if (check_value(c))
				return -1;
		while (take(c, ','));
	return leave(c, ']', "',' or ']' is missing");
}

static bool names_grow(struct check *c)
{
	bool first = c->names == c->few;
	struct span *names = reallocarray(first ? NULL : c->names, c->cap * 2, sizeof(*names));
	if (!names)
		return false;
	if (first)
		memcpy(names, c->few, c->nnames * sizeof(*names));
	c->names = names;
	c->cap *= 2;
	return true;
}

static inline bool names_push(struct check *c, struct span name)
{
	if (c->nnames == c->cap && !names_grow(c))
		return false;
	c->names[c->nnames++] = name;
	return true;
}

/* Copies of N names, un-escaped, in one block that is the caller's to free; NULL: no memory. */
static struct span *names_unescape(const struct span *raw, size_t n)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += raw[i].n;
	struct span *plain = malloc(n * sizeof(*plain) + bytes);
	char *to = (char *)(plain + n);
	for (size_t i = 0; plain && i < n; i++) {
		char *end = unescape(raw[i], to);
		plain[i] = (struct span){to, (size_t)(end - to)};
		to = end;
	}
	return plain;
}

/* The names from FIRST on are one object's. ESCAPED: there is an escape in one of them. */
static int check_names(struct check *c, size_t first, bool escaped)
{
	const struct span *raw = c->names + first;
	size_t n = c->nnames - first;
	AUTO_FREE struct span *plain = escaped ? names_unescape(raw, n) : NULL;
	const struct span *names = escaped ? plain : raw;
	size_t twin = names ? names_twin(names, n) : SIZE_MAX;
	if (twin == SIZE_MAX)
		return wrong(c, "out of memory");
	return twin == n ? 0 : wrong_at(c, raw[twin].p - 1, "duplicate member");
}

#define TAPE_DEPTH 2

/* The value of KEY, which goes onto the tape. */
static int check_noted(struct check *c, struct span key)
{
	struct scan_tape *t = c->tape;
	if (t->n == SCAN_TAPE_MAX) {
		c->tape = NULL;
		return check_value(c);
	}
	size_t at = t->n++;
	c->p = skip_space(c->p, c->end);
	const char *from = c->p;
	if (check_bare(c))
		return -1;
	t->members[at] = (struct scan_member){key, {from, (size_t)(c->p - from)}, t->n - at - 1};
	c->p = skip_space(c->p, c->end);
	return 0;
}

static int check_member(struct check *c, bool *escaped)
{
	c->p = skip_space(c->p, c->end);
	if (!next_is(c, '"'))
		return wrong(c, "a member's name in quotes is missing");
	const char *from = c->p + 1;
	if (check_string(c))
		return -1;
	struct span name = {from, (size_t)(c->p - 1 - from)};
	*escaped |= c->escaped;
	if (!names_push(c, name))
		return wrong(c, "out of memory");
	c->p = skip_space(c->p, c->end);
	if (!take(c, ':'))
		return wrong(c, "':' is missing");
	return c->tape && c->depth <= TAPE_DEPTH ? check_noted(c, name) : check_value(c);
}

static int check_object(struct check *c)
{
	bool empty, escaped = false;
	size_t first = c->nnames;
	if (enter(c, '}', &empty))
		return -1;
	if (!empty)
		do
			if (check_member(c, &escaped))
				return -1;
		while (take(c, ','));
	if (leave(c, '}', "',' or '}' is missing") || check_names(c, first, escaped))
		return -1;
	c->nnames = first;
	return 0;
}

static int (*const checks[])(struct check *) = {
	[SCAN_NONE] = check_none,     [SCAN_NULL] = check_null,     [SCAN_FALSE] = check_false,
	[SCAN_TRUE] = check_true,     [SCAN_NUMBER] = check_number, [SCAN_ARRAY] = check_array,
	[SCAN_OBJECT] = check_object,
};

/* One value, without white space around it. */
static int check_bare(struct check *c)
{
	enum scan_type type = c->p < c->end ? type_of[byte_at(c->p)] : SCAN_NONE;
	return type == SCAN_STRING ? check_string(c) : checks[type](c);
}

/* One value and the white space around it. */
static int check_value(struct check *c)
{
	c->p = skip_space(c->p, c->end);
	if (check_bare(c))
		return -1;
	c->p = skip_space(c->p, c->end);
	return 0;
}

/* TAPE may be NULL. */
static int check_text(struct span text, struct scan_tape *tape, struct span *ret_value, struct scan_error *ret_err)
{
	struct span few[NAMES_ON_STACK];
	text.p = text.p ? text.p : "";
	struct check c = {.text = text.p, .p = text.p, .end = text.p + text.n, .err = ret_err, .tape = tape};
	c.names = c.few = few;
	c.cap = NAMES_ON_STACK;
	int failed = check_value(&c);
	if (!failed && c.p < c.end)
		failed = wrong(&c, "text after the value");
	if (c.names != few)
		free(c.names);
	if (!failed && ret_value)
		*ret_value = trim(text);
	bool tells = c.tape && !failed && scan_type(text) == SCAN_OBJECT;
	if (tape)
		tape->object = tells ? trim(text) : (struct span){NULL, 0};
	return failed;
}

int scan_check(struct span text, struct span *ret_value, struct scan_error *ret_err)
{
	return check_text(text, NULL, ret_value, ret_err);
}

int scan_check_tape(struct span text, struct scan_tape *tape, struct span *ret_value, struct scan_error *ret_err)
{
	tape->n = 0;
	return check_text(text, tape, ret_value, ret_err);
}

/* --- views ------------------------------------------------------------------------------------------------------- */

enum scan_type scan_type(struct span value)
{
	if (value.n == 0)
		return SCAN_NONE;
	const char *p = skip_space(value.p, value.p + value.n);
	return p < value.p + value.n ? type_of[byte_at(p)] : SCAN_NONE;
}

/* The end of the string that begins at P, of the brackets that open at P, of any value at P. */
static const char *string_end(const char *p, const char *end)
{
	for (p++; (p = skip_plain(p, end, ANY_BYTE)) < end; p += 2)
		if (*p == '"')
			return p + 1;
	return end;
}

static const char *brackets_end(const char *p, const char *end)
{
	size_t open = 0;
	while (p < end) {
		char c = *p;
		if (c == '"') {
			p = string_end(p, end);
			continue;
		}
		p++;
		if (c == '[' || c == '{')
			open++;
		else if ((c == ']' || c == '}') && --open == 0)
			return p;
	}
	return end;
}

static const char *value_end(const char *p, const char *end)
{
	if (*p == '"')
		return string_end(p, end);
	if (*p == '[' || *p == '{')
		return brackets_end(p, end);
	while (p < end && *p != ',' && !is_space(*p))
		p++;
	return p;
}

struct scan_iter scan_iter(struct span value)
{
	enum scan_type type = scan_type(value);
	if (type != SCAN_ARRAY && type != SCAN_OBJECT)
		return (struct scan_iter){.p = NULL};
	value = trim(value);
	return (struct scan_iter){.p = value.p + 1, .end = value.p + value.n - 1};
}

static struct scan_iter over(const struct scan_member *first, size_t n)
{
	return (struct scan_iter){.member = first, .last = first + n};
}

struct scan_iter scan_iter_on(const struct scan_tape *t, struct span value)
{
	if (!t || !t->object.p || scan_type(value) != SCAN_OBJECT)
		return scan_iter(value);
	if (value.p == t->object.p)
		return over(t->members, t->n);
	for (const struct scan_member *m = t->members; m < t->members + t->n; m += 1 + m->inside)
		if (m->value.p == value.p)
			return over(m + 1, m->inside);
	return scan_iter(value);
}

/* What is between the quotes. */
static inline struct span inner(struct span string) { return (struct span){string.p + 1, string.n - 2}; }

/* The value at it->p, and the white space behind it. */
static struct span value_take(struct scan_iter *it)
{
	const char *from = it->p, *to = value_end(it->p, it->end);
	it->p = skip_space(to, it->end);
	return (struct span){from, (size_t)(to - from)};
}

bool scan_next(struct scan_iter *it, struct span *ret_key, struct span *ret_value)
{
	if (it->member) {
		const struct scan_member *m = it->member;
		if (m == it->last)
			return false;
		*ret_key = m->key;
		*ret_value = m->value;
		it->member += 1 + m->inside;
		return true;
	}
	it->p = skip_space(it->p, it->end);
	if (it->p == it->end)
		return false;
	struct span key = {it->p, 0}, value = value_take(it);
	if (it->p < it->end && *it->p == ':') {
		it->p = skip_space(it->p + 1, it->end);
		key = inner(value);
		value = value_take(it);
	}
	it->p += it->p < it->end; /* the comma */
	*ret_key = key;
	*ret_value = value;
	return true;
}

size_t scan_count(struct span value)
{
	struct scan_iter it = scan_iter(value);
	struct span key, member;
	size_t n = 0;
	while (scan_next(&it, &key, &member))
		n++;
	return n;
}

/* Whether the checked RAW, un-escaped, is NAME. */
static bool raw_is(struct span raw, struct span name)
{
	if (raw.n <= name.n) /* what has an escape is longer than what it says */
		return raw.n == name.n && !memcmp(raw.p, name.p, raw.n) && !memchr(raw.p, '\\', raw.n);
	const char *p = raw.p, *end = raw.p + raw.n;
	while (p < end) {
		char bytes[4] = {*p}, *to = *p == '\\' ? escape_take(&p, end, bytes) : (p++, bytes + 1);
		size_t n = (size_t)(to - bytes);
		if (n > name.n || memcmp(bytes, name.p, n))
			return false;
		name = (struct span){name.p + n, name.n - n};
	}
	return name.n == 0;
}

struct span scan_get(struct span obj, const char *key)
{
	struct span name = span_of(key), raw, value;
	if (scan_type(obj) != SCAN_OBJECT)
		return (struct span){NULL, 0};
	struct scan_iter it = scan_iter(obj);
	while (scan_next(&it, &raw, &value))
		if (raw_is(raw, name))
			return value;
	return (struct span){NULL, 0};
}

/* --- strings ----------------------------------------------------------------------------------------------------- */

void scan_unescape(struct span raw, struct buf *out)
{
	char *to = raw.n ? buf_room(out, raw.n) : NULL;
	if (!to)
		return;
	to = unescape(raw, to);
	*to = '\0';
	out->len = (size_t)(to - out->p);
}

int scan_str(struct span value, struct buf *out)
{
	if (scan_type(value) != SCAN_STRING)
		return -1;
	scan_unescape(inner(trim(value)), out);
	return 0;
}

bool scan_plain(struct span value, struct span *ret_text)
{
	if (scan_type(value) != SCAN_STRING)
		return false;
	struct span raw = inner(trim(value));
	if (memchr(raw.p, '\\', raw.n))
		return false;
	*ret_text = raw;
	return true;
}
