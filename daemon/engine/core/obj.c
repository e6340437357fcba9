/* SPDX-License-Identifier: MIT */
/* Objects and holds: obj.h. */
#include "daemon/engine/core/obj.h"
#include "common/scan.h"
#include "daemon/engine/core/core.h"
#include <assert.h>
#include <stdio.h>

#define KEY_MAX (4 + OBJ_NAME_MAX)
#define TOKEN_STEP ((uint64_t)1 << 24) /* tokens that are set aside at once */

const struct class *const classes[KIND_COUNT] = {
	[KIND_LOCK] = &lock_class,           [KIND_RLOCK] = &rlock_class,    [KIND_SEMAPHORE] = &sem_class,
	[KIND_EVENT] = &event_class,         [KIND_CONDITION] = &cond_class, [KIND_BARRIER] = &barrier_class,
	[KIND_QUEUE] = &queue_class,         [KIND_PIPE] = &pipe_class,      [KIND_VALUE] = &value_class,
	[KIND_ARRAY] = &array_class,         [KIND_DICT] = &dict_class,      [KIND_LIST] = &list_class,
	[KIND_NAMESPACE] = &namespace_class,
};

/* --- names -------------------------------------------------------------------------------------------------------- */

enum scope { SCOPE_BARE, SCOPE_USER, SCOPE_SYSTEM };

struct name_parts {
	enum scope scope;
	uint32_t uid; /* SCOPE_USER */
	struct span name;
};

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '-';
}

static bool name_valid(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!name_char(name.p[i]))
			return false;
	return name.n > 0 && name.n <= OBJ_NAME_MAX;
}

/* "~1000/x": false when it is no uid. */
static bool parse_user(struct span text, struct name_parts *ret)
{
	uint64_t uid = 0;
	size_t i = 1;
	for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9' && uid <= UINT32_MAX; i++)
		uid = 10 * uid + (uint64_t)(text.p[i] - '0');
	if (i == 1 || i == text.n || text.p[i] != '/' || uid >= OBJ_SYSTEM)
		return false;
	*ret = (struct name_parts){SCOPE_USER, (uint32_t)uid, {text.p + i + 1, text.n - i - 1}};
	return true;
}

static int name_parse(struct span text, struct name_parts *ret, struct fault *f)
{
	bool ok = true;
	if (text.n && text.p[0] == '/')
		*ret = (struct name_parts){SCOPE_SYSTEM, 0, {text.p + 1, text.n - 1}};
	else if (text.n && text.p[0] == '~')
		ok = parse_user(text, ret);
	else
		*ret = (struct name_parts){SCOPE_BARE, 0, text};
	if (ok && name_valid(ret->name))
		return 0;
	return fault_set(f, FAULT_PARAMS,
			 "name: %.*s%s is none: 1 to %d of A-Z a-z 0-9 . _ -, after / (the system's) or ~UID/",
			 (int)MIN(text.n, 140), text.p, text.n > 140 ? "..." : "", OBJ_NAME_MAX);
}

static struct span key_make(uint32_t scope, struct span name, char room[KEY_MAX])
{
	memcpy(room, &scope, 4);
	memcpy(room + 4, name.p, name.n);
	return (struct span){room, 4 + name.n};
}

static uint32_t key_scope(const struct obj *o)
{
	uint32_t scope;
	memcpy(&scope, o->key.p, 4);
	return scope;
}

static struct span key_name(const struct obj *o) { return (struct span){o->key.p + 4, o->key.n - 4}; }

const char *obj_name(const struct obj *o, uid_t uid)
{
	static char rooms[4][16 + OBJ_NAME_MAX];
	static unsigned turn;
	char *room = rooms[turn++ % ARRAY_LEN(rooms)];
	uint32_t scope = key_scope(o);
	int n = (int)o->key.n - 4;
	const char *name = o->key.p + 4;
	if (scope == OBJ_SYSTEM)
		snprintf(room, sizeof(rooms[0]), "/%.*s", n, name);
	else if (scope == uid)
		snprintf(room, sizeof(rooms[0]), "%.*s", n, name);
	else
		snprintf(room, sizeof(rooms[0]), "~%u/%.*s", scope, n, name);
	return room;
}

const char *obj_said(const struct obj *o) { return obj_name(o, o->uid); }

enum obj_kind obj_kind_of(struct span name)
{
	for (int k = 1; k < KIND_COUNT; k++)
		if (span_is(name, classes[k]->name))
			return (enum obj_kind)k;
	return KIND_ANY;
}

/* --- rights ------------------------------------------------------------------------------------------------------- */

