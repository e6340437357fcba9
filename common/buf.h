/* SPDX-License-Identifier: MIT */
/*
 * Bytes: a span is a view that owns nothing, a buf owns and grows. A buf is always followed by a NUL that does not
 * count in `len`, so that text in it can be handed to libc. Growth that fails is remembered in `failed` and the buf
 * stays as it was; whoever sends or stores it looks once, at the end.
 */
#ifndef MPD_BUF_H
#define MPD_BUF_H

#include "common/sys.h"
#include <stdarg.h>

struct span {
	const char *p;
	size_t n;
};

#define SPAN(lit) ((struct span){"" lit, sizeof(lit) - 1})
static inline struct span span_of(const char *s) { return (struct span){s, s ? strlen(s) : 0}; }
static inline bool span_eq(struct span a, struct span b) { return a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, a.n)); }
static inline bool span_is(struct span a, const char *s) { return span_eq(a, span_of(s)); }

struct buf {
	char *p;
	size_t len, cap;
	bool failed;
};

#define BUF_INIT {NULL, 0, 0, false}
#define AUTO_BUF __attribute__((cleanup(buf_done))) struct buf

void buf_done(struct buf *);
/* Forgets the contents, keeps the memory; above KEEP bytes of capacity the memory goes back as well. */
void buf_clear(struct buf *, size_t keep);
/* Room for N more bytes at p + len, which the caller may write and then add to `len`; NULL when memory is out. */
char *buf_room(struct buf *, size_t n);
void buf_put(struct buf *, const void *, size_t);
void buf_puts(struct buf *, const char *);
void buf_span(struct buf *, struct span);
void buf_putc(struct buf *, char);
/* In decimal; what a reply is full of. */
void buf_u64(struct buf *, uint64_t);
void buf_i64(struct buf *, int64_t);
void buf_printf(struct buf *, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *, const char *fmt, va_list);
/* Takes N bytes off the front. */
void buf_eat(struct buf *, size_t n);
/* The contents as a string, never NULL; it belongs to the buf. */
const char *buf_str(const struct buf *);
static inline struct span buf_view(const struct buf *b) { return (struct span){b->p, b->len}; }

#endif
