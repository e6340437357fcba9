/* SPDX-License-Identifier: MIT */
/*
 * The objects of the configuration, made at the start of every engine by what serves KIND.create.
 *
 * 1. They belong to the daemon's own user and are in the journal with the first turn.
 * 2. What the journal has brought back stays as it is, also in another shape: then the log says so.
 */
#include "daemon/engine/config_objects.h"
#include "common/log.h"
#include "daemon/engine/objects.h"

static maker *const makers[CMD_COUNT] = {
	[CMD_lock_create] = lock_make,           [CMD_rlock_create] = rlock_make,
	[CMD_semaphore_create] = semaphore_make, [CMD_event_create] = event_make,
	[CMD_condition_create] = condition_make, [CMD_barrier_create] = barrier_make,
	[CMD_queue_create] = queue_make,         [CMD_pipe_create] = pipe_make,
	[CMD_value_create] = value_make,         [CMD_array_create] = array_make,
	[CMD_dict_create] = dict_make,           [CMD_list_create] = list_make,
	[CMD_namespace_create] = namespace_make,
};

static const char *text_at(const struct jobtab *tab, uint32_t offset) { return (const char *)tab + offset; }

/* The table may be an older engine's, whose methods were others. */
static int make_one(const char *method, struct span params, struct arena *arena, bool *ret_created, struct fault *f)
{
	const struct asker self = {.uid = core.uid, .gid = core.gid, .admin = true};
	const struct api_cmd *cmd = api_find(span_of(method));
	if (!cmd || !makers[cmd->id])
		return fault_set(f, FAULT_METHOD, "there is no method \"%s\"", method);
	void *args = arena_alloc(arena, cmd->size);
	if (!args)
		return fault_set(f, FAULT_INTERNAL, "out of memory");
	int code = api_decode(cmd, params, arena, args, f);
	return code ? code : makers[cmd->id](&self, args, ret_created, f);
}

void config_objects_make(const struct jobtab *tab)
{
	const struct jobtab_object *objects = (const struct jobtab_object *)((const char *)tab + tab->objects);
	struct arena arena = {0};
	size_t made = 0;
	for (uint32_t i = 0; i < tab->nobjects; i++) {
		const struct jobtab_object *o = &objects[i];
		struct fault fault;
		bool created = false;
		if (make_one(text_at(tab, o->method), span_of(text_at(tab, o->params)), &arena, &created, &fault))
			log_warning("%s: %s", text_at(tab, o->where), fault.message);
		made += created;
		arena_reset(&arena);
	}
	arena_done(&arena);
	if (made)
		log_info("%zu objects of the configuration made", made);
}
