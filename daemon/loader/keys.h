/* SPDX-License-Identifier: MIT */
/*
 * Tables of keys: what a section may hold, how each value is read, and where it goes. A section has one table; a row is
 * one spelling of one key.
 */
#ifndef MPD_KEYS_H
#define MPD_KEYS_H

#include "common/fault.h"
#include "daemon/loader/conf.h"
#include "daemon/loader/words.h"

enum key_flags {
	KEY_EACH = 1,  /* may differ from one instance of a job to the next */
	KEY_WORDS = 2, /* the reader gets the value as it is written, and expands it itself */
};

struct key_value;
struct key {
	const char *name;                                      /* a "*" at its end stands for any */
	int id;                                                /* of the key: other spellings of it have the same one */
	int (*read)(const struct key_value *, struct fault *); /* NULL: somebody else's work */
	size_t offset;                                         /* of what the reader writes, in the table's struct */
	int64_t min, max;
	const char *choices, *later; /* "a|b|c": those there are; those that are not supported yet */
	unsigned flags;
};

/* What a reader gets. */
struct key_value {
	const struct key *key;
	struct conf *conf;
	struct span text; /* ends in NUL */
	const struct words_self *self;
	void *to; /* the struct's member at the key's offset */
};

/* The keys that are there while one struct is filled. */
struct keys {
	struct conf *conf;
	const struct key *rows;
	size_t nrows;
	const char *later;       /* "a|b|c_*": the keys that are not supported yet, or NULL */
	struct conf_entry **set; /* by id: the entry that counts, or NULL */
};

/* Takes the entries of S for those that count, over those of a section collected before; refuses the unknown, those not
 * supported yet, and two spellings of one key. */
void keys_collect(struct keys *, struct conf_section *s);
/* Reads into BASE what is set of the ids FIRST <= id < END, and has the KEY_EACH flag or not, as EACH says. */
void keys_read(const struct keys *, void *base, int first, int end, bool each, const struct words_self *);
/* The row that spells NAME, or NULL. */
const struct key *keys_find(const struct keys *, struct span name);

/* Readers, by what they write: */
int key_bool(const struct key_value *, struct fault *);     /* uint8_t */
int key_duration(const struct key_value *, struct fault *); /* nsec_t, at least `min` */
int key_count(const struct key_value *, struct fault *);    /* uint32_t, `min` to `max` */
int key_number(const struct key_value *, struct fault *);   /* int64_t, `min` to `max` */
int key_size(const struct key_value *, struct fault *);     /* int64_t, at most `max` */
int key_choice(const struct key_value *, struct fault *);   /* uint8_t, the index of the choice */
int key_signal(const struct key_value *, struct fault *);   /* int32_t */
int key_text(const struct key_value *, struct fault *);     /* const char * */
int key_path(const struct key_value *, struct fault *);     /* const char *, an absolute path */

/* `"TEXT" WHAT`, with a long text cut. Returns FAULT_PARAMS. */
int key_wrong(const struct key_value *, struct fault *, const char *fmt, ...) PRINTF(3, 4);

#endif
