/* SPDX-License-Identifier: MIT */
/*
 * Items into and out of queues, and messages into pipes.
 *
 * 1. put: one item a request, in order. Without a time limit many requests are on their way at once, so that a stream
 *    goes as fast as it comes and stops where the queue is full; with one each is waited for, so that none that comes
 *    later gets past one that did not fit.
 * 2. get: mpctl's own process claims the item, and settles the claim when what it was for has succeeded: it is written,
 *    or the command has exited 0. However mpctl ends before, the item goes back. Only with --ack manual, and from a
 *    joinable queue, the claim stays with mpctl's parent.
 */
#include "cli/child.h"
#include "cli/object.h"
#include "cli/payload.h"
#include "cli/render.h"
#include "cli/wait.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>

static void put_name(struct buf *b, const struct args *a)
{
	member(b, "name");
	scan_put_str(b, span_of(a->words[0]));
}

static void need_name(const struct args *a)
{
	const struct api_arg *name = &api_cmd(a->verb->cmd)->args[0];
	if (a->nwords == 0)
		args_wrong(a, "%s is missing: %s", name->hint, name->help);
}

/* --- put --------------------------------------------------------------------------------------------------------- */

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
	put_name(&a->members, a);
	object_flags(a);
	object_owner_default(a);
	put_all(&p);
	return STATUS_OK;
}

int verb_queue_put(struct client *c, struct args *a)
{
	need_name(a);
	if ((a->own[FLAG_LINES] || a->own[FLAG_NULL]) && !is_stdin(a))
		args_wrong(a, "--lines and --null are of stdin: either they or values");
	if (a->own[FLAG_LINES] && a->own[FLAG_NULL])
		args_wrong(a, "either --lines or --null, not both");
	return put_run(c, a);
}

int verb_pipe_send(struct client *c, struct args *a)
{
	need_name(a);
	args_most(a, 2);
	return put_run(c, a);
}

/* --- get --------------------------------------------------------------------------------------------------------- */

enum claimant { CLAIM_OURS, CLAIM_PARENTS, CLAIM_SHOWN };

struct get {
	struct client *client;
	struct args *args;
	struct buf members;
	enum claimant claimant; /* shown: the parent's, and its number printed */
};

/* Calls EACH with what was got: one item, or all of an answer to --max. */
static void each_got(const struct get *g, const struct call *got, void (*each)(const struct get *, struct span))
{
	struct span items = scan_get(got->result, "items"), key, one;
	if (!items.p)
		each(g, got->result);
	for (struct scan_iter it = scan_iter(items); items.p && scan_next(&it, &key, &one);)
		each(g, one);
}

static void settle_send(const struct get *g, enum api_id cmd, struct span claim)
{
	AUTO_BUF members = BUF_INIT;
	put_name(&members, g->args);
	member(&members, "claim");
	buf_span(&members, claim);
	client_send(g->client, cmd, &members, NULL, 0);
}

static void ack_send(const struct get *g, struct span got) { settle_send(g, CMD_queue_ack, scan_get(got, "claim")); }

/* Waits for the answers to all that was sent since GOT. What was claimed for too long is somebody else's now: that
 * fails. */
static void settle_finish(const struct get *g, const struct call *got)
{
	struct list *calls = &g->client->calls;
	struct call *call, *next;
	LIST_EACH_SAFE (call, next, calls, by_client) {
		if (call->id <= got->id)
			continue;
		client_result(g->client, call);
		client_drop(call);
	}
}

static void tell_command(const struct get *g, struct span claim)
{
	char text[32];
	snprintf(text, sizeof(text), "%.*s", (int)claim.n, claim.p);
	setenv("MPCTL_QUEUE", g->args->words[0], 1);
	setenv("MPCTL_CLAIM", text, 1);
}

/* The item's bytes, as they would be printed. */
static void put_input(const struct get *g, const struct call *call, struct buf *b)
{
	if (g->args->own[FLAG_RAW]) {
		buf_span(b, buf_view(&call->raw));
		return;
	}
	struct span item = scan_get(call->result, "item");
	if (options.json)
		buf_span(b, item);
	else
		payload_put(b, item);
	buf_putc(b, '\n');
}

static int feed_command(const struct get *g, const struct call *call)
{
	AUTO_BUF text = BUF_INIT;
	struct span claim = scan_get(call->result, "claim");
	int signo;
	put_input(g, call, &text);
	tell_command(g, claim);
	const struct span input = {text.p ? text.p : "", text.len};
	int status = child_run(&(struct child){.argv = g->args->command, .input = &input}, &signo);
	settle_send(g, status == 0 ? CMD_queue_ack : CMD_queue_nack, claim);
	settle_finish(g, call);
	if (signo)
		wait_die(signo);
	return status;
}

