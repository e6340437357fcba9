/* SPDX-License-Identifier: MIT */
/* barrier.*: the JSON of barriers. */
#include "daemon/engine/core/barrier.h"
#include "daemon/engine/objects.h"

static int check_parties(bool given, int64_t n, struct fault *f)
{
	if (!given || (n >= 1 && n <= BARRIER_PARTIES_MAX))
		return 0;
	return fault_set(f, FAULT_PARAMS, "parties: must be 1 to %d", BARRIER_PARTIES_MAX);
}

int barrier_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_barrier_create *a = args;
	nsec_t timeout = GIVEN(a, barrier_create, timeout) ? a->timeout : NSEC_NEVER;
	struct obj *o;
	int code = check_parties(true, a->parties, f);
	if (!code)
		code = create_obj(who, a->name, KIND_BARRIER, &CREATE_ARGS(a, barrier_create), &o, ret_created, f);
	if (code)
		return code;
	struct barrier *b = (struct barrier *)o;
	if (*ret_created)
		barrier_shape(b, (uint32_t)a->parties, a->action, timeout);
	if (b->i.parties != a->parties || b->i.action != a->action || b->i.timeout != timeout)
		return shape_mismatch(o, "number of parties, action or timeout", f);
	return 0;
}

int cmd_barrier_create(struct req *r, const void *args, struct fault *f) { return create_by(barrier_make, r, args, f); }

/* Made when it is not there and its shape is said. */
static int barrier_get(const struct req *r, struct span name, bool has_parties, int64_t parties, struct barrier **ret,
		       struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	bool made;
	int code = check_parties(has_parties, parties, f);
	if (!code)
		code = obj_get(&asker, name, KIND_BARRIER, has_parties, &o, &made, f);
	if (code)
		return code;
	*ret = (struct barrier *)o;
	if (made)
		barrier_shape(*ret, (uint32_t)parties, false, NSEC_NEVER);
	return has_parties && parties != (*ret)->i.parties ? shape_mismatch(o, "number of parties", f) : 0;
}

static void answer_wait(struct want *w)
{
	const struct barrier_want *bw = (struct barrier_want *)w;
	struct buf *b = reply_begin(call_req(w));
	buf_printf(b, "{\"index\":%u,\"generation\":%llu%s}", bw->index, (unsigned long long)bw->generation,
		   bw->run_action ? ",\"run_action\":true" : "");
	reply_end(call_req(w));
}

int cmd_barrier_wait(struct req *r, const void *args, struct fault *f)
{
	const struct args_barrier_wait *a = args;
	struct barrier_want w = {.want.ops = &barrier_wait_ops, .action = a->action, .again = r->again};
	struct call_who who = CALL_WHO(a, barrier_wait);
	struct barrier *b;
	int code = barrier_get(r, a->name, GIVEN(a, barrier_wait, parties), a->parties, &b, f);
	if (!code)
		code = call_thread(r, &who, &w.want.thread, f);
	if (code)
		return code;
	w.want.obj = &b->obj;
	if (!GIVEN(a, barrier_wait, timeout))
		who.timeout = b->i.timeout;
	return call_run(r, &w.want, &who, answer_wait, f);
}

int cmd_barrier_action_done(struct req *r, const void *args, struct fault *f)
{
	const struct args_barrier_action_done *a = args;
	bool ok = !GIVEN(a, barrier_action_done, ok) || a->ok;
	struct barrier *b;
	struct thread *t;
	int code = barrier_get(r, a->name, false, 0, &b, f);
	if (!code)
		code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	code = barrier_action_done(b, t, (uint64_t)a->generation, ok, f);
	thread_unused(t);
	return code ? code : reply_empty(r);
}

int cmd_barrier_register(struct req *r, const void *args, struct fault *f)
{
	const struct args_barrier_register *a = args;
	struct barrier *b;
	struct thread *t;
	int code = barrier_get(r, a->name, GIVEN(a, barrier_register, parties), a->parties, &b, f);
	if (!code)
		code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	barrier_register(b, t);
	return reply_empty(r);
}

int cmd_barrier_unregister(struct req *r, const void *args, struct fault *f)
{
	const struct args_barrier_unregister *a = args;
	struct barrier *b;
	struct thread *t;
	int code = barrier_get(r, a->name, false, 0, &b, f);
	if (!code)
		code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	code = barrier_unregister(b, t, f);
	thread_unused(t);
	return code ? code : reply_empty(r);
}

static int change(struct req *r, struct span name, void (*how)(struct barrier *), struct fault *f)
{
	struct barrier *b;
	int code = barrier_get(r, name, false, 0, &b, f);
	if (code)
		return code;
	how(b);
	return reply_empty(r);
}

int cmd_barrier_reset(struct req *r, const void *args, struct fault *f)
{
	return change(r, ((const struct args_barrier_reset *)args)->name, barrier_reset, f);
}

int cmd_barrier_abort(struct req *r, const void *args, struct fault *f)
{
	return change(r, ((const struct args_barrier_abort *)args)->name, barrier_abort, f);
}

int cmd_barrier_info(struct req *r, const void *args, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_find(&asker, ((const struct args_barrier_info *)args)->name, KIND_BARRIER, RIGHT_LOOK, &o, f);
	if (code)
		return code;
	struct buf *b = reply_begin(r);
	buf_putc(b, '{');
	barrier_describe(o, b);
	buf_putc(b, '}');
	reply_end(r);
	return 0;
}
