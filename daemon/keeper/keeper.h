/* SPDX-License-Identifier: MIT */
/*
 * The keeper: parent and only reaper of every process, and of the engine. What its files share.
 *
 * 1. After start nothing allocates: the table of slots is mapped up front, everything else is static.
 * 2. Nobody is waited for, but a child between its clone and its exec, and that not for long.
 * 3. An exit or a failure stays in its slot until the engine has released it; what could not be sent is told later.
 * 4. Nothing is signalled on the strength of a number alone: by pidfd, by the cgroup it is in, or as the group of a
 *    leader that has not been reaped.
 */
#ifndef MPD_KEEPER_H
#define MPD_KEEPER_H

#include "common/log.h"
#include "daemon/link.h"
#include "daemon/plan.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

/* --- slots (slot.c) ------------------------------------------------------------------------------------------- */

enum slot_state { SLOT_FREE, SLOT_FAILED, SLOT_RUNNING, SLOT_EXITED };

enum slot_flag {
	TELL_STARTED = 1, /* what the engine must be told yet, in the order of the bits */
	TELL_STATE = 2,   /* FAILED or EXITED */
	TELL_EMPTY = 4,
	TELL_ANY = 7,
	SLOT_QUEUED = 8,   /* on the queue of those to tell */
	SLOT_CGROUP = 16,  /* its tree is its cgroup; else found by scanning */
	SLOT_KILLING = 32, /* TREE_EMPTY is owed */
	SLOT_SIGNAL = 64,  /* `signo` is to go to all that the next scan finds of it */
	SLOT_GROUP = 128,  /* ... and is in its main process's group */
	SLOT_ALIVE = 256,  /* the last scan found something of it */
};

/* The directory of a slot outlives its process, so that a spawn need not make one. */
enum slot_dir { DIR_NONE, DIR_EMPTY, DIR_USED, DIR_SPENT /* was killed: never entered again */ };

#define SLOT_NONE UINT32_MAX

struct slot {
	uint64_t id;
	uint16_t flags;
	uint8_t state, dir, signo;
	uint32_t next;      /* free list */
	uint32_t next_told; /* queue of those to tell */
	uint32_t next_hash;
	int32_t pid, pidfd; /* pidfd: while RUNNING */
	int32_t events;     /* cgroup.events, only while its emptiness is waited for */
	int32_t pipe[2];    /* our read ends of stdout and stderr, or -1 */
	uint32_t uid, gid;
	int32_t code, status; /* as in link_msg.exited; of a FAILED one step and error */
	uint32_t leftover;
	nsec_t start, end, user, system;
	int64_t maxrss;
};
_Static_assert(sizeof(struct slot) <= 128, "a process costs at most 128 bytes");

/* Maps a table for N processes and some failures besides. 0, or -1 with errno. */
int slot_init(uint32_t n);
/* A free slot for ID with nothing in it yet, or NULL. FAILED: it holds no process, so it may be one of the spares. */
struct slot *slot_new(uint64_t id, bool failed);
/* Closes its pipes and forgets it. */
void slot_free(struct slot *);
/* From now on slot_by_pid() finds it. */
void slot_running(struct slot *, pid_t pid, int pidfd);
/* The slot whose main process has or, when it has exited, had PID: the youngest of them. NULL: none of ours. */
struct slot *slot_by_pid(pid_t pid);
struct slot *slot_main(pid_t pid); /* the same, RUNNING only */
struct slot *slot_by_id(uint64_t id);
/* What the engine means by SLOT and ID, or NULL when that is over. */
struct slot *slot_find(uint32_t slot, uint64_t id);
uint32_t slot_index(const struct slot *);
struct slot *slot_at(uint32_t index);
/* Walks all that are in use: NULL begins, NULL ends. */
struct slot *slot_next(const struct slot *after);

/* --- the whole (keeper.c) ------------------------------------------------------------------------------------- */

enum keeper_due { DUE_WATCH, DUE_ENGINE, DUE_STOP, DUE_TELL, DUE_TREES, DUE_MAX };
enum keeper_event { EVENT_SIGNAL, EVENT_LINK, EVENT_LISTEN, EVENT_CGROUP };
enum keeper_phase { PHASE_SERVING, PHASE_STOPPING, PHASE_TERMINATING, PHASE_ENDING };

