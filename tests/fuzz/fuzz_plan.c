/* SPDX-License-Identifier: MIT */
/* Any bytes to plan_check(); what passes is followed as the keeper and its child follow it. */
#include "daemon/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void follow_string(const char *p, uint32_t offset) { sink += strlen(p + offset); }

static void follow_strings(const char *p, uint32_t offset, uint32_t n)
{
	const uint32_t *offsets = (const uint32_t *)(const void *)(p + offset);
	for (uint32_t i = 0; i < n; i++)
		follow_string(p, offsets[i]);
}

static void follow(char *p)
{
	const struct plan h = *(const struct plan *)(const void *)p;
	memset(p + h.room, 'x', PLAN_ROOM(h.argc, h.envc)); /* the child writes there, and reads on */
	follow_strings(p, h.argv, h.argc);
	follow_strings(p, h.envp, h.envc);
	for (uint32_t i = 0; i < h.ngroups; i++)
		sink += ((const uint32_t *)(const void *)(p + h.groups))[i];
	for (uint32_t i = 0; i < h.nlimits; i++)
		sink += ((const struct plan_limit *)(const void *)(p + h.limits))[i].soft;
	if (h.cwd)
		follow_string(p, h.cwd);
	for (int i = 0; i < 3; i++)
		if (h.path[i])
			follow_string(p, h.path[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *copy = malloc(size ? size : 1); /* exactly as long: the sanitizer sees one byte too far */
	memcpy(copy, data, size);
	if (plan_check(copy, size) == 0)
		follow(copy);
	return 0;
}
