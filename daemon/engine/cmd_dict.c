/* SPDX-License-Identifier: MIT */
/* dict.* */
#include "daemon/engine/cmd_data.h"
#include "daemon/engine/core/dict.h"
#include "daemon/engine/engine.h"

static int look(const struct req *r, struct span name, struct dict **ret, struct fault *f)
{
	struct obj *o;
	int code = data_find(r, name, KIND_DICT, &o, f);
	if (!code)
		*ret = (struct dict *)o;
	return code;
}

/* What a write goes to. */
struct target {
	struct data_target t;
	struct dict *dict;
};

static int target(const struct req *r, struct span name, struct span fence, bool may_make, struct target *ret,
		  struct fault *f)
{
	int code = data_target(r, name, KIND_DICT, fence, may_make, &ret->t, f);
	if (!code)
		ret->dict = (struct dict *)ret->t.obj;
	return code;
}

static void put_version(struct buf *b, const struct dict *d)
{
	buf_puts(b, "\"version\":");
	buf_u64(b, d->version);
	buf_putc(b, '}');
}

int dict_make(const struct asker *who, const void *args, bool *ret_created, struct fault *f)
{
	const struct args_dict_create *a = args;
	struct obj *o;
	int code = create_obj(who, a->name, KIND_DICT, &CREATE_ARGS(a, dict_create), &o, ret_created, f);
	if (code || !*ret_created || !a->items.p)
		return code;
	return data_unmade(o, dict_update((struct dict *)o, a->items, f));
}

int cmd_dict_create(struct req *r, const void *args, struct fault *f) { return create_by(dict_make, r, args, f); }

/* --- one key ------------------------------------------------------------------------------------------------------ */

static int reply_value(struct req *r, struct span value) { return reply_json(r, "value", value); }

int cmd_dict_get(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_get *a = args;
	struct dict *d;
	int code = look(r, a->name, &d, f);
	if (code)
		return code;
	struct dict_entry *e = dict_get(d, a->key);
	if (!e && !a->default_value.p)
		return dict_find(d, a->key, &e, f);
	struct buf *b = reply_begin(r);
	buf_puts(b, "{\"value\":");
	buf_span(b, e ? dict_value(e) : a->default_value);
	buf_putc(b, ',');
	put_version(b, d);
	reply_end(r);
	return 0;
}

int cmd_dict_set(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_set *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, !a->no_create, &t, f);
	if (code)
		return code;
	if (GIVEN(a, dict_set, version))
		code = dict_check(t.dict, (uint64_t)a->version, f);
	if (!code)
		code = dict_set(t.dict, a->key, a->value, f);
	return code ? data_refused(&t.t, code) : reply_count(r, "version", t.dict->version);
}

int cmd_dict_del(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_del *a = args;
	struct dict_entry *e;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code && GIVEN(a, dict_del, version))
		code = dict_check(t.dict, (uint64_t)a->version, f);
	if (!code)
		code = dict_find(t.dict, a->key, &e, f);
	if (code)
		return code;
	dict_del(t.dict, e);
	return reply_empty(r);
}

int cmd_dict_pop(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_pop *a = args;
	struct dict_entry *e;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (code)
		return code;
	code = dict_find(t.dict, a->key, &e, f);
	if (code && a->default_value.p)
		return reply_value(r, a->default_value);
	if (code)
		return code;
	reply_value(r, dict_value(e));
	dict_del(t.dict, e);
	return 0;
}

int cmd_dict_popitem(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_popitem *a = args;
	struct dict_entry *e = NULL;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (!code)
		code = dict_last(t.dict, &e, f);
	if (code)
		return code;
	struct buf *b = reply_begin(r);
	buf_puts(b, "{\"key\":");
	scan_put_str(b, dict_key(e));
	buf_puts(b, ",\"value\":");
	buf_span(b, dict_value(e));
	buf_putc(b, '}');
	reply_end(r);
	dict_del(t.dict, e);
	return 0;
}

