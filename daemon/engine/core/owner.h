/* SPDX-License-Identifier: MIT */
/*
 * Owners: who would be left holding something if it died. An owner wants things (want.h) and has things (holds,
 * obj.h); both through one of its threads, which a client names by a tag.
 *
 * 1. A connection's owner ends with the last of its connections, or with the process at the other end; a process's
 *    owner with that process. The shell tells of both ends; owner_die() is all that happens then.
 * 2. Who dies is marked first, so that nothing is granted to it; then its wants end, then its holds are revoked, which
 *    only changes and touches the objects: the pump serves them.
 * 3. A grant is unsure until its answer has been read. What was never read is undone: as if it had not been granted.
 * 4. An owner without wants, holds and connections is forgotten.
 */
#ifndef MPD_OWNER_H
#define MPD_OWNER_H

#include "common/buf.h"
#include "common/fault.h"
#include "common/list.h"
#include "daemon/engine/core/timer.h"
#include <sys/types.h>

#define OWNER_TAG_MAX 64
#define OWNER_GRACE (5 * NSEC_PER_SEC) /* how long a session's owner waits for its client after an engine's death */

enum owner_kind { OWNER_CONN = 1, OWNER_PROCESS, OWNER_LEASE };

struct owner_image {
	uint64_t id;
	int64_t start; /* of the process, in clock ticks since boot: with its pid, who it is */
	int32_t pid;
	uint32_t uid;
	uint8_t kind; /* enum owner_kind */
	uint8_t has_session;
	uint8_t session[16];
	char client[38]; /* what it calls itself, NUL-terminated; or "" */
};

/* One flow of control within an owner. */
struct thread {
	struct owner *owner;
	struct list by_owner;
	struct list by_idle; /* to be looked at when the turn ends */
	struct list wants;   /* struct want.by_thread */
	struct list has;     /* struct hold.by_thread, oldest first */
	size_t ntag;
	char tag[];
};

struct owner {
	struct owner_image i;
	bool dying;
	bool saved;          /* the journal has it */
	unsigned channels;   /* that it has, or that remember it */
	struct list threads; /* struct thread.by_owner; the one without a tag first */
	struct list by_all;
	struct list by_pid; /* a ring of those of the same pid */
	struct timer grace; /* until it ends unless its client comes back */
	void *watch;        /* the shell's, over its process */
};

/* How an owner ended, as far as is known. Part of what is journaled. */
struct death {
	nsec_t at;
	int32_t pid;
	int32_t status;   /* exit status or signal */
	uint8_t how;      /* enum death_how */
	uint8_t kind;     /* enum owner_kind */
	char process[38]; /* its name among mpd's processes, or "" */
	char tag[24];     /* cut */
};
enum death_how { DEATH_UNKNOWN, DEATH_EXIT, DEATH_SIGNAL };

struct grant;
struct grant_ops {
	/* CERTAIN: nobody can have read it; else somebody may. */
	void (*undo)(struct grant *, bool certain);
	void (*confirm)(struct grant *);
};
/* A granted thing whose answer may not have been read. */
struct grant {
	const struct grant_ops *ops;
	struct channel *channel; /* NULL: it is sure */
	struct list by_channel;
	uint64_t line; /* which of the channel's its answer is; 0: one that another engine wrote */
};

/* A connection, as the core sees it. In order: grants are fresh until their answers are written, then sent until it is
 * known that all that was written has been read. */
struct channel {
	struct owner_image self; /* who is at the other end; the session once it has said it */
	struct owner *owner;     /* the connection's own, once there is something to own; NULL */
	struct owner *process;   /* the peer's process, once it was asked for; NULL */
	struct list fresh, sent; /* struct grant.by_channel, oldest first */
	/* Lines of any kind, ever: put into its buffer; written to the end; known to have been read. */
	uint64_t lines, written, read;
	bool cut; /* of lines that are not written to the end some bytes are */
};

void channel_init(struct channel *, pid_t, uid_t);
/* It has said its session: an owner that waits for it is its own again. */
void channel_session(struct channel *, const uint8_t session[16]);
/* What it calls itself, for others to read; cut where it is long. */
void channel_name(struct channel *, struct span name);
/* A line was put into its buffer. */
static inline void channel_answered(struct channel *ch) { ch->lines++; }
/* Does the line that is put into its buffer next tell of a grant? */
bool channel_grants(const struct channel *);
/* G's answer is being put into its buffer. */
void channel_grant(struct channel *, struct grant *);
/* Whether it is worth asking the kernel if all was read. */
static inline bool channel_unsure(const struct channel *ch) { return !list_empty(&ch->sent); }
/* Of what was put into its buffer some has been written. */
static inline void channel_cut(struct channel *ch) { ch->cut = true; }
/* What was put into its buffer has been written, to the end. */
void channel_wrote(struct channel *);
/* All that was written to it was read. */
void channel_read(struct channel *);
/* Asks whether all was read: for who is about to be refused because of what may have been. */
void channel_settle(struct channel *);
/* It is gone. ALL_READ: and had read all that was written; CUT: of what is in its buffer some was written. */
void channel_gone(struct channel *, bool all_read, bool cut);

/* Nothing to be undone any more; may be called on one that is sure. */
void grant_sure(struct grant *);

/* Whose is WHO (0: the connection's own; a pid otherwise: that process's), which must not be dying. The pid is the
 * caller's to check. 0, or LOST when that process is not there (any more). */
int owner_find(struct channel *, pid_t who, struct owner **ret, struct fault *);
/* Its thread of that tag, made when it is not there; NULL without memory. */
struct thread *owner_thread(struct owner *, struct span tag);
/* The first of the owners of PID; NULL: none. Those of one pid are a ring. */
struct owner *owner_by_pid(pid_t);
struct owner *owner_next(const struct owner *);
/* Its end. */
void owner_die(struct owner *);
/* Forgets it if there is no reason to know it any more. */
void owner_unused(struct owner *);
/* A thread that neither wants nor has anything goes when the turn ends, and its owner when that was its last: not
 * before, for many that let go of something hold on to the thread. */
void thread_unused(struct thread *);
void owners_reap(void);
/* Who it is, and how its process has ended, if it has. */
void thread_death(const struct thread *, struct death *ret);

/* {"owner":"process","pid":12,"process":"seller","tag":"t"}: who, for answers and errors. */
void who_put(struct buf *, const struct thread *);
/* The same of a dead one, with how it ended. */
void death_put(struct buf *, const struct death *);
/* "pid 12 (seller)", for sentences. */
void who_say(struct buf *, const struct thread *);

/* The journal's side. */
int owner_load(struct span body);
int owner_load_gone(struct span body);
struct owner *owner_by_id(uint64_t id);
void owner_save(struct owner *);
/* At the end of a turn: those that are forgotten. */
void owners_save_gone(void);
/* After the replay: who is gone ends; a session's client gets OWNER_GRACE to come back. */
void owners_synced(void);
void owners_done(void);

#endif
