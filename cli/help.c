/* SPDX-License-Identifier: MIT */
/* mpctl help: all of it is made from the registry, the table of verbs and the tables of flags. */
#include "cli/args.h"
#include "cli/render.h"

#define HELP_COLUMN 28 /* where the sentences begin */

static void put_padded(const struct buf *left, const char *right)
{
	buf_span(&out, buf_view(left));
	if (left->len + 2 > HELP_COLUMN)
		buf_printf(&out, "\n%*s%s\n", HELP_COLUMN, "", right);
	else
		buf_printf(&out, "%*s%s\n", (int)(HELP_COLUMN - left->len), "", right);
}

/* "  -w, --timeout SEC       wait no longer than this" */
static void put_flag(const struct api_arg *arg)
{
	AUTO_BUF left = BUF_INIT;
	char name[ARGS_NAME_MAX];
	if (arg->letter)
		buf_printf(&left, "  -%c, ", arg->letter);
	buf_printf(&left, "%s--%s", arg->letter ? "" : "      ", args_name(arg, name));
	if (arg->hint)
		buf_printf(&left, " %s", arg->hint);
	put_padded(&left, arg->help);
}

static void put_globals(void)
{
	for (size_t i = 0; i < args_nglobal; i++)
		put_flag(&args_global[i]);
}

static const char *sentence(const struct verb *v) { return v->help ? v->help : api_cmd(v->cmd)->help; }

void help_verb(const struct verb *v)
{
	const struct api_cmd *cmd = api_cmd(v->cmd);
	buf_printf(&out, "usage: mpctl %s [flags]%s%s\n%s.\n\n", v->name, *v->usage ? " " : "", v->usage, sentence(v));
	for (size_t i = 0; i < cmd->nargs; i++)
		if (args_takes(v, i))
			put_flag(&cmd->args[i]);
	for (size_t i = 0; i < FLAG_COUNT; i++)
		if (v->own >> i & 1)
			put_flag(&args_own[i]);
	put_globals();
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

static void help_all(void)
{
	const struct verb *v;
	buf_puts(&out, "usage: mpctl [flags] VERB [flags] [TARGET...]\n\n");
	for (size_t i = 0; (v = verb_at(i)); i++) {
		AUTO_BUF left = BUF_INIT;
		buf_printf(&left, "  %s%s%s", v->name, *v->usage ? " " : "", v->usage);
		put_padded(&left, sentence(v));
	}
	buf_puts(&out, "\nflags of every verb:\n");
	put_globals();
	buf_puts(&out, "\nTARGET: a name, JOB.2 (an instance), #ID, pid:123, or a glob in quotes.\n"
		       "Tables in a pipe are neither coloured nor cut, and their columns are words.\n"
		       "exit status: 0 done or true, 1 failed or false, 2 usage, 3 not running, 4 no such name,\n"
		       "  5 it would have to wait, 6 bad configuration, 124 timed out, 125 mpd unreachable,\n"
		       "  126/127 command not executable/not found, 128+n died by signal n, else the command's own.\n"
		       "more: mpctl help VERB, mpctl help METHOD\n");
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

int verb_help(struct client *c, struct args *a)
{
	(void)c;
	if (!a || a->nwords == 0) {
		help_all();
		return STATUS_OK;
	}
	args_most(a, 1);
	const struct api_cmd *cmd = api_find(span_of(a->words[0]));
	if (cmd)
		help_method(cmd);
	else if (!help_verbs(a->words[0]))
		args_wrong(a, "no verb or method \"%s\"", a->words[0]);
	return STATUS_OK;
}
