/* SPDX-License-Identifier: MIT */
/*
 * Output: render.h.
 *
 * 1. stdout is written by out_flush() alone, in whole; nothing here uses stdio's streams, which cost more to set up
 *    than a verb takes.
 * 2. Colours are added to text that was cut already, so that no escape sequence is ever cut.
 */
#include "cli/render.h"
#include <stdio.h>
#include <sys/ioctl.h>

struct buf out;

int write_all(int fd, struct span text)
{
	while (text.n) {
		ssize_t n = RETRY(write(fd, text.p, text.n));
		if (n < 0)
			return -1;
		text.p += n;
		text.n -= (size_t)n;
	}
	return 0;
}

bool out_try(void)
{
	struct span text = buf_view(&out);
	out.len = 0;
	if (write_all(STDOUT_FILENO, text) == 0)
		return true;
	if (errno != EPIPE)
		say("cannot write: %s", strerror(errno));
	return false;
}

void out_flush(void)
{
	if (!out_try())
		_exit(STATUS_FAILED);
}

void out_json(struct span value)
{
	buf_span(&out, value);
	buf_putc(&out, '\n');
}

static void vsay(const char *fmt, va_list ap)
{
	AUTO_BUF text = BUF_INIT;
	AUTO_BUF line = BUF_INIT;
	buf_vprintf(&text, fmt, ap);
	buf_puts(&line, "mpctl: ");
	text_put(&line, buf_view(&text));
	buf_putc(&line, '\n');
	write_all(STDERR_FILENO, buf_view(&line));
}

void say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

void die(int status, const char *fmt, ...)
{
	out_flush();
	va_list ap;
	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	exit(status);
}

void quit(int status)
{
	out_flush();
	exit(status);
}

void term_size(unsigned *ret_columns, unsigned *ret_lines)
{
	struct winsize size = {0};
	bool is_one = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
	*ret_columns = !is_one ? 0 : size.ws_col ? size.ws_col : 80;
	*ret_lines = !is_one ? 0 : size.ws_row ? size.ws_row : 24;
}

bool color_wanted(void)
{
	if (!strcmp(options.color, "auto"))
		return isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	return !strcmp(options.color, "always");
}

/* How many bytes at P steer a terminal: C0 controls, DEL, and C1 controls as UTF-8. */
static size_t control_at(const char *p, const char *end)
{
	unsigned char c = (unsigned char)*p;
	if (c < 0x20 || c == 0x7f)
		return 1;
	return c == 0xc2 && end - p > 1 && ((unsigned char)p[1] & 0xe0) == 0x80 ? 2 : 0;
}

void text_put(struct buf *b, struct span text)
{
	const char *end = text.p + text.n;
	for (const char *p = text.p; p < end;) {
		size_t skip = control_at(p, end);
		buf_putc(b, skip ? '?' : *p);
		p += skip ? skip : 1;
	}
}

void text_json(struct buf *b, struct span value)
{
	AUTO_BUF text = BUF_INIT;
	struct span plain;
	if (scan_type(value) != SCAN_STRING)
		buf_span(b, value);
	else if (scan_plain(value, &plain))
		text_put(b, plain);
	else if (scan_str(value, &text) == 0)
		text_put(b, buf_view(&text));
}

static bool is_continuation(char c) { return ((unsigned char)c & 0xc0) == 0x80; }

size_t text_width(struct span text)
{
	size_t width = 0;
	for (size_t i = 0; i < text.n; i++)
		width += !is_continuation(text.p[i]);
	return width;
}

/* As much of TEXT as fits WIDTH columns. */
static struct span text_cut(struct span text, size_t width)
{
	size_t n = 0;
	for (; n < text.n; n++)
		if (!is_continuation(text.p[n]) && width-- == 0)
			break;
	return (struct span){text.p, n};
}

static bool needs_quotes(struct span word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,";
	for (size_t i = 0; i < word.n; i++)
		if (!memchr(safe, word.p[i], sizeof(safe) - 1))
			return true;
	return word.n == 0;
}

static void text_word(struct buf *b, struct span word)
{
	AUTO_BUF quoted = BUF_INIT;
	if (!needs_quotes(word)) {
		buf_span(b, word);
		return;
	}
	buf_putc(&quoted, '\'');
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] == '\'')
			buf_puts(&quoted, "'\\''");
		else
			buf_putc(&quoted, word.p[i]);
	buf_putc(&quoted, '\'');
	text_put(b, buf_view(&quoted));
}

