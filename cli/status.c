/* SPDX-License-Identifier: MIT */
/* mpctl status: all about the daemon, or about processes, with the last lines each has written. */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/proc.h"
#include "cli/render.h"
#include "common/units.h"
#include <time.h>

/* --- values as a person reads them ------------------------------------------------------------------------------ */

static nsec_t told_at; /* the daemon's clock when it answered */

static void put_seconds(struct buf *b, struct span value)
{
	nsec_t t;
	if (scan_seconds(value, &t) == 0)
		units_put_duration(b, t);
}

static void put_bytes(struct buf *b, struct span value)
{
	uint64_t n;
	if (scan_u64(value, &n) == 0)
		units_put_size(b, n);
}

/* "2026-01-31 12:00:00 (5.2s ago)": the daemon's clock begins at the boot, ours is that of the wall. */
static void put_moment(struct buf *b, struct span value)
{
	nsec_t t;
	struct tm tm;
	char text[64];
	if (scan_seconds(value, &t) < 0)
		return;
	nsec_t ago = MAX(told_at - t, 0);
	time_t wall = (time_t)((sys_clock(CLOCK_REALTIME) - ago) / NSEC_PER_SEC);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime_r(&wall, &tm));
	buf_printf(b, "%s (", text);
	units_put_duration(b, ago);
	buf_puts(b, " ago)");
}

static void put_rusage(struct buf *b, struct span value)
{
	buf_puts(b, "user ");
	put_seconds(b, scan_get(value, "user"));
	buf_puts(b, ", system ");
	put_seconds(b, scan_get(value, "system"));
	buf_puts(b, ", memory ");
	put_bytes(b, scan_get(value, "maxrss"));
}

static const struct {
	const char *member;
	void (*put)(struct buf *, struct span);
} formats[] = {
	{"created", put_moment},       {"started", put_moment}, {"ended", put_moment}, {"uptime", put_seconds},
	{"stop_timeout", put_seconds}, {"cpu", put_seconds},    {"mem", put_bytes},    {"rusage", put_rusage},
};

static void put_value(struct span key, struct span value)
{
	for (size_t i = 0; i < ARRAY_LEN(formats); i++)
		if (span_is(key, formats[i].member)) {
			formats[i].put(&out, value);
			return;
		}
	text_value(&out, value);
}

/* --- one process ------------------------------------------------------------------------------------------------ */

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

static void put_command(const struct proc *p)
{
	if (scan_count(p->argv) == 0)
		return;
	buf_puts(&out, "command: ");
	text_words(&out, p->argv);
	buf_putc(&out, '\n');
}

/* The members that say something, in the daemon's order. */
static void put_members(struct span object)
{
	struct span key, value;
	for (struct scan_iter it = scan_iter(object); scan_next(&it, &key, &value);) {
		bool empty = proc_is(value, "null") || proc_is(value, "\"\"") || proc_is(value, "[]");
		if (empty || span_is(key, "argv"))
			continue;
		text_put(&out, key);
		buf_puts(&out, ": ");
		put_value(key, value);
		buf_putc(&out, '\n');
	}
}

static int status_daemon(struct client *c)
{
	struct span result = client_call(c, CMD_mpd_status, NULL);
	if (options.json)
		out_json(result);
	else
		put_members(result);
	return STATUS_OK;
}

int verb_status(struct client *c, struct args *a)
{
	if (a->nwords == 0)
		return status_daemon(c);
	args_targets(a, 0, false, false);
	struct span result = client_call(c, CMD_process_status, &a->members);
	struct procs procs = procs_of(result);
	scan_seconds(scan_get(result, "now"), &told_at);
	for (size_t i = 0; i < procs.n; i++) {
		if (options.json) {
			out_json(procs.v[i].json);
			continue;
		}
		buf_puts(&out, i ? "\n" : "");
		put_members(procs.v[i].json);
		put_command(&procs.v[i]);
		put_last_lines(c, &procs.v[i]);
	}
	procs_done(&procs);
	return STATUS_OK;
}