static bool in_group(const struct asker *who, gid_t gid)
{
	for (size_t i = 0; i < who->ngroups; i++)
		if (who->groups[i] == gid)
			return true;
	return who->gid == gid;
}

bool obj_may(const struct asker *who, const struct obj *o, unsigned rights)
{
	unsigned mode = o->mode;
	if (who->admin)
		return true;
	if (who->uid == o->uid)
		mode = mode >> 6 | RIGHT_CONTROL; /* as with files: the owner changes the mode, whatever it is */
	else if (in_group(who, o->gid))
		mode >>= 3;
	return (mode & rights) == rights;
}

bool obj_visible(const struct asker *who, const struct obj *o)
{
	return obj_may(who, o, RIGHT_LOOK) || obj_may(who, o, RIGHT_USE) || obj_may(who, o, RIGHT_CONTROL);
}

static int no_such(struct span name, enum obj_kind kind, struct fault *f)
{
	return fault_set(f, FAULT_NOT_FOUND, "%.*s: no such %s (see: mpctl ls)", (int)name.n, name.p,
			 kind == KIND_ANY ? "object" : classes[kind]->name);
}

static struct obj **recent_slot(uint32_t scope, struct span name)
{
	_Static_assert(ARRAY_LEN(core.recent_objs) == 64, "six bits of the hash");
	uint64_t first = 0, last = 0;
	size_t n = MIN(name.n, sizeof(first));
	memcpy(&first, name.p, n);
	memcpy(&last, name.p + name.n - n, n);
	return &core.recent_objs[((first ^ scope) * 3 ^ last ^ name.n) * 0x9e3779b97f4a7c15 >> 58];
}

static bool obj_has_key(const struct obj *o, uint32_t scope, struct span name)
{
	return key_scope(o) == scope && span_eq(key_name(o), name);
}

/* Most look for what somebody has looked for just before; the map's hash, which nobody can foresee, takes longer. */
static struct obj *obj_look(uint32_t scope, struct span name)
{
	char room[KEY_MAX];
	struct obj **recent = recent_slot(scope, name);
	if (*recent && obj_has_key(*recent, scope, name))
		return *recent;
	struct obj *o = map_get_str(&core.obj_names, key_make(scope, name, room));
	if (o)
		*recent = o;
	return o;
}

static void recent_drop(const struct obj *o)
{
	struct obj **recent = recent_slot(key_scope(o), key_name(o));
	if (*recent == o)
		*recent = NULL;
}

/* The object that is meant, whatever the rights; NULL: none. */
static struct obj *obj_meant(const struct asker *who, const struct name_parts *p)
{
	if (p->scope == SCOPE_USER)
		return obj_look(p->uid, p->name);
	struct obj *own = p->scope == SCOPE_BARE ? obj_look(who->uid, p->name) : NULL;
	if (own)
		return own;
	struct obj *shared = obj_look(OBJ_SYSTEM, p->name);
	return shared && (p->scope == SCOPE_SYSTEM || obj_may(who, shared, RIGHT_USE)) ? shared : NULL;
}

static int obj_check(const struct asker *who, struct obj *o, struct span name, enum obj_kind kind, unsigned rights,
		     struct fault *f)
{
	if (!obj_visible(who, o))
		return no_such(name, kind, f);
	if (kind != KIND_ANY && o->class->kind != kind)
		return fault_set(f, FAULT_WRONG_KIND, "%.*s is a %s, not a %s", (int)name.n, name.p, o->class->name,
				 classes[kind]->name);
	if (obj_may(who, o, rights))
		return 0;
	fault_set(f, FAULT_DENIED, "%.*s: its mode %o does not let uid %u do this", (int)name.n, name.p, o->mode,
		  who->uid);
	return fault_data(f, "\"rule\":\"mode\"");
}

int obj_find(const struct asker *who, struct span name, enum obj_kind kind, unsigned rights, struct obj **ret,
	     struct fault *f)
{
	struct name_parts p;
	int code = name_parse(name, &p, f);
	if (code)
		return code;
	struct obj *o = obj_meant(who, &p);
	code = o ? obj_check(who, o, name, kind, rights, f) : no_such(name, kind, f);
	if (code)
		return code;
	if (kind != KIND_ANY) /* by one of its verbs */
		obj_used(o);
	*ret = o;
	return 0;
}

/* --- beginnings and ends ------------------------------------------------------------------------------------------ */

