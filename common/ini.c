/* SPDX-License-Identifier: MIT */
/*
 * The only caller of inih, which as Debian 12 builds it cuts lines at 200 bytes and names at 50, takes " ;" for a
 * comment and an indented line for a continuation, and tells neither line numbers nor sections without keys. So it
 * never sees a line of the user's: the reader below hands it each section and each value as one or more short lines
 *
 *	key=piece
 *
 * with all that inih treats specially escaped as %XX, and the handler joins the pieces again.
 *
 * 1. inih calls the handler for a line before it reads the next one; so reader and handler share their state, and
 *    `line` is always the line that the pieces come from.
 * 2. A section goes under a name that no key can have, because inih would cut it and not tell of it.
 * 3. Nothing that is handed over is lost: what comes back is compared with what went in, and inih's own verdict counts.
 */
#include "common/ini.h"
#include <assert.h>
#include <ini.h>
#include <stdio.h>

#define SECTION_TAG "@"
#define STR_(x) #x
#define STR(x) STR_(x)

enum place { BEFORE_SECTIONS, IN_SECTION, BEHIND_BAD_SECTION };

struct feed {
	const struct ini_sink *sink;
	void *arg;
	struct span rest; /* the lines not looked at yet */
	unsigned line;
	enum place place;
	char name[INI_KEY_MAX + 1]; /* under which the pieces go to inih */
	struct span whole, left;    /* the value, and what inih has not got of it */
	bool open;                  /* there are more pieces to come */
	bool broken;                /* inih gave back something else */
	struct buf joined;
};

static const char hex[] = "0123456789ABCDEF";

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }
static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-.", c));
}
/* What inih passes through as it is, wherever it stands behind the "=". */
static bool is_plain(char c) { return c > ' ' && c < 0x7f && c != '%' && c != ';'; }

