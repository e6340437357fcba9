/* SPDX-License-Identifier: MIT */
/* The rules, one function a kind that has any. */
#include "common/shape.h"
#include "common/ctype.h"

static const char *queue_wrong(const void *args)
{
	const struct args_queue_create *a = args;
	if (a->maxsize < 0 || a->max_bytes < 0 || a->max_deliveries < 0)
		return "maxsize, max_bytes, max_deliveries: must not be negative (0: no limit)";
	if (a->lifo && a->priority)
		return "lifo and priority exclude each other";
	if (a->simple && (a->maxsize || a->max_bytes || a->joinable))
		return "a simple queue has no maxsize, no max_bytes and no join";
	return NULL;
}

static const char *array_wrong(const void *args)
{
	const struct args_array_create *a = args;
	bool size = GIVEN(a, array_create, size), values = GIVEN(a, array_create, values);
	if (size && values)
		return "size and values exclude each other";
	return size || values ? NULL : "size or values is missing";
}

static int value_values(const void *args, struct fault *f)
{
	const struct args_value_create *a = args;
	const struct ctype *type = ctype_find(a->type);
	union cell cell;
	return type && a->value.p ? ctype_get(type, a->value, a->wrap, &cell, f) : 0;
}

static int array_values(const void *args, struct fault *f)
{
	const struct args_array_create *a = args;
	const struct ctype *type = ctype_find(a->type);
	struct span key, value;
	union cell cell;
	int code = 0;
	if (!type || !a->values.p)
		return 0;
	for (struct scan_iter it = scan_iter(a->values); !code && scan_next(&it, &key, &value);)
		code = ctype_get(type, value, a->wrap, &cell, f);
	return code;
}

static const struct rules {
	enum api_id id;
	const char *(*wrong)(const void *args);
	int (*values)(const void *args, struct fault *);
} rules[] = {
	{CMD_queue_create, queue_wrong, NULL},
	{CMD_value_create, NULL, value_values},
	{CMD_array_create, array_wrong, array_values},
};

static const struct rules *rules_of(enum api_id id)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].id == id)
			return &rules[i];
	return NULL;
}

const char *shape_wrong(enum api_id id, const void *args)
{
	const struct rules *r = rules_of(id);
	return r && r->wrong ? r->wrong(args) : NULL;
}

int shape_values(enum api_id id, const void *args, struct fault *f)
{
	const struct rules *r = rules_of(id);
	return r && r->values ? r->values(args, f) : 0;
}
