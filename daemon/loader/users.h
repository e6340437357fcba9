/* SPDX-License-Identifier: MIT */
/* Users and groups by name. NSS may block, allocate and load code: the loader alone asks it. */
#ifndef MPD_USERS_H
#define MPD_USERS_H

#include "common/arena.h"
#include "common/fault.h"
#include <sys/types.h>

struct user {
	uid_t uid;
	gid_t gid;
	const char *name, *home, *shell; /* in the arena */
};

/* By name, or by number where one of that number exists. 0 or FAULT_NOT_FOUND. */
int users_find(struct arena *, struct span name, struct user *ret, struct fault *);
/* Whoever runs this; always an answer, also where the user database does not know him. */
void users_self(struct arena *, struct user *ret);
int users_group(struct span name, gid_t *ret, struct fault *);
/* All groups of the user with GID for his first one, as the plan holds them, in the arena. */
int users_groups(struct arena *, const struct user *, gid_t gid, uint32_t **ret, size_t *ret_count, struct fault *);

#endif
