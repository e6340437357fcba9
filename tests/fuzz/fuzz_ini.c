/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any text as a configuration. What ini_read() tells, line by line, is what a naive reader of the grammar in
 * common/ini.h tells, which knows nothing of inih and its pieces.
 */
#include "common/ini.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
	do                                                                                                             \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			abort();                                                                                       \
		}                                                                                                      \
	while (0)

/* Everything told, as one text: kind, line, and the bytes with their lengths. */
static void put(struct buf *out, char kind, unsigned line, struct span a, struct span b)
{
	buf_printf(out, "%c%u %zu %zu ", kind, line, a.n, b.n);
	buf_span(out, a);
	buf_span(out, b);
	buf_putc(out, '\n');
}

static void on_section(void *out, unsigned line, struct span name)
{
	MUST(name.p[name.n] == '\0' && name.n >= 1 && name.n <= INI_SECTION_MAX);
	put(out, 's', line, name, SPAN(""));
}

static void on_value(void *out, unsigned line, struct span key, struct span value)
{
	MUST(key.p[key.n] == '\0' && value.p[value.n] == '\0' && key.n >= 1 && key.n <= INI_KEY_MAX);
	put(out, 'v', line, key, value);
}

static void on_error(void *out, unsigned line, const char *what)
{
	MUST(*what);
	put(out, 'e', line, SPAN(""), SPAN(""));
}

static bool blank(char c) { return c == ' ' || c == '\t'; }

static struct span bare(struct span s)
{
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	while (s.n && blank(s.p[0]))
		s = (struct span){s.p + 1, s.n - 1};
	return s;
}

static bool good_section(struct span s)
{
	if (s.n < 3 || s.n > INI_SECTION_MAX + 2 || s.p[s.n - 1] != ']' || memchr(s.p, ']', s.n - 1))
		return false;
	for (size_t i = 1; i < s.n - 1; i++)
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127 || s.p[i] == '[')
			return false;
	return true;
}

static bool good_key(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", s.p[i]))
			return false;
	return s.n >= 1 && s.n <= INI_KEY_MAX;
}

/* *PLACE: '0' before any section, '[' in one, '?' behind one that is wrong. */
static void naive_line(struct buf *out, unsigned line, struct span text, char *place)
{
	struct span s = bare(text), none = SPAN("");
	const char *eq = s.n ? memchr(s.p, '=', s.n) : NULL;
	struct span key = eq ? bare((struct span){s.p, (size_t)(eq - s.p)}) : none;
	if (text.n && memchr(text.p, 0, text.n)) {
		put(out, 'e', line, none, none);
	} else if (!s.n || s.p[0] == ';' || s.p[0] == '#') {
		return;
	} else if (blank(text.p[0])) {
		put(out, 'e', line, none, none);
	} else if (s.p[0] == '[') {
		*place = good_section(s) ? '[' : '?';
		put(out, *place == '[' ? 's' : 'e', line, *place == '[' ? (struct span){s.p + 1, s.n - 2} : none, none);
	} else if (!good_key(key) || *place == '0') {
		put(out, 'e', line, none, none);
	} else if (*place == '[') {
		put(out, 'v', line, key, bare((struct span){eq + 1, (size_t)(s.p + s.n - eq - 1)}));
	}
}

static void naive(struct buf *out, struct span text)
{
	char place = '0';
	if (text.n >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3))
		text = (struct span){text.p + 3, text.n - 3};
	for (unsigned line = 1; text.n; line++) {
		size_t n = 0;
		while (n < text.n && text.p[n] != '\n')
			n++;
		size_t cr = n && text.p[n - 1] == '\r';
		naive_line(out, line, (struct span){text.p, n - cr}, &place);
		n += n < text.n;
		text = (struct span){text.p + n, text.n - n};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ini_sink sink = {on_section, on_value, on_error};
	AUTO_BUF told = BUF_INIT, expected = BUF_INIT;
	struct span text = {(const char *)data, size};
	MUST(ini_read(text, &sink, &told) == 0);
	naive(&expected, text);
	MUST(span_eq(buf_view(&told), buf_view(&expected)));
	return 0;
}
