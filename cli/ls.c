/* SPDX-License-Identifier: MIT */
/* The verbs that look at objects of all kinds, and remove them: ls, info, rm, chmod, deadlocks, graph. */
#include "cli/object.h"
#include "cli/payload.h"
#include "cli/render.h"
#include "cli/who.h"
#include "common/units.h"

static void put_kind(struct args *a, const struct object *o)
{
	member(&a->members, "kind");
	scan_put_str(&a->members, span_of(o->kind));
}

/* KIND may stand before the other words, of which there are at least LEAST. Returns how many words it took. */
static size_t take_kind(struct args *a, size_t least)
{
	const struct object *o = a->nwords > least && !a->object ? object_find(a->words[0]) : NULL;
	if (a->object)
		put_kind(a, a->object);
	if (o)
		put_kind(a, o);
	return o != NULL;
}

/* --- ls ---------------------------------------------------------------------------------------------------------- */

struct column {
	const char *header, *member;
	bool right;
	enum color color;
};

/* Whose an object is shows in its name, who holds it in its state. */
static const struct column columns[] = {
	{"NAME", "name", false, COLOR_NONE},      {"KIND", "kind", false, COLOR_CYAN},
	{"WAITERS", "waiters", true, COLOR_NONE}, {"AGE", "age", true, COLOR_NONE},
	{"STATE", "summary", false, COLOR_NONE},
};

static void put_header(struct table *t)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		buf_puts(&t->text, columns[i].header);
		table_cell(t, columns[i].right, COLOR_BOLD);
	}
}

static void put_cell(struct table *t, const struct column *c, struct span value)
{
	nsec_t age;
	if (!strcmp(c->member, "age") && scan_seconds(value, &age) == 0)
		units_put_duration(&t->text, age);
	else
		text_json(&t->text, value);
	bool waited = !strcmp(c->member, "waiters") && !span_is(value, "0");
	table_cell(t, c->right, waited ? COLOR_YELLOW : c->color);
}

static void put_row(struct table *t, struct span object)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		put_cell(t, &columns[i], scan_get(object, columns[i].member));
}

static void print_objects(const struct args *a, struct span objects)
{
	struct table t;
	struct span key, object;
	unsigned width, lines_unused;
	term_size(&width, &lines_unused);
	table_init(&t, ARRAY_LEN(columns));
	if (!a->own[FLAG_NO_HEADER])
		put_header(&t);
	for (struct scan_iter it = scan_iter(objects); scan_next(&it, &key, &object);)
		put_row(&t, object);
	table_print(&t, width, 0, &out);
	table_done(&t);
}

int verb_ls(struct client *c, struct args *a)
{
	struct span key, object;
	size_t at = take_kind(a, 0);
	args_most(a, at + 1);
	if (at < a->nwords) {
		member(&a->members, "pattern");
		scan_put_str(&a->members, span_of(a->words[at]));
	}
	struct span objects = scan_get(client_call(c, CMD_object_list, &a->members), "objects");
	if (!options.json)
		print_objects(a, objects);
	for (struct scan_iter it = scan_iter(objects); options.json && scan_next(&it, &key, &object);)
		out_json(object);
	return STATUS_OK;
}

/* --- info, rm, chmod --------------------------------------------------------------------------------------------- */

static void put_age(struct buf *b, const char *before, struct span seconds, const char *after)
{
	nsec_t t;
	if (scan_seconds(seconds, &t) < 0)
		return;
	buf_puts(b, before);
	units_put_duration(b, t);
	buf_puts(b, after);
}

/* "  pid 17 (python3) for 12s, token 3" */
static void print_hold(struct span hold)
{
	struct span token = scan_get(hold, "token"), count = scan_get(hold, "count");
	buf_puts(&out, "  ");
	who_put(&out, hold);
	put_age(&out, " for ", scan_get(hold, "since"), "");
	if (token.p)
		buf_printf(&out, ", token %.*s", (int)token.n, token.p);
	if (count.p && !span_is(count, "1"))
		buf_printf(&out, ", %.*s times", (int)count.n, count.p);
	buf_putc(&out, '\n');
}

/* "  pid 18 (python3): acquire, for 3s, 2s left" */
static void print_wait(struct span wait)
{
	buf_puts(&out, "  ");
	who_put(&out, wait);
	buf_puts(&out, ": ");
	text_json(&out, scan_get(wait, "what"));
	put_age(&out, ", for ", scan_get(wait, "since"), "");
	put_age(&out, ", ", scan_get(wait, "timeout"), " left");
	buf_putc(&out, '\n');
}

static void print_list(const char *name, struct span array, void (*print)(struct span))
{
	struct span key, value;
	buf_printf(&out, "%s:%s\n", name, scan_count(array) ? "" : " none");
	for (struct scan_iter it = scan_iter(array); scan_next(&it, &key, &value);)
		print(value);
}