int cmd_dict_setdefault(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_setdefault *a = args;
	struct span value = a->value.p ? a->value : SPAN("null");
	struct target t;
	int code = target(r, a->name, a->fence, !a->no_create, &t, f);
	if (code)
		return code;
	if (!dict_get(t.dict, a->key))
		code = dict_set(t.dict, a->key, value, f);
	return code ? data_refused(&t.t, code) : reply_value(r, dict_value(dict_get(t.dict, a->key)));
}

int cmd_dict_incr(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_incr *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, !a->no_create, &t, f);
	if (code)
		return code;
	code = dict_incr(t.dict, a->key, GIVEN(a, dict_incr, delta) ? a->delta : 1, f);
	return code ? data_refused(&t.t, code) : reply_value(r, dict_value(dict_get(t.dict, a->key)));
}

static int contains(struct req *r, struct span name, struct span key, struct fault *f)
{
	struct dict *d;
	int code = look(r, name, &d, f);
	return code ? code : reply_bool(r, "contains", dict_get(d, key) != NULL);
}

int cmd_dict_contains(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_contains *a = args;
	return contains(r, a->name, a->key, f);
}

int cmd_dict_has_key(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_has_key *a = args;
	return contains(r, a->name, a->key, f);
}

/* --- all keys ----------------------------------------------------------------------------------------------------- */

int cmd_dict_update(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_update *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, !a->no_create, &t, f);
	if (code)
		return code;
	code = dict_update(t.dict, a->items, f);
	return code ? data_refused(&t.t, code) : reply_count(r, "version", t.dict->version);
}

int cmd_dict_clear(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_clear *a = args;
	struct target t;
	int code = target(r, a->name, a->fence, false, &t, f);
	if (code)
		return code;
	dict_clear(t.dict);
	return reply_empty(r);
}

int cmd_dict_len(struct req *r, const void *args, struct fault *f)
{
	const struct args_dict_len *a = args;
	struct dict *d;
	int code = look(r, a->name, &d, f);
	return code ? code : reply_count(r, "len", d->map.count);
}

static void put_key(struct buf *b, const struct dict_entry *e) { scan_put_str(b, dict_key(e)); }
static void put_value(struct buf *b, const struct dict_entry *e) { buf_span(b, dict_value(e)); }

static void put_pair(struct buf *b, const struct dict_entry *e)
{
	buf_putc(b, '[');
	put_key(b, e);
	buf_putc(b, ',');
	put_value(b, e);
	buf_putc(b, ']');
}

static void put_member(struct buf *b, const struct dict_entry *e)
{
	put_key(b, e);
	buf_putc(b, ':');
	put_value(b, e);
}

/* {WORD: [...]}, or {...}: what PUT writes of each entry. */
static int reply_all(struct req *r, struct span name, const char *word, const char *brackets,
		     void (*put)(struct buf *, const struct dict_entry *), struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	const struct dict_entry *e;
	const char *sep = "";
	struct dict *d;
	int code = look(r, name, &d, f);
	if (code)
		return code;
	buf_printf(&text, "{\"%s\":%c", word, brackets[0]);
	LIST_EACH (e, &d->entries, by_dict) {
		buf_puts(&text, sep);
		put(&text, e);
		sep = ",";
	}
	buf_printf(&text, "%c}", brackets[1]);
	return reply_text(r, &text, f);
}

int cmd_dict_keys(struct req *r, const void *args, struct fault *f)
{
	return reply_all(r, ((const struct args_dict_keys *)args)->name, "keys", "[]", put_key, f);
}

int cmd_dict_values(struct req *r, const void *args, struct fault *f)
{
	return reply_all(r, ((const struct args_dict_values *)args)->name, "values", "[]", put_value, f);
}

int cmd_dict_items(struct req *r, const void *args, struct fault *f)
{
	return reply_all(r, ((const struct args_dict_items *)args)->name, "items", "[]", put_pair, f);
}

int cmd_dict_copy(struct req *r, const void *args, struct fault *f)
{
	return reply_all(r, ((const struct args_dict_copy *)args)->name, "items", "{}", put_member, f);
}
