/* SPDX-License-Identifier: MIT */
/*
 * The connection of client.h.
 *
 * 1. Requests and the session's introduction go out in one write; with descriptors in two, because these belong to
 *    the first byte of their own line.
 * 2. A line that is not one whole JSON object, or that the daemon answers to nobody (id null), ends the program: the
 *    other end is not mpd, or cannot work.
 */
#include "cli/client.h"
#include "cli/render.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SYSTEM_SOCKET "/run/mpctl/mpd.sock"
#define LINE_MAX_BYTES ((size_t)256 << 20)
#define READ_BYTES ((size_t)64 << 10)

/* --- reaching it ------------------------------------------------------------------------------------------------- */

const char *client_path(const char *socket)
{
	static char path[512];
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	if (socket)
		return socket;
	if ((socket = getenv("MPCTL_SOCKET")) && *socket)
		return socket;
	if (!runtime || strlen(runtime) + sizeof("/mpctl/mpd.sock") > sizeof(path))
		return SYSTEM_SOCKET;
	strcat(strcpy(path, runtime), "/mpctl/mpd.sock");
	return access(path, F_OK) < 0 && access(SYSTEM_SOCKET, F_OK) == 0 ? SYSTEM_SOCKET : path;
}

static int connect_to(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path) + 1);
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || RETRY(connect(fd, (struct sockaddr *)&to, sizeof(to))) < 0)
		return -1;
	return fd_take(&fd);
}

static const struct {
	int error;
	const char *what;
	bool start; /* mpd is to be started */
} unreachable[] = {
	{ENOENT, "no such file", true},
	{ECONNREFUSED, "nobody listens", true},
	{EACCES, "permission denied (see: ls -l on it, and mpctl's group)", false},
	{ENAMETOOLONG, "a socket's path has at most 107 bytes", false},
};

static void __attribute__((noreturn)) die_unreachable(const char *path, int error)
{
	const char *what = strerror(error), *hint = "";
	for (size_t i = 0; i < ARRAY_LEN(unreachable); i++) {
		if (unreachable[i].error != error)
			continue;
		what = unreachable[i].what;
		if (unreachable[i].start && strcmp(path, SYSTEM_SOCKET) != 0)
			hint = " (start it: mpd --background, or systemctl --user start mpctl)";
		else if (unreachable[i].start)
			hint = " (start it: systemctl start mpctl, or mpd --background)";
	}
	die(STATUS_UNREACHABLE, "cannot reach mpd at %s: %s%s", path, what, hint);
}

/* --- sending ----------------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) die_of_memory(void) { die(STATUS_FAILED, "out of memory"); }

static int send_all(int fd, struct span bytes)
{
	while (bytes.n) {
		ssize_t n = RETRY(send(fd, bytes.p, bytes.n, MSG_NOSIGNAL));
		if (n < 0)
			return -1;
		bytes.p += n;
		bytes.n -= (size_t)n;
	}
	return 0;
}

static int send_with_fds(int fd, struct span bytes, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * CLIENT_FDS_MAX)];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control};
	msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	*c = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(int) * nfds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	ssize_t n = RETRY(sendmsg(fd, &msg, MSG_NOSIGNAL));
	return n < 0 ? -1 : send_all(fd, (struct span){bytes.p + n, bytes.n - (size_t)n});
}

/* The session's introduction, a request that nobody answers; empty when there is no session. */
static void put_hello(const struct client *c, struct buf *b)
{
	if (c->session[0])
		buf_printf(b, "{\"method\":\"mpd.hello\",\"params\":{\"session\":\"%s\"}}\n", c->session);
}

static int transmit(struct client *c, const struct call *call, struct buf *hello)
{
	if (c->hold) {
		buf_span(&c->held, buf_view(hello));
		buf_span(&c->held, buf_view(&call->line));
		if (c->held.failed)
			die_of_memory();
		return 0;
	}
	if (call->nfds == 0) {
		buf_span(hello, buf_view(&call->line));
		return send_all(c->fd, buf_view(hello));
	}
	if (send_all(c->fd, buf_view(hello)) < 0)
		return -1;
	return send_with_fds(c->fd, buf_view(&call->line), call->fds, call->nfds);
}

