/* SPDX-License-Identifier: MIT */
/*
 * The configuration as it is written: files, sections, keys and values with the place where each stands, and the list
 * of all that is wrong with them. What the keys mean is keys.h's, job.h's and object.h's.
 *
 * The loader is a process of its own that ends when its work is done: memory that runs out ends it at once.
 */
#ifndef MPD_CONF_H
#define MPD_CONF_H

#include "common/arena.h"
#include "common/list.h"
#include "common/map.h"

#define CONF_FILE_MAX (16u << 20) /* bytes of a file */
#define CONF_DEPTH 8              /* files that include one another */
#define CONF_KEYS_MAX 4096        /* keys of a section */

struct conf_file {
	struct list node;
	const char *name; /* as the user wrote it; what was included: the including file's folder before it */
	unsigned nth;     /* in the order of reading */
	unsigned depth;
	dev_t dev;
	ino_t ino;
	bool trusted; /* belongs to root and is writable by nobody else */
};

struct conf_place {
	const struct conf_file *file;
	unsigned line;       /* 0: the file itself */
	struct span section; /* "job:web"; empty: before any */
};

struct conf_section {
	struct list node;
	struct conf_place at;
	const char *title;   /* "web" */
	struct list entries; /* in the order of the lines */
	size_t count;
};

struct conf_entry {
	struct list node;
	struct conf_place at;
	const struct conf_section *section;
	struct span key, value;
	bool refused; /* one error about it is told, the next would say the same */
};

/* Sections of which each has a name of its own. */
struct conf_named {
	struct list list;    /* struct conf_section, in the order of reading */
	struct map by_title; /* the same */
};

struct conf {
	struct arena arena; /* all that the others point to */
	struct list files;  /* struct conf_file, in the order of reading */
	/* May be written in several files, once in each; a key counts once over all of them. */
	struct conf_section mpd, defaults;
	struct conf_named jobs, objects;
	struct list notes;
	unsigned errors, warnings;
};

void conf_init(struct conf *);
void conf_done(struct conf *);
/* Reads the file and all it includes. MAY_MISS: no such file is as good as an empty one. */
void conf_read(struct conf *, const char *name, bool may_miss);
/* The first file that does not belong to root or that others may write; NULL: there is none. */
const struct conf_file *conf_untrusted(const struct conf *);

/* What is wrong with an object's name, as a sentence; NULL: nothing. */
const char *conf_object_name_error(struct span);

/* Zeroed memory, and a copy with a NUL behind it, that live as long as the configuration. */
void *conf_alloc(struct conf *, size_t);
struct span conf_copy(struct conf *, struct span);
/* The same of what a buffer holds; one that could not grow ends the process. */
struct span conf_keep(struct conf *, const struct buf *);

void conf_error(struct conf *, const struct conf_place *, const char *fmt, ...) PRINTF(3, 4);
void conf_warning(struct conf *, const struct conf_place *, const char *fmt, ...) PRINTF(3, 4);
/* `KEY: WHAT`, once an entry: [defaults] are used by many jobs. */
void conf_refuse(struct conf *, struct conf_entry *, const char *what);
/* Writes the errors, and the warnings where asked for, in the order of files and lines: "file:line: [section] text". */
void conf_report(const struct conf *, int fd, bool warnings);

#endif
