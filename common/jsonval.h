/* SPDX-License-Identifier: MIT */
/*
 * What JSON values mean when they are compared: numbers by their value, strings by their characters, objects whatever
 * the order of their members, `true` and 1 apart. A number without point and exponent is whole and exact, however many
 * digits it has; any other is the double that is nearest to it.
 *
 * All take spans that have passed scan_check() (or lie within one that has).
 */
#ifndef MPD_JSONVAL_H
#define MPD_JSONVAL_H

#include "common/scan.h"

/* Is it a number without point and exponent? */
bool jsonval_is_whole(struct span value);
/* Such a number: 0; or 1 when it does not fit, and *RET is it modulo 2^128. -1: it is none. */
int jsonval_whole(struct span value, __int128 *ret);
/* Any number, as the nearest double (which may be infinite); -1: it is none, or memory is out. */
int jsonval_double(struct span value, double *ret);

/* In decimal; as the shortest text that reads back as the same double, which shows that it is one: 5.0, 1e+22. */
void jsonval_put_whole(struct buf *, __int128);
void jsonval_put_double(struct buf *, double);

bool jsonval_equal(struct span a, struct span b);
/* Of two numbers, or two strings: *RET below, at, above 0. -1: they have no order. */
int jsonval_order(struct span a, struct span b, int *ret);

/* The order of N numbers, or of N strings, equal ones as they are: RET[i] is the place in V of what comes i-th.
 * *RET_MIXED: they have no order. -1: that, or memory is out. */
int jsonval_sort(const struct span *v, size_t n, bool reverse, size_t *ret, bool *ret_mixed);

#endif
