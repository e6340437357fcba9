/* SPDX-License-Identifier: MIT */
/*
 * What all of mpctl shares: its exit statuses, the options that go with every verb, and the table of verbs.
 *
 * 1. stdout carries data only; all messages go to stderr, one line each, beginning with "mpctl: ".
 * 2. A verb's function returns the exit status; what cannot go on says so once and ends by die().
 */
#ifndef MPCTL_CLI_H
#define MPCTL_CLI_H

#include "common/api.h"

struct args;
struct client;
struct object;

enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_NOT_RUNNING = 3,
	STATUS_WOULD_BLOCK = 5,
	STATUS_TIMEOUT = 124,
	STATUS_UNREACHABLE = 125,
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
	STATUS_SIGNAL = 128, /* + the signal's number */
};

struct options {
	const char *socket; /* as given, or NULL: client_path() chooses */
	const char *color;  /* "auto", "always" or "never" */
	bool json, quiet, verbose;
};
extern struct options options;

enum verb_shape {
	VERB_COMMAND = 1, /* a command follows "--"; of two verbs with one name, the one that is meant when it does */
	VERB_PREFIX = 2,  /* the command may also begin at the first word, without "--" */
	VERB_VALUES = 4,  /* its words may be negative numbers */
};

typedef int verb_main(struct client *, struct args *);

struct verb {
	const char *name;
	enum api_id cmd; /* whose flags and sentence it has */
	unsigned shape;  /* enum verb_shape */
	uint64_t own;    /* mpctl's own flags, bits 1 << enum flag (args.h) */
	uint32_t hidden; /* flags of `cmd` it does not take, bits 1 << NTH_... */
	const char *usage, *example;
	const char *help; /* instead of the registry's sentence, or NULL */
	verb_main *run;
};

/* The N-th verb in the order of help, NULL past the end. */
const struct verb *verb_at(size_t n);
/* The verb of that name; WITH_COMMAND prefers the one that takes a command. NULL: none. */
const struct verb *verb_find(const char *name, bool with_command);

verb_main verb_run, verb_start, verb_start_command, verb_stop, verb_restart, verb_terminate, verb_kill, verb_signal;
verb_main verb_forget, verb_join, verb_is_alive, verb_exitcode, verb_pid, verb_ps, verb_status, verb_logs, verb_events;
verb_main verb_hold, verb_wait_for, verb_barrier_wait, verb_queue_put, verb_queue_get, verb_queue_resume;
verb_main verb_pipe_send, verb_ls, verb_info, verb_rm, verb_chmod, verb_deadlocks, verb_graph;
verb_main verb_cpus, verb_ping, verb_version, verb_whoami, verb_describe, verb_shutdown, verb_check, verb_help;

/* What --help shows for one verb, for the verbs of an object. */
void help_verb(const struct verb *);
void help_object(const struct object *);
/* mpctl's own version, without a daemon. */
void version_print(void);

#endif
