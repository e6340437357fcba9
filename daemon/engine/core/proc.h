/* SPDX-License-Identifier: MIT */
/*
 * A process: one run of one program. Its id is never reused. All that must outlive an engine lies in the image, which
 * is journaled as it is, and in the text, which never changes after the creation.
 *
 * A process is *over* when its main process has been reaped and, unless kill_mode leaves the rest alone, nothing of
 * its tree lives. Joiners wait for that.
 */
#ifndef MPD_PROC_H
#define MPD_PROC_H

#include "common/buf.h"
#include "common/list.h"
#include "daemon/engine/core/timer.h"
#include "daemon/engine/core/wait.h"
#include "daemon/link.h"
#include "daemon/plan.h"
#include <sys/types.h>

struct inst;

enum proc_state {
	PROC_STARTING, /* with the keeper: cloned or about to be */
	PROC_RUNNING,
	PROC_STOPPING, /* the stop signal is sent, the clock runs */
	PROC_KILLING,  /* SIGKILL to the tree is sent */
	PROC_ENDING,   /* the main process is reaped, its tree is being killed */
	PROC_EXITED,   /* over */
	PROC_STATES
};

enum proc_event {
	PROC_EV_STARTED,
	PROC_EV_FAILED, /* the start failed */
	PROC_EV_EXIT,   /* the main process is reaped */
	PROC_EV_EMPTY,  /* nothing of its tree lives */
	PROC_EV_STOP,
	PROC_EV_KILL,
	PROC_EV_TIMER,
	PROC_EVENTS
};

enum proc_parent { PARENT_MPD, PARENT_PROC, PARENT_FOREIGN };
enum proc_context { CONTEXT_SPAWN, CONTEXT_FORK };

/* Why it ended where that is not the program's own doing. */
enum proc_why { WHY_NONE, WHY_STOP, WHY_STOP_TIMEOUT, WHY_LIMIT, WHY_PARENT, WHY_KILL, WHY_LOST };

struct proc_image {
	uint64_t id;
	uint64_t parent_id;  /* PARENT_PROC */
	nsec_t parent_start; /* PARENT_FOREIGN: start time in clock ticks, with the pid */
	int32_t parent_pid;
	uint32_t uid, gid;
	uint8_t state, parent, daemon, context; /* enum proc_state, enum proc_parent, 0 or 1, enum proc_context */
	uint8_t kill_mode, why;                 /* enum kill_mode, enum proc_why */
	uint8_t failed;                         /* the start failed: step, error */
	uint8_t joined;
	uint8_t captured;     /* bit 0: stdout, bit 1: stderr are log pipes */
	uint8_t stop_pending; /* asked for while starting: enum proc_event, or 0 */
	uint8_t leftover;     /* over, but something of its tree lives on (kill_mode process) */
	uint8_t tree_killed;  /* a KILL_TREE is with the keeper, TREE_EMPTY will come */
	int32_t pid;
	int32_t code, status; /* CLD_..., as waitid(2) */
	int32_t step, error;  /* enum spawn_step, errno */
	int32_t stop_signal;
	uint32_t restarts;          /* of its instance, when it was started */
	nsec_t stop_timeout, limit; /* limit: NSEC_NEVER for none */
	nsec_t created, started, ended;
	nsec_t deadline; /* of `stopping`, or of the limit; NSEC_NEVER */
	nsec_t user, system;
	int64_t maxrss;
};

/* Text: set once, at creation. Owned by the process, each NUL-terminated. */
enum proc_text {
	TEXT_NAME,
	TEXT_ARGV, /* as JSON, for display */
	TEXT_CWD,  /* for display */
	TEXT_JOB,  /* the job's name, or "" */
	TEXT_IN,   /* path of the file it reads from, or "" */
	TEXT_OUT,  /* path of the log (where it is captured) or of the file it writes to, or "" */
	TEXT_ERR,
	TEXT_SESSION, /* session (16 bytes) and the raw id of the request that started it; or "" */
	PROC_TEXTS
};

struct name {              /* all processes of one name, newest first */
	struct list procs; /* struct proc.by_name */
	struct span key;   /* owned */
};

