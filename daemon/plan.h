/* SPDX-License-Identifier: MIT */
/*
 * A plan: everything the keeper needs to start one program, in one flat piece of memory with offsets instead of
 * pointers, so that it can be made by someone who is not trusted, sealed, and checked once. The engine makes one for
 * a client's process.start, the loader one for each instance of a job. Strings end in NUL; offsets count from the
 * start of the plan; 0 is "none". The child builds its pointer arrays in the room the plan reserves for them.
 */
#ifndef MPD_PLAN_H
#define MPD_PLAN_H

#include "common/sys.h"

#define PLAN_MAGIC 0x4e4c504du
#define PLAN_MAX (16u << 20) /* bytes of one plan */
#define PLAN_ARGS_MAX 65536u

enum plan_stdio {
	PLAN_NULL,    /* /dev/null */
	PLAN_PIPE,    /* captured: the keeper makes the pipe (stdout, stderr only) */
	PLAN_FD,      /* the client's descriptor, which travels with the spawn */
	PLAN_FILE,    /* path[i], opened as the user; output is appended and made with mode 0666 & ~umask */
	PLAN_INHERIT, /* mpd's own */
	PLAN_STDOUT,  /* stderr only: where stdout goes */
};

enum plan_flags {
	PLAN_CTTY = 1,  /* stdin becomes the controlling terminal */
	PLAN_CREDS = 2, /* uid, gid and groups count; believed only in the loader's table and of root's client */
	PLAN_SHELL = 4, /* for the record: made from shell = true */
};

#define PLAN_LIMITS_MAX 16u
#define PLAN_UNLIMITED UINT64_MAX
struct plan_limit {
	uint32_t resource; /* RLIMIT_* */
	uint32_t pad;
	uint64_t soft, hard; /* PLAN_UNLIMITED: none */
};

struct plan {
	uint32_t magic;
	uint32_t size;       /* of the whole plan, this header included */
	uint32_t flags;      /* enum plan_flags */
	uint32_t argc, envc; /* argc >= 1 */
	uint32_t argv, envp; /* offsets of argc, envc offsets of strings */
	uint32_t cwd;        /* offset of a path, or 0: the descriptor sent along, else "/" */
	uint32_t path[3];    /* for PLAN_FILE */
	uint8_t stdio[3];    /* enum plan_stdio */
	uint8_t pad;
	int32_t umask;                      /* -1: the keeper's */
	uint32_t uid, gid, ngroups, groups; /* groups: offset of ngroups uint32_t */
	int32_t nice;                       /* 0: as the keeper */
	uint32_t limits, nlimits;           /* offset, a multiple of 8, of nlimits struct plan_limit */
	uint32_t room;                      /* offset, a multiple of 8, of room for PLAN_ROOM(argc, envc) bytes, zero */
};

/* Room for argv and envp as pointers with their NULLs, for PLAN_EXTRA_ENV variables of the keeper's and their text. */
#define PLAN_EXTRA_ENV 4
#define PLAN_EXTRA_TEXT 160
#define PLAN_ROOM(argc, envc) (((size_t)(argc) + (envc) + 4 + PLAN_EXTRA_ENV) * sizeof(char *) + PLAN_EXTRA_TEXT)

/* What the keeper checks before it believes a plan of SIZE bytes at P: every offset inside, every string ended, counts
 * within limits. Returns 0, or -1. Defined in common/planfile.c, for maker and reader alike. */
int plan_check(const void *p, size_t size);

/* The job table: what the loader leaves in its sealed memfd. Keeper and engine map it. */
#define JOBTAB_MAGIC 0x424f4a4du

enum job_restart { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNEXPECTED };
enum kill_mode { KILL_TREE, KILL_GROUP, KILL_PROCESS };

struct jobtab_job {
	uint32_t name;        /* offset in the table of its name */
	uint32_t where;       /* "file:line" of the section, as the user wrote the file's name */
	uint32_t instances;   /* the key `processes` */
	uint32_t plans;       /* offset of `instances` offsets of plans in the table (multiples of 8) */
	uint32_t log_file[2]; /* offset of a path, or 0: the state directory's; stdout, stderr */
	uint32_t description;
	uint8_t autostart;
	uint8_t restart;   /* enum job_restart */
	uint8_t kill_mode; /* enum kill_mode */
	uint8_t log_timestamps;
	int32_t stop_signal;
	uint32_t restart_limit; /* 0: never give up */
	nsec_t start_seconds, restart_delay, restart_delay_max, stop_timeout;
	uint8_t success[32];      /* bit n: exit code n is a success */
	uint64_t success_signals; /* bit n: death by signal n is a success */
};

/* An object of the configuration: the call that makes it. */
struct jobtab_object {
	uint32_t method; /* offset of its name: "queue.create" */
	uint32_t params; /* offset of a JSON object that fits the method, with name and exist_ok */
	uint32_t where;  /* "file:line" of the section */
};

struct jobtab {
	uint32_t magic, size;
	uint32_t jobs, njobs; /* offset of njobs struct jobtab_job, in file order, a multiple of 8 */
	uint64_t generation;
	/* [mpd] */
	uint32_t daemonic_children_allowed;
	uint32_t cgroup;            /* offset of a path, or 0 */
	uint32_t socket_gid;        /* group of a system daemon's socket, or -1 */
	int32_t log_level;          /* enum log_level, or -1: not said */
	uint32_t max_processes;     /* 0: what the descriptors allow */
	uint32_t trusted;           /* the configuration belongs to root and is writable by nobody else */
	nsec_t keep;                /* how long an exit status stays that nobody joined */
	uint32_t files, nfiles;     /* offsets of the names of all files that were read */
	uint32_t user, home, shell; /* the daemon's own user, for those who start with a clean environment */
	uint32_t objects, nobjects; /* offset of nobjects struct jobtab_object, in the order in which they are made */
};

#endif
