/* SPDX-License-Identifier: MIT */
/* The table of errors, the fault that carries one up, and "did you mean". */
#include "common/fault.h"
#include <stdio.h>

static const struct fault_info faults[] = {
#define FAULT(symbol, code, exit, sentence) {code, exit, #symbol, sentence},
#include "common/fault.def"
#undef FAULT
};

size_t fault_count(void) { return ARRAY_LEN(faults); }
const struct fault_info *fault_at(size_t i) { return i < ARRAY_LEN(faults) ? &faults[i] : NULL; }

const struct fault_info *fault_info(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (faults[i].code == code)
			return &faults[i];
	return NULL;
}

const struct fault_info *fault_by_symbol(struct span symbol)
{
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (span_is(symbol, faults[i].symbol))
			return &faults[i];
	return NULL;
}

static size_t utf8_length(unsigned char lead) { return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4; }

/* Takes a sequence off the end of S[0..N) that has begun there and lost its rest. */
static void cut_half_sequence(char *s, size_t n)
{
	size_t lead = n;
	while (lead > 0 && n - lead < 4 && ((unsigned char)s[--lead] & 0xc0) == 0x80)
		;
	if (lead + utf8_length((unsigned char)s[lead]) > n)
		s[lead] = '\0';
}

int fault_set(struct fault *f, int code, const char *fmt, ...)
{
	va_list ap;
	f->code = code;
	f->data[0] = '\0';
	va_start(ap, fmt);
	int n = vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(f->message))
		cut_half_sequence(f->message, sizeof(f->message) - 1);
	return code;
}

int fault_data(struct fault *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(f->data, sizeof(f->data), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(f->data))
		f->data[0] = '\0';
	return f->code;
}

#define WORD_MAX 64

static char folded(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '-' ? '_' : c; }

/* How many letters have to be put in, left out, exchanged or swapped with their neighbour to make B of A. Both are at
 * most WORD_MAX long; case does not count, nor '-' for '_'. */
static size_t distance(struct span a, struct span b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *spare = before;
		before = last, last = row, row = spare;
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			char ca = folded(a.p[i - 1]), cb = folded(b.p[j - 1]);
			size_t best = MIN(last[j], row[j - 1]) + 1;
			best = MIN(best, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == folded(b.p[j - 2]) && cb == folded(a.p[i - 2]))
				best = MIN(best, before[j - 2] + 1);
			row[j] = best;
		}
	}
	return row[b.n];
}

const char *fault_nearest(struct span word, const char *const *names, size_t n)
{
	const char *nearest = NULL;
	if (word.n == 0 || word.n > WORD_MAX)
		return NULL;
	/* A third of the word may be wrong, but never all of it. */
	size_t best = MIN(word.n - 1, word.n / 3 + 1) + 1;
	for (size_t i = 0; i < n; i++) {
		struct span name = span_of(names[i]);
		size_t d = name.n <= WORD_MAX ? distance(word, name) : best;
		if (d < best)
			best = d, nearest = names[i];
	}
	return nearest;
}
