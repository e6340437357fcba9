/* SPDX-License-Identifier: MIT */
/*
 * Objects: what has a name and is no process. Names, rights, holds, idle removal and the journal are here, once for
 * all; a kind of object supplies a class, and its verbs in a file of its own.
 *
 * 1. One name, one object, whatever its kind. An object has an id (its incarnation) that is never given again.
 * 2. What must outlive an engine is the object's image, its holds, and what its class journals beside; all of it is in
 *    the journal before anybody is told (obj_dirty, hold_dirty, the class's own records).
 * 3. A deleted object ends its wants first, then its holds; it is freed at the end of the turn.
 */
#ifndef MPD_OBJ_H
#define MPD_OBJ_H

#include "daemon/engine/core/want.h"

#define OBJ_NAME_MAX 128
#define OBJ_PER_UID 10000     /* of users who are not admins */
#define WANTS_PER_UID 16384   /* the same */
#define OBJ_SYSTEM UINT32_MAX /* the scope of /x */

/* In the journal: never renumbered. */
enum obj_kind {
	KIND_ANY,
	KIND_LOCK,
	KIND_RLOCK,
	KIND_SEMAPHORE,
	KIND_EVENT,
	KIND_CONDITION,
	KIND_BARRIER,
	KIND_QUEUE,
	KIND_PIPE,
	KIND_VALUE,
	KIND_ARRAY,
	KIND_DICT,
	KIND_LIST,
	KIND_NAMESPACE,
	KIND_COUNT
};

enum right { RIGHT_CONTROL = 1, RIGHT_USE = 2, RIGHT_LOOK = 4 };

/* Who asks. */
struct asker {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t ngroups;
	bool admin;
};

/* What every create can say. */
struct make {
	bool exist_ok;
	bool has_mode;
	uint16_t mode;
	bool has_group;
	gid_t group;
	nsec_t ttl_idle; /* 0: none */
};

struct obj_image { /* followed by the key, then by the class's image */
	uint64_t id;
	nsec_t created, ttl_idle;
	uint32_t uid, gid;
	uint16_t mode;
	uint16_t kind;
	uint32_t nkey;
};

struct obj {
	const struct class *class;
	uint64_t id;
	uint32_t uid, gid;
	uint16_t mode;
	bool deleted;
	nsec_t created, ttl_idle;
	struct span key; /* scope (4 bytes: a uid, or OBJ_SYSTEM) and name, owned */
	struct list by_all, dirty;
	struct list holds; /* struct hold.by_obj, oldest first */
	struct list wants; /* struct want.by_obj, oldest first */
	size_t nholds, nwants;
	struct timer idle;
};

/* One owner's claim on one object. The token is its identity: greater than all before, in the journal, for ever. */
struct hold {
	struct obj *obj;
	struct thread *thread;
	struct list by_thread, by_obj, dirty;
	struct grant grant;
	uint64_t token;
	nsec_t since;
	uint32_t count;  /* depth, permits */
	uint32_t unsure; /* how much of it nobody may have read of */
	uint32_t role;   /* the class's */
	bool saved;      /* the journal has it */
	bool inside;     /* lies in something of its object's, which journals and frees it */
};

/* Something of an object's that is journaled beside it, by SAVE, at the end of the turn in which it became dirty. */
struct part {
	struct list dirty;
	void (*save)(struct part *);
};
void part_dirty(struct part *);

struct class
{
	enum obj_kind kind;
	const char *name;
	size_t size; /* of its struct, which begins with struct obj */
	int deleted; /* the fault that who waits is told when it is removed; 0: DELETED */
	/* A new one in its default shape; members are zero. NULL: nothing to do. */
	void (*init)(struct obj *);
	/* Frees what it has beside itself. NULL: nothing. */
	void (*done)(struct obj *);
	/* It was deleted, and its wants have ended with the fault; its holds have not yet. NULL: nothing to do. */
	void (*removed)(struct obj *, const struct fault *);
	/* HOW's owner died and had H; grants nothing itself, touches. H is off its thread's list already; the class
	 * ends it by hold_end(), or keeps it (owner_death = keep) by doing nothing: it then has no thread. */
	void (*revoke)(struct hold *, const struct death *how);
	/* H's last H->unsure counts were never read of. NULL: revoked with no word. */
	void (*undo)(struct hold *, bool certain);
	/* Has it anything in it that `delete` must not lose? NULL: no. */
	bool (*busy)(const struct obj *);
	/* Its image, after the common one: put, and taken back. Total: -1 for a body that cannot be. NULL: none. */
	void (*save)(const struct obj *, struct buf *);
	int (*load)(struct obj *, struct span image);
	/* A hold came back from the journal (for the first time, or with another count); or it went again, and is freed
	 * after it. NULL: it can have none. */
	void (*load_hold)(struct hold *);
	void (*drop_hold)(struct hold *);
	/* What it journals beside (JOURNAL_PART records): all of it, for a compaction; and one taken back. */
	void (*save_parts)(struct obj *);
	int (*load_part)(struct obj *, struct span body);
	/* After the replay: what an engine's death has done to it. */
	void (*synced)(struct obj *);
	/* Its mutex. NULL: it has none. */
	struct mutex *(*mutex)(const struct obj *);
	/* Members of its "state", JSON without braces; and a few words for lists, "held by pid 7". */
	void (*describe)(const struct obj *, struct buf *);
	void (*summary)(const struct obj *, struct buf *);
};
/* By kind; each is defined in its primitive's file. */
extern const struct class *const classes[KIND_COUNT];
extern const struct class lock_class, rlock_class, sem_class, event_class, cond_class, barrier_class, queue_class,
	pipe_class, value_class, array_class, dict_class, list_class, namespace_class;
