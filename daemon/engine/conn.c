/* SPDX-License-Identifier: MIT */
/*
 * The connections of conn.h.
 *
 * 1. One recvmsg() and one sendmsg() a connection and turn: nobody who floods or does not read holds up the others, and
 *    a hundred requests that came together are answered together. What is left is there in the next turn; and when a
 *    turn gets long (loop_late()), what has been read waits in line for the ones after it.
 * 2. conn_free() is called by the loop's callbacks only. Whoever finds out elsewhere that a connection is over puts it
 *    on the again list, which the next turn begins with.
 * 3. Whether a client has read what it was sent is known in two ways. While it lives, nothing is left in the socket
 *    (SIOCOUTQ). When it is gone the kernel has thrown away what was left, and says so, once, with ECONNRESET, to the
 *    first call that gets so far: hence SO_ERROR is never asked for, and the end is read for.
 * 4. Out of descriptors, a spare one is given up to accept, tell the client why, and close: so the listening socket
 *    does not stay readable, and the loop does not spin.
 */
#include "daemon/engine/conn.h"
#include "common/log.h"
#include "common/map.h"
#include "daemon/engine/attribute.h"
#include "daemon/engine/core/core.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/events.h"
#include "daemon/engine/rpc.h"
#include <assert.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ACCEPTS_A_TURN 64
#define ACCEPT_PAUSE (100 * NSEC_PER_MS)
#define READ_LEAST ((size_t)4 << 10) /* an idle connection keeps not much more than this */
#define READ_MOST ((size_t)68 << 10) /* 64 KiB of raw bytes and their line come at once */
#define PARTS_MAX 32                 /* of a write */
#define LINES_A_LOOK 4               /* after so many lines of one connection the clock is looked at */
#define OUT_KEEP ((size_t)16 << 10)
#define UID_OVERFLOW 65534 /* what has no number in our user namespace */

static struct {
	struct loop_io listen;
	int spare;
	nsec_t accept_at; /* when to accept again; 0: now */
	struct list all, dirty, again, stalled;
	size_t count;
	uint64_t last_id;
	struct map by_uid; /* how many connections, as the pointer's value; users with a limit only */
} conns = {.spare = -1};

size_t conns_count(void) { return conns.count; }

/* --- descriptors that came along --------------------------------------------------------------------------------- */

/* Where the next line begins in the stream. */
static uint64_t next_line(const struct conn *c) { return c->taken - frame_held(&c->in); }

static void loose_shift(struct conn *c, size_t n)
{
	c->nloose -= n;
	memmove(c->loose, c->loose + n, c->nloose * sizeof(c->loose[0]));
}

/* Closes those that came with lines which have been dealt with. */
static void loose_expire(struct conn *c, uint64_t at)
{
	size_t n = 0;
	while (n < c->nloose && c->loose[n].until <= at)
		close(c->loose[n++].fd);
	if (n > 0)
		loose_shift(c, n);
}

int conn_claim(struct conn *c, size_t n, int *ret_fds)
{
	if (n > c->nloose)
		return -1;
	for (size_t i = 0; i < n; i++)
		ret_fds[i] = c->loose[i].fd;
	loose_shift(c, n);
	return 0;
}

/* Takes what came with the message; false: it was more than a connection may have. A message that is received ends
 * with the bytes that descriptors came with, so these belong to a line that begins before its end. */
static bool loose_take(struct conn *c, struct msghdr *m, uint64_t until)
{
	bool room = !(m->msg_flags & MSG_CTRUNC); /* else the kernel has closed the rest */
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(m); cm; cm = CMSG_NXTHDR(m, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at + sizeof(int) <= cm->cmsg_len; at += sizeof(int)) {
			int fd;
			memcpy(&fd, (char *)cm + at, sizeof(fd));
			if (c->nloose < CONN_FDS_MAX) {
				c->loose[c->nloose++] = (struct loose_fd){fd, until};
			} else {
				close(fd);
				room = false;
			}
		}
	}
	return room;
}

/* --- descriptors that go out -------------------------------------------------------------------------------------- */

/* The N oldest are sent, or nobody's any more. */
static void due_drop(struct conn *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(c->due[i].fd);
	c->ndue -= n;
	if (c->ndue > 0)
		memmove(c->due, c->due + n, c->ndue * sizeof(c->due[0]));
}

