/* SPDX-License-Identifier: MIT */
/* Dicts and namespaces: dict.h. */
#include "daemon/engine/core/dict.h"
#include "common/jsonval.h"
#include "daemon/engine/core/core.h"

#define ENTRY_COST (sizeof(struct dict_entry) + 2 * sizeof(struct map_slot))
#define TOLD_MAX 512 /* bytes of a key in an error's data */

enum dict_op { DICT_SET = 1, DICT_DEL, DICT_CLEAR }; /* in the journal: never renumbered */

struct dict_part { /* followed by the key, then by the value */
	uint64_t version;
	uint32_t op, nkey;
};

static struct dict *dict_of(const struct obj *o) { return (struct dict *)(uintptr_t)o; }

static size_t cost(const struct dict_entry *e) { return e ? ENTRY_COST + e->nkey + e->nvalue : 0; }

/* --- entries ------------------------------------------------------------------------------------------------------ */

static struct dict_entry *entry_new(struct span key, struct span value)
{
	struct dict_entry *e = malloc(sizeof(*e) + key.n + value.n);
	if (!e)
		return NULL;
	list_init(&e->by_dict);
	e->nkey = key.n;
	e->nvalue = value.n;
	if (key.n)
		memcpy(e->bytes, key.p, key.n);
	if (value.n)
		memcpy(e->bytes + key.n, value.p, value.n);
	return e;
}

static void entries_free(struct list *entries)
{
	struct list *n;
	while ((n = list_shift(entries)))
		free(LIST_ENTRY(n, struct dict_entry, by_dict));
}

/* In the place of one of the same key, or as the last. */
static void entry_put(struct dict *d, struct dict_entry *e)
{
	struct dict_entry *old = dict_get(d, dict_key(e));
	if (map_put_str(&d->map, dict_key(e), e))
		abort(); /* no memory for a small thing: the next engine replays */
	d->bytes += cost(e) - cost(old);
	list_push(old ? &old->by_dict : &d->entries, &e->by_dict);
	if (old)
		list_del(&old->by_dict);
	free(old);
}

static void entry_drop(struct dict *d, struct dict_entry *e)
{
	map_del_str(&d->map, dict_key(e));
	list_del(&e->by_dict);
	d->bytes -= cost(e);
	free(e);
}

static void entries_drop(struct dict *d)
{
	map_done(&d->map);
	entries_free(&d->entries);
	d->bytes = 0;
}

struct dict_entry *dict_get(const struct dict *d, struct span key) { return map_get_str(&d->map, key); }

int dict_find(const struct dict *d, struct span key, struct dict_entry **ret, struct fault *f)
{
	AUTO_BUF text = BUF_INIT;
	*ret = dict_get(d, key);
	if (*ret)
		return 0;
	fault_set(f, FAULT_RANGE, "%s %s has no key \"%.*s\"%s", d->obj.class->name, obj_said(&d->obj),
		  (int)MIN(key.n, 100), key.p, key.n > 100 ? "..." : "");
	if (key.n > TOLD_MAX)
		return f->code;
	scan_put_str(&text, key);
	return fault_data(f, "\"key\":%s", buf_str(&text));
}

int dict_last(const struct dict *d, struct dict_entry **ret, struct fault *f)
{
	if (list_empty(&d->entries))
		return fault_set(f, FAULT_RANGE, "%s %s is empty", d->obj.class->name, obj_said(&d->obj));
	*ret = LIST_ENTRY(d->entries.prev, struct dict_entry, by_dict);
	return 0;
}

