/* SPDX-License-Identifier: MIT */
/* mpctl status: all about the daemon, or about processes, with the last lines each has written. */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/proc.h"
#include "cli/render.h"
#include "common/units.h"

static void put_seconds(struct buf *b, struct span value)
{
	nsec_t t;
	if (scan_seconds(value, &t) == 0)
		units_put_duration(b, t);
}

static void put_log(struct span data)
{
	AUTO_BUF text = BUF_INIT;
	scan_bytes(data, &text);
	for (const char *p = buf_str(&text); *p;) {
		size_t n = strcspn(p, "\n");
		buf_puts(&out, "  ");
		text_put(&out, (struct span){p, n});
		buf_putc(&out, '\n');
		p += n + (p[n] == '\n');
	}
}

/* What has no log, or an unreadable one, is shown without. */
static void put_last_lines(struct client *c, const struct proc *p)
{
	AUTO_BUF members = BUF_INIT;
	member(&members, "target");
	proc_target(&members, p);
	struct call *call = client_send(c, CMD_process_logs, &members, NULL, 0);
	client_wait(c, call, -1);
	struct span data = scan_get(call->result, "data");
	if (data.p && !proc_is(data, "\"\"")) {
		buf_puts(&out, "last lines:\n");
		put_log(data);
	}
	client_drop(call);
}

static void put_name(const char *name)
{
	buf_puts(&out, name);
	buf_puts(&out, ": ");
}

static void put_shown(const struct proc *p)
{
	put_name("command");
	text_words(&out, p->argv);
	buf_putc(&out, '\n');
	if (scan_type(p->uptime) != SCAN_NUMBER)
		return;
	put_name("ran for");
	put_seconds(&out, p->uptime);
	buf_putc(&out, '\n');
}

/* The members that say something, in the daemon's order; lists and lengths as a person reads them. */
static void put_members(const struct proc *p)
{
	struct span key, value;
	AUTO_BUF one = BUF_INIT;
	buf_putc(&one, '{');
	for (struct scan_iter it = scan_iter(p->json); scan_next(&it, &key, &value);) {
		bool empty = proc_is(value, "null") || proc_is(value, "\"\"") || proc_is(value, "[]");
		if (empty || span_is(key, "argv") || span_is(key, "uptime"))
			continue;
		buf_printf(&one, "%s\"%.*s\":%.*s", one.len > 1 ? "," : "", (int)key.n, key.p, (int)value.n, value.p);
	}
	buf_putc(&one, '}');
	text_object(&out, buf_view(&one));
}

static int status_daemon(struct client *c)
{
	struct span result = client_call(c, CMD_mpd_status, NULL);
	if (options.json)
		out_json(result);
	else
		text_object(&out, result);
	return STATUS_OK;
}

int verb_status(struct client *c, struct args *a)
{
	if (a->nwords == 0)
		return status_daemon(c);
	args_targets(a, 0, false, false);
	struct procs procs = procs_of(client_call(c, CMD_process_status, &a->members));
	for (size_t i = 0; i < procs.n; i++) {
		if (options.json) {
			out_json(procs.v[i].json);
			continue;
		}
		buf_puts(&out, i ? "\n" : "");
		put_members(&procs.v[i]);
		put_shown(&procs.v[i]);
		put_last_lines(c, &procs.v[i]);
	}
	procs_done(&procs);
	return STATUS_OK;
}
