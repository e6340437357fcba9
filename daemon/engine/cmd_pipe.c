/* SPDX-License-Identifier: MIT */
/* pipe.*: the JSON of pipes. Their verbs name an end, NAME:0 or NAME:1. */
#include "daemon/engine/core/pipe.h"
#include "daemon/engine/payloads.h"

enum { BOTH_ENDS = 2 };

/* "x:1" to x and 1; without an end: BOTH_ENDS. */
static unsigned split_end(struct span *name)
{
	if (name->n < 2 || name->p[name->n - 2] != ':' || (name->p[name->n - 1] & ~1) != '0')
		return BOTH_ENDS;
	unsigned end = (unsigned)(name->p[name->n - 1] - '0');
	name->n -= 2;
	return end;
}

static int find(const struct req *r, struct span name, unsigned rights, struct pipe **ret, unsigned *ret_end,
		struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	*ret_end = split_end(&name);
	int code = obj_find(&asker, name, KIND_PIPE, rights, &o, f);
	if (!code)
		*ret = (struct pipe *)o;
	return code;
}

/* The same for a verb that must name an end. */
static int find_end(const struct req *r, struct span name, struct pipe **ret, unsigned *ret_end, struct fault *f)
{
	int code = find(r, name, RIGHT_USE, ret, ret_end, f);
	if (!code && *ret_end == BOTH_ENDS)
		return fault_set(f, FAULT_PARAMS, "name: say which end, %.*s:0 or %.*s:1", (int)name.n, name.p,
				 (int)name.n, name.p);
	return code;
}

int pipe_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_pipe_create *a = args;
	bool duplex = !GIVEN(a, pipe_create, duplex) || a->duplex;
	struct obj *o;
	int code = create_obj(who, a->name, KIND_PIPE, &CREATE_ARGS(a, pipe_create), &o, ret_created, f);
	if (code)
		return code;
	struct pipe *p = (struct pipe *)o;
	if (!*ret_created && p->i.duplex != duplex)
		return shape_mismatch(o, "duplex", f);
	p->i.duplex = duplex;
	return 0;
}

int cmd_pipe_create(struct req *r, const void *args, struct fault *f) { return create_by(pipe_make, r, args, f); }

static void answer_send(struct want *w) { reply_empty(call_req(w)); }

static int send_payload(const struct req *r, const struct args_pipe_send *a, struct payload **ret, struct fault *f)
{
	if ((a->item.p != NULL) == r->has_raw)
		return fault_set(f, FAULT_PARAMS, "item, raw bytes: exactly one of them");
	*ret = payload_new(r->has_raw ? r->raw : a->item, r->has_raw);
	return *ret ? 0 : fault_set(f, FAULT_OVERLOADED, "out of memory");
}

int cmd_pipe_send(struct req *r, const void *args, struct fault *f)
{
	const struct args_pipe_send *a = args;
	struct call_who who = CALL_WHO(a, pipe_send);
	struct asker asker = asker_of(r->conn);
	struct send_want w = {.want.ops = &pipe_send_ops};
	struct pipe *p;
	unsigned end;
	int code = find_end(r, a->name, &p, &end, f);
	if (!code)
		code = pipe_may(p, end, true, f);
	if (!code)
		code = fence_check(&asker, a->fence, &w.want.fence, f);
	if (!code)
		code = call_thread(r, &who, &w.want.thread, f);
	if (code)
		return code;
	w.want.obj = &p->obj;
	w.to = !end;
	code = send_payload(r, a, &w.payload, f);
	if (!code)
		return call_run(r, &w.want, &who, answer_send, f);
	thread_unused(w.want.thread);
	return code;
}

static void answer_recv(struct want *want)
{
	struct recv_want *w = (struct recv_want *)want;
	struct req *r = call_req(want);
	struct buf *b = reply_begin(r);
	buf_putc(b, '{');
	if (w->got->redelivered) {
		buf_printf(b, "\"redelivered\":%u", w->got->redelivered);
		if (!w->raw)
			buf_putc(b, ',');
	}
	if (w->raw) {
		reply_payload(r, b, w->got->payload);
	} else {
		buf_puts(b, "\"item\":");
		payload_put_json(w->got->payload, b);
		buf_putc(b, '}');
		reply_end(r);
	}
	pipe_answered(w);
}

int cmd_pipe_recv(struct req *r, const void *args, struct fault *f)
{
	const struct args_pipe_recv *a = args;
	/* Gone when the connection has read it: it is the connection's, whoever asks. */
	struct call_who who = {.timeout = CALL_WHO(a, pipe_recv).timeout};
	struct recv_want w = {.want.ops = &pipe_recv_ops, .raw = a->want == WANT_RAW};
	struct pipe *p;
	int code = find_end(r, a->name, &p, &w.end, f);
	if (!code)
		code = pipe_may(p, w.end, false, f);
	if (!code)
		code = call_thread(r, &who, &w.want.thread, f);
	if (code)
		return code;
	w.want.obj = &p->obj;
	return call_run(r, &w.want, &who, answer_recv, f);
}

static void answer_poll(struct want *w) { reply_bool(call_req(w), "ready", ((struct poll_want *)w)->ready); }

int cmd_pipe_poll(struct req *r, const void *args, struct fault *f)
{
	const struct args_pipe_poll *a = args;
	struct call_who who = CALL_WHO(a, pipe_poll);
	struct poll_want w = {.want.ops = &pipe_poll_ops};
	struct pipe *p;
	int code = find_end(r, a->name, &p, &w.end, f);
	if (!code)
		code = pipe_may(p, w.end, false, f);
	if (!code)
		code = call_thread(r, &who, &w.want.thread, f);
	if (code)
		return code;
	w.want.obj = &p->obj;
	return call_run(r, &w.want, &who, answer_poll, f);
}

int cmd_pipe_hold(struct req *r, const void *args, struct fault *f)
{
	const struct args_pipe_hold *a = args;
	struct thread *t;
	struct pipe *p;
	unsigned end;
	int code = find_end(r, a->name, &p, &end, f);
	if (!code)
		code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	pipe_hold(p, end, t);
	return reply_empty(r);
}

int cmd_pipe_drop(struct req *r, const void *args, struct fault *f)
{
	const struct args_pipe_drop *a = args;
	struct thread *t;
	struct pipe *p;
	unsigned end;
	int code = find_end(r, a->name, &p, &end, f);
	if (!code)
		code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	code = pipe_drop(p, end, t, f);
	thread_unused(t);
	return code ? code : reply_empty(r);
}

int cmd_pipe_close(struct req *r, const void *args, struct fault *f)
{
	const struct args_pipe_close *a = args;
	struct pipe *p;
	unsigned end;
	int code = find(r, a->name, RIGHT_USE, &p, &end, f);
	if (code)
		return code;
	for (unsigned e = 0; e < 2; e++)
		if (end == e || end == BOTH_ENDS)
			pipe_close(p, e);
	return reply_empty(r);
}
