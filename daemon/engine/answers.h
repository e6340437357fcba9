/* SPDX-License-Identifier: MIT */
/*
 * What was answered to requests that must not be done twice (API_ONCE), per (uid, session, id): after an engine's
 * death a client sends again what it has no answer to, and gets the recorded one. The last ANSWERS_PER_SESSION of a
 * session are kept, ANSWERS_KEEP after the newest of them.
 */
#ifndef MPD_ANSWERS_H
#define MPD_ANSWERS_H

#include "common/buf.h"
#include <sys/types.h>

#define ANSWERS_PER_SESSION 64
#define ANSWERS_SESSIONS_MAX 4096
#define ANSWERS_KEEP (60 * NSEC_PER_SEC)

/* The reply (a whole JSON object without newline) to ID (raw JSON), or false. Empty: it was accepted and not answered
 * yet. Valid until the next call. */
bool answers_find(uid_t, const uint8_t session[16], struct span id, struct span *ret_reply);
/* Records it here and in the journal (one JOURNAL_ANSWER record, in this turn's transaction). */
void answers_put(uid_t, const uint8_t session[16], struct span id, struct span reply, nsec_t now);
/* The journal's side: a record's body back in; everything out again for a compaction. Total: a bad body is -1. */
int answers_load(struct span body, nsec_t now);
void answers_save(nsec_t now);
/* Forgets what is over ANSWERS_KEEP. */
void answers_tick(nsec_t now);

#endif
