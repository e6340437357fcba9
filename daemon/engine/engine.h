/* SPDX-License-Identifier: MIT */
/* What the engine's parts share about the daemon they are in. Set once, at start. */
#ifndef MPD_ENGINE_H
#define MPD_ENGINE_H

#include "common/sys.h"
#include <sys/types.h>

struct engine {
	const char *socket, *state_dir, *config; /* config: "" for none */
	const char *user, *home, *shell;         /* of the daemon's own user */
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

/* Tells the core what time it is: whatever comes in from outside calls it before it changes anything. */
void engine_now(void);
/* Stops all jobs and processes; when nothing lives any more the keeper is told, and ends. */
void engine_shutdown(void);
/* Answers those who asked for the shutdown (cmd_daemon.c). */
void shutdown_answer(void);
/* Runs until the keeper ends. The exit status. */
int engine_main(int argc, char **argv);

#endif
