/* SPDX-License-Identifier: MIT */
/* namespace.*: dicts whose keys are called attributes. */
#include "daemon/engine/cmd_data.h"
#include "daemon/engine/core/dict.h"

int namespace_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_namespace_create *a = args;
	struct obj *o;
	int code = create_obj(who, a->name, KIND_NAMESPACE, &CREATE_ARGS(a, namespace_create), &o, ret_created, f);
	if (code || !*ret_created || !a->items.p)
		return code;
	return data_unmade(o, dict_update((struct dict *)o, a->items, f));
}

int cmd_namespace_create(struct req *r, const void *args, struct fault *f)
{
	return create_by(namespace_make, r, args, f);
}

int cmd_namespace_get(struct req *r, const void *args, struct fault *f)
{
	const struct args_namespace_get *a = args;
	struct dict_entry *e;
	struct obj *o;
	int code = data_find(r, a->name, KIND_NAMESPACE, &o, f);
	if (!code)
		code = dict_find((struct dict *)o, a->key, &e, f);
	return code ? code : reply_json(r, "value", dict_value(e));
}

int cmd_namespace_set(struct req *r, const void *args, struct fault *f)
{
	const struct args_namespace_set *a = args;
	struct data_target t;
	int code = data_target(r, a->name, KIND_NAMESPACE, a->fence, !a->no_create, &t, f);
	if (code)
		return code;
	code = dict_set((struct dict *)t.obj, a->key, a->value, f);
	return code ? data_refused(&t, code) : reply_empty(r);
}

int cmd_namespace_del(struct req *r, const void *args, struct fault *f)
{
	const struct args_namespace_del *a = args;
	struct dict_entry *e;
	struct data_target t;
	int code = data_target(r, a->name, KIND_NAMESPACE, a->fence, false, &t, f);
	if (!code)
		code = dict_find((struct dict *)t.obj, a->key, &e, f);
	if (code)
		return code;
	dict_del((struct dict *)t.obj, e);
	return reply_empty(r);
}

int cmd_namespace_dir(struct req *r, const void *args, struct fault *f)
{
	const struct args_namespace_dir *a = args;
	AUTO_BUF text = BUF_INIT;
	const struct dict_entry *e;
	const char *sep = "";
	struct obj *o;
	int code = data_find(r, a->name, KIND_NAMESPACE, &o, f);
	if (code)
		return code;
	buf_puts(&text, "{\"names\":[");
	LIST_EACH (e, &((struct dict *)o)->entries, by_dict) {
		buf_puts(&text, sep);
		scan_put_str(&text, dict_key(e));
		sep = ",";
	}
	buf_puts(&text, "]}");
	return reply_text(r, &text, f);
}
