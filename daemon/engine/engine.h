/* SPDX-License-Identifier: MIT */
/* What the engine's parts share about the daemon they are in. Set once, at start. */
#ifndef MPD_ENGINE_H
#define MPD_ENGINE_H

#include "common/sys.h"
#include <sys/types.h>

struct engine {
	const char *socket, *state_dir, *config; /* config: "" for none */
	uid_t uid;                               /* the daemon's own */
	pid_t keeper_pid;
	nsec_t keeper_start;
	uint32_t engines; /* how many there have been, this one included */
	bool cgroups;     /* trees are cgroups */
	uint32_t slots;   /* processes at once */
	uint32_t strays;
	bool stopping; /* SHUTDOWN answers everything that starts something */
};
extern struct engine engine;

#endif