void conn_give(struct conn *c, size_t at, const int *fds, size_t n)
{
	if (n > 0 && !c->due && !(c->due = malloc(CONN_DUE_MAX * sizeof(c->due[0]))))
		c->out.failed = true;
	assert(c->ndue + n <= CONN_DUE_MAX);
	for (size_t i = 0; i < n; i++) {
		if (c->due)
			c->due[c->ndue++] = (struct due_fd){fds[i], c->written + at - c->out_at};
		else
			close(fds[i]);
	}
}

/* --- bytes that go out from where they lie ------------------------------------------------------------------------ */

static void ref_free(struct conn *c, struct due_ref *ref)
{
	list_del(&ref->by_conn);
	c->refs_unread -= ref->left.n;
	ref->release(ref->arg);
	free(ref);
}

void conn_refer(struct conn *c, struct span bytes, void (*release)(void *), void *arg)
{
	struct due_ref *ref = malloc(sizeof(*ref));
	if (!ref || bytes.n == 0) {
		free(ref);
		buf_span(&c->out, bytes);
		release(arg);
		return;
	}
	*ref = (struct due_ref){
		.at = c->written + c->out.len - c->out_at, .left = bytes, .release = release, .arg = arg};
	list_push(&c->refs, &ref->by_conn);
	c->refs_unread += bytes.n;
}

/* The client should first read what it has been answered. */
static bool conn_full(const struct conn *c)
{
	return conn_unread(c) > CONN_UNREAD_SOFT || c->ndue + CONN_FDS_MAX > CONN_DUE_MAX;
}

/* --- what the client has read ------------------------------------------------------------------------------------ */

/* Nothing that was written is left in the socket: it was read, or the client is gone. */
static bool conn_drained(const struct conn *c)
{
	int left = 0;
	return ioctl(c->io.fd, SIOCOUTQ, &left) == 0 && left == 0;
}

/* In this order: who is reset after the first question has been drained before it. */
bool conn_all_read(const struct conn *c)
{
	struct pollfd reset = {.fd = c->io.fd};
	return c->written <= c->whole && !c->reset && conn_drained(c) && poll(&reset, 1, 0) >= 0 &&
	       !(reset.revents & POLLERR);
}

bool conn_deserted(const struct conn *c)
{
	struct pollfd end = {.fd = c->io.fd};
	return poll(&end, 1, 0) > 0 && (end.revents & POLLHUP);
}

/* Reads to the end of what the client has sent, where ECONNRESET stands if anywhere. Who still sends as fast as it is
 * read lives. */
static bool conn_was_reset(struct conn *c)
{
	char nobodys[16 << 10];
	ssize_t n = 1;
	for (int i = 0; n > 0 && i < 64; i++)
		n = RETRY(recv(c->io.fd, nobodys, sizeof(nobodys), MSG_DONTWAIT));
	c->reset |= n < 0 && errno == ECONNRESET;
	return c->reset;
}

