/* SPDX-License-Identifier: MIT */
/*
 * process.logs: the last lines of captured output, or what comes after an offset, waiting for it where asked to. The
 * client follows by asking again from `next`; nothing is kept here for it.
 */
#include "daemon/engine/await.h"
#include "daemon/engine/commands.h"
#include <fcntl.h>
#include <sys/stat.h>

#define LINES_DEFAULT 10
#define LINES_BYTES_MAX (1 << 20) /* looked at for the last lines */
#define BYTES_DEFAULT 65536
#define BYTES_MAX (4 << 20)

struct logs {
	struct waiter waiter;
	struct req *req;
	struct target target;
	int stream;
	int64_t from, max;
};

static struct span log_path(const struct target *t, int stream)
{
	return t->proc && t->proc->i.captured >> stream & 1 ? t->proc->text[TEXT_OUT + stream] : SPAN("");
}

static int64_t log_size(const char *path)
{
	struct stat st;
	return *path && stat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

static size_t log_read(const char *path, int64_t from, size_t n, struct buf *out)
{
	AUTO_FD fd = *path && n ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	char *to = fd < 0 ? NULL : buf_room(out, n);
	ssize_t got = to ? RETRY(pread(fd, to, n, from)) : -1;
	if (got <= 0)
		return 0;
	out->len += (size_t)got;
	out->p[out->len] = '\0';
	return (size_t)got;
}

/* Where the last N lines begin, looking back no further than LINES_BYTES_MAX. */
static int64_t last_lines(const char *path, int64_t size, int64_t lines)
{
	AUTO_BUF text = BUF_INIT;
	if (lines == 0)
		return size;
	int64_t base = MAX(size - LINES_BYTES_MAX, 0);
	size_t at = log_read(path, base, (size_t)(size - base), &text);
	if (at > 0 && text.p[at - 1] == '\n')
		at--; /* the end of the last line begins none */
	for (; at > 0 && lines > 0; at--)
		if (text.p[at - 1] == '\n' && --lines == 0)
			break;
	return base + (int64_t)at;
}

static void logs_answer(const struct logs *l)
{
	AUTO_BUF data = BUF_INIT;
	struct span path = log_path(&l->target, l->stream);
	int64_t size = log_size(path.p), from = l->from;
	bool truncated = from > size;
	from = truncated ? 0 : from;
	size_t n = log_read(path.p, from, (size_t)MIN(l->max, size - from), &data);
	struct buf *b = reply_begin(l->req);
	buf_puts(b, "{\"path\":");
	scan_put_bytes(b, path);
	buf_printf(b, ",\"from\":%lld,\"next\":%lld,\"size\":%lld,\"truncated\":%s,\"ended\":%s,\"data\":",
		   (long long)from, (long long)from + (long long)n, (long long)size, truncated ? "true" : "false",
		   target_ended(&l->target) ? "true" : "false");
	scan_put_bytes(b, (struct span){buf_str(&data), data.len});
	buf_putc(b, '}');
	reply_end(l->req);
}

/* --- waiting for more --------------------------------------------------------------------------------------------- */

static enum step logs_attempt(struct waiter *w)
{
	struct logs *l = CONTAINER_OF(w, struct logs, waiter);
	if (l->target.inst)
		l->target.proc = l->target.inst->proc;
	if (target_ended(&l->target) || log_size(log_path(&l->target, l->stream).p) != l->from)
		return STEP_DONE;
	return STEP_WAIT;
}

static void logs_done(struct waiter *w)
{
	struct logs *l = CONTAINER_OF(w, struct logs, waiter);
	if (l->target.inst)
		l->target.proc = l->target.inst->proc;
	logs_answer(l);
	free(l);
}

static const struct wait_ops logs_ops = {.attempt = logs_attempt, .done = logs_done, .expire = logs_done};

static bool logs_cancel(struct req *req, bool gone)
{
	(void)gone;
	struct logs *l = req->wait;
	waiter_drop(&l->waiter);
	free(l);
	return true;
}

static int logs_park(struct logs *l, nsec_t timeout, struct fault *fault)
{
	const struct target *t = &l->target;
	struct subject *const subjects[] = {t->inst ? &t->inst->output : &t->proc->output, target_subject(t)};
	struct logs *parked = malloc(sizeof(*parked));
	if (parked)
		*parked = *l;
	if (!parked || waiter_park(&parked->waiter, &logs_ops, subjects, 2, await_deadline(true, timeout)) < 0) {
		free(parked);
		return fault_set(fault, FAULT_OVERLOADED, "out of memory");
	}
	req_park(l->req, logs_cancel, parked);
	return 0;
}

int cmd_process_logs(struct req *req, const void *args, struct fault *fault)
{
	const struct args_process_logs *a = args;
	struct span name = a->target;
	const struct spans names = {&name, 1};
	struct targets ts;
	int code = targets_find(&req->conn->peer, &names, false, TARGET_ANY, &ts, fault);
	if (code)
		return code;
	struct logs l = {.req = req, .stream = a->stderr ? 1 : 0, .from = a->from};
	size_t found = ts.n;
	if (found == 1)
		l.target = ts.v[0];
	targets_done(&ts);
	if (found != 1)
		return fault_set(fault, FAULT_PARAMS, "%.*s: %zu processes are meant; ask for one",
				 (int)MIN(name.n, 200), name.p, found);
	bool follow = GIVEN(a, process_logs, from);
	if (a->from < 0 || a->lines < 0 || a->max < 0)
		return fault_set(fault, FAULT_PARAMS, "from, lines and max must not be negative");
	const char *path = log_path(&l.target, l.stream).p;
	if (!follow)
		l.from = last_lines(path, log_size(path), GIVEN(a, process_logs, lines) ? a->lines : LINES_DEFAULT);
	l.max = GIVEN(a, process_logs, max) ? MIN(a->max, BYTES_MAX) : follow ? BYTES_DEFAULT : LINES_BYTES_MAX;
	bool wait = follow && GIVEN(a, process_logs, timeout) && a->timeout > 0;
	if (wait && !target_ended(&l.target) && log_size(path) == l.from)
		return logs_park(&l, a->timeout, fault);
	logs_answer(&l);
	return 0;
}
