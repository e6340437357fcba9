/* SPDX-License-Identifier: MIT */
/* event.*: the JSON of events. */
#include "daemon/engine/core/event.h"
#include "daemon/engine/objects.h"

int event_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_event_create *a = args;
	struct obj *o;
	int code = create_obj(who, a->name, KIND_EVENT, &CREATE_ARGS(a, event_create), &o, ret_created, f);
	if (code)
		return code;
	struct event *e = (struct event *)o;
	if (!*ret_created && e->i.ephemeral != a->ephemeral)
		return shape_mismatch(o, "ephemeral", f);
	e->i.ephemeral = a->ephemeral;
	return 0;
}

int cmd_event_create(struct req *r, const void *args, struct fault *f) { return create_by(event_make, r, args, f); }

static int event_get(const struct req *r, struct span name, bool no_create, struct event **ret, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_get(&asker, name, KIND_EVENT, !no_create, &o, NULL, f);
	if (!code)
		*ret = (struct event *)o;
	return code;
}

int cmd_event_set(struct req *r, const void *args, struct fault *f)
{
	const struct args_event_set *a = args;
	struct thread *t = NULL;
	struct event *e;
	int code = event_get(r, a->name, a->no_create, &e, f);
	if (!code && e->i.ephemeral)
		code = call_thread(r, &CALL_OWNER(a), &t, f);
	if (code)
		return code;
	event_set(e, t);
	return reply_empty(r);
}

int cmd_event_clear(struct req *r, const void *args, struct fault *f)
{
	const struct args_event_clear *a = args;
	struct event *e;
	int code = event_get(r, a->name, a->no_create, &e, f);
	if (code)
		return code;
	event_clear(e);
	return reply_empty(r);
}

static void answer_wait(struct want *w) { reply_bool(call_req(w), "set", ((const struct event_want *)w)->set); }

int cmd_event_wait(struct req *r, const void *args, struct fault *f)
{
	const struct args_event_wait *a = args;
	struct event_want w = {.want.ops = &event_wait_ops};
	struct event *e;
	int code = event_get(r, a->name, a->no_create, &e, f);
	if (!code)
		code = call_thread(r, &CALL_WHO(a, event_wait), &w.want.thread, f);
	if (code)
		return code;
	w.want.obj = &e->obj;
	return call_run(r, &w.want, &CALL_WHO(a, event_wait), answer_wait, f);
}

int cmd_event_is_set(struct req *r, const void *args, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct obj *o;
	int code = obj_find(&asker, ((const struct args_event_is_set *)args)->name, KIND_EVENT, RIGHT_LOOK, &o, f);
	return code ? code : reply_bool(r, "set", ((struct event *)o)->i.set);
}
