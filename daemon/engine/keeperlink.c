/* SPDX-License-Identifier: MIT */
/*
 * The link's queue. Invariants:
 * 1. Messages leave in the order of their numbers.
 * 2. A queued message owns its descriptors; they are closed once it was sent (the kernel has its own references).
 */
#include "daemon/engine/keeperlink.h"
#include "common/list.h"
#include "common/log.h"
#include "daemon/engine/journal.h"
#include "daemon/engine/loop.h"
#include <sys/socket.h>
#include <sys/uio.h>

struct out {
	struct list queue;
	struct link_msg msg;
	int fds[LINK_FDS_MAX];
	size_t nfds;
	bool once;
};

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
};

static struct loop_io io;
static struct list queue = LIST_INIT(queue);
static struct list replayed = LIST_INIT(replayed); /* out of the journal, until SYNCED */
static uint64_t last_seq;
static bool synced; /* the numbers are known: before, nothing is sent or journaled */
static void (*on_message)(const struct link_msg *, int *fds, size_t nfds);
static void (*on_gone)(void);

static ssize_t send_one(const struct link_msg *msg, const int *fds, size_t nfds)
{
	union control control = {0};
	struct iovec iov = {(void *)(uintptr_t)msg, sizeof(*msg)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	if (nfds) {
		mh.msg_control = control.space;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	return RETRY(sendmsg(io.fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static ssize_t receive_one(struct link_msg *msg, int *fds, size_t *nfds)
{
	union control control;
	struct iovec iov = {msg, sizeof(*msg)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.space,
			    .msg_controllen = sizeof(control.space)};
	ssize_t n = RETRY(recvmsg(io.fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
	*nfds = 0;
	if (n <= 0)
		return n;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		*nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(c), *nfds * sizeof(int));
	}
	if (mh.msg_flags &
	    MSG_CTRUNC) { /* nobody would read that process's output; the next engine is given it again */
		log_error("keeper link: out of descriptors; starting over");
		_exit(1);
	}
	return n;
}

static void out_free(struct out *o)
{
	for (size_t i = 0; i < o->nfds; i++)
		close(o->fds[i]);
	free(o);
}

static struct out *out_new(const struct link_msg *msg, const int *fds, size_t nfds, bool once)
{
	struct out *o = calloc(1, sizeof(*o));
	if (!o)
		abort(); /* no memory for a small thing: the next engine replays */
	o->msg = *msg;
	o->once = once;
	o->nfds = nfds;
	for (size_t i = 0; i < nfds; i++)
		o->fds[i] = fds[i];
	return o;
}

static void out_queue(struct out *o)
{
	o->msg.seq = ++last_seq;
	if (o->once && synced)
		journal_add(JOURNAL_OUT, &o->msg, sizeof(o->msg));
	list_push(&queue, &o->queue);
}

void link_send(const struct link_msg *msg, const int *fds, size_t nfds) { out_queue(out_new(msg, fds, nfds, false)); }
void link_send_once(const struct link_msg *msg) { out_queue(out_new(msg, NULL, 0, true)); }

/* Ahead of the queue, and without a number: what is queued belongs to a turn that only this journal holds. */
int link_send_now(const struct link_msg *msg, int fd) { return send_one(msg, &fd, 1) == sizeof(*msg) ? 0 : -1; }

void link_flush(void)
{
	while (!list_empty(&queue)) {
		struct out *o = LIST_ENTRY(queue.next, struct out, queue);
		if (send_one(&o->msg, o->fds, o->nfds) < 0) {
			if (errno != EAGAIN && errno != ETOOMANYREFS)
				log_error("keeper link: %m");
			break;
		}
		list_del(&o->queue);
		out_free(o);
	}
	loop_io_events(&io, LOOP_READ | (list_empty(&queue) ? 0 : LOOP_WRITE));
}

static void link_ready(struct loop_io *unused, unsigned events)
{
	(void)unused;
	if (!(events & LOOP_READ))
		return;
	/* A bound, so that ten thousand exits at once leave room for the rest. */
	for (int turn = 0; turn < 512; turn++) {
		struct link_msg msg;
		int fds[LINK_FDS_MAX] = {-1, -1, -1, -1, -1, -1};
		size_t nfds;
		ssize_t n = receive_one(&msg, fds, &nfds);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			on_gone();
			return;
		}
		if (n == sizeof(msg))
			on_message(&msg, fds, nfds);
	}
}

void link_init(int fd, void (*handle)(const struct link_msg *, int *fds, size_t nfds), void (*gone)(void))
{
	on_message = handle;
	on_gone = gone;
	loop_io_start(&io, fd, LOOP_READ, link_ready);
}

int link_load(struct span body)
{
	struct link_msg msg;
	if (body.n != sizeof(msg))
		return -1;
	memcpy(&msg, body.p, sizeof(msg));
	if (msg.type != LINK_SIGNAL)
		return -1;
	list_push(&replayed, &out_new(&msg, NULL, 0, true)->queue);
	last_seq = MAX(last_seq, msg.seq);
	return 0;
}

/* What was queued while the keeper told its table was numbered before the numbers were known: it gets its numbers now,
 * behind what the engine before had sent in vain. */
void link_synced(uint64_t keeper_seen)
{
	struct list *n, early = LIST_INIT(early);
	synced = true;
	last_seq = MAX(last_seq, keeper_seen);
	while ((n = list_shift(&queue)))
		list_push(&early, n);
	while ((n = list_shift(&replayed))) {
		struct out *o = LIST_ENTRY(n, struct out, queue);
		if (o->msg.seq > keeper_seen)
			list_push(&queue, &o->queue);
		else
			out_free(o);
	}
	while ((n = list_shift(&early)))
		out_queue(LIST_ENTRY(n, struct out, queue));
}

void link_save(void)
{
	struct out *o;
	LIST_EACH (o, &queue, queue)
		if (o->once)
			journal_add(JOURNAL_OUT, &o->msg, sizeof(o->msg));
}