/* A write that was cut short counts as unread: the kernel may have told of the reset in the midst of it. */
static enum conn_end conn_end(struct conn *c)
{
	bool drained = conn_drained(c);
	return !drained || conn_was_reset(c) || c->written > c->whole ? CONN_END_UNREAD : CONN_END_READ;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static uintptr_t uid_count(const struct peer *p) { return (uintptr_t)map_get(&conns.by_uid, p->uid); }

static int uid_enter(const struct peer *p)
{
	return p->admin ? 0 : map_put(&conns.by_uid, p->uid, (void *)(uid_count(p) + 1));
}

/* Does not grow the map, so it cannot fail. */
static void uid_leave(const struct peer *p)
{
	if (p->admin)
		return;
	if (uid_count(p) > 1)
		map_put(&conns.by_uid, p->uid, (void *)(uid_count(p) - 1));
	else
		map_del(&conns.by_uid, p->uid);
}

static void conn_free(struct conn *c)
{
	c->ended = conn_end(c);
	log_debug("connection %llu of pid %d ended, %s", (unsigned long long)c->id, c->peer.pid,
		  c->ended == CONN_END_READ ? "all read" : "something unread");
	rpc_conn_gone(c);
	channel_gone(&c->channel, c->ended == CONN_END_READ, c->written > c->whole);
	events_conn_gone(c);
	if (c->held)
		waiter_drop(&c->hold);
	list_del(&c->by_all);
	list_del(&c->by_dirty);
	list_del(&c->by_again);
	list_del(&c->by_stall);
	loop_hup_stop(&c->hup);
	loop_io_stop(&c->io);
	loose_expire(c, UINT64_MAX);
	due_drop(c, c->ndue);
	free(c->due);
	struct due_ref *ref;
	while ((ref = LIST_FIRST(&c->refs, struct due_ref, by_conn)))
		ref_free(c, ref);
	close(c->io.fd);
	uid_leave(&c->peer);
	conns.count--;
	free(c->peer.groups);
	frame_done(&c->in);
	buf_done(&c->out);
	buf_done(&c->grants);
	free(c);
}

/* The client has read more of what it was sent, or is gone. */
static void on_drained(struct loop_hup *hup)
{
	struct conn *c = CONTAINER_OF(hup, struct conn, hup);
	if (conn_drained(c) || conn_was_reset(c))
		conn_free(c);
}

/* All is said, unless it is dead: it is told so, and waited for until it has read it. */
static void conn_leave(struct conn *c)
{
	loop_hup_stop(&c->hup);
	if (c->dead || conn_drained(c) || loop_drain_start(&c->hup, c->io.fd, on_drained)) {
		conn_free(c);
		return;
	}
	rpc_conn_gone(c);
	events_conn_gone(c);
	c->leaving = true;
	shutdown(c->io.fd, SHUT_WR);
	loop_io_events(&c->io, 0);
	list_del(&c->by_dirty);
	list_del(&c->by_again);
	list_del(&c->by_stall);
	c->stalled = loop_now();
	list_push(&conns.stalled, &c->by_stall);
}

static void conns_again(void);

static void conn_again(struct conn *c)
{
	if (!list_linked(&c->by_again))
		list_push(&conns.again, &c->by_again);
	loop_again(conns_again);
}

static bool conn_finished(const struct conn *c)
{
	bool idle = c->eof && c->nreqs == 0 && list_empty(&c->subs);
	return c->dead || (conn_unread(c) == 0 && (c->closing || idle));
}

void conn_dirty(struct conn *c)
{
	if (!list_linked(&c->by_dirty))
		list_unshift(&conns.dirty, &c->by_dirty);
}

void conn_close_soon(struct conn *c)
{
	c->closing = true;
	conn_dirty(c);
}

static void on_gone(struct loop_hup *hup) { conn_free(CONTAINER_OF(hup, struct conn, hup)); }

/* --- in ---------------------------------------------------------------------------------------------------------- */

/* Goes on with its lines when those before it had their turn. */
static void conn_later(struct conn *c)
{
	c->paused = true;
	conn_again(c);
	conn_dirty(c);
}

/* Hands over whole lines until there are none, or the connection is full, or others have waited long enough. */
static void conn_lines(struct conn *c)
{
	enum frame_step step = FRAME_LINE;
	c->paused = false;
	for (unsigned n = 1; !c->closing && !c->paused && step != FRAME_MORE; n++) {
		struct span line;
		loose_expire(c, next_line(c));
		step = frame_next(&c->in, &line);
		if (step == FRAME_LINE)
			rpc_line(c, line);
		else if (step == FRAME_TOO_LONG)
			rpc_too_long(c);
		c->paused = conn_full(c);
		if (!c->paused && n % LINES_A_LOOK == 0 && step != FRAME_MORE && loop_late())
			conn_later(c);
	}
	frame_trim(&c->in);
}

/* After a half-close what is open runs on; a full close is a hang-up. */
static void conn_eof(struct conn *c)
{
	c->eof = true;
	if (conn_finished(c))
		conn_leave(c);
	else if (loop_hup_start(&c->hup, c->io.fd, on_gone))
		conn_free(c);
	else
		conn_dirty(c);
}

static void conn_flooded(struct conn *c)
{
	struct fault f;
	fault_set(&f, FAULT_OVERLOADED, "more than %d descriptors came that no line has claimed", CONN_FDS_MAX);
	rpc_refuse(c, &f);
	conn_close_soon(c);
}

/* Reads once, and takes the descriptors that came; like read(2), and -1 with ENOBUFS when those were too many. */
static ssize_t conn_recv(struct conn *c, char *to, size_t room)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(CONN_FDS_MAX * sizeof(int))];
	} control;
	struct iovec part = {to, room};
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->io.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n;
	c->taken += (uint64_t)n;
	c->want = (size_t)n == room ? READ_MOST : READ_LEAST;
	if (loose_take(c, &m, c->taken))
		return n;
	errno = ENOBUFS;
	return -1;
}

