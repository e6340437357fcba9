/* SPDX-License-Identifier: MIT */
/*
 * Numbers of JSON, from their text. Integers and times are decimal arithmetic from end to end: no double is between,
 * so no digit is lost, and the locale plays no part.
 */
#include "common/scan_lex.h"
#include <math.h>

/* digits * 10^exp; when `cut`, and something more: it has more digits than 64 bits hold, and not all zero. */
struct decimal {
	bool negative, cut;
	uint64_t digits;
	int64_t exp;
};

#define EXP_MAX ((int64_t)1 << 50) /* more than any text has digits */

static void add_digit(struct decimal *d, unsigned digit)
{
	if (!d->cut && d->digits <= (UINT64_MAX - digit) / 10) {
		d->digits = d->digits * 10 + digit;
		return;
	}
	d->cut |= digit != 0;
	d->exp++;
}

static int64_t exponent(const char *p, const char *end)
{
	bool negative = *p == '-';
	int64_t n = 0;
	for (p += *p == '-' || *p == '+'; p < end; p++)
		n = MIN(n * 10 + (*p - '0'), EXP_MAX);
	return negative ? -n : n;
}

static int decimal(struct span value, struct decimal *ret)
{
	if (scan_type(value) != SCAN_NUMBER)
		return -1;
	value = trim(value);
	const char *p = value.p, *end = value.p + value.n;
	struct decimal d = {.negative = *p == '-'};
	bool fraction = false;
	for (p += d.negative; p < end && (is_digit(*p) || *p == '.'); p++)
		if (*p == '.') {
			fraction = true;
		} else {
			add_digit(&d, (unsigned)(*p - '0'));
			d.exp -= fraction;
		}
	if (p < end)
		d.exp += exponent(p + 1, end);
	*ret = d;
	return 0;
}

/* Times 10^exp, exactly. False: it is not whole or does not fit. */
static bool decimal_whole(struct decimal d, uint64_t *ret)
{
	for (; d.digits && d.exp < 0 && d.digits % 10 == 0; d.exp++)
		d.digits /= 10;
	for (; d.digits && d.exp > 0; d.exp--)
		if (__builtin_mul_overflow(d.digits, 10, &d.digits))
			return false;
	if (d.cut || (d.digits && d.exp < 0))
		return false;
	*ret = d.digits;
	return true;
}

int scan_i64(struct span value, int64_t *ret)
{
	struct decimal d;
	uint64_t n;
	if (decimal(value, &d) || !decimal_whole(d, &n) || n > (uint64_t)INT64_MAX + d.negative)
		return -1;
	*ret = (int64_t)(d.negative ? -n : n);
	return 0;
}

int scan_u64(struct span value, uint64_t *ret)
{
	struct decimal d;
	uint64_t n;
	if (decimal(value, &d) || !decimal_whole(d, &n) || (d.negative && n))
		return -1;
	*ret = n;
	return 0;
}

/* strtod() wants a NUL, and the point of LC_NUMERIC, which no program of ours sets. */
int scan_double(struct span value, double *ret)
{
	if (scan_type(value) != SCAN_NUMBER)
		return -1;
	AUTO_BUF text = BUF_INIT;
	buf_span(&text, trim(value));
	char *end = text.p;
	double d = text.failed ? 0 : strtod(text.p, &end);
	if (text.failed || *end || !isfinite(d))
		return -1;
	*ret = d;
	return 0;
}

int scan_seconds(struct span value, nsec_t *ret)
{
	const uint64_t most = (uint64_t)200 * 31557600 * NSEC_PER_SEC; /* 200 years */
	struct decimal d;
	if (decimal(value, &d) || (d.negative && d.digits))
		return -1;
	bool rest = d.cut, never = false;
	for (d.exp += 9; d.digits && d.exp < 0; d.exp++) {
		rest |= d.digits % 10 != 0;
		d.digits /= 10;
	}
	for (; d.digits && d.exp > 0 && !never; d.exp--)
		never = __builtin_mul_overflow(d.digits, 10, &d.digits);
	*ret = never || d.digits > most - rest ? NSEC_NEVER : (nsec_t)(d.digits + rest);
	return 0;
}
