/* SPDX-License-Identifier: MIT */
/* The [mpd] section. */
#ifndef MPD_SETTINGS_H
#define MPD_SETTINGS_H

#include "daemon/loader/conf.h"

struct settings {
	uint8_t daemonic_children; /* 1: allowed */
	int32_t log_level;         /* enum log_level, or -1 */
	uint32_t max_processes;
	nsec_t keep;
	const char *cgroup; /* or NULL */
};

void settings_read(struct conf *, struct settings *ret);

#endif