static struct obj *obj_make(const struct obj_image *i, struct span key)
{
	const struct class *class = classes[i->kind];
	struct obj *o = calloc(1, class->size);
	char *copy = malloc(key.n);
	must(o && copy);
	memcpy(copy, key.p, key.n);
	o->class = class;
	o->id = i->id;
	o->uid = i->uid;
	o->gid = i->gid;
	o->mode = i->mode;
	o->created = i->created;
	o->ttl_idle = i->ttl_idle;
	o->key = (struct span){copy, key.n};
	list_init(&o->dirty);
	list_init(&o->holds);
	list_init(&o->wants);
	if (class->init)
		class->init(o);
	must(map_put(&core.objs, o->id, o) == 0 && map_put_str(&core.obj_names, o->key, o) == 0);
	list_push(&core.all_objs, &o->by_all);
	core.next_obj = MAX(core.next_obj, o->id + 1);
	uintptr_t n = (uintptr_t)map_get(&core.objs_of, o->uid);
	must(map_put(&core.objs_of, o->uid, (void *)(n + 1)) == 0);
	return o;
}

static void obj_unlist(struct obj *o)
{
	uintptr_t n = (uintptr_t)map_get(&core.objs_of, o->uid);
	if (n > 1)
		map_put(&core.objs_of, o->uid, (void *)(n - 1));
	else
		map_del(&core.objs_of, o->uid);
	map_del(&core.objs, o->id);
	map_del_str(&core.obj_names, o->key);
	recent_drop(o);
	timer_clear(&core.timers, &o->idle);
	list_del(&o->dirty);
	list_del(&o->by_all);
}

static void obj_free(struct obj *o)
{
	timer_clear(&core.timers, &o->idle);
	if (o->class->done)
		o->class->done(o);
	free((char *)o->key.p);
	free(o);
}

static int quota_check(const struct asker *who, struct fault *f)
{
	size_t n = (uintptr_t)map_get(&core.objs_of, who->uid);
	if (who->admin || n < OBJ_PER_UID)
		return 0;
	fault_set(f, FAULT_QUOTA, "uid %u has %d objects, which is the most (see: mpctl ls, mpctl rm)", who->uid,
		  OBJ_PER_UID);
	return fault_data(f, "\"limit\":\"objects\",\"used\":%zu,\"max\":%d", n, OBJ_PER_UID);
}

static uint32_t made_scope(const struct asker *who, const struct name_parts *p)
{
	if (p->scope == SCOPE_BARE)
		return who->uid;
	return p->scope == SCOPE_USER ? p->uid : OBJ_SYSTEM;
}

/* Not a word about what is there already. */
static int scope_check(const struct asker *who, uint32_t scope, struct span name, struct fault *f)
{
	if (scope == who->uid || who->admin)
		return 0;
	fault_set(f, FAULT_DENIED, "%.*s: only root makes %s; a bare name is your own", (int)name.n, name.p,
		  scope == OBJ_SYSTEM ? "system objects" : "what is another user's");
	return fault_data(f, "\"rule\":\"scope\"");
}

int obj_new(const struct asker *who, struct span name, enum obj_kind kind, const struct make *make, struct obj **ret,
	    struct fault *f)
{
	char room[KEY_MAX];
	struct name_parts p;
	int code = name_parse(name, &p, f);
	if (!code)
		code = scope_check(who, made_scope(who, &p), name, f);
	if (!code)
		code = quota_check(who, f);
	if (code)
		return code;
	uint32_t scope = made_scope(who, &p);
	struct obj_image i = {
		.id = core.next_obj,
		.created = core.now,
		.kind = (uint16_t)kind,
		.uid = scope == OBJ_SYSTEM ? who->uid : scope,
		.gid = make && make->has_group ? make->group : who->gid,
		.mode = make && make->has_mode ? make->mode : 0700,
		.ttl_idle = make ? make->ttl_idle : 0,
	};
	*ret = obj_make(&i, key_make(scope, p.name, room));
	obj_dirty(*ret);
	obj_used(*ret);
	return 0;
}

int obj_find_made(const struct asker *who, struct span name, enum obj_kind kind, const struct make *make,
		  struct obj **ret, struct fault *f)
{
	struct name_parts p;
	int code = name_parse(name, &p, f);
	if (code)
		return code;
	struct obj *o = obj_look(made_scope(who, &p), p.name);
	*ret = NULL;
	if (!o || !obj_visible(who, o))
		code = scope_check(who, made_scope(who, &p), name, f);
	if (!o || code)
		return code;
	if (!make->exist_ok || !obj_visible(who, o))
		return fault_set(f, FAULT_EXISTS, "%.*s is there already, a %s", (int)name.n, name.p, o->class->name);
	code = obj_check(who, o, name, kind, RIGHT_USE, f);
	if (!code)
		*ret = o;
	return code;
}

