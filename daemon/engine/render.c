/* SPDX-License-Identifier: MIT */
/* Processes and instances as JSON, straight into the reply's buffer. */
#include "daemon/engine/render.h"
#include "common/scan.h"
#include "common/units.h"
#include "daemon/engine/attribute.h"
#include <fcntl.h>
#include <stdio.h>

void render_time(struct buf *b, nsec_t t)
{
	if (t == 0 || t == NSEC_NEVER)
		buf_puts(b, "null");
	else
		buf_printf(b, "%lld.%06lld", (long long)(t / NSEC_PER_SEC), (long long)(t % NSEC_PER_SEC / 1000));
}

static void key(struct buf *b, const char *name)
{
	buf_putc(b, ',');
	buf_putc(b, '"');
	buf_puts(b, name);
	buf_puts(b, "\":");
}

static void key_str(struct buf *b, const char *name, struct span text)
{
	key(b, name);
	scan_put_str(b, text);
}

static void key_time(struct buf *b, const char *name, nsec_t t)
{
	key(b, name);
	render_time(b, t);
}

static void key_bool(struct buf *b, const char *name, bool yes)
{
	key(b, name);
	buf_puts(b, yes ? "true" : "false");
}

void render_parent(struct buf *b, const struct proc *p)
{
	if (p->i.parent == PARENT_PROC)
		buf_printf(b, "{\"id\":%llu}", (unsigned long long)p->i.parent_id);
	else if (p->i.parent == PARENT_FOREIGN)
		buf_printf(b, "{\"pid\":%d}", p->i.parent_pid);
	else
		buf_puts(b, "null");
}

static void render_children(struct buf *b, const struct proc *p)
{
	const struct proc *child;
	const char *sep = "";
	key(b, "children");
	buf_putc(b, '[');
	LIST_EACH (child, &p->brood, by_brood) {
		if (proc_over(child))
			continue;
		buf_printf(b, "%s%llu", sep, (unsigned long long)child->i.id);
		sep = ",";
	}
	buf_putc(b, ']');
}

