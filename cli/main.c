/* SPDX-License-Identifier: MIT */
/*
 * mpctl: the table of verbs, and the way from the command line to one of them. A verb is a row here, a set of the
 * registry's flags, and one function; what a row does not say is the registry's. A verb that asks the daemon nothing
 * has the flags of mpd.ping, which are none.
 */
#include "cli/args.h"
#include "cli/client.h"
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
	{"cpus", CMD_mpd_status, 0, 0, 0, "", "mpctl cpus", "Print how many processors can be used", verb_cpus},
	{"ping", CMD_mpd_ping, 0, 0, 0, "", "mpctl ping", "Ask the daemon for an answer", verb_ping},
	{"version", CMD_mpd_hello, 0, 0, ~0u, "", "mpctl version", "Print the versions of mpctl and the daemon",
	 verb_version},
	{"whoami", CMD_mpd_whoami, 0, 0, 0, "", "mpctl whoami", NULL, verb_whoami},
	{"describe", CMD_mpd_describe, 0, 0, 0, "[METHOD]", "mpctl describe process.start", NULL, verb_describe},
	{"shutdown", CMD_mpd_shutdown, 0, OWN(TIMEOUT), 0, "", "mpctl shutdown", NULL, verb_shutdown},
	{"check", CMD_mpd_ping, 0, 0, 0, "[FILE]", "mpctl check mpd.conf", "Check a configuration; needs no daemon",
	 verb_check},
	{"help", CMD_mpd_ping, 0, 0, 0, "[VERB or METHOD]", "mpctl help join", "Show help", verb_help},
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
	const char *names[ARRAY_LEN(verbs)];
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		names[i] = verbs[i].name;
	const char *near = fault_nearest(span_of(name), names, ARRAY_LEN(names));
	if (near)
		die(STATUS_USAGE, "unknown verb \"%s\" (did you mean %s? see: mpctl help)", name, near);
	die(STATUS_USAGE, "unknown verb \"%s\" (see: mpctl help)", name);
}

static bool has_command(char **argv)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, "--"))
			return true;
	return false;
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
	const struct verb *verb = verb_find(name, has_command(argv));
	if (!verb)
		unknown_verb(name);
	args_parse(&args, verb, argv);
	client_init(&client, client_path(options.socket));
	int status = verb->run(&client, &args);
	client_done(&client);
	out_flush();
	buf_done(&args.members);
	buf_done(&out);
	free(args.env);
	return status;
}
