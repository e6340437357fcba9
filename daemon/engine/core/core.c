/* SPDX-License-Identifier: MIT */
/* The core as a whole: its beginning, its journal, its end. */
#include "daemon/engine/core/core.h"

struct core core;

void core_init(const struct core_ops *ops, nsec_t now)
{
	core = (struct core){.ops = ops,
			     .now = now,
			     .next_id = 1,
			     .next_owner = 1,
			     .next_obj = 1,
			     .next_token = 1,
			     .random = 0x9e3779b97f4a7c15u,
			     .keep = NSEC_NEVER};
	list_init(&core.owners);
	list_init(&core.idle_threads);
	list_init(&core.dead_owners);
	list_init(&core.all_objs);
	list_init(&core.dead_objs);
	list_init(&core.dirty_objs);
	list_init(&core.dirty_holds);
	list_init(&core.dirty_parts);
	list_init(&core.procs);
	list_init(&core.ended);
	list_init(&core.known);
	list_init(&core.ready);
	list_init(&core.dirty);
	list_init(&core.dirty_insts);
	list_init(&core.dropped[0]);
	list_init(&core.dropped[1]);
}

static void proc_free(struct proc *p)
{
	for (int t = 0; t < PROC_TEXTS; t++)
		free((char *)p->text[t].p);
	subject_done(&p->subject);
	subject_done(&p->output);
	free(p);
}

/* Frees those that were forgotten a turn ago: their RELEASE has gone out. */
static void core_drop(void)
{
	struct list *n;
	while ((n = list_shift(&core.dropped[1])))
		proc_free(LIST_ENTRY(n, struct proc, by_all));
	while ((n = list_shift(&core.dropped[0])))
		list_push(&core.dropped[1], n);
}

void core_done(void)
{
	for (size_t j = 0; j < core.njobs; j++)
		job_done(&core.jobs[j]);
	free(core.jobs);
	objs_done();
	core.replayed = false;
	owners_done();
	timers_done(&core.timers);
	core_drop();
	core_drop();
	size_t i = 0;
	for (struct name *n; (n = map_each(&core.names, &i));) {
		free((char *)n->key.p);
		free(n);
	}
	struct list *n;
	while ((n = list_shift(&core.procs)))
		proc_free(LIST_ENTRY(n, struct proc, by_all));
	map_done(&core.ids);
	map_done(&core.names);
	map_done(&core.pids);
	map_done(&core.origins);
	map_done(&core.gone);
}

int core_jobs(const struct jobtab *tab)
{
	core.keep = tab->keep;
	core.daemonic_children_allowed = tab->daemonic_children_allowed;
	core.jobs = calloc(MAX(tab->njobs, 1), sizeof(*core.jobs));
	if (!core.jobs)
		return -1;
	for (; core.njobs < tab->njobs; core.njobs++)
		if (job_init(&core.jobs[core.njobs], tab, (uint32_t)core.njobs) < 0)
			return -1;
	return 0;
}

int core_saw(uint64_t id)
{
	if (id == 0 || id > CORE_ID_MAX)
		return -1;
	core.next_id = MAX(core.next_id, id + 1);
	return 0;
}

static int load_meta(struct span body)
{
	uint64_t next;
	if (body.n != sizeof(next))
		return -1;
	memcpy(&next, body.p, sizeof(next));
	return next == 1 ? 0 : core_saw(next - 1);
}

int core_load(enum journal_type type, struct span body)
{
	static int (*const loaders[])(struct span) = {
		[JOURNAL_META] = load_meta,
		[JOURNAL_PROC] = proc_load_image,
		[JOURNAL_TEXT] = proc_load_text,
		[JOURNAL_FORGET] = proc_load_forget,
		[JOURNAL_JOB] = inst_load,
		[JOURNAL_OWNER] = owner_load,
		[JOURNAL_OWNER_GONE] = owner_load_gone,
		[JOURNAL_OBJECT] = obj_load,
		[JOURNAL_OBJECT_GONE] = obj_load_gone,
		[JOURNAL_HOLD] = hold_load,
		[JOURNAL_HOLD_GONE] = hold_load_gone,
		[JOURNAL_PART] = obj_load_part,
		[JOURNAL_TOKENS] = tokens_load,
	};
	if ((size_t)type >= ARRAY_LEN(loaders) || !loaders[type])
		return -1;
	return loaders[type](body);
}

void core_synced(void)
{
	struct proc *p, *tmp;
	core.replayed = true;
	LIST_EACH_SAFE (p, tmp, &core.procs, by_all)
		proc_synced(p);
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++)
			inst_synced(&core.jobs[j].insts[n]);
	map_done(&core.gone);
	objs_synced();
	core.synced = true;
	procs_expire();
}

void core_record(enum journal_type type, const void *a, size_t na, const void *b, size_t nb)
{
	if (core.replayed)
		core.ops->save(type, a, na, b, nb);
}

bool core_changed(void)
{
	return !list_empty(&core.dirty) || !list_empty(&core.dirty_insts) || !list_empty(&core.dirty_objs) ||
	       !list_empty(&core.dirty_holds) || !list_empty(&core.dirty_parts) || !list_empty(&core.dead_owners);
}

void core_save(void)
{
	while (!list_empty(&core.dirty))
		proc_save(LIST_ENTRY(core.dirty.next, struct proc, dirty), false);
	while (!list_empty(&core.dirty_insts))
		inst_save(LIST_ENTRY(core.dirty_insts.next, struct inst, dirty));
	objs_save();
	core_drop();
}

void core_save_all(void)
{
	core.ops->save(JOURNAL_META, &core.next_id, sizeof(core.next_id), NULL, 0);
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		proc_save(p, true);
	for (int turn = 0; turn < 2; turn++)
		LIST_EACH (p, &core.dropped[turn], by_all)
			core.ops->save(JOURNAL_FORGET, &p->i.id, sizeof(p->i.id), NULL, 0);
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++)
			if (core.jobs[j].insts[n].known)
				inst_save(&core.jobs[j].insts[n]);
	objs_save_all();
}

uint64_t core_random(void)
{
	core.random ^= core.random << 13;
	core.random ^= core.random >> 7;
	core.random ^= core.random << 17;
	return core.random;
}
