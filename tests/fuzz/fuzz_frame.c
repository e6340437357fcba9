/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any stream, cut anywhere, against a splitter that has it all at once. The first byte is the length of the
 * longest line, the second says how the stream is cut; the rest is the stream.
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
			MUST(step == naive_next(&naive, f.max, &want));
			MUST(step != FRAME_LINE || span_eq(line, want));
		}
		MUST(frame_held(&f) <= f.max);
		if (cut & 0x100)
			frame_trim(&f);
		cut = cut * 1664525u + 1013904223u;
	}
	MUST(naive_next(&naive, f.max, &want) == FRAME_MORE);
	frame_done(&f);
	return 0;
}