int dict_check(const struct dict *d, uint64_t version, struct fault *f)
{
	unsigned long long now = d->version;
	if (now == version)
		return 0;
	fault_set(f, FAULT_CONFLICT, "dict %s was changed meanwhile: it has version %llu", obj_said(&d->obj), now);
	return fault_data(f, "\"version\":%llu", now);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static void save(struct dict *d, enum dict_op op, size_t nkey, struct span bytes)
{
	struct dict_part part = {d->version, op, (uint32_t)nkey};
	obj_part(&d->obj, &part, sizeof(part), bytes);
}

static void save_entry(struct dict *d, const struct dict_entry *e)
{
	save(d, DICT_SET, e->nkey, (struct span){e->bytes, e->nkey + e->nvalue});
}

static int too_large(const struct dict *d, struct fault *f)
{
	return fault_set(f, FAULT_TOO_LARGE, "%s %s holds %zu bytes; it cannot hold more than %zu", d->obj.class->name,
			 obj_said(&d->obj), d->bytes, DICT_BYTES_MAX);
}

static void change(struct dict *d, struct dict_entry *e)
{
	d->version++;
	save_entry(d, e);
	entry_put(d, e);
	obj_used(&d->obj);
}

int dict_set(struct dict *d, struct span key, struct span value, struct fault *f)
{
	if (d->bytes + ENTRY_COST + key.n + value.n - cost(dict_get(d, key)) > DICT_BYTES_MAX)
		return too_large(d, f);
	struct dict_entry *e = entry_new(key, value);
	if (!e)
		return fault_set(f, FAULT_OVERLOADED, "out of memory");
	change(d, e);
	return 0;
}

static int member_read(struct span raw, struct span value, struct list *to, struct fault *f)
{
	AUTO_BUF key = BUF_INIT;
	scan_unescape(raw, &key);
	if (key.len && memchr(key.p, '\0', key.len))
		return fault_set(f, FAULT_PARAMS, "items: a key cannot have a NUL in it");
	struct dict_entry *e = key.failed ? NULL : entry_new(buf_view(&key), value);
	if (!e)
		return fault_set(f, FAULT_OVERLOADED, "out of memory");
	list_push(to, &e->by_dict);
	return 0;
}

static int items_read(struct span items, struct list *to, struct fault *f)
{
	struct span key, value;
	int code = 0;
	if (scan_type(items) != SCAN_OBJECT)
		return fault_set(f, FAULT_PARAMS, "items: must be an object");
	for (struct scan_iter it = scan_iter(items); !code && scan_next(&it, &key, &value);)
		code = member_read(key, value, to, f);
	return code;
}

/* No two of them have the same key. */
static bool all_fit(const struct dict *d, const struct list *fresh)
{
	const struct dict_entry *e;
	size_t bytes = d->bytes;
	LIST_EACH (e, fresh, by_dict)
		bytes += cost(e) - cost(dict_get(d, dict_key(e)));
	return bytes <= DICT_BYTES_MAX;
}

int dict_update(struct dict *d, struct span items, struct fault *f)
{
	struct list fresh = LIST_INIT(fresh), *n;
	int code = items_read(items, &fresh, f);
	if (!code && !all_fit(d, &fresh))
		code = too_large(d, f);
	while (!code && (n = list_shift(&fresh)))
		change(d, LIST_ENTRY(n, struct dict_entry, by_dict));
	entries_free(&fresh);
	return code;
}

void dict_del(struct dict *d, struct dict_entry *e)
{
	d->version++;
	save(d, DICT_DEL, e->nkey, dict_key(e));
	entry_drop(d, e);
	obj_used(&d->obj);
}

void dict_clear(struct dict *d)
{
	if (list_empty(&d->entries))
		return;
	d->version++;
	save(d, DICT_CLEAR, 0, (struct span){NULL, 0});
	entries_drop(d);
	obj_used(&d->obj);
}

int dict_incr(struct dict *d, struct span key, int64_t delta, struct fault *f)
{
	const struct dict_entry *e = dict_get(d, key);
	AUTO_BUF sum = BUF_INIT;
	__int128 n = 0;
	int fits = e ? jsonval_whole(dict_value(e), &n) : 0;
	if (fits < 0)
		return fault_set(f, FAULT_PARAMS, "what is under the key is no whole number");
	if (fits > 0 || __builtin_add_overflow(n, delta, &n))
		return fault_set(f, FAULT_RANGE, "the sum does not fit 128 bits");
	jsonval_put_whole(&sum, n);
	return dict_set(d, key, buf_view(&sum), f);
}

/* --- the journal -------------------------------------------------------------------------------------------------- */

static void dict_save(const struct obj *o, struct buf *image)
{
	buf_put(image, &dict_of(o)->version, sizeof(dict_of(o)->version));
}

static int dict_load(struct obj *o, struct span image)
{
	struct dict *d = dict_of(o);
	if (image.n != sizeof(d->version))
		return -1;
	memcpy(&d->version, image.p, sizeof(d->version));
	return 0;
}

static void dict_save_parts(struct obj *o)
{
	const struct dict_entry *e;
	LIST_EACH (e, &dict_of(o)->entries, by_dict)
		save_entry(dict_of(o), e);
}

static int load_set(struct dict *d, struct span key, struct span value)
{
	struct scan_error error;
	if (scan_check(value, NULL, &error))
		return -1;
	struct dict_entry *e = entry_new(key, value);
	if (!e)
		return -1;
	entry_put(d, e);
	return 0;
}

static int load_del(struct dict *d, struct span key, struct span value)
{
	struct dict_entry *e = dict_get(d, key);
	if (!e || value.n)
		return -1;
	entry_drop(d, e);
	return 0;
}

static int load_clear(struct dict *d, struct span key, struct span value)
{
	if (key.n || value.n)
		return -1;
	entries_drop(d);
	return 0;
}

static int dict_load_part(struct obj *o, struct span body)
{
	static int (*const loads[])(struct dict *, struct span key, struct span value) = {
		[DICT_SET] = load_set, [DICT_DEL] = load_del, [DICT_CLEAR] = load_clear};
	struct dict_part p;
	if (body.n < sizeof(p))
		return -1;
	memcpy(&p, body.p, sizeof(p));
	body = (struct span){body.p + sizeof(p), body.n - sizeof(p)};
	if (p.op >= ARRAY_LEN(loads) || !loads[p.op] || p.nkey > body.n)
		return -1;
	dict_of(o)->version = p.version;
	return loads[p.op](dict_of(o), (struct span){body.p, p.nkey}, (struct span){body.p + p.nkey, body.n - p.nkey});
}

/* --- the classes -------------------------------------------------------------------------------------------------- */

static void dict_init(struct obj *o) { list_init(&dict_of(o)->entries); }
static void dict_done(struct obj *o) { entries_drop(dict_of(o)); }
static bool dict_busy(const struct obj *o) { return !list_empty(&dict_of(o)->entries); }

static void dict_describe(const struct obj *o, struct buf *b)
{
	const struct dict *d = dict_of(o);
	buf_printf(b, "\"len\":%zu,\"bytes\":%zu,\"version\":%llu", d->map.count, d->bytes,
		   (unsigned long long)d->version);
}

static void dict_summary(const struct obj *o, struct buf *b)
{
	size_t n = dict_of(o)->map.count;
	buf_printf(b, n == 1 ? "%zu key" : "%zu keys", n);
}

#define DICT_CLASS(kind_, name_)                                                                                       \
	{                                                                                                              \
		.kind = kind_, .name = name_, .size = sizeof(struct dict), .init = dict_init, .done = dict_done,       \
		.busy = dict_busy, .save = dict_save, .load = dict_load, .save_parts = dict_save_parts,                \
		.load_part = dict_load_part, .describe = dict_describe, .summary = dict_summary,                       \
	}

const struct class dict_class = DICT_CLASS(KIND_DICT, "dict");
const struct class namespace_class = DICT_CLASS(KIND_NAMESPACE, "namespace");
