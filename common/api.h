/* SPDX-License-Identifier: MIT */
/*
 * The registry: what api.def says, as tables and as one struct of decoded arguments a command. Daemon and CLI read
 * the same.
 */
#ifndef MPD_API_H
#define MPD_API_H

#include "common/arena.h"
#include "common/fault.h"
#include "common/scan.h"

#define API_PROTOCOL 1

struct spans {
	struct span *v;
	size_t n;
};

/* Types: what the JSON is, what the argument struct holds. */
enum api_type {
	API_STR,      /* a string without NUL → struct span, NUL-terminated */
	API_BYTES,    /* a string or {"b64": ...}, without NUL → struct span, NUL-terminated */
	API_STRS,     /* an array of strings, or one string → struct spans */
	API_BYTESS,   /* an array of BYTES, at least one → struct spans */
	API_BOOL,     /* true or false → bool */
	API_INT,      /* an exact integer → int64_t */
	API_DURATION, /* seconds >= 0, fractions allowed → nsec_t */
	API_ENUM,     /* one of the hint's choices → int, its index */
	API_SIGNAL,   /* "TERM", "SIGTERM" or 15 → int */
	API_ENV,      /* {"K": "V"} or ["K=V"], values BYTES → struct spans of "K=V" */
	API_JSON,     /* anything → struct span, the raw text */
};

enum api_arg_flags {
	API_REQUIRED = 1,
	API_POSITIONAL = 2,
	API_HIDDEN = 4, /* mpctl makes it in its own way */
	API_NULL = 8,   /* null is a value as any other; else it counts as not there */
};
enum api_cmd_flags {
	API_BLOCKS = 1, /* may wait: not in a batch */
	API_ONCE = 2,   /* not idempotent: a session's answer is recorded */
	API_ADMIN = 4,  /* root and the daemon's own user only */
	API_RAW = 8,    /* takes raw bytes behind its line */
};

struct api_arg {
	const char *name;
	enum api_type type;
	unsigned flags;
	char letter;
	const char *hint, *help;
	size_t offset; /* in the command's argument struct */
};

/* struct args_process_join { uint64_t given; struct spans targets; nsec_t timeout; ... }; bit n of `given`: the n-th
 * argument was there (null counts as not there, unless API_NULL). GIVEN(args, process_join, timeout) asks by name. */
#define API_C_API_STR struct span
#define API_C_API_BYTES struct span
#define API_C_API_STRS struct spans
#define API_C_API_BYTESS struct spans
#define API_C_API_BOOL bool
#define API_C_API_INT int64_t
#define API_C_API_DURATION nsec_t
#define API_C_API_ENUM int
#define API_C_API_SIGNAL int
#define API_C_API_ENV struct spans
#define API_C_API_JSON struct span

#define CMD(sym, name, flags, help)                                                                                    \
	struct args_##sym {                                                                                            \
		uint64_t given;
#define ARG(sym, field, type, flags, letter, hint, help) API_C_API_##type field;
#define END(sym)                                                                                                       \
	}                                                                                                              \
	;
#include "common/api.def"
#undef CMD
#undef ARG
#undef END

#define CMD(sym, name, flags, help) enum {
#define ARG(sym, field, type, flags, letter, hint, help) NTH_##sym##_##field,
#define END(sym)                                                                                                       \
	NTH_##sym##_END                                                                                                \
	}                                                                                                              \
	;
#include "common/api.def"
#undef CMD
#undef ARG
#undef END
#define GIVEN(args, sym, field) (((args)->given >> NTH_##sym##_##field) & 1)

enum api_id {
#define CMD(sym, name, flags, help) CMD_##sym,
#define ARG(...)
#define END(sym)
#include "common/api.def"
#undef CMD
#undef ARG
#undef END
	CMD_COUNT
};

struct api_cmd {
	enum api_id id;
	const char *name, *help;
	unsigned flags;
	const struct api_arg *args;
	size_t nargs, size; /* bytes of the argument struct */
};

const struct api_cmd *api_cmd(enum api_id);
const struct api_cmd *api_find(struct span method); /* NULL: none */
/* The name nearest to a wrong one, or NULL. */
const char *api_nearest(struct span method);
/* Decodes PARAMS (a checked object, or {NULL, 0}) into ARGS, zeroed first; what has to be copied lies in ARENA.
 * 0, or FAULT_PARAMS with a message that names the parameter ("did you mean" for an unknown one). */
int api_decode(const struct api_cmd *, struct span params, struct arena *, void *args, struct fault *);
/* The same of the members of that object. */
int api_decode_members(const struct api_cmd *, struct scan_iter members, struct arena *, void *args, struct fault *);
/* The JSON object of one command, of all: mpd.describe's result. */
void api_describe(const struct api_cmd *, struct buf *);
void api_describe_all(struct buf *);
/* The n-th choice of an ENUM's hint; {NULL, 0} past the end. */
struct span api_choice(const struct api_arg *, size_t n);

#endif
