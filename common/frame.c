/* SPDX-License-Identifier: MIT */
/*
 * The line splitter of frame.h.
 *
 * 1. at <= seen <= in.len, and there is no newline in [at, seen): no byte is searched twice, but those of a line that
 *    waits for its raw bytes.
 * 2. While skipping, nothing is held once it was looked at: at == seen == in.len.
 * 3. There is not both: raw bytes to be skipped, and a line that waits for its own.
 * 4. Bytes move only in frame_trim(), which frame_room() calls: a line that came out stays where it is until then.
 */
#include "common/frame.h"
#include <assert.h>

void frame_init(struct frame *f, size_t max) { *f = (struct frame){.max = max}; }

void frame_done(struct frame *f)
{
	buf_done(&f->in);
	frame_init(f, f->max);
}

/* Moves what is held into memory of its own size. Where there is none it stays in what it has. */
static void shrink(struct frame *f)
{
	struct buf small = BUF_INIT;
	buf_put(&small, f->in.p + f->at, frame_held(f));
	if (small.failed)
		return;
	buf_done(&f->in);
	f->in = small;
	f->seen -= f->at;
	f->at = 0;
}

void frame_trim(struct frame *f)
{
	size_t held = frame_held(f);
	if (f->in.cap > FRAME_KEEP && (f->at || !held) && held < f->in.cap / 4)
		shrink(f);
	buf_eat(&f->in, f->at);
	f->seen -= f->at;
	f->at = 0;
}

char *frame_room(struct frame *f, size_t want, size_t *ret_room)
{
	frame_trim(f);
	char *p = buf_room(&f->in, want);
	if (p)
		*ret_room = f->in.cap - f->in.len - 1; /* one for the NUL */
	f->in.failed = false;                          /* the caller was told */
	return p;
}

void frame_fed(struct frame *f, size_t n)
{
	assert(n < f->in.cap - f->in.len);
	f->in.len += n;
	f->in.p[f->in.len] = '\0';
}

/* No newline in all there is. */
static enum frame_step more(struct frame *f)
{
	f->seen = f->in.len;
	if (frame_held(f) > f->max)
		f->skipping = true;
	if (f->skipping)
		f->at = f->seen;
	return FRAME_MORE;
}

/* Raw bytes that are nobody's; true when they are all behind us. */
static bool skipped(struct frame *f)
{
	size_t n = (size_t)MIN(f->skip, frame_held(f));
	f->skip -= n;
	f->at += n;
	f->seen = MAX(f->seen, f->at);
	return f->skip == 0;
}

enum frame_step frame_next(struct frame *f, struct span *ret_line)
{
	if (frame_missing(f) || (f->skip && !skipped(f)))
		return FRAME_MORE;
	f->need = 0;
	size_t left = f->in.len - f->seen;
	const char *newline = left ? memchr(f->in.p + f->seen, '\n', left) : NULL;
	if (!newline)
		return more(f);
	struct span line = {f->in.p + f->at, (size_t)(newline - f->in.p) - f->at};
	bool too_long = f->skipping || line.n > f->max;
	f->line = f->at;
	f->at = f->seen = (size_t)(newline - f->in.p) + 1;
	f->skipping = false;
	if (too_long)
		return FRAME_TOO_LONG;
	line.n -= line.n && line.p[line.n - 1] == '\r';
	*ret_line = line;
	return FRAME_LINE;
}

bool frame_raw(struct frame *f, size_t n, struct span *ret_bytes)
{
	if (n > frame_held(f)) {
		f->need = f->at - f->line + n;
		f->at = f->seen = f->line;
		return false;
	}
	*ret_bytes = (struct span){f->in.p + f->at, n};
	f->at += n;
	f->seen = f->at;
	return true;
}

void frame_skip(struct frame *f, uint64_t n) { f->skip += MIN(n, UINT64_MAX - f->skip); }
