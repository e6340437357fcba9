/* SPDX-License-Identifier: MIT */
/*
 * A verb's flags and words. Most flags are the registry's: they are checked by their type and become members of the
 * request while they are read. mpctl's own flags are kept as text for the verb's function.
 */
#ifndef MPCTL_ARGS_H
#define MPCTL_ARGS_H

#include "cli/cli.h"

enum flag {
	FLAG_NO_WAIT,
	FLAG_WAIT,
	FLAG_TIMEOUT,
	FLAG_LEADER_ONLY,
	FLAG_DETACH,
	FLAG_ENV,
	FLAG_DIR,
	FLAG_PARENT,
	FLAG_COLUMNS,
	FLAG_TREE,
	FLAG_CHILDREN,
	FLAG_NO_HEADER,
	FLAG_WATCH,
	FLAG_ALL,
	FLAG_FOLLOW,
	FLAG_NO_PREFIX,
	FLAG_USER,
	FLAG_LIMIT_AS,
	FLAG_LIMIT_CORE,
	FLAG_LIMIT_CPU,
	FLAG_LIMIT_DATA,
	FLAG_LIMIT_FSIZE,
	FLAG_LIMIT_MEMLOCK,
	FLAG_LIMIT_NOFILE,
	FLAG_LIMIT_NPROC,
	FLAG_LIMIT_STACK,
	FLAG_OWNER,
	FLAG_FENCE,
	FLAG_ACK,
	FLAG_STRING,
	FLAG_RAW,
	FLAG_LINES,
	FLAG_NULL,
	FLAG_ACTION,
	FLAG_ONE_WAY,
	FLAG_DOT,
	FLAG_COUNT
};
#define OWN(flag) (UINT64_C(1) << FLAG_##flag)
#define OWN_LIMITS (2 * OWN(LIMIT_STACK) - OWN(LIMIT_AS)) /* all of them */

#define ARGS_PARAMS_MAX 32

struct args {
	const struct verb *verb;
	const struct object *object;        /* whose verb it was said to be; NULL: none */
	const char *param[ARGS_PARAMS_MAX]; /* the registry's flags as given, by NTH_...; NULL: not given */
	const char *own[FLAG_COUNT];        /* mpctl's own; "" for one without a value; NULL: not given */
	struct buf members;                 /* of the request's params: JSON without braces */
	char **words;                       /* what is no flag, in order */
	size_t nwords;
	char **command;   /* what follows "--", ended by NULL; NULL: there was none */
	const char **env; /* the values of every -e */
	size_t nenv;
};

/* The flags of every verb, and mpctl's own by enum flag; the names have '_' for '-', as in the registry. */
extern const struct api_arg args_global[];
extern const size_t args_nglobal;
extern const struct api_arg args_own[FLAG_COUNT];

#define ARGS_NAME_MAX 32
/* The name of a flag as it is typed, with '-' for '_', in ROOM. */
const char *args_name(const struct api_arg *, char room[ARGS_NAME_MAX]);

/* Reads the global options at the front of ARGV (ended by NULL); returns how many words they take. */
size_t args_globals(char **argv);
/* Reads all of ARGV for VERB. What is wrong ends the program with STATUS_USAGE. */
void args_parse(struct args *, const struct verb *, char **argv);
/* Whether VERB takes the N-th argument of its command as a flag. */
bool args_takes(const struct verb *, size_t n);
/* The letter by which VERB knows mpctl's own flag, 0: it has none, or an argument of the command has it. */
char args_letter(const struct verb *, enum flag);
/* Adds the words after the first SKIP as the command's positional arguments, in their order. None that is required may
 * be missing, nor a flag. */
void args_positional(struct args *a, size_t skip);
/* Adds WORD as the member of ARG, if it is of its type. */
void args_member(struct args *, const struct api_arg *, const char *word);
/* Adds "targets" from the words after the first SKIP. Without any: fine when `all` was given or OPTIONAL. */
void args_targets(struct args *, size_t skip, bool all, bool optional);
/* Ends with STATUS_USAGE: "mpctl: VERB: MESSAGE (see: mpctl help VERB)". */
void args_wrong(const struct args *, const char *fmt, ...) PRINTF(2, 3) __attribute__((noreturn));
/* Ends with a usage error when there are more than MAX words. */
void args_most(const struct args *, size_t max);
/* JSON where the word is strict JSON, else the word as a JSON string; bytes that are no text as {"b64": ...}. */
void args_json(struct buf *, struct span word);
/* The value of a DURATION that was checked. */
nsec_t args_duration(const char *value);

/* Writing members: each adds a comma where one is needed. */
void member(struct buf *, const char *name); /* the value is to follow */
void member_raw(struct buf *, const char *name, const char *json);
void member_int(struct buf *, const char *name, int64_t);
void member_words(struct buf *, const char *name, char *const *words, size_t n);

#endif
