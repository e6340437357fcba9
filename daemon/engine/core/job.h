/* SPDX-License-Identifier: MIT */
/*
 * Jobs and their instances. An instance is kept running by a full table: rule[state][event] says where it goes and
 * what is done, in every cell; inst_event() is the only writer of the state.
 */
#ifndef MPD_JOB_H
#define MPD_JOB_H

#include "common/buf.h"
#include "common/list.h"
#include "daemon/engine/core/timer.h"
#include "daemon/engine/core/wait.h"
#include "daemon/plan.h"

struct proc;

enum inst_state {
	INST_STOPPED,
	INST_STARTING,   /* a process is being started */
	INST_YOUNG,      /* it runs, for less than start_seconds */
	INST_RUNNING,    /* it has run for start_seconds: restarts are counted anew */
	INST_STOPPING,   /* to be stopped */
	INST_RESTARTING, /* to be stopped and started again */
	INST_BACKOFF,    /* waits for the restart */
	INST_EXITED,     /* ended, and the policy is content with that */
	INST_FAILED,     /* given up */
	INST_STATES
};

enum inst_event {
	INST_EV_START,
	INST_EV_STOP,
	INST_EV_RESTART,
	INST_EV_STARTED,
	INST_EV_DONE,  /* the process is over; the policy wants no restart, it ended well */
	INST_EV_BAD,   /* the same, it ended badly */
	INST_EV_AGAIN, /* the policy wants a restart */
	INST_EV_LIMIT, /* it would, but restart_limit is reached */
	INST_EV_TIMER, /* start_seconds, or the end of the back-off */
	INST_EVENTS
};

struct inst_image {
	uint64_t proc;     /* id of the current or last run; 0: none */
	uint32_t instance; /* from 1 */
	uint8_t state;     /* enum inst_state */
	uint8_t pad[3];
	uint32_t restarts; /* ever, by the policy */
	uint32_t tries;    /* restarts since it was last healthy */
	nsec_t delay;      /* before the next restart */
	nsec_t deadline;   /* of its timer, NSEC_NEVER */
};

struct inst {
	struct inst_image i;
	struct job *job;
	struct span name; /* "web" or "web.2", owned */
	struct proc *proc;
	struct subject subject, output;
	struct timer timer;
	struct list dirty;
	bool known; /* the journal knows it: it is not to be started as if mpd had just begun */
};

struct job {
	const struct jobtab_job *def; /* in the mapped table */
	const struct jobtab *tab;
	const char *name;
	uint32_t index; /* in the table */
	struct inst *insts;
	uint32_t ninsts;
};

int job_init(struct job *, const struct jobtab *, uint32_t index);
void job_done(struct job *);
struct job *job_find(struct span name);
struct inst *inst_find(struct span name); /* "web.2"; also "web" when there is one */
/* The plan of the instance in the table. */
const struct plan *inst_plan(const struct inst *);

void inst_event(struct inst *, enum inst_event);
/* Its process has become over, has started. */
void inst_on_over(struct inst *);
void inst_on_started(struct inst *);

/* Is it settled: nothing will change by itself any more but a crash? (join waits for `ended`, start for `settled`) */
bool inst_ended(const struct inst *);
bool inst_settled(const struct inst *);
static inline bool inst_up(const struct inst *t) { return t->i.state == INST_YOUNG || t->i.state == INST_RUNNING; }
const char *inst_state_name(enum inst_state);

/* What `stop` should wait for before it kills, for the next INST_EV_STOP; negative: the job's. */
void inst_stop(struct inst *, nsec_t timeout);

/* The record of the instance's current run ID was lost: made again. NULL: no instance lacks that one. */
struct proc *inst_adopt(uint64_t id);

int inst_load(struct span body);
void inst_save(struct inst *);
void inst_dirty(struct inst *);
void inst_synced(struct inst *);

#endif
