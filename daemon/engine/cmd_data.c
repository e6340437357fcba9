/* SPDX-License-Identifier: MIT */
/* For cmd_value.c, cmd_array.c, cmd_dict.c, cmd_list.c, cmd_namespace.c: cmd_data.h. */
#include "daemon/engine/cmd_data.h"

int data_find(const struct req *r, struct span name, enum obj_kind kind, struct obj **ret, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	return obj_find(&asker, name, kind, RIGHT_LOOK, ret, f);
}

int data_target(const struct req *r, struct span name, enum obj_kind kind, struct span fence, bool may_make,
		struct data_target *ret, struct fault *f)
{
	struct asker asker = asker_of(r->conn);
	struct fence now;
	int code = fence_check(&asker, fence, &now, f);
	if (!code)
		code = obj_get(&asker, name, kind, may_make, &ret->obj, &ret->made, f);
	return code;
}

int data_unmade(struct obj *o, int code)
{
	struct fault unused;
	if (code)
		obj_delete(o, true, &unused);
	return code;
}

int data_refused(const struct data_target *t, int code) { return t->made ? data_unmade(t->obj, code) : code; }

int reply_count(struct req *r, const char *name, uint64_t n)
{
	struct buf *b = reply_begin(r);
	buf_puts(b, "{\"");
	buf_puts(b, name);
	buf_puts(b, "\":");
	buf_u64(b, n);
	buf_putc(b, '}');
	reply_end(r);
	return 0;
}

int reply_json(struct req *r, const char *name, struct span json)
{
	struct buf *b = reply_begin(r);
	buf_puts(b, "{\"");
	buf_puts(b, name);
	buf_puts(b, "\":");
	buf_span(b, json);
	buf_putc(b, '}');
	reply_end(r);
	return 0;
}
