/* SPDX-License-Identifier: MIT */
/*
 * The link to the engine: what it asks for is done, what has happened is told.
 *
 * 1. What is to be told is a few bits in a slot or in `news`, not a message in a buffer: it needs no memory, it is
 *    told in the order of the bits, and it survives a full socket as well as the engine.
 * 2. SYNCED is sent when no slot has anything left to tell.
 * 3. The descriptors of a message are closed after it was done, but those that were taken.
 */
#include "daemon/keeper/keeper.h"
#include <sys/epoll.h>
#include <sys/socket.h>

enum { SEND_BUFFER = 1 << 20, TURN_MESSAGES = 64 };

static struct {
	uint32_t first, last; /* slots to tell, linked by next_told */
	unsigned news;        /* enum link_news */
	uint64_t seq;         /* the last that was seen */
	bool full;            /* EPOLLOUT is waited for */
} told = {.first = SLOT_NONE, .last = SLOT_NONE};

int link_open(void)
{
	int ends[2], size = SEND_BUFFER;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	for (int i = 0; i < 2; i++)
		if (setsockopt(ends[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
			setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	engine.link = ends[0];
	told.full = false;
	if (keeper_watch(ends[0], EPOLLIN, EVENT_LINK, 0) < 0) {
		close(ends[1]);
		link_close();
		return -1;
	}
	return ends[1];
}

void link_close(void)
{
	if (engine.link >= 0)
		close(fd_take(&engine.link));
}

/* --- telling -------------------------------------------------------------------------------------------------- */

static bool link_send(const struct link_msg *msg, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)msg, sizeof(*msg)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	if (nfds > 0) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		*CMSG_FIRSTHDR(&header) = (struct cmsghdr){CMSG_LEN(nfds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), fds, nfds * sizeof(int));
	}
	if (sendmsg(engine.link, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
		engine_expect();
		return true;
	}
	if (errno == EAGAIN) {
		told.full = true;
		keeper_watch(engine.link, EPOLLIN | EPOLLOUT, EVENT_LINK, 0);
	} else if (errno != EPIPE && errno != ECONNRESET) {
		keeper_due_in(DUE_TELL, 10 * NSEC_PER_MS); /* no memory, or too many descriptors on their way */
	}
	return false;
}

static struct link_msg msg_of(const struct slot *s, enum link_type type)
{
	return (struct link_msg){.type = type, .slot = slot_index(s), .id = s->id};
}

static bool tell_started(const struct slot *s)
{
	struct link_msg m = msg_of(s, LINK_STARTED);
	int fds[2];
	size_t n = 0;
	for (int i = 0; i < 2; i++) {
		if (s->pipe[i] < 0)
			continue;
		m.started.has |= i == 0 ? STARTED_HAS_STDOUT : STARTED_HAS_STDERR;
		fds[n++] = s->pipe[i];
	}
	m.started.pid = s->pid;
	m.started.uid = s->uid;
	m.started.gid = s->gid;
	m.started.start = s->start;
	return link_send(&m, fds, n);
}

static bool tell_state(const struct slot *s)
{
	struct link_msg m = msg_of(s, s->state == SLOT_FAILED ? LINK_FAILED : LINK_EXITED);
	if (s->state == SLOT_FAILED) {
		m.failed.step = s->code;
		m.failed.error = s->status;
		return link_send(&m, NULL, 0);
	}
	m.exited.pid = s->pid;
	m.exited.code = s->code;
	m.exited.status = s->status;
	m.exited.leftover = s->leftover;
	m.exited.start = s->start;
	m.exited.end = s->end;
	m.exited.user = s->user;
	m.exited.system = s->system;
	m.exited.maxrss = s->maxrss;
	return link_send(&m, NULL, 0);
}

static bool tell_empty(const struct slot *s)
{
	struct link_msg m = msg_of(s, LINK_TREE_EMPTY);
	return link_send(&m, NULL, 0);
}

static bool tell_slot(struct slot *s)
{
	static bool (*const tell[])(const struct slot *) = {tell_started, tell_state, tell_empty};
	for (unsigned i = 0; i < ARRAY_LEN(tell); i++) {
		if (!(s->flags & 1u << i))
			continue;
		if (!tell[i](s))
			return false;
		s->flags &= (uint16_t) ~(1u << i);
	}
	return true;
}

static bool tell_synced(void)
{
	struct link_msg m = {.type = LINK_SYNCED};
	m.synced.seq = told.seq;
	m.synced.engines = engine.count;
	m.synced.slots = keeper.slots;
	m.synced.cgroups = keeper.cgroup >= 0;
	m.synced.keeper_pid = keeper.pid;
	m.synced.keeper_start = keeper.start;
	return link_send(&m, NULL, 0);
}

static bool tell_stop(void) { return link_send(&(struct link_msg){.type = LINK_STOP}, NULL, 0); }

static bool tell_strays(void)
{
	struct link_msg m = {.type = LINK_STRAYS};
	m.strays.count = keeper.strays;
	return link_send(&m, NULL, 0);
}

static bool tell_news(void)
{
	static bool (*const tell[])(void) = {tell_synced, tell_stop, tell_strays};
	for (unsigned i = 0; i < ARRAY_LEN(tell); i++) {
		if (!(told.news & 1u << i))
			continue;
		if (!tell[i]())
			return false;
		told.news &= ~(1u << i);
	}
	return true;
}

void link_flush(void)
{
	if (engine.link < 0 || told.full)
		return;
	while (told.first != SLOT_NONE) {
		struct slot *s = slot_at(told.first);
		if (!tell_slot(s))
			return;
		told.first = s->next_told;
		s->flags &= (uint16_t)~SLOT_QUEUED;
	}
	tell_news();
}

void link_tell(struct slot *s, unsigned flags)
{
	s->flags |= (uint16_t)flags;
	if (s->flags & SLOT_QUEUED)
		return;
	s->flags |= SLOT_QUEUED;
	s->next_told = SLOT_NONE;
	if (told.first == SLOT_NONE)
		told.first = slot_index(s);
	else
		slot_at(told.last)->next_told = slot_index(s);
	told.last = slot_index(s);
}

void link_tell_news(unsigned news) { told.news |= news; }

void link_tell_all(void)
{
	static const unsigned flags[] = {
		[SLOT_FAILED] = TELL_STATE,
		[SLOT_RUNNING] = TELL_STARTED,
		[SLOT_EXITED] = TELL_STARTED | TELL_STATE,
	};
	for (struct slot *s = slot_next(NULL); s; s = slot_next(s))
		link_tell(s, flags[s->state]);
	link_tell_news(NEWS_SYNCED | (keeper.phase > PHASE_SERVING ? NEWS_STOP : 0) |
		       (keeper.strays ? NEWS_STRAYS : 0));
}

void link_failed(uint64_t id, enum spawn_step step, int error)
{
	struct link_msg m = {.type = LINK_FAILED, .slot = SLOT_NONE, .id = id};
	m.failed.step = step;
	m.failed.error = error;
	log_error("no slot is left, not even for a failure: process %llu", (unsigned long long)id);
	if (engine.link >= 0)
		link_send(&m, NULL, 0);
}

/* --- doing ---------------------------------------------------------------------------------------------------- */

struct request {
	struct link_msg msg;
	struct slot *slot; /* which msg.slot and msg.id name, or NULL */
	int fds[LINK_FDS_MAX];
	int nfds;
};

static void on_ready(struct request *r)
{
	(void)r;
	engine_ready();
}

static void on_spawn(struct request *r) { spawn_process(&r->msg, r->fds, r->nfds); }

static void on_signal(struct request *r)
{
	if (r->slot && r->msg.signal.signo >= 0 && r->msg.signal.signo < NSIG)
		tree_signal(r->slot, r->msg.signal.signo, (enum link_scope)r->msg.signal.scope);
}

static void on_kill_tree(struct request *r)
{
	if (r->slot && r->slot->state != SLOT_FAILED)
		tree_kill(r->slot);
}

static void on_release(struct request *r)
{
	if (r->slot && r->slot->state != SLOT_RUNNING)
		slot_free(r->slot);
}

static void on_journal(struct request *r)
{
	if (r->nfds == 1)
		engine_journal(fd_take(&r->fds[0]));
}

static void on_shutdown(struct request *r)
{
	(void)r;
	keeper_end();
}

static void (*const handlers[])(struct request *) = {
	[LINK_READY] = on_ready,         [LINK_SPAWN] = on_spawn,     [LINK_SIGNAL] = on_signal,
	[LINK_KILL_TREE] = on_kill_tree, [LINK_RELEASE] = on_release, [LINK_JOURNAL] = on_journal,
	[LINK_SHUTDOWN] = on_shutdown,
};

/* The length of the message, 0 at the end of the link, or -1 with errno. Extra descriptors cannot come: there is no
 * room for them. */
static ssize_t link_receive(struct request *r)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(LINK_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {&r->msg, sizeof(r->msg)};
	struct msghdr header = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n = RETRY(recvmsg(engine.link, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
	r->nfds = 0;
	if (n <= 0)
		return n;
	c = CMSG_FIRSTHDR(&header);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		r->nfds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(r->fds, CMSG_DATA(c), (size_t)r->nfds * sizeof(int));
	}
	return n;
}

static void link_do(struct request *r, ssize_t size)
{
	if (size != sizeof(r->msg) || r->msg.type >= ARRAY_LEN(handlers) || !handlers[r->msg.type]) {
		log_error("BUG: a message of %zd bytes, type %u, from the engine", size, r->msg.type);
		return;
	}
	told.seq = MAX(told.seq, r->msg.seq);
	r->slot = slot_find(r->msg.slot, r->msg.id);
	handlers[r->msg.type](r);
}

void link_read(int max)
{
	struct request r;
	for (int i = 0; i < max && engine.link >= 0; i++) {
		ssize_t size = link_receive(&r);
		if (size < 0)
			return;
		if (size == 0) { /* it is dead, or as good as; and all that it sent has been done */
			link_close();
			engine_kill();
			return;
		}
		link_do(&r, size);
		for (int n = 0; n < r.nfds; n++)
			if (r.fds[n] >= 0)
				close(r.fds[n]);
		link_flush();
	}
}

void link_event(uint32_t events)
{
	if (told.full && (events & EPOLLOUT)) {
		told.full = false;
		keeper_watch(engine.link, EPOLLIN, EVENT_LINK, 0);
	}
	link_read(TURN_MESSAGES);
}
