/* SPDX-License-Identifier: MIT */
/* Bytes and characters of JSON, for the files behind scan.h and for no others. */
#ifndef MPD_SCAN_LEX_H
#define MPD_SCAN_LEX_H

#include "common/scan.h"
#include <endian.h>

static inline uint8_t byte_at(const char *p) { return (uint8_t)*p; }
static inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
static inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Eight bytes as a number whose lowest byte is the first. */
static inline uint64_t word_at(const char *p)
{
	uint64_t word;
	memcpy(&word, p, sizeof(word));
	return le64toh(word);
}

#define EACH(byte) (0x0101010101010101ULL * (byte))
#define ASCII_ONLY EACH(0x80)
#define ANY_BYTE 0

/* Sets the top bit of the first byte of WORD that does not stand for itself in a string: a control character, a quote,
 * a backslash, with ASCII_ONLY also what is above 0x7f. Bytes behind the first may be marked wrongly. */
static inline uint64_t special(uint64_t word, uint64_t above)
{
	uint64_t quote = word ^ EACH('"'), backslash = word ^ EACH('\\');
	uint64_t found = (word - EACH(0x20)) & ~word;
	found |= (quote - EACH(1)) & ~quote;
	found |= (backslash - EACH(1)) & ~backslash;
	return (found & EACH(0x80)) | (word & above);
}

/* The first special byte in [P, END), or END. */
static inline const char *skip_plain(const char *p, const char *end, uint64_t above)
{
	for (; end - p >= 8; p += 8) {
		uint64_t found = special(word_at(p), above);
		if (found)
			return p + __builtin_ctzll(found) / 8;
	}
	while (p < end && !(special(byte_at(p), above) & 0x80))
		p++;
	return p;
}

static inline const char *skip_space(const char *p, const char *end)
{
	while (p < end && byte_at(p) <= ' ' && is_space(*p))
		p++;
	return p;
}

/* The length of the character above 0x7f that begins at P; 0 when its bytes are no valid UTF-8 (RFC 3629, 4). */
static inline size_t utf8_len(const char *p, const char *end)
{
	uint8_t lead = byte_at(p);
	size_t n = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
	if (n == 0 || n > (size_t)(end - p))
		return 0;
	/* The second byte tells overlong forms, surrogates and what is above U+10FFFF. */
	uint8_t from = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	uint8_t to = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (byte_at(p + 1) < from || byte_at(p + 1) > to)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((byte_at(p + i) & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The first byte in [P, END) that may not stand in a string as it is, invalid UTF-8 among them; or END. */
static inline const char *skip_text(const char *p, const char *end)
{
	for (;;) {
		p = skip_plain(p, end, ASCII_ONLY);
		const char *from = p;
		for (size_t n; p < end && byte_at(p) >= 0x80 && (n = utf8_len(p, end)); p += n)
			;
		if (p == from)
			return p;
	}
}

static inline struct span trim(struct span s)
{
	const char *p = skip_space(s.p, s.p + s.n), *end = s.p + s.n;
	while (end > p && is_space(end[-1]))
		end--;
	return (struct span){p, (size_t)(end - p)};
}

#endif
