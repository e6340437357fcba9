/* SPDX-License-Identifier: MIT */
/* Names, instances, ids, pids and globs to targets. What a peer may not see is not there for him. */
#include "daemon/engine/targets.h"
#include "daemon/engine/attribute.h"
#include <fnmatch.h>
#include <stdio.h>

/* Each pattern looks at all names: a bound, so that no request takes the loop seconds. */
#define GLOBS_MAX 64
#define GLOB_LENGTH_MAX 256u

struct finder {
	const struct peer *peer;
	struct targets *out;
	struct map found; /* `out` by address; of add_once() */
	size_t globs;
	bool failed; /* memory */
};

static bool add(struct finder *f, struct inst *inst, struct proc *proc)
{
	struct targets *t = f->out;
	const struct target x = {.inst = inst, .proc = inst ? inst->proc : proc};
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		struct target *v = realloc(t->v, cap * sizeof(*v));
		if (!v) {
			f->failed = true;
			return false;
		}
		t->v = v;
		t->cap = cap;
	}
	t->v[t->n++] = x;
	return true;
}

static bool add_once(struct finder *f, struct inst *inst, struct proc *proc)
{
	void *it = inst ? (void *)inst : (void *)proc;
	if (map_get(&f->found, (uintptr_t)it))
		return true;
	f->failed |= map_put(&f->found, (uintptr_t)it, it) < 0;
	return !f->failed && add(f, inst, proc);
}

static bool inst_seen(const struct finder *f, const struct inst *t)
{
	const struct plan *plan = inst_plan(t);
	return peer_may(f->peer, plan->flags & PLAN_CREDS ? plan->uid : core.uid);
}

static bool number(struct span s, uint64_t *ret)
{
	char *end;
	if (s.n == 0 || s.n > 18 || strspn(s.p, "0123456789") < s.n)
		return false;
	*ret = strtoull(s.p, &end, 10);
	return true;
}

/* --- one name --------------------------------------------------------------------------------------------------- */

static bool find_id(struct finder *f, struct span text)
{
	uint64_t id;
	struct proc *p = number(text, &id) ? proc_by_id(id) : NULL;
	return p && peer_may(f->peer, p->i.uid) && add_once(f, NULL, p);
}

static bool find_pid(struct finder *f, struct span text)
{
	uint64_t pid;
	struct proc *p = number(text, &pid) && pid <= INT32_MAX ? proc_by_pid((pid_t)pid) : NULL;
	return p && peer_may(f->peer, p->i.uid) && add_once(f, NULL, p);
}

static bool find_job(struct finder *f, struct span name)
{
	struct job *job = job_find(name);
	struct inst *t = job ? NULL : inst_find(name);
	bool any = t && inst_seen(f, t) && add_once(f, t, NULL);
	for (uint32_t n = 0; job && n < job->ninsts; n++)
		any |= inst_seen(f, &job->insts[n]) && add_once(f, &job->insts[n], NULL);
	return any;
}

/* The newest of that name that is UID's own; root's too, who sees everybody's. */
static struct proc *named_own(struct span name, uid_t uid)
{
	struct name *n = map_get_str(&core.names, name);
	struct proc *p;
	if (n)
		LIST_EACH (p, &n->procs, by_name)
			if (p->i.uid == uid)
				return p;
	return NULL;
}

/* One's own goes before others': no user can put a process of his in the place of the one an admin means. */
static struct proc *named(const struct finder *f, struct span name)
{
	struct proc *own = named_own(name, f->peer->uid);
	return own || !f->peer->admin ? own : proc_by_name(name, 0);
}

/* "name" is also all of name.1 ... name.K that were started together. */
static bool find_group(struct finder *f, struct span name)
{
	bool any = false;
	for (uint64_t k = 1;; k++) {
		char text[160];
		int n = snprintf(text, sizeof(text), "%.*s.%llu", (int)MIN(name.n, 128), name.p, (unsigned long long)k);
		struct proc *p = named(f, (struct span){text, (size_t)n});
		if (!p || p->text[TEXT_JOB].n || !add_once(f, NULL, p))
			return any;
		any = true;
	}
}

static bool find_name(struct finder *f, struct span name)
{
	if (find_job(f, name))
		return true;
	struct proc *p = named(f, name);
	if (p && !p->text[TEXT_JOB].n)
		return add_once(f, NULL, p);
	return find_group(f, name);
}

static bool is_glob(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("*?[", s.p[i]))
			return true;
	return false;
}

/* Every kind of process that is not a job's, the newest of each name and user. */
static bool newest(const struct proc *p)
{
	return !p->text[TEXT_JOB].n && named_own(p->text[TEXT_NAME], p->i.uid) == p;
}

