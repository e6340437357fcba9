/* SPDX-License-Identifier: MIT */
/*
 * Items into queues, and messages into pipes: queue put, pipe send.
 *
 * One item a request, in order. Without a time limit many requests are on their way at once, so that a stream goes as
 * fast as it comes and stops where the queue is full; with one each is waited for, so that none that comes later gets
 * past one that did not fit.
 */
#include "cli/object.h"
#include "cli/render.h"
#include "cli/wait.h"
#include <poll.h>

#define OPEN_MAX_CALLS 256
#define OPEN_MAX_BYTES ((size_t)1 << 20)
#define READ_BYTES ((size_t)64 << 10)

struct put {
	struct client *client;
	struct args *args; /* members: what all requests have in common */
	struct call *open[OPEN_MAX_CALLS];
	size_t first, nopen, bytes; /* of `open`, a ring; bytes on their way */
	size_t done;
	size_t most; /* that may be open */
};

static void __attribute__((noreturn)) put_failed(const struct put *p, int status)
{
	if (p->done)
		say("%zu before it %s put", p->done, p->done == 1 ? "was" : "were");
	quit(status);
}

static void put_settle(struct put *p)
{
	struct call *call = p->open[p->first];
	client_flush(p->client);
	int signo = wait_answer(p->client, call, p->args->words[0]);
	if (signo && call_failed_with(call, FAULT_CANCELLED))
		wait_die(signo);
	if (call->error.p)
		put_failed(p, call_complain(call));
	if (options.json)
		out_json(call->result);
	if (out.len > READ_BYTES)
		out_flush();
	p->bytes -= call->line.len;
	p->first = (p->first + 1) % OPEN_MAX_CALLS;
	p->nopen--;
	p->done++;
	client_drop(call);
	if (signo)
		wait_die(signo);
}

static void put_finish(struct put *p)
{
	while (p->nopen)
		put_settle(p);
}

/* Until there is something on stdin. An answer that comes before may say that no more can be put. */
static void wait_input(struct put *p)
{
	struct pollfd fds[] = {{STDIN_FILENO, POLLIN, 0}, {p->client->fd, POLLIN, 0}};
	while (p->nopen && RETRY(poll(fds, ARRAY_LEN(fds), -1)) > 0 && !fds[0].revents) {
		client_read(p->client);
		fds[1].fd = p->client->fd;
		while (p->nopen && p->open[p->first]->answered)
			put_settle(p);
	}
}

static struct call *put_send(struct put *p, struct span item)
{
	AUTO_BUF members = BUF_INIT;
	const struct args *a = p->args;
	buf_span(&members, buf_view(&a->members));
	if (a->own[FLAG_RAW])
		return client_send_raw(p->client, a->verb->cmd, &members, item);
	member(&members, "item");
	if (a->own[FLAG_STRING])
		scan_put_bytes(&members, item);
	else
		args_json(&members, item);
	return client_send(p->client, a->verb->cmd, &members, NULL, 0);
}

static void put_item(struct put *p, struct span item)
{
	while (p->nopen == p->most || (p->nopen && p->bytes + item.n > OPEN_MAX_BYTES))
		put_settle(p);
	struct call *call = put_send(p, item);
	p->open[(p->first + p->nopen++) % OPEN_MAX_CALLS] = call;
	p->bytes += call->line.len;
}

/* Reads more of stdin behind what is there. False: its end. */
static bool read_more(struct buf *b)
{
	char *room = buf_room(b, READ_BYTES);
	ssize_t n = room ? RETRY(read(STDIN_FILENO, room, READ_BYTES)) : -1;
	if (n < 0)
		die(STATUS_FAILED, "cannot read stdin: %s", room ? strerror(errno) : "out of memory");
	b->len += (size_t)n;
	return n > 0;
}

/* Items of stdin that end with END; what comes last needs none. Those of one read leave in one write. */
static void put_records(struct put *p, char end)
{
	AUTO_BUF in = BUF_INIT;
	const char *found;
	for (wait_input(p); read_more(&in); wait_input(p)) {
		size_t at = 0;
		client_hold(p->client);
		while ((found = memchr(in.p + at, end, in.len - at))) {
			put_item(p, (struct span){in.p + at, (size_t)(found - in.p) - at});
			client_hold(p->client);
			at = (size_t)(found - in.p) + 1;
		}
		client_flush(p->client);
		buf_eat(&in, at);
	}
	if (in.len)
		put_item(p, buf_view(&in));
}

/* All of stdin; the newline at its end is not the item's, unless it is raw. */
static void put_whole(struct put *p)
{
	AUTO_BUF in = BUF_INIT;
	while (read_more(&in))
		;
	if (in.len && in.p[in.len - 1] == '\n' && !p->args->own[FLAG_RAW])
		in.len--;
	put_item(p, (struct span){in.p ? in.p : "", in.len});
}

static bool is_stdin(const struct args *a) { return a->nwords == 1 || (a->nwords == 2 && !strcmp(a->words[1], "-")); }

static void put_all(struct put *p)
{
	const struct args *a = p->args;
	if (a->own[FLAG_LINES] || a->own[FLAG_NULL])
		put_records(p, a->own[FLAG_NULL] ? '\0' : '\n');
	else if (is_stdin(a))
		put_whole(p);
	for (size_t i = 1; i < a->nwords && !is_stdin(a); i++)
		put_item(p, span_of(a->words[i]));
	put_finish(p);
}

static int put_run(struct client *c, struct args *a)
{
	struct put p = {.client = c, .args = a};
	const struct api_cmd *cmd = api_cmd(a->verb->cmd);
	bool limited = a->own[FLAG_NO_WAIT];
	for (size_t i = 0; i < cmd->nargs; i++)
		limited |= a->param[i] && cmd->args[i].type == API_DURATION;
	p.most = limited ? 1 : OPEN_MAX_CALLS;
	object_name(a, &a->members);
	object_flags(a);
	object_owner_default(a);
	put_all(&p);
	return STATUS_OK;
}

int verb_queue_put(struct client *c, struct args *a)
{
	object_named(a);
	if ((a->own[FLAG_LINES] || a->own[FLAG_NULL]) && !is_stdin(a))
		args_wrong(a, "--lines and --null are of stdin: either they or values");
	if (a->own[FLAG_LINES] && a->own[FLAG_NULL])
		args_wrong(a, "either --lines or --null, not both");
	return put_run(c, a);
}

int verb_pipe_send(struct client *c, struct args *a)
{
	object_named(a);
	args_most(a, 2);
	return put_run(c, a);
}
