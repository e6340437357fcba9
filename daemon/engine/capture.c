/* SPDX-License-Identifier: MIT */
/*
 * Pipes to logs. Invariants:
 * 1. Between two turns the scratch memfd is as long as its head and the tag is clear.
 * 2. The tag is set before the bytes leave the pipe and cleared after they are in the log; the text they become
 *    depends on nothing but the tag and the bytes, so that it can be made again.
 * 3. A log that cannot be written never stops the reading: bytes are dropped and counted.
 */
#include "daemon/engine/capture.h"
#include "common/log.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/loop.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CHUNK (256u << 10)
#define DRAIN_MAX (4u << 20) /* of one stream, at an exit: who writes without end is not waited for */

/* What a stream may write in a window of time, 32 MiB/s. Who writes more waits in his own write(2): else the kernel
 * would let us all wait in ours, when it throttles who dirties pages faster than the disk takes them. */
#define WINDOW (100 * NSEC_PER_MS)
#define WINDOW_BYTES ((size_t)32 << 20) / 10

struct tag {
	struct link_page page;
	_Atomic uint32_t set;
	uint32_t timestamps, bol; /* bol: the log is at the beginning of a line */
	int64_t before;           /* bytes of the log */
	int64_t sec;              /* wall clock, for the timestamp */
	int64_t msec;
	char path[SCRATCH_HEAD - 128];
};
_Static_assert(sizeof(struct tag) <= SCRATCH_HEAD, "the tag fits the head");

struct capture {
	struct loop_hup io;
	uint64_t id;
	int fd, stream, log;
	struct timer pause; /* set: nothing is read until then */
	nsec_t window;      /* when this one began */
	size_t spent;       /* in it */
	bool failed;        /* said once that the log cannot be written */
};

struct capture_stats capture_stats;
static struct map captures; /* by id * 2 + stream */
static int scratch = -1;
static struct tag *tag;
static char *processes_dir;

static uint64_t capture_key(uint64_t id, int stream) { return id * 2 + (unsigned)stream; }

/* --- from bytes to the log ------------------------------------------------------------------------------------ */

static void put_stamp(struct buf *out)
{
	time_t sec = (time_t)tag->sec;
	struct tm tm;
	gmtime_r(&sec, &tm);
	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		   tm.tm_hour, tm.tm_min, tm.tm_sec, (int)tag->msec);
}

/* What the tag makes of the bytes: a stamp before each line, or the bytes themselves. */
static void capture_text(struct span bytes, struct buf *out)
{
	bool bol = tag->bol;
	while (bytes.n) {
		const char *end = memchr(bytes.p, '\n', bytes.n);
		size_t n = end ? (size_t)(end - bytes.p) + 1 : bytes.n;
		if (bol && tag->timestamps)
			put_stamp(out);
		buf_put(out, bytes.p, n);
		bol = end != NULL;
		bytes.p += n;
		bytes.n -= n;
	}
}

static int write_all(int fd, struct span text)
{
	while (text.n) {
		ssize_t n = RETRY(write(fd, text.p, text.n));
		if (n <= 0)
			return -1;
		text.p += n;
		text.n -= (size_t)n;
	}
	return 0;
}

/* A regular file, never waited for and never followed: whatever else lies there is an error. */
static int log_open(const char *path, int64_t *ret_size, bool *ret_bol)
{
	AUTO_FD fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0640);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	char last = '\n';
	if (st.st_size > 0 && RETRY(pread(fd, &last, 1, st.st_size - 1)) != 1)
		return -1;
	*ret_size = st.st_size;
	*ret_bol = last == '\n';
	return fd_take(&fd);
}

static void tag_clear(void)
{
	atomic_store(&tag->set, 0);
	if (ftruncate(scratch, SCRATCH_HEAD) < 0)
		log_error("scratch: %m");
}

/* A buffer that is used again. */
static char *chunk_room(void)
{
	static char *room;
	if (!room && !(room = malloc(CHUNK)))
		abort();
	return room;
}

static struct span scratch_bytes(size_t n)
{
	ssize_t got = RETRY(pread(scratch, chunk_room(), MIN(n, CHUNK), SCRATCH_HEAD));
	return (struct span){chunk_room(), got > 0 ? (size_t)got : 0};
}