struct keeper {
	const char *socket, *state_dir, *engine_path; /* absolute */
	const char *config, *config_path;             /* as it was given, and absolute; NULL for none */
	int listener, null;
	int ready; /* --background: who started us waits here; else -1 */
	int log;   /* and this becomes stderr then */
	int epoll, signals;
	pid_t pid;
	uid_t uid;
	nsec_t start;
	struct rlimit nofile;       /* the children's */
	uint32_t slots;             /* processes at once */
	uint32_t running;           /* of them */
	const struct jobtab *table; /* the loader's, read-only */
	int table_fd;
	int cgroup; /* directory of ours in the hierarchy, or -1: scanning */
	enum keeper_phase phase;
	int status;          /* to exit with */
	bool childless;      /* when last looked */
	nsec_t due[DUE_MAX]; /* CLOCK_MONOTONIC, which stands still while the machine sleeps; NSEC_NEVER */
	uint32_t strays;
};
extern struct keeper keeper;

/* Serves until all has ended. The exit status. */
int keeper_run(void);
/* Watches FD, level-triggered; DATA goes with each event. 0 or -1. */
int keeper_watch(int fd, uint32_t events, enum keeper_event, uint32_t data);
/* LINK_SHUTDOWN, or the end of patience: kills what lives. */
void keeper_end(void);
/* The engine cannot lead a stop: TERM to all trees, ten seconds, KILL. */
void keeper_terminate(void);
/* An engine serves for the first time: tells the service manager and whoever waits for --background. */
void keeper_ready(void);
/* Says "READY=1" or the like to the service manager. */
void keeper_notify(const char *state);
static inline nsec_t keeper_clock(void) { return sys_clock(CLOCK_MONOTONIC); }
static inline void keeper_due_in(enum keeper_due which, nsec_t delay) { keeper.due[which] = keeper_clock() + delay; }

/* --- before that (boot.c) ------------------------------------------------------------------------------------- */

/* Directories, locks, the loader's table, the socket; in this order. Says what is wrong on stderr and exits. */
void boot(void);
/* The socket goes, the locks with us. */
void boot_undo(void);
/* Says so on stderr and exits. */
void boot_die(int status, const char *fmt, ...) PRINTF(2, 3) __attribute__((noreturn));

/* --- the engine and the link (engine.c, link.c) --------------------------------------------------------------- */

extern struct engine {
	pid_t pid; /* 0: there is none now */
	int pidfd, link;
	nsec_t ready_at; /* 0: not yet */
	uint32_t count;  /* how many there have been */
	bool was_ready;  /* any of them */
} engine;

int engine_init(void);   /* makes the memfds */
void engine_start(void); /* DUE_ENGINE */
/* It was reaped: reads what it has sent, plans the next one. */
void engine_died(int code, int status);
void engine_ready(void);
void engine_journal(int fd); /* takes FD */
void engine_watch(void);     /* DUE_WATCH */
/* A message went to it: it is looked after until it has read it. */
void engine_expect(void);
void engine_refuse(void); /* EVENT_LISTEN: safe mode's answer */
void engine_kill(void);
/* Ends the link, at which the engine exits. */
void engine_end(void);

enum link_news { NEWS_SYNCED = 1, NEWS_STOP = 2, NEWS_STRAYS = 4 };
/* Both ends of a new link: ours is engine.link, the other is returned; -1 with errno. */
int link_open(void);
void link_close(void);
/* Reads and does up to MAX messages. */
void link_read(int max);
void link_event(uint32_t events);
/* Puts the slot's FLAGS (TELL_*), or NEWS, on the list of what the engine is to be told. */
void link_tell(struct slot *, unsigned flags);
void link_tell_news(unsigned news);
/* The whole table, for a new engine. */
void link_tell_all(void);
/* Sends what it can. */
void link_flush(void);
/* Tells of a failure for which there is no slot left. */
void link_failed(uint64_t id, enum spawn_step, int error);

/* --- starting (spawn.c, child.c, clone.c) --------------------------------------------------------------------- */

int spawn_init(void);
/* LINK_SPAWN. FDS: descriptors in the order of SPAWN_HAS_*, which stay the caller's. */
void spawn_process(const struct link_msg *, const int *fds, int nfds);