static void conn_read(struct conn *c)
{
	size_t room = 0;
	size_t want = MAX(c->want, frame_missing(&c->in));
	char *to = frame_room(&c->in, want, &room);
	ssize_t n = to ? conn_recv(c, to, MIN(room, MAX(want, READ_MOST))) : -1;
	if (n > 0) {
		frame_fed(&c->in, (size_t)n);
		if (loop_late())
			conn_later(c);
		else
			conn_lines(c);
	} else if (n == 0) {
		conn_eof(c);
	} else if (errno == ENOBUFS) {
		conn_flooded(c);
	} else if (errno != EAGAIN && errno != EINTR) {
		c->reset |= errno == ECONNRESET;
		conn_free(c); /* or there is no memory */
	}
}

static void on_ready(struct loop_io *io, unsigned events)
{
	struct conn *c = CONTAINER_OF(io, struct conn, io);
	if (events & LOOP_WRITE)
		conn_dirty(c);
	if (events & LOOP_READ)
		conn_read(c);
}

/* --- out --------------------------------------------------------------------------------------------------------- */

/* Who reads nothing for CONN_STALL is closed: counts from the last byte that went out. */
static void conn_stall(struct conn *c, bool progress)
{
	if (conn_unread(c) > 0 && c->stalled && !progress)
		return;
	list_del(&c->by_stall);
	c->stalled = conn_unread(c) > 0 ? loop_now() : 0;
	if (c->stalled)
		list_push(&conns.stalled, &c->by_stall);
}

static void conn_watch(struct conn *c)
{
	bool in = !c->held && !c->eof && !c->closing && !c->paused && !c->dead && !conn_full(c);
	loop_io_events(&c->io, (in ? LOOP_READ : 0) | (c->stalled && !c->dead ? LOOP_WRITE : 0));
}

/* N more bytes are written, of `out` and of what lies between. */
static void conn_pass(struct conn *c, size_t n)
{
	struct due_ref *ref;
	while ((ref = LIST_FIRST(&c->refs, struct due_ref, by_conn)) && n >= ref->at - c->written) {
		size_t own = (size_t)(ref->at - c->written), part = MIN(n - own, ref->left.n);
		c->out_at += own;
		c->written += own;
		c->refs_unread -= part;
		ref->left = (struct span){ref->left.p + part, ref->left.n - part};
		n -= own + part;
		if (ref->left.n > 0)
			return;
		ref_free(c, ref);
	}
	c->out_at += n;
	c->written += n;
}

static void conn_wrote(struct conn *c, size_t n)
{
	conn_pass(c, n);
	if (conn_unread(c) == 0) {
		buf_clear(&c->out, OUT_KEEP);
		c->out_at = 0;
		c->whole = c->written;
	} else if (c->out_at > c->out.len / 2) {
		buf_eat(&c->out, c->out_at);
		c->out_at = 0;
	}
	conn_stall(c, n > 0);
}

/* What is to be sent, up to the byte of `out` that is the UNTIL-th ever, as at most PARTS_MAX parts; returns how many.
 */
static size_t conn_parts(const struct conn *c, uint64_t until, struct iovec parts[PARTS_MAX])
{
	const struct due_ref *ref;
	uint64_t from = c->written;
	size_t n = 0;
	LIST_EACH (ref, &c->refs, by_conn) {
		if (ref->at > until || n > PARTS_MAX - 3)
			break;
		if (ref->at > from)
			parts[n++] = (struct iovec){c->out.p + c->out_at + (from - c->written), ref->at - from};
		parts[n++] = (struct iovec){(char *)ref->left.p, ref->left.n};
		from = ref->at;
	}
	if (&ref->by_conn != &c->refs)
		until = MIN(until, ref->at);
	if (until > from)
		parts[n++] = (struct iovec){c->out.p + c->out_at + (from - c->written), until - from};
	return n;
}

/* Sends from here up to the next byte that descriptors go with; the first byte takes along what is due. As soon as one
 * byte is sent they are, and if none is they are not (unix(7)). */
