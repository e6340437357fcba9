/* SPDX-License-Identifier: MIT */
/*
 * The engine's end of the link to the keeper. What is sent is queued and goes out at the end of the turn, after the
 * journal; neither end ever waits for the other.
 *
 * Signals must arrive exactly once: they are journaled with their number, and the keeper says which it has seen last.
 */
#ifndef MPD_KEEPERLINK_H
#define MPD_KEEPERLINK_H

#include "common/buf.h"
#include "daemon/link.h"

/* HANDLE is called with each message; the descriptors (-1 past NFDS) are its to close. GONE: the keeper has ended. */
void link_init(int fd, void (*handle)(const struct link_msg *, int *fds, size_t nfds), void (*gone)(void));
/* Queues a copy of the message and takes the descriptors. Sets its number. */
void link_send(const struct link_msg *, const int *fds, size_t nfds);
/* The same for what must arrive exactly once. */
void link_send_once(const struct link_msg *);
/* Sends one at once, ahead of the queue and without a number: 0, or -1 when it cannot be now. For the journal's
 * hand-over. */
int link_send_now(const struct link_msg *, int fd);
void link_flush(void);
/* A JOURNAL_OUT record back in; after the replay and SYNCED, what the keeper has not seen goes out again. */
int link_load(struct span body);
void link_synced(uint64_t keeper_seen);
/* Journals what is queued and must arrive once, for a compaction. */
void link_save(void);

#endif