static void find_glob(struct finder *f, struct span pattern)
{
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++) {
			struct inst *t = &core.jobs[j].insts[n];
			if (inst_seen(f, t) && fnmatch(pattern.p, t->name.p, 0) == 0)
				add_once(f, t, NULL);
		}
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		if (newest(p) && peer_may(f->peer, p->i.uid) && fnmatch(pattern.p, p->text[TEXT_NAME].p, 0) == 0)
			add_once(f, NULL, p);
}

static bool find_one(struct finder *f, struct span name)
{
	static const struct {
		const char *prefix;
		bool (*find)(struct finder *, struct span);
	} kinds[] = {{"#", find_id}, {"pid:", find_pid}};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = strlen(kinds[i].prefix);
		if (name.n >= n && !memcmp(name.p, kinds[i].prefix, n))
			return kinds[i].find(f, (struct span){name.p + n, name.n - n});
	}
	if (is_glob(name)) {
		find_glob(f, name);
		return true;
	}
	return find_name(f, name);
}

/* --- all names ---------------------------------------------------------------------------------------------------- */

static void find_all(struct finder *f, bool living)
{
	for (size_t j = 0; j < core.njobs; j++)
		for (uint32_t n = 0; n < core.jobs[j].ninsts; n++)
			if (inst_seen(f, &core.jobs[j].insts[n]))
				add(f, &core.jobs[j].insts[n], NULL);
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		if (!p->text[TEXT_JOB].n && peer_may(f->peer, p->i.uid) && !(living && proc_over(p)))
			add(f, NULL, p);
}

static int too_many_globs(struct finder *f, struct span name, struct fault *fault)
{
	if (!is_glob(name) || (++f->globs <= GLOBS_MAX && name.n <= GLOB_LENGTH_MAX))
		return 0;
	return fault_set(fault, FAULT_PARAMS, "parameter \"targets\": at most %d patterns, of at most %u bytes",
			 GLOBS_MAX, GLOB_LENGTH_MAX);
}

static int no_memory(struct fault *fault) { return fault_set(fault, FAULT_OVERLOADED, "out of memory"); }

static int not_jobs(const struct targets *t, struct fault *fault)
{
	for (size_t i = 0; i < t->n; i++)
		if (!t->v[i].inst)
			return fault_set(fault, FAULT_WRONG_KIND,
					 "%s is a process, not a job (it can be stopped; start a new one)",
					 t->v[i].proc->text[TEXT_NAME].p);
	return 0;
}

int targets_find(const struct peer *peer, const struct spans *names, bool all, enum target_kind kind,
		 struct targets *ret, struct fault *fault)
{
	struct targets found = {0};
	struct finder f = {.peer = peer, .out = &found};
	int code = 0;
	if (all && names->n > 0)
		code = fault_set(fault, FAULT_PARAMS, "either \"targets\" or \"all\", not both");
	else if (all)
		find_all(&f, true);
	else if (names->n == 0)
		code = fault_set(fault, FAULT_PARAMS, "missing parameter \"targets\" (or \"all\")");
	for (size_t i = 0; !all && !code && i < names->n; i++) {
		code = too_many_globs(&f, names->v[i], fault);
		if (!code && !find_one(&f, names->v[i]) && !f.failed)
			code = fault_set(fault, FAULT_NOT_FOUND, "%.*s: no such job or process",
					 (int)MIN(names->v[i].n, 200), names->v[i].p);
	}
	map_done(&f.found);
	if (!code && f.failed)
		code = no_memory(fault);
	if (!code && kind == TARGET_JOBS && !all)
		code = not_jobs(&found, fault);
	if (code) {
		targets_done(&found);
		return code;
	}
	if (kind == TARGET_JOBS && all) {
		size_t n = 0;
		while (n < found.n && found.v[n].inst)
			n++;
		found.n = n;
	}
	*ret = found;
	return 0;
}

int targets_list(const struct peer *peer, struct targets *ret, struct fault *fault)
{
	struct targets found = {0};
	struct finder f = {.peer = peer, .out = &found};
	find_all(&f, false);
	if (f.failed) {
		targets_done(&found);
		return no_memory(fault);
	}
	*ret = found;
	return 0;
}

void targets_done(struct targets *t)
{
	free(t->v);
	*t = (struct targets){0};
}

struct proc *conn_process(struct conn *c)
{
	if (!c->attributed) {
		struct proc *p = attribute_pid(c->peer.pid);
		c->process = p ? p->i.id : 0;
		c->attributed = true;
	}
	return c->process ? proc_by_id(c->process) : NULL;
}

struct span target_name(const struct target *t) { return t->inst ? t->inst->name : t->proc->text[TEXT_NAME]; }
bool target_ended(const struct target *t) { return t->inst ? inst_ended(t->inst) : proc_over(t->proc); }
struct subject *target_subject(const struct target *t) { return t->inst ? &t->inst->subject : &t->proc->subject; }
