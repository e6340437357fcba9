/* SPDX-License-Identifier: MIT */
/*
 * JSON trees, by cJSON. A node is cJSON's own; it lies in the arena with all that hangs on it.
 *
 * 1. cJSON sees only text that has passed scan_check() and has no "\u0000": what it accepts beyond RFC 8259, and what
 *    it cuts, does not come before it.
 * 2. Its allocator is the arena of the one json_parse() that runs; outside of it, cJSON has no memory at all.
 * 3. cJSON leaves the valuestring of a number NULL. Ours holds the number's raw text, and only that is read.
 */
#include "common/json.h"
#include "common/arena.h"
#include <cjson/cJSON.h>

/* A node costs 64 bytes and more for as few as 2 of the text. The trees between two resets stay below this; arguments
 * and environment of a process fit in it twice when they are as large as execve(2) takes them. */
#define TREE_MAX ((size_t)128 << 20)
#define NUMBER_MAX 63 /* what cJSON reads of a number: the rest would stand there as text after the value */

struct json_arena {
	struct arena arena;
};

static struct arena *parsing;

static void *hook_alloc(size_t n)
{
	if (!parsing || n > TREE_MAX || parsing->used > TREE_MAX - n)
		return NULL;
	return arena_alloc(parsing, n);
}

static void hook_free(void *p) { (void)p; }

static const cJSON *node(const struct json *j) { return (const cJSON *)(const void *)j; }
static const struct json *json(const cJSON *n) { return (const struct json *)(const void *)n; }

struct json_arena *json_arena_new(void) { return calloc(1, sizeof(struct json_arena)); }

void json_arena_free(struct json_arena *a)
{
	if (!a)
		return;
	arena_done(&a->arena);
	free(a);
}

void json_arena_reset(struct json_arena *a) { arena_reset(&a->arena); }

/* In checked text a backslash stands only in strings, always before the byte it escapes. */
static const char *find_nul(const char *p, const char *end)
{
	for (; (p = memchr(p, '\\', (size_t)(end - p))); p += 2)
		if (end - p >= 6 && !memcmp(p + 1, "u0000", 5))
			return p;
	return NULL;
}

static bool in_number(char c) { return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || (c | 32) == 'e'; }

/* The first number of the checked text at or behind *P, outside of strings; {END, 0} when there is none. */
static struct span number_take(const char **p, const char *end)
{
	const char *from = *p;
	for (; from < end && *from != '-' && (*from < '0' || *from > '9'); from++)
		if (*from == '"')
			while (*++from != '"')
				from += *from == '\\';
	const char *to = from;
	while (to < end && in_number(*to))
		to++;
	*p = to;
	return (struct span){from, (size_t)(to - from)};
}

/* Gives the numbers in LIST and below it their raw texts, which come in the tree's order. */
static bool numbers_keep(cJSON *list, const char **p, const char *end)
{
	for (cJSON *n = list; n; n = n->next) {
		if (cJSON_IsNumber(n))
			n->valuestring = (char *)arena_copy(parsing, number_take(p, end)).p;
		if (cJSON_IsNumber(n) ? !n->valuestring : !numbers_keep(n->child, p, end))
			return false;
	}
	return true;
}

/* What cJSON would get wrong although it is valid. */
static int check_limits(struct span text, struct scan_error *ret_err)
{
	const char *p = text.p, *end = text.p + text.n, *nul = find_nul(p, end);
	struct span number;
	if (nul) {
		*ret_err = (struct scan_error){(size_t)(nul - text.p), "\\u0000 cannot stand here"};
		return -1;
	}
	while ((number = number_take(&p, end)).n)
		if (number.n > NUMBER_MAX) {
			*ret_err = (struct scan_error){(size_t)(number.p - text.p), "the number is too long"};
			return -1;
		}
	return 0;
}

const struct json *json_parse(struct json_arena *a, struct span text, struct scan_error *ret_err)
{
	cJSON_Hooks hooks = {hook_alloc, hook_free};
	struct span value;
	if (scan_check(text, &value, ret_err) || check_limits(text, ret_err))
		return NULL;
	const char *p = value.p;
	parsing = &a->arena;
	cJSON_InitHooks(&hooks);
	cJSON *tree = cJSON_ParseWithLength(value.p, value.n);
	if (tree && !numbers_keep(tree, &p, value.p + value.n))
		tree = NULL;
	parsing = NULL;
	if (!tree)
		*ret_err = (struct scan_error){0, "out of memory"};
	return json(tree);
}

enum scan_type json_type(const struct json *j)
{
	static const uint8_t types[] = {
		[cJSON_NULL] = SCAN_NULL,     [cJSON_False] = SCAN_FALSE,   [cJSON_True] = SCAN_TRUE,
		[cJSON_Number] = SCAN_NUMBER, [cJSON_String] = SCAN_STRING, [cJSON_Array] = SCAN_ARRAY,
		[cJSON_Object] = SCAN_OBJECT,
	};
	return j ? types[node(j)->type] : SCAN_NONE;
}

const struct json *json_first(const struct json *j) { return j ? json(node(j)->child) : NULL; }
const struct json *json_next(const struct json *j) { return j ? json(node(j)->next) : NULL; }
const char *json_key(const struct json *j) { return j ? node(j)->string : NULL; }
const char *json_str(const struct json *j) { return cJSON_GetStringValue(node(j)); }

size_t json_len(const struct json *j)
{
	size_t n = 0;
	for (j = json_first(j); j; j = json_next(j))
		n++;
	return n;
}

const struct json *json_get(const struct json *obj, const char *name)
{
	if (json_type(obj) != SCAN_OBJECT)
		return NULL;
	const struct json *j = json_first(obj);
	while (j && strcmp(json_key(j), name) != 0)
		j = json_next(j);
	return j;
}

int json_i64(const struct json *j, int64_t *ret)
{
	return json_type(j) == SCAN_NUMBER ? scan_i64(span_of(node(j)->valuestring), ret) : -1;
}
