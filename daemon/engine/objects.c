/* SPDX-License-Identifier: MIT */
/* Between requests and the objects of the core: objects.h. */
#include "daemon/engine/objects.h"
#include <fnmatch.h>
#include <stdio.h>
#include <sys/stat.h>

struct asker asker_of(const struct conn *c)
{
	return (struct asker){.uid = c->peer.uid,
			      .gid = c->peer.gid,
			      .groups = c->peer.groups,
			      .ngroups = c->peer.ngroups,
			      .admin = c->peer.admin};
}

/* --- for whom ----------------------------------------------------------------------------------------------------- */

static int bad_owner(struct fault *f)
{
	return fault_set(f, FAULT_PARAMS, "owner: must be \"conn\", \"process\" or {\"pid\": N}");
}

/* The directory of a process belongs to the user it runs as (proc(5)). */
static int check_pid(const struct req *r, int64_t pid, struct fault *f)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (pid <= 0 || pid > INT32_MAX)
		return bad_owner(f);
	if (stat(path, &st) < 0)
		return fault_set(f, FAULT_LOST, "owner: there is no process %d", (int)pid);
	if (r->conn->peer.admin || st.st_uid == r->conn->peer.uid)
		return 0;
	fault_set(f, FAULT_DENIED, "owner: process %d is uid %u's; you are uid %u", (int)pid, st.st_uid,
		  r->conn->peer.uid);
	return fault_data(f, "\"rule\":\"owner\"");
}

/* 0 in *RET: the connection's own. */
static int owner_pid(const struct req *r, struct span owner, pid_t *ret, struct fault *f)
{
	struct span text, member = {NULL, 0};
	int64_t pid;
	*ret = 0;
	if (!owner.p || (scan_type(owner) == SCAN_STRING && scan_plain(owner, &text) && span_is(text, "conn")))
		return 0;
	*ret = r->conn->peer.pid;
	if (scan_type(owner) == SCAN_STRING)
		return scan_plain(owner, &text) && span_is(text, "process") ? 0 : bad_owner(f);
	if (scan_type(owner) == SCAN_OBJECT && scan_count(owner) == 1)
		member = scan_get(owner, "pid");
	if (!member.p || scan_i64(member, &pid))
		return bad_owner(f);
	*ret = (pid_t)pid;
	return check_pid(r, pid, f);
}

