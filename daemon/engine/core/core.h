/* SPDX-License-Identifier: MIT */
/*
 * The state machine without system calls: processes, job instances, objects, owners, waiters, deadlines. It takes
 * events and the time, and gives back actions through core_ops. libev, sockets, the journal and the keeper link are a
 * shell around it.
 *
 * Order of a turn, kept by the shell: events change state → wait_pump() answers whom that concerns → core_save()
 * journals what has changed → actions go to the keeper → replies go to the clients. Nothing that was told to anybody
 * can be forgotten by a crash, because it was in the journal before.
 */
#ifndef MPD_CORE_H
#define MPD_CORE_H

#include "common/list.h"
#include "common/map.h"
#include "daemon/engine/core/job.h"
#include "daemon/engine/core/obj.h"
#include "daemon/engine/core/proc.h"
#include "daemon/engine/core/timer.h"
#include "daemon/engine/core/wait.h"
#include "daemon/engine/journal.h"
#include "daemon/link.h"
#include "daemon/plan.h"

/* What the core asks of its shell. None may call back into the core. */
struct core_ops {
	void (*spawn)(const struct proc *); /* of a job's instance; a client's goes with its descriptors */
	void (*signal)(const struct proc *, int signo, enum link_scope);
	void (*kill_tree)(const struct proc *);
	void (*release)(const struct proc *);   /* the keeper may forget it */
	void (*drain)(const struct proc *);     /* it has exited: take what its pipes still hold, close them */
	void (*forgotten)(const struct proc *); /* its record goes: so does what belongs to it outside */
	void (*event)(const struct proc *, const struct inst *, const char *what);
	void (*save)(enum journal_type, const void *a, size_t na, const void *b, size_t nb);
	/* The end of its process is to be told by owner_die(). -1: it is not there. CHANNEL: it is that connection's
	 * peer. */
	int (*watch)(struct owner *, struct channel *);
	void (*unwatch)(struct owner *); /* also of one that is not watched */
	/* Its line tells of a grant that is undone: it is not to be told again. */
	void (*undone)(struct channel *, uint64_t line);
	/* Was all that was written to it read by its peer, and nothing cut short? */
	bool (*all_read)(struct channel *);
	/* Is there nobody who could read from it any more? A connection outlives its process in who inherited it. */
	bool (*deserted)(struct channel *);
	/* What the kernel tells of how that process ended. */
	void (*death)(const struct owner *, struct death *ret);
	void (*failed)(struct want *, const struct fault *); /* answer it; it is freed after */
	void (*tokens)(uint64_t ceiling); /* those below are set aside: to be remembered for longer than mpd lives */
};

struct core {
	const struct core_ops *ops;
	nsec_t now;
	uint64_t next_id;
	uint64_t random; /* state of the jitter's generator; the shell seeds it */

	struct map ids;           /* struct proc by id */
	struct map names;         /* struct name by name */
	struct map pids;          /* struct proc by pid, the running ones */
	struct map origins;       /* struct proc by session and request */
	struct map gone;          /* ids of which the journal says that they were forgotten; until core_synced() */
	struct list procs;        /* struct proc.by_all, in order of creation */
	struct list ended, known; /* struct proc.by_end: exited and not joined; exited and joined. Oldest first */
	size_t alive, nended, nknown;
	size_t nleft; /* over, but the keeper still has them, so that what they have left can be killed */
	bool synced;

	struct job *jobs;
	size_t njobs;

	struct list ready; /* struct subject.ready */
	struct list dirty; /* struct proc.dirty */
	struct list dirty_insts;
	struct list dropped[2];   /* struct proc.by_all of those forgotten in this turn, in the one before */
	struct list owners;       /* struct owner.by_all */
	struct list idle_threads; /* struct thread.by_idle */
	struct list dead_owners;  /* the same, of which the journal does not know yet that they are gone */
	struct map owner_ids;     /* struct owner by id */
	struct map owner_pids;    /* one of the struct owner by pid */
	uint64_t next_owner;
	struct list all_objs;         /* struct obj.by_all, in order of creation */
	struct list dead_objs;        /* the same, deleted in this turn */
	struct map objs;              /* struct obj by id */
	struct map obj_names;         /* struct obj by key */
	struct obj *recent_objs[64];  /* where a cheap hash of their names says; none that is gone */
	struct map objs_of, wants_of; /* how many, by uid */
	struct map queued_of;         /* size_t *, bytes in queues, by uid */
	size_t njoins;                /* requests that wait for processes */
	struct map loaded_holds;      /* struct hold by token, until objs_synced() */
	struct list dirty_objs, dirty_holds, dirty_parts;
	uint64_t next_obj, next_token, token_ceiling;
	bool tokens_dirty;
	bool replayed; /* the journal has been read: from now on what changes is written */
	nsec_t wall;   /* what is to be added to a time to have the time of day */

	struct timers timers;
	struct timer keep_timer;

	const char *log_dir; /* where the logs of jobs lie that name none */
	nsec_t keep;         /* how long an exit status stays that nobody joined */
	uint32_t uid, gid;   /* the daemon's own */
	bool daemonic_children_allowed;
};
extern struct core core;

#define CORE_ID_MAX ((uint64_t)1 << 53) /* ids stay exact in a double */
#define CORE_ENDED_MAX 10000u           /* records nobody joined */
#define CORE_KNOWN_MAX 1000u            /* records that were joined, or superseded */
#define CORE_LEFT_MAX 64u               /* slots of the keeper's that only leftovers hold */

/* Without memory for a small thing the engine ends: the next one replays. */
static inline void must(bool ok)
{
	if (!ok)
		abort();
}

void core_init(const struct core_ops *, nsec_t now);
void core_done(void);
/* The jobs of TAB (which stays mapped): every instance `stopped`. Before the replay. 0, or -1 without memory. */
int core_jobs(const struct jobtab *tab);
/* One record of the journal back in; -1 for a body that cannot be. */
int core_load(enum journal_type, struct span body);
/* The keeper has told its whole table: settles what the old engine left half-done, and starts the jobs with autostart
 * of which the journal knows nothing. */
void core_synced(void);
/* Is there a change to be journaled? */
bool core_changed(void);
/* Adds a record; while the journal is read it is there already. */
void core_record(enum journal_type, const void *a, size_t na, const void *b, size_t nb);
/* Journals every change since the last call. */
void core_save(void);
/* Journals everything, for a compaction. */
void core_save_all(void);
/* There is or was a process with this id, which is never given again; -1: it cannot be one. */
int core_saw(uint64_t id);
/* 64 bits for jitter (xorshift; not for secrets). */
uint64_t core_random(void);

#endif