static ssize_t conn_send_parts(struct conn *c)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(CONN_FDS_MAX * sizeof(int))];
	} control = {.room = {0}};
	int *fds = (int *)CMSG_DATA(&control.head);
	size_t n = 0;
	for (; n < c->ndue && c->due[n].at == c->written; n++)
		fds[n] = c->due[n].fd;
	control.head = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	struct iovec parts[PARTS_MAX];
	uint64_t until = n < c->ndue ? c->due[n].at : c->written + c->out.len - c->out_at;
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = conn_parts(c, until, parts)};
	if (n > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
	}
	ssize_t sent = RETRY(sendmsg(c->io.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	if (sent > 0)
		due_drop(c, n);
	return sent;
}

static ssize_t conn_send(struct conn *c)
{
	if (c->ndue > 0 || c->refs_unread > 0)
		return conn_send_parts(c);
	return RETRY(send(c->io.fd, c->out.p + c->out_at, conn_unread(c), MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* A reply for which there was no memory cannot be left out: the client would wait for ever. */
static void conn_write(struct conn *c)
{
	ssize_t sent = 0;
	c->dead |= c->out.failed;
	bool drained = channel_unsure(&c->channel) && !c->dead && conn_drained(c);
	if (conn_unread(c) > 0 && !c->dead)
		sent = conn_send(c);
	if (sent > 0 && drained) /* it lives, so what was drained was read */
		channel_read(&c->channel);
	c->dead |= sent < 0 && errno != EAGAIN;
	c->reset |= sent < 0 && errno == ECONNRESET;
	conn_wrote(c, sent > 0 ? (size_t)sent : 0);
	if (sent > 0)
		(conn_unread(c) == 0 ? channel_wrote : channel_cut)(&c->channel);
	c->dead |= conn_unread(c) > CONN_UNREAD_HARD;
	conn_watch(c);
	if (conn_finished(c) || (c->paused && !conn_full(c)))
		conn_again(c);
}

void conns_flush(void)
{
	struct list *n;
	while ((n = list_shift(&conns.dirty)))
		conn_write(LIST_ENTRY(n, struct conn, by_dirty));
}

/* What the flush has found: connections that are over, and such that go on with the lines they have. When it is late
 * the others keep their places, before those that have had their turn. */
static void conns_again(void)
{
	struct list end, *n;
	list_push(&conns.again, &end);
	while (!loop_late() && (n = list_shift(&conns.again)) != &end) {
		struct conn *c = LIST_ENTRY(n, struct conn, by_again);
		if (conn_finished(c)) {
			conn_leave(c);
		} else {
			conn_lines(c);
			conn_dirty(c);
		}
	}
	list_del(&end);
	if (!list_empty(&conns.again))
		loop_again(conns_again);
}

/* --- the beginning ----------------------------------------------------------------------------------------------- */

static int peer_groups(int fd, struct peer *p)
{
	socklen_t n = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &n) == 0)
		return 0;
	if (errno != ERANGE || !(p->groups = malloc(n)))
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, p->groups, &n)) {
		free(p->groups);
		return -1;
	}
	p->ngroups = n / sizeof(gid_t);
	return 0;
}

/* Who it is, as the kernel knows from the moment of its connect(). -1: it cannot tell. */
static int peer_of(int fd, struct peer *ret)
{
	struct ucred who;
	socklen_t n = sizeof(who);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) || who.uid == UID_OVERFLOW || who.uid == (uid_t)-1)
		return -1;
	*ret = (struct peer){.uid = who.uid, .gid = who.gid, .pid = who.pid};
	ret->admin = who.uid == 0 || who.uid == engine.uid;
	return peer_groups(fd, ret);
}

static int peer_check(const struct peer *p, struct fault *f)
{
	if (engine.uid != 0 && !p->admin)
		return fault_set(f, FAULT_DENIED, "this mpd is uid %u's own; you are uid %u", engine.uid, p->uid);
	if (p->admin || uid_count(p) < CONN_PER_UID)
		return 0;
	fault_set(f, FAULT_QUOTA, "uid %u has %d connections, which is the most", p->uid, CONN_PER_UID);
	return fault_data(f, "\"limit\":\"connections\",\"used\":%d,\"max\":%d", CONN_PER_UID, CONN_PER_UID);
}