int obj_get(const struct asker *who, struct span name, enum obj_kind kind, bool may_make, struct obj **ret,
	    bool *ret_made, struct fault *f)
{
	bool made = false;
	int code = obj_find(who, name, kind, RIGHT_USE, ret, f);
	if (code == FAULT_NOT_FOUND && may_make) {
		struct name_parts p;
		code = name_parse(name, &p, f);
		if (!code && (scope_check(who, made_scope(who, &p), name, f) || obj_look(made_scope(who, &p), p.name)))
			return no_such(name, kind,
				       f); /* not to be made, or there and not to be seen: that is not told */
		code = code ? code : obj_new(who, name, kind, NULL, ret, f);
		made = !code;
	}
	if (ret_made)
		*ret_made = made;
	return code;
}

static void obj_remove(struct obj *o)
{
	struct fault f;
	o->deleted = true;
	fault_set(&f, o->class->deleted ? o->class->deleted : FAULT_DELETED, "%s %s was removed", o->class->name,
		  obj_said(o));
	while (!list_empty(&o->wants))
		want_fail(LIST_ENTRY(o->wants.next, struct want, by_obj), &f);
	if (o->class->removed)
		o->class->removed(o, &f);
	while (!list_empty(&o->holds))
		hold_end(LIST_ENTRY(o->holds.next, struct hold, by_obj));
	obj_unlist(o);
	core_record(JOURNAL_OBJECT_GONE, &o->id, sizeof(o->id), NULL, 0);
	list_push(&core.dead_objs, &o->by_all);
}

/* What its holders have read by now is no longer in it. */
static void obj_settle(struct obj *o)
{
	const struct channel *asked = NULL;
	struct list *n = o->holds.next;
	while (n != &o->holds) {
		struct channel *ch = LIST_ENTRY(n, struct hold, by_obj)->grant.channel;
		n = n->next;
		if (!ch || ch == asked || !channel_unsure(ch))
			continue;
		asked = ch;
		channel_settle(ch);
		if (!channel_unsure(ch))
			n = o->holds.next; /* some may be gone */
	}
}

int obj_delete(struct obj *o, bool force, struct fault *f)
{
	if (!force)
		obj_settle(o);
	if (!force && o->nholds > 0)
		return fault_set(f, FAULT_BUSY, "%s %s is held (see: mpctl info; -f removes it nevertheless)",
				 o->class->name, obj_said(o));
	if (!force && o->class->busy && o->class->busy(o))
		return fault_set(f, FAULT_BUSY, "%s %s is not empty (-f removes it nevertheless)", o->class->name,
				 obj_said(o));
	obj_remove(o);
	return 0;
}

struct obj *obj_by_id(uint64_t id) { return map_get(&core.objs, id); }

static void idle_over(struct timer *t) { obj_remove(CONTAINER_OF(t, struct obj, idle)); }

void obj_used(struct obj *o)
{
	if (!o->ttl_idle || o->deleted)
		return;
	if (o->nholds || o->nwants || (o->class->busy && o->class->busy(o)))
		timer_clear(&core.timers, &o->idle);
	else
		timer_set(&core.timers, &o->idle, timer_after(core.now, o->ttl_idle), idle_over);
}

void obj_dirty(struct obj *o)
{
	if (!list_linked(&o->dirty) && !o->deleted)
		list_push(&core.dirty_objs, &o->dirty);
}

/* --- holds -------------------------------------------------------------------------------------------------------- */

uint64_t token_new(void)
{
	if (core.next_token >= core.token_ceiling) {
		core.token_ceiling = core.next_token + TOKEN_STEP;
		core.ops->tokens(core.token_ceiling);
	}
	core.tokens_dirty = true;
	return core.next_token++;
}

static void hold_undo(struct grant *g, bool certain)
{
	struct hold *h = CONTAINER_OF(g, struct hold, grant);
	if (h->obj->class->undo)
		h->obj->class->undo(h, certain);
}

static void hold_confirm(struct grant *g) { CONTAINER_OF(g, struct hold, grant)->unsure = 0; }

/* The newest is the last one; those of the journal come in any order. */
static struct list *place_of_obj(struct obj *o, uint64_t token)
{
	struct list *at = &o->holds;
	while (at->prev != &o->holds && LIST_ENTRY(at->prev, struct hold, by_obj)->token > token)
		at = at->prev;
	return at;
}

