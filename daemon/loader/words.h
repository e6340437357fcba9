/* SPDX-License-Identifier: MIT */
/*
 * The text of a value: ${...} and words in quotes.
 *
 * "$$" is a "$"; "${NAME}" is the variable of mpd's environment, and an error where it is not set; "${NAME:-TEXT}" is
 * TEXT where it is not set or empty; "${mpd.num}" and "${mpd.name}" are the number and the name of the instance. Any
 * other "$" is text. What is put in is never split, nor looked at for quotes or references.
 */
#ifndef MPD_WORDS_H
#define MPD_WORDS_H

#include "common/fault.h"

/* The instance that a value is read for. */
struct words_self {
	const char *name;
	unsigned num;
};

/* Whether a variable of the environment may have this name: letters, digits and "_", no digit first. */
bool words_is_name(struct span);
/* SELF may be NULL: the value holds for all instances. 0 or FAULT_PARAMS. */
int words_expand(struct span text, const struct words_self *, struct buf *out, struct fault *);
/* The words of TEXT, each with a NUL behind it, at the end of OUT; SEPARATORS are between them, any number. '...' and
 * "..." and a backslash quote separators as in sh; a backslash before "$" makes it text. 0 or FAULT_PARAMS. */
int words_split(struct span text, const char *separators, const struct words_self *, struct buf *out, size_t *ret_count,
		struct fault *);

#endif
