/* SPDX-License-Identifier: MIT */
/*
 * The verbs of objects: object.h.
 *
 * A verb is looked for among the special rows, then in the registry; of the registry's a row is made on the spot, with
 * mpctl's own flags for the arguments that it marks as hidden.
 */
#include "cli/object.h"
#include "cli/render.h"
#include "cli/show.h"
#include "cli/wait.h"
#include <stdio.h>

static const struct object objects[] = {
	{"lock", "lock", "db"},          {"rlock", "rlock", "db"},        {"sem", "semaphore", "slots"},
	{"event", "event", "ready"},     {"cond", "condition", "change"}, {"barrier", "barrier", "gate"},
	{"queue", "queue", "tickets"},   {"pipe", "pipe", "talk"},        {"value", "value", "count"},
	{"array", "array", "row"},       {"dict", "dict", "prices"},      {"list", "list", "names"},
	{"ns", "namespace", "settings"},
};

/* The name is "OBJECT VERB"; "OBJECT" alone is OBJECT NAME -- CMD. */
#define WAITS (OWN(NO_WAIT))
static const struct verb specials[] = {
	{"lock", CMD_lock_acquire, VERB_COMMAND, WAITS, 0, "NAME -- CMD...", "mpctl lock db -- ./migrate.sh",
	 "Hold a lock while a command runs, and pass its status through", verb_hold},
	{"rlock", CMD_rlock_acquire, VERB_COMMAND, WAITS, 0, "NAME -- CMD...", "mpctl rlock db -- ./migrate.sh",
	 "Hold an rlock while a command runs, and pass its status through", verb_hold},
	{"sem", CMD_semaphore_acquire, VERB_COMMAND, WAITS, 0, "NAME -- CMD...",
	 "mpctl sem slots --value 4 -- ./convert.sh", "Hold permits while a command runs, and pass its status through",
	 verb_hold},
	{"cond wait-for", CMD_condition_wait, VERB_COMMAND, WAITS | OWN(OWNER), 0, "NAME -- TEST...",
	 "mpctl cond wait-for change --owner $$ -- test -e done",
	 "Acquire, run a test, wait to be notified until the test succeeds; the lock is held then", verb_wait_for},
	{"barrier wait", CMD_barrier_wait, 0, WAITS | OWN(OWNER) | OWN(ACTION), 0, "NAME",
	 "mpctl barrier wait gate --parties 3", NULL, verb_barrier_wait},
	{"queue put", CMD_queue_put, VERB_VALUES,
	 WAITS | OWN(OWNER) | OWN(FENCE) | OWN(STRING) | OWN(RAW) | OWN(LINES) | OWN(NULL), 0, "NAME [VALUE... or -]",
	 "mpctl queue put tickets '{\"seat\": 7}'",
	 "Put items into a queue: values, or all of stdin, waiting while the queue is full", verb_queue_put},
	{"queue get", CMD_queue_get, VERB_COMMAND, WAITS | OWN(OWNER) | OWN(ACK) | OWN(RAW) | OWN(FOLLOW),
	 1u << NTH_queue_get_ack, "NAME [-- CMD...]", "mpctl queue get tickets -f -- ./sell.sh",
	 "Print an item of a queue, or run a command with it on stdin; it goes back when that fails", verb_queue_get},
	{"queue done", CMD_queue_task_done, VERB_VALUES, OWN(OWNER), 0, "NAME [CLAIM]",
	 "mpctl queue done tickets --owner $$", NULL, verb_object},
	{"queue pause", CMD_queue_pause, 0, 0, 1u << NTH_queue_pause_paused, "NAME", "mpctl queue pause tickets", NULL,
	 verb_object},
	{"queue resume", CMD_queue_pause, 0, 0, 1u << NTH_queue_pause_paused, "NAME", "mpctl queue resume tickets",
	 "Let items come out again", verb_queue_resume},
	{"pipe send", CMD_pipe_send, VERB_VALUES, WAITS | OWN(OWNER) | OWN(FENCE) | OWN(STRING) | OWN(RAW), 0,
	 "NAME:END [VALUE or -]", "mpctl pipe send talk:0 hello",
	 "Send a message into an end of a pipe: a value, or all of stdin", verb_pipe_send},
};

