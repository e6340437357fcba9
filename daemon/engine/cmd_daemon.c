/* SPDX-License-Identifier: MIT */
/* mpd.status and mpd.shutdown: the daemon as a whole. */
#include "common/log.h"
#include "daemon/engine/capture.h"
#include "daemon/engine/commands.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/targets.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>

/* "200000 100000" of the nearest cgroup that has a quota → 2 processors. 0: no quota. */
static double quota_of(const char *dir)
{
	char path[4200], text[64];
	snprintf(path, sizeof(path), "%s/cpu.max", dir);
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : RETRY(read(fd, text, sizeof(text) - 1));
	double quota, period;
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0 ? quota / period : 0;
}

static double cgroup_quota(void)
{
	char text[4096], dir[4100];
	AUTO_FD fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : RETRY(read(fd, text, sizeof(text) - 1));
	if (n <= 0)
		return 0;
	text[n] = '\0';
	char *path = strstr(text, "0::/");
	if (!path)
		return 0;
	path += 3;
	path[strcspn(path, "\n")] = '\0';
	double least = 0;
	for (char *cut = path + strlen(path); cut > path; *cut = '\0') {
		snprintf(dir, sizeof(dir), "/sys/fs/cgroup%s", path);
		double quota = quota_of(dir);
		least = quota > 0 && (least == 0 || quota < least) ? quota : least;
		cut = strrchr(path, '/');
	}
	return least;
}

static void cpus(int *ret_configured, int *ret_usable)
{
	cpu_set_t *set = CPU_ALLOC(8192);
	size_t size = CPU_ALLOC_SIZE(8192);
	*ret_configured = (int)sysconf(_SC_NPROCESSORS_CONF);
	*ret_usable = set && sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : *ret_configured;
	CPU_FREE(set);
	double quota = cgroup_quota();
	if (quota > 0 && quota < *ret_usable)
		*ret_usable = quota < 1 ? 1 : (int)quota;
}

int cmd_mpd_status(struct req *req, const void *args, struct fault *fault)
{
	(void)args;
	(void)fault;
	int configured, usable;
	cpus(&configured, &usable);
	const struct journal_stats *j = journal_stats();
	struct buf *b = reply_begin(req);
	buf_printf(b, "{\"version\":\"%s\",\"pid\":%d,\"keeper_pid\":%d,\"engine_pid\":%d,\"engines\":%u,\"uptime\":",
		   MPD_VERSION, engine.keeper_pid, engine.keeper_pid, getpid(), engine.engines);
	render_time(b, MAX(core.now - engine.keeper_start, 1));
	buf_puts(b, ",\"socket\":");
	scan_put_bytes(b, span_of(engine.socket));
	buf_puts(b, ",\"state_dir\":");
	scan_put_bytes(b, span_of(engine.state_dir));
	buf_puts(b, ",\"config\":");
	scan_put_bytes(b, span_of(engine.config));
	buf_printf(b,
		   ",\"processes\":{\"alive\":%zu,\"exited\":%zu,\"max\":%u},\"jobs\":%zu,\"connections\":%zu,"
		   "\"strays\":%u",
		   core.alive, core.ids.count - core.alive, engine.slots, core.njobs, conns_count(), engine.strays);
	buf_printf(
		b,
		",\"tree\":\"%s\",\"journal\":{\"bytes\":%llu,\"records\":%llu,\"dropped\":%llu,\"compactions\":%llu}",
		engine.cgroups ? "cgroup" : "scan", (unsigned long long)j->bytes, (unsigned long long)j->records,
		(unsigned long long)j->dropped, (unsigned long long)j->compactions);
	buf_printf(b,
		   ",\"captured\":{\"bytes\":%llu,\"dropped\":%llu},\"cpus\":{\"configured\":%d,\"usable\":%d},\"log_"
		   "level\":\"%s\"}",
		   (unsigned long long)capture_stats.bytes, (unsigned long long)capture_stats.dropped, configured,
		   usable, log_level_name(log_get_level()));
	reply_end(req);
	return 0;
}

/* --- shutdown ----------------------------------------------------------------------------------------------------- */

struct down {
	struct list waiting;
	struct req *req;
};

static struct list waiting = LIST_INIT(waiting);

static bool down_cancel(struct req *req, bool gone)
{
	(void)gone;
	struct down *d = req->wait;
	list_del(&d->waiting);
	free(d);
	return true;
}

void shutdown_answer(void)
{
	struct list *n;
	while ((n = list_shift(&waiting))) {
		struct down *d = LIST_ENTRY(n, struct down, waiting);
		buf_printf(reply_begin(d->req), "{\"keeper_pid\":%d}", engine.keeper_pid);
		reply_end(d->req);
		free(d);
	}
}

int cmd_mpd_shutdown(struct req *req, const void *args, struct fault *fault)
{
	(void)args;
	struct down *d = malloc(sizeof(*d));
	if (!d)
		return fault_set(fault, FAULT_OVERLOADED, "out of memory");
	d->req = req;
	list_push(&waiting, &d->waiting);
	req_park(req, down_cancel, d);
	log_info("shutdown asked for by uid %u, pid %d", req->conn->peer.uid, req->conn->peer.pid);
	engine_shutdown();
	return 0;
}
