/* SPDX-License-Identifier: MIT */
/*
 * The job table: its header, then, job by job, the strings and plans of that job, then the array of jobs; the same of
 * the objects.
 *
 * 1. Everything is appended; an offset that was given out stays what it is.
 * 2. When anything is wrong anywhere there is no table at all: a daemon runs what was checked, or what it ran before.
 */
#include "daemon/loader/table.h"
#include "common/planmake.h"
#include "daemon/loader/object.h"

#define TABLE_MAX (512u << 20)

/* Appends N bytes, aligned; returns their offset. */
static uint32_t put(struct buf *out, const void *p, size_t n, size_t align)
{
	static const char zeros[8];
	buf_put(out, zeros, -out->len & (align - 1));
	size_t offset = out->len;
	buf_put(out, p, n);
	return (uint32_t)offset;
}

static uint32_t put_str(struct buf *out, const char *s) { return s ? put(out, s, strlen(s) + 1, 1) : 0; }

static uint32_t put_where(struct buf *out, const struct conf_section *s)
{
	AUTO_BUF where = BUF_INIT;
	buf_printf(&where, "%s:%u", s->at.file->name, s->at.line);
	out->failed |= where.failed;
	return put_str(out, buf_str(&where));
}

/* --- a job ------------------------------------------------------------------------------------------------------ */

static struct span span_or_none(const char *s) { return s ? span_of(s) : (struct span){NULL, 0}; }

static struct plan_spec spec_of(const struct job *job)
{
	struct plan_spec spec = {
		.argv = job->argv.v,
		.argc = job->argv.n,
		.env = job->env.v,
		.envc = job->env.n,
		.cwd = span_or_none(job->directory),
		.flags = (job->shell ? PLAN_SHELL : 0) | (job->creds ? PLAN_CREDS : 0),
		.umask = job->umask,
		.uid = job->creds ? job->user.uid : 0,
		.gid = job->creds ? job->gid : 0,
		.ngroups = job->creds ? (uint32_t)job->ngids : 0,
		.groups = job->gids,
	};
	for (size_t i = 0; i < ARRAY_LEN(spec.stdio); i++) {
		spec.stdio[i] = job->stdio[i];
		spec.path[i] = span_or_none(job->path[i]);
	}
	return spec;
}
static void add_instance(struct conf *c, const struct job *one, struct buf *out, struct buf *plans)
{
	struct plan_spec spec = spec_of(one);
	size_t offset;
	if (plan_make(&spec, out, &offset) == 0)
		buf_put(plans, &(uint32_t){(uint32_t)offset}, sizeof(uint32_t));
	else if (!out->failed)
		conf_error(c, &one->section->at, "command and environment are too large");
	if (out->len > TABLE_MAX)
		conf_error(c, &one->section->at, "all jobs and objects together are too large");
}

/* Reads the job and adds the plans of its instances, up to the first one with an error; -1: there was one. */
static int add_instances(struct conf *c, const struct job_host *host, struct conf_section *s, struct buf *out,
			 struct buf *plans, struct job *ret)
{
	unsigned errors = c->errors, nth = 0;
	job_read(c, host, s, ret);
	do {
		struct job one;
		job_instance(c, host, ret, ++nth, &one);
		if (c->errors == errors)
			add_instance(c, &one, out, plans);
	} while (nth < ret->def.instances && c->errors == errors);
	return c->errors == errors ? 0 : -1;
}

static void add_job(struct conf *c, const struct job_host *host, struct conf_section *s, struct buf *out,
		    struct buf *jobs)
{
	AUTO_BUF plans = BUF_INIT;
	struct job job;
	if (add_instances(c, host, s, out, &plans, &job) < 0)
		return;
	struct jobtab_job def = job.def;
	def.name = put_str(out, s->title);
	def.where = put_where(out, s);
	def.log_file[0] = put_str(out, job.log_file[0]);
	def.log_file[1] = put_str(out, job.log_file[1]);
	def.description = put_str(out, job.description);
	def.plans = put(out, plans.p, plans.len, 8);
	buf_put(jobs, &def, sizeof(def));
	out->failed |= plans.failed;
}