/* Not for people: what needs them does them by itself. */
static const enum api_id unseen[] = {CMD_barrier_action_done};

/* What an argument that the registry hides is for mpctl's user. */
static const struct {
	const char *arg;
	uint64_t own;
} hidden[] = {{"owner", OWN(OWNER)}, {"fence", OWN(FENCE)}, {"want", OWN(RAW)}, {"duplex", OWN(ONE_WAY)}};

/* --- finding a verb ---------------------------------------------------------------------------------------------- */

const struct object *object_at(size_t n) { return n < ARRAY_LEN(objects) ? &objects[n] : NULL; }

const struct object *object_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(objects); i++)
		if (!strcmp(name, objects[i].name) || !strcmp(name, objects[i].kind))
			return &objects[i];
	return NULL;
}

static const struct api_arg *arg_find(const struct api_cmd *cmd, const char *name)
{
	for (size_t i = 0; i < cmd->nargs; i++)
		if (!strcmp(cmd->args[i].name, name))
			return &cmd->args[i];
	return NULL;
}

static bool is_seen(const struct api_cmd *cmd)
{
	for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
		if (cmd->id == unseen[i])
			return false;
	return true;
}

static const struct verb *special_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(specials); i++)
		if (!strcmp(specials[i].name, name))
			return &specials[i];
	return NULL;
}

/* "KIND.the_verb" of the registry. */
static const struct api_cmd *cmd_find(const struct object *o, const char *verb)
{
	char method[64];
	int n = snprintf(method, sizeof(method), "%s.%s", o->kind, verb);
	for (char *p = method; *p; p++)
		*p = *p == '-' ? '_' : *p;
	const struct api_cmd *cmd = n < (int)sizeof(method) && !strchr(verb, '_') ? api_find(span_of(method)) : NULL;
	return cmd && is_seen(cmd) ? cmd : NULL;
}

static uint64_t own_flags(const struct api_cmd *cmd)
{
	uint64_t own = 0;
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		own |= arg_find(cmd, hidden[i].arg) ? hidden[i].own : 0;
	if (cmd->flags & API_BLOCKS && arg_find(cmd, "timeout"))
		own |= OWN(NO_WAIT);
	for (size_t i = 0; i < cmd->nargs; i++)
		if (cmd->args[i].type == API_JSON && cmd->args[i].flags & API_POSITIONAL)
			own |= OWN(STRING);
	return own;
}

static void put_usage(struct buf *b, const struct api_cmd *cmd)
{
	b->len = 0;
	for (size_t i = 0; i < cmd->nargs; i++) {
		const struct api_arg *arg = &cmd->args[i];
		bool must = arg->flags & API_REQUIRED;
		if (arg->flags & API_POSITIONAL)
			buf_printf(b, must ? "%s%s" : "%s[%s]", i ? " " : "", arg->hint);
		else if (must)
			buf_printf(b, " --%s %s", arg->name, arg->hint);
	}
}

/* What stands for an argument in an example, by its hint. */
static const char *sample_of(const struct object *o, const struct api_arg *arg)
{
	static const struct {
		const char *hint, *sample;
	} samples[] = {
		{"KEY", "apple"},
		{"ATTRIBUTE", "colour"},
		{"VALUE", "7"},
		{"INDEX", "0"},
		{"CLAIM", "12"},
		{"N", "3"},
		{"X", "10"},
		{"CODE", "i"},
		{"[VALUE...]", "'[1, 2, 3]'"},
		{"{KEY: VALUE}", "'{\"apple\": 7}'"},
		{"==|!=|<|<=|>|>=", "'>='"},
	};
	if (!strcmp(arg->hint, "NAME"))
		return o->sample;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++)
		if (!strcmp(arg->hint, samples[i].hint))
			return samples[i].sample;
	return arg->hint;
}

