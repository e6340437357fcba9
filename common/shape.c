/* SPDX-License-Identifier: MIT */
/* The rules, one function a kind that has any. */
#include "common/shape.h"

static const char *queue_wrong(const void *args)
{
	const struct args_queue_create *a = args;
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

const char *shape_wrong(enum api_id id, const void *args)
{
	static const struct {
		enum api_id id;
		const char *(*wrong)(const void *args);
	} rules[] = {
		{CMD_queue_create, queue_wrong},
		{CMD_array_create, array_wrong},
	};
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].id == id)
			return rules[i].wrong(args);
	return NULL;
}