/* --- objects ---------------------------------------------------------------------------------------------------- */

static void add_object(struct conf *c, struct conf_section *s, struct buf *out, const struct jobtab *head,
		       struct buf *objects)
{
	struct object object;
	object_read(c, s, head->socket_gid, &object);
	struct jobtab_object def = {
		.method = put_str(out, object.method),
		.params = put_str(out, object.params.p),
		.where = put_where(out, s),
	};
	buf_put(objects, &def, sizeof(def));
	if (out->len > TABLE_MAX)
		conf_error(c, &s->at, "all jobs and objects together are too large");
}

/* Those that go with another one stand behind it. */
static void put_objects(struct conf *c, struct buf *out, struct jobtab *head)
{
	AUTO_BUF objects = BUF_INIT;
	struct conf_section *s;
	for (int late = 0; late < 2; late++)
		LIST_EACH (s, &c->objects.list, node)
			if (object_needs_another(s) == late)
				add_object(c, s, out, head, &objects);
	head->objects = put(out, objects.p, objects.len, 8);
	head->nobjects = (uint32_t)(objects.len / sizeof(struct jobtab_object));
	out->failed |= objects.failed;
}

/* --- the table -------------------------------------------------------------------------------------------------- */

/* The group of a system daemon's socket; a user's own daemon has none. */
static uint32_t socket_gid(void)
{
	struct fault fault;
	gid_t gid;
	return geteuid() == 0 && !users_group(SPAN("mpctl"), &gid, &fault) ? gid : (uint32_t)-1;
}

static void put_files(struct conf *c, struct buf *out, struct jobtab *head)
{
	AUTO_BUF offsets = BUF_INIT;
	const struct conf_file *f;
	LIST_EACH (f, &c->files, node) {
		buf_put(&offsets, &(uint32_t){put_str(out, f->name)}, sizeof(uint32_t));
		head->nfiles++;
	}
	head->files = put(out, offsets.p, offsets.len, 8);
	out->failed |= offsets.failed;
}

static void put_self(struct conf *c, struct buf *out, struct jobtab *head)
{
	struct user self;
	users_self(&c->arena, &self);
	head->user = put_str(out, self.name);
	head->home = put_str(out, self.home);
	head->shell = put_str(out, self.shell);
}

static void put_head(struct conf *c, const struct settings *s, struct buf *out, struct jobtab *head)
{
	head->daemonic_children_allowed = s->daemonic_children;
	head->cgroup = put_str(out, s->cgroup);
	head->log_level = s->log_level;
	head->max_processes = s->max_processes;
	head->trusted = !conf_untrusted(c);
	head->keep = s->keep;
	put_files(c, out, head);
	put_self(c, out, head);
	head->size = (uint32_t)out->len;
	if (!out->failed)
		memcpy(out->p, head, sizeof(*head));
}

void table_make(struct conf *c, const struct job_host *host, uint64_t generation, struct buf *out)
{
	AUTO_BUF jobs = BUF_INIT;
	struct settings settings;
	struct conf_section *s;
	struct jobtab head = {.magic = JOBTAB_MAGIC, .generation = generation};
	put(out, &head, sizeof(head), 8);
	settings_read(c, &settings);
	job_check_defaults(c, host);
	LIST_EACH (s, &c->jobs.list, node)
		add_job(c, host, s, out, &jobs);
	head.jobs = put(out, jobs.p, jobs.len, 8);
	head.njobs = (uint32_t)(jobs.len / sizeof(struct jobtab_job));
	out->failed |= jobs.failed;
	head.socket_gid = socket_gid();
	put_objects(c, out, &head);
	put_head(c, &settings, out, &head);
}
