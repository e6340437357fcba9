/* SPDX-License-Identifier: MIT */
/* What all tables of keys have in common: finding rows, refusing what is not there, the usual kinds of values. */
#include "daemon/loader/keys.h"
#include "common/units.h"
#include <fnmatch.h>
#include <stdio.h>

#define SHOWN_MAX 200 /* bytes of a value that a message shows */

/* --- rows ------------------------------------------------------------------------------------------------------- */

static bool spells(const struct key *row, struct span name)
{
	struct span row_name = span_of(row->name);
	if (row_name.p[row_name.n - 1] != '*')
		return span_eq(row_name, name);
	return name.n >= row_name.n && !memcmp(row_name.p, name.p, row_name.n - 1);
}

const struct key *keys_find(const struct keys *k, struct span name)
{
	for (size_t i = 0; i < k->nrows; i++)
		if (spells(&k->rows[i], name))
			return &k->rows[i];
	return NULL;
}

static bool is_later(const struct keys *k, const char *name)
{
	AUTO_BUF pattern = BUF_INIT;
	buf_printf(&pattern, "@(%s)", k->later ? k->later : "");
	return !fnmatch(buf_str(&pattern), name, FNM_EXTMATCH);
}

static void refuse_unknown(const struct keys *k, struct conf_entry *e)
{
	const char *names[96];
	size_t n = MIN(k->nrows, ARRAY_LEN(names));
	for (size_t i = 0; i < n; i++)
		names[i] = k->rows[i].name;
	const char *near = fault_nearest(e->key, names, n);
	if (is_later(k, e->key.p))
		conf_error(k->conf, &e->at, "\"%s\" is not supported yet", e->key.p);
	else if (near)
		conf_error(k->conf, &e->at, "unknown key \"%s\" (did you mean \"%s\"?)", e->key.p, near);
	else
		conf_error(k->conf, &e->at, "unknown key \"%s\"", e->key.p);
}

void keys_collect(struct keys *k, struct conf_section *s)
{
	struct conf_entry *e;
	LIST_EACH (e, &s->entries, node) {
		const struct key *row = keys_find(k, e->key);
		if (!row) {
			if (!e->refused)
				refuse_unknown(k, e);
			e->refused = true;
			continue;
		}
		struct conf_entry *other = k->set[row->id];
		if (other && other->section == s && row->read && !span_eq(other->key, e->key)) {
			AUTO_BUF what = BUF_INIT;
			buf_printf(&what, "the same as \"%s\" at %s:%u", other->key.p, other->at.file->name,
				   other->at.line);
			conf_refuse(k->conf, e, buf_str(&what));
		}
		k->set[row->id] = e;
	}
}

static int read_entry(const struct keys *k, const struct key *row, const struct conf_entry *e, void *base,
		      const struct words_self *self, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	struct key_value v = {
		.key = row, .conf = k->conf, .text = e->value, .self = self, .to = (char *)base + row->offset};
	if (!(row->flags & KEY_WORDS)) {
		int err = words_expand(e->value, self, &text, f);
		if (err)
			return err;
		v.text = conf_keep(k->conf, &text);
	}
	return row->read(&v, f);
}

void keys_read(const struct keys *k, void *base, int first, int end, bool each, const struct words_self *self)
{
	for (int id = first; id < end; id++) {
		struct fault fault;
		struct conf_entry *e = k->set[id];
		const struct key *row = e ? keys_find(k, e->key) : NULL;
		if (!row || !row->read || !(row->flags & KEY_EACH) == each)
			continue;
		if (read_entry(k, row, e, base, self, &fault))
			conf_refuse(k->conf, e, fault.message);
	}
}

/* --- values ----------------------------------------------------------------------------------------------------- */

int key_wrong(const struct key_value *v, struct fault *f, const char *fmt, ...)
{
	AUTO_BUF text = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	return fault_set(f, FAULT_PARAMS, "\"%.*s%s\" %s", (int)MIN(v->text.n, SHOWN_MAX), v->text.p,
			 v->text.n > SHOWN_MAX ? "..." : "", buf_str(&text));
}

