/* SPDX-License-Identifier: MIT */
/* Owners, and who waits for whom, in words. WHO is the daemon's object: {"owner", "pid", "process", "tag", ...}. */
#ifndef MPCTL_WHO_H
#define MPCTL_WHO_H

#include "cli/cli.h"

/* "pid 123 (seller)" of one who lives, by mpd's name for it or else the kernel's; " thread T" where it has a tag. */
void who_put(struct buf *, struct span who);
/* "pid 1 (a), pid 2 (b) and 3 more" of an array of them. */
void who_put_all(struct buf *, struct span array);
/* "pid 1 (a) waits for lock x, held by pid 2 (b)": one edge of the graph, or of a deadlock's cycle. */
void who_put_edge(struct buf *, struct span edge);
/* Says on stderr that the last holder of NAME died, as the answer to CMD, an acquire, tells. Silent with -q, and where
 * it exited with 0: so ends OBJECT NAME -- CMD. */
void who_say_abandoned(const struct api_cmd *, const char *name, struct span result);

#endif