/* CPU time and resident memory of the main process, by one read of /proc/PID/stat. It is ours and not reaped. */
static void render_usage(struct buf *b, const struct proc *p)
{
	static long ticks, page;
	char path[32], stat[1024];
	unsigned long long user, system;
	long rss;
	if (!ticks) {
		ticks = sysconf(_SC_CLK_TCK);
		page = sysconf(_SC_PAGESIZE);
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", p->i.pid);
	AUTO_FD fd = proc_over(p) || !p->i.pid ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : RETRY(read(fd, stat, sizeof(stat) - 1));
	const char *rest = NULL;
	if (n > 0) {
		stat[n] = '\0';
		rest = strrchr(stat, ')');
	}
	if (rest && sscanf(rest + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
			   &user, &system, &rss) == 3)
		buf_printf(b, ",\"cpu\":%.2f,\"mem\":%lld", (double)(user + system) / (double)ticks,
			   (long long)rss * page);
	else
		buf_puts(b, ",\"cpu\":null,\"mem\":null");
}

static void put_pid(pid_t pid, void *arg)
{
	struct buf *b = arg;
	buf_printf(b, "%s%d", b->p[b->len - 1] == '[' ? "" : ",", pid);
}

static void render_more(struct buf *b, const struct proc *p)
{
	buf_puts(b, ",\"tree\":[");
	attribute_tree(p, put_pid, b);
	buf_putc(b, ']');
	if (proc_over(p))
		buf_printf(b, ",\"rusage\":{\"user\":%.6f,\"system\":%.6f,\"maxrss\":%lld}", (double)p->i.user / 1e9,
			   (double)p->i.system / 1e9, (long long)p->i.maxrss);
	buf_puts(b, ",\"log\":{\"stdout\":");
	scan_put_bytes(b, p->text[TEXT_OUT]);
	buf_puts(b, ",\"stderr\":");
	scan_put_bytes(b, p->text[TEXT_ERR]);
	buf_putc(b, '}');
	buf_printf(b, ",\"gid\":%u", p->i.gid);
	if (p->i.failed)
		buf_printf(b, ",\"failed\":{\"step\":\"%s\",\"errno\":%d}", spawn_step_name(p->i.step), p->i.error);
}

static void render_job(struct buf *b, const struct target *t)
{
	const char *job = t->inst ? t->inst->job->name : t->proc->text[TEXT_JOB].p;
	key(b, "job");
	if (!*job) {
		buf_puts(b, "null,\"instance\":null");
		return;
	}
	scan_put_str(b, span_of(job));
	buf_printf(b, ",\"instance\":%u", t->inst ? t->inst->i.instance : t->proc->instance);
}

static const char *target_state(const struct target *t)
{
	return t->inst ? inst_state_name(t->inst->i.state) : proc_state_name(t->proc);
}

static bool target_alive(const struct target *t)
{
	return t->proc && !proc_over(t->proc) && t->proc->i.state != PROC_STARTING;
}

static void render_reason(struct buf *b, const struct target *t)
{
	static struct buf text;
	buf_clear(&text, 4096);
	bool ended = !t->inst || !inst_up(t->inst);
	if (t->proc && ended)
		proc_reason(t->proc, &text);
	if (t->proc && t->proc->i.failed && t->inst)
		buf_printf(&text, " (%s)", (const char *)t->inst->job->tab + t->inst->job->def->where);
	key_str(b, "reason", (struct span){buf_str(&text), text.len});
}

/* An instance that has never run: what can be said of it. */
static void render_idle(struct buf *b, const struct inst *t)
{
	buf_puts(b, ",\"id\":null,\"pid\":null,\"parent\":null,\"daemon\":false,\"context\":\"spawn\",\"argv\":[],"
		    "\"created\":null,\"started\":null,\"ended\":null,\"uptime\":0,\"exitcode\":null,\"alive\":false,"
		    "\"joined\":false,\"leftover\":0,\"children\":[]");
	buf_printf(b, ",\"uid\":%u,\"restarts\":%u", core.uid, t->i.restarts);
}

static void render_proc(struct buf *b, const struct target *t)
{
	const struct proc *p = t->proc;
	bool over = proc_over(p);
	static const char *const contexts[] = {[CONTEXT_SPAWN] = "spawn", [CONTEXT_FORK] = "fork"};
	static const char *const modes[] = {[KILL_TREE] = "tree", [KILL_GROUP] = "group", [KILL_PROCESS] = "process"};
	buf_printf(b, ",\"id\":%llu", (unsigned long long)p->i.id);
	if (p->i.pid)
		buf_printf(b, ",\"pid\":%d", p->i.pid);
	else
		buf_puts(b, ",\"pid\":null");
	key(b, "parent");
	render_parent(b, p);
	key_bool(b, "daemon", p->i.daemon);
	buf_printf(b, ",\"context\":\"%s\",\"uid\":%u,\"argv\":", contexts[p->i.context], p->i.uid);
	buf_span(b, p->text[TEXT_ARGV]);
	key(b, "cwd");
	scan_put_bytes(b, p->text[TEXT_CWD]);
	key_time(b, "created", p->i.created);
	key_time(b, "started", p->i.started);
	key_time(b, "ended", p->i.ended);
	nsec_t until = over || p->i.ended ? p->i.ended : core.now;
	key(b, "uptime");
	nsec_t up = p->i.started ? MAX(until - p->i.started, 0) : 0;
	buf_printf(b, "%lld.%06lld", (long long)(up / NSEC_PER_SEC), (long long)(up % NSEC_PER_SEC / 1000));
	buf_printf(b, ",\"restarts\":%u", t->inst ? t->inst->i.restarts : p->i.restarts);
	if (over)
		buf_printf(b, ",\"exitcode\":%d", proc_exitcode(p));
	else
		buf_puts(b, ",\"exitcode\":null");
	key_bool(b, "alive", target_alive(t));
	key_bool(b, "joined", p->i.joined);
	buf_printf(b, ",\"leftover\":%u", p->i.leftover);
	render_children(b, p);
	buf_printf(b, ",\"stop_signal\":\"%s\",\"stop_timeout\":%.9g,\"kill_mode\":\"%s\"",
		   units_signal_name(p->i.stop_signal), (double)p->i.stop_timeout / 1e9, modes[p->i.kill_mode]);
}

static void render_pidfd(struct buf *b, int pidfd)
{
	if (pidfd >= 0)
		buf_printf(b, ",\"pidfd\":%d", pidfd);
	else
		buf_puts(b, ",\"pidfd\":null");
}

void render_target(struct buf *b, const struct target *t, enum render_detail detail)
{
	buf_puts(b, "{\"name\":");
	scan_put_str(b, t->inst && t->inst->proc == t->proc ? t->inst->name : t->proc->text[TEXT_NAME]);
	render_job(b, t);
	buf_printf(b, ",\"state\":\"%s\"", target_state(t));
	render_reason(b, t);
	if (!t->proc) {
		render_idle(b, t->inst);
		if (detail >= RENDER_USAGE)
			buf_puts(b, ",\"cpu\":null,\"mem\":null");
	} else {
		render_proc(b, t);
		if (detail >= RENDER_USAGE)
			render_usage(b, t->proc);
		if (detail >= RENDER_ALL)
			render_more(b, t->proc);
	}
	if (detail == RENDER_PIDFDS)
		render_pidfd(b, t->pidfd);
	buf_putc(b, '}');
}

void render_targets(struct buf *b, const struct target *t, size_t n, enum render_detail detail)
{
	buf_puts(b, "\"now\":");
	render_time(b, core.now);
	buf_puts(b, ",\"processes\":[");
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(b, ',');
		render_target(b, &t[i], detail);
	}
	buf_putc(b, ']');
}

void render_event(struct buf *b, const struct proc *p, const struct inst *t, const char *what)
{
	static struct buf reason;
	buf_puts(b, "\"name\":");
	scan_put_str(b, p ? p->text[TEXT_NAME] : t->name);
	if (!p) {
		key_str(b, "from", span_of(what));
		key_str(b, "to", span_of(inst_state_name(t->i.state)));
		buf_printf(b, ",\"restarts\":%u", t->i.restarts);
		p = t->proc;
	}
	if (p)
		buf_printf(b, ",\"id\":%llu,\"pid\":%d", (unsigned long long)p->i.id, p->i.pid);
	if (!p || !proc_over(p))
		return;
	buf_clear(&reason, 4096);
	proc_reason(p, &reason);
	buf_printf(b, ",\"exitcode\":%d", proc_exitcode(p));
	key_str(b, "reason", (struct span){buf_str(&reason), reason.len});
}
