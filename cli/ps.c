/* SPDX-License-Identifier: MIT */
/*
 * The table of processes and jobs. On a terminal coloured and cut to its width; in a pipe every column has a value
 * ("-" where there is none) without spaces in it, but the last: what failed says why at the end of its line.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/proc.h"
#include "cli/render.h"
#include "cli/usage.h"
#include "common/units.h"
#include <poll.h>

/* --- columns ----------------------------------------------------------------------------------------------------- */

static enum color color_state(const struct proc *p)
{
	static const struct {
		const char *state;
		enum color color;
	} rows[] = {
		{"\"running\"", COLOR_GREEN},  {"\"starting\"", COLOR_CYAN}, {"\"stopping\"", COLOR_YELLOW},
		{"\"backoff\"", COLOR_YELLOW}, {"\"failed\"", COLOR_RED},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (proc_is(p->state, rows[i].state))
			return rows[i].color;
	return COLOR_DIM;
}

static enum color color_exit(const struct proc *p) { return proc_status(p) > 0 ? COLOR_RED : COLOR_NONE; }

static bool is_nothing(struct span value) { return !value.p || proc_is(value, "null") || proc_is(value, "\"\""); }

/* What a cell is made from. */
struct value {
	struct span json;
	const struct usage *usage;
};

static void put_text(struct buf *b, const struct value *v) { text_json(b, is_nothing(v->json) ? SPAN("-") : v->json); }

static void put_duration(struct buf *b, const struct value *v)
{
	nsec_t t;
	if (scan_seconds(v->json, &t) == 0)
		units_put_duration(b, t);
	else
		buf_putc(b, '-');
}

static void put_cpu(struct buf *b, const struct value *v)
{
	if (v->usage->known)
		units_put_duration(b, v->usage->cpu);
	else
		buf_putc(b, '-');
}

static void put_mem(struct buf *b, const struct value *v)
{
	if (v->usage->known)
		units_put_size(b, v->usage->mem);
	else
		buf_putc(b, '-');
}

static void put_yes(struct buf *b, const struct value *v) { buf_puts(b, proc_is(v->json, "true") ? "yes" : "-"); }
static void put_words(struct buf *b, const struct value *v) { text_words(b, v->json); }

/* {"id": 7}, {"pid": 99}, null. */
static void put_parent(struct buf *b, const struct value *v)
{
	struct span id = scan_get(v->json, "id"), pid = scan_get(v->json, "pid");
	if (id.p)
		buf_printf(b, "#%.*s", (int)id.n, id.p);
	else if (pid.p)
		buf_printf(b, "pid:%.*s", (int)pid.n, pid.p);
	else
		buf_putc(b, '-');
}

struct column {
	const char *name;
	size_t member; /* of struct proc */
	bool right;
	void (*put)(struct buf *, const struct value *);
	enum color (*color)(const struct proc *);
};

#define MEMBER(name) offsetof(struct proc, name)
static const struct column columns[] = {
	{"name", MEMBER(name), false, put_text, NULL},
	{"id", MEMBER(id), true, put_text, NULL},
	{"pid", MEMBER(pid), true, put_text, NULL},
	{"state", MEMBER(state), false, put_text, color_state},
	{"uptime", MEMBER(uptime), true, put_duration, NULL},
	{"restarts", MEMBER(restarts), true, put_text, NULL},
	{"exit", MEMBER(exitcode), true, put_text, color_exit},
	{"cpu", MEMBER(cpu), true, put_cpu, NULL},
	{"mem", MEMBER(mem), true, put_mem, NULL},
	{"job", MEMBER(job), false, put_text, NULL},
	{"parent", MEMBER(parent), false, put_parent, NULL},
	{"daemon", MEMBER(daemon), false, put_yes, NULL},
	{"context", MEMBER(context), false, put_text, NULL},
	{"uid", MEMBER(uid), true, put_text, NULL},
	{"leftover", MEMBER(leftover), true, put_text, NULL},
	{"command", MEMBER(argv), false, put_words, NULL},
	{"cwd", MEMBER(cwd), false, put_text, NULL},
	{"reason", MEMBER(reason), false, put_text, NULL},
};
#define DEFAULT_COLUMNS 9 /* the first of them */
#define CHOSEN_MAX 32

struct ps {
	const struct args *args;
	const struct column *chosen[CHOSEN_MAX];
	size_t nchosen;
	bool usage, reasons; /* whether a column needs the first; whether the rows end in the second */
};

static const struct column *column_find(const struct args *a, struct span name)
{
	const char *names[ARRAY_LEN(columns)];
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		names[i] = columns[i].name;
		if (span_is(name, columns[i].name))
			return &columns[i];
	}
	const char *near = fault_nearest(name, names, ARRAY_LEN(names));
	args_wrong(a, "unknown column \"%.*s\"%s%s", (int)name.n, name.p, near ? ", did you mean " : "",
		   near ? near : "");
}

