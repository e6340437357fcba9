/* SPDX-License-Identifier: MIT */
/*
 * Items out of queues: queue get.
 *
 * mpctl's own process claims the item, and settles the claim when what it was for has succeeded: it is written, or the
 * command has exited 0. However mpctl ends before, the item goes back. Only with --ack manual, and from a joinable
 * queue, the claim stays with mpctl's parent.
 */
#include "cli/child.h"
#include "cli/object.h"
#include "cli/payload.h"
#include "cli/render.h"
#include "cli/wait.h"
#include <signal.h>
#include <stdio.h>

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
	object_name(g->args, &members);
	member(&members, "claim");
	buf_span(&members, claim);
	client_send(g->client, cmd, &members, NULL, 0);
}

static void ack_send(const struct get *g, struct span got) { settle_send(g, CMD_queue_ack, scan_get(got, "claim")); }
static void nack_send(const struct get *g, struct span got) { settle_send(g, CMD_queue_nack, scan_get(got, "claim")); }

/* Waits for the answers to all that was sent since GOT. What was claimed for too long is somebody else's now: that
 * fails. */
static void settle_finish(const struct get *g, const struct call *got)
{
	struct list *calls = &g->client->calls;
	struct call *call, *next;
	LIST_EACH_SAFE (call, next, calls, by_client) {
		if (call->id <= got->id || call->posted)
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

static int print_got(const struct get *g, const struct call *call)
{
	if (g->args->own[FLAG_RAW])
		buf_span(&out, buf_view(&call->raw));
	else
		each_got(g, call, print_item);
	bool written = out_try();
	if (written && g->claimant != CLAIM_OURS)
		return STATUS_OK;
	client_hold(g->client);
	each_got(g, call, written ? ack_send : nack_send);
	client_flush(g->client);
	settle_finish(g, call);
	if (!written)
		quit(STATUS_FAILED);
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
	object_name(a, &members);
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
	object_named(a);
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
	object_name(a, &a->members);
	object_flags(a);
	if (g.claimant == CLAIM_OURS)
		member_raw(&a->members, "owner", "\"process\"");
	else
		object_owner(a, &a->members);
	member_raw(&a->members, "ack", "\"manual\"");
	g.members = a->members;
	return get_all(&g);
}
