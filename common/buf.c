/* SPDX-License-Identifier: MIT */
/* The growable byte buffer of buf.h. */
#include "common/buf.h"
#include <stdio.h>

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf)BUF_INIT;
}

void buf_clear(struct buf *b, size_t keep)
{
	if (b->cap > keep)
		buf_done(b);
	b->len = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = '\0';
}

char *buf_room(struct buf *b, size_t n)
{
	if (n < b->cap - b->len)
		return b->p + b->len;
	if (n > SIZE_MAX / 4 - b->len) {
		b->failed = true;
		return NULL;
	}
	size_t cap = MAX(b->cap + b->cap / 2, b->len + n + 1);
	cap = (MAX(cap, 64) + 63) & ~(size_t)63;
	char *p = realloc(b->p, cap);
	if (!p) {
		b->failed = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	b->p[b->len] = '\0';
	return b->p + b->len;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
	char *to = n ? buf_room(b, n) : NULL;
	if (!to)
		return;
	memcpy(to, p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s) { buf_put(b, s, strlen(s)); }
void buf_span(struct buf *b, struct span s) { buf_put(b, s.p, s.n); }
void buf_putc(struct buf *b, char c) { buf_put(b, &c, 1); }

void buf_u64(struct buf *b, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	buf_put(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t n)
{
	if (n < 0)
		buf_putc(b, '-');
	buf_u64(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	size_t room = b->cap > b->len ? b->cap - b->len : 0;
	int n = vsnprintf(room ? b->p + b->len : NULL, room, fmt, ap);
	if (n >= 0 && (size_t)n >= room) {
		char *to = buf_room(b, (size_t)n);
		n = to ? vsnprintf(to, (size_t)n + 1, fmt, again) : 0;
		if (!to && b->p)
			b->p[b->len] = '\0'; /* where the try was cut off */
	}
	va_end(again);
	if (n > 0)
		b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_eat(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
	b->p[b->len] = '\0';
}

const char *buf_str(const struct buf *b) { return b->p ? b->p : ""; }
