/* SPDX-License-Identifier: MIT */
/* Owners in words: who.h. */
#include "cli/who.h"
#include "cli/render.h"
#include <fcntl.h>
#include <stdio.h>

#define NAMED_MAX 3 /* of many, so many are named */

/* What the kernel calls a process that is none of mpd's; nothing where it cannot be seen from here. */
static void put_comm(struct buf *b, struct span pid)
{
	char path[32], comm[32];
	snprintf(path, sizeof(path), "/proc/%.*s/comm", (int)pid.n, pid.p);
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : RETRY(read(fd, comm, sizeof(comm)));
	if (n > 1)
		text_put(b, (struct span){comm, (size_t)n - 1});
}

/* A dead one's pid may be another's now. */
static void put_who(struct buf *b, struct span who, bool alive)
{
	AUTO_BUF name = BUF_INIT;
	struct span pid = scan_get(who, "pid"), process = scan_get(who, "process"), tag = scan_get(who, "tag");
	if (scan_type(process) == SCAN_STRING)
		text_json(&name, process);
	else if (alive)
		put_comm(&name, pid);
	buf_puts(b, "pid ");
	text_json(b, pid);
	if (name.len)
		buf_printf(b, " (%s)", buf_str(&name));
	if (scan_type(tag) == SCAN_STRING) {
		buf_puts(b, " thread ");
		text_json(b, tag);
	}
}

void who_put(struct buf *b, struct span who) { put_who(b, who, true); }

void who_put_all(struct buf *b, struct span array)
{
	struct span key, who;
	size_t n = 0;
	for (struct scan_iter it = scan_iter(array); scan_next(&it, &key, &who) && n < NAMED_MAX; n++) {
		buf_puts(b, n ? ", " : "");
		who_put(b, who);
	}
	if (scan_count(array) > n)
		buf_printf(b, " and %zu more", scan_count(array) - n);
}

/* A cycle's edge has one "holder", the graph's have "holders"; a join waits for a process's end. */
void who_put_edge(struct buf *b, struct span edge)
{
	struct span holder = scan_get(edge, "holder"), holders = scan_get(edge, "holders");
	struct span kind = scan_get(edge, "kind");
	who_put(b, scan_get(edge, "waiter"));
	buf_puts(b, " waits for ");
	text_json(b, kind);
	buf_putc(b, ' ');
	text_json(b, scan_get(edge, "object"));
	if (!holder.p && scan_count(holders) == 0)
		return;
	buf_puts(b, span_is(kind, "\"process\"") ? ", which is " : ", held by ");
	if (holder.p)
		who_put(b, holder);
	else
		who_put_all(b, holders);
}

/* "was killed by SIGKILL", "exited with 3", "died". */
static void put_end(struct buf *b, struct span abandoned)
{
	struct span signal = scan_get(abandoned, "signal"), status = scan_get(abandoned, "exit");
	if (scan_type(signal) == SCAN_STRING) {
		buf_puts(b, "was killed by SIG");
		text_json(b, signal);
	} else if (scan_type(status) == SCAN_NUMBER) {
		buf_puts(b, "exited with ");
		text_json(b, status);
	} else {
		buf_puts(b, "died");
	}
}

void who_say_abandoned(const struct api_cmd *cmd, const char *name, struct span result)
{
	AUTO_BUF text = BUF_INIT;
	int kind = (int)strcspn(cmd->name, ".");
	struct span abandoned = scan_get(result, "abandoned");
	bool ended_well = span_is(scan_get(abandoned, "exit"), "0");
	bool inconsistent = span_is(scan_get(result, "inconsistent"), "true");
	if (options.quiet || scan_type(abandoned) != SCAN_OBJECT || (ended_well && !inconsistent))
		return;
	put_who(&text, abandoned, false);
	buf_puts(&text, ", ");
	put_end(&text, abandoned);
	say("%.*s %s: its last holder, %s", kind, cmd->name, name, buf_str(&text));
	if (inconsistent)
		say("%.*s %s: it must be repaired before its release (mpctl %.*s repair %s)", kind, cmd->name, name,
		    kind, cmd->name, name);
}
