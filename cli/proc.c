/* SPDX-License-Identifier: MIT */
/* Processes as the daemon describes them: proc.h. */
#include "cli/proc.h"
#include "cli/args.h"
#include "cli/client.h"
#include "cli/render.h"

static const struct {
	struct span name;
	size_t offset;
} members[] = {
#define X(member) {SPAN(#member), offsetof(struct proc, member)},
	PROC_MEMBERS(X)
#undef X
};

/* The daemon writes members in the order of the table, so the search goes on where the last one ended. */
void proc_read(struct proc *p, struct span object)
{
	struct span key, value;
	size_t at = 0;
	*p = (struct proc){.json = object};
	for (struct scan_iter it = scan_iter(object); scan_next(&it, &key, &value);)
		for (size_t tried = 0; tried < ARRAY_LEN(members); tried++, at = (at + 1) % ARRAY_LEN(members))
			if (span_eq(key, members[at].name)) {
				*(struct span *)((char *)p + members[at].offset) = value;
				break;
			}
}

struct procs procs_of(struct span result)
{
	struct span array = scan_get(result, "processes"), key, value;
	struct procs procs = {.v = calloc(scan_count(array) + 1, sizeof(struct proc))};
	if (!procs.v)
		die(STATUS_FAILED, "out of memory");
	for (struct scan_iter it = scan_iter(array); scan_next(&it, &key, &value); procs.n++)
		proc_read(&procs.v[procs.n], value);
	return procs;
}

void procs_done(struct procs *procs)
{
	free(procs->v);
	*procs = (struct procs){0};
}

bool proc_is(struct span value, const char *json) { return span_is(value, json); }
bool proc_alive(const struct proc *p) { return proc_is(p->alive, "true"); }

bool proc_of_job(const struct proc *p) { return p->job.p && !proc_is(p->job, "null"); }

bool proc_over(const struct proc *p)
{
	return proc_is(p->state, "\"exited\"") || proc_is(p->state, "\"stopped\"") || proc_is(p->state, "\"failed\"");
}

int proc_status(const struct proc *p)
{
	int64_t code;
	if (scan_i64(p->exitcode, &code) < 0)
		return -1;
	return code < 0 ? STATUS_SIGNAL + (int)-code : (int)code;
}

nsec_t proc_ran(const struct proc *p)
{
	nsec_t started, ended;
	return scan_seconds(p->started, &started) == 0 && scan_seconds(p->ended, &ended) == 0 ? ended - started : 0;
}

void proc_target(struct buf *b, const struct proc *p)
{
	if (proc_of_job(p))
		buf_span(b, p->name);
	else
		buf_printf(b, "\"#%.*s\"", (int)p->id.n, p->id.p);
}

void procs_json(struct procs procs)
{
	for (size_t i = 0; i < procs.n; i++)
		out_json(procs.v[i].json);
}

void procs_names(struct buf *b, struct procs procs)
{
	size_t named = 0, more = 0;
	for (size_t i = 0; i < procs.n; i++) {
		const struct proc *p = &procs.v[i];
		if (proc_over(p))
			continue;
		if (named == 3) {
			more++;
			continue;
		}
		buf_puts(b, named++ ? ", " : "");
		text_json(b, p->name);
		buf_puts(b, " (");
		text_json(b, p->state);
		if (proc_alive(p))
			buf_printf(b, ", pid %.*s", (int)p->pid.n, p->pid.p);
		buf_putc(b, ')');
	}
	if (more)
		buf_printf(b, " and %zu more", more);
}

static void say_waiting(struct client *c, const struct buf *whom)
{
	AUTO_BUF names = BUF_INIT;
	struct call *call = client_send(c, CMD_process_list, whom, NULL, 0);
	client_wait(c, call, -1);
	struct procs procs = procs_of(call->result);
	procs_names(&names, procs);
	if (names.len)
		say("waiting for %s", buf_str(&names));
	procs_done(&procs);
	client_drop(call);
}

struct span procs_wait(struct client *c, enum api_id cmd, const struct buf *request, const struct buf *whom)
{
	struct call *call = client_send(c, cmd, request, NULL, 0);
	if (!options.quiet && isatty(STDERR_FILENO) && !client_wait(c, call, 1000))
		say_waiting(c, whom);
	return client_result(c, call);
}
