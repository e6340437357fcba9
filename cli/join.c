/* SPDX-License-Identifier: MIT */
/* The verbs that ask how processes are and how they ended: join, is-alive, exitcode, pid. */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/proc.h"
#include "cli/render.h"
#include "common/units.h"

/* "web exited 0", "web died by signal 9 (KILL)". */
static void print_end(const struct proc *p)
{
	int status = proc_status(p);
	text_json(&out, p->name);
	if (scan_type(p->id) == SCAN_NULL)
		buf_puts(&out, " was never started\n");
	else if (status < 0)
		buf_puts(&out, " ended, nobody knows how\n");
	else if (*p->exitcode.p == '-')
		buf_printf(&out, " died by signal %d (%s)\n", status - STATUS_SIGNAL,
			   units_signal_name(status - STATUS_SIGNAL));
	else
		buf_printf(&out, " exited %d\n", status);
}

static void print_ends(struct procs procs)
{
	for (size_t i = 0; i < procs.n && !options.quiet; i++)
		if (options.json)
			out_json(procs.v[i].json);
		else
			print_end(&procs.v[i]);
}

/* The first that is not 0, in argument order; an unknown end counts as a failure. */
static int first_status(struct procs procs)
{
	for (size_t i = 0; i < procs.n; i++) {
		int status = proc_status(&procs.v[i]);
		if (status != 0)
			return status < 0 ? STATUS_FAILED : status;
	}
	return STATUS_OK;
}

static void say_pending(struct span pending)
{
	AUTO_BUF names = BUF_INIT;
	struct span key, value;
	for (struct scan_iter it = scan_iter(pending); scan_next(&it, &key, &value);) {
		buf_puts(&names, names.len ? ", " : "");
		text_json(&names, value);
	}
	say("timed out, not ended yet: %s", buf_str(&names));
}

int verb_join(struct client *c, struct args *a)
{
	AUTO_BUF whom = BUF_INIT;
	args_targets(a, 0, false, false);
	member_words(&whom, "targets", a->words, a->nwords);
	if (a->own[FLAG_NO_WAIT] && a->param[NTH_process_join_timeout])
		args_wrong(a, "either --no-wait or --timeout, not both");
	if (a->own[FLAG_NO_WAIT])
		member_raw(&a->members, "timeout", "0");
	struct span result = procs_wait(c, CMD_process_join, &a->members, &whom);
	struct procs procs = procs_of(result);
	print_ends(procs);
	int status = first_status(procs);
	if (span_is(scan_get(result, "done"), "false"))
		status = a->own[FLAG_NO_WAIT] ? STATUS_WOULD_BLOCK : STATUS_TIMEOUT;
	if (status == STATUS_TIMEOUT && !options.quiet && a->param[NTH_process_join_timeout])
		say_pending(scan_get(result, "pending"));
	procs_done(&procs);
	return status;
}

/* --- the value alone --------------------------------------------------------------------------------------------- */

static const struct span nothing = {"", 0};

static struct span value_nothing(const struct proc *p)
{
	(void)p;
	return nothing;
}

static struct span value_exitcode(const struct proc *p)
{
	return proc_alive(p) || proc_status(p) < 0 ? nothing : p->exitcode;
}

/* It stays after the end, for the record; the status says that it is of the past. */
static struct span value_pid(const struct proc *p) { return scan_type(p->pid) == SCAN_NUMBER ? p->pid : nothing; }

/* Prints VALUE of each process. STATUS_NOT_RUNNING unless there are some, and all of them are ALIVE, or (not ALIVE)
 * have a value. */
static int print_values(struct client *c, struct args *a, bool alive, struct span (*value)(const struct proc *))
{
	args_targets(a, 0, false, false);
	struct procs procs = procs_of(client_call(c, CMD_process_status, &a->members));
	int status = procs.n ? STATUS_OK : STATUS_NOT_RUNNING;
	for (size_t i = 0; i < procs.n; i++) {
		struct span text = value(&procs.v[i]);
		bool is = alive ? proc_alive(&procs.v[i]) : text.n > 0;
		status = is ? status : STATUS_NOT_RUNNING;
		if (options.json)
			out_json(procs.v[i].json);
		else if (text.n)
			out_json(text);
	}
	procs_done(&procs);
	return status;
}

int verb_is_alive(struct client *c, struct args *a) { return print_values(c, a, true, value_nothing); }
int verb_exitcode(struct client *c, struct args *a) { return print_values(c, a, false, value_exitcode); }
int verb_pid(struct client *c, struct args *a) { return print_values(c, a, true, value_pid); }