enum obj_kind obj_kind_of(struct span name); /* KIND_ANY: none of that name */

/* The object ASKER means by NAME, with at least the RIGHTS (enum right, or'ed) and of that kind. NOT_FOUND, DENIED,
 * WRONG_KIND, PARAMS. */
int obj_find(const struct asker *, struct span name, enum obj_kind, unsigned rights, struct obj **ret, struct fault *);
/* Makes it, in the class's default shape: the caller then shapes it and calls obj_dirty(). EXISTS is the caller's to
 * look for, by obj_find_made(). QUOTA, DENIED, PARAMS. */
int obj_new(const struct asker *, struct span name, enum obj_kind, const struct make *, struct obj **ret,
	    struct fault *);
/* For a create: the object that NAME would make, if it is there: *RET, else *RET is NULL. EXISTS unless exist_ok, then
 * WRONG_KIND for another kind. */
int obj_find_made(const struct asker *, struct span name, enum obj_kind, const struct make *, struct obj **ret,
		  struct fault *);
/* obj_find(), and obj_new() when it is not there and MAY_MAKE. *RET_MADE (may be NULL): it is new. */
int obj_get(const struct asker *, struct span name, enum obj_kind, bool may_make, struct obj **ret, bool *ret_made,
	    struct fault *);
bool obj_may(const struct asker *, const struct obj *, unsigned rights);
/* May he do anything with it? To others it is not there. */
bool obj_visible(const struct asker *, const struct obj *);
/* BUSY unless FORCE. */
int obj_delete(struct obj *, bool force, struct fault *);
/* Its image has changed. */
void obj_dirty(struct obj *);
/* Something happened to it that may begin or end its idleness. */
void obj_used(struct obj *);
struct obj *obj_by_id(uint64_t id);
/* Its name as UID writes it: x, ~7/x, /x. Valid until the fourth call after. */
const char *obj_name(const struct obj *, uid_t uid);
/* For a fault: the name as its owner writes it. */
const char *obj_said(const struct obj *);
/* Adds a record of the class's own to the journal (JOURNAL_PART: the object's id, then A, then B). */
void obj_part(struct obj *, const void *a, size_t na, struct span b);
/* {"name":...}: object.list's row; object.info's answer. */
void obj_put_row(struct buf *, const struct obj *, uid_t asking);
void obj_put_info(struct buf *, const struct obj *, uid_t asking);

/* A hold on O, with a new token; on O's and T's lists, and journaled. */
struct hold *hold_new(struct obj *, struct thread *, uint32_t count);
/* The same in memory of the caller's (an item's), who journals it. TOKEN 0: a new one. T may be NULL. */
void hold_begin(struct hold *, struct obj *, struct thread *, uint32_t count, uint64_t token);
/* It goes; freed where it came from hold_new(). */
void hold_end(struct hold *);
void hold_dirty(struct hold *);
/* W is granted H, of which COUNT is new: unsure until it has been read. */
void hold_grant(struct hold *, struct want *, uint32_t count);
/* The first hold of T on O; NULL: none. */
struct hold *hold_find(const struct obj *, const struct thread *);
/* A number that was never a token before. */
uint64_t token_new(void);

/* TEXT ({"lock": NAME, "token": T}, raw; {NULL, 0}: none): 0 while that lock is held with that token, else STALE_TOKEN.
 */
int fence_check(const struct asker *, struct span text, struct fence *ret, struct fault *);
/* The same later: for who has waited meanwhile. */
int fence_still(const struct fence *, struct fault *);

/* The journal's side. */
int obj_load(struct span body);
int obj_load_gone(struct span body);
int obj_load_part(struct span body);
int hold_load(struct span body);
int hold_load_gone(struct span body);
int tokens_load(struct span body);
void objs_save(void);     /* what has changed in this turn */
void objs_save_all(void); /* everything, for a compaction */
void objs_synced(void);
void objs_done(void);

#endif