static void put_example(struct buf *b, const struct object *o, const struct api_cmd *cmd, const char *name)
{
	b->len = 0;
	buf_printf(b, "mpctl %s", name);
	for (size_t i = 0; i < cmd->nargs; i++) {
		const struct api_arg *arg = &cmd->args[i];
		if (!(arg->flags & API_REQUIRED))
			continue;
		if (!(arg->flags & API_POSITIONAL))
			buf_printf(b, " --%s", arg->name);
		buf_printf(b, " %s%s", sample_of(o, arg), !i && strstr(arg->help, "end: ") ? ":0" : "");
	}
	if (arg_find(cmd, "owner") && object_leaves(cmd->id))
		buf_puts(b, " --owner $$");
}

const struct verb *object_verb_find(const struct object *o, const char *verb)
{
	static struct verb made;
	static struct buf usage, example;
	static char name[64];
	if (snprintf(name, sizeof(name), "%s%s%s", o->name, *verb ? " " : "", verb) >= (int)sizeof(name))
		return NULL;
	const struct verb *special = special_find(name);
	const struct api_cmd *cmd = special ? NULL : cmd_find(o, verb);
	if (!cmd)
		return special;
	put_usage(&usage, cmd);
	put_example(&example, o, cmd, name);
	made = (struct verb){name, cmd->id,    VERB_VALUES, own_flags(cmd), 0, buf_str(&usage), buf_str(&example),
			     NULL, verb_object};
	return &made;
}

/* The verb of OBJECT that a special row is for, "" for OBJECT NAME -- CMD; NULL: it is another object's. */
static const char *special_verb(const struct object *o, const struct verb *row)
{
	size_t n = strlen(o->name);
	if (strncmp(row->name, o->name, n) != 0 || (row->name[n] && row->name[n] != ' '))
		return NULL;
	return row->name + n + (row->name[n] == ' ');
}

/* The verb of OBJECT that a command of the registry is, with '-' for '_', in ROOM; NULL: it is none of its. */
static const char *registry_verb(const struct object *o, const struct api_cmd *cmd, char room[ARGS_NAME_MAX])
{
	size_t n = strlen(o->kind);
	bool own = !strncmp(cmd->name, o->kind, n) && cmd->name[n] == '.' && is_seen(cmd);
	return own ? args_name(&(struct api_arg){.name = cmd->name + n + 1}, room) : NULL;
}

/* The registry's first, then the rows that it does not know. */
const char *const *object_verbs(const struct object *o)
{
	static char room[64][ARGS_NAME_MAX];
	static const char *names[ARRAY_LEN(room) + ARRAY_LEN(specials) + 1];
	size_t n = 0;
	for (size_t i = 0; i < CMD_COUNT && n < ARRAY_LEN(room); i++)
		if ((names[n] = registry_verb(o, api_cmd((enum api_id)i), room[n])))
			n++;
	for (size_t i = 0; i < ARRAY_LEN(specials); i++) {
		const char *verb = special_verb(o, &specials[i]);
		if (verb && !cmd_find(o, verb))
			names[n++] = verb;
	}
	names[n] = NULL;
	return names;
}

static void __attribute__((noreturn)) wrong_verb(const struct object *o, const char *word)
{
	const char *const *names = object_verbs(o);
	size_t n = 0;
	while (names[n])
		n++;
	if (!word)
		die(STATUS_USAGE, "%s: which verb? (see: mpctl help %s)", o->name, o->name);
	const char *near = fault_nearest(span_of(word), names, n);
	const char *hint = near && *near ? near : NULL;
	if (!hint && special_find(o->name))
		die(STATUS_USAGE, "%s: unknown verb \"%s\" (with a command: mpctl %s %s -- CMD, see: mpctl help %s)",
		    o->name, word, o->name, word, o->name);
	die(STATUS_USAGE, "%s: unknown verb \"%s\" (%s%s%ssee: mpctl help %s)", o->name, word,
	    hint ? "did you mean " : "", hint ? hint : "", hint ? "? " : "", o->name);
}

/* Verbs of all objects, for which the kind is no more than a check. */
static const struct verb *common_verb(const char *word)
{
	static const char *const common[] = {"rm", "info"};
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		if (!strcmp(word, common[i]))
			return verb_find(word, false);
	return NULL;
}

