/* SPDX-License-Identifier: MIT */
/*
 * The processes of owners, watched by pidfd: when one ends, its owner dies. And the tokens that are set aside on disk.
 */
#ifndef MPD_WATCH_H
#define MPD_WATCH_H

#include "daemon/engine/core/core.h"

/* What core_ops asks for by these names. */
int watch_owner(struct owner *, struct channel *);
void unwatch_owner(struct owner *);
void watch_death(const struct owner *, struct death *ret);

/* The tokens below the number in DIR's file `tokens` may have been given. 0 and *RET (1: never any), or -1 with errno.
 */
int tokens_read(const char *dir, uint64_t *ret);
void tokens_reserve(uint64_t ceiling);

#endif