/* --- an engine's death -------------------------------------------------------------------------------------------- */

static void capture_recover(void)
{
	struct stat st;
	if (!atomic_load(&tag->set) || fstat(scratch, &st) < 0 || st.st_size <= SCRATCH_HEAD)
		return;
	AUTO_BUF text = BUF_INIT;
	capture_text(scratch_bytes((size_t)(st.st_size - SCRATCH_HEAD)), &text);
	tag->path[sizeof(tag->path) - 1] = '\0';
	int64_t size;
	bool bol;
	AUTO_FD log = log_open(tag->path, &size, &bol);
	if (log < 0)
		return;
	int64_t done = MIN(MAX(size - tag->before, 0), (int64_t)text.len);
	write_all(log, (struct span){text.p + done, text.len - (size_t)done});
}

/* --- an engine's life ----------------------------------------------------------------------------------------- */

static const struct proc *capture_proc(const struct capture *c) { return proc_by_id(c->id); }

static void tag_set(const struct proc *p, int stream, int64_t before, bool bol)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	const struct span *path = &p->text[TEXT_OUT + stream];
	memcpy(tag->path, path->p, MIN(path->n + 1, sizeof(tag->path)));
	tag->timestamps = p->inst && p->inst->job->def->log_timestamps;
	tag->bol = bol;
	tag->before = before;
	tag->sec = t.tv_sec;
	tag->msec = t.tv_nsec / 1000000;
	atomic_store(&tag->set, 1);
}

static void capture_drop(struct capture *c, size_t n)
{
	capture_stats.dropped += n;
	if (!c->failed)
		log_warning("log of process %llu: %m; its output is dropped", (unsigned long long)c->id);
	c->failed = true;
}

/* The log's end, now: somebody may have cut it. Opened at the first byte. */
static int capture_log(struct capture *c, const struct proc *p, int64_t *size, bool *bol)
{
	struct stat st;
	if (c->log >= 0 && fstat(c->log, &st) == 0 && st.st_nlink > 0) {
		char last = '\n';
		if (st.st_size > 0 && RETRY(pread(c->log, &last, 1, st.st_size - 1)) != 1)
			last = '\n';
		*size = st.st_size;
		*bol = last == '\n';
		return c->log;
	}
	if (c->log >= 0)
		close(c->log);
	return c->log = log_open(p->text[TEXT_OUT + c->stream].p, size, bol);
}

/* Out of the pipe by way of the scratch memfd. Where there is no memory for that they are read: a death may lose them
 * then, but who writes is not held up, and the loop does not spin. */
static struct span take_bytes(int fd)
{
	off64_t at = SCRATCH_HEAD;
	ssize_t n = RETRY(splice(fd, NULL, scratch, &at, CHUNK, SPLICE_F_NONBLOCK));
	if (n > 0)
		return scratch_bytes((size_t)n);
	if (n < 0 && errno != EAGAIN)
		n = RETRY(read(fd, chunk_room(), CHUNK));
	return (struct span){chunk_room(), n > 0 ? (size_t)n : 0};
}

/* One chunk from the pipe to the log: the bytes taken, 0 when there are none. */
static ssize_t capture_step(struct capture *c, const struct proc *p)
{
	static struct buf text;
	int64_t size = 0;
	bool bol = true;
	int pending = 0;
	if (ioctl(c->fd, FIONREAD, &pending) == 0 && pending == 0)
		return 0;
	int log = capture_log(c, p, &size, &bol);
	tag_set(p, c->stream, size, bol);
	struct span bytes = take_bytes(c->fd);
	buf_clear(&text, 2 * CHUNK);
	capture_text(bytes, &text);
	if (bytes.n && (log < 0 || write_all(log, buf_view(&text)) < 0))
		capture_drop(c, bytes.n);
	tag_clear();
	capture_stats.bytes += bytes.n;
	return (ssize_t)bytes.n;
}

static void capture_free(struct capture *c)
{
	int fd = c->fd;
	map_del(&captures, capture_key(c->id, c->stream));
	timer_clear(&core.timers, &c->pause);
	loop_hup_stop(&c->io);
	close(fd);
	if (c->log >= 0)
		close(c->log);
	free(c);
}

static void capture_told(const struct proc *p)
{
	subject_touch((struct subject *)(uintptr_t)&p->output);
	if (p->inst)
		subject_touch(&p->inst->output);
}

