/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any stream, cut anywhere, against a splitter that has it all at once. The first byte is the length of the
 * longest line, the second says how the stream is cut; the rest is the stream. A line that begins with + or - has as
 * many raw bytes behind it as the byte after that says, wanted or not.
 */
#include "common/frame.h"
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
	do                                                                                                             \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			abort();                                                                                       \
		}                                                                                                      \
	while (0)

/* The next line of *STREAM, or FRAME_MORE when it has no newline. */
static enum frame_step naive_next(struct span *stream, size_t max, struct span *ret_line)
{
	size_t n = 0;
	while (n < stream->n && stream->p[n] != '\n')
		n++;
	if (n == stream->n)
		return FRAME_MORE;
	struct span line = {stream->p, n};
	*stream = (struct span){stream->p + n + 1, stream->n - n - 1};
	if (n > max)
		return FRAME_TOO_LONG;
	line.n -= n > 0 && line.p[n - 1] == '\r';
	*ret_line = line;
	return FRAME_LINE;
}

static size_t asks(struct span line, char how) { return line.n >= 2 && line.p[0] == how ? (uint8_t)line.p[1] : 0; }

/* Takes N bytes off the stream; false: it has not as many. */
static bool naive_raw(struct span *stream, size_t n, struct span *ret)
{
	bool whole = n <= stream->n;
	*ret = (struct span){stream->p, MIN(n, stream->n)};
	*stream = (struct span){stream->p + ret->n, stream->n - ret->n};
	return whole;
}

/* The raw bytes of LINE, against those of the naive one; false: the line will come again. */
static bool same_raw(struct frame *f, struct span *naive, struct span line)
{
	struct span got, want;
	size_t n = asks(line, '+');
	if (n > 0 && !frame_raw(f, n, &got))
		return false;
	if (n > 0)
		MUST(naive_raw(naive, n, &want) && span_eq(got, want));
	frame_skip(f, asks(line, '-'));
	naive_raw(naive, asks(line, '-'), &want);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct frame f;
	struct span stream = {(const char *)data + 2, size - 2}, naive = stream, line, want = {NULL, 0};
	enum frame_step step;
	uint32_t cut = data[1] * 2654435761u + 1;
	frame_init(&f, data[0]);
	while (stream.n) {
		size_t room = 0, n = MIN(stream.n, cut % 13);
		char *p = frame_room(&f, cut % 29, &room);
		MUST(p && room >= cut % 29);
		n = MIN(n, room);
		memcpy(p, stream.p, n);
		frame_fed(&f, n);
		stream = (struct span){stream.p + n, stream.n - n};
		while ((step = frame_next(&f, &line)) != FRAME_MORE) {
			struct span before = naive;
			MUST(step == naive_next(&naive, f.max, &want));
			MUST(step != FRAME_LINE || span_eq(line, want));
			if (step == FRAME_LINE && !same_raw(&f, &naive, line)) {
				MUST(frame_missing(&f) > 0);
				naive = before;
			}
		}
		MUST(frame_held(&f) <= f.max + 2 + UINT8_MAX);
		if (cut & 0x100)
			frame_trim(&f);
		cut = cut * 1664525u + 1013904223u;
	}
	step = naive_next(&naive, f.max, &want);
	MUST(step == FRAME_MORE || (step == FRAME_LINE && asks(want, '+') > naive.n));
	frame_done(&f);
	return 0;
}
