/* SPDX-License-Identifier: MIT */
/* mpctl help: all of it is made from the registry, the table of verbs and the tables of flags. */
#include "cli/args.h"
#include "cli/object.h"
#include "cli/render.h"

#define HELP_WIDTH 80    /* of a terminal */
#define HELP_COLUMN 28   /* where the sentences begin */
#define OBJECT_COLUMN 11 /* where the verbs of an object begin */

/* In lines that begin at HELP_COLUMN, broken between words. */
static void put_wrapped(const char *text)
{
	size_t room = HELP_WIDTH - HELP_COLUMN, n = strlen(text);
	while (n > room) {
		size_t at = room;
		while (at && text[at] != ' ')
			at--;
		at = at ? at : room;
		buf_printf(&out, "%.*s\n%*s", (int)at, text, HELP_COLUMN, "");
		n -= at + (text[at] == ' ');
		text += at + (text[at] == ' ');
	}
	buf_printf(&out, "%s\n", text);
}

static void put_padded(const struct buf *left, const char *right)
{
	bool long_left = left->len + 2 > HELP_COLUMN;
	buf_span(&out, buf_view(left));
	buf_printf(&out, "%s%*s", long_left ? "\n" : "", (int)(long_left ? HELP_COLUMN : HELP_COLUMN - left->len), "");
	put_wrapped(right);
}

/* "  -w, --timeout SEC       wait no longer than this" */
static void put_flag(const struct api_arg *arg, char letter)
{
	AUTO_BUF left = BUF_INIT;
	char name[ARGS_NAME_MAX];
	if (letter)
		buf_printf(&left, "  -%c, ", letter);
	buf_printf(&left, "%s--%s", letter ? "" : "      ", args_name(arg, name));
	if (arg->hint)
		buf_printf(&left, " %s", arg->hint);
	put_padded(&left, arg->help);
}

static void put_globals(void)
{
	for (size_t i = 0; i < args_nglobal; i++)
		put_flag(&args_global[i], args_global[i].letter);
}

static const char *sentence(const struct verb *v) { return v->help ? v->help : api_cmd(v->cmd)->help; }

/* What the flags do not say. */
static const struct {
	const char *verb, *text;
} notes[] = {
	{"queue put", "A VALUE that is JSON is put as it is, anything else as a string: hello, 7, '{\"seat\": 7}';\n"
		      "--string makes \"7\" of 7. So with lines of stdin; bytes that are no text go as bytes.\n"},
	{"queue get",
	 "A string is printed as its text, anything else as JSON (--json: all). The item is taken once it is\n"
	 "written, or CMD has exited 0; else it goes back. --ack manual prints CLAIM<TAB>ITEM, for ack and nack.\n"
	 "From a joinable queue it stays the owner's until mpctl queue done. CMD has MPCTL_QUEUE, MPCTL_CLAIM.\n"
	 "-f goes on until the queue is closed and empty.\n"},
	{"lock", "CMD has MPCTL_LOCK_NAME and MPCTL_LOCK_TOKEN. The lock lasts as long as its main process.\n"},
	{"cond wait-for",
	 "TEST writes to stderr. The token is printed when it has succeeded; then the lock is held.\n"},
	{"pipe send", "VALUE is as for queue put.\n"},
};

static void put_note(const struct verb *v)
{
	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		if (!strcmp(notes[i].verb, v->name))
			buf_printf(&out, "\n%s", notes[i].text);
}

void help_verb(const struct verb *v)
{
	const struct api_cmd *cmd = api_cmd(v->cmd);
	buf_printf(&out, "usage: mpctl %s [flags]%s%s\n%s.\n\n", v->name, *v->usage ? " " : "", v->usage, sentence(v));
	for (size_t i = 0; i < cmd->nargs; i++)
		if (args_takes(v, i))
			put_flag(&cmd->args[i], cmd->args[i].letter);
	for (size_t i = 0; i < FLAG_COUNT; i++)
		if (v->own >> i & 1)
			put_flag(&args_own[i], args_letter(v, (enum flag)i));
	put_globals();
	put_note(v);
	buf_printf(&out, "\nexample: %s\n", v->example);
}

static void help_method(const struct api_cmd *cmd)
{
	buf_printf(&out, "method: %s\n%s.\n", cmd->name, cmd->help);
	for (size_t i = 0; i < cmd->nargs; i++) {
		AUTO_BUF left = BUF_INIT;
		const struct api_arg *arg = &cmd->args[i];
		buf_printf(&left, "%s  %s%s%s%s", i ? "" : "\n", arg->name, arg->hint ? " " : "",
			   arg->hint ? arg->hint : "", arg->flags & API_REQUIRED ? " (required)" : "");
		put_padded(&left, arg->help);
	}
}

