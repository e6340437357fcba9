/* SPDX-License-Identifier: MIT */
/*
 * Verbs that run a command between two steps: lock NAME -- CMD, cond wait-for, barrier wait --action.
 *
 * A lock is held by mpctl's own process, which then becomes the command: it lasts exactly as long as the command's main
 * process, and nothing that the command leaves behind can keep it.
 */
#include "cli/child.h"
#include "cli/object.h"
#include "cli/render.h"
#include "cli/show.h"
#include "cli/wait.h"
#include "cli/who.h"
#include <stdio.h>

static void want_command(const struct args *a)
{
	if (!a->command || !a->command[0])
		args_wrong(a, "which command? put it behind --");
}

/* --- OBJECT NAME -- CMD ------------------------------------------------------------------------------------------ */

/* At once, so that who asks next finds it free: our end alone is noticed a moment later. */
static void give_back(struct client *c, const struct args *a, struct span token)
{
	AUTO_BUF members = BUF_INIT;
	char method[32];
	const char *kind = api_cmd(a->verb->cmd)->name;
	snprintf(method, sizeof(method), "%.*s.release", (int)strcspn(kind, "."), kind);
	object_name(a, &members);
	member_raw(&members, "owner", "\"process\"");
	member(&members, "token");
	buf_span(&members, token);
	client_wait(c, client_send(c, api_find(span_of(method))->id, &members, NULL, 0), -1);
}

static void tell_command(const struct args *a, struct span token)
{
	char text[32];
	snprintf(text, sizeof(text), "%.*s", (int)token.n, token.p);
	setenv("MPCTL_LOCK_NAME", a->words[0], 1);
	setenv("MPCTL_LOCK_TOKEN", text, 1);
}

int verb_hold(struct client *c, struct args *a)
{
	want_command(a);
	args_positional(a, 0);
	object_flags(a);
	member_raw(&a->members, "owner", "\"process\"");
	struct call *call = client_send(c, a->verb->cmd, &a->members, NULL, 0);
	struct span result = wait_result(c, call, a->words[0]), token = scan_get(result, "token");
	who_say_abandoned(call->cmd, a->words[0], result);
	tell_command(a, token);
	int status = child_exec(a->command);
	give_back(c, a, token);
	return status;
}

/* --- cond wait-for ----------------------------------------------------------------------------------------------- */

struct wait_for {
	struct client *client;
	struct args *args;
	nsec_t until;
	struct buf token;
};

static void put_request(const struct wait_for *w, struct buf *b)
{
	object_name(w->args, b);
	object_owner(w->args, b);
	if (w->args->param[NTH_condition_wait_tag]) {
		member(b, "tag");
		scan_put_str(b, span_of(w->args->param[NTH_condition_wait_tag]));
	}
}

static void put_timeout(const struct wait_for *w, struct buf *b)
{
	nsec_t left = w->until == NSEC_NEVER ? 0 : MAX(w->until - sys_now(), 0);
	if (w->until == NSEC_NEVER)
		return;
	member(b, "timeout");
	buf_printf(b, "%lld.%09lld", (long long)(left / NSEC_PER_SEC), (long long)(left % NSEC_PER_SEC));
}

/* Each acquisition has a token of its own. */
static void keep_token(struct wait_for *w, struct span result)
{
	buf_clear(&w->token, 0);
	buf_span(&w->token, scan_get(result, "token"));
}

static void acquire(struct wait_for *w)
{
	AUTO_BUF members = BUF_INIT;
	put_request(w, &members);
	put_timeout(w, &members);
	struct call *call = client_send(w->client, CMD_condition_acquire, &members, NULL, 0);
	struct span result = wait_result(w->client, call, w->args->words[0]);
	who_say_abandoned(call->cmd, w->args->words[0], result);
	keep_token(w, result);
}

static void release(const struct wait_for *w)
{
	AUTO_BUF members = BUF_INIT;
	put_request(w, &members);
	client_wait(w->client, client_send(w->client, CMD_condition_release, &members, NULL, 0), -1);
}

/* Until it is notified or the time is over. What cannot go on gives the lock back. */
static void wait_notified(struct wait_for *w)
{
	AUTO_BUF members = BUF_INIT;
	put_request(w, &members);
	put_timeout(w, &members);
	struct call *call = client_send(w->client, CMD_condition_wait, &members, NULL, 0);
	int signo = wait_answer(w->client, call, w->args->words[0]);
	if (signo) {
		release(w);
		wait_die(signo);
	}
	keep_token(w, client_result(w->client, call));
	client_drop(call);
}

/* The test's status: 0, or the last one when no more is to come. */
static int test_until(struct wait_for *w)
{
	const struct child test = {.argv = w->args->command, .to_stderr = true};
	for (;;) {
		bool last = sys_now() >= w->until;
		int signo, status = child_run(&test, &signo);
		if (signo) {
			release(w);
			wait_die(signo);
		}
		if (status == 0 || status == STATUS_NOT_EXECUTABLE || status == STATUS_NOT_FOUND)
			return status;
		if (last)
			return object_tries(w->args) ? STATUS_WOULD_BLOCK : STATUS_TIMEOUT;
		wait_notified(w);
	}
}

int verb_wait_for(struct client *c, struct args *a)
{
	const char *timeout = a->param[NTH_condition_wait_timeout];
	want_command(a);
	args_positional(a, 0);
	object_flags(a);
	struct wait_for w = {c, a, NSEC_NEVER, BUF_INIT};
	if (timeout || a->own[FLAG_NO_WAIT])
		w.until = sys_now() + (timeout ? args_duration(timeout) : 0);
	acquire(&w);
	int status = test_until(&w);
	if (status == STATUS_OK)
		out_json(buf_view(&w.token));
	else
		release(&w);
	if (status == STATUS_TIMEOUT && !options.quiet)
		say("%s %s: timed out", a->verb->name, a->words[0]);
	buf_done(&w.token);
	return status;
}

/* --- barrier wait ------------------------------------------------------------------------------------------------ */

static bool run_action(const char *action)
{
	char *argv[] = {"sh", "-c", (char *)(uintptr_t)action, NULL};
	int signo, status = child_run(&(struct child){.argv = argv, .to_stderr = true}, &signo);
	if (status)
		say("barrier: the action failed with %d", status);
	return status == 0;
}

/* The answer asked for the action, whoever made the barrier: all others wait for the word that it is done. */
static void finish_action(struct client *c, struct args *a, struct span result)
{
	AUTO_BUF members = BUF_INIT;
	bool ok = !a->own[FLAG_ACTION] || run_action(a->own[FLAG_ACTION]);
	object_name(a, &members);
	member(&members, "generation");
	buf_span(&members, scan_get(result, "generation"));
	member_raw(&members, "ok", ok ? "true" : "false");
	if (a->own[FLAG_OWNER])
		object_owner(a, &members);
	struct call *call = client_send(c, CMD_barrier_action_done, &members, NULL, 0);
	client_result(c, call);
	if (!ok)
		quit(STATUS_FAILED);
}

int verb_barrier_wait(struct client *c, struct args *a)
{
	args_positional(a, 0);
	object_flags(a);
	object_owner_default(a);
	if (a->own[FLAG_ACTION])
		member_raw(&a->members, "action", "true");
	struct call *call = client_send(c, a->verb->cmd, &a->members, NULL, 0);
	struct span result = wait_result(c, call, a->words[0]);
	if (span_is(scan_get(result, "run_action"), "true"))
		finish_action(c, a, result);
	return show_answer(a, call);
}