/* Sends all that is open, on a new connection. */
static int transmit_open(struct client *c)
{
	AUTO_BUF hello = BUF_INIT;
	struct call *call;
	put_hello(c, &hello);
	LIST_EACH (call, &c->calls, by_client) {
		if (call->answered && !call->standing)
			continue;
		if (transmit(c, call, &hello) < 0)
			return -1;
		hello.len = 0;
	}
	return send_all(c->fd, buf_view(&hello));
}

static void hang_up(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	frame_done(&c->in);
}

/* The listening socket outlives an engine, so the first try succeeds as a rule; a pause grows between the next. */
static void reconnect(struct client *c)
{
	c->hold = false;
	c->held.len = 0;
	do {
		if (c->fd >= 0)
			hang_up(c);
		if (!c->lost)
			c->lost = sys_now();
		if (sys_now() - c->lost > CLIENT_PATIENCE)
			die(STATUS_UNREACHABLE, "lost mpd at %s: it has ended, or refuses this connection", c->path);
		nsec_t pause = MIN(c->tries, 20) * 5 * NSEC_PER_MS;
		nanosleep(&(struct timespec){.tv_nsec = pause}, NULL);
		c->tries++;
		c->fd = connect_to(c->path);
	} while (c->fd < 0 || transmit_open(c) < 0);
}

static void session_new(struct client *c)
{
	unsigned char bits[16];
	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		die(STATUS_FAILED, "no random numbers: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(bits); i++) {
		c->session[2 * i] = "0123456789abcdef"[bits[i] >> 4];
		c->session[2 * i + 1] = "0123456789abcdef"[bits[i] & 15];
	}
}

void client_init(struct client *c, const char *path)
{
	*c = (struct client){.path = path, .fd = -1};
	list_init(&c->calls);
	frame_init(&c->in, LINE_MAX_BYTES);
}

void client_done(struct client *c)
{
	while (!list_empty(&c->calls))
		client_drop(LIST_FIRST(&c->calls, struct call, by_client));
	if (c->fd >= 0)
		hang_up(c);
	buf_done(&c->held);
}

void client_drop(struct call *call)
{
	list_del(&call->by_client);
	buf_done(&call->line);
	buf_done(&call->answer);
	buf_done(&call->raw);
	free(call);
}

struct extra {
	const int *fds;
	size_t nfds;
	struct span raw; /* {NULL, 0}: none */
};

static struct call *call_new(struct client *c, const struct api_cmd *cmd, const struct buf *members,
			     const struct extra *extra)
{
	struct call *call = calloc(1, sizeof(*call));
	if (!call)
		die(STATUS_FAILED, "out of memory");
	call->cmd = cmd;
	call->id = ++c->last_id;
	buf_printf(&call->line, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\"", (unsigned long long)call->id,
		   cmd->name);
	if (extra->nfds)
		buf_printf(&call->line, ",\"fds\":%zu", extra->nfds);
	if (extra->raw.p)
		buf_printf(&call->line, ",\"raw\":%zu", extra->raw.n);
	if (members && members->len) {
		buf_puts(&call->line, ",\"params\":{");
		buf_span(&call->line, buf_view(members));
		buf_putc(&call->line, '}');
	}
	buf_puts(&call->line, "}\n");
	buf_span(&call->line, extra->raw);
	if (call->line.failed || (members && members->failed))
		die(STATUS_FAILED, "out of memory");
	list_push(&c->calls, &call->by_client);
	return call;
}

static struct call *send_call(struct client *c, enum api_id id, const struct buf *members, const struct extra *extra)
{
	AUTO_BUF hello = BUF_INIT;
	const struct api_cmd *cmd = api_cmd(id);
	struct call *call = call_new(c, cmd, members, extra);
	call->nfds = extra->nfds;
	for (size_t i = 0; i < extra->nfds; i++)
		call->fds[i] = extra->fds[i];
	if (cmd->flags & (API_ONCE | API_BLOCKS) && !c->session[0]) {
		session_new(c);
		put_hello(c, &hello);
	}
	if (c->fd < 0 && (c->fd = connect_to(c->path)) < 0)
		die_unreachable(c->path, errno);
	if (transmit(c, call, &hello) < 0)
		reconnect(c);
	return call;
}