/* Has lines of its own. */
static bool is_list(struct span key)
{
	static const char *const lists[] = {"state", "holds", "waits", "holders", "waiters"};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (span_is(key, lists[i]))
			return true;
	return false;
}

static void print_member(const char *indent, struct span key, struct span value)
{
	buf_puts(&out, indent);
	text_put(&out, key);
	buf_puts(&out, ": ");
	if (span_is(key, "age"))
		put_age(&out, "", value, "");
	else
		text_value(&out, value);
	buf_putc(&out, '\n');
}

/* What the kind has of its own. */
static void print_state(struct span state)
{
	struct span key, value;
	buf_puts(&out, "state:\n");
	for (struct scan_iter it = scan_iter(state); scan_next(&it, &key, &value);)
		print_member("  ", key, value);
}

/* Lists come last; their lengths are seen. */
static void print_info(struct span info)
{
	struct span key, value;
	for (struct scan_iter it = scan_iter(info); scan_next(&it, &key, &value);)
		if (!is_list(key))
			print_member("", key, value);
	print_state(scan_get(info, "state"));
	print_list("holders", scan_get(info, "holds"), print_hold);
	print_list("waiters", scan_get(info, "waits"), print_wait);
}

int verb_info(struct client *c, struct args *a)
{
	args_positional(a, take_kind(a, 1));
	struct span info = client_call(c, CMD_object_info, &a->members);
	if (options.json)
		out_json(info);
	else
		print_info(info);
	return STATUS_OK;
}

int verb_rm(struct client *c, struct args *a)
{
	args_positional(a, take_kind(a, 1));
	struct span result = client_call(c, CMD_object_delete, &a->members);
	if (options.json)
		out_json(result);
	return STATUS_OK;
}

int verb_chmod(struct client *c, struct args *a)
{
	args_positional(a, 0);
	struct span result = client_call(c, CMD_object_chmod, &a->members);
	if (options.json)
		out_json(result);
	return STATUS_OK;
}

/* --- graph ------------------------------------------------------------------------------------------------------- */

static void print_edge(struct span edge)
{
	who_put_edge(&out, edge);
	buf_putc(&out, '\n');
}

int verb_deadlocks(struct client *c, struct args *a)
{
	struct span key, deadlock, edge;
	args_most(a, 0);
	struct span deadlocks = scan_get(client_call(c, CMD_graph_get, NULL), "deadlocks");
	for (struct scan_iter it = scan_iter(deadlocks); scan_next(&it, &key, &deadlock);) {
		struct scan_iter cycle = scan_iter(scan_get(deadlock, "cycle"));
		if (options.json) {
			out_json(deadlock);
			continue;
		}
		buf_puts(&out, "deadlock:\n");
		while (scan_next(&cycle, &key, &edge)) {
			buf_puts(&out, "  ");
			print_edge(edge);
		}
	}
	return scan_count(deadlocks) ? STATUS_FAILED : STATUS_OK;
}

static void dot_word(const struct buf *word)
{
	buf_putc(&out, '"');
	for (size_t i = 0; i < word->len; i++) {
		if (word->p[i] == '"' || word->p[i] == '\\')
			buf_putc(&out, '\\');
		buf_putc(&out, word->p[i]);
	}
	buf_putc(&out, '"');
}

static void dot_who(struct span who)
{
	AUTO_BUF word = BUF_INIT;
	who_put(&word, who);
	dot_word(&word);
}

static void dot_object(struct span edge)
{
	AUTO_BUF word = BUF_INIT;
	text_json(&word, scan_get(edge, "kind"));
	buf_putc(&word, ' ');
	text_json(&word, scan_get(edge, "object"));
	dot_word(&word);
}

static void dot_edge(struct span edge)
{
	struct span key, holder;
	buf_puts(&out, "\t");
	dot_object(edge);
	buf_puts(&out, " [shape=box];\n\t");
	dot_who(scan_get(edge, "waiter"));
	buf_puts(&out, " -> ");
	dot_object(edge);
	buf_puts(&out, " [style=dashed];\n");
	for (struct scan_iter it = scan_iter(scan_get(edge, "holders")); scan_next(&it, &key, &holder);) {
		buf_puts(&out, "\t");
		dot_object(edge);
		buf_puts(&out, " -> ");
		dot_who(holder);
		buf_puts(&out, ";\n");
	}
}

int verb_graph(struct client *c, struct args *a)
{
	struct span key, edge;
	args_most(a, 0);
	struct span graph = client_call(c, CMD_graph_get, NULL);
	bool dot = a->own[FLAG_DOT];
	if (options.json) {
		out_json(graph);
		return STATUS_OK;
	}
	buf_puts(&out, dot ? "strict digraph waits {\n" : "");
	for (struct scan_iter it = scan_iter(scan_get(graph, "waits")); scan_next(&it, &key, &edge);)
		(dot ? dot_edge : print_edge)(edge);
	buf_puts(&out, dot ? "}\n" : "");
	return STATUS_OK;
}