/* All writers are gone and all is read. */
static bool pipe_ended(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	return poll(&poll_fd, 1, 0) == 1 && !(poll_fd.revents & POLLIN);
}

static void capture_ready(struct loop_hup *);

static void capture_resume(struct timer *);

/* For want of memory it is tried again: who writes must not stand still. */
static void capture_watch(struct capture *c)
{
	if (loop_input_start(&c->io, c->fd, capture_ready) == 0)
		return;
	log_error("capture: %m");
	timer_set(&core.timers, &c->pause, core.now + WINDOW, capture_resume);
}

static void capture_resume(struct timer *t) { capture_watch(CONTAINER_OF(t, struct capture, pause)); }

static void capture_spend(struct capture *c, size_t n)
{
	engine_now();
	if (core.now - c->window >= WINDOW) {
		c->window = core.now;
		c->spent = 0;
	}
	c->spent += n;
	if (c->spent < WINDOW_BYTES)
		return;
	loop_hup_stop(&c->io);
	timer_set(&core.timers, &c->pause, c->window + WINDOW, capture_resume);
}

static void capture_ready(struct loop_hup *io)
{
	struct capture *c = CONTAINER_OF(io, struct capture, io);
	const struct proc *p = capture_proc(c);
	ssize_t n = p ? capture_step(c, p) : 0;
	if (n > 0) {
		capture_told(p);
		capture_spend(c, (size_t)n);
	} else if (!p || pipe_ended(c->fd)) {
		capture_free(c);
	}
}

void capture_add(struct proc *p, int stream, int fd)
{
	struct capture *c = calloc(1, sizeof(*c));
	if (!c || map_get(&captures, capture_key(p->i.id, stream)) || proc_over(p) ||
	    map_put(&captures, capture_key(p->i.id, stream), c) < 0) {
		free(c);
		close(fd);
		return;
	}
	c->id = p->i.id;
	c->stream = stream;
	c->log = -1;
	c->fd = fd;
	capture_watch(c);
}

void capture_drain(const struct proc *p)
{
	for (int stream = 0; stream < 2; stream++) {
		struct capture *c = map_get(&captures, capture_key(p->i.id, stream));
		if (!c)
			continue;
		size_t total = 0;
		for (ssize_t n; total < DRAIN_MAX && (n = capture_step(c, p)) > 0;)
			total += (size_t)n;
		if (total)
			capture_told(p);
		capture_free(c);
	}
}

void capture_path(uint64_t id, struct span name, int stream, struct buf *out)
{
	buf_printf(out, "%s/%llu-%.*s.%s", processes_dir, (unsigned long long)id, (int)name.n, name.p,
		   stream ? "err" : "out");
}

void capture_forget(const struct proc *p)
{
	if (p->text[TEXT_JOB].n)
		return;
	for (int stream = 0; stream < 2; stream++)
		if (p->text[TEXT_OUT + stream].n && (p->i.captured >> stream & 1))
			unlink(p->text[TEXT_OUT + stream].p);
}

/* --- beginning ------------------------------------------------------------------------------------------------ */

/* Ids begin anew with each keeper: what an earlier one left is nobody's. */
static void clear_dir(const char *path)
{
	DIR *dir = opendir(path);
	if (!dir)
		return;
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
}

int capture_init(int scratch_fd, const char *state_dir, bool first_engine)
{
	scratch = scratch_fd;
	tag = mmap(NULL, SCRATCH_HEAD, PROT_READ | PROT_WRITE, MAP_SHARED, scratch, 0);
	if (tag == MAP_FAILED || asprintf(&processes_dir, "%s/processes", state_dir) < 0)
		return -1;
	AUTO_FREE char *logs = NULL;
	if (asprintf(&logs, "%s/log", state_dir) < 0)
		return -1;
	if ((mkdir(processes_dir, 0700) < 0 && errno != EEXIST) || (mkdir(logs, 0750) < 0 && errno != EEXIST))
		return -1;
	if (first_engine)
		clear_dir(processes_dir);
	capture_recover();
	tag_clear();
	return 0;
}

void capture_tick(void) { atomic_fetch_add_explicit(&tag->page.tick, 1, memory_order_relaxed); }