struct call *client_send(struct client *c, enum api_id id, const struct buf *members, const int *fds, size_t nfds)
{
	return send_call(c, id, members, &(struct extra){.fds = fds, .nfds = nfds});
}

struct call *client_send_raw(struct client *c, enum api_id id, const struct buf *members, struct span bytes)
{
	return send_call(c, id, members, &(struct extra){.raw = bytes.p ? bytes : SPAN("")});
}

void client_hold(struct client *c) { c->hold = true; }

void client_flush(struct client *c)
{
	c->hold = false;
	bool lost = c->held.len && send_all(c->fd, buf_view(&c->held)) < 0;
	c->held.len = 0;
	if (lost)
		reconnect(c);
}

void client_post(struct client *c, enum api_id id, const struct buf *members)
{
	client_send(c, id, members, NULL, 0)->posted = true;
}

/* --- receiving --------------------------------------------------------------------------------------------------- */

struct line {
	struct span id, result, error, params, raw;
};

static void __attribute__((noreturn)) die_of_protocol(void)
{
	die(STATUS_UNREACHABLE, "what answers does not speak mpd's protocol");
}

static bool error_is(struct span error, enum fault_code code)
{
	struct span symbol;
	if (!error.p || !scan_plain(scan_get(scan_get(error, "data"), "symbol"), &symbol))
		return false;
	const struct fault_info *info = fault_by_symbol(symbol);
	return info && info->code == (int)code;
}

static struct line line_read(struct span text)
{
	struct line line = {0};
	struct scan_error error;
	struct span whole, key, value;
	if (scan_check(text, &whole, &error) < 0 || scan_type(whole) != SCAN_OBJECT)
		die_of_protocol();
	for (struct scan_iter it = scan_iter(whole); scan_next(&it, &key, &value);) {
		if (span_is(key, "id"))
			line.id = value;
		else if (span_is(key, "result"))
			line.result = value;
		else if (span_is(key, "error"))
			line.error = value;
		else if (span_is(key, "params"))
			line.params = value;
		else if (span_is(key, "raw"))
			line.raw = value;
	}
	return line;
}

/* Either a line of ours was too long to be looked at, or nobody is served. */
static void die_of_all(struct span error)
{
	AUTO_BUF message = BUF_INIT;
	scan_str(scan_get(error, "message"), &message);
	if (error_is(error, FAULT_TOO_LARGE))
		die(STATUS_FAILED, "%s", buf_str(&message));
	die(STATUS_UNREACHABLE, "mpd cannot serve: %s", buf_str(&message));
}

static struct call *call_find(struct client *c, struct span id)
{
	uint64_t number;
	struct call *call;
	if (scan_u64(id, &number) < 0)
		return NULL;
	LIST_EACH (call, &c->calls, by_client)
		if (call->id == number)
			return call;
	return NULL;
}

/* False: not all of them have come; the line comes out again with the last. */
static bool take_raw(struct client *c, struct span count, struct span *ret_bytes)
{
	uint64_t n;
	if (scan_u64(count, &n) < 0 || n > LINE_MAX_BYTES)
		die_of_protocol();
	return frame_raw(&c->in, n, ret_bytes);
}

/* The call keeps a copy: what was read is gone with the next read. */
static void call_answer(struct client *c, struct call *call, struct span text, const struct line *line)
{
	struct span raw = {NULL, 0};
	if (call->posted) {
		client_drop(call);
		return;
	}
	if (line->raw.p && !take_raw(c, line->raw, &raw))
		return;
	struct span value = line->error.p ? line->error : line->result;
	size_t at = (size_t)(value.p - text.p);
	buf_clear(&call->answer, SIZE_MAX);
	buf_span(&call->answer, text);
	call->raw.len = 0;
	buf_span(&call->raw, raw);
	if (call->answer.failed || call->raw.failed)
		die_of_memory();
	struct span kept = {call->answer.p + at, value.n};
	call->result = line->error.p ? (struct span){NULL, 0} : kept;
	call->error = line->error.p ? kept : (struct span){NULL, 0};
	call->answered = true;
}

