/* SPDX-License-Identifier: MIT */
/*
 * The journal: a memfd of the keeper's, mapped here. A record is {length, CRC32C, type} and a body; what is added in
 * a turn becomes part of the journal at once, at journal_commit(), by one store of the tail. So a killed engine leaves
 * whole turns, and nothing is sent to anybody before the turn it belongs to is committed.
 *
 * Records are upserts of whole entities: replay is in order, later ones win. Compaction writes every living entity
 * into another memfd, which is handed to the keeper; a message that was sent has arrived, so from then on only this
 * one is written. The file grows by fallocate: no memory is an error here and not a SIGBUS.
 */
#ifndef MPD_JOURNAL_H
#define MPD_JOURNAL_H

#include "common/buf.h"

enum journal_type {
	JOURNAL_META = 1,    /* the ceiling of ids */
	JOURNAL_PROC,        /* struct proc_image */
	JOURNAL_TEXT,        /* of a process: its name, argv, cwd */
	JOURNAL_FORGET,      /* id */
	JOURNAL_JOB,         /* struct inst_image */
	JOURNAL_ANSWER,      /* answers.h */
	JOURNAL_OUT,         /* a link message that must arrive once */
	JOURNAL_OWNER,       /* struct owner_image */
	JOURNAL_OWNER_GONE,  /* id */
	JOURNAL_OBJECT,      /* struct obj_image, the key, the class's image */
	JOURNAL_OBJECT_GONE, /* id: its holds and parts are gone with it */
	JOURNAL_HOLD,        /* struct hold_image and the tag */
	JOURNAL_HOLD_GONE,   /* token */
	JOURNAL_PART,        /* id of an object, and what its class has said */
	JOURNAL_TOKENS,      /* the next token, object, owner */
};

struct journal_stats {
	uint64_t bytes, records, dropped, compactions, failed;
};

/* Maps the journal FD (empty: begins it) and calls EACH with every committed record. A record with a wrong checksum
 * is dropped and counted; a torn or impossible length ends the replay. EACH returns -1 for a body it cannot read,
 * which counts as dropped. Returns 0, or -1 with errno. */
int journal_open(int fd, int (*each)(enum journal_type, struct span body, void *arg), void *arg);
void journal_close(void);
/* Adds a record to this turn. Without memory the turn is marked failed. */
void journal_add(enum journal_type, const void *body, size_t n);
/* As two parts. */
void journal_add2(enum journal_type, const void *a, size_t na, const void *b, size_t nb);
/* Makes this turn's records count. 0, or -1: it could not be written; nothing of this turn may be told to anybody. */
int journal_commit(void);
/* Whether most of it is out of date. */
bool journal_bloated(void);
/* Writes a new journal with what SAVE adds (by journal_add) and hands it to GIVE, which returns 0 when it has arrived
 * with the keeper; else the old one goes on. */
int journal_compact(void (*save)(void), int (*give)(int fd));
const struct journal_stats *journal_stats(void);

#endif
