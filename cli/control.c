/* SPDX-License-Identifier: MIT */
/*
 * The verbs that change processes and jobs: start, stop, restart, terminate, kill, signal, forget. They succeed
 * silently; -v shows what was meant, --json each process.
 */
#include "cli/client.h"
#include "cli/launch.h"
#include "cli/proc.h"
#include "cli/render.h"
#include "common/units.h"

static void print_verbose(struct procs procs)
{
	for (size_t i = 0; i < procs.n; i++) {
		text_json(&out, procs.v[i].name);
		buf_putc(&out, ' ');
		text_json(&out, procs.v[i].state);
		buf_putc(&out, '\n');
	}
}

static bool has_failed(const struct proc *p)
{
	return proc_is(p->state, "\"failed\"") || proc_is(p->state, "\"backoff\"");
}

/* A job that was started and does not run is a failure, with its reason. */
static int complain_failed(struct procs procs)
{
	int status = STATUS_OK;
	for (size_t i = 0; i < procs.n; i++) {
		AUTO_BUF line = BUF_INIT;
		if (!has_failed(&procs.v[i]))
			continue;
		text_json(&line, procs.v[i].name);
		buf_puts(&line, ": ");
		text_json(&line, procs.v[i].state);
		buf_puts(&line, ", ");
		text_json(&line, procs.v[i].reason);
		say("%s", buf_str(&line));
		status = STATUS_FAILED;
	}
	return status;
}

static int complain_timeout(const struct args *a, struct procs procs)
{
	AUTO_BUF names = BUF_INIT;
	procs_names(&names, procs);
	say("%s: timed out%s%s", a->verb->name, names.len ? ", left: " : "", buf_str(&names));
	return STATUS_TIMEOUT;
}

enum waits { WAITS_NOT, WAITS_END, WAITS_START };

static int finish(const struct args *a, struct span result, enum waits waits)
{
	int status = STATUS_OK;
	struct procs procs = procs_of(result);
	if (options.json)
		procs_json(procs);
	else if (options.verbose)
		print_verbose(procs);
	if (waits != WAITS_NOT && span_is(scan_get(result, "done"), "false"))
		status = complain_timeout(a, procs);
	else if (waits == WAITS_START)
		status = complain_failed(procs);
	procs_done(&procs);
	return status;
}

/* Sends the verb's request, whose targets begin after SKIP words, and waits as long as the daemon does. */
static int act(struct client *c, struct args *a, size_t skip, bool all, enum waits waits)
{
	args_targets(a, skip, all, false);
	AUTO_BUF whom = BUF_INIT;
	if (a->nwords > skip)
		member_words(&whom, "targets", a->words + skip, a->nwords - skip);
	if (a->own[FLAG_NO_WAIT])
		member_raw(&a->members, "wait", "false");
	if (a->own[FLAG_LEADER_ONLY])
		member_raw(&a->members, "tree", "false");
	struct span result = procs_wait(c, a->verb->cmd, &a->members, &whom);
	return finish(a, result, a->own[FLAG_NO_WAIT] ? WAITS_NOT : waits);
}

int verb_start(struct client *c, struct args *a) { return act(c, a, 0, a->param[NTH_job_start_all], WAITS_START); }

int verb_stop(struct client *c, struct args *a) { return act(c, a, 0, a->param[NTH_process_stop_all], WAITS_END); }

int verb_restart(struct client *c, struct args *a) { return act(c, a, 0, a->param[NTH_job_restart_all], WAITS_START); }

int verb_kill(struct client *c, struct args *a) { return act(c, a, 0, a->param[NTH_process_kill_all], WAITS_END); }

/* It alone does not wait by itself, as in Python. */
int verb_terminate(struct client *c, struct args *a)
{
	bool waits = a->own[FLAG_WAIT] || a->param[NTH_process_terminate_timeout];
	if (waits && a->own[FLAG_NO_WAIT])
		args_wrong(a, "either --no-wait or a wait, not both");
	if (waits)
		member_raw(&a->members, "wait", "true");
	return act(c, a, 0, a->param[NTH_process_terminate_all], waits ? WAITS_END : WAITS_NOT);
}

int verb_signal(struct client *c, struct args *a)
{
	int signo;
	if (a->nwords == 0)
		args_wrong(a, "which signal?");
	if (units_signal(span_of(a->words[0]), &signo) < 0)
		args_wrong(a, "\"%s\" is no signal", a->words[0]);
	if (a->own[FLAG_LEADER_ONLY] && a->param[NTH_process_signal_tree])
		args_wrong(a, "either --tree or --leader-only, not both");
	member_int(&a->members, "signal", signo);
	return act(c, a, 1, a->param[NTH_process_signal_all], WAITS_NOT);
}

int verb_forget(struct client *c, struct args *a)
{
	args_targets(a, 0, false, false);
	struct span result = client_call(c, CMD_process_forget, &a->members);
	if (options.json)
		out_json(result);
	return STATUS_OK;
}

/* --- starting a command ------------------------------------------------------------------------------------------ */

static void print_name(struct span started)
{
	text_json(&out, scan_get(started, "name"));
	buf_putc(&out, '\n');
}

static void print_started(struct span result)
{
	struct span several = scan_get(result, "processes"), key, value;
	void (*print)(struct span) = options.json ? out_json : print_name;
	if (!several.p) {
		print(result);
		return;
	}
	for (struct scan_iter it = scan_iter(several); scan_next(&it, &key, &value);)
		print(value);
}

int verb_start_command(struct client *c, struct args *a)
{
	struct launch l;
	args_most(a, 0);
	launch_init(&l, a, a->param[NTH_process_start_daemon] ? getppid() : 0);
	struct call *call = launch_send(c, &l);
	client_wait(c, call, -1);
	launch_done(&l);
	struct span result = client_result(c, call);
	if (!options.quiet)
		print_started(result);
	return STATUS_OK;
}