static struct list *place_of_thread(struct thread *t, uint64_t token)
{
	struct list *at = &t->has;
	while (at->prev != &t->has && LIST_ENTRY(at->prev, struct hold, by_thread)->token > token)
		at = at->prev;
	return at;
}

void hold_begin(struct hold *h, struct obj *o, struct thread *t, uint32_t count, uint64_t token)
{
	static const struct grant_ops ops = {hold_undo, hold_confirm};
	*h = (struct hold){.obj = o,
			   .thread = t,
			   .count = count,
			   .since = core.now,
			   .token = token ? token : token_new(),
			   .inside = true,
			   .grant.ops = &ops};
	list_init(&h->dirty);
	list_init(&h->by_thread);
	list_push(place_of_obj(o, h->token), &h->by_obj);
	o->nholds++;
	if (t)
		list_push(place_of_thread(t, h->token), &h->by_thread);
	if (t && !t->owner->saved)
		owner_save(t->owner);
	timer_clear(&core.timers, &o->idle);
}

static struct hold *hold_make(struct obj *o, struct thread *t, uint32_t count, uint64_t token)
{
	struct hold *h = malloc(sizeof(*h));
	must(h);
	hold_begin(h, o, t, count, token);
	h->inside = false;
	return h;
}

struct hold *hold_new(struct obj *o, struct thread *t, uint32_t count)
{
	struct hold *h = hold_make(o, t, count, 0);
	hold_dirty(h);
	return h;
}

static void hold_leave(struct hold *h)
{
	struct thread *t = h->thread;
	grant_sure(&h->grant);
	list_del(&h->by_obj);
	list_del(&h->by_thread);
	list_del(&h->dirty);
	h->thread = NULL;
	h->obj->nholds--;
	obj_used(h->obj);
	if (t)
		thread_unused(t);
}

void hold_end(struct hold *h)
{
	hold_leave(h);
	if (h->inside)
		return;
	if (h->saved && !h->obj->deleted)
		core_record(JOURNAL_HOLD_GONE, &h->token, sizeof(h->token), NULL, 0);
	map_del(&core.loaded_holds, h->token);
	free(h);
}

void hold_dirty(struct hold *h)
{
	if (!list_linked(&h->dirty))
		list_push(&core.dirty_holds, &h->dirty);
}

/* More is granted on top of what was written before: if that has been read, it is sure, whatever comes of the rest. */
static void hold_settle(struct hold *h)
{
	struct channel *ch = h->grant.channel;
	if (ch && h->grant.line <= ch->written && core.ops->all_read(ch))
		channel_read(ch);
}

void hold_grant(struct hold *h, struct want *w, uint32_t count)
{
	w->hold = h;
	if (w->unanswered || !w->channel)
		return;
	hold_settle(h);
	if (h->grant.channel != w->channel)
		h->unsure = 0;
	h->unsure += count;
	channel_grant(w->channel, &h->grant);
}

struct hold *hold_find(const struct obj *o, const struct thread *t)
{
	struct hold *h;
	LIST_EACH (h, &o->holds, by_obj)
		if (h->thread == t)
			return h;
	return NULL;
}

/* --- fences ------------------------------------------------------------------------------------------------------- */

static int fence_stale(const struct obj *o, uint64_t token, const struct hold *h, struct fault *f)
{
	AUTO_BUF owner = BUF_INIT;
	fault_set(f, FAULT_STALE_TOKEN, "token %llu is out of date: lock %s is %s", (unsigned long long)token,
		  obj_said(o), h ? "held with another one" : "not held");
	if (!h || !h->thread)
		return f->code;
	who_put(&owner, h->thread);
	return fault_data(f, "\"owner\":%s,\"token\":%llu", buf_str(&owner), (unsigned long long)h->token);
}

static int fence_parse(struct span fence, struct span *ret_lock, uint64_t *ret_token, struct fault *f)
{
	struct span token = {NULL, 0}, lock = {NULL, 0};
	if (scan_type(fence) == SCAN_OBJECT && scan_count(fence) == 2) {
		lock = scan_get(fence, "lock");
		token = scan_get(fence, "token");
	}
	if (lock.p && token.p && scan_plain(lock, ret_lock) && scan_u64(token, ret_token) == 0)
		return 0;
	return fault_set(f, FAULT_PARAMS, "fence: must be {\"lock\": NAME, \"token\": T}");
}

