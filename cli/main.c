/* SPDX-License-Identifier: MIT */
/*
 * mpctl: the table of verbs, and the way from the command line to one of them. A verb is a row here, a set of the
 * registry's flags, and one function; what a row does not say is the registry's. A verb that asks the daemon nothing
 * has the flags of mpd.ping, which are none.
 */
#include "cli/args.h"
#include "cli/client.h"
#include "cli/object.h"
#include "cli/render.h"
#include <fcntl.h>

struct options options = {.color = "auto"};

#define HIDE(cmd, arg) (1u << NTH_##cmd##_##arg)

static const struct verb verbs[] = {
	{"run", CMD_process_start, VERB_COMMAND | VERB_PREFIX,
	 OWN(DETACH) | OWN(ENV) | OWN(DIR) | OWN(USER) | OWN_LIMITS, HIDE(process_start, processes),
	 "[--name N] -- CMD...", "mpctl run --limit 10m -- make test",
	 "Start a command, wait for it, and pass stdio, signals and its status through", verb_run},
	{"start", CMD_job_start, 0, OWN(NO_WAIT), 0, "JOB...", "mpctl start web", NULL, verb_start},
	{"start", CMD_process_start, VERB_COMMAND, OWN(ENV) | OWN(DIR) | OWN(PARENT) | OWN(USER) | OWN_LIMITS, 0,
	 "[--name N] -- CMD...", "mpctl start --name seller --processes 3 -- ./sell.sh",
	 "Start processes in the background, and print their names", verb_start_command},
	{"stop", CMD_process_stop, 0, OWN(NO_WAIT), 0, "TARGET...", "mpctl stop --all", NULL, verb_stop},
	{"restart", CMD_job_restart, 0, OWN(NO_WAIT), 0, "JOB...", "mpctl restart web", NULL, verb_restart},
	{"terminate", CMD_process_terminate, 0, OWN(WAIT) | OWN(LEADER_ONLY) | OWN(NO_WAIT), 0, "TARGET...",
	 "mpctl terminate seller", NULL, verb_terminate},
	{"kill", CMD_process_kill, 0, OWN(NO_WAIT) | OWN(LEADER_ONLY), 0, "TARGET...", "mpctl kill seller", NULL,
	 verb_kill},
	{"signal", CMD_process_signal, 0, OWN(LEADER_ONLY), 0, "SIG TARGET...", "mpctl signal HUP web", NULL,
	 verb_signal},
	{"join", CMD_process_join, 0, OWN(NO_WAIT), 0, "TARGET...", "mpctl join seller --timeout 30", NULL, verb_join},
	{"is-alive", CMD_process_status, 0, 0, 0, "TARGET...", "mpctl is-alive web && echo yes",
	 "Tell by the exit status whether processes live (0) or not (3)", verb_is_alive},
	{"exitcode", CMD_process_status, 0, 0, 0, "TARGET...", "mpctl exitcode web",
	 "Print how processes ended: n, or -signal; exit 3 while one lives", verb_exitcode},
	{"pid", CMD_process_status, 0, 0, 0, "TARGET...", "mpctl pid web",
	 "Print pids, also of the past; exit 3 when one does not live", verb_pid},
	{"forget", CMD_process_forget, 0, 0, 0, "TARGET...", "mpctl forget seller", NULL, verb_forget},
	{"ps", CMD_process_list, 0, OWN(COLUMNS) | OWN(TREE) | OWN(CHILDREN) | OWN(NO_HEADER) | OWN(WATCH) | OWN(ALL),
	 0, "[TARGET...]", "mpctl ps -o name,state,exit --tree", "Show processes and jobs", verb_ps},
	{"status", CMD_process_status, 0, 0, 0, "[TARGET...]", "mpctl status web",
	 "Show all about processes, or about the daemon", verb_status},
	{"logs", CMD_process_logs, 0, OWN(FOLLOW) | OWN(NO_PREFIX), 0, "[TARGET...]", "mpctl logs -f -n 20 web",
	 "Show captured output", verb_logs},
	{"events", CMD_mpd_subscribe, 0, OWN(FOLLOW), 0, "[TOPIC...]", "mpctl events process | jq .name",
	 "Print events as they happen, one JSON object a line, until ^C", verb_events},
	{"ls", CMD_object_list, 0, OWN(NO_HEADER), HIDE(object_list, kind) | HIDE(object_list, pattern),
	 "[KIND] [GLOB]", "mpctl ls queue 'ti*'", "Show objects: locks, queues, values and all others", verb_ls},
	{"info", CMD_object_info, 0, 0, HIDE(object_info, kind), "[KIND] NAME", "mpctl info tickets", NULL, verb_info},
	{"rm", CMD_object_delete, 0, 0, HIDE(object_delete, kind), "[KIND] NAME", "mpctl rm queue tickets", NULL,
	 verb_rm},
	{"chmod", CMD_object_chmod, 0, 0, 0, "NAME MODE", "mpctl chmod tickets 770 --group 100", NULL, verb_chmod},
	{"deadlocks", CMD_graph_get, 0, 0, 0, "", "mpctl deadlocks",
	 "Show who waits for whom in a circle; exit 1 when there are such", verb_deadlocks},
	{"graph", CMD_graph_get, 0, OWN(DOT), 0, "", "mpctl graph --dot | dot -Tsvg -o waits.svg",
	 "Show who waits for whom", verb_graph},
	{"cpus", CMD_mpd_status, 0, 0, 0, "", "mpctl cpus", "Print how many processors can be used", verb_cpus},
	{"ping", CMD_mpd_ping, 0, 0, 0, "", "mpctl ping", "Ask the daemon for an answer", verb_ping},
	{"version", CMD_mpd_hello, 0, 0, ~0u, "", "mpctl version", "Print the versions of mpctl and the daemon",
	 verb_version},
	{"whoami", CMD_mpd_whoami, 0, 0, 0, "", "mpctl whoami", NULL, verb_whoami},
	{"describe", CMD_mpd_describe, 0, 0, 0, "[METHOD]", "mpctl describe process.start", NULL, verb_describe},
	{"shutdown", CMD_mpd_shutdown, 0, OWN(TIMEOUT), 0, "", "mpctl shutdown", NULL, verb_shutdown},
	{"check", CMD_mpd_ping, 0, 0, 0, "[FILE]", "mpctl check mpd.conf", "Check a configuration; needs no daemon",
	 verb_check},
	{"help", CMD_mpd_ping, 0, 0, 0, "[VERB, OBJECT or METHOD]", "mpctl help queue put", "Show help", verb_help},
};