/* "  lock     create, acquire, release, ..." in lines that fit a terminal of 80 columns. */
static void put_verbs(const struct object *o)
{
	const char *const *names = object_verbs(o);
	size_t at = HELP_WIDTH;
	buf_printf(&out, "  %-*s", OBJECT_COLUMN - 3, o->name);
	for (size_t i = 0; names[i]; i++) {
		const char *name = *names[i] ? names[i] : "NAME -- CMD";
		bool wrap = i && at + strlen(name) + 2 > HELP_WIDTH;
		if (wrap)
			buf_printf(&out, "\n%*s", OBJECT_COLUMN - 1, "");
		at = (wrap || !i ? OBJECT_COLUMN : at + 1) + strlen(name) + 1;
		buf_printf(&out, " %s%s", name, names[i + 1] ? "," : "\n");
	}
}

static void help_objects(void)
{
	const struct object *o;
	buf_puts(&out, "\nobjects: mpctl OBJECT VERB NAME...\n");
	for (size_t i = 0; (o = object_at(i)); i++)
		put_verbs(o);
}

void help_object(const struct object *o)
{
	buf_printf(&out, "usage: mpctl %s VERB NAME [flags]\n\n", o->name);
	const char *const *list = object_verbs(o);
	for (size_t i = 0; list[i]; i++) {
		AUTO_BUF left = BUF_INIT;
		const struct verb *v = object_verb_find(o, list[i]);
		buf_printf(&left, "  %s%s%s", v->name, *v->usage ? " " : "", v->usage);
		put_padded(&left, sentence(v));
	}
	buf_printf(&out,
		   "\nof all objects: mpctl info NAME, mpctl rm NAME, mpctl chmod NAME MODE\n"
		   "more: mpctl help %s VERB\n",
		   o->name);
}

static void help_all(void)
{
	const struct verb *v;
	buf_puts(&out,
		 "usage: mpctl [flags] VERB [flags] [TARGET...]\n       mpctl [flags] OBJECT VERB [flags] NAME...\n\n");
	for (size_t i = 0; (v = verb_at(i)); i++) {
		AUTO_BUF left = BUF_INIT;
		buf_printf(&left, "  %s%s%s", v->name, *v->usage ? " " : "", v->usage);
		put_padded(&left, sentence(v));
	}
	help_objects();
	buf_puts(&out, "\nflags of every verb:\n");
	put_globals();
	buf_puts(&out, "\nTARGET: a name, JOB.2 (an instance), #ID, pid:123, or a glob in quotes.\n"
		       "Tables in a pipe are neither coloured nor cut, and their columns are words.\n"
		       "exit status: 0 done or true, 1 failed or false, 2 usage, 3 not running, 4 no such name,\n"
		       "  5 it would have to wait, 6 bad configuration, 124 timed out, 125 mpd unreachable,\n"
		       "  126/127 command not executable/not found, 128+n died by signal n, else the command's own.\n"
		       "more: mpctl help VERB, mpctl help OBJECT [VERB], mpctl help METHOD\n");
}

static bool help_verbs(const char *name)
{
	bool found = false;
	const struct verb *v;
	for (size_t i = 0; (v = verb_at(i)); i++) {
		if (strcmp(v->name, name) != 0)
			continue;
		buf_puts(&out, found ? "\n" : "");
		help_verb(v);
		found = true;
	}
	return found;
}

static void help_of(const struct args *a, const struct object *o)
{
	const struct verb *v = a->nwords > 1 ? object_verb_find(o, a->words[1]) : NULL;
	if (a->nwords == 1)
		help_object(o);
	else if (v)
		help_verb(v);
	else if (!help_verbs(a->words[1]))
		args_wrong(a, "no verb \"%s\" of %s", a->words[1], o->name);
}

int verb_help(struct client *c, struct args *a)
{
	(void)c;
	if (!a || a->nwords == 0) {
		help_all();
		return STATUS_OK;
	}
	const struct object *o = object_find(a->words[0]);
	args_most(a, o ? 2 : 1);
	const struct api_cmd *cmd = api_find(span_of(a->words[0]));
	if (cmd)
		help_method(cmd);
	else if (o)
		help_of(a, o);
	else if (!help_verbs(a->words[0]))
		args_wrong(a, "no verb or method \"%s\"", a->words[0]);
	return STATUS_OK;
}
