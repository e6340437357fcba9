/* SPDX-License-Identifier: MIT */
/* A [job:X] section, with [defaults] under it: what it says of the job, and of each of its instances. */
#ifndef MPD_JOB_H
#define MPD_JOB_H

#include "daemon/loader/conf.h"
#include "daemon/loader/users.h"
#include "daemon/plan.h"

enum job_key {
	JOB_PROCESSES, /* first: it says whether the others may name the instance */
	JOB_COMMAND,
	JOB_SHELL,
	JOB_AUTOSTART,
	JOB_RESTART,
	JOB_SUCCESS_CODES,
	JOB_START_SECONDS,
	JOB_RESTART_DELAY,
	JOB_RESTART_DELAY_MAX,
	JOB_RESTART_LIMIT,
	JOB_STOP_SIGNAL,
	JOB_STOP_TIMEOUT,
	JOB_KILL_MODE,
	JOB_STOPASGROUP,
	JOB_KILLASGROUP,
	JOB_USER,
	JOB_GROUP,
	JOB_GROUPS,
	JOB_UMASK,
	JOB_DIRECTORY,
	JOB_ENVIRONMENT,
	JOB_STDIN,
	JOB_STDOUT,
	JOB_STDERR,
	JOB_MERGE_STDERR,
	JOB_LOG_FILE,
	JOB_LOG_TIMESTAMPS,
	JOB_DESCRIPTION,
	JOB_CONTEXT,
	JOB_KEYS
};

/* Each ends in NUL. */
struct strings {
	struct span *v;
	size_t n;
};

struct job {
	const struct conf_section *section;
	struct conf_entry *set[JOB_KEYS]; /* the entry each key comes from, or NULL */
	struct jobtab_job def;            /* numbers alone: the offsets are the table's */
	const char *log_file[2], *description;
	/* Whom it runs as. */
	const char *user_name, *group_name;
	struct strings groups;
	struct user user;
	bool creds; /* the following count */
	gid_t gid;
	uint32_t *gids;
	size_t ngids;
	int32_t umask;
	uint8_t shell, merge_stderr, stop_group, kill_group, context;
	/* What may differ from one instance to the next. */
	char name[144];   /* of the instance */
	uint8_t stdio[3]; /* enum plan_stdio */
	const char *path[3], *directory;
	struct strings argv, env;
};

struct job_host {
	const char *socket; /* for MPCTL_SOCKET, or NULL */
	bool may_switch;    /* the daemon may start processes as another user */
};

/* Reads what holds for all instances. Errors are told in CONF. */
void job_read(struct conf *, const struct job_host *, struct conf_section *, struct job *ret);
/* The NTH instance, from 1, of a job that was read; RET begins as its copy. */
void job_instance(struct conf *, const struct job_host *, const struct job *, unsigned nth, struct job *ret);
/* Tells what is wrong with [defaults], whether or not there is a job to use them. */
void job_check_defaults(struct conf *, const struct job_host *);

#endif
