/* SPDX-License-Identifier: MIT */
/*
 * INI text to sections and values, by inih, which no other file calls. Its traps are closed here: lines of any length
 * come through whole, every line has its number, ` ;` and ` #` in a value are text, an indented line is an error and
 * not a continuation, and every wrong line is told, not the first alone.
 *
 * The grammar: a line is empty, a comment (";" or "#" first), "[section]" or "key = value". Blanks (space, tab)
 * around key and value are not part of them; "\n" or "\r\n" ends a line; a UTF-8 byte order mark may come first.
 * A value is any bytes but NUL and newline, also none.
 */
#ifndef MPD_INI_H
#define MPD_INI_H

#include "common/buf.h"

#define INI_KEY_MAX 128     /* bytes of a key: letters, digits, "_", "-" and "." */
#define INI_SECTION_MAX 160 /* bytes of a section's name: anything but control characters, "[" and "]" */

/* Who is told, in the order of the lines, which count from 1. Spans end in NUL and are valid during the call. */
struct ini_sink {
	void (*section)(void *arg, unsigned line, struct span name);
	void (*value)(void *arg, unsigned line, struct span key, struct span value);
	void (*error)(void *arg, unsigned line, const char *what); /* a static sentence */
};

/* Tells SINK all that TEXT holds. The values behind a broken section line are not told: they belong nowhere.
 * 0, or -1 when memory is out. */
int ini_read(struct span text, const struct ini_sink *sink, void *arg);

#endif
