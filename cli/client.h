/* SPDX-License-Identifier: MIT */
/*
 * The connection to mpd: made at the first request, made again when the engine dies.
 *
 * 1. A call stays open until its answer is there; after a reconnect every open call is sent again, under the same id in
 *    the same session, so that the daemon does nothing twice.
 * 2. Descriptors of a call belong to the caller, who keeps them open as long as the call is.
 * 3. What cannot be reached, or not again within CLIENT_PATIENCE, ends the program with STATUS_UNREACHABLE.
 */
#ifndef MPCTL_CLIENT_H
#define MPCTL_CLIENT_H

#include "cli/cli.h"
#include "common/frame.h"
#include "common/list.h"

#define CLIENT_PATIENCE (5 * NSEC_PER_SEC)
#define CLIENT_FDS_MAX 4

struct call {
	struct list by_client;
	uint64_t id;
	const struct api_cmd *cmd;
	struct buf line; /* as sent, with its newline, and the raw bytes behind it */
	int fds[CLIENT_FDS_MAX];
	size_t nfds;
	bool answered;
	bool standing; /* answered or not, it is sent again after a reconnect: a subscription */
	bool posted;   /* nobody waits for it: dropped when it is answered */
	struct buf answer;
	struct span result, error; /* views of `answer`; one of them */
	struct buf raw;            /* the answer's raw bytes */
};

struct client {
	const char *path;
	int fd; /* -1: not connected */
	struct frame in;
	uint64_t last_id;
	struct list calls;                 /* struct call.by_client, in the order they were sent */
	struct buf held;                   /* lines not sent yet */
	bool hold;                         /* between client_hold() and client_flush() */
	char session[33];                  /* hex; "": none yet */
	nsec_t lost;                       /* when the connection was lost; 0: not */
	unsigned tries;                    /* to get it back */
	void (*event)(struct span params); /* a notification; NULL: ignored */
};

/* The socket that is meant: SOCKET, else the environment's, else the user's daemon, else the system's. */
const char *client_path(const char *socket);
void client_init(struct client *, const char *path);
void client_done(struct client *);

/* Sends; MEMBERS is JSON without braces. The call belongs to the client; drop it, or leave it to client_done(). */
struct call *client_send(struct client *, enum api_id, const struct buf *members, const int *fds, size_t nfds);
/* The same with raw bytes behind the line. */
struct call *client_send_raw(struct client *, enum api_id, const struct buf *members, struct span bytes);
/* From the first on, what is sent is collected; the second sends it in one write. */
void client_hold(struct client *);
void client_flush(struct client *);
/* Sends what nobody waits for. */
void client_post(struct client *, enum api_id, const struct buf *members);
void client_drop(struct call *);
/* One read: takes the lines that have come. Blocks until there are some; reconnects. */
void client_read(struct client *);
/* Waits for the answer, at most MS milliseconds (-1: for ever). False: it has not come. */
bool client_wait(struct client *, struct call *, int ms);
/* The result; an error answer ends the program as call_die() does. Valid until the call is dropped. */
struct span client_result(struct client *, struct call *);
/* client_send() and client_result() at once. */
struct span client_call(struct client *, enum api_id, const struct buf *members);

/* Says the error of an answered call. Returns its exit status. */
int call_complain(const struct call *);
/* Whether it was answered with this error. */
bool call_failed_with(const struct call *, enum fault_code);

#endif