static void take_line(struct client *c, struct span text)
{
	struct line line = line_read(text);
	struct call *call = line.id.p ? call_find(c, line.id) : NULL;
	if (line.error.p && scan_type(line.id) == SCAN_NULL)
		die_of_all(line.error);
	if (!line.id.p && line.params.p && c->event)
		c->event(line.params);
	else if (call && (line.result.p || line.error.p))
		call_answer(c, call, text, &line);
}

static ssize_t read_some(struct client *c)
{
	size_t room;
	char *to = frame_room(&c->in, MAX(READ_BYTES, frame_missing(&c->in)), &room);
	if (!to)
		die(STATUS_FAILED, "out of memory");
	ssize_t n = RETRY(read(c->fd, to, room));
	if (n > 0)
		frame_fed(&c->in, (size_t)n);
	return n;
}

void client_read(struct client *c)
{
	struct span text;
	enum frame_step step;
	if (read_some(c) <= 0) {
		reconnect(c);
		return;
	}
	while ((step = frame_next(&c->in, &text)) == FRAME_LINE) {
		c->lost = 0;
		c->tries = 0;
		take_line(c, text);
	}
	if (step == FRAME_TOO_LONG)
		die(STATUS_FAILED, "the answer is too long");
}

bool client_wait(struct client *c, struct call *call, int ms)
{
	nsec_t until = ms < 0 ? NSEC_NEVER : sys_now() + ms * NSEC_PER_MS;
	while (!call->answered) {
		struct pollfd fd = {.fd = c->fd, .events = POLLIN};
		nsec_t left = ms < 0 ? 0 : until - sys_now();
		if (ms >= 0 && (left <= 0 || poll(&fd, 1, (int)(left / NSEC_PER_MS) + 1) == 0))
			return false;
		client_read(c);
	}
	return true;
}

struct span client_result(struct client *c, struct call *call)
{
	client_wait(c, call, -1);
	if (call->error.p)
		quit(call_complain(call));
	return call->result;
}

struct span client_call(struct client *c, enum api_id id, const struct buf *members)
{
	return client_result(c, client_send(c, id, members, NULL, 0));
}

/* --- errors ------------------------------------------------------------------------------------------------------ */

/* SPAWN says which step failed of what: 127 when there was no such command. */
static int spawn_status(struct span data)
{
	int64_t error = 0;
	bool exec = span_is(scan_get(data, "step"), "\"exec\"");
	return scan_i64(scan_get(data, "errno"), &error) == 0 && error == ENOENT && exec ? STATUS_NOT_FOUND
											 : STATUS_NOT_EXECUTABLE;
}

/* The verb that lists what can be named. */
static const char *list_of(const struct api_cmd *cmd)
{
	bool process = !strncmp(cmd->name, "process.", 8) || !strncmp(cmd->name, "job.", 4);
	return process ? "ps" : "ls";
}

bool call_failed_with(const struct call *call, enum fault_code code) { return error_is(call->error, code); }

int call_complain(const struct call *call)
{
	AUTO_BUF message = BUF_INIT;
	struct span symbol = {NULL, 0}, data = scan_get(call->error, "data");
	scan_plain(scan_get(data, "symbol"), &symbol);
	scan_str(scan_get(call->error, "message"), &message);
	const struct fault_info *info = fault_by_symbol(symbol);
	bool bare = info && info->code == FAULT_NOT_FOUND && !strchr(buf_str(&message), '(');
	say("%s%s%s%s", buf_str(&message), bare ? " (see: mpctl " : "", bare ? list_of(call->cmd) : "",
	    bare ? ")" : "");
	if (info && info->code == FAULT_SPAWN)
		return spawn_status(data);
	return info ? info->exit : STATUS_FAILED;
}
