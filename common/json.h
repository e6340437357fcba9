/* SPDX-License-Identifier: MIT */
/*
 * JSON trees for nested arguments, by cJSON, which no other file calls. Its traps are closed here: a text goes through
 * scan_check() first (so no trailing text, no invalid UTF-8, no duplicates, no depth), names are compared with their
 * case, numbers are taken from their raw text instead of cJSON's double, "\u0000" in a string is refused, and all of
 * a tree lies in an arena that is given back at once.
 */
#ifndef MPD_JSON_H
#define MPD_JSON_H

#include "common/scan.h"

struct json; /* a node; it belongs to its arena */
struct json_arena;

struct json_arena *json_arena_new(void);
void json_arena_free(struct json_arena *);
/* Gives back all trees made in it, keeps a little of the memory. */
void json_arena_reset(struct json_arena *);

/* The tree of TEXT; NULL with *RET_ERR ("out of memory" among them). Valid until the arena is reset, whatever becomes
 * of TEXT. Beyond what scan_check() refuses: "\u0000", numbers of more than 63 characters, and what would take the
 * arena over 128 MiB. */
const struct json *json_parse(struct json_arena *, struct span text, struct scan_error *ret_err);

enum scan_type json_type(const struct json *);
size_t json_len(const struct json *);                                  /* of an array or object, else 0 */
const struct json *json_first(const struct json *);                    /* child, or NULL */
const struct json *json_next(const struct json *);                     /* sibling, or NULL */
const char *json_key(const struct json *);                             /* member's name, or NULL */
const struct json *json_get(const struct json *obj, const char *name); /* exact case, or NULL */
const char *json_str(const struct json *);                             /* of a string, else NULL */
int json_i64(const struct json *, int64_t *ret);                       /* exact, or -1 */

#endif