static void choose(struct ps *ps, const char *list)
{
	for (size_t i = 0; !list && i < DEFAULT_COLUMNS; i++)
		ps->chosen[ps->nchosen++] = &columns[i];
	while (list) {
		size_t n = strcspn(list, ",");
		if (ps->nchosen == CHOSEN_MAX)
			args_wrong(ps->args, "at most %d columns", CHOSEN_MAX);
		ps->chosen[ps->nchosen++] = column_find(ps->args, (struct span){list, n});
		list = list[n] ? list + n + 1 : NULL;
	}
	ps->reasons = !ps->args->own[FLAG_COLUMNS];
	for (size_t i = 0; i < ps->nchosen; i++)
		ps->usage |= ps->chosen[i]->member == MEMBER(cpu) || ps->chosen[i]->member == MEMBER(mem);
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static void put_header(const struct ps *ps, struct table *t)
{
	for (size_t i = 0; i < ps->nchosen; i++) {
		for (const char *p = ps->chosen[i]->name; *p; p++)
			buf_putc(&t->text, (char)(*p - 'a' + 'A'));
		table_cell(t, ps->chosen[i]->right, COLOR_BOLD);
	}
	table_cell(t, false, COLOR_NONE);
}

/* Only of what lives is the uptime worth a column. */
static struct span value_of(const struct column *c, const struct proc *p)
{
	if (c->member == MEMBER(uptime) && !proc_alive(p))
		return (struct span){NULL, 0};
	return *(const struct span *)((const char *)p + c->member);
}

static void put_row(const struct ps *ps, struct table *t, const struct proc *p, unsigned depth)
{
	const struct usage usage = ps->usage ? usage_read(p) : (struct usage){0};
	for (size_t i = 0; i < ps->nchosen; i++) {
		const struct column *c = ps->chosen[i];
		const struct value value = {value_of(c, p), &usage};
		for (unsigned n = 0; n < depth && c->member == MEMBER(name); n++)
			buf_puts(&t->text, "  ");
		c->put(&t->text, &value);
		table_cell(t, c->right, c->color ? c->color(p) : COLOR_NONE);
	}
	if (ps->reasons && (proc_is(p->state, "\"failed\"") || proc_is(p->state, "\"backoff\"")))
		text_json(&t->text, p->reason);
	table_cell(t, false, COLOR_RED);
}

static bool is_child(const struct proc *p, struct span parent)
{
	struct span id = scan_get(p->parent, "id");
	return id.n && span_eq(id, parent);
}

/* Whether its parent has a row of its own. Ids grow, so an older process is never the child of a younger one. */
static bool has_parent(struct procs procs, size_t at)
{
	for (size_t i = 0; i < procs.n; i++)
		if (i != at && is_child(&procs.v[at], procs.v[i].id))
			return true;
	return false;
}

static void put_tree(const struct ps *ps, struct table *t, struct procs procs, size_t at, unsigned depth)
{
	put_row(ps, t, &procs.v[at], depth);
	for (size_t i = 0; i < procs.n && depth < 64; i++)
		if (i != at && is_child(&procs.v[i], procs.v[at].id))
			put_tree(ps, t, procs, i, depth + 1);
}

static void put_rows(const struct ps *ps, struct table *t, struct procs procs)
{
	bool tree = ps->args->own[FLAG_TREE];
	for (size_t i = 0; i < procs.n; i++)
		if (!tree)
			put_row(ps, t, &procs.v[i], 0);
		else if (!has_parent(procs, i))
			put_tree(ps, t, procs, i, 0);
}

/* Without targets and --all: not what has ended and was joined. */
static void drop_joined(const struct args *a, struct procs *procs)
{
	size_t kept = 0;
	for (size_t i = 0; i < procs->n; i++) {
		const struct proc *p = &procs->v[i];
		bool old = proc_is(p->joined, "true") && !proc_alive(p) && !proc_of_job(p);
		if (!old || a->nwords || a->own[FLAG_ALL])
			procs->v[kept++] = *p;
	}
	procs->n = kept;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

/* Whose children: of a process when one is named, else of the caller, who may be outside of mpd. */
static void add_parent(struct client *c, struct args *a)
{
	const char *inside = getenv("MPD_PROCESS");
	AUTO_BUF target = BUF_INIT;
	if (a->nwords == 0 && inside) {
		member_raw(&a->members, "parent", "\"me\"");
		return;
	}
	if (a->nwords == 0) {
		member(&a->members, "parent");
		buf_printf(&a->members, "{\"pid\":%d}", (int)getppid());
		return;
	}
	args_most(a, 1);
	member_words(&target, "targets", a->words, 1);
	struct procs procs = procs_of(client_call(c, CMD_process_status, &target));
	if (procs.n != 1 || is_nothing(procs.v[0].id))
		args_wrong(a, "--children: \"%s\" is not one process", a->words[0]);
	member(&a->members, "parent");
	buf_span(&a->members, procs.v[0].id);
	procs_done(&procs);
}

static void prepare(struct client *c, struct args *a)
{
	if (a->own[FLAG_CHILDREN])
		add_parent(c, a);
	else
		args_targets(a, 0, false, true);
	if (options.json)
		member_raw(&a->members, "usage", "true");
}

static void print(const struct ps *ps, struct procs procs, unsigned lines)
{
	struct table t;
	unsigned width, unused;
	if (options.json) {
		procs_json(procs);
		return;
	}
	term_size(&width, &unused);
	table_init(&t, ps->nchosen + 1);
	if (!ps->args->own[FLAG_NO_HEADER])
		put_header(ps, &t);
	put_rows(ps, &t, procs);
	table_print(&t, width, lines, &out);
	table_done(&t);
}

static void list(struct client *c, const struct ps *ps, unsigned lines)
{
	struct call *call = client_send(c, CMD_process_list, &ps->args->members, NULL, 0);
	struct procs procs = procs_of(client_result(c, call));
	drop_joined(ps->args, &procs);
	print(ps, procs, lines);
	procs_done(&procs);
	client_drop(call);
}

/* --- watching ---------------------------------------------------------------------------------------------------- */

static bool changed;

static void watch_event(struct span params)
{
	(void)params;
	changed = true;
}

/* A change is waited for, at most a second; what comes with it in the next moment is drawn with it. */
static void watch_wait(struct client *c)
{
	nsec_t until = sys_now() + NSEC_PER_SEC, left;
	for (changed = false; !changed && (left = until - sys_now()) > 0;) {
		struct pollfd fd = {.fd = c->fd, .events = POLLIN};
		if (poll(&fd, 1, (int)(left / NSEC_PER_MS) + 1) > 0)
			client_read(c);
	}
	nanosleep(&(struct timespec){.tv_nsec = 50 * NSEC_PER_MS}, NULL);
}

static void __attribute__((noreturn)) watch(struct client *c, const struct ps *ps)
{
	unsigned columns_unused, lines;
	c->event = watch_event;
	client_send(c, CMD_mpd_subscribe, NULL, NULL, 0)->standing = true;
	for (;;) {
		term_size(&columns_unused, &lines);
		if (lines)
			buf_puts(&out, "\033[H\033[2J");
		list(c, ps, lines ? lines - 1 : 0);
		out_flush();
		watch_wait(c);
	}
}

int verb_ps(struct client *c, struct args *a)
{
	struct ps ps = {.args = a};
	choose(&ps, a->own[FLAG_COLUMNS]);
	prepare(c, a);
	if (a->own[FLAG_WATCH])
		watch(c, &ps);
	list(c, &ps, 0);
	return STATUS_OK;
}
