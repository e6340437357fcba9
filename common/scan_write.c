/* SPDX-License-Identifier: MIT */
/*
 * Bytes to JSON and back: text as a string, what is none as {"b64": "..."}. What is written here passes scan_check().
 */
#include "common/scan_lex.h"

static void put_special(struct buf *out, uint8_t c)
{
	static const char short_for[] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
	if (c >= 0x80)
		buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
	else if (short_for[c])
		buf_put(out, (char[]){'\\', short_for[c]}, 2);
	else
		buf_printf(out, "\\u%04x", c);
}

void scan_put_str(struct buf *out, struct span s)
{
	buf_putc(out, '"');
	while (s.n) {
		size_t n = (size_t)(skip_text(s.p, s.p + s.n) - s.p);
		buf_put(out, s.p, n);
		if (n < s.n)
			put_special(out, byte_at(s.p + n++));
		s = (struct span){s.p + n, s.n - n};
	}
	buf_putc(out, '"');
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A letter's place in it, counted from 1; 0: no letter of it. */
static const uint8_t base64_place[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
	['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
	['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
	['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
	['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
	['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
	['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
};

static bool is_text(struct span s)
{
	while (s.n) {
		size_t n = (size_t)(skip_text(s.p, s.p + s.n) - s.p);
		if (n < s.n && (s.p[n] == '\0' || byte_at(s.p + n) >= 0x80))
			return false;
		n += n < s.n;
		s = (struct span){s.p + n, s.n - n};
	}
	return true;
}

static void put_base64(struct buf *out, struct span s)
{
	char *to = s.n < SIZE_MAX / 8 ? buf_room(out, (s.n + 2) / 3 * 4) : NULL;
	if (!to)
		return;
	for (; s.n; s = s.n > 3 ? (struct span){s.p + 3, s.n - 3} : (struct span){NULL, 0}) {
		uint32_t three = (uint32_t)byte_at(s.p) << 16;
		three |= s.n > 1 ? (uint32_t)byte_at(s.p + 1) << 8 : 0;
		three |= s.n > 2 ? byte_at(s.p + 2) : 0;
		*to++ = base64[three >> 18];
		*to++ = base64[three >> 12 & 63];
		*to++ = s.n > 1 ? base64[three >> 6 & 63] : '=';
		*to++ = s.n > 2 ? base64[three & 63] : '=';
	}
	*to = '\0';
	out->len = (size_t)(to - out->p);
}

void scan_put_bytes(struct buf *out, struct span s)
{
	if (is_text(s)) {
		scan_put_str(out, s);
		return;
	}
	scan_put_b64(out, s);
}

void scan_put_b64(struct buf *out, struct span s)
{
	buf_puts(out, "{\"b64\":\"");
	put_base64(out, s);
	buf_puts(out, "\"}");
}

/* Decodes N bytes (not 0) in place. Returns the end of what came out; NULL when they are not whole, padded base64 whose
 * unused bits are 0 (RFC 4648, 3.5): two texts never say the same bytes. */
static char *decode_base64(char *text, size_t n)
{
	if (n % 4)
		return NULL;
	size_t pad = text[n - 1] == '=' ? 1 + (text[n - 2] == '=') : 0;
	char *to = text;
	for (size_t i = 0; i < n; to += 3) {
		uint32_t three = 0;
		for (size_t last = i + 4; i < last; i++) {
			uint8_t place = i < n - pad ? base64_place[byte_at(text + i)] : 1;
			if (place == 0)
				return NULL;
			three = three << 6 | (place - 1U);
		}
		to[0] = (char)(three >> 16);
		to[1] = (char)(three >> 8);
		to[2] = (char)three;
	}
	for (; pad; pad--)
		if (*--to)
			return NULL;
	return to;
}

int scan_bytes(struct span value, struct buf *out)
{
	size_t from = out->len;
	if (scan_str(value, out) == 0)
		return 0;
	if (scan_count(value) != 1 || scan_str(scan_get(value, "b64"), out))
		return -1;
	if (out->len == from)
		return 0;
	char *end = decode_base64(out->p + from, out->len - from);
	out->len = end ? (size_t)(end - out->p) : from;
	out->p[out->len] = '\0';
	return end ? 0 : -1;
}
