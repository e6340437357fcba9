/* SPDX-License-Identifier: MIT */
/*
 * What keeper and engine say to each other: one fixed struct a message, over a SOCK_SEQPACKET pair, both ends
 * non-blocking. A message that was sent has arrived: the keeper reads what a dead engine sent before it starts the
 * next one. Descriptors travel by SCM_RIGHTS in the order of the flags.
 *
 * After an engine's start the keeper tells it all it has (STARTED, FAILED, EXITED of every slot, in no order), then
 * SYNCED. It repeats nothing else. EXITED and FAILED stay in the keeper's table until RELEASE.
 */
#ifndef MPD_LINK_H
#define MPD_LINK_H

#include "common/sys.h"

/* The descriptors an engine starts with. */
enum engine_fd { ENGINE_LINK = 3, ENGINE_LISTEN, ENGINE_JOURNAL, ENGINE_SCRATCH, ENGINE_JOBTAB, ENGINE_FDS };

enum link_type {
	/* engine → keeper */
	LINK_READY = 1, /* the journal is replayed, requests are served */
	LINK_SPAWN,     /* id, spawn; fds: SPAWN_HAS_* in order. Answered by STARTED or FAILED */
	LINK_SIGNAL,    /* id, slot, signal.{signo, scope} */
	LINK_KILL_TREE, /* id, slot: SIGKILL all of the process's tree; answered by TREE_EMPTY when nothing of it lives */
	LINK_RELEASE,   /* id, slot: the exit or failure is recorded: forget it, close its pipes */
	LINK_JOURNAL,   /* fd: the compacted journal, from now on the one to hand to the next engine */
	LINK_SHUTDOWN,  /* everything has stopped: end the rest, then yourself */
	/* keeper → engine */
	LINK_STARTED = 64, /* id, slot, started.{pid, start}; fds: read ends, STARTED_HAS_* in order */
	LINK_FAILED,       /* id, slot, failed.{step, error} */
	LINK_EXITED,       /* id, slot, exited */
	LINK_TREE_EMPTY,   /* id, slot */
	LINK_SYNCED,       /* synced: the table has been told */
	LINK_STOP,         /* the keeper was asked to end: stop all, then send SHUTDOWN */
	LINK_STRAYS,       /* strays.count: processes that nobody's tree explains */
};

/* spawn.has and started.has: which descriptors are there, in this order. */
enum { SPAWN_HAS_CLIENT = 1, SPAWN_HAS_PLAN = 2, SPAWN_HAS_CWD = 4, SPAWN_HAS_STDIN = 8, SPAWN_HAS_STDOUT = 16, SPAWN_HAS_STDERR = 32 };
enum { STARTED_HAS_STDOUT = 1, STARTED_HAS_STDERR = 2 };
#define LINK_FDS_MAX 6

enum link_scope { SCOPE_PROCESS, SCOPE_GROUP, SCOPE_TREE };

/* Where a start failed: failed.step. The order is the order in the child (but root's client has its limits set
 * before the groups). */
#define SPAWN_STEPS(X)                                                                                                 \
	X(PLAN, "plan") X(LIMIT, "limit") X(IDENTITY, "identity") X(PIPE, "pipe") X(CLONE, "clone") X(SESSION, "session")        \
	X(CGROUP, "cgroup") X(TERMINAL, "terminal") X(SIGNALS, "signals") X(NICE, "nice") X(GROUPS, "groups")          \
	X(GID, "gid") X(UID, "uid") X(CHDIR, "chdir") X(STDIN, "stdin") X(STDOUT, "stdout") X(STDERR, "stderr")        \
	X(FDS, "descriptors") X(LIMITS, "limits") X(EXEC, "exec")
enum spawn_step {
#define X(symbol, name) STEP_##symbol,
	SPAWN_STEPS(X)
#undef X
};

struct link_msg {
	uint32_t type; /* enum link_type */
	uint32_t slot; /* the keeper's place for the process; told in STARTED, FAILED, EXITED */
	uint64_t id;   /* of the process */
	uint64_t seq;  /* engine → keeper: grows by one a message over all engines of one keeper */
	union {
		struct {
			uint32_t has;
			uint32_t job, instance; /* without SPAWN_HAS_PLAN: in the table of `generation` */
			uint64_t generation;
			uint64_t parent; /* id, for MPD_PARENT; 0: mpd */
		} spawn;
		struct {
			int32_t signo;
			uint32_t scope;
		} signal;
		struct {
			int32_t pid;
			uint32_t uid, gid;
			uint32_t has;
			nsec_t start; /* CLOCK_BOOTTIME */
		} started;
		struct {
			int32_t step, error; /* enum spawn_step, errno */
		} failed;
		struct {
			int32_t pid;
			int32_t code, status; /* CLD_EXITED, CLD_KILLED or CLD_DUMPED; the code or signal (waitid(2)) */
			uint32_t leftover;    /* 1: something of its tree lives on */
			nsec_t start, end;    /* CLOCK_BOOTTIME */
			nsec_t user, system;  /* CPU time of it and the children it waited for */
			int64_t maxrss;       /* bytes */
		} exited;
		struct {
			uint64_t seq; /* the last the keeper has seen */
			uint32_t engines; /* how many engines there have been, this one included */
			uint32_t slots;   /* how many processes there may be at once */
			uint32_t cgroups; /* 1: trees are cgroups, 0: found by scanning */
			int32_t keeper_pid;
			nsec_t keeper_start;
		} synced;
		struct {
			uint32_t count;
		} strays;
	};
};
_Static_assert(sizeof(struct link_msg) <= 96, "a message stays small");

/* The page that keeper and engine share, at the start of the scratch memfd. */
struct link_page {
	_Atomic uint64_t tick; /* the engine's loop, once a turn */
};
#define SCRATCH_HEAD 4096u /* bytes of the scratch memfd before its data: link_page, then the capture's tag */

#endif