int fence_still(const struct fence *fence, struct fault *f)
{
	const struct obj *o = obj_by_id(fence->lock);
	const struct hold *h;
	if (!fence->lock)
		return 0;
	if (!o)
		return fault_set(f, FAULT_STALE_TOKEN, "token %llu is out of date: its lock was removed",
				 (unsigned long long)fence->token);
	LIST_EACH (h, &o->holds, by_obj)
		if (h->token == fence->token)
			return 0;
	return fence_stale(o, fence->token, LIST_FIRST(&o->holds, struct hold, by_obj), f);
}

int fence_check(const struct asker *who, struct span text, struct fence *ret, struct fault *f)
{
	struct span name;
	struct obj *o;
	*ret = (struct fence){0};
	if (!text.p)
		return 0;
	int code = fence_parse(text, &name, &ret->token, f);
	if (!code)
		code = obj_find(who, name, KIND_ANY, RIGHT_LOOK, &o, f);
	if (code)
		return code;
	ret->lock = o->id;
	return fence_still(ret, f);
}

/* --- the journal's side ------------------------------------------------------------------------------------------- */

struct hold_image { /* followed by the tag */
	uint64_t token, obj, owner;
	nsec_t since;
	uint32_t count, role;
};

static void obj_save(struct obj *o)
{
	static struct buf image;
	struct obj_image i = {.id = o->id,
			      .created = o->created,
			      .ttl_idle = o->ttl_idle,
			      .uid = o->uid,
			      .gid = o->gid,
			      .mode = o->mode,
			      .kind = (uint16_t)o->class->kind,
			      .nkey = (uint32_t)o->key.n};
	list_del(&o->dirty);
	buf_clear(&image, 4096);
	buf_put(&image, &i, sizeof(i));
	buf_span(&image, o->key);
	if (o->class->save)
		o->class->save(o, &image);
	must(!image.failed);
	core_record(JOURNAL_OBJECT, image.p, image.len, NULL, 0);
}

static void hold_save(struct hold *h)
{
	struct hold_image i = {.token = h->token,
			       .obj = h->obj->id,
			       .owner = h->thread ? h->thread->owner->i.id : 0,
			       .since = h->since,
			       .count = h->count,
			       .role = h->role};
	list_del(&h->dirty);
	h->saved = true;
	core_record(JOURNAL_HOLD, &i, sizeof(i), h->thread ? h->thread->tag : NULL, h->thread ? h->thread->ntag : 0);
}

void part_dirty(struct part *p)
{
	if (!list_linked(&p->dirty))
		list_push(&core.dirty_parts, &p->dirty);
}

void obj_part(struct obj *o, const void *a, size_t na, struct span b)
{
	char room[256];
	assert(8 + na <= sizeof(room));
	while (list_linked(&o->dirty)) /* the journal knows it before what belongs to it, and those before it */
		obj_save(LIST_ENTRY(core.dirty_objs.next, struct obj, dirty));
	memcpy(room, &o->id, 8);
	if (na)
		memcpy(room + 8, a, na);
	core_record(JOURNAL_PART, room, 8 + na, b.p, b.n);
}

/* The next token, object and owner: none is given again when the records of those that are gone are gone, too. */
struct numbers {
	uint64_t token, obj, owner;
};

static void tokens_save(void)
{
	struct numbers next = {core.next_token, core.next_obj, core.next_owner};
	core.tokens_dirty = false;
	core_record(JOURNAL_TOKENS, &next, sizeof(next), NULL, 0);
}

/* An object is known to the journal before what belongs to it, and an owner for as long as anything is its. */
void objs_save(void)
{
	struct list *n;
	while ((n = list_shift(&core.dead_objs)))
		obj_free(LIST_ENTRY(n, struct obj, by_all));
	owners_reap();
	while (!list_empty(&core.dirty_objs))
		obj_save(LIST_ENTRY(core.dirty_objs.next, struct obj, dirty));
	while (!list_empty(&core.dirty_holds))
		hold_save(LIST_ENTRY(core.dirty_holds.next, struct hold, dirty));
	while ((n = list_shift(&core.dirty_parts)))
		LIST_ENTRY(n, struct part, dirty)->save(LIST_ENTRY(n, struct part, dirty));
	if (core.tokens_dirty)
		tokens_save();
	owners_save_gone();
}

void objs_save_all(void)
{
	struct owner *owner;
	struct obj *o;
	struct hold *h;
	LIST_EACH (owner, &core.owners, by_all)
		if (owner->saved)
			owner_save(owner);
	tokens_save();
	LIST_EACH (o, &core.all_objs, by_all) {
		obj_save(o);
		LIST_EACH (h, &o->holds, by_obj)
			if (h->saved)
				hold_save(h);
		if (o->class->save_parts)
			o->class->save_parts(o);
	}
}