struct proc {
	struct proc_image i;
	struct span text[PROC_TEXTS];
	uint32_t instance;    /* of the job, from 1 */
	uint32_t slot;        /* the keeper's, while `slotted` */
	bool slotted, synced; /* synced: the keeper has told of it, or will */
	bool left;            /* over, and kept by the keeper: counted in core.nleft */
	struct inst *inst;    /* whose current run it is; or NULL */
	struct name *name;
	struct list by_all, by_name, by_end, dirty;
	struct list brood, by_brood; /* children that are processes of ours; among its parent's */
	struct subject subject;      /* waited on by join, start, stop */
	struct subject output;       /* waited on by followers of its log */
	struct timer timer;
};

/* A new one in `starting`, on all lists, not yet sent to the keeper. TEXT is copied. The image's id, state and created
 * are set here. NULL when memory is out. */
struct proc *proc_new(const struct proc_image *, const struct span text[PROC_TEXTS], uint32_t instance);
/* The same with an id that the keeper has and the journal has lost. */
struct proc *proc_again(uint64_t id, const struct proc_image *, const struct span text[PROC_TEXTS], uint32_t instance);
/* It becomes the current run of an instance; NULL: it is that no more. */
void proc_set_inst(struct proc *, struct inst *);
/* Takes the record out of everything and journals that; freed after the next core_save(). It must be over. */
void proc_forget(struct proc *);

/* What the keeper says. */
void proc_on_started(struct proc *, const struct link_msg *);
void proc_on_failed(struct proc *, const struct link_msg *);
void proc_on_exited(struct proc *, const struct link_msg *);
void proc_on_empty(struct proc *);
/* A process the keeper has and the journal does not know (its record was damaged): made from what the keeper says.
 * NULL: it was forgotten, only the keeper has not heard of it yet; now it does. */
struct proc *proc_adopt(const struct link_msg *);
/* The foreign parent has ended. */
void proc_on_parent_gone(struct proc *);

/* The stop signal (SIGNO 0: its own), then SIGKILL to the tree after TIMEOUT (negative: its own). WHY is remembered.
 * Nothing happens to one that is over. */
void proc_stop(struct proc *, int signo, nsec_t timeout, enum proc_why why);
/* SIGKILL to the whole tree; also to what is left of one that is over, as long as the keeper keeps it. */
void proc_kill(struct proc *, enum proc_why why);
/* Just a signal; kept for later while starting is not possible: returns -1 then, and when it is over. */
int proc_signal(struct proc *, int signo, enum link_scope);
/* Its exit status was fetched. */
void proc_join(struct proc *);

static inline bool proc_over(const struct proc *p) { return p->i.state == PROC_EXITED; }
/* Ended, and with all descendants that are processes of ours. */
bool proc_tree_over(const struct proc *);
/* n, -signal; 127 or 126 for a start that failed. Only of one that is over. */
int proc_exitcode(const struct proc *);
const char *proc_state_name(const struct proc *);
/* A sentence, or "". */
void proc_reason(const struct proc *, struct buf *);
const char *spawn_step_name(int step);
/* What the failing step was about: the program, the directory, ... */
struct span proc_fail_subject(const struct proc *);

struct proc *proc_by_id(uint64_t id);
/* The newest of that name that is visible to UID (uid 0 sees all); NULL. */
struct proc *proc_by_name(struct span name, uid_t uid);
/* A living one of that very user and name. */
bool proc_name_taken(struct span name, uid_t uid);
struct proc *proc_by_pid(pid_t pid); /* living ones */
/* The one that was started by this request of this session; NULL. */
struct proc *proc_by_origin(uid_t uid, struct span session_and_id);

/* Journal: the record's body in, out. */
int proc_load_text(struct span body);
int proc_load_image(struct span body);
int proc_load_forget(struct span body);
void proc_save(struct proc *, bool with_text);
void proc_dirty(struct proc *);
/* After the replay and the keeper's report: settles this one. */
void proc_synced(struct proc *);
/* Over the limits of age and number: forgets. Not before all is synced: the keeper may be about to tell of it. */
void procs_expire(void);

#endif
