/* SPDX-License-Identifier: MIT */
/*
 * Strict JSON (RFC 8259) without a library: one pass that says whether a text is one whole, valid value, and views
 * (spans) into a text that has passed. Nothing is copied, nothing allocated; numbers keep every digit because they
 * stay text until somebody asks for an integer. This is all that mpctl and the hot path need; trees are json.h's.
 *
 * Strict means: the whole text is one value (white space around it allowed), valid UTF-8 (no surrogates, no overlong
 * forms, <= U+10FFFF), depth <= SCAN_DEPTH, no duplicate member in any object (compared after un-escaping), escapes
 * are whole, a \u escape of half a surrogate pair is refused.
 */
#ifndef MPD_SCAN_H
#define MPD_SCAN_H

#include "common/buf.h"

#define SCAN_DEPTH 32

enum scan_type { SCAN_NONE, SCAN_NULL, SCAN_FALSE, SCAN_TRUE, SCAN_NUMBER, SCAN_STRING, SCAN_ARRAY, SCAN_OBJECT };

struct scan_error {
	size_t at;        /* offset in bytes of the first byte that is wrong */
	const char *what; /* a static sentence, "duplicate member", ... */
};

/* Checks TEXT. Returns 0, or -1 with *RET_ERR. *RET_VALUE (may be NULL) is TEXT without the white space around. */
int scan_check(struct span text, struct span *ret_value, struct scan_error *ret_err);

/* The members of an object, and of the objects right in it, in the order of the text: so that what has been checked
 * need not be walked through once more. */
#define SCAN_TAPE_MAX 32
struct scan_member {
	struct span key, value;
	size_t inside; /* so many of those behind it are members of `value` */
};
struct scan_tape {
	struct span object; /* {NULL, 0}: it is none, or has too many members */
	size_t n;
	struct scan_member members[SCAN_TAPE_MAX];
};
/* scan_check() that leaves a tape of TEXT. */
int scan_check_tape(struct span text, struct scan_tape *, struct span *ret_value, struct scan_error *ret_err);

/* All of the following take a span that has passed scan_check (or lies within one that has). */
enum scan_type scan_type(struct span value);

/* Walks the members of an object or the elements of an array: KEY is the raw text between the quotes (still escaped),
 * empty for an array. `struct scan_iter it = scan_iter(v); while (scan_next(&it, &key, &value)) ...` */
struct scan_iter {
	const char *p, *end;
	const struct scan_member *member, *last; /* NULL: from the text */
};
struct scan_iter scan_iter(struct span value);
/* The same over what the tape (which may be NULL) tells of VALUE, where it does. */
struct scan_iter scan_iter_on(const struct scan_tape *, struct span value);
bool scan_next(struct scan_iter *, struct span *ret_key, struct span *ret_value);
size_t scan_count(struct span value);

/* The member of OBJ whose un-escaped name is KEY; an empty span {NULL, 0} when there is none or OBJ is no object. */
struct span scan_get(struct span obj, const char *key);

/* Un-escapes the string VALUE (quotes included) and adds it to OUT. A string may hold "\u0000": OUT then holds a NUL.
 * Returns 0, or -1 when VALUE is no string. */
int scan_str(struct span value, struct buf *out);
/* The same for the raw text between quotes, a KEY of scan_next. */
void scan_unescape(struct span raw, struct buf *out);
/* The text between the quotes where it needs no un-escaping (no backslash in it): true and the view. */
bool scan_plain(struct span value, struct span *ret_text);

/* Exact integers: -1 when VALUE is no number, has a fraction or exponent that is not whole, or does not fit. */
int scan_i64(struct span value, int64_t *ret);
int scan_u64(struct span value, uint64_t *ret);
/* -1 when VALUE is no number, would be infinite, or memory is out. */
int scan_double(struct span value, double *ret);
/* A number of seconds, with a fraction, >= 0, as nanoseconds, rounded up (so above 0 stays above 0); what passes 200
 * years is NSEC_NEVER. -1 when VALUE is no number or negative. */
int scan_seconds(struct span value, nsec_t *ret);

/* Writing: a JSON string from any bytes (each that is no valid UTF-8 becomes U+FFFD; control characters, the quote and
 * the backslash are escaped). */
void scan_put_str(struct buf *, struct span);
/* Bytes: a string where they are valid UTF-8 without NUL, else {"b64": "..."}. */
void scan_put_bytes(struct buf *, struct span);
/* Always {"b64": "..."}. */
void scan_put_b64(struct buf *, struct span);
/* Bytes back: a string or {"b64": "..."} (padded, nothing beside it); 0, or -1 when it is neither: OUT is as it was. */
int scan_bytes(struct span value, struct buf *out);

#endif