int tokens_load(struct span body)
{
	struct numbers next;
	if (body.n != sizeof(next))
		return -1;
	memcpy(&next, body.p, sizeof(next));
	if (next.token == 0 || next.token > CORE_ID_MAX || next.obj == 0 || next.obj > CORE_ID_MAX || next.owner == 0 ||
	    next.owner > CORE_ID_MAX)
		return -1;
	core.next_token = MAX(core.next_token, next.token);
	core.next_obj = MAX(core.next_obj, next.obj);
	core.next_owner = MAX(core.next_owner, next.owner);
	return 0;
}

/* A record of one that is there replaces its shape and state, and leaves its holds and parts. */
int obj_load(struct span body)
{
	struct obj_image i;
	if (body.n < sizeof(i))
		return -1;
	memcpy(&i, body.p, sizeof(i));
	body = (struct span){body.p + sizeof(i), body.n - sizeof(i)};
	if (i.id == 0 || i.id >= CORE_ID_MAX || i.kind == 0 || i.kind >= KIND_COUNT || i.nkey <= 4 ||
	    i.nkey > KEY_MAX || i.nkey > body.n || i.ttl_idle < 0 || !name_valid((struct span){body.p + 4, i.nkey - 4}))
		return -1;
	struct span key = {body.p, i.nkey}, image = {body.p + i.nkey, body.n - i.nkey};
	struct obj *o = obj_by_id(i.id);
	if (o && (o->class->kind != i.kind || !span_eq(o->key, key)))
		return -1;
	if (!o && map_get_str(&core.obj_names, key))
		return -1;
	if (!o)
		o = obj_make(&i, key);
	o->mode = i.mode;
	o->gid = i.gid;
	o->ttl_idle = i.ttl_idle;
	if (!o->class->load || o->class->load(o, image) == 0)
		return 0;
	obj_remove(o);
	return -1;
}

int obj_load_gone(struct span body)
{
	uint64_t id;
	if (body.n != sizeof(id))
		return -1;
	memcpy(&id, body.p, sizeof(id));
	struct obj *o = obj_by_id(id);
	if (o)
		obj_remove(o);
	core.next_obj = MAX(core.next_obj, MIN(id, CORE_ID_MAX - 1) + 1);
	return 0;
}

int obj_load_part(struct span body)
{
	uint64_t id;
	if (body.n < sizeof(id))
		return -1;
	memcpy(&id, body.p, sizeof(id));
	struct obj *o = obj_by_id(id);
	if (!o || !o->class->load_part)
		return -1;
	return o->class->load_part(o, (struct span){body.p + sizeof(id), body.n - sizeof(id)});
}

static struct hold *hold_again(const struct hold_image *i, struct span tag)
{
	struct obj *o = obj_by_id(i->obj);
	struct owner *owner = i->owner ? owner_by_id(i->owner) : NULL;
	if (!o || (i->owner && !owner) || !o->class->load_hold)
		return NULL;
	struct thread *t = owner ? owner_thread(owner, tag) : NULL;
	must(t || !owner);
	struct hold *h = hold_make(o, t, i->count, i->token);
	core.next_token = MAX(core.next_token, i->token + 1);
	must(map_put(&core.loaded_holds, h->token, h) == 0);
	return h;
}

int hold_load(struct span body)
{
	struct hold_image i;
	if (body.n < sizeof(i) || body.n > sizeof(i) + OWNER_TAG_MAX)
		return -1;
	memcpy(&i, body.p, sizeof(i));
	if (i.token == 0 || i.token >= CORE_ID_MAX || i.count == 0)
		return -1;
	struct span tag = {body.p + sizeof(i), body.n - sizeof(i)};
	struct hold *h = map_get(&core.loaded_holds, i.token);
	if (!h && !(h = hold_again(&i, tag)))
		return -1;
	if (h->obj->id != i.obj)
		return -1;
	h->since = i.since;
	h->count = i.count;
	h->role = i.role;
	h->saved = true;
	if (!i.owner && h->thread) { /* it outlived its owner */
		list_del(&h->by_thread);
		h->thread = NULL;
	}
	h->obj->class->load_hold(h);
	return 0;
}

int hold_load_gone(struct span body)
{
	uint64_t token;
	if (body.n != sizeof(token))
		return -1;
	memcpy(&token, body.p, sizeof(token));
	struct hold *h = map_get(&core.loaded_holds, token);
	if (h) {
		h->obj->class->drop_hold(h);
		hold_end(h);
	}
	return 0;
}