const struct verb *verb_at(size_t n) { return n < ARRAY_LEN(verbs) ? &verbs[n] : NULL; }

const struct verb *verb_find(const char *name, bool with_command)
{
	const struct verb *found = NULL;
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (!strcmp(verbs[i].name, name) && (!found || with_command == !!(verbs[i].shape & VERB_COMMAND)))
			found = &verbs[i];
	return found;
}

static void __attribute__((noreturn)) unknown_verb(const char *name)
{
	const char *names[ARRAY_LEN(verbs) + 32];
	const struct object *o;
	size_t n = 0;
	for (; n < ARRAY_LEN(verbs); n++)
		names[n] = verbs[n].name;
	for (; n < ARRAY_LEN(names) && (o = object_at(n - ARRAY_LEN(verbs))); n++)
		names[n] = o->name;
	const char *near = fault_nearest(span_of(name), names, n);
	if (near)
		die(STATUS_USAGE, "unknown verb \"%s\" (did you mean %s? see: mpctl help)", name, near);
	die(STATUS_USAGE, "unknown verb \"%s\" (see: mpctl help)", name);
}

static bool has_command(char *const *argv)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, "--"))
			return true;
	return false;
}

static const struct verb *find(const char *name, char ***argv, const struct object **ret_object)
{
	const struct verb *verb = verb_find(name, has_command(*argv));
	*ret_object = verb ? NULL : object_find(name);
	if (!verb && !*ret_object)
		unknown_verb(name);
	return verb ? verb : object_verb(*ret_object, argv, has_command(*argv));
}

/* Whoever closed 0, 1 or 2 shall not find our socket there. */
static void open_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", O_RDWR);
}

int main(int argc, char **argv)
{
	struct args args;
	struct client client;
	open_stdio();
	argv += argc > 0;
	argv += args_globals(argv);
	const char *name = *argv ? *argv++ : "ps";
	const struct object *object;
	const struct verb *verb = find(name, &argv, &object);
	args_parse(&args, verb, argv);
	args.object = object;
	client_init(&client, client_path(options.socket));
	int status = verb->run(&client, &args);
	client_done(&client);
	out_flush();
	buf_done(&args.members);
	buf_done(&out);
	free(args.env);
	return status;
}
