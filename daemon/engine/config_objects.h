/* SPDX-License-Identifier: MIT */
/* The objects of the configuration. */
#ifndef MPD_CONFIG_OBJECTS_H
#define MPD_CONFIG_OBJECTS_H

#include "daemon/plan.h"

/* Makes those that are not there. After the replay, before anybody is served. */
void config_objects_make(const struct jobtab *);

#endif