/* One line, if the socket takes it; the caller closes. */
static void refuse(int fd, const struct fault *f)
{
	AUTO_BUF line = BUF_INIT;
	rpc_put_fault(&line, (struct span){NULL, 0}, f);
	buf_putc(&line, '\n');
	if (!line.failed && send(fd, line.p, line.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* it is gone, which is as good */
}

static enum step hold_attempt(struct waiter *w)
{
	const struct conn *c = CONTAINER_OF(w, struct conn, hold);
	const struct proc *p = proc_by_id(c->awaited);
	return p && p->i.state == PROC_STARTING ? STEP_WAIT : STEP_DONE;
}

static void hold_done(struct waiter *w)
{
	struct conn *c = CONTAINER_OF(w, struct conn, hold);
	c->held = false;
	conn_watch(c);
}

/* A process that connects before the keeper's word of its start is here would be taken for a stranger. */
static void conn_hold(struct conn *c)
{
	static const struct wait_ops ops = {.attempt = hold_attempt, .done = hold_done, .expire = hold_done};
	struct proc *p = attribute_pending(c->peer.pid);
	struct subject *const subject[] = {p ? &p->subject : NULL};
	c->awaited = p ? p->i.id : 0;
	c->held = p && waiter_park(&c->hold, &ops, subject, 1, NSEC_NEVER) == 0;
	conn_watch(c);
}

/* Takes over FD and what PEER points to; 0, or -1 when memory is out. */
static int conn_new(const struct peer *peer, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	if (!c || uid_enter(peer)) {
		free(c);
		return -1;
	}
	c->id = ++conns.last_id;
	c->peer = *peer;
	c->want = READ_LEAST;
	c->hup.fd = -1;
	channel_init(&c->channel, peer->pid, peer->uid);
	frame_init(&c->in, CONN_LINE_MAX);
	list_push(&conns.all, &c->by_all);
	list_init(&c->by_dirty);
	list_init(&c->by_again);
	list_init(&c->by_stall);
	list_init(&c->reqs);
	list_init(&c->refs);
	list_init(&c->subs);
	loop_io_start(&c->io, fd, 0, on_ready);
	conn_hold(c);
	conns.count++;
	rpc_stats.connections++;
	return 0;
}

static void conn_begin(int accepted)
{
	AUTO_FD fd = accepted;
	struct peer peer;
	struct fault f;
	if (peer_of(fd, &peer))
		return;
	if (peer_check(&peer, &f)) {
		refuse(fd, &f);
	} else if (conn_new(&peer, fd) == 0) {
		fd_take(&fd);
		return;
	}
	free(peer.groups);
}

static int spare_open(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

/* Out of descriptors: uses the spare one to say so. -1 with errno where nobody was refused. */
static int accept_to_refuse(void)
{
	if (conns.spare < 0)
		return -1;
	close(fd_take(&conns.spare));
	int fd = accept4(conns.listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), error = errno;
	if (fd >= 0) {
		struct fault f;
		fault_set(&f, FAULT_OVERLOADED, "mpd is out of descriptors; try again later");
		refuse(fd, &f);
		close(fd);
	}
	conns.spare = spare_open();
	errno = error;
	return fd >= 0 ? 0 : -1;
}

/* Nothing helps at once: the clients wait in the backlog for a moment. */
static void accept_pause(void)
{
	conns.accept_at = loop_now() + ACCEPT_PAUSE;
	loop_io_events(&conns.listen, 0);
}

static void accept_resume(void)
{
	conns.accept_at = 0;
	if (conns.spare < 0)
		conns.spare = spare_open();
	loop_io_events(&conns.listen, LOOP_READ);
}

static void on_accept(struct loop_io *io, unsigned events)
{
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			conn_begin(fd);
			continue;
		}
		if ((errno == EMFILE || errno == ENFILE) && accept_to_refuse() == 0)
			continue;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN)
			accept_pause();
		return;
	}
}

nsec_t conns_deadline(void)
{
	const struct conn *c = LIST_FIRST(&conns.stalled, struct conn, by_stall);
	nsec_t at = conns.accept_at ? conns.accept_at : NSEC_NEVER;
	return c ? MIN(at, c->stalled + CONN_STALL) : at;
}

void conns_tick(nsec_t now)
{
	struct conn *c;
	while ((c = LIST_FIRST(&conns.stalled, struct conn, by_stall)) && c->stalled + CONN_STALL <= now)
		conn_free(c);
	if (conns.accept_at && conns.accept_at <= now)
		accept_resume();
}

int conns_init(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -1;
	list_init(&conns.all);
	list_init(&conns.dirty);
	list_init(&conns.again);
	list_init(&conns.stalled);
	conns.spare = spare_open();
	loop_io_start(&conns.listen, fd, LOOP_READ, on_accept);
	return 0;
}
