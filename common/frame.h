/* SPDX-License-Identifier: MIT */
/*
 * Bytes from a stream to lines, and to raw bytes that follow a line which asks for them. A line longer than `max` is
 * skipped to its newline while its bytes arrive, never stored; it comes out once, at its newline, as FRAME_TOO_LONG.
 * A part line at the end of the stream never comes out, nor does a line whose raw bytes have not all come.
 */
#ifndef MPD_FRAME_H
#define MPD_FRAME_H

#include "common/buf.h"

#define FRAME_KEEP ((size_t)256 << 10) /* memory that is kept over a trim */

struct frame {
	struct buf in;
	size_t at;     /* where the next line begins in `in` */
	size_t seen;   /* up to where it was searched for a newline */
	size_t line;   /* where the line that came out last begins */
	size_t need;   /* bytes there must be from `at` on before the next line comes out: its raw ones as well; or 0 */
	size_t max;    /* bytes of a line, newline not counted (a carriage return is) */
	uint64_t skip; /* raw bytes that are nobody's, from `at` on */
	bool skipping; /* the line that arrives is too long already */
};

enum frame_step { FRAME_MORE, FRAME_LINE, FRAME_TOO_LONG };

void frame_init(struct frame *, size_t max);
void frame_done(struct frame *);
/* Room to read() into, at least WANT bytes (may move what is there: lines got before are gone); NULL: no memory. */
char *frame_room(struct frame *, size_t want, size_t *ret_room);
/* N bytes were read into that room. */
void frame_fed(struct frame *, size_t n);
/* The next whole line without its newline (and without a carriage return before it), valid until frame_room(). */
enum frame_step frame_next(struct frame *, struct span *ret_line);
/* The N bytes behind the line that came out just now, valid as long as it is. False: they have not all come; the same
 * line will come out again when they have. */
bool frame_raw(struct frame *, size_t n, struct span *ret_bytes);
/* The N bytes behind the line that came out just now are nobody's: skipped while they arrive, never stored. */
void frame_skip(struct frame *, uint64_t n);
/* All lines that came out were dealt with: their memory goes back, that of a large line to the system. What an idle
 * stream holds is then its part line and FRAME_KEEP. frame_room() does it as well. */
void frame_trim(struct frame *);
/* Bytes held, for a budget. */
static inline size_t frame_held(const struct frame *f) { return f->in.len - f->at; }

/* Bytes that are known to be missing: a good size for the next read. 0: not known. */
static inline size_t frame_missing(const struct frame *f)
{
	return f->need > frame_held(f) ? f->need - frame_held(f) : 0;
}

#endif