struct identity {
	bool change;
	uid_t uid;
	gid_t gid;
	size_t ngroups;
	const gid_t *groups;
};

/* Everything the child needs, made before the clone, for it shares our memory and must not change it. */
struct child {
	const struct plan *plan;
	char **argv, **envp; /* argv[-1] is free */
	const char *path;    /* to search, or NULL for argv[0] as it is */
	struct identity who;
	int fds[3];                      /* what becomes 0, 1 and 2; -1: to be opened */
	int cwd;                         /* a descriptor, or -1 */
	const struct plan_limit *limits; /* plan->nlimits of them */
	struct rlimit nofile;            /* the last of them for RLIMIT_NOFILE, or what we were started with */
	bool privileged;                 /* it may raise its limits: they are set before it becomes somebody else */
};
/* As setrlimit(2) takes it. */
struct rlimit child_limit(const struct plan_limit *);
/* Runs in the child; does not return. The failure is left in clone_result. */
void child_run(void *child) __attribute__((noreturn));

/* What a child that could not exec leaves behind; shared with it. */
struct clone_result {
	int step, error; /* error 0: it runs */
	bool in_cgroup;
	bool given_up; /* it did not come to its exec in time, and was killed */
};
extern struct clone_result *clone_result;
int clone_init(void);
/* Runs FN(ARG) in a child and returns when it has exec'd or exited. CGROUP: the directory it shall be born in, or -1;
 * clone_result says whether it was. The pid, or -1 with errno, and the step in clone_result: nothing is left of the
 * child then, but where even a SIGKILL takes its time. */
pid_t clone_child(void (*fn)(void *), void *arg, int cgroup, int *ret_pidfd);
/* In the child: everything above FIRST is closed at the exec or before. */
void clone_close_from(unsigned first);
/* In the child: what it does next may hang. */
void clone_at(enum spawn_step);
/* In the child: the end. */
void clone_fail(enum spawn_step) __attribute__((noreturn));

/* --- ending (reap.c, tree.c, cgroup.c) ------------------------------------------------------------------------ */

/* Reaps all there is to reap. */
void reap_all(void);
/* TREE_EMPTY: nothing of the slot lives. */
void reap_empty(struct slot *);

int tree_init(void);
/* Sends SIGNO to the process, to its group or to its tree. */
void tree_signal(struct slot *, int signo, enum link_scope);
/* Kills the slot's tree; TREE_EMPTY will follow. */
void tree_kill(struct slot *);
/* Some process has gone: those who are killed by scanning may be through. */
void tree_progress(void);
/* Something could not be looked at or reached. For want of descriptors or memory: true, and it is tried again soon. */
bool tree_trouble(int error);
void tree_again(void); /* DUE_TREES */
/* Does the scans that were asked for in this turn. */
void tree_turn(void);
/* Sets `leftover` of EXITED slots that have descendants, counts strays; looks at pids from FROM on. */
void tree_leftovers(pid_t from);
/* Kills everything that descends from us, but the engine. */
void tree_kill_all(void);

/* Finds a place in the hierarchy and makes our directory there; none: keeper.cgroup stays -1. */
void cgroup_init(const char *configured);
/* A descriptor of the slot's empty directory, or -1: scan. */
int cgroup_enter(struct slot *);
/* Whether anything lives in the slot's directory; what cannot be looked at may. */
bool cgroup_populated(const struct slot *);
void cgroup_signal(struct slot *, int signo, enum link_scope);
/* Kills all in the directory; says by EVENT_CGROUP, or at once, when it is empty. */
void cgroup_kill(struct slot *);
void cgroup_event(struct slot *);
void cgroup_kill_all(void);
void cgroup_done(void);

/* --- reading /proc (proc.c) ----------------------------------------------------------------------------------- */

/* The number that TEXT is, if it is one from 1 on, else 0. */
pid_t proc_number(const char *text);
/* One read, which is all there is of a file of /proc, or all there is room for; BUF gets a NUL. The length, or -1. */
ssize_t proc_read(int dir, const char *path, char *buf, size_t size);
/* Calls EACH with what is in a directory; nothing that begins with a dot. */
void proc_list(int dir, void (*each)(const char *name, void *arg), void *arg);

#endif