int call_thread(const struct req *r, const struct call_who *who, struct thread **ret, struct fault *f)
{
	pid_t pid;
	struct owner *owner = NULL;
	if (who->tag.n > OWNER_TAG_MAX)
		return fault_set(f, FAULT_PARAMS, "tag: at most %d bytes", OWNER_TAG_MAX);
	int code = owner_pid(r, who->owner, &pid, f);
	if (!code)
		code = owner_find(&r->conn->channel, pid, &owner, f);
	if (code)
		return code;
	*ret = owner_thread(owner, who->tag);
	return *ret ? 0 : fault_set(f, FAULT_OVERLOADED, "out of memory");
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static bool call_cancel(struct req *r, bool gone) { return want_cancel(r->wait, gone); }

int call_run(struct req *r, struct want *w, const struct call_who *who, void (*answer)(struct want *), struct fault *f)
{
	struct want *parked;
	w->call = r;
	w->answer = answer;
	w->channel = &r->conn->channel;
	w->timeout = who->timeout;
	w->unanswered = r->id.n == 0;
	enum step step = want_run(w, &parked, f);
	if (step == STEP_WAIT) {
		req_park(r, call_cancel, parked);
		return 0;
	}
	if (step == STEP_DONE)
		answer(w);
	if (w->ops->done)
		w->ops->done(w);
	thread_unused(w->thread);
	return step == STEP_DONE ? 0 : f->code;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

int reply_empty(struct req *r)
{
	buf_span(reply_begin(r), SPAN("{}"));
	reply_end(r);
	return 0;
}

int reply_bool(struct req *r, const char *name, bool value)
{
	buf_printf(reply_begin(r), "{\"%s\":%s}", name, value ? "true" : "false");
	reply_end(r);
	return 0;
}

int reply_text(struct req *r, const struct buf *result, struct fault *f)
{
	if (result->failed)
		return fault_set(f, FAULT_OVERLOADED, "out of memory");
	if (result->len > CONN_LINE_MAX - 1024)
		return fault_set(f, FAULT_TOO_LARGE, "%zu bytes are too many for one answer (ask for a part)",
				 result->len);
	buf_span(reply_begin(r), buf_view(result));
	reply_end(r);
	return 0;
}

int reply_created(struct req *r, bool created) { return reply_bool(r, "created", created); }

/* --- creation ----------------------------------------------------------------------------------------------------- */

/* Octal digits; -1: they are not. */
static int parse_mode(struct span text, uint16_t *ret)
{
	unsigned mode = 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7')
			return -1;
		mode = 8 * mode + (unsigned)(text.p[i] - '0');
		if (mode > 0777)
			return -1;
	}
	*ret = (uint16_t)mode;
	return text.n ? 0 : -1;
}

static int make_of(const struct create_args *a, struct make *ret, struct fault *f)
{
	*ret = (struct make){.exist_ok = a->exist_ok, .has_mode = a->has_mode, .has_group = a->has_group};
	if (a->has_mode && parse_mode(a->mode, &ret->mode))
		return fault_set(f, FAULT_PARAMS, "mode: must be octal, up to 777");
	if (a->has_group && (a->group < 0 || a->group >= UINT32_MAX))
		return fault_set(f, FAULT_PARAMS, "group: must be the number of a group");
	ret->group = (gid_t)a->group;
	ret->ttl_idle = a->has_ttl ? a->ttl_idle : 0;
	return 0;
}

int create_obj(const struct asker *who, struct span name, enum obj_kind kind, const struct create_args *a,
	       struct obj **ret, bool *ret_created, struct fault *f)
{
	struct make make;
	int code = make_of(a, &make, f);
	if (!code)
		code = obj_find_made(who, name, kind, &make, ret, f);
	*ret_created = !code && !*ret;
	if (*ret_created)
		code = obj_new(who, name, kind, &make, ret, f);
	return code;
}

int shape_mismatch(const struct obj *o, const char *what, struct fault *f)
{
	return fault_set(f, FAULT_SHAPE_MISMATCH, "%s %s is there with another %s (see: mpctl info)", o->class->name,
			 obj_said(o), what);
}

int create_by(maker *make, struct req *r, const void *args, struct fault *f)
{
	struct asker who = asker_of(r->conn);
	bool created;
	int code = make(&who, args, &created, f);
	return code ? code : reply_created(r, created);
}

/* --- all kinds ---------------------------------------------------------------------------------------------------- */

static int kind_of(struct span name, enum obj_kind *ret, struct fault *f)
{
	*ret = name.p ? obj_kind_of(name) : KIND_ANY;
	if (name.p && *ret == KIND_ANY)
		return fault_set(f, FAULT_PARAMS, "kind: there is no kind of object %.40s", name.p);
	return 0;
}

int cmd_object_list(struct req *r, const void *args, struct fault *f)
{
	const struct args_object_list *a = args;
	struct asker who = asker_of(r->conn);
	enum obj_kind kind;
	struct obj *o;
	AUTO_BUF text = BUF_INIT;
	const char *sep = "";
	int code = kind_of(a->kind, &kind, f);
	if (code)
		return code;
	buf_puts(&text, "{\"objects\":[");
	LIST_EACH (o, &core.all_objs, by_all) {
		if ((kind != KIND_ANY && o->class->kind != kind) || !obj_visible(&who, o) ||
		    (a->pattern.p && fnmatch(a->pattern.p, obj_name(o, who.uid), 0) != 0))
			continue;
		buf_puts(&text, sep);
		obj_put_row(&text, o, who.uid);
		sep = ",";
	}
	buf_puts(&text, "]}");
	return reply_text(r, &text, f);
}

int cmd_object_info(struct req *r, const void *args, struct fault *f)
{
	const struct args_object_info *a = args;
	struct asker who = asker_of(r->conn);
	enum obj_kind kind;
	struct obj *o;
	AUTO_BUF text = BUF_INIT;
	int code = kind_of(a->kind, &kind, f);
	if (!code)
		code = obj_find(&who, a->name, kind, RIGHT_LOOK, &o, f);
	if (code)
		return code;
	obj_put_info(&text, o, who.uid);
	return reply_text(r, &text, f);
}

int cmd_object_delete(struct req *r, const void *args, struct fault *f)
{
	const struct args_object_delete *a = args;
	struct asker who = asker_of(r->conn);
	enum obj_kind kind;
	struct obj *o;
	int code = kind_of(a->kind, &kind, f);
	if (!code)
		code = obj_find(&who, a->name, kind, RIGHT_CONTROL, &o, f);
	if (!code)
		code = obj_delete(o, a->force, f);
	return code ? code : reply_empty(r);
}

int cmd_object_chmod(struct req *r, const void *args, struct fault *f)
{
	const struct args_object_chmod *a = args;
	struct asker who = asker_of(r->conn);
	struct create_args shape = {.has_mode = true, .mode = a->mode, .group = a->group};
	struct make make;
	struct obj *o;
	shape.has_group = GIVEN(a, object_chmod, group);
	int code = make_of(&shape, &make, f);
	if (!code)
		code = obj_find(&who, a->name, KIND_ANY, RIGHT_CONTROL, &o, f);
	if (code)
		return code;
	o->mode = make.mode;
	if (make.has_group)
		o->gid = make.group;
	obj_dirty(o);
	return reply_empty(r);
}

int cmd_graph_get(struct req *r, const void *args, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	(void)args;
	graph_put(&text, r->conn->peer.uid);
	return reply_text(r, &text, f);
}