int key_bool(const struct key_value *v, struct fault *f)
{
	bool value;
	if (units_bool(v->text, &value) < 0)
		return key_wrong(v, f, "is neither true nor false");
	*(uint8_t *)v->to = value;
	return 0;
}

int key_duration(const struct key_value *v, struct fault *f)
{
	nsec_t value;
	if (units_duration(v->text, &value) < 0)
		return key_wrong(v, f, "is not a length of time (500ms, 10s, 2m, 1h)");
	if (value < v->key->min)
		return key_wrong(v, f, "is too short");
	*(nsec_t *)v->to = value;
	return 0;
}

static bool parse_count(struct span s, int64_t *ret)
{
	int64_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || n > INT64_MAX / 16)
			return false;
		n = n * 10 + (s.p[i] - '0');
	}
	*ret = n;
	return s.n > 0;
}

int key_number(const struct key_value *v, struct fault *f)
{
	int64_t value;
	if (!parse_count(v->text, &value) || value < v->key->min || value > v->key->max)
		return key_wrong(v, f, "is not a number from %lld to %lld", (long long)v->key->min,
				 (long long)v->key->max);
	*(int64_t *)v->to = value;
	return 0;
}

int key_count(const struct key_value *v, struct fault *f)
{
	int64_t value;
	struct key_value number = *v;
	number.to = &value;
	int err = key_number(&number, f);
	if (!err)
		*(uint32_t *)v->to = (uint32_t)value;
	return err;
}

int key_size(const struct key_value *v, struct fault *f)
{
	uint64_t value;
	if (units_size(v->text, &value) < 0 || value > (uint64_t)v->key->max)
		return key_wrong(v, f, "is not a size in bytes (4096, 64K, 50M, 1G)");
	*(int64_t *)v->to = (int64_t)value;
	return 0;
}

/* The place of WORD in "a|b|c", or -1. */
static int choice_of(const char *choices, struct span word)
{
	int nth = 0;
	for (const char *p = choices; p; nth++) {
		size_t n = strcspn(p, "|");
		if (span_eq((struct span){p, n}, word))
			return nth;
		p = p[n] ? p + n + 1 : NULL;
	}
	return -1;
}

/* ` (did you mean "a"?)`, where one of "a|b|c" is near WORD. */
static void put_nearest(struct buf *out, const char *choices, struct span word)
{
	const char *names[16];
	size_t n = 0;
	AUTO_FREE char *copy = strdup(choices);
	for (char *rest = copy, *name; n < ARRAY_LEN(names) && (name = strsep(&rest, "|"));)
		names[n++] = name;
	const char *near = fault_nearest(word, names, n);
	if (near)
		buf_printf(out, " (did you mean \"%s\"?)", near);
}

int key_choice(const struct key_value *v, struct fault *f)
{
	int nth = choice_of(v->key->choices, v->text);
	if (nth >= 0) {
		*(uint8_t *)v->to = (uint8_t)nth;
		return 0;
	}
	if (choice_of(v->key->later, v->text) >= 0)
		return key_wrong(v, f, "is not supported yet");
	AUTO_BUF list = BUF_INIT;
	for (const char *p = v->key->choices; *p; p++)
		buf_puts(&list, *p == '|' ? ", " : (char[]){*p, '\0'});
	put_nearest(&list, v->key->choices, v->text);
	return key_wrong(v, f, strchr(v->key->choices, '|') ? "is not one of: %s" : "is not %s", buf_str(&list));
}

int key_signal(const struct key_value *v, struct fault *f)
{
	int signo;
	if (units_signal(v->text, &signo) < 0)
		return key_wrong(v, f, "is not a signal");
	*(int32_t *)v->to = signo;
	return 0;
}

int key_text(const struct key_value *v, struct fault *f)
{
	(void)f;
	*(const char **)v->to = v->text.p;
	return 0;
}

int key_path(const struct key_value *v, struct fault *f)
{
	if (v->text.n == 0 || v->text.p[0] != '/')
		return key_wrong(v, f, "is not an absolute path");
	return key_text(v, f);
}
