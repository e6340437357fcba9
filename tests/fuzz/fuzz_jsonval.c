/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: any bytes as an array of JSON whose elements are compared: all with all, in both directions, by three at a
 * time, and sorted. Numbers are written again, and are what they were.
 */
#include "common/jsonval.h"
#include <math.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VALUES_MAX 24

#define MUST(condition)                                                                                                \
	do                                                                                                             \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			abort();                                                                                       \
		}                                                                                                      \
	while (0)

static int sign(int n) { return (n > 0) - (n < 0); }

static void check_number(struct span value)
{
	AUTO_BUF text = BUF_INIT;
	__int128 whole;
	double d;
	if (jsonval_whole(value, &whole) == 0)
		jsonval_put_whole(&text, whole);
	else if (!jsonval_is_whole(value) && jsonval_double(value, &d) == 0 && isfinite(d))
		jsonval_put_double(&text, d);
	else
		return;
	MUST(jsonval_equal(value, buf_view(&text)));
}

static void check_pair(struct span a, struct span b)
{
	int there = 0, back = 0;
	bool equal = jsonval_equal(a, b);
	bool ordered = jsonval_order(a, b, &there) == 0;
	MUST(jsonval_equal(b, a) == equal);
	MUST((jsonval_order(b, a, &back) == 0) == ordered);
	if (ordered)
		MUST(sign(there) == -sign(back) && (there == 0) == equal);
}

static void check_three(struct span a, struct span b, struct span c)
{
	int first, second, both;
	if (jsonval_equal(a, b) && jsonval_equal(b, c))
		MUST(jsonval_equal(a, c));
	if (jsonval_order(a, b, &first) || jsonval_order(b, c, &second) || jsonval_order(a, c, &both))
		return;
	if (first <= 0 && second <= 0)
		MUST(both <= 0 && (both < 0) == (first < 0 || second < 0));
}

static void check_sorted(const struct span *v, size_t n)
{
	size_t places[VALUES_MAX];
	bool mixed;
	int order;
	if (jsonval_sort(v, n, false, places, &mixed))
		return;
	for (size_t i = 1; i < n; i++) {
		MUST(jsonval_order(v[places[i - 1]], v[places[i]], &order) == 0);
		MUST(order < 0 || (order == 0 && places[i - 1] < places[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span whole, key, v[VALUES_MAX];
	struct scan_error err;
	size_t n = 0;
	if (scan_check((struct span){(const char *)data, size}, &whole, &err))
		return 0;
	for (struct scan_iter it = scan_iter(whole); n < VALUES_MAX && scan_next(&it, &key, &v[n]); n++)
		check_number(v[n]);
	for (size_t i = 0; i < n; i++)
		for (size_t j = i; j < n; j++) {
			check_pair(v[i], v[j]);
			check_three(v[i], v[j], v[(i + j) % n]);
			check_three(v[(i + j) % n], v[i], v[j]);
		}
	check_sorted(v, n);
	return 0;
}