void text_words(struct buf *b, struct span array)
{
	struct span key, value;
	const char *between = "";
	for (struct scan_iter it = scan_iter(array); scan_next(&it, &key, &value); between = " ") {
		AUTO_BUF word = BUF_INIT;
		scan_bytes(value, &word);
		buf_puts(b, between);
		text_word(b, buf_view(&word));
	}
}

void text_value(struct buf *b, struct span value)
{
	struct span key, inner;
	const char *between = "";
	enum scan_type type = scan_type(value);
	if (type != SCAN_OBJECT && type != SCAN_ARRAY) {
		text_json(b, value);
		return;
	}
	for (struct scan_iter it = scan_iter(value); scan_next(&it, &key, &inner); between = ", ") {
		buf_puts(b, between);
		text_put(b, key);
		buf_puts(b, key.n ? " " : "");
		text_json(b, inner);
	}
}

void text_object(struct buf *b, struct span object)
{
	struct span key, value;
	for (struct scan_iter it = scan_iter(object); scan_next(&it, &key, &value);) {
		text_put(b, key);
		buf_puts(b, ": ");
		text_value(b, value);
		buf_putc(b, '\n');
	}
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

struct cell {
	size_t at, n, width;
	bool right;
	enum color color;
};

#define TABLE_COLUMNS_MAX 64

void table_init(struct table *t, size_t columns) { *t = (struct table){.columns = MIN(columns, TABLE_COLUMNS_MAX)}; }

void table_done(struct table *t)
{
	buf_done(&t->text);
	free(t->cells);
	t->cells = NULL;
}

static void table_grow(struct table *t)
{
	t->cap = t->cap ? t->cap * 2 : 256;
	t->cells = realloc(t->cells, t->cap * sizeof(*t->cells));
	if (!t->cells)
		die(STATUS_FAILED, "out of memory");
}

void table_cell(struct table *t, bool right, enum color color)
{
	if (t->ncells == t->cap)
		table_grow(t);
	struct cell *c = &t->cells[t->ncells++];
	*c = (struct cell){.at = t->begin, .n = t->text.len - t->begin, .right = right, .color = color};
	c->width = text_width((struct span){buf_str(&t->text) + c->at, c->n});
	t->begin = t->text.len;
}

static void color_put(struct buf *b, enum color color, struct span text)
{
	static const char *const codes[] = {
		[COLOR_BOLD] = "1",   [COLOR_DIM] = "2",     [COLOR_RED] = "31",
		[COLOR_GREEN] = "32", [COLOR_YELLOW] = "33", [COLOR_CYAN] = "36",
	};
	if (color != COLOR_NONE)
		buf_printf(b, "\033[%sm", codes[color]);
	buf_span(b, text);
	if (color != COLOR_NONE)
		buf_puts(b, "\033[0m");
}

static void put_spaces(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_putc(b, ' ');
}

/* One row. Spaces are owed until text follows them, so that no line ends in any. */
static void print_row(const struct table *t, const struct cell *row, const size_t *widths, size_t room, bool colored,
		      struct buf *b)
{
	size_t owed = 0;
	for (size_t i = 0; i < t->columns && owed < room; i++) {
		const struct cell *c = &row[i];
		size_t pad = i + 1 < t->columns ? widths[i] - c->width : 0;
		owed += c->right ? pad : 0;
		if (c->n && owed < room) {
			put_spaces(b, owed);
			room -= owed;
			color_put(b, colored ? c->color : COLOR_NONE,
				  text_cut((struct span){buf_str(&t->text) + c->at, c->n}, room));
			room -= MIN(room, c->width);
			owed = 0;
		}
		owed += (c->right ? 0 : pad) + 2;
	}
	buf_putc(b, '\n');
}

void table_print(const struct table *t, unsigned width, unsigned max, struct buf *b)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	size_t rows = t->ncells / t->columns;
	bool colored = color_wanted();
	for (size_t i = 0; i < t->ncells; i++)
		widths[i % t->columns] = MAX(widths[i % t->columns], t->cells[i].width);
	for (size_t row = 0; row < (max ? MIN(rows, max) : rows); row++)
		print_row(t, t->cells + row * t->columns, widths, width ? width : SIZE_MAX, colored, b);
}
