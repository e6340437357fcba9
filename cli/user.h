/* SPDX-License-Identifier: MIT */
/*
 * Whom --user names. /etc/passwd and /etc/group are read as files: mpctl is linked statically and cannot ask NSS, so
 * that users of a directory service have to be given as UID:GROUP, in numbers.
 */
#ifndef MPCTL_USER_H
#define MPCTL_USER_H

#include "common/buf.h"

/* Adds {"uid": N, "gid": N, "groups": [N...]} for "NAME|UID[:GROUP|:GID]". A name goes before a number.
 * 0, or -1 with what is wrong in *RET_WRONG. */
int user_put(struct buf *, const char *given, const char **ret_wrong);

#endif