static struct span trim(struct span s)
{
	for (; s.n && is_blank(*s.p); s.p++)
		s.n--;
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static size_t count(struct span s, bool (*is)(char))
{
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += is(s.p[i]);
	return n;
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

static bool refuse(struct feed *f, const char *what)
{
	f->sink->error(f->arg, f->line, what);
	return false;
}

static void offer(struct feed *f, struct span name, struct span whole)
{
	memcpy(f->name, name.p, name.n);
	f->name[name.n] = '\0';
	f->whole = f->left = whole;
	f->open = true;
}

static const char *section_error(struct span line, struct span name, const char *end)
{
	if (!end)
		return "\"]\" is missing";
	if (trim((struct span){end + 1, (size_t)(line.p + line.n - end - 1)}).n)
		return "there is text behind \"]\" (a comment stands on a line of its own)";
	if (!name.n)
		return "the section has no name";
	if (name.n > INI_SECTION_MAX)
		return "the section's name is longer than " STR(INI_SECTION_MAX) " bytes";
	if (count(name, is_control) || memchr(name.p, '[', name.n))
		return "the section's name holds \"[\" or a control character";
	return NULL;
}

static bool take_section(struct feed *f, struct span line)
{
	const char *end = memchr(line.p, ']', line.n);
	struct span name = {line.p + 1, end ? (size_t)(end - line.p - 1) : 0};
	const char *wrong = section_error(line, name, end);
	f->place = wrong ? BEHIND_BAD_SECTION : IN_SECTION;
	if (wrong)
		return refuse(f, wrong);
	offer(f, SPAN(SECTION_TAG), name);
	return true;
}

static bool take_value(struct feed *f, struct span line)
{
	const char *eq = memchr(line.p, '=', line.n);
	if (!eq)
		return refuse(f, "neither \"[section]\" nor \"key = value\"");
	struct span key = trim((struct span){line.p, (size_t)(eq - line.p)});
	if (!key.n)
		return refuse(f, "there is no key before \"=\"");
	if (key.n > INI_KEY_MAX)
		return refuse(f, "the key is longer than " STR(INI_KEY_MAX) " bytes");
	if (count(key, is_key_char) < key.n)
		return refuse(f, "a key is made of letters, digits, \"_\", \"-\" and \".\"");
	if (f->place == BEFORE_SECTIONS)
		return refuse(f, "the key stands before the first section");
	if (f->place == IN_SECTION)
		offer(f, key, trim((struct span){eq + 1, (size_t)(line.p + line.n - eq - 1)}));
	return f->open;
}

/* Whether the line is one to hand over; f->name and f->whole then say what. */
static bool take_line(struct feed *f, struct span line)
{
	struct span text = trim(line);
	if (memchr(line.p, '\0', line.n))
		return refuse(f, "the line holds a NUL byte");
	if (!text.n || *text.p == ';' || *text.p == '#')
		return false;
	if (text.p != line.p)
		return refuse(f, "the line begins with white space (there are no continuation lines)");
	return *text.p == '[' ? take_section(f, text) : take_value(f, text);
}

static struct span next_line(struct feed *f)
{
	const char *nl = memchr(f->rest.p, '\n', f->rest.n);
	struct span line = {f->rest.p, nl ? (size_t)(nl - f->rest.p) : f->rest.n};
	size_t eaten = line.n + (nl ? 1 : 0);
	f->rest.p += eaten;
	f->rest.n -= eaten;
	f->line++;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* --- to inih and back ------------------------------------------------------------------------------------------- */

/* Escapes as much of f->left as SIZE bytes hold; returns the end of what was written. */
static char *put_piece(struct feed *f, char *to, size_t size)
{
	const char *end = to + size;
	for (; f->left.n && end - to >= 3; f->left.p++, f->left.n--) {
		unsigned char c = (unsigned char)*f->left.p;
		if (is_plain((char)c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	return to;
}

/* fgets for inih: one piece a call. */
static char *feed_read(char *line, int size, void *arg)
{
	struct feed *f = arg;
	while (!f->open) {
		if (!f->rest.n)
			return NULL;
		take_line(f, next_line(f));
	}
	char *end = line + snprintf(line, (size_t)size, "%s=", f->name);
	end = put_piece(f, end, (size_t)(line + size - end) - 2);
	memcpy(end, "\n", 2);
	f->open = f->left.n > 0;
	return line;
}

static void join_piece(struct buf *joined, const char *piece)
{
	for (const char *p = piece; *p; p++) {
		if (*p != '%') {
			buf_putc(joined, *p);
			continue;
		}
		const char *high = strchr(hex, p[1]), *low = p[1] ? strchr(hex, p[2]) : NULL;
		if (!high || !low || !p[2])
			return;
		buf_putc(joined, (char)((high - hex) << 4 | (low - hex)));
		p += 2;
	}
}

static void tell(struct feed *f)
{
	struct span text = {buf_str(&f->joined), f->joined.len};
	if (!strcmp(f->name, SECTION_TAG))
		f->sink->section(f->arg, f->line, text);
	else
		f->sink->value(f->arg, f->line, span_of(f->name), text);
}

static int feed_take(void *arg, const char *section, const char *name, const char *piece)
{
	(void)section;
	struct feed *f = arg;
	join_piece(&f->joined, piece);
	if (f->open)
		return 1;
	if (strcmp(name, f->name) != 0 || !span_eq(buf_view(&f->joined), f->whole))
		f->broken = true;
	else
		tell(f);
	buf_clear(&f->joined, SIZE_MAX);
	return 1;
}

int ini_read(struct span text, const struct ini_sink *sink, void *arg)
{
	struct feed f = {.sink = sink, .arg = arg, .rest = text, .joined = BUF_INIT};
	if (text.n >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3))
		f.rest = (struct span){text.p + 3, text.n - 3};
	int verdict = ini_parse_stream(feed_read, &f, feed_take, &f);
	bool failed = f.joined.failed;
	buf_done(&f.joined);
	assert(failed || (!verdict && !f.broken));
	return failed ? -1 : 0;
}
