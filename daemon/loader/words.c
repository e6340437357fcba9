/* SPDX-License-Identifier: MIT */
/*
 * References and quotes, as words.h says. Both readers walk over the text once; a reference is replaced where it
 * stands, behind the reader, so that nothing in its value can end a word, a quote or another reference.
 */
#include "daemon/loader/words.h"
#include <ctype.h>
#include <stdio.h>

#define VALUE_MAX (16u << 20)

static void drop(struct span *s, size_t n) { *s = (struct span){s->p + n, s->n - n}; }

bool words_is_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] != '_' && !isalnum((unsigned char)name.p[i]))
			return false;
	return name.n && !isdigit((unsigned char)name.p[0]);
}

/* The value of NAME; {NULL, 0}: it has none. NUM is room for a number. */
static struct span value_of(struct span name, const struct words_self *self, char num[static 16])
{
	if (span_is(name, "mpd.name"))
		return self ? span_of(self->name) : (struct span){NULL, 0};
	if (span_is(name, "mpd.num")) {
		snprintf(num, 16, "%u", self ? self->num : 0);
		return self ? span_of(num) : (struct span){NULL, 0};
	}
	AUTO_FREE char *copy = strndup(name.p, name.n);
	return copy ? span_of(getenv(copy)) : (struct span){NULL, 0};
}

static int no_value(struct span name, struct fault *f)
{
	int n = (int)MIN(name.n, 128);
	if (n > 4 && !memcmp(name.p, "mpd.", 4))
		return fault_set(f, FAULT_PARAMS, "\"${%.*s}\" has no meaning where one value serves all instances", n,
				 name.p);
	return fault_set(f, FAULT_PARAMS, "the variable \"%.*s\" is not set (\"${%.*s:-...}\" gives a default)", n,
			 name.p, n, name.p);
}

/* BODY is what stands between the braces. */
static int put_reference(struct span body, const struct words_self *self, struct buf *out, struct fault *f)
{
	const char *dash = memmem(body.p, body.n, ":-", 2);
	struct span name = {body.p, dash ? (size_t)(dash - body.p) : body.n};
	if (!span_is(name, "mpd.num") && !span_is(name, "mpd.name") && !words_is_name(name))
		return fault_set(f, FAULT_PARAMS, "\"${%.*s}\" names no variable (\"$$\" is a dollar sign)",
				 (int)MIN(body.n, 128), body.p);
	char num[16];
	struct span value = value_of(name, self, num);
	if (dash && !value.n)
		value = (struct span){dash + 2, body.n - name.n - 2};
	if (!value.p)
		return no_value(name, f);
	if (value.n > VALUE_MAX - MIN(out->len, VALUE_MAX))
		return fault_set(f, FAULT_PARAMS, "the value becomes larger than 16 MiB");
	buf_span(out, value);
	return 0;
}

/* *REST begins with "$": takes it and what belongs to it. */
static int take_dollar(struct span *rest, const struct words_self *self, struct buf *out, struct fault *f)
{
	size_t taken = 1;
	int err = 0;
	if (rest->n > 1 && rest->p[1] == '{') {
		const char *end = memchr(rest->p, '}', rest->n);
		if (!end)
			return fault_set(f, FAULT_PARAMS, "\"${\" without \"}\" (\"$$\" is a dollar sign)");
		taken = (size_t)(end + 1 - rest->p);
		err = put_reference((struct span){rest->p + 2, taken - 3}, self, out, f);
	} else {
		taken = rest->n > 1 && rest->p[1] == '$' ? 2 : 1;
		buf_putc(out, '$');
	}
	drop(rest, taken);
	return err;
}

int words_expand(struct span text, const struct words_self *self, struct buf *out, struct fault *f)
{
	int err = 0;
	while (text.n && !err) {
		if (*text.p == '$') {
			err = take_dollar(&text, self, out, f);
			continue;
		}
		const char *dollar = memchr(text.p, '$', text.n);
		size_t plain = dollar ? (size_t)(dollar - text.p) : text.n;
		buf_put(out, text.p, plain);
		drop(&text, plain);
	}
	return err;
}

/* Whether the backslash before C makes it text: within "..." only before what is special there. */
static bool escapes(char quote, char c) { return quote == '\0' || (quote == '"' && strchr("\"\\$`", c)); }

/* One character of a word, or an escaped pair, or a quote; *QUOTE is the one that is open. */
static int take_char(struct span *rest, char *quote, struct buf *out, struct fault *f)
{
	char c = *rest->p;
	size_t taken = 1;
	if (*quote ? c == *quote : c == '\'' || c == '"') {
		*quote = *quote ? '\0' : c;
	} else if (c == '\\' && rest->n > 1 && escapes(*quote, rest->p[1])) {
		buf_putc(out, rest->p[1]);
		taken = 2;
	} else if (c == '\\' && !*quote) {
		return fault_set(f, FAULT_PARAMS, "there is nothing behind the backslash at the end");
	} else {
		buf_putc(out, c);
	}
	drop(rest, taken);
	return 0;
}

/* Takes one word off the front of *REST, which begins with no separator. */
static int take_word(struct span *rest, const char *separators, const struct words_self *self, struct buf *out,
		     struct fault *f)
{
	char quote = '\0';
	int err = 0;
	while (rest->n && !err && (quote || !strchr(separators, *rest->p)))
		err = *rest->p == '$' ? take_dollar(rest, self, out, f) : take_char(rest, &quote, out, f);
	if (!err && quote)
		err = fault_set(f, FAULT_PARAMS, "the quote %c is not closed", quote);
	return err;
}

int words_split(struct span text, const char *separators, const struct words_self *self, struct buf *out,
		size_t *ret_count, struct fault *f)
{
	size_t count = 0;
	for (;;) {
		while (text.n && strchr(separators, *text.p))
			drop(&text, 1);
		if (!text.n)
			break;
		int err = take_word(&text, separators, self, out, f);
		if (err)
			return err;
		buf_putc(out, '\0');
		count++;
	}
	*ret_count = count;
	return 0;
}