/* Of the numbers that a daemon before this one set aside none is given again. */
static void tokens_synced(void)
{
	if (core.next_token == 1)
		core.next_token = core.token_ceiling = MAX(core.token_ceiling, 1);
}

void objs_synced(void)
{
	struct obj *o;
	map_done(&core.loaded_holds);
	tokens_synced();
	owners_synced();
	LIST_EACH (o, &core.all_objs, by_all) {
		if (o->class->synced)
			o->class->synced(o);
		obj_used(o);
	}
}

static void holds_free(struct obj *o)
{
	struct list *n;
	while ((n = list_shift(&o->holds))) {
		struct hold *h = LIST_ENTRY(n, struct hold, by_obj);
		if (!h->inside)
			free(h);
	}
}

void objs_done(void)
{
	struct list *n;
	while ((n = list_shift(&core.all_objs))) {
		holds_free(LIST_ENTRY(n, struct obj, by_all));
		obj_free(LIST_ENTRY(n, struct obj, by_all));
	}
	while ((n = list_shift(&core.dead_objs)))
		obj_free(LIST_ENTRY(n, struct obj, by_all));
	size_t i = 0;
	for (void *bytes; (bytes = map_each(&core.queued_of, &i));)
		free(bytes);
	map_done(&core.queued_of);
	map_done(&core.objs);
	map_done(&core.obj_names);
	map_done(&core.objs_of);
	map_done(&core.wants_of);
	map_done(&core.loaded_holds);
}

/* --- what is told of them ----------------------------------------------------------------------------------------- */

static double ago(nsec_t t) { return (double)MAX(core.now - t, 0) / (double)NSEC_PER_SEC; }

static void put_row(struct buf *b, const struct obj *o, uid_t asking)
{
	AUTO_BUF summary = BUF_INIT;
	if (o->class->summary)
		o->class->summary(o, &summary);
	buf_puts(b, "\"name\":");
	scan_put_str(b, span_of(obj_name(o, asking)));
	buf_printf(b, ",\"kind\":\"%s\",\"uid\":%u,\"mode\":\"%o\",\"age\":%.3f,\"holders\":%zu,\"waiters\":%zu,",
		   o->class->name, o->uid, o->mode, ago(o->created), o->nholds, o->nwants);
	buf_puts(b, "\"summary\":");
	scan_put_str(b, buf_view(&summary));
}

void obj_put_row(struct buf *b, const struct obj *o, uid_t asking)
{
	buf_putc(b, '{');
	put_row(b, o, asking);
	buf_putc(b, '}');
}

/* WHO's members with others behind them. */
static void put_thread(struct buf *b, const struct thread *t)
{
	if (!t) {
		buf_puts(b, "{\"owner\":null");
		return;
	}
	who_put(b, t);
	if (b->len)
		b->len--; /* its closing brace */
}

static void put_holds(struct buf *b, const struct obj *o)
{
	const struct hold *h;
	const char *sep = "";
	LIST_EACH (h, &o->holds, by_obj) {
		buf_puts(b, sep);
		put_thread(b, h->thread);
		buf_printf(b, ",\"token\":%llu,\"since\":%.3f,\"count\":%u}", (unsigned long long)h->token,
			   ago(h->since), h->count);
		sep = ",";
	}
}

static void put_wants(struct buf *b, const struct obj *o)
{
	const struct want *w;
	const char *sep = "";
	LIST_EACH (w, &o->wants, by_obj) {
		buf_puts(b, sep);
		put_thread(b, w->thread);
		buf_printf(b, ",\"since\":%.3f,\"what\":\"%s\"", ago(w->since), w->ops->what);
		if (timer_is_set(&w->waiter.timer))
			buf_printf(b, ",\"timeout\":%.3f", (double)(w->waiter.timer.at - core.now) / NSEC_PER_SEC);
		buf_putc(b, '}');
		sep = ",";
	}
}

void obj_put_info(struct buf *b, const struct obj *o, uid_t asking)
{
	buf_putc(b, '{');
	put_row(b, o, asking);
	buf_printf(b, ",\"incarnation\":%llu,\"group\":%u", (unsigned long long)o->id, o->gid);
	if (o->ttl_idle)
		buf_printf(b, ",\"ttl_idle\":%.3f", (double)o->ttl_idle / NSEC_PER_SEC);
	buf_puts(b, ",\"holds\":[");
	put_holds(b, o);
	buf_puts(b, "],\"waits\":[");
	put_wants(b, o);
	buf_puts(b, "],\"state\":{");
	if (o->class->describe)
		o->class->describe(o, b);
	buf_puts(b, "}}");
}
