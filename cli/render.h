/* SPDX-License-Identifier: MIT */
/*
 * What a person or a script sees. Output is collected and written at once; text that comes from elsewhere passes
 * through text_put(), so that no name or message can steer a terminal.
 */
#ifndef MPCTL_RENDER_H
#define MPCTL_RENDER_H

#include "cli/cli.h"

/* stdout, until out_flush(). */
extern struct buf out;
/* Writes it. A reader that has gone ends the program quietly, any other error with a message. */
void out_flush(void);
/* The same, but false where that would end the program. */
bool out_try(void);
/* One line of JSON, as it came from the daemon. */
void out_json(struct span value);
/* All of TEXT to FD. 0, or -1 with errno. */
int write_all(int fd, struct span text);

/* "mpctl: ..." on stderr, one line. */
void say(const char *fmt, ...) PRINTF(1, 2);
/* The same, then the end; what was collected for stdout is written first. */
void die(int status, const char *fmt, ...) PRINTF(2, 3) __attribute__((noreturn));
/* Ends the program with STATUS, nothing more said. */
void quit(int status) __attribute__((noreturn));

/* Columns and lines of the terminal that stdout is; 0 when it is none. */
void term_size(unsigned *ret_columns, unsigned *ret_lines);
/* Whether to use colour on stdout. */
bool color_wanted(void);

/* Bytes for a person's eyes: control characters become '?'. */
void text_put(struct buf *, struct span);
/* The same of a JSON string; other values as they stand. */
void text_json(struct buf *, struct span value);
/* Width in columns of UTF-8 text, one a character. */
size_t text_width(struct span);
/* A value on one line: of an object "name value, name value". */
void text_value(struct buf *, struct span value);
/* "name: value" lines of an object's members, an inner object's on one line. */
void text_object(struct buf *, struct span object);
/* Words as one would type them for a shell: quoted where they have to be. */
void text_words(struct buf *, struct span array);

/* Of a cell. */
enum color { COLOR_NONE, COLOR_BOLD, COLOR_DIM, COLOR_RED, COLOR_GREEN, COLOR_YELLOW, COLOR_CYAN };
/* A table: cells row by row, then printed in aligned columns, two spaces apart. The last cell of each row is its
 * tail, which is never padded. */
struct table {
	size_t columns; /* the tail included */
	struct buf text;
	size_t begin; /* where the open cell's text begins */
	struct cell *cells;
	size_t ncells, cap;
};
void table_init(struct table *, size_t columns);
void table_done(struct table *);
/* The next cell is what was added to t->text since the last. */
void table_cell(struct table *, bool right, enum color);
/* Lines are cut to WIDTH columns and MAX lines (0: not); colours are for color_wanted(). */
void table_print(const struct table *, unsigned width, unsigned max, struct buf *);

#endif
