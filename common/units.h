/* SPDX-License-Identifier: MIT */
/* Human notations: lengths of time, sizes, signals. Parsers take the whole span or answer -1. */
#ifndef MPD_UNITS_H
#define MPD_UNITS_H

#include "common/buf.h"

/* "500ms" "10s" "2m" "1h" "1d" "1.5" (seconds), >= 0. */
int units_duration(struct span, nsec_t *ret);
/* "4096" "50M" "1G" (powers of 1024, an optional B or iB). */
int units_size(struct span, uint64_t *ret);
/* "TERM", "SIGTERM" (any case), "15", "RTMIN+3". */
int units_signal(struct span, int *ret);
/* "TERM" for 15; "signal 99" style text for what has no name is written into a static buffer. */
const char *units_signal_name(int signo);
/* true false yes no on off 1 0, any case. */
int units_bool(struct span, bool *ret);
/* "3d04h", "2h05m", "1m07s", "5.2s", "340ms": short, for tables. */
void units_put_duration(struct buf *, nsec_t);
/* "1.5M", "340K", "12B". */
void units_put_size(struct buf *, uint64_t);

#endif
