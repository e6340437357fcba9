/* SPDX-License-Identifier: MIT */
/* Python's indices and slices (slice.indices), by slice.h. */
#include "daemon/engine/core/slice.h"
#include "common/jsonval.h"

#define PART_MAX ((int64_t)1 << 40) /* beyond every end, and safe to add to */

struct part {
	bool given;
	int64_t n;
};

static int bad(struct fault *f)
{
	return fault_set(f, FAULT_PARAMS, "i: must be an index, or \"START:STOP:STEP\" of whole numbers");
}

/* One of the parts; -1: it is no whole number. */
static int part_get(struct span text, struct part *ret)
{
	size_t i = text.n && (*text.p == '-' || *text.p == '+');
	bool negative = i && *text.p == '-';
	*ret = (struct part){.given = text.n > 0};
	if (i && i == text.n)
		return -1;
	for (; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -1;
		ret->n = MIN(10 * ret->n + (text.p[i] - '0'), PART_MAX);
	}
	ret->n = negative ? -ret->n : ret->n;
	return 0;
}

/* Into PARTS, at least two; -1: they are none. */
static int parts_get(struct span text, struct part parts[3])
{
	size_t n = 0;
	memset(parts, 0, 3 * sizeof(*parts));
	for (;; n++) {
		const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL;
		size_t length = colon ? (size_t)(colon - text.p) : text.n;
		if (n == 3 || part_get((struct span){text.p, length}, &parts[n]))
			return -1;
		if (!colon)
			return n ? 0 : -1;
		text = (struct span){colon + 1, text.n - length - 1};
	}
}

static int64_t clamp(int64_t n, int64_t lowest, int64_t highest) { return n < lowest ? lowest : MIN(n, highest); }

static int64_t bound(struct part part, int64_t len, int64_t lowest, int64_t highest, int64_t omitted)
{
	if (!part.given)
		return omitted;
	return clamp(part.n < 0 ? part.n + len : part.n, lowest, highest);
}

static int slice_parts(const struct part parts[3], int64_t len, struct slice *ret, struct fault *f)
{
	int64_t step = parts[2].given ? parts[2].n : 1;
	if (step == 0)
		return fault_set(f, FAULT_RANGE, "i: a slice's step cannot be 0");
	bool up = step > 0;
	int64_t lowest = up ? 0 : -1, highest = up ? len : len - 1;
	int64_t start = bound(parts[0], len, lowest, highest, up ? lowest : highest);
	int64_t stop = bound(parts[1], len, lowest, highest, up ? highest : lowest);
	int64_t way = up ? stop - start : start - stop, stride = up ? step : -step;
	*ret = (struct slice){.start = start, .step = step, .n = way > 0 ? (size_t)((way - 1) / stride + 1) : 0};
	return 0;
}

size_t slice_bound(int64_t i, size_t len)
{
	struct part part = {true, clamp(i, -PART_MAX, PART_MAX)};
	return (size_t)bound(part, (int64_t)len, 0, (int64_t)len, 0);
}

int slice_index(int64_t i, size_t len, size_t *ret, struct fault *f)
{
	int64_t at = i < 0 ? i + (int64_t)len : i;
	if (at < 0 || (size_t)at >= len) {
		fault_set(f, FAULT_RANGE, "there is no place %lld: there are %zu", (long long)i, len);
		return fault_data(f, "\"len\":%zu", len);
	}
	*ret = (size_t)at;
	return 0;
}

static int get_index(struct span json, size_t len, struct slice *ret, struct fault *f)
{
	int64_t i;
	size_t at = 0;
	if (!jsonval_is_whole(json))
		return bad(f);
	if (scan_i64(json, &i))
		i = *json.p == '-' ? -PART_MAX : PART_MAX;
	int code = slice_index(i, len, &at, f);
	*ret = (struct slice){.start = (int64_t)at, .step = 1, .n = 1, .is_index = true};
	return code;
}

int slice_get(struct span json, size_t len, struct slice *ret, struct fault *f)
{
	struct part parts[3];
	struct span text;
	if (!json.p || scan_type(json) == SCAN_NULL)
		json = SPAN("\":\"");
	if (scan_type(json) == SCAN_NUMBER)
		return get_index(json, len, ret, f);
	if (!scan_plain(json, &text) || parts_get(text, parts))
		return bad(f);
	return slice_parts(parts, (int64_t)len, ret, f);
}
