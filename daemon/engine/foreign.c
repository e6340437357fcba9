/* SPDX-License-Identifier: MIT */
/*
 * The watch over foreign parents. One watch a parent, whatever the number of children; a pid is believed only with
 * the start time it had when it was named.
 */
#include "daemon/engine/foreign.h"
#include "daemon/engine/attribute.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/loop.h"

struct foreign {
	struct loop_io io;
	pid_t pid;
	nsec_t start;
};

static struct map watches; /* by pid */

static void parent_gone(pid_t pid, nsec_t start)
{
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		if (p->i.parent == PARENT_FOREIGN && p->i.parent_pid == pid && p->i.parent_start == start)
			proc_on_parent_gone(p);
}

static void foreign_ready(struct loop_io *io, unsigned events)
{
	(void)events;
	struct foreign *f = CONTAINER_OF(io, struct foreign, io);
	int fd = io->fd;
	engine_now();
	loop_io_stop(io);
	close(fd);
	map_del(&watches, (uint64_t)f->pid);
	parent_gone(f->pid, f->start);
	free(f);
}

void foreign_watch(const struct proc *p)
{
	pid_t pid = p->i.parent_pid;
	const struct foreign *known = map_get(&watches, (uint64_t)pid);
	if (known && known->start == p->i.parent_start)
		return;
	AUTO_FD fd = sys_pidfd_open(pid, 0);
	struct foreign *f = fd >= 0 && pid_start(pid) == p->i.parent_start ? calloc(1, sizeof(*f)) : NULL;
	if (!f || map_put(&watches, (uint64_t)pid, f) < 0) {
		free(f);
		parent_gone(pid, p->i.parent_start);
		return;
	}
	f->pid = pid;
	f->start = p->i.parent_start;
	loop_io_start(&f->io, fd_take(&fd), LOOP_READ, foreign_ready);
}

void foreign_synced(void)
{
	struct proc *p;
	LIST_EACH (p, &core.procs, by_all)
		if (p->i.daemon && p->i.parent == PARENT_FOREIGN && !proc_over(p))
			foreign_watch(p);
}