const struct verb *object_verb(const struct object *o, char ***argv, bool with_command)
{
	const char *word = **argv;
	const struct verb *verb = word && *word != '-' ? object_verb_find(o, word) : NULL;
	const struct verb *hold = with_command ? special_find(o->name) : NULL;
	if (word && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
		help_object(o);
		quit(STATUS_OK);
	}
	if (hold)
		return hold;
	if (!word || *word == '-')
		wrong_verb(o, NULL);
	verb = verb ? verb : common_verb(word);
	if (!verb)
		wrong_verb(o, word);
	++*argv;
	return verb;
}

/* --- the request ------------------------------------------------------------------------------------------------- */

bool object_leaves(enum api_id id)
{
	static const enum api_id waits_only[] = {CMD_event_wait, CMD_barrier_wait, CMD_queue_put, CMD_queue_get,
						 CMD_pipe_send,  CMD_pipe_recv,    CMD_pipe_poll, CMD_value_wait};
	for (size_t i = 0; i < ARRAY_LEN(waits_only); i++)
		if (id == waits_only[i])
			return false;
	return true;
}

void object_named(const struct args *a)
{
	const struct api_arg *name = &api_cmd(a->verb->cmd)->args[0];
	if (a->nwords == 0)
		args_wrong(a, "%s is missing: %s", name->hint, name->help);
}

void object_name(const struct args *a, struct buf *members)
{
	member(members, "name");
	scan_put_str(members, span_of(a->words[0]));
}

void object_owner(struct args *a, struct buf *members)
{
	const char *given = a->own[FLAG_OWNER];
	long long pid = given ? strtoll(given, NULL, 10) : (long long)getppid();
	if (pid <= 0)
		args_wrong(a, "--owner \"%s\": must be a pid", given ? given : "0");
	member(members, "owner");
	buf_printf(members, "{\"pid\":%lld}", pid);
}

void object_owner_default(struct args *a)
{
	const struct api_cmd *cmd = api_cmd(a->verb->cmd);
	if (a->own[FLAG_OWNER] || (arg_find(cmd, "owner") && object_leaves(cmd->id)))
		object_owner(a, &a->members);
}

/* LOCK:TOKEN; a name has no colon. */
static void put_fence(struct args *a, const char *given)
{
	const char *colon = strrchr(given, ':');
	if (!colon || colon == given || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
		args_wrong(a, "--fence \"%s\": must be LOCK:TOKEN", given);
	member_raw(&a->members, "fence", "{\"lock\":");
	scan_put_str(&a->members, (struct span){given, (size_t)(colon - given)});
	buf_printf(&a->members, ",\"token\":%s}", colon + 1);
}

bool object_tries(const struct args *a)
{
	const struct api_cmd *cmd = api_cmd(a->verb->cmd);
	const struct api_arg *timeout = arg_find(cmd, "timeout");
	const char *given = timeout ? a->param[timeout - cmd->args] : NULL;
	return a->own[FLAG_NO_WAIT] || (given && args_duration(given) == 0);
}

void object_flags(struct args *a)
{
	const struct api_cmd *cmd = api_cmd(a->verb->cmd);
	const struct api_arg *timeout = arg_find(cmd, "timeout");
	if (a->own[FLAG_NO_WAIT] && timeout && a->param[timeout - cmd->args])
		args_wrong(a, "either --no-wait or --timeout, not both");
	if (a->own[FLAG_NO_WAIT])
		member_raw(&a->members, "timeout", "0");
	if (a->own[FLAG_FENCE])
		put_fence(a, a->own[FLAG_FENCE]);
	if (a->own[FLAG_RAW] && arg_find(cmd, "want"))
		member_raw(&a->members, "want", "\"raw\"");
	if (a->own[FLAG_ONE_WAY])
		member_raw(&a->members, "duplex", "false");
}

int verb_object(struct client *c, struct args *a)
{
	args_positional(a, 0);
	object_flags(a);
	object_owner_default(a);
	struct call *call = client_send(c, a->verb->cmd, &a->members, NULL, 0);
	if (api_cmd(a->verb->cmd)->flags & API_BLOCKS)
		wait_result(c, call, a->words[0]);
	else
		client_result(c, call);
	return show_answer(a, call);
}

int verb_queue_resume(struct client *c, struct args *a)
{
	member_raw(&a->members, "paused", "false");
	return verb_object(c, a);
}