/* "CLAIM<TAB>ITEM"; in JSON the whole of what the daemon says of it. */
static void print_item(const struct get *g, struct span got)
{
	if (g->claimant == CLAIM_SHOWN && options.json) {
		out_json(got);
		return;
	}
	if (g->claimant == CLAIM_SHOWN) {
		buf_span(&out, scan_get(got, "claim"));
		buf_putc(&out, '\t');
	}
	payload_print_item(scan_get(got, "item"));
	buf_putc(&out, '\n');
}

/* out_flush() ends us where it cannot write, and the claims with us. */
static int print_got(const struct get *g, const struct call *call)
{
	if (g->args->own[FLAG_RAW])
		buf_span(&out, buf_view(&call->raw));
	else
		each_got(g, call, print_item);
	out_flush();
	if (g->claimant != CLAIM_OURS)
		return STATUS_OK;
	client_hold(g->client);
	each_got(g, call, ack_send);
	client_flush(g->client);
	settle_finish(g, call);
	return STATUS_OK;
}

/* What was granted to us in the moment of the signal goes back at our end; the parent's is shown. */
static int get_once(const struct get *g, bool *ret_closed)
{
	struct call *call = client_send(g->client, CMD_queue_get, &g->members, NULL, 0);
	int signo = wait_answer(g->client, call, g->args->words[0]);
	if (signo && (call->error.p || g->claimant == CLAIM_OURS))
		wait_die(signo);
	*ret_closed = call_failed_with(call, FAULT_CLOSED);
	if (*ret_closed && g->args->own[FLAG_FOLLOW])
		return STATUS_OK;
	client_result(g->client, call);
	int status = g->args->command ? feed_command(g, call) : print_got(g, call);
	client_drop(call);
	return status;
}

/* A worker goes on after an item that failed, but not when its command cannot be executed at all. */
static int get_all(const struct get *g)
{
	bool closed = false;
	int status;
	do
		status = get_once(g, &closed);
	while (g->args->own[FLAG_FOLLOW] && !closed && status != STATUS_NOT_EXECUTABLE && status != STATUS_NOT_FOUND);
	return status;
}

/* Tasks of a joinable queue count until they are done, which mpctl cannot know of what it prints. */
static bool is_joinable(struct client *c, const struct args *a)
{
	AUTO_BUF members = BUF_INIT;
	put_name(&members, a);
	member_raw(&members, "kind", "\"queue\"");
	struct call *call = client_send(c, CMD_object_info, &members, NULL, 0);
	client_wait(c, call, -1);
	if (call_failed_with(call, FAULT_NOT_FOUND))
		quit(call_complain(call));
	bool is = span_is(scan_get(scan_get(call->result, "state"), "joinable"), "true");
	client_drop(call);
	return is;
}

static void check_get(const struct args *a)
{
	bool manual = a->own[FLAG_ACK] && !strcmp(a->own[FLAG_ACK], "manual");
	bool several = a->param[NTH_queue_get_max];
	need_name(a);
	args_most(a, 1);
	if (a->command && !a->command[0])
		args_wrong(a, "which command? put it behind --");
	if (a->command && manual)
		args_wrong(a, "either --ack manual or a command, which settles what it got by its status");
	if (a->command && several)
		args_wrong(a, "either --max or a command, which gets one item at a time");
	if (a->own[FLAG_RAW] && (several || manual))
		args_wrong(a, "either --raw or --%s, not both", several ? "max" : "ack manual");
}

static enum claimant claimant_of(struct client *c, const struct args *a)
{
	if (a->command)
		return CLAIM_OURS;
	if (a->own[FLAG_ACK] && !strcmp(a->own[FLAG_ACK], "manual"))
		return CLAIM_SHOWN;
	return is_joinable(c, a) ? CLAIM_PARENTS : CLAIM_OURS;
}

int verb_queue_get(struct client *c, struct args *a)
{
	check_get(a);
	struct get g = {.client = c, .args = a, .claimant = claimant_of(c, a)};
	if (!a->command)
		signal(SIGPIPE, SIG_IGN);
	put_name(&a->members, a);
	object_flags(a);
	if (g.claimant == CLAIM_OURS)
		member_raw(&a->members, "owner", "\"process\"");
	else
		object_owner(a, &a->members);
	member_raw(&a->members, "ack", "\"manual\"");
	g.members = a->members;
	return get_all(&g);
}
