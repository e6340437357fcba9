/* SPDX-License-Identifier: MIT */
/* A section of an object, [queue:mail]: the call that makes it. */
#ifndef MPD_OBJECT_H
#define MPD_OBJECT_H

#include "daemon/loader/conf.h"

struct object {
	const char *method; /* "queue.create" */
	struct span params; /* JSON, NUL-terminated: what api_decode() takes for the method */
};

/* Reads the section. GID: whose the object is unless it says so, or UINT32_MAX: the daemon's own. Errors are told in
 * CONF; RET is whole in any case, but of use only without them. */
void object_read(struct conf *, struct conf_section *, uint32_t gid, struct object *ret);
/* Whether it can be made only when others are there. */
bool object_needs_another(const struct conf_section *);

#endif
