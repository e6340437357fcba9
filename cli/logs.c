/* SPDX-License-Identifier: MIT */
/*
 * mpctl logs: the last lines of what processes have written, and with -f what comes. Each process is a stream; all
 * share the connection, and each has one request open.
 *
 * A stream ends when its process is over and a read after that found nothing. A job's goes on over its restarts.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/proc.h"
#include "cli/render.h"

#define POLL_SECONDS 1 /* how long the daemon waits for output before the stream asks whether there can be more */

enum stage { FOLLOWS, CHECKS, ENDS, OVER };

struct stream {
	const struct args *args;
	struct span name;  /* JSON */
	struct buf target; /* JSON: a job's instance by its name, a process by its id */
	struct buf part;   /* of a line whose end has not come */
	int64_t from;
	enum stage stage;
	struct call *call;
	bool prefix;
};

/* --- printing ---------------------------------------------------------------------------------------------------- */

static void print_line(const struct stream *s, struct span line)
{
	if (options.json) {
		buf_puts(&out, "{\"name\":");
		buf_span(&out, s->name);
		buf_puts(&out, ",\"line\":");
		scan_put_bytes(&out, line);
		buf_puts(&out, "}\n");
		return;
	}
	text_json(&out, s->name);
	buf_puts(&out, " | ");
	buf_span(&out, line);
	buf_putc(&out, '\n');
}

static void print_lines(struct stream *s)
{
	struct span left = buf_view(&s->part);
	const char *newline;
	while (left.n && (newline = memchr(left.p, '\n', left.n))) {
		size_t n = (size_t)(newline - left.p);
		print_line(s, (struct span){left.p, n});
		left = (struct span){left.p + n + 1, left.n - n - 1};
	}
	buf_eat(&s->part, s->part.len - left.n);
}

/* Prints the answer's data, and goes on behind it. False: there was none. */
static bool print_data(struct stream *s, struct span result)
{
	bool whole_lines = s->prefix || options.json;
	struct buf *to = whole_lines ? &s->part : &out;
	size_t before = to->len;
	int64_t next = s->from;
	scan_bytes(scan_get(result, "data"), to);
	bool some = to->len > before;
	scan_i64(scan_get(result, "next"), &next);
	some |= next > s->from;
	s->from = next;
	if (whole_lines)
		print_lines(s);
	return some;
}

static void finish(struct stream *s)
{
	if (s->part.len)
		print_line(s, buf_view(&s->part));
	buf_clear(&s->part, 0);
	s->stage = OVER;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void put_target(const struct stream *s, struct buf *b)
{
	member_raw(b, "target", buf_str(&s->target));
	if (s->args->param[NTH_process_logs_stderr])
		member_raw(b, "stderr", "true");
}

static struct call *send_read(struct client *c, const struct stream *s, int timeout)
{
	AUTO_BUF members = BUF_INIT;
	put_target(s, &members);
	member_int(&members, "from", s->from);
	if (timeout)
		member_int(&members, "timeout", timeout);
	return client_send(c, CMD_process_logs, &members, NULL, 0);
}

static struct call *send_check(struct client *c, const struct stream *s)
{
	AUTO_BUF members = BUF_INIT;
	member_raw(&members, "targets", buf_str(&s->target));
	return client_send(c, CMD_process_status, &members, NULL, 0);
}

static bool is_over(struct span result)
{
	struct procs procs = procs_of(result);
	bool over = procs.n == 0 || (proc_over(&procs.v[0]) && !proc_alive(&procs.v[0]));
	procs_done(&procs);
	return over;
}

/* Takes the answer in S->call, and sends what comes next. */
static void stream_step(struct client *c, struct stream *s)
{
	struct call *call = s->call;
	if (call->error.p) {
		call_complain(call);
		finish(s);
	} else if (s->stage == CHECKS) {
		s->stage = is_over(call->result) ? ENDS : FOLLOWS;
	} else if (!print_data(s, call->result)) {
		if (s->stage == ENDS)
			finish(s);
		else
			s->stage = CHECKS;
	}
	client_drop(call);
	s->call = NULL;
	if (s->stage == CHECKS)
		s->call = send_check(c, s);
	else if (s->stage != OVER)
		s->call = send_read(c, s, s->stage == FOLLOWS ? POLL_SECONDS : 0);
}

/* The last lines, all of them: the daemon gives a piece at a time. */
static int stream_last(struct client *c, struct stream *s)
{
	AUTO_BUF members = BUF_INIT;
	int64_t size = 0;
	put_target(s, &members);
	if (s->args->param[NTH_process_logs_lines])
		member_raw(&members, "lines", s->args->param[NTH_process_logs_lines]);
	struct call *call = client_send(c, CMD_process_logs, &members, NULL, 0);
	client_wait(c, call, -1);
	int status = call->error.p ? call_complain(call) : STATUS_OK;
	scan_i64(scan_get(call->result, "size"), &size);
	while (call->result.p && print_data(s, call->result) && s->from < size) {
		client_drop(call);
		call = send_read(c, s, 0);
		client_wait(c, call, -1);
	}
	client_drop(call);
	return status;
}

static void follow(struct client *c, struct stream *streams, size_t n)
{
	size_t open = n;
	for (size_t i = 0; i < n; i++)
		streams[i].call = send_read(c, &streams[i], POLL_SECONDS);
	while (open > 0) {
		out_flush();
		client_read(c);
		open = 0;
		for (size_t i = 0; i < n; i++) {
			if (streams[i].call && streams[i].call->answered)
				stream_step(c, &streams[i]);
			open += streams[i].stage != OVER;
		}
	}
}

static struct stream *streams_new(const struct args *a, struct procs procs)
{
	struct stream *streams = calloc(procs.n + 1, sizeof(*streams));
	if (!streams)
		die(STATUS_FAILED, "out of memory");
	for (size_t i = 0; i < procs.n; i++) {
		const struct proc *p = &procs.v[i];
		struct stream *s = &streams[i];
		*s = (struct stream){.args = a, .name = p->name};
		s->prefix = procs.n > 1 && !a->own[FLAG_NO_PREFIX];
		proc_target(&s->target, p);
	}
	return streams;
}

static void streams_free(struct stream *streams, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_done(&streams[i].target);
		buf_done(&streams[i].part);
	}
	free(streams);
}

int verb_logs(struct client *c, struct args *a)
{
	AUTO_BUF whom = BUF_INIT;
	if (a->nwords)
		member_words(&whom, "targets", a->words, a->nwords);
	struct procs procs = procs_of(client_call(c, a->nwords ? CMD_process_status : CMD_process_list, &whom));
	struct stream *streams = streams_new(a, procs);
	int status = STATUS_OK;
	for (size_t i = 0; i < procs.n; i++) {
		int one = stream_last(c, &streams[i]);
		status = status ? status : one;
		if (!a->own[FLAG_FOLLOW])
			finish(&streams[i]);
	}
	if (a->own[FLAG_FOLLOW])
		follow(c, streams, procs.n);
	streams_free(streams, procs.n);
	procs_done(&procs);
	return status;
}
